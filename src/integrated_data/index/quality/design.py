"""The clerical sample of a link set: its frame, its strata, how many cases from each, which ones.

The frame is every record, linked or not. Strata are the band of the probability and the method.
Half of the cases are drawn from linked records, where precision is decided, and half from the rest,
where what was missed lies; within each half by Neyman's allocation (1934) with the spread that the
probabilities themselves foretell, and some from every stratum. Which records are drawn follows from
the seed alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.link import NO_EVIDENCE
from integrated_data.model.linkage import PROVISIONAL, Band
from integrated_data.model.review import Draw
from integrated_data.vocabulary.sql import name, names, text

#: Method where a record holds nothing to match on: no sample can find its entity.
NOTHING = NO_EVIDENCE

#: Where the bands of probability within linked records begin, and within those left to a person.
_LINKED_FROM = (0.999, 0.99, 0.95)
_CLERICAL_FROM = (0.75, 0.5, 0.25)

#: No stratum's cases are taken to be surer than this: the probabilities are what is being tested.
SUREST = 0.98

#: A record's candidate in the index; one known from deliveries alone is none.
_CANDIDATE = f"CASE WHEN NOT starts_with(coalesce(l.method, ''), {text(PROVISIONAL)}) THEN l.candidate_id END"

FRAME = ("record", "stratum", "linked", "entity_id", "candidate_id", "probability", "method", "tenth")


@dataclass(frozen=True)
class Stratum:
    """Records that are sampled together. `expected`: mean probability of their best candidate."""

    name: str
    linked: bool
    units: int
    expected: float


def linked_sql(alias: str = "l") -> str:
    """Condition that a link finds an entity of the index, not one made from deliveries alone."""
    return f"({alias}.band = {text(Band.ACCEPT)} AND NOT starts_with({alias}.method, {text(PROVISIONAL)}))"


def frame_sql(links: str, *, groups: str | None = None, columns: Sequence[str] = ()) -> str:
    """The frame: one row per record of a link table, with FRAME and the group columns.

    `groups`: relation with `record` and the text columns `columns`.
    """
    linked = linked_sql()
    carried = f", {names(columns)}" if columns else ""
    joined = f" LEFT JOIN {name(groups)} g ON g.record = l.record_id" if groups is not None and columns else ""
    return (
        f"SELECT l.record_id AS record, {_stratum_sql(linked)} AS stratum, {linked} AS linked, "
        f"CASE WHEN {linked} THEN l.entity_id END AS entity_id, {_CANDIDATE} AS candidate_id, l.probability, l.method, "
        f"CASE WHEN {linked} OR {_CANDIDATE} IS NOT NULL THEN least(floor(l.probability * 10), 9)::INTEGER END "
        f"AS tenth{carried} FROM {name(links)} l{joined}"
    )


def _stratum_sql(linked: str) -> str:
    """Names sort by probability within linked and unlinked, so that neighbours are alike."""
    sure = " ".join(f"WHEN l.probability >= {p} THEN '{p} and more'" for p in _LINKED_FROM)
    doubtful = " ".join(f"WHEN l.probability >= {p} THEN '{p} and more'" for p in _CLERICAL_FROM)
    return (
        f"CASE WHEN l.method = {text(NOTHING)} THEN {text(NOTHING)} "
        f"WHEN {linked} THEN 'linked, ' || CASE {sure} ELSE '0 and more' END || ', ' || l.method "
        f"WHEN {_CANDIDATE} IS NOT NULL THEN 'clerical, ' || CASE {doubtful} ELSE '0.1 and more' END "
        "WHEN l.probability > 0 AND l.entity_id IS NULL THEN 'unlinked, an unlikely candidate' "
        "ELSE 'unlinked, no candidate' END"
    )


def strata(engine: Engine, frame: str) -> list[Stratum]:
    """The strata of a frame that can be sampled, by name."""
    table = engine.rows(
        f"SELECT stratum, linked, count(*) AS units, avg(probability) AS expected FROM {name(frame)} "
        f"WHERE stratum <> {text(NOTHING)} GROUP BY ALL ORDER BY ALL"
    )
    return [Stratum(r["stratum"], r["linked"], r["units"], r["expected"]) for r in table.to_pylist()]


def allocate(found: Sequence[Stratum], size: int) -> dict[str, int]:
    """Cases per stratum: half of `size` for each side, by Neyman within it, some from every stratum."""
    sides = [[s for s in found if s.linked], [s for s in found if not s.linked]]
    held = [sum(s.units for s in side) for side in sides]
    half = min(held[0], max(size - size // 2, size - held[1]))
    return _neyman(sides[0], half) | _neyman(sides[1], min(held[1], size - half))


def _neyman(side: Sequence[Stratum], size: int) -> dict[str, int]:
    if not side:
        return {}
    least = max(1, size // (3 * len(side)))
    cases = {s.name: min(s.units, least) for s in side}
    spread = {s.name: s.units * _deviation(s.expected) for s in side}
    left = size - sum(cases.values())
    while left > 0:
        short = [s for s in side if cases[s.name] < s.units]
        if not short:
            break
        wanted = max(short, key=lambda s: (spread[s.name] ** 2 / (cases[s.name] * (cases[s.name] + 1)), s.name))
        cases[wanted.name] += 1
        left -= 1
    return cases


def _deviation(expected: float) -> float:
    share = min(max(expected, 1.0 - SUREST), SUREST)
    return float((share * (1.0 - share)) ** 0.5)


def draw(engine: Engine, frame: str, *, cases: Mapping[str, int], how: Draw, out: str) -> None:
    """Make table `out`: `number` (from 1, in an order that tells nothing), `record`, `stratum`, `twice`."""
    chosen = f"{out}_cases"
    engine.load(chosen, Held(_table(cases)))
    ranked = (
        f"SELECT f.record, f.stratum, row_number() OVER (PARTITION BY f.stratum ORDER BY {_lot('draw', how)}, "
        f"f.record) AS place FROM {name(frame)} f WHERE f.stratum <> {text(NOTHING)}"
    )
    engine.create(
        out,
        f"SELECT row_number() OVER (ORDER BY {_lot('order', how)}, f.record) AS number, f.record, f.stratum, "
        f"row_number() OVER (ORDER BY {_lot('twice', how)}, f.record) <= ceil({how.double!r} * count(*) OVER ()) "
        f"AS twice FROM ({ranked}) f JOIN {name(chosen)} c ON c.stratum = f.stratum WHERE f.place <= c.cases",
    )
    engine.drop(chosen)


def _lot(purpose: str, how: Draw) -> str:
    """An order by chance that the seed and the record decide, on any engine and machine."""
    return f"md5({text(f'{how.seed}/{purpose}/')} || f.record::VARCHAR)"


def _table(cases: Mapping[str, int]) -> pa.Table:
    return pa.table(
        {"stratum": pa.array(list(cases), pa.string()), "cases": pa.array(list(cases.values()), pa.int64())}
    )
