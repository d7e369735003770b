"""Pairs of an index's own records: which to compare after a delivery, and what they weigh.

Works on relations under one prefix:

    <work>_content       spot, print, cleaned fields: what records say
    <work>_current       record, source, turn, spot: the records as they stand (`turn`: see `basis.Basis`)
    <work>_moved         record, was, now: the source's records that say something else (spots; NULL: nothing)
    <work>_frequencies   see `basis.frequencies_sql`

Two records are compared when they share enough blocking keys that are not too common. A key is too
common when more records of one source have it than its definition allows; when a delivery makes one
too common, or rare again, the pairs of all who have it are looked at anew.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching import block, prepare, score
from integrated_data.index.matching.basis import Basis, with_kept_frequencies_sql
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.partition import Bools, Weighed
from integrated_data.vocabulary.sql import name, names, text

#: Log2 by which a pair's weight may fall short of the size of the index, and still be looked at.
REACH = 8.0

NO_FLOOR = -1e6

#: Pairs that are weighed at a time.
CHUNK = 8_000_000

#: Pairs, once for every key they share, that are counted together: more than memory holds are counted in turns.
SLICE = 30_000_000

#: Tables that are left behind.
TABLES = (
    "moved_content", "moved_keys", "turned", "touched", "touched_content", "wanted", "keys", "chosen", "weighing",
    "near", "pairs", "asked",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Pairs that were weighed, without a prior. Records by their own numbers; `turn`: whose model judged;
    `within`: both are of one source."""

    left: Ints
    right: Ints
    weight: Floats
    turn: Ints
    within: Ints

    def of(self, chosen: Bools) -> "Compared":
        """Those pairs alone."""
        return Compared(*(getattr(self, f)[chosen] for f in ("left", "right", "weight", "turn", "within")))

    def judged(self, basis: Basis) -> Weighed:
        """The same with what is likely before they are compared: log2 of the odds."""
        weight = self.weight.copy()
        for turn in np.unique(self.turn).tolist():
            for within in (0, 1):
                chosen = (self.turn == turn) & (self.within == within)
                weight[chosen] += basis.prior(turn, within=bool(within))
        return Weighed(self.left, self.right, weight)


def touch(engine: Engine, definition: MatchDefinition, *, source: str | None, work: str) -> None:
    """Make `<work>_touched` (record): those whose pairs must be looked for anew after a delivery of
    `source` (None: all), and `<work>_held`: keys (kind, key, record, mine) that are not too common, that two
    records have and a touched one of them, with all who have them; and `<work>_weighing`: what those say.

    Keys of the rivals' kind are held also where one record alone has them. One kind is looked at at a time.
    """
    if source is None:
        engine.create(f"{work}_touched", f"SELECT record FROM {name(f'{work}_current')}")
    else:
        _touch_moved(engine, definition, source=source, work=work)
    for kind, table in enumerate(_held_tables(definition, work)):
        wanted = None
        if source is not None:
            wanted = f"{work}_wanted"
            keys = block.keys_sql(definition, f"{work}_touched_content", number="spot", kinds=(kind,))
            engine.create(wanted, f"SELECT DISTINCT key FROM ({keys})")
        _keys(engine, definition, kind=kind, only=wanted, work=work)
        mine = "TRUE" if source is None else f"record IN (SELECT record FROM {name(f'{work}_touched')})"
        engine.create(
            table,
            f"SELECT key, record, {mine} AS mine FROM {name(f'{work}_keys')} "
            f"SEMI JOIN ({_live_sql(definition, kind, work=work)}) v USING (key)",
        )
    engine.drop(f"{work}_keys")
    tables = enumerate(_held_tables(definition, work))
    held = (f"SELECT {kind}::TINYINT AS kind, key, record, mine FROM {name(table)}" for kind, table in tables)
    engine.view(f"{work}_held", " UNION ALL ".join(held))
    _fields(engine, definition, records=f"SELECT record FROM {name(f'{work}_held')}", work=work)


def _held_tables(definition: MatchDefinition, work: str) -> tuple[str, ...]:
    return tuple(f"{work}_held_{kind}" for kind in range(len(definition.keys)))


def drop(engine: Engine, definition: MatchDefinition, *, work: str) -> None:
    """Let go of what `touch` and `compare` made."""
    engine.drop(*(f"{work}_{table}" for table in TABLES), *_held_tables(definition, work), f"{work}_held")


def _live_sql(definition: MatchDefinition, kind: int, *, work: str) -> str:
    """Keys of `<work>_keys` that are not too common, and that can make a pair (or show who has no rival)."""
    key, keys = definition.keys[kind], name(f"{work}_keys")
    rivals = definition.rivals is not None and definition.rivals.key == key.name
    shared = "" if rivals else f"SEMI JOIN (SELECT key FROM {keys} GROUP BY key HAVING count(*) > 1) s USING (key) "
    return (
        f"SELECT key FROM (SELECT key, source, count(*) AS n FROM {keys} {shared}GROUP BY key, source) "
        f"GROUP BY key HAVING max(n) <= {key.size}"
    )


