"""How many others share what a record says: what a combination of fields tells about whom it means.

Agreement by chance is measured in the sample of people, in which whole postcodes live (the u-probabilities of
Fellegi and Sunter, 1969): between strangers as the product over the fields, scaled to the country; within a
postcode, where families share names, as it is found.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from math import exp, prod

from integrated_data.index.samples import WHOLE, rows

#: What a record may say of a person, as the sample has it.
PERSONAL = ("given", "family", "born", "year", "sex", "postcode", "address")
#: Fields that are one person's alone.
NUMBERS = ("NHS number", "National Insurance number")


def points_to_one(index: str, fields: Collection[str]) -> float | None:
    """The chance that a record with these fields, all of them right, points to one entity of the index and no other.

    None where words decide that no sample can tell: it is between 0 and 1. 0 where the fields cannot find a record.
    """
    match index:
        case "demographic":
            return _person(fields)
        case "business":
            known = {"company number"} & set(fields) or {"name", "postcode"} <= set(fields)
            return 1.0 if known else (None if "name" in fields else 0.0)
        case "address":
            if "UPRN" in fields:
                return 1.0
            return _address() if {"address", "postcode"} <= set(fields) else (None if "address" in fields else 0.0)
        case "classification":
            coded = {"industry code", "occupation code"} & set(fields)
            return 1.0 if coded else (None if fields else 0.0)
        case _:
            return 1.0 if fields else 0.0


def _person(fields: Collection[str]) -> float:
    if any(number in fields for number in NUMBERS):
        return 1.0
    said = tuple(f for f in PERSONAL if f in fields and not (f == "year" and "born" in fields))
    if not {"given", "family", "born", "year"} & set(said):
        return 0.0
    return exp(-others(said))


@cache
def others(fields: Sequence[str]) -> float:
    """How many other people of the whole country share these fields with one of them, on average."""
    if "postcode" not in fields:
        return WHOLE["demographic"] * prod(_by_chance(f) for f in fields)
    place = tuple(f for f in fields if f in ("postcode", "address"))
    rest = [f for f in fields if f not in place]
    return max(_sharing(fields), _sharing(place) * prod(_by_chance(f) for f in rest))


@cache
def _by_chance(field: str) -> float:
    """The chance that two people of the sample agree on a field; one pair more, so that it is never 0."""
    pairs = len(_values((field,)))
    return (_sharing((field,)) * pairs + 2) / (pairs * (pairs - 1))


@cache
def _sharing(fields: Sequence[str]) -> float:
    """How many others of the sample share all of these fields with one of them, on average."""
    values = _values(fields)
    return sum(n * (n - 1) for n in Counter(values).values()) / len(values)


@cache
def _values(fields: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(row["born"][:4] if f == "year" else row[f] for f in fields) for row in rows("demographic")]


@cache
def _address() -> float:
    """The share of the sample's addresses that no other has in the same postcode."""
    counted = Counter((row["address"], row["postcode"]) for row in rows("address"))
    return sum(n == 1 for n in counted.values()) / sum(counted.values())
