"""The indexes of an installation, by name: the five of the framework, and those that its files define."""

from collections.abc import Iterable, Iterator, Mapping

from integrated_data.index.matched import MatchedIndex
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.reference import demographic
from integrated_data.index.reference.address import ADDRESS
from integrated_data.index.reference.business import BUSINESS
from integrated_data.index.reference.classification import CLASSIFICATION
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.seat import Seat
from integrated_data.model.errors import IndexRefusal


class Seats(Mapping[str, Seat]):
    """Who sits where: an index by its name. What works with indexes is handed one; nothing adds to it."""

    def __init__(self, seats: Mapping[str, Seat]) -> None:
        self._seats = dict(seats)

    def __getitem__(self, index: str) -> Seat:
        return self._seats[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seats)

    def __len__(self) -> int:
        return len(self._seats)

    def of(self, index: str) -> Seat:
        """The index of that name; refuses when there is none."""
        found = self._seats.get(index)
        if found is None:
            raise IndexRefusal(f"There is no index called {index}", next_step=f"Choose from: {', '.join(self)}")
        return found

    def joined_by(self, own: Iterable[MatchDefinition]) -> "Seats":
        """These and the indexes that definitions describe."""
        return Seats({**self._seats, **{each.index.name: MatchedIndex(each) for each in own}})


#: The framework's own.
SEATS = Seats(
    {
        "demographic": MatchedIndex(demographic.DEFINITION),
        "business": BUSINESS,
        "address": ADDRESS,
        "geography": GEOGRAPHY,
        "classification": CLASSIFICATION,
    }
)
