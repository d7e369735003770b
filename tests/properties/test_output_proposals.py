"""Whatever is accepted, nothing unsafe is told: rounding against trying all tables, regrouping against counting."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.model.output import ReleaseLimits
from integrated_data.output.protect import CellId, levels
from integrated_data.output.regroup import loss, neighbours, ordered, smallest, under_parents, ways
from integrated_data.output.rounding import BASES, Counts, controlled, conventional, hides, known, nearest

CODES = [a + b + c for a in "12" for b in "12" for c in "12"]
LIMITS = ReleaseLimits(minimum_people=3)

tables = st.dictionaries(st.tuples(st.sampled_from("xy"), st.sampled_from("pq")), st.integers(1, 30), min_size=2)


def cells_of(counts: dict[tuple[str, ...], int]) -> dict[CellId, int]:
    """Counts by two keys with every total."""
    cells: dict[CellId, int] = {}
    for (a, b), count in counts.items():
        for keep_a, keep_b in product((True, False), repeat=2):
            cell = frozenset(([("a", a)] if keep_a else []) + ([("b", b)] if keep_b else []))
            cells[cell] = cells.get(cell, 0) + count
    return cells


def counts_of(drawn: dict[tuple[str, ...], int]) -> Counts:
    cells = cells_of(drawn)
    unsafe = frozenset(c for c, n in cells.items() if n < LIMITS.minimum_people)
    return Counts(cells, levels(cells), unsafe)


def readings(counts: Counts, told: dict[CellId, int], base: int) -> list[dict[CellId, int]]:
    """Every table of whole numbers that would be told so, found by trying all."""
    inner = [c for c in counts.values if len(c) == 2]
    choices = [range(max(0, told[c] - base), told[c] + base + 1) for c in inner]
    found = []
    for values in product(*choices):
        guess = dict(zip(inner, values, strict=True))
        full = {c: sum(n for i, n in guess.items() if c <= i) for c in counts.values}
        if all(nearest(n, base) == told[c] for c, n in full.items()):
            found.append(full)
    return found


@settings(max_examples=25, deadline=None)
@given(tables)
def test_what_is_rounded_far_enough_cannot_be_worked_out(drawn: dict[tuple[str, ...], int]) -> None:
    counts = counts_of(drawn)
    base = next((b for b in (5, 10, 20) if hides(counts, conventional(counts, b), base=b, limits=LIMITS)), None)
    if base is None or base > 10:
        return  # too many tables to try all
    told = conventional(counts, base)
    everything = readings(counts, told, base)
    for cell in counts.unsafe:
        seen = {reading[cell] for reading in everything}
        truth = counts.values[cell]
        assert truth in seen
        assert min(seen) <= max(0, truth - LIMITS.minimum_people)
        assert max(seen) >= truth + LIMITS.minimum_people


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from(BASES[:6]))
def test_a_controlled_rounding_adds_up_and_stays_within_a_base(drawn: dict[tuple[str, ...], int], base: int) -> None:
    counts = counts_of(drawn)
    told = controlled(counts, base)
    if told is None:
        return
    for equation in counts.equations:
        assert told[equation.total] == sum(told[part] for part in equation.parts)
    for cell, value in counts.values.items():
        assert told[cell] % base == 0
        assert abs(told[cell] - value) < base
        low, high = known(value, told[cell], base=base)
        assert low <= value <= high
        assert cell not in counts.unsafe or told[cell] <= value


ages = st.dictionaries(st.integers(16, 60).map(str), st.integers(1, 12), min_size=2, max_size=12)


@settings(max_examples=100, deadline=None)
@given(ages)
def test_neighbours_are_merged_at_the_least_loss(drawn: dict[str, int]) -> None:
    mass = {v: float(n) for v, n in drawn.items()}
    line = ordered(list(drawn))
    assert line is not None

    def safe(group: tuple[str, ...]) -> bool:
        return sum(drawn[v] for v in group) >= 10

    groups = neighbours(line, mass, safe=safe)
    cuts = [
        tuple(tuple(line[a:b]) for a, b in zip((0, *at), (*at, len(line)), strict=True))
        for at in (tuple(n + 1 for n, cut in enumerate(c) if cut) for c in product((0, 1), repeat=len(line) - 1))
    ]
    every = [cut for cut in cuts if all(safe(run) for run in cut)]
    assert (groups is None) == (not every)
    if groups is not None:
        assert [v for group in groups for v in group] == line
        assert all(safe(group) for group in groups)
        assert loss(groups, mass) <= min(loss(cut, mass) for cut in every) + 1e-9


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([a + b + c for a in "12" for b in "12" for c in "12"]), st.integers(1, 12), min_size=2
    )
)
def test_every_way_keeps_every_value_once_and_is_safe(drawn: dict[str, int]) -> None:
    mass = {v: float(n) for v, n in drawn.items()}

    def safe(group: tuple[str, ...]) -> bool:
        return sum(drawn[v] for v in group) >= 10

    found = [way.groups for way in ways(sorted(drawn), mass, safe=safe)]
    tree, few = under_parents(sorted(drawn), safe=safe), smallest(sorted(drawn), mass, safe=safe)
    for groups in [*found, *([tuple(tree.values())] if tree else []), *([few] if few else [])]:
        assert sorted(v for group in groups for v in group) == sorted(drawn)
        assert all(safe(group) for group in groups)
