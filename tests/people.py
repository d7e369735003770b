"""A few hundred people drawn for matching tests, and what two departments write about them."""

import random
from collections.abc import Callable
from datetime import date, timedelta

import pyarrow as pa

_GIVEN = (
    "Alice", "Benjamin", "Catherine", "Daniel", "Elizabeth", "Frances", "George", "Hannah", "Imran", "Jasmine",
    "Kwame", "Laura", "Mohammed", "Nadia", "Oliver", "Patricia", "Robert", "Siobhan", "Thomas", "Victoria",
)  # fmt: skip
_FAMILY = (
    "Adams", "Brown", "Clark", "Davies", "Evans", "Fletcher", "Green", "Hughes", "Ibrahim", "Jones", "Khan", "Lewis",
    "Morgan", "Novak", "Okafor", "Patel", "Quinn", "Roberts", "Smith", "Taylor", "Underhill", "Walker", "Young",
)  # fmt: skip
_STREETS = ("Abbey Road", "Bridge Street", "Church Lane", "Dale Avenue", "Elm Grove", "Forge Close")

Row = dict[str, object]


def people(number: int, *, seed: int = 1) -> list[Row]:
    """That many people in households of three who share name and dwelling."""
    dice = random.Random(seed)
    rows: list[Row] = []
    for i in range(number):
        home = i // 3
        if i % 3 == 0:
            family, street = dice.choice(_FAMILY), dice.choice(_STREETS)
        rows.append(
            {
                "record_id": f"P{i:04d}",
                "given_name": dice.choice(_GIVEN),
                "family_name": family,
                "date_of_birth": date(1930, 1, 1) + timedelta(days=dice.randrange(32_000)),
                "sex": dice.choice("MF"),
                "address": f"{home % 90 + 1} {street}",
                "postcode": f"{'ABCDEFGH'[home % 8]}{'ABCDEFGH'[home // 8 % 8]}{home // 64 % 9 + 1} {home % 9}AB",
            }
        )
    return rows


def noisy(rows: list[Row], *, seed: int = 2, prefix: str = "D") -> list[Row]:
    """The same people as another department writes them: one in four with an error; ids of their own."""
    dice = random.Random(seed)
    errors: tuple[Callable[[Row], Row], ...] = (_misspelt, _initial, _moved, _birthday_wrong, _no_birthday)
    return [
        {
            **(dice.choice(errors)(row) if dice.random() < 0.25 else row),
            "record_id": f"{prefix}{str(row['record_id'])[1:]}",
        }
        for row in rows
    ]


def table(rows: list[Row]) -> pa.Table:
    """Rows as an Arrow table."""
    return pa.Table.from_pylist(rows)


def _misspelt(row: Row) -> Row:
    word = str(row["given_name"])
    return row | {"given_name": word[:2] + word[3:]}


def _initial(row: Row) -> Row:
    return row | {"given_name": str(row["given_name"])[0]}


def _moved(row: Row) -> Row:
    return row | {"address": "1 Far Street", "postcode": "ZE1 0AA"}


def _birthday_wrong(row: Row) -> Row:
    born = row["date_of_birth"]
    assert isinstance(born, date)
    return row | {"date_of_birth": born.replace(year=born.year + 1, day=min(born.day, 28))}


def _no_birthday(row: Row) -> Row:
    return row | {"date_of_birth": None}
