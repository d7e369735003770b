"""An attacker of another kind: whole numbers are tried, where the service computes with linear programs.

It knows what a reader knows: the tables that left, what was asked, how many values each attribute has, and that
numbers of people are whole and not below zero. From that it bounds every group that a combination of attribute
values names, by propagation and search alone. No code of the output room is used in it.
"""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.model.output import Lane
from tests.output_village import Village
from tests.output_world import World, people

MINIMUM = 10

#: Attributes and their values; an atom is one of each.
VALUES = {"region": "NS", "sex": "FM", "age": "yo"}
ATOMS = tuple(product(*VALUES.values()))

#: Steps of one search, after which the attacker gives up, and the test with it.
STEPS = 20_000


class GaveUpError(Exception):
    """The search was not over, so that nothing is known of the group."""


Numbers = dict[tuple[str, ...], int]


@dataclass(frozen=True)
class Query:
    """A count by some attributes of those with some values; with totals or without."""

    keys: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    totals: bool = False

    @property
    def sql(self) -> str:
        """As an analyst writes it."""
        asked = " AND ".join(f"{name} IN ({', '.join(repr(v) for v in values)})" for name, values in self.where)
        by = f"GROUP BY {'CUBE' if self.totals else ''} ({', '.join(self.keys)})" if self.keys else ""
        columns = ", ".join([*self.keys, "count(*) AS n"])
        return f"SELECT {columns} FROM t {'WHERE ' + asked if asked else ''} {by}"

    def group(self, cell: Mapping[str, str]) -> frozenset[int]:
        """The atoms of a cell, by place."""
        found = set()
        for place, atom in enumerate(ATOMS):
            held = dict(zip(VALUES, atom, strict=True))
            if all(held[name] in values for name, values in self.where) and all(held[k] == v for k, v in cell.items()):
                found.add(place)
        return frozenset(found)

    def told(self, table: str) -> Iterator[tuple[frozenset[int], int]]:
        """Sums of atoms that a table states; a group that is not listed has nobody in it."""
        shown = {tuple(row[k] for k in self.keys): row["n"] for row in csv.DictReader(io.StringIO(table))}
        for values in product(*([*VALUES[k], *(["All"] if self.totals else [])] for k in self.keys)):
            number = shown.get(values, "0")
            if number != "[c]":
                cell = {k: v for k, v in zip(self.keys, values, strict=True) if v != "All"}
                yield self.group(cell), int(number)


Told = Sequence[tuple[frozenset[int], int]]


def bounds(told: Told, most: int) -> list[tuple[int, int]] | None:
    """The least and most that each atom can be, by going through the sums until nothing changes; None for none."""
    low, high = [0] * len(ATOMS), [most] * len(ATOMS)
    changed = True
    while changed:
        changed = False
        for atoms, number in told:
            least, largest = sum(low[a] for a in atoms), sum(high[a] for a in atoms)
            if least > number or largest < number:
                return None
            for a in atoms:
                new_low, new_high = number - (largest - high[a]), number - (least - low[a])
                if new_low > low[a] or new_high < high[a]:
                    low[a], high[a], changed = max(low[a], new_low), min(high[a], new_high), True
                    least, largest = sum(low[b] for b in atoms), sum(high[b] for b in atoms)
    return list(zip(low, high, strict=True)) if all(x <= y for x, y in zip(low, high, strict=True)) else None


def possible(told: Told, most: int, *, steps: list[int]) -> bool:
    """Whether some whole numbers of people agree with everything told; the search splits the narrowest atom.

    Raises `GaveUpError`.
    """
    steps[0] += 1
    if steps[0] > STEPS:
        raise GaveUpError
    found = bounds(told, most)
    if found is None:
        return False
    open_ = [a for a, (low, high) in enumerate(found) if low < high]
    if not open_:
        return True
    narrow = min(open_, key=lambda a: found[a][1] - found[a][0])
    low, high = found[narrow]
    values = sorted(
        range(low, high + 1), key=lambda n: abs(2 * n - low - high)
    )  # from the middle: that leaves most open
    return any(possible([*told, (frozenset({narrow}), n)], most, steps=steps) for n in values)


def groups() -> Iterator[frozenset[int]]:
    """Every group that values of some attributes name."""
    everybody = Query(())
    for count in range(1, len(VALUES) + 1):
        for names in combinations(VALUES, count):
            for values in product(*(VALUES[name] for name in names)):
                yield everybody.group(dict(zip(names, values, strict=True)))


