"""The indexes of this installation, by name."""

from integrated_data.index.matched import MatchedIndex
from integrated_data.index.reference import demographic
from integrated_data.index.reference.address import ADDRESS
from integrated_data.index.reference.business import BUSINESS
from integrated_data.index.reference.classification import CLASSIFICATION
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.seat import Seat
from integrated_data.model.errors import IndexRefusal

SEATS: dict[str, Seat] = {
    "demographic": MatchedIndex(demographic.DEFINITION),
    "business": BUSINESS,
    "address": ADDRESS,
    "geography": GEOGRAPHY,
    "classification": CLASSIFICATION,
}


def seat_of(index: str) -> Seat:
    """The index of that name; refuses when there is none."""
    found = SEATS.get(index)
    if found is None:
        raise IndexRefusal(f"There is no index called {index}", next_step=f"Choose from: {', '.join(SEATS)}")
    return found