def _touch_moved(engine: Engine, definition: MatchDefinition, *, source: str, work: str) -> None:
    """Table `<work>_touched`: records that say something else, and those who share a key that this made too
    common in their source, or rare again; and `<work>_touched_content`."""
    moved, current = name(f"{work}_moved"), name(f"{work}_current")
    turns = f"SELECT record, was AS spot, FALSE AS came FROM {moved} UNION ALL SELECT record, now, TRUE FROM {moved}"
    _content_of(engine, turns, which="moved", work=work)
    touched = [f"SELECT record FROM {moved} WHERE now IS NOT NULL"]
    for kind, key in enumerate(definition.keys):
        keys = block.keys_sql(definition, f"{work}_moved_content", number="spot", kinds=(kind,))
        engine.create(
            f"{work}_moved_keys",
            "SELECT key, count(*) FILTER (came) - count(*) FILTER (NOT came) AS gained FROM (SELECT DISTINCT k.key, "
            f"m.record, m.came FROM ({keys}) k JOIN ({turns}) m ON m.spot = k.number) GROUP BY key",
        )
        _keys(engine, definition, kind=kind, only=f"{work}_moved_keys", work=work, source=source)
        held = f"SELECT key, count(*) AS n FROM {name(f'{work}_keys')} GROUP BY key"
        engine.create(
            f"{work}_turned",
            f"SELECT key FROM {name(f'{work}_moved_keys')} m LEFT JOIN ({held}) s USING (key) WHERE "
            f"(coalesce(s.n, 0) <= {key.size}) <> (coalesce(s.n, 0) - m.gained <= {key.size})",
        )
        if _count(engine, f"{work}_turned"):
            _keys(engine, definition, kind=kind, only=f"{work}_turned", work=work)
            engine.create(f"{work}_turned_{kind}", f"SELECT DISTINCT record FROM {name(f'{work}_keys')}")
            touched.append(f"SELECT record FROM {name(f'{work}_turned_{kind}')}")
    engine.create(f"{work}_touched", " UNION ".join(touched))
    engine.drop(*(f"{work}_turned_{kind}" for kind in range(len(definition.keys))))
    spots = f"SELECT spot FROM {current} SEMI JOIN {name(f'{work}_touched')} USING (record)"
    _content_of(engine, spots, which="touched", work=work)


def _content_of(engine: Engine, spots: str, *, which: str, work: str) -> None:
    engine.create(
        f"{work}_{which}_content",
        f"SELECT c.* FROM {name(f'{work}_content')} c SEMI JOIN ({spots}) s ON s.spot = c.spot",
    )


def _keys(
    engine: Engine, definition: MatchDefinition, *, kind: int, only: str | None, work: str, source: str | None = None
) -> None:
    """Table `<work>_keys` (key, record, source): keys of one kind of the records as they stand, or those in
    `only`, or of that source."""
    keys = block.keys_sql(definition, f"{work}_content", number="spot", kinds=(kind,))
    among = "" if only is None else f"SEMI JOIN {name(only)} o ON o.key = k.key"
    each = "DISTINCT " if definition.keys[kind].each else ""
    theirs = "" if source is None else f" WHERE c.source = {text(source)}"
    engine.create(
        f"{work}_keys",
        f"SELECT {each}k.key, c.record, c.source FROM (SELECT * FROM ({keys}) k {among}) k "
        f"JOIN {name(f'{work}_current')} c ON c.spot = k.number{theirs}",
    )


def compare(engine: Engine, definition: MatchDefinition, *, basis: Basis, work: str) -> Compared:
    """Weigh all pairs of a touched record (see `touch`) that share enough keys."""
    met = [f"{work}_met_{kind}" for kind in range(len(definition.keys))]
    for held, table in zip(_held_tables(definition, work), met, strict=True):
        engine.create(
            table,
            "SELECT least(a.record, b.record) AS record, greatest(a.record, b.record) AS entity "
            f"FROM {name(held)} a JOIN {name(held)} b ON b.key = a.key WHERE a.mine AND b.record <> a.record "
            "AND (b.record > a.record OR NOT b.mine)",
        )
    floor = float(np.log2(basis.among)) - REACH
    slices, parts = sum(_count(engine, table) for table in met) // SLICE + 1, []
    for number in range(slices):
        every = " UNION ALL ".join(
            f"SELECT record, entity FROM {name(table)} WHERE record % {slices} = {number}" for table in met
        )
        near = f"SELECT record, entity FROM ({every}) GROUP BY ALL HAVING count(*) >= {basis.least}"
        engine.create(f"{work}_near", near)
        parts += _chunked(engine, definition, basis=basis, floor=floor, slices=slices, work=work)
    engine.drop(*met, f"{work}_near")
    return _together(parts)