def recovered(told: Told, truth: Sequence[int]) -> list[tuple[frozenset[int], int]]:
    """Groups of too few people that a reader knows to be so: neither nobody nor the minimum is possible."""
    most, found = sum(truth), []
    for group in groups():
        number = sum(truth[a] for a in group)
        if 0 < number < MINIMUM:
            others = (0, *range(MINIMUM, most + 1))
            if not any(possible([*told, (group, n)], most, steps=[0]) for n in others):
                found.append((group, number))
    return found


def drawn(dice: random.Random) -> tuple[pa.Table, list[int]]:
    """A small world, and how many are of each atom: most groups have many, one or two nobody or few."""
    truth = [dice.choice((12, 16, 20, 25, 30, 40)) for _ in ATOMS]
    for few in dice.sample(range(len(ATOMS)), dice.randint(1, 2)):
        truth[few] = dice.choice((0, 4, 8))
    rows = [atom for atom, count in zip(ATOMS, truth, strict=True) for _ in range(count)]
    return people(*((n, *atom) for n, atom in enumerate(rows)), columns=" ".join(VALUES)), truth


def asked(dice: random.Random) -> Query:
    """A query by chance."""
    keys = tuple(dice.sample(list(VALUES), dice.randint(0, 2)))
    free = [name for name in VALUES if name not in keys]
    name = dice.choice(free)
    size = dice.randint(1, len(VALUES[name]) - 1)
    where = ((name, "".join(sorted(dice.sample(VALUES[name], size)))),) if dice.random() < 0.6 else ()
    return Query(keys, where, totals=bool(keys) and dice.random() < 0.3)


def left(world: World, query: Query) -> tuple[Lane, list[tuple[frozenset[int], int]]]:
    """The lane of a query, and what it tells once it has left at once."""
    report = world.checked(query.sql)
    if report.lane is not Lane.AUTOMATIC:
        return report.lane, []
    return report.lane, list(query.told((world.leave(report) / "table.csv").read_text(encoding="utf-8")))


@pytest.mark.parametrize("seed", range(12))
def test_nobody_is_found_in_what_left_at_once(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    table, truth = drawn(dice)
    service = Village(tmp_path, {"t": table})
    told, lanes = [], []
    for _ in range(6):
        lane, more = left(service.worlds[f"P-{dice.randint(1, 4)}"], asked(dice))
        lanes.append(lane)
        told += more
    service.close()
    assert Lane.AUTOMATIC in lanes, "nobody is found in nothing"
    assert recovered(told, truth) == []


def test_the_attacker_finds_what_is_there_to_be_found() -> None:
    truth = [12] * len(ATOMS)
    truth[0] = 4
    everything = [(group, sum(truth[a] for a in group)) for group in groups() if len(group) != 1]
    region = Query(("region", "sex", "age"))
    alone = [(region.group(dict(zip(VALUES, atom, strict=True))), n) for atom, n in zip(ATOMS, truth, strict=True)]
    assert (frozenset({0}), 4) in recovered([*everything, *alone[1:]], truth)
    assert recovered([(frozenset(range(len(ATOMS))), sum(truth))], truth) == []


@pytest.mark.parametrize("seed", range(8))
def test_no_order_of_two_lets_both_through_where_another_does_not(seed: int, tmp_path: Path) -> None:
    dice = random.Random(100 + seed)
    service = Village(tmp_path / "service", {"t": drawn(dice)[0]})
    one, other = asked(dice), asked(dice)
    both = []
    for number, order in enumerate([(one, other), (other, one)]):
        worlds = service.anew(tmp_path / str(number))
        lanes = [left(worlds[f"P-{place}"], query)[0] for place, query in enumerate(order, start=1)]
        both.append(lanes == [Lane.AUTOMATIC, Lane.AUTOMATIC])
    service.close()
    assert both[0] == both[1]


@pytest.mark.parametrize("seed", range(6))
def test_one_person_more_does_not_leave_silently(seed: int, tmp_path: Path) -> None:
    """What left before somebody came, and is asked again: the new one would be the difference."""
    dice = random.Random(200 + seed)
    table, _ = drawn(dice)
    service = Village(tmp_path, {"t": table})
    world, query = service.worlds["P-1"], asked(dice)
    lane, before = left(world, query)
    new = dice.choice(ATOMS)
    joined = pa.concat_tables([table, people((table.num_rows, *new), columns=" ".join(VALUES))])
    for each in service.worlds.values():
        each.provision("t", joined, release=2)
    for place in ("P-1", "P-2"):
        again, after = left(service.worlds[place], query)
        if lane is Lane.AUTOMATIC and again is Lane.AUTOMATIC:
            stood = dict(before)
            assert all(stood.get(group, number) == number for group, number in after), "one person is the difference"
    service.close()
