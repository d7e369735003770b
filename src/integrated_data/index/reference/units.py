"""Which statistical unit a legal unit belongs to, and since when.

Business statistics count enterprises, not legal units: one enterprise stands for one or several legal
units, and enterprises under common control form an enterprise group (Council Regulation (EEC) 696/93).
A register source that names the enterprise of each row makes dated edges of them. A row holds for the
quarter it names, else from and to its own dates, else from the day it was recorded until the source says
otherwise. A quarter that is delivered again replaces what the source said of that quarter, and no other;
dates delivered again replace all dates of the source. Nothing is deleted: what was said stays, with the
day on which the service learned otherwise.

    units.parquet        unit_id, level, source, reference (the source's number), recorded_from
    memberships.parquet  member_id (a legal unit's entity_id, or an enterprise's unit_id), unit_id, level (of
                         the unit), source, how (quarter, dates, undated), valid_from, valid_to (last day;
                         NULL: until further notice), recorded_from, recorded_to
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.life import new_ids
from integrated_data.index.reference.ledger import Loading
from integrated_data.model.linkage import EntityEvent
from integrated_data.vocabulary import quarters
from integrated_data.vocabulary.sql import name, text

FILES = ("units", "memberships")
ENTERPRISE, GROUP = "enterprise", "enterprise group"

_EMPTY = {
    "units": "0::BIGINT AS unit_id, '' AS level, '' AS source, '' AS reference, '' AS recorded_from",
    "memberships": "0::BIGINT AS member_id, 0::BIGINT AS unit_id, '' AS level, '' AS source, '' AS how, "
    "NULL::DATE AS valid_from, NULL::DATE AS valid_to, '' AS recorded_from, NULL::VARCHAR AS recorded_to",
}

_KEY = "member_id, unit_id, level, how, valid_from, valid_to"


@dataclass(frozen=True)
class Delivered:
    """A source on its way into a version. `records`: what it delivers; `map`: its `record_id` to `entity_id`."""

    source: str
    records: str
    map: str
    recorded_at: str


def record(engine: Engine, loading: Loading) -> dict[str, int]:
    """Write units and memberships of the new version; counts what the source says of them (see `add`).

    What an absorbed entity belonged to, the entity that stands for it belongs to.
    """
    work, source = loading.work, loading.source
    old, out = f"{work}_past", f"{work}_new"
    load(engine, loading.previous.folder if loading.previous else None, prefix=old)
    counts = add(engine, Delivered(source.name, source.records, f"{work}_map", source.recorded_at), old=old, out=out)
    absorbed = f"SELECT entity_id, other_id FROM {work}_life_turns WHERE event = {text(EntityEvent.ABSORBED)}"
    engine.create(
        f"{out}_memberships",
        f"SELECT m.* REPLACE (coalesce(t.other_id, m.member_id) AS member_id) FROM {out}_memberships AS m "
        f"LEFT JOIN ({absorbed}) AS t ON t.entity_id = m.member_id",
    )
    for file in FILES:
        engine.save(f"SELECT * FROM {out}_{file}", loading.folder / f"{file}.parquet", sealed=True)
    engine.drop(*(f"{prefix}_{file}" for prefix in (old, out) for file in FILES))
    return counts


def load(engine: Engine, folder: Path | None, *, prefix: str) -> None:
    """Views `<prefix>_units` and `<prefix>_memberships` of a version; empty ones where it has none."""
    for file, columns in _EMPTY.items():
        place = folder / f"{file}.parquet" if folder else None
        if place is not None and place.exists():
            engine.load(f"{prefix}_{file}", Stored((place,)))
        else:
            engine.view(f"{prefix}_{file}", f"SELECT {columns} WHERE FALSE")


def add(engine: Engine, delivered: Delivered, *, old: str, out: str) -> dict[str, int]:
    """Tables `<out>_units` and `<out>_memberships`: those under prefix `old` with what a source delivers.

    Counts: `edges` said now, and `in_two_units`: members that the source puts into two units at one time.
    """
    said, source, at = f"{out}_said", text(delivered.source), text(delivered.recorded_at)
    columns = engine.columns(delivered.records)
    if not {"statistical_unit", "statistical_group"} & set(columns):
        for file in FILES:
            engine.create(f"{out}_{file}", f"SELECT * FROM {old}_{file}")
        return {}
    engine.create(f"{out}_read", _read_sql(delivered, set(columns)))
    _number(engine, delivered, old=old, out=out)
    engine.create(said, _edges_sql(out))
    mine = f"o.source = {source} AND o.recorded_to IS NULL"
    again = f"SELECT 1 FROM {said} AS s WHERE " + " AND ".join(
        f"s.{c} IS NOT DISTINCT FROM o.{c}" for c in _KEY.split(", ") if c != "valid_from"
    ) + " AND (s.valid_from IS NOT DISTINCT FROM o.valid_from OR o.how = 'undated')"  # fmt: skip
    spoken = (
        f"(o.how = 'quarter' AND o.valid_from IN (SELECT valid_from FROM {said} WHERE how = 'quarter')) "
        f"OR (o.how <> 'quarter' AND o.how IN (SELECT how FROM {said}))"
    )
    engine.create(
        f"{out}_over",
        f"SELECT o.* FROM {old}_memberships AS o WHERE {mine} AND ({spoken}) AND NOT EXISTS ({again})",
    )
    before = f"({at}::TIMESTAMP::DATE - 1)"
    kept = f"SELECT 1 FROM {old}_memberships AS o WHERE {mine} AND " + " AND ".join(
        f"o.{c} IS NOT DISTINCT FROM s.{c}" for c in _KEY.split(", ") if c != "valid_from"
    ) + " AND (o.valid_from IS NOT DISTINCT FROM s.valid_from OR o.how = 'undated')"  # fmt: skip
    engine.create(
        f"{out}_memberships",
        f"SELECT o.* REPLACE (CASE WHEN v.member_id IS NULL THEN o.recorded_to ELSE {at} END AS recorded_to) "
        f"FROM {old}_memberships AS o LEFT JOIN (SELECT *, TRUE AS over FROM {out}_over) AS v ON v.source = o.source "
        "AND v.recorded_from = o.recorded_from AND o.recorded_to IS NULL AND "
        + " AND ".join(f"v.{c} IS NOT DISTINCT FROM o.{c}" for c in _KEY.split(", "))
        + f" UNION ALL SELECT {_KEY.replace('level,', f'level, {source} AS source,')}, {at}, NULL FROM {said} AS s "
        f"WHERE NOT EXISTS ({kept}) UNION ALL "
        f"SELECT member_id, unit_id, level, source, 'ended', valid_from, {before}, {at}, NULL FROM {out}_over "
        f"WHERE how = 'undated' AND valid_from <= {before}",
    )
    counts = engine.rows(
        f"SELECT (SELECT count(*) FROM {said}) AS edges, (SELECT count(DISTINCT a.member_id) FROM {said} AS a "
        f"JOIN {said} AS b ON b.member_id = a.member_id AND b.level = a.level AND b.unit_id > a.unit_id "
        "AND a.valid_from <= coalesce(b.valid_to, DATE '9999-12-31') "
        "AND b.valid_from <= coalesce(a.valid_to, DATE '9999-12-31')) AS in_two_units"
    ).to_pylist()[0]
    engine.drop(f"{out}_read", said, f"{out}_over", f"{out}_fresh")
    return {kind: int(n) for kind, n in counts.items()}


def _read_sql(delivered: Delivered, columns: set[str]) -> str:
    """Rows of entity_id, enterprise, grouping (references, or NULL), how, valid_from, valid_to."""

    def given(column: str) -> str:
        return f"r.{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR"

    def reference(column: str) -> str:
        return f"nullif(upper(regexp_replace({given(column)}, '\\s', '', 'g')), '')"

    first = quarters.first_day_sql(given("quarter"))
    start, end = (f"try_cast({given(c)} AS DATE)" for c in ("effective_from", "effective_to"))
    day = f"{text(delivered.recorded_at)}::TIMESTAMP::DATE"
    return f"""
        SELECT DISTINCT m.entity_id, {reference("statistical_unit")} AS enterprise,
               {reference("statistical_group")} AS grouping,
               CASE WHEN {first} IS NOT NULL THEN 'quarter' WHEN {start} IS NOT NULL OR {end} IS NOT NULL THEN 'dates'
                    ELSE 'undated' END AS how,
               coalesce({first}, {start}, CASE WHEN {end} IS NULL THEN {day} ELSE DATE '1000-01-01' END) AS valid_from,
               CASE WHEN {first} IS NOT NULL THEN {quarters.last_day_sql(first)} ELSE {end} END AS valid_to
        FROM {name(delivered.records)} AS r JOIN {delivered.map} AS m ON m.record_id = r.record_id::VARCHAR"""


def _number(engine: Engine, delivered: Delivered, *, old: str, out: str) -> None:
    """Table `<out>_units`: the units of before, and a new one for every reference that is new to its source."""
    named = (
        f"SELECT DISTINCT {text(ENTERPRISE)} AS level, enterprise AS reference FROM {out}_read "
        "WHERE enterprise IS NOT NULL "
        f"UNION SELECT DISTINCT {text(GROUP)}, grouping FROM {out}_read WHERE grouping IS NOT NULL"
    )
    known = f"SELECT level, reference FROM {old}_units WHERE source = {text(delivered.source)}"
    fresh = engine.rows(f"SELECT * FROM ({named}) EXCEPT {known} ORDER BY level, reference")
    taken = engine.rows(f"SELECT unit_id FROM {old}_units")["unit_id"].to_numpy().astype(np.int64)
    ids = new_ids(fresh.num_rows, taken)
    engine.load(f"{out}_fresh", Held(fresh.append_column("unit_id", pa.array(ids, pa.int64()))))
    engine.create(
        f"{out}_units",
        f"SELECT * FROM {old}_units UNION ALL SELECT unit_id, level, {text(delivered.source)}, reference, "
        f"{text(delivered.recorded_at)} FROM {out}_fresh",
    )
    engine.create(
        f"{out}_read",
        f"SELECT r.*, e.unit_id AS enterprise_id, g.unit_id AS group_id FROM {out}_read AS r "
        f"LEFT JOIN {out}_units AS e ON e.level = {text(ENTERPRISE)} AND e.reference = r.enterprise "
        f"AND e.source = {text(delivered.source)} LEFT JOIN {out}_units AS g ON g.level = {text(GROUP)} "
        f"AND g.reference = r.grouping AND g.source = {text(delivered.source)}",
    )


def _edges_sql(out: str) -> str:
    """Legal unit to enterprise; enterprise (or the legal unit, where no enterprise is named) to group."""
    held = "how, valid_from, valid_to"
    return (
        f"SELECT entity_id AS member_id, enterprise_id AS unit_id, {text(ENTERPRISE)} AS level, {held} FROM {out}_read "
        f"WHERE enterprise_id IS NOT NULL UNION SELECT coalesce(enterprise_id, entity_id), group_id, {text(GROUP)}, "
        f"{held} FROM {out}_read WHERE group_id IS NOT NULL"
    )


def as_at(engine: Engine, folder: Path, *, day: date, relation: str, known_at: str | None = None) -> None:
    """Make table `relation`: the enterprise and the group of every legal unit on a day.

    Columns entity_id, source, enterprise_id, enterprise (its reference), group_id, enterprise_group, and
    `enterprises`: how many the source puts the legal unit into on that day: more than one is a contradiction
    in the source, and every one is a row. `known_at` (ISO 8601): as the service knew it then.
    """
    load(engine, folder, prefix=relation)
    at = f"DATE {text(day.isoformat())}"
    knew = (
        "recorded_to IS NULL" if known_at is None
        else f"m.recorded_from <= {text(known_at)} AND coalesce(m.recorded_to > {text(known_at)}, TRUE)"
    )  # fmt: skip
    held = (
        f"SELECT DISTINCT m.member_id, m.unit_id, m.level, m.source, u.reference FROM {relation}_memberships AS m "
        f"JOIN {relation}_units AS u ON u.unit_id = m.unit_id WHERE {knew} AND m.valid_from <= {at} "
        f"AND coalesce(m.valid_to >= {at}, TRUE)"
    )
    engine.create(
        relation,
        f"WITH held AS MATERIALIZED ({held}), enterprises AS (SELECT * FROM held WHERE level = {text(ENTERPRISE)}), "
        f"groups AS (SELECT * FROM held WHERE level = {text(GROUP)}), "
        f"units AS (SELECT member_id AS entity_id, source, unit_id AS enterprise_id, reference AS enterprise "
        f"FROM enterprises UNION ALL SELECT member_id, source, NULL, NULL FROM groups AS g WHERE NOT EXISTS "
        f"(SELECT 1 FROM {relation}_units AS u WHERE u.unit_id = g.member_id) AND NOT EXISTS "
        "(SELECT 1 FROM enterprises AS e WHERE e.member_id = g.member_id AND e.source = g.source)) "
        "SELECT u.*, g.unit_id AS group_id, g.reference AS enterprise_group, "
        "count(DISTINCT u.enterprise_id) OVER (PARTITION BY u.entity_id, u.source) AS enterprises "
        "FROM units AS u LEFT JOIN groups AS g ON g.member_id = coalesce(u.enterprise_id, u.entity_id) "
        "AND g.source = u.source ORDER BY u.entity_id, u.source, u.enterprise",
    )
    engine.drop(*(f"{relation}_{file}" for file in FILES))


def spans(engine: Engine, folder: Path, *, relation: str) -> None:
    """Make table `relation`: every edge as it is known now, quarters that follow one another as one span.

    Columns member_id, unit_id, level, source, reference, valid_from, valid_to.
    """
    load(engine, folder, prefix=relation)
    edge = "PARTITION BY m.member_id, m.unit_id, m.level, m.source ORDER BY m.valid_from"
    apart = f"coalesce(m.valid_from > max(coalesce(m.valid_to, DATE '9999-12-30')) OVER ({edge} ROWS BETWEEN " \
            "UNBOUNDED PRECEDING AND 1 PRECEDING) + 1, TRUE)"  # fmt: skip
    engine.create(
        relation,
        "SELECT member_id, unit_id, level, source, any_value(reference) AS reference, min(valid_from) AS valid_from, "
        "CASE WHEN count(*) = count(valid_to) THEN max(valid_to) END AS valid_to FROM ("
        "SELECT *, sum(fresh::INTEGER) OVER (PARTITION BY member_id, unit_id, level, source ORDER BY valid_from"
        f") AS part FROM (SELECT m.*, u.reference, {apart} AS fresh "  # rows of one day belong together
        f"FROM {relation}_memberships AS m JOIN {relation}_units AS u ON u.unit_id = m.unit_id "
        "WHERE m.recorded_to IS NULL)) GROUP BY member_id, unit_id, level, source, part "
        "ORDER BY member_id, level, valid_from, unit_id",
    )
    engine.drop(*(f"{relation}_{file}" for file in FILES))
