"""Records of a source that does not number them: a file's rows are known again by what they say.

A row that says what a record of the source said before is that record, in whatever row it stands now. Of the
others, one that is matched surely to the entity of a record that is not said any more is that record, with
something changed. The rest are new, under numbers that were never used.
"""

from dataclasses import replace

from integrated_data.engine import Engine
from integrated_data.index import link
from integrated_data.index.matching import prepare, train
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.sources import Source
from integrated_data.index.store import Version
from integrated_data.model.linkage import Band
from integrated_data.vocabulary.sql import name, text

WORK = "renumber"

_TABLES = ("clean", "told", "mine", "same", "rest", "links", "changed", "known", "map")

#: The relations that `renumbered` makes.
RENUMBERED, MET = f"{WORK}_records", f"{WORK}_met"


def renumbered(
    engine: Engine, trainer: train.Trainer, *, definition: MatchDefinition, previous: Version, source: Source
) -> Source:
    """The source with the numbers by which `previous` knows its records: tables RENUMBERED, and MET where it has
    some."""
    try:
        _told(engine, definition, source=source)
        _mine(engine, previous, source=source)
        by_content = "PARTITION BY print ORDER BY try_cast(record_id AS BIGINT), record_id"
        turns = f"SELECT *, row_number() OVER ({by_content}) AS turn FROM "
        engine.create(
            f"{WORK}_same",
            f"SELECT t.record_id, m.record_id AS known FROM ({turns}{WORK}_told) AS t "
            f"JOIN ({turns}{WORK}_mine) AS m ON m.print = t.print AND m.turn = t.turn",
        )
        _changed(engine, trainer, previous=previous, source=source)
        last = f"(SELECT coalesce(max(try_cast(record_id AS BIGINT)), -1) FROM {WORK}_known)"
        engine.create(
            f"{WORK}_map",
            f"SELECT t.record_id, coalesce(s.known, ({last} + row_number() OVER (PARTITION BY s.known IS NULL "
            f"ORDER BY try_cast(t.record_id AS BIGINT), t.record_id))::VARCHAR) AS known "
            f"FROM {WORK}_told AS t LEFT JOIN (SELECT record_id, known FROM {WORK}_same UNION ALL "
            f"SELECT record_id, known FROM {WORK}_changed) AS s ON s.record_id = t.record_id",
        )
        _rename(engine, source.records, out=RENUMBERED)
        if source.met is not None:
            _rename(engine, source.met, out=MET)
        return replace(source, records=RENUMBERED, met=MET if source.met is not None else None)
    finally:
        engine.drop(*(f"{WORK}_{table}" for table in _TABLES))


def _rename(engine: Engine, relation: str, *, out: str) -> None:
    engine.create(
        out,
        f"SELECT r.* REPLACE (m.known AS record_id) FROM {name(relation)} AS r "
        f"JOIN {WORK}_map AS m ON m.record_id = r.record_id::VARCHAR",
    )


def _told(engine: Engine, definition: MatchDefinition, *, source: Source) -> None:
    """Table of what rows say now: record_id, print."""
    link.clean(engine, definition, records=source.records, out=f"{WORK}_clean")
    engine.create(
        f"{WORK}_told",
        f"SELECT record_id::VARCHAR AS record_id, {prepare.print_sql(definition)} AS print FROM {WORK}_clean",
    )


def _mine(engine: Engine, previous: Version, *, source: Source) -> None:
    """Tables of what the source's records say in the version before (record_id, print, entity_id), and of every
    number it ever used."""
    work = f"{WORK}_old"
    previous.load(engine, work)
    own = f"r.source = {text(source.name)}"
    engine.create(
        f"{WORK}_mine",
        f"SELECT r.record_id, f.print, e.entity_id FROM {work}_records AS r JOIN {work}_forms AS f ON f.form = r.form "
        f"JOIN {work}_entities AS e ON e.entity = r.entity WHERE {own}",
    )
    engine.create(
        f"{WORK}_known",
        f"SELECT r.record_id FROM {work}_records AS r WHERE {own} UNION SELECT r.record_id FROM {work}_former AS r "
        f"WHERE {own} UNION SELECT r.record_id FROM {work}_attributes AS r WHERE {own}",
    )
    previous.unload(engine, work)


def _changed(engine: Engine, trainer: train.Trainer, *, previous: Version, source: Source) -> None:
    """Table of rows that say something else of an entity of which a record is not said any more: each the one."""
    engine.create(
        f"{WORK}_rest",
        f"SELECT * FROM {name(source.records)} AS r WHERE r.record_id::VARCHAR NOT IN (SELECT record_id FROM "
        f"{WORK}_same)",
    )
    left = f"SELECT record_id, entity_id FROM {WORK}_mine WHERE record_id NOT IN (SELECT known FROM {WORK}_same)"
    basis = previous.basis()
    turn = basis.turn(source.name)
    request = link.Request(
        f"{WORK}_rest", f"{WORK}_links", model=basis.model(turn, previous.definition), context=False, learns=False
    )
    link.match(engine, trainer, version=previous, request=request)
    engine.create(
        f"{WORK}_changed",
        f"SELECT l.record_id::VARCHAR AS record_id, m.record_id AS known FROM {WORK}_links AS l JOIN ({left}) AS m "
        f"ON m.entity_id = l.entity_id WHERE l.band = {text(Band.ACCEPT)} QUALIFY row_number() OVER "
        "(PARTITION BY m.record_id ORDER BY l.probability DESC, l.record_id) = 1 AND row_number() OVER "
        "(PARTITION BY l.record_id ORDER BY m.record_id) = 1",
    )
