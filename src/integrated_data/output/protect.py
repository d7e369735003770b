"""Which cells to withhold so that those that must be hidden stay hidden.

Primary: the cells that break a rule. Secondary: the cells that the cheapest ways of hiding those go through
(`hiding.py`), and then the smallest, until the attacker (`attack.py`) can confine no primary cell to within its
margin: the minimum number of people for counts, the p-ratio for amounts. The attacker is the judge; the
choice of cells before it is only a good first guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from integrated_data.model.output import ReleaseLimits
from integrated_data.output.attack import Equation, intervals
from integrated_data.output.hiding import Flows

#: Primary cells times further ones beyond which it is not tried whether some of those are needless.
MOST_TRIALS = 100

#: Unsafe cells times all cells beyond which the cheapest ways of hiding are not sought: the smallest cells do.
MOST_FLOWS = 400_000

#: A cell of a group of tables: which keys it keeps (their SQL) and their values.
CellId = frozenset[tuple[str, str | None]]


@dataclass(frozen=True)
class Quantity:
    """One additive quantity over all cells. `margin`: how near a reader may come, by the value."""

    values: Mapping[CellId, float]
    whole: bool
    positive: bool = True

    def margin(self, cell: CellId, limits: ReleaseLimits) -> float:
        """What must lie between a withheld value and the ends of what a reader can compute."""
        return float(limits.minimum_people) if self.whole else limits.p_ratio * abs(self.values[cell])


@dataclass(frozen=True)
class Tables:
    """Tables over the same people's rows: their cells, and the sums among them.

    `quantities`: the rows of each cell first (the cost of withholding it), then every measure.
    `unseen`: cells that the tables do not show, so that a reader does not know them either.
    """

    cells: tuple[CellId, ...]
    equations: tuple[Equation[CellId], ...]
    quantities: tuple[Quantity, ...]
    unseen: frozenset[CellId] = frozenset()


class Optimiser(Protocol):
    """Another way to choose which cells to withhold."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def __call__(
        self, tables: Tables, primary: frozenset[CellId], limits: ReleaseLimits, /
    ) -> frozenset[CellId] | None:
        """The cells to withhold, the primary ones among them; None where it has nothing to say. The attacker judges."""
        ...


#: Which key tells which other, and how: for a district its region. By the keys' SQL, then by value.
Kin = Mapping[str, Mapping[str, Mapping[str | None, str | None]]]


def levels(cells: Iterable[CellId], kin: Kin | None = None) -> tuple[Equation[CellId], ...]:
    """The sums among cells: each total over the cells of the next finer levels that refine it.

    A level refines another that keeps some of its keys, or keys that its own tell (`kin`).
    """
    kin = kin or {}
    by_keys: dict[frozenset[str], list[CellId]] = {}
    for cell in sorted(cells, key=order):
        by_keys.setdefault(frozenset(key for key, _ in cell), []).append(cell)
    told = {keys: keys.union(*(kin.get(key, {}) for key in keys)) for keys in by_keys}
    finer = {(c, f) for c in by_keys for f in by_keys if c != f and c <= told[f]}
    equations = []
    for coarse, fine in sorted(finer, key=lambda pair: [sorted(keys) for keys in pair]):
        if any(
            (coarse, b) in finer and (b, fine) in finer and (b, coarse) not in finer and (fine, b) not in finer
            for b in by_keys
        ):
            continue
        parts: dict[CellId, list[CellId]] = {}
        for cell in by_keys[fine]:
            parts.setdefault(_coarser(cell, coarse, kin=kin), []).append(cell)
        equations += [Equation(total, tuple(parts.get(total, ()))) for total in by_keys[coarse]]
    return tuple(equations)


def _coarser(cell: CellId, keys: frozenset[str], *, kin: Kin) -> CellId:
    """The cell of a coarser level that a cell belongs to."""
    held = dict(cell)
    tells = {coarse: to[value] for key, value in cell for coarse, to in kin.get(key, {}).items() if value in to}
    return frozenset((key, held[key] if key in held else tells.get(key)) for key in keys)


def order(cell: CellId) -> tuple[tuple[str, str], ...]:
    """A fixed order of cells, whatever order they came in."""
    return tuple(sorted((key, "" if value is None else f"={value}") for key, value in cell))


