"""What would make an unsafe request safe, with the least loss first: withholding, rounding, regrouping.

Each is tried out against the rules and the attacker before it is proposed, and is checked anew when its
author accepts it. The loss of all three is on one scale (`model.output.Proposal`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.output import Cell, Outcome, ReleaseLimits, Role, View
from integrated_data.model.proposal import Form, Proposal
from integrated_data.output.check import Checked, Run
from integrated_data.output.linked import (
    Rounding,
    groups_of,
    kinship,
    primary_of,
    protect,
    tables_of,
    unsafe_cells,
)
from integrated_data.output.protect import CellId, Optimiser, exposed_cells, order
from integrated_data.output.regroup import Way, by_parents, loss, ways
from integrated_data.output.rounding import BASES
from integrated_data.output.shape import Shape
from integrated_data.output.trial import (
    Tried,
    finest,
    mass_of,
    names_of,
    predicted,
    regrouped,
    unsafe_values,
)
from integrated_data.vocabulary.areas import LEVELS, level_and_year
from integrated_data.vocabulary.sql import name

#: Times that groups which turn out unsafe are left out and others tried.
ROUNDS = 5

#: Entries of people beyond which no regrouping is tried out: every trial goes over all of them.
MOST_ENTRIES = 2_000_000


@dataclass(frozen=True)
class Draft:
    """What is to be made safe: tables as they were checked and as they are protected, their queries in order.

    `optimiser`: another way to choose which cells to withhold.
    """

    checked: Sequence[Checked]
    protected: Sequence[Checked]
    sql: Sequence[str]
    views: Mapping[str, View]
    limits: ReleaseLimits
    run: Run
    optimiser: Optimiser | None = None


def propose(draft: Draft) -> tuple[Proposal, ...]:
    """Ways of making a request safe, least loss first; none where no cell breaks a rule."""
    if not any(unsafe_cells(c) for c in draft.checked):
        return ()
    draft = replace(draft, run=cache(draft.run))  # which key tells which is asked for every trial
    found = [*_withholding(draft), *_optimised(draft), *_roundings(draft), *_regroupings(draft)]
    return tuple(sorted(found, key=lambda p: (p.loss, p.id)))


def _withholding(draft: Draft) -> Iterator[Proposal]:
    if not _refused(draft.protected):
        yield _proposal(
            "withhold", "Cells withheld, with those that would tell them", draft=draft, tables=draft.protected
        )


def _optimised(draft: Draft) -> Iterator[Proposal]:
    """Cells withheld as another optimiser chooses them, where the attacker finds that enough and it is not the same."""
    if draft.optimiser is None:
        return
    hidden: set[CellId] = set()
    for numbers in groups_of(draft.checked):
        together = [draft.checked[n] for n in numbers]
        tables, primary = tables_of(together, kinship(together, draft.run)), primary_of(together)
        chosen = draft.optimiser(tables, primary, draft.limits) if primary else primary
        if chosen is None or exposed_cells(tables, primary, withheld=chosen, limits=draft.limits):
            continue
        hidden |= chosen - primary
    if not hidden:
        return
    form = Form(hidden=tuple(tuple(sorted(cell, key=lambda part: part[0])) for cell in sorted(hidden, key=order)))
    protected = protect(draft.checked, draft.limits, run=draft.run, hidden=frozenset(hidden))
    if not _refused(protected) and [c.withheld for c in protected] != [c.withheld for c in draft.protected]:
        what = f"Cells withheld as {draft.optimiser.name} chooses them"
        yield _proposal("withhold-optimal", what, draft=draft, tables=protected, form=form)


def _roundings(draft: Draft) -> Iterator[Proposal]:
    proven = [c for c in draft.checked if c.shape is not None]
    if not all(column.count for c in proven for column in c.table.columns if column.role is Role.FIGURE):
        return
    enough = 0
    for additive in (False, True):
        for base in [base for base in BASES if base >= enough]:
            rounded = Rounding(base, additive)
            tables = protect(draft.checked, draft.limits, run=draft.run, rounded=rounded)
            if not any(c.withheld for c in tables) and any(c.rounded for c in tables):
                what = f"Counts rounded to multiples of {base}" + (", so that they add up" if additive else "")
                form = Form(rounding=base, additive=additive)
                mark = "round-additive" if additive else "round"
                yield _proposal(
                    mark, what, draft=draft, tables=tables, form=form, lost=_rounded_by(draft.checked, tables)
                )
                enough = base
                break
        else:
            return


def _rounded_by(before: Sequence[Checked], after: Sequence[Checked]) -> list[float]:
    """What the counts of each table's finest cells are rounded by, as people."""
    lost = []
    for one, other in zip(before, after, strict=True):
        places = [n for n, c in enumerate(one.table.columns) if c.role is Role.FIGURE]
        cells = set(finest(one)) if one.shape is not None else set()
        by = [
            abs(float(a.values[n] or 0) - float(b.values[n] or 0))  # counts, or nothing
            for a, b in zip(one.table.rows, other.table.rows, strict=True) if a.cell in cells for n in places
        ]  # fmt: skip
        lost.append(sum(by) / max(1, len(places)))
    return lost


