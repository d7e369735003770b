"""A regrouping tried out before any query is run: who is behind each cell is known, so cells can be merged here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from integrated_data.model.output import Cell, Outcome, ReleaseLimits, Role, Value, View
from integrated_data.output.check import Checked, judge, shape_of
from integrated_data.output.evidence import evidence
from integrated_data.output.members import Members
from integrated_data.output.recode import recoded
from integrated_data.output.regroup import Groups, Safe, Way
from integrated_data.output.shape import Shape
from integrated_data.output.table import Row, Table
from integrated_data.output.table_rules import Drawn
from integrated_data.output.tree import Unproven


@dataclass(frozen=True)
class Tried:
    """A table as it would be under a regrouping. `sql`: the query that would make it; `unsafe`: names of its
    groups with a cell that breaks a rule, whatever the other keys are.
    """

    checked: Checked
    sql: str
    unsafe: frozenset[str]


def regrouped(
    checked: Checked, sql: str, *, key: str, names: Mapping[str, str], views: Mapping[str, View],
    limits: ReleaseLimits,
) -> Tried | None:  # fmt: skip
    """The table with values of one key merged; None where the query cannot be written that way."""
    assert checked.shape is not None
    made = recoded(sql, key, names=names, views=views)
    if made is None:
        return None
    try:
        shape = shape_of(made, views)
    except Unproven:
        return None
    place = checked.shape.keys.index(key)
    if shape.quantiles:  # not known from the people of the merged cells
        return None
    if len(shape.keys) != len(checked.shape.keys) or shape.sets != checked.shape.sets:
        return None
    members = [_merged(held, place, names=names) for held in checked.members]
    behind = [evidence(held, shape, limits=limits) for held in members]
    table = _table(shape, behind[0])
    drawn = Drawn(table, tuple(behind), sample=shape.sample, chosen=shape.chosen)
    again = judge(checked.query, drawn, shape=shape, members=members, limits=limits)
    return Tried(again, made, unsafe_values(again, place))


def unsafe_values(checked: Checked, place: int) -> frozenset[str]:
    """Values of a key with a cell that breaks a rule, cells of other keys' missing values left out."""
    return frozenset(
        value
        for cell, rules in (checked.broken or {}).items()
        if not cell.total[place] and any(rule.outcome is Outcome.WITHHOLD for rule in rules)
        if all(v is not None or t for v, t in zip(cell.values, cell.total, strict=True))
        if (value := cell.values[place]) is not None
    )


def mass_of(checked: Checked, place: int) -> dict[str, float]:
    """Rows of each value of a key, in the finest cells of the table that keep it."""
    found: dict[str, float] = {}
    for cell in finest(checked):
        value = cell.values[place]
        if not cell.total[place] and value is not None:
            found[value] = found.get(value, 0.0) + checked.evidence[0][cell].rows
    return found


def finest(checked: Checked) -> list[Cell]:
    """The cells of the levels that no other level of the table refines."""
    assert checked.shape is not None
    sets = [set(kept) for kept in checked.shape.sets]
    keys = range(len(checked.shape.keys))
    most = {tuple(n not in kept for n in keys) for kept in sets if not any(kept < other for other in sets)}
    return [cell for cell in checked.evidence[0] if cell.total in most]


def predicted(tables: Sequence[Checked], key: str, *, unsafe: Iterable[str], limits: ReleaseLimits) -> Safe:
    """Whether a group of values would have enough people in every cell, as far as sums over its values can tell."""
    alone = frozenset(unsafe)
    column: dict[str, int] = {}
    people: dict[tuple[object, ...], dict[int, tuple[int, int]]] = {}
    for number, checked in enumerate(tables):
        assert checked.shape is not None
        place = checked.shape.keys.index(key)
        for unit, known in enumerate(checked.evidence):
            for cell, behind in known.items():
                value = cell.values[place]
                if cell.total[place] or value is None:
                    continue
                rest = tuple(v for n, v in enumerate(cell.values) if n != place)
                others = (number, unit, cell.total, rest)
                if all(v is not None or t for v, t in zip(cell.values, cell.total, strict=True)):
                    at = column.setdefault(value, len(column))
                    people.setdefault(others, {})[at] = (behind.people, behind.contributors)
    counts = np.zeros((2, len(people), len(column)), np.int64)
    for row, held in enumerate(people.values()):
        for at, (counted, everybody) in held.items():
            counts[:, row, at] = counted, everybody

    def safe(group: tuple[str, ...]) -> bool:
        if len(group) == 1:
            return group[0] not in alone
        counted, everybody = counts[:, :, [column[v] for v in group if v in column]].sum(axis=2)
        return not bool(np.any((everybody > 0) & (counted < limits.minimum_people)))

    return safe


def names_of(groups: Groups, way: Way) -> dict[str, tuple[str, ...]]:
    """The groups by what they are called."""
    return {way.names.get(group[0], group[0]): group for group in groups}


def _merged(members: Members, place: int, *, names: Mapping[str, str]) -> Members:
    cells = tuple(
        tuple(names.get(v, v) if n == place and v is not None else v for n, v in enumerate(cell))
        for cell in members.cells
    )
    made = replace(members, cells=cells)
    made.__dict__["person"] = members.person  # the same people: told once
    return made


def _table(shape: Shape, behind: Mapping[Cell, object]) -> Table:
    """The cells as a table without its figures, which nobody has computed yet."""
    rows = []
    for cell in behind:
        values: list[Value] = [
            cell.values[c.key] if c.key is not None else (None if c.role is Role.FIGURE else "") for c in shape.columns
        ]
        rows.append(Row(cell, tuple(values)))
    return Table(shape.columns, tuple(rows))