def withhold(
    tables: Tables, primary: frozenset[CellId], *, limits: ReleaseLimits, hidden: frozenset[CellId] = frozenset()
) -> frozenset[CellId]:
    """The cells to withhold: the primary ones and what it takes to hide them.

    Those of `hidden`, where they are enough. To withhold more never narrows an interval, so a cell that is hidden
    once stays hidden.
    """
    withheld = set(primary | tables.unseen)
    wished = hidden.intersection(tables.cells) | withheld
    if hidden and not exposed_cells(tables, primary, withheld=wished, limits=limits):
        return wished
    if len(primary) * len(tables.cells) * len(tables.quantities) <= MOST_FLOWS:
        _along_flows(tables, primary, withheld=withheld, limits=limits)
    else:
        _give_company(tables, withheld)
    open_ = primary
    while exposed := exposed_cells(tables, open_, withheld=frozenset(withheld), limits=limits):
        chosen = _cheapest(tables, exposed[0], withheld=withheld)
        if chosen is None:
            return frozenset(tables.cells)  # nothing left to hide it behind
        withheld.add(chosen)
        _give_company(tables, withheld)
        open_ = frozenset(exposed)
    return _without_the_needless(tables, primary, withheld=withheld, limits=limits)


def _along_flows(tables: Tables, primary: frozenset[CellId], *, withheld: set[CellId], limits: ReleaseLimits) -> None:
    """Withhold what the cheapest way of hiding each primary cell goes through, the largest first."""
    rows = tables.quantities[0].values
    for quantity in tables.quantities:
        values = {cell: quantity.values[cell] for cell in sorted(quantity.values, key=order)}
        sums = [e for e in tables.equations if all(c in values for c in (e.total, *e.parts))]
        if not sums:
            continue
        flows = Flows(values, sums, cost=rows, positive=quantity.positive)
        for cell in sorted((c for c in primary if values.get(c)), key=lambda c: (-abs(values[c]), order(c))):
            margin = quantity.margin(cell, limits)
            for by in (margin, -min(margin, values[cell]) if quantity.positive else -margin):
                if by:
                    withheld.update(flows.through(cell, by, free=withheld))


def _without_the_needless(
    tables: Tables, primary: frozenset[CellId], *, withheld: set[CellId], limits: ReleaseLimits
) -> frozenset[CellId]:
    """The same without cells that nothing is hidden behind any more, the dearest first; of small tables only."""
    company = withheld - primary - tables.unseen
    if len(primary) * len(company) > MOST_TRIALS:
        return frozenset(withheld)
    rows = tables.quantities[0].values
    for cell in sorted(company, key=lambda c: (-rows[c], order(c))):
        if not exposed_cells(tables, primary, withheld=frozenset(withheld - {cell}), limits=limits):
            withheld.discard(cell)
    return frozenset(withheld)


def exposed_cells(
    tables: Tables, primary: frozenset[CellId], *, withheld: frozenset[CellId], limits: ReleaseLimits
) -> list[CellId]:
    """Primary cells that the attacker confines to within the margin, in a fixed order."""
    near: set[CellId] = set()
    for quantity in tables.quantities:
        values = quantity.values
        wanted = sorted((cell for cell in primary - near if values.get(cell)), key=order)
        sums = [e for e in tables.equations if all(c in values for c in (e.total, *e.parts))]
        found = intervals(values, sums, withheld=withheld, wanted=wanted, positive=quantity.positive)
        near.update(c for c in wanted if not found[c].hides(values[c], quantity.margin(c, limits)))
    return sorted(near, key=order)


def _give_company(tables: Tables, withheld: set[CellId]) -> None:
    """No sum may hold exactly one withheld cell: it would be the difference of the others."""
    again = True
    while again:
        again = False
        for equation in tables.equations:
            members = (equation.total, *equation.parts)
            hidden = [cell for cell in members if cell in withheld]
            if len(hidden) == 1 and (chosen := _smallest(tables, members, withheld=withheld)) is not None:
                withheld.add(chosen)
                again = True


def _cheapest(tables: Tables, cell: CellId, *, withheld: set[CellId]) -> CellId | None:
    """The smallest published cell in a sum with this one, or with what hides it; else any."""
    reach, seen = {cell}, 0
    while len(reach) != seen:
        seen = len(reach)
        near = [m for e in tables.equations if reach & {e.total, *e.parts} for m in (e.total, *e.parts)]
        chosen = _smallest(tables, near, withheld=withheld)
        if chosen is not None:
            return chosen
        reach |= set(near)
    return _smallest(tables, tables.cells, withheld=withheld)


def _smallest(tables: Tables, among: Sequence[CellId], *, withheld: set[CellId]) -> CellId | None:
    rows = tables.quantities[0].values
    open_ = [cell for cell in among if cell not in withheld and rows[cell] > 0]
    return min(open_, key=lambda c: (rows[c], order(c)), default=None)
