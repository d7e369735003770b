"""Codes of one version of a classification for those of another, as a correspondence file gives them.

A source whose rows have codes of two versions says how one goes over to the other: with a column of weights
as much as it says, else each row counts one. Shares of the old code hold one way alone; counts hold both.
"""

from pathlib import Path

from integrated_data.engine import Engine, Stored
from integrated_data.index.reference.crosswalk import Crosswalk, same_sql, shared_sql
from integrated_data.index.reference.schemes import SCHEMES, Scheme, scheme_of
from integrated_data.index.seat import Addition
from integrated_data.model.errors import IndexRefusal
from integrated_data.vocabulary.sql import name, text

EMPTY = (
    "'' AS from_scheme, '' AS from_code, '' AS to_scheme, '' AS to_code, 0.0::DOUBLE AS weight, FALSE AS counted, "
    "'' AS source"
)
#: What the weights of a crosswalk count.
GIVEN, ROWS = "weights as delivered", "rows of the correspondence"
#: Headings of a column of weights.
_WEIGHTS = ("weight", "share", "proportion", "probability", "count", "people", "employment")


def said_sql(engine: Engine, addition: Addition, *, work: str) -> str:
    """The file: what this source says of two versions, and what others said before.

    Reads `<work>_told` (record_id, family, scheme, code) and `<work>_old_correspondences`.
    """
    weight = next((c for c in engine.columns(addition.records) if c.lower() in _WEIGHTS), None)
    size = f"try_cast(r.{name(weight)} AS DOUBLE)" if weight else "NULL::DOUBLE"
    joined = f"JOIN {name(addition.records)} AS r ON r.record_id = a.record_id" if weight else ""
    order = ", ".join(f"{text(s.name)}: {place}" for place, s in enumerate(SCHEMES))
    newer = f"MAP {{{order}}}[a.scheme] > MAP {{{order}}}[b.scheme]"
    pairs = (
        "SELECT a.scheme AS from_scheme, a.code AS from_code, b.scheme AS to_scheme, b.code AS to_code, "
        f"{size} AS size "
        f"FROM {work}_told AS a JOIN {work}_told AS b ON b.record_id = a.record_id AND b.family = a.family "
        f"AND {newer} {joined}"
    )
    return (
        "SELECT from_scheme, from_code, to_scheme, to_code, CASE WHEN count(size) = 0 THEN count(*)::DOUBLE "
        f"ELSE sum(size) END AS weight, count(size) = 0 AS counted, {text(addition.source)} AS source FROM ({pairs}) "
        f"GROUP BY ALL UNION ALL SELECT * FROM {work}_old_correspondences WHERE source <> {text(addition.source)}"
    )


def crosswalk(engine: Engine, folder: Path, *, asked: Crosswalk, relation: str) -> str:
    """Make table `relation` (from_code, to_code, weight) between two versions; returns what its weights count.

    Refuses where no correspondence was loaded, or where one holds the other way alone.
    """
    source, target = _scheme(asked.source), _scheme(asked.target)
    engine.load(f"{relation}_codes", Stored((folder / "codes.parquet",)))
    engine.load(f"{relation}_known", Stored((folder / "correspondences.parquet",)))
    try:
        if source == target:
            codes = f"SELECT code FROM {relation}_codes WHERE scheme = {text(source.name)}"
            engine.create(relation, same_sql(codes))
            return "identity"
        forward = _pairs_sql(f"{relation}_known", first=source, second=target, ends=("from", "to"))
        backward = _pairs_sql(f"{relation}_known", first=target, second=source, ends=("to", "from"))
        for pairs, turned in ((forward, False), (backward, True)):
            facts = engine.rows(f"SELECT count(*) AS n, bool_and(counted) AS counted FROM ({pairs})").to_pylist()[0]
            if not facts["n"]:
                continue
            if turned and not facts["counted"] and _are_shares(engine, backward):
                raise IndexRefusal(
                    f"There is no crosswalk from {source.name} to {target.name}",
                    why="The correspondence that was loaded says what shares of a code went the other way",
                    next_step="Load a correspondence for this direction, or one with counts",
                )
            engine.create(relation, shared_sql(pairs))
            return ROWS if facts["counted"] else GIVEN
        raise IndexRefusal(
            f"There is no crosswalk from {source.name} to {target.name}",
            why=f"No correspondence between them was loaded; {_held(engine, f'{relation}_known')}",
            next_step="Load a file whose rows have codes of both: ids reference load classification FILE --source NAME",
        )
    finally:
        engine.drop(f"{relation}_codes", f"{relation}_known")


def _scheme(asked: str) -> Scheme:
    found = scheme_of(asked)
    if found is None:
        known = ", ".join(s.name for s in SCHEMES)
        raise IndexRefusal("That is no classification the index knows", next_step=f"Choose from: {known}")
    return found


def _pairs_sql(known: str, *, first: Scheme, second: Scheme, ends: tuple[str, str]) -> str:
    """from_code, to_code, size, counted of correspondences stored from `first` to `second`, in the asked direction."""
    stored = dict(zip(ends, ("from_code", "to_code"), strict=True))
    return (
        f"SELECT {stored['from']} AS from_code, {stored['to']} AS to_code, weight AS size, counted FROM {known} "
        f"WHERE from_scheme = {text(first.name)} AND to_scheme = {text(second.name)}"
    )


def _are_shares(engine: Engine, turned: str) -> bool:
    """Whether weights sum to one within each old code (the `to_code` of pairs that are turned round)."""
    sums = f"SELECT sum(size) AS whole FROM ({turned}) GROUP BY to_code"
    return bool(engine.rows(f"SELECT coalesce(bool_and(abs(whole - 1) < 0.01), FALSE) AS all FROM ({sums})")["all"][0])


def _held(engine: Engine, known: str) -> str:
    rows = engine.rows(f"SELECT DISTINCT from_scheme AS a, to_scheme AS b FROM {known} ORDER BY ALL").to_pylist()
    held = ", ".join(f"{r['a']} to {r['b']}" for r in rows)
    return f"there are: {held}" if held else "there is none"