def _chunked(
    engine: Engine, definition: MatchDefinition, *, basis: Basis, floor: float, slices: int, work: str
) -> list[pa.Table]:
    """Weights of `<work>_near`, one slice of so many, a chunk of pairs at a time."""
    chunks, parts = _count(engine, f"{work}_near") // CHUNK + 1, []
    for chunk in range(chunks):
        own = f"SELECT record, entity FROM {name(f'{work}_near')} WHERE (record // {slices}) % {chunks} = {chunk}"
        engine.create(f"{work}_pairs", own)
        parts += _weighed(engine, definition, basis=basis, floor=floor, work=work)
    return parts


def compare_these(
    engine: Engine, definition: MatchDefinition, *, basis: Basis, pairs: tuple[Ints, Ints], work: str
) -> Compared:
    """Weigh these pairs of records, whatever keys they share."""
    table = pa.table({"record": np.minimum(*pairs), "entity": np.maximum(*pairs)})
    engine.load(f"{work}_asked", Held(table))
    engine.create(f"{work}_pairs", f"SELECT * FROM {name(f'{work}_asked')}")
    both = f"SELECT record FROM {name(f'{work}_asked')} UNION ALL SELECT entity FROM {name(f'{work}_asked')}"
    _fields(engine, definition, records=both, work=work)
    return _together(_weighed(engine, definition, basis=basis, floor=NO_FLOOR, work=work))


def _fields(engine: Engine, definition: MatchDefinition, *, records: str, work: str) -> None:
    """Table `<work>_weighing`: records with their source's turn, fields and kept frequencies."""
    fields = names(prepare.kept(definition))
    engine.create(
        f"{work}_chosen",
        f"SELECT c.record, c.record AS form, c.record AS entity, c.source, c.turn, {fields} "
        f"FROM (SELECT * FROM {name(f'{work}_current')} SEMI JOIN ({records}) r USING (record)) c "
        f"JOIN {name(f'{work}_content')} s ON s.spot = c.spot",
    )
    kept = with_kept_frequencies_sql(definition, f"{work}_chosen", frequencies=f"{work}_frequencies")
    engine.create(f"{work}_weighing", kept)
    engine.drop(f"{work}_chosen")


def _weighed(engine: Engine, definition: MatchDefinition, *, basis: Basis, floor: float, work: str) -> list[pa.Table]:
    """Weights of `<work>_pairs`, a table for each model that judges some of them."""
    weighing = name(f"{work}_weighing")
    sources = engine.rows(f"SELECT DISTINCT source, turn FROM {weighing}").to_pylist()
    both = (
        f"SELECT p.record, p.entity, greatest(l.turn, r.turn) AS turn, l.source = r.source AS within "
        f"FROM {name(f'{work}_pairs')} p JOIN {weighing} l ON l.record = p.record JOIN {weighing} r "
        "ON r.record = p.entity"
    )
    if len(sources) == 1:  # nothing to look up
        both = f"SELECT *, {sources[0]['turn']} AS turn, TRUE AS within FROM {name(f'{work}_pairs')}"
    engine.create(f"{work}_chosen", both)
    kinds = engine.rows(f"SELECT DISTINCT turn, within FROM {name(f'{work}_chosen')} ORDER BY ALL").to_pylist()
    silent = score.silent(engine, definition, records=f"{work}_weighing")
    parts = []
    for kind in kinds:
        turn, within = kind["turn"], kind["within"]
        engine.create(
            f"{work}_pairs",
            f"SELECT record, entity FROM {name(f'{work}_chosen')} WHERE turn = {turn} AND within = {within}",
        )
        relations = score.Relations(f"{work}_pairs", f"{work}_weighing", f"{work}_weighing")
        nothing = (*silent, *basis.numbering(turn)) if within else silent
        scored = score.scored_sql(
            definition, basis.model(turn, definition), among=basis.among, floor=floor,
            compared=score.compared_sql(definition, relations, silent=nothing),
        )  # fmt: skip
        parts.append(
            engine.rows(f"SELECT record, entity, weight, {turn} AS turn, {int(within)} AS within FROM ({scored})")
        )
    engine.drop(f"{work}_chosen")
    return parts


def _together(parts: list[pa.Table]) -> Compared:
    def column(which: str) -> Ints:
        found = [part.column(which).to_numpy().astype(np.int64) for part in parts]
        return np.concatenate([np.zeros(0, np.int64), *found])

    weight = np.concatenate([np.zeros(0), *(part.column("weight").to_numpy().astype(np.float64) for part in parts)])
    return Compared(column("record"), column("entity"), weight, column("turn"), column("within"))


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)}").column("n")[0].as_py())
