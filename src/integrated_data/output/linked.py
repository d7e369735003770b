"""Tables over the same rows taken together: what is withheld of one may not follow from another.

They are linked by their keys, and by keys that tell others: a table by district and one by region of the
same rows share their sums as a total does with its parts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import pyarrow as pa

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.output import Cell, Finding, Outcome, ReleaseLimits, Role
from integrated_data.model.proposal import Form
from integrated_data.output import rounding
from integrated_data.output.attack import Equation
from integrated_data.output.check import Checked
from integrated_data.output.measures import Amounts
from integrated_data.output.protect import CellId, Kin, Quantity, Tables, levels, withhold
from integrated_data.output.rounding import Counts
from integrated_data.output.shape import Shape
from integrated_data.output.table import Row

Run = Callable[[str], pa.Table]

#: Combinations of keys of linked tables beyond which it is not looked at which key tells which.
MOST_COMBINATIONS = 100_000

#: Rules of a cell that rounding its counts can satisfy.
ROUNDED_AWAY = frozenset({"minimum people"})


@dataclass(frozen=True)
class Rounding:
    """Counts are rounded to a base instead of being withheld; `additive`: so that the rounded table adds up."""

    base: int
    additive: bool = False


def cell_id(shape: Shape, cell: Cell) -> CellId:
    """A cell by the SQL of the keys that it keeps, so that tables share it."""
    kept = zip(shape.keys, cell.values, cell.total, strict=True)
    return frozenset((key, value) for key, value, total in kept if not total)


def hidden_by(form: Form) -> frozenset[CellId]:
    """The cells that a form names to be withheld for the sake of others."""
    return frozenset(frozenset((key, value) for key, value in cell) for cell in form.hidden)


def groups_of(tables: Sequence[Checked]) -> list[list[int]]:
    """Places of the tables that are over the same rows, group by group; those without a shape are in none."""
    groups: dict[str, list[int]] = {}
    for number, checked in enumerate(tables):
        if checked.shape is not None:
            groups.setdefault(checked.shape.base, []).append(number)
    return list(groups.values())


def protect(
    tables: Sequence[Checked], limits: ReleaseLimits, *, run: Run | None = None, rounded: Rounding | None = None,
    hidden: frozenset[CellId] = frozenset(),
) -> list[Checked]:  # fmt: skip
    """The same tables with what has to be withheld, or their counts rounded where that hides as much.

    `run` asks which keys of different tables tell each other; without it tables are linked by common keys alone.
    `hidden`: cells to withhold for the sake of others, where they are enough.
    """
    done = list(tables)
    for numbers in groups_of(tables):
        together = [tables[n] for n in numbers]
        kin = kinship(together, run)
        together = [_telling(checked, kin) for checked in together]
        if rounded is not None and (told := round_counts(together, kin, rounded=rounded, limits=limits)) is not None:
            for number, checked in zip(numbers, told, strict=True):
                done[number] = checked
            continue
        primary = primary_of(together)
        gone = withhold(tables_of(together, kin), primary, limits=limits, hidden=hidden) if primary else primary
        for number, checked in zip(numbers, together, strict=True):
            done[number] = _with_withheld(checked, gone, primary=primary)
    return done


def _telling(checked: Checked, kin: Kin) -> Checked:
    keys = checked.shape.keys if checked.shape is not None else ()
    return replace(checked, tells=tuple(sorted({*keys, *(other for key in keys for other in kin.get(key, {}))})))


def primary_of(together: Sequence[Checked]) -> frozenset[CellId]:
    """Cells of tables over the same rows that break a rule for which they are withheld."""
    return frozenset(_id_of(checked, cell) for checked in together for cell in unsafe_cells(checked))


def unsafe_cells(checked: Checked) -> list[Cell]:
    """Cells that break a rule for which they are withheld."""
    failing = checked.broken or {}
    return [c for c, rules in failing.items() if any(r.outcome is Outcome.WITHHOLD for r in rules)]


def tables_of(together: Sequence[Checked], kin: Kin) -> Tables:
    """Cells and sums of tables over the same rows, as the attacker sees them."""
    rows: dict[CellId, float] = {}
    measures: dict[str, dict[CellId, float]] = {}
    whole: dict[str, bool] = {}
    negative: set[str] = set()
    shown: set[CellId] = set()
    for checked in together:
        assert checked.shape is not None
        shown |= {_id_of(checked, row.cell) for row in checked.table.rows}
        for cell, known in checked.evidence[0].items():
            place = _id_of(checked, cell)
            rows[place] = float(known.rows)
            for measure, found in zip(checked.shape.measures, known.measures, strict=True):
                measures.setdefault(measure.sql, {})[place] = found.net
                whole[measure.sql] = measure.kind not in (Amounts.AMOUNT, Amounts.WEIGHT)
                if found.negative:
                    negative.add(measure.sql)
    quantities = [Quantity(rows, whole=True)]
    quantities += [Quantity(v, whole=whole[m], positive=m not in negative) for m, v in measures.items()]
    return Tables(tuple(rows), levels(rows, kin), tuple(quantities), unseen=frozenset(rows) - shown)


def kinship(together: Sequence[Checked], run: Run | None) -> Kin:
    """Which keys of these tables tell which others, over the rows that they are about."""
    shapes = [c.shape for c in together if c.shape is not None]
    keys = tuple(dict.fromkeys(key for shape in shapes for key in shape.keys))
    one = next((c for c in together if c.shape is not None and set(c.shape.keys) == set(keys)), None)
    if one is not None and one.shape is not None and one.members:
        return _kin(one.shape.keys, one.members[0].cells)
    if run is None or len(keys) < 2:
        return {}
    steps = f"WITH {shapes[0].steps} " if shapes[0].steps else ""
    shown = ", ".join(f"{key} AS k{n}" for n, key in enumerate(keys))
    try:
        found = run(f"{steps}SELECT DISTINCT {shown} {shapes[0].rows}")
    except QueryRefusal:
        return {}
    if found.num_rows > MOST_COMBINATIONS:
        return {}
    columns = [found.column(f"k{n}").to_pylist() for n in range(len(keys))]
    return _kin(keys, list(zip(*([None if v is None else str(v) for v in c] for c in columns), strict=True)))


def _kin(keys: Sequence[str], combinations: Sequence[tuple[str | None, ...]]) -> Kin:
    found: dict[str, dict[str, dict[str | None, str | None]]] = {}
    for fine, coarse in permutations(range(len(keys)), 2):
        tells: dict[str | None, str | None] = {}
        if all(tells.setdefault(c[fine], c[coarse]) == c[coarse] for c in combinations) and len(tells) > 1:
            found.setdefault(keys[fine], {})[keys[coarse]] = tells
    return found


def round_counts(
    together: Sequence[Checked], kin: Kin, *, rounded: Rounding, limits: ReleaseLimits
) -> list[Checked] | None:
    """Tables with their counts rounded; None where not all of it can be rounded, or the attacker could still tell."""
    counts = counts_of(together, kin, limits=limits)
    if counts is None or rounded.base % limits.rounding:
        return None
    told: dict[str, Mapping[CellId, int]] = {}
    for figure, one in counts.items():
        made = (rounding.controlled if rounded.additive else rounding.conventional)(one, rounded.base)
        if made is None or not rounding.hides(one, made, base=rounded.base, limits=limits):
            return None
        told[figure] = made
    return [_with_rounded(checked, told, rounded=rounded) for checked in together]


def counts_of(together: Sequence[Checked], kin: Kin, *, limits: ReleaseLimits) -> dict[str, Counts] | None:
    """The counts of tables over the same rows, by figure; None where they hold more than counts, or hide some cells."""
    values: dict[str, dict[CellId, int]] = {}
    unsafe: dict[str, set[CellId]] = {}
    for checked in together:
        shape = checked.shape
        broken = {rule.name for cell in unsafe_cells(checked) for rule in (checked.broken or {})[cell]}
        hidden = len(checked.table.rows) != len(checked.evidence[0])
        if shape is None or shape.parameters or shape.chosen.thresholded or hidden or not broken <= ROUNDED_AWAY:
            return None
        for place, column in enumerate(checked.table.columns):
            if column.role is not Role.FIGURE:
                continue
            if not column.count:
                return None
            if len(checked.table.rows) > rounding.MOST_CELLS:
                return None
            figure = _figure(shape, place)
            for row in checked.table.rows:
                held, cell = row.values[place], cell_id(shape, row.cell)
                values.setdefault(figure, {})[cell] = int(held) if isinstance(held, int | float) else 0
                behind = [known[row.cell] for known in checked.evidence]
                few = any(
                    min((e.people, *(e.measures[n].people for n in column.measures))) < limits.minimum_people
                    for e in behind
                )
                if few and held:
                    unsafe.setdefault(figure, set()).add(cell)
    return {
        figure: Counts(held, _sums_that_hold(held, kin), frozenset(unsafe.get(figure, ())))
        for figure, held in values.items()
    }


def _sums_that_hold(values: Mapping[CellId, int], kin: Kin) -> tuple[Equation[CellId], ...]:
    """Sums among counts; people who are in several cells are counted once in a total, which is no sum then."""
    return tuple(e for e in levels(values, kin) if values[e.total] == sum(values[part] for part in e.parts))


def _figure(shape: Shape, place: int) -> str:
    column = shape.columns[place]
    words = " ".join(shape.measures[n].sql for n in column.measures)
    return words if column.plain is not None else f"people of {words}"


def _with_rounded(checked: Checked, told: Mapping[str, Mapping[CellId, int]], *, rounded: Rounding) -> Checked:
    assert checked.shape is not None
    rows = []
    for row in checked.table.rows:
        values = list(row.values)
        for place, column in enumerate(checked.table.columns):
            if column.role is Role.FIGURE and values[place] is not None:
                values[place] = told[_figure(checked.shape, place)][cell_id(checked.shape, row.cell)]
        rows.append(Row(row.cell, tuple(values)))
    adds = ", such that they add up" if rounded.additive else ""
    reason = f"Counts are rounded to multiples of {rounded.base}{adds}, so that no cell has to be withheld"
    findings = (*checked.findings, Finding("rounding", Outcome.NOTE, reason, len(rows)))
    table = replace(checked.table, rows=tuple(rows))
    return replace(checked, table=table, findings=findings, rounded=rounded.base)


def _with_withheld(checked: Checked, hidden: frozenset[CellId], *, primary: frozenset[CellId]) -> Checked:
    ids = {row.cell: _id_of(checked, row.cell) for row in checked.table.rows}
    cells = frozenset(cell for cell, held in ids.items() if held in hidden)
    company = sum(1 for cell in cells if ids[cell] not in primary)
    findings = checked.findings
    if company:
        reason = "Withheld so that the cells that break a rule cannot be worked out from totals"
        findings += (Finding("secondary suppression", Outcome.WITHHOLD, reason, company),)
    if checked.table.rows and len(cells) == len(checked.table.rows):
        whole = any(all(cell.total) and ids[cell] in primary for cell in cells)
        reason = "The total of all breaks a rule itself: ask about more people, or for another figure"
        reason = reason if whole else "Every cell would be withheld; ask for coarser groups"
        findings += (Finding("nothing left", Outcome.REFUSE, reason, len(cells)),)
    if cells and checked.shape is not None and checked.shape.chosen.thresholded:
        reason = "Cells withheld are not listed: a condition on groups would tell how many are in them"
        shown = tuple(row for row in checked.table.rows if row.cell not in cells)
        findings += (Finding("condition on groups", Outcome.NOTE, reason, len(cells)),)
        return replace(checked, table=replace(checked.table, rows=shown), findings=findings)
    return replace(checked, withheld=cells, findings=findings)


def _id_of(checked: Checked, cell: Cell) -> CellId:
    assert checked.shape is not None
    return cell_id(checked.shape, cell)