def _regroupings(draft: Draft) -> Iterator[Proposal]:
    entries = sum(len(m.unit) for c in draft.checked for m in c.members)
    if entries > MOST_ENTRIES:
        return
    for numbers in groups_of(draft.checked):
        keys = dict.fromkeys(key for n in numbers for key in _shape(draft.checked[n]).keys)
        for key in keys:
            with_key = [n for n in numbers if key in _shape(draft.checked[n]).keys]
            if any(draft.checked[n].estimate is not None for n in with_key):
                continue
            yield from _of_key(draft, key, numbers=with_key)


def _of_key(draft: Draft, key: str, *, numbers: Sequence[int]) -> Iterator[Proposal]:
    """Regroupings of one key, in every table that has it."""
    tables = [draft.checked[n] for n in numbers]
    place = _shape(tables[0]).keys.index(key)
    called = _shape(tables[0]).key_names[place]
    unsafe = frozenset().union(*(unsafe_values(c, _shape(c).keys.index(key)) for c in tables))
    if not unsafe:
        return
    mass: dict[str, float] = {}
    for checked in tables:
        for value, rows in mass_of(checked, _shape(checked).keys.index(key)).items():
            mass[value] = mass.get(value, 0.0) + rows
    chosen = [
        *_safe_ways(draft, key, numbers=numbers, mass=mass, unsafe=unsafe),
        *_parents(draft, key, checked=tables[0], mass=mass),
    ]
    for number, (way, tried) in enumerate(chosen):
        done = list(draft.checked)
        for n, one in zip(numbers, tried, strict=True):
            done[n] = one.checked
        protected = protect(done, draft.limits, run=draft.run if len(done) > 1 else None)
        if _refused(protected):
            continue
        merged = [0.0] * len(done)
        for n in numbers:
            own = mass_of(draft.checked[n], _shape(draft.checked[n]).keys.index(key))
            merged[n] = loss(tuple(tuple(v for v in g if v in own) for g in way.groups if set(g) & set(own)), own)
        form = Form(sql={draft.checked[n].query: one.sql for n, one in zip(numbers, tried, strict=True)})
        what = f"{called}: {way.how}, {len(mass)} values to {len(way.groups)}"
        mark = f"regroup-{called}" + (f"-{number + 1}" if number else "")
        yield _proposal(mark, what, draft=draft, tables=protected, form=form, lost=merged)


def _safe_ways(
    draft: Draft, key: str, *, numbers: Sequence[int], mass: Mapping[str, float], unsafe: frozenset[str]
) -> list[tuple[Way, list[Tried]]]:
    """Ways of merging values of a key after which none of their cells breaks a rule, found by trying."""
    hopeful = predicted([draft.checked[n] for n in numbers], key, unsafe=unsafe, limits=draft.limits)
    forbidden: set[tuple[str, ...]] = set()
    found: dict[str, tuple[Way, list[Tried]]] = {}

    def safe(group: tuple[str, ...]) -> bool:
        return group not in forbidden and hopeful(group)

    for _ in range(ROUNDS):
        left = [way for way in ways(sorted(mass), mass, safe=safe) if way.how not in found]
        for way in left:
            tried = _tried(draft, key, numbers=numbers, names=way.names)
            if tried is None:
                return []
            named = names_of(way.groups, way)
            bad = {named[n] for one in tried for n in one.unsafe if n in named}
            forbidden |= bad
            if not bad:
                found[way.how] = (way, tried)
        if not left:
            break
    return list(found.values())


def _parents(
    draft: Draft, key: str, *, checked: Checked, mass: Mapping[str, float]
) -> Iterator[tuple[Way, list[Tried]]]:
    """The key's areas merged into those that they belong to, as another column of the same view tells."""
    numbers = [n for n, c in enumerate(draft.checked) if c.shape is not None and key in c.shape.keys]
    for parents in _told_parents(draft, key, checked=checked):
        if len(set(parents.values())) < len(mass) and set(mass) <= set(parents):
            way = by_parents({child: parents[child] for child in mass})
            tried = _tried(draft, key, numbers=numbers, names=way.names)
            if tried is not None and not any(one.unsafe for one in tried):
                yield way, tried
                return


def _told_parents(draft: Draft, key: str, *, checked: Checked) -> Iterator[dict[str, str]]:
    """For each coarser level of areas beside this column, from the finest, the area that each of its areas is in."""
    shape = _shape(checked)
    column = key.replace('"', "").rpartition(".")[2]
    level, year = level_and_year(column)
    order = list(LEVELS)
    if level is None or len(shape.tables) != 1:
        return
    coarser = [
        (order.index(other), c)
        for c in draft.views[shape.tables[0]].columns
        for other, at in [level_and_year(c)]
        if other is not None and order.index(other) > order.index(level) and (at is None or at == year)
    ]
    for _, parent in sorted(coarser):
        sql = (
            f"SELECT CAST({name(column)} AS VARCHAR) AS child, min(CAST({name(parent)} AS VARCHAR)) AS parent, "
            f"count(DISTINCT {name(parent)}) AS n FROM {name(shape.tables[0])} "
            f"WHERE {name(column)} IS NOT NULL GROUP BY 1"
        )
        try:
            rows = draft.run(sql).to_pylist()
        except QueryRefusal:
            continue
        if all(row["n"] == 1 for row in rows):
            yield {row["child"]: row["parent"] for row in rows}


def _tried(draft: Draft, key: str, *, numbers: Sequence[int], names: Mapping[str, str]) -> list[Tried] | None:
    found = [
        regrouped(draft.checked[n], draft.sql[n], key=key, names=names, views=draft.views, limits=draft.limits)
        for n in numbers
    ]
    made = [one for one in found if one is not None]
    return made if len(made) == len(found) else None


def _proposal(
    mark: str, what: str, *, draft: Draft, tables: Sequence[Checked], form: Form | None = None,
    lost: Sequence[float] = (),
) -> Proposal:  # fmt: skip
    """A proposal with its loss: what is lost by its own way, and what it withholds besides."""
    people = gone = 0.0
    for n, (before, after) in enumerate(zip(draft.checked, tables, strict=True)):
        if before.shape is None:
            continue
        people += sum(before.evidence[0][cell].rows for cell in finest(before))
        hidden: list[Cell] = [cell for cell in finest(after) if cell in after.withheld]
        gone += (lost[n] if lost else 0.0) + sum(after.evidence[0][cell].rows for cell in hidden)
    withheld, cells = sum(len(c.withheld) for c in tables), sum(len(c.table.rows) for c in tables)
    review = any(f.outcome is Outcome.REVIEW for c in tables for f in c.findings)
    share = min(1.0, gone / people) if people else 1.0
    return Proposal(mark, what, round(share, 6), cells - withheld, withheld, review, form or Form())


def _refused(tables: Sequence[Checked]) -> bool:
    return any(f.outcome is Outcome.REFUSE for c in tables for f in c.findings)


def _shape(checked: Checked) -> Shape:
    assert checked.shape is not None
    return checked.shape
