"""Identity over time: which entity every group of records continues, and what became of the others.

An index version that groups its records anew hands over two relations, and every group takes the
entity that most of its records come from; one entity continues in one group at most, and a group
that continues none gets a new id. What this does to the entities of the version before are events,
and every version keeps all events so far in `events.parquet`:

    entity_id, event, other_id, version, recorded_at (when the service came to know),
    effective_at (when it was true, where a source says so), source (whose load showed it), reason

    event     of the entity that            other_id
    absorbed  gives way to another          the entity that its records went to
    merged    takes another one in          the entity it took in
    split     lost records to another       the entity they went to
    retired   no source says any more       none
    revived   is said again                 none

`created` is not written down: an entity is created in the version whose moment its `recorded_from`
is. Nothing is ever taken back: an absorbed entity never returns, a retired one may be revived under
its own id, and no id is used twice.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.model.linkage import EntityEvent, EntityStatus
from integrated_data.vocabulary.sql import name, text, texts

Ints = npt.NDArray[np.int64]

ID_BITS = 63
FILE = "events.parquet"

#: Columns of the events of an index, and their types.
EVENTS = {
    "entity_id": "BIGINT", "event": "VARCHAR", "other_id": "BIGINT", "version": "INTEGER", "recorded_at": "VARCHAR",
    "effective_at": "VARCHAR", "source": "VARCHAR", "reason": "VARCHAR",
}  # fmt: skip

REGROUPED = "its records were grouped anew"
SILENT = "no source says it any more"
AGAIN = "a source says it again"

#: Statuses of entities that live: those that a record can be.
_LIVING = (EntityStatus.CURRENT, EntityStatus.PROVISIONAL)


@dataclass(frozen=True)
class Moment:
    """A version of an index, the source that made it, and when the service came to know (ISO 8601)."""

    version: int
    source: str
    recorded_at: str


def moments(about: Mapping[str, Any] | None) -> tuple[Moment, ...]:
    """The moments of a version and of those before it, from what its `about.json` says; none for no version."""
    return tuple(Moment(**m) for m in about["moments"]) if about else ()


def following(before: Sequence[Moment], source: str, *, recorded_at: str) -> Moment:
    """The moment of the version that comes after those."""
    return Moment(before[-1].version + 1 if before else 1, source, recorded_at)


@dataclass(frozen=True)
class Grouping:
    """What a version groups anew.

    `before`: relation of `source`, `record_id`, `entity_id`: every record of the entities concerned;
    `now`: relation of `source`, `record_id`, `grp` (BIGINT): every record of the groups concerned;
    records of `before` that are not in `now` are no longer there. `entities`: relation of all
    `entity_id` ever used, with `recorded_from`. Entities and groups that are the same as before may
    be left out of both.
    """

    before: str
    now: str
    entities: str


def regroup(engine: Engine, grouping: Grouping, *, work: str, reason: str = REGROUPED) -> None:
    """Make `<work>_ids` (grp, entity_id, fresh) and `<work>_turns` (see `turns_sql`).

    The entity a group continues is chosen by most shared records first, then the older entity, then
    the smaller id.
    """
    engine.create(
        f"{work}_shared",
        f"SELECT n.grp, b.entity_id, count(*) AS shared FROM {name(grouping.now)} AS n "
        f"JOIN {name(grouping.before)} AS b ON b.source = n.source AND b.record_id = n.record_id "
        "GROUP BY n.grp, b.entity_id",
    )
    engine.create(
        f"{work}_ranked",
        "SELECT s.*, count(*) OVER (PARTITION BY s.grp) = 1 AND count(*) OVER (PARTITION BY s.entity_id) = 1 AS alone, "
        "row_number() OVER (ORDER BY s.shared DESC, e.recorded_from, s.entity_id, s.grp) AS rank "
        f"FROM {name(f'{work}_shared')} AS s JOIN {name(grouping.entities)} AS e ON e.entity_id = s.entity_id",
    )
    contested = engine.rows(
        f"SELECT grp, entity_id FROM {name(f'{work}_ranked')} WHERE NOT alone ORDER BY rank"
    ).to_pydict()
    kept = _first_come(contested["grp"], contested["entity_id"])
    engine.load(f"{work}_won", Held(pa.table({"grp": pa.array(kept[0], pa.int64()),
                                              "entity_id": pa.array(kept[1], pa.int64())})))  # fmt: skip
    engine.create(
        f"{work}_continued",
        f"SELECT grp::BIGINT AS grp, entity_id FROM {name(f'{work}_ranked')} WHERE alone "
        f"UNION ALL SELECT grp, entity_id FROM {name(f'{work}_won')}",
    )
    engine.create(
        f"{work}_left",
        f"SELECT grp::BIGINT AS grp, row_number() OVER (ORDER BY grp) AS place FROM (SELECT DISTINCT grp FROM "
        f"{name(grouping.now)}) ANTI JOIN {name(f'{work}_continued')} USING (grp)",
    )
    draw(engine, f"{work}_left", entities=grouping.entities, out=f"{work}_drawn")
    engine.create(
        f"{work}_ids",
        f"SELECT grp, entity_id, FALSE AS fresh FROM {name(f'{work}_continued')} UNION ALL "
        f"SELECT l.grp, d.entity_id, TRUE FROM {name(f'{work}_left')} AS l "
        f"JOIN {name(f'{work}_drawn')} AS d ON d.place = l.place",
    )
    engine.create(f"{work}_turns", _regrouped_sql(work, reason))
    engine.drop(*(f"{work}_{t}" for t in ("shared", "ranked", "won", "continued", "left", "drawn")))


def _first_come(groups: Iterable[int], entities: Iterable[int]) -> tuple[list[int], list[int]]:
    """Pairs taken in order, each group and each entity once."""
    kept: tuple[list[int], list[int]] = ([], [])
    taken: tuple[set[int], set[int]] = (set(), set())
    for group, entity in zip(groups, entities, strict=True):
        if group not in taken[0] and entity not in taken[1]:
            for i, one in enumerate((group, entity)):
                kept[i].append(one)
                taken[i].add(one)
    return kept


def _regrouped_sql(work: str, reason: str) -> str:
    """Turns of the entities before: where their records went, other than to themselves."""
    absorbed, merged, split = (text(e) for e in (EntityEvent.ABSORBED, EntityEvent.MERGED, EntityEvent.SPLIT))
    went = (
        "SELECT r.entity_id, i.entity_id AS other_id, bool_or(i.entity_id = r.entity_id) OVER mine AS continues, "
        "row_number() OVER (mine ORDER BY r.rank) AS place "
        f"FROM {name(f'{work}_ranked')} AS r JOIN {name(f'{work}_ids')} AS i ON i.grp = r.grp "
        "WHERE NOT r.alone WINDOW mine AS (PARTITION BY r.entity_id)"
    )
    return (
        f"WITH went AS MATERIALIZED ({went}), turned AS MATERIALIZED (SELECT entity_id, other_id, "
        f"CASE WHEN NOT continues AND place = 1 THEN {absorbed} ELSE {split} END AS event FROM went "
        f"WHERE other_id <> entity_id) {_as_turns('SELECT entity_id, event, other_id FROM turned', reason)} UNION ALL "
        f"{_as_turns(f'SELECT other_id, {merged}, entity_id FROM turned WHERE event = {absorbed}', reason)}"
    )


def _as_turns(select: str, reason: str) -> str:
    return (
        f"SELECT *, NULL::VARCHAR AS effective_at, {text(reason)} AS reason FROM ({select}) "
        "AS t(entity_id, event, other_id)"
    )


def turns_sql(entities: str, said: str) -> str:
    """Turns of entities that fell silent or are said again: entity_id, event, other_id, effective_at, reason.

    `entities`: relation of `entity_id` and `status` of the version before, less those that this one
    absorbed; `said`: relation of `entity_id`: all that some source says in this version.
    """
    living = f"status IN {texts(_LIVING)}"
    silent = f"{name(entities)} AS e ANTI JOIN {name(said)} AS s ON s.entity_id = e.entity_id"
    again = f"{name(entities)} AS e SEMI JOIN {name(said)} AS s ON s.entity_id = e.entity_id"
    retired = f"SELECT e.entity_id, {text(EntityEvent.RETIRED)}, NULL::BIGINT FROM {silent} WHERE {living}"
    revived = (
        f"SELECT e.entity_id, {text(EntityEvent.REVIVED)}, NULL::BIGINT FROM {again} "
        f"WHERE status = {text(EntityStatus.RETIRED)}"
    )
    return f"{_as_turns(retired, SILENT)} UNION ALL {_as_turns(revived, AGAIN)}"


def renewed_sql(entities: str, turns: str) -> str:
    """The entities of a version with the status that its turns leave them; columns as they were."""
    status = {
        EntityEvent.ABSORBED: EntityStatus.ABSORBED, EntityEvent.RETIRED: EntityStatus.RETIRED,
        EntityEvent.REVIVED: EntityStatus.CURRENT,
    }  # fmt: skip
    whens = " ".join(f"WHEN {text(event)} THEN {text(becomes)}" for event, becomes in status.items())
    changed = (
        f"SELECT entity_id AS turned_id, CASE event {whens} END AS becomes FROM {name(turns)} "
        f"WHERE event IN {texts(status)}"
    )
    return (
        f"SELECT e.* REPLACE (coalesce(t.becomes, e.status) AS status) FROM {name(entities)} AS e "
        f"LEFT JOIN ({changed}) AS t ON t.turned_id = e.entity_id"
    )


def load(engine: Engine, folder: Path | None, *, relation: str) -> None:
    """Make view `relation` of a version's events; an empty one for no version."""
    if folder is not None:
        engine.load(relation, Stored((folder / FILE,)))
        return
    columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in EVENTS.items())
    engine.view(relation, f"SELECT {columns} WHERE FALSE")


_NO_TURNS = (
    "SELECT NULL::BIGINT AS entity_id, NULL::VARCHAR AS event, NULL::BIGINT AS other_id, "
    "NULL::VARCHAR AS effective_at, NULL::VARCHAR AS reason WHERE FALSE"
)


def save(engine: Engine, *, old: str, turns: Iterable[str], moment: Moment, folder: Path) -> dict[str, int]:
    """Write all events so far: those of relation `old`, then this version's turns; counts those by kind."""
    turned = " UNION ALL ".join(f"SELECT * FROM {name(t)}" for t in turns) or _NO_TURNS
    new = (
        f"SELECT entity_id, event, other_id, {moment.version}::INTEGER AS version, "
        f"{text(moment.recorded_at)} AS recorded_at, effective_at, {text(moment.source)} AS source, reason "
        f"FROM ({turned})"
    )
    listed = ", ".join(EVENTS)
    engine.save(f"SELECT {listed} FROM {name(old)} UNION ALL SELECT {listed} FROM ({new})", folder / FILE, sealed=True)
    counts = engine.rows(f"SELECT event, count(*) AS n FROM ({turned}) GROUP BY event ORDER BY event")
    return {row["event"]: row["n"] for row in counts.to_pylist()}


def succession_sql(events: str) -> str:
    """Which entity stands for an absorbed one: old_id, new_id (the last of its line), version, recorded_at.

    `version` and `recorded_at` are those of the event that ended `old_id`. Ids that stand for
    themselves are not listed.
    """
    return (
        f"WITH RECURSIVE step AS (SELECT entity_id, other_id, version, recorded_at FROM {name(events)} "
        f"WHERE event = {text(EntityEvent.ABSORBED)}), "
        "line AS (SELECT entity_id AS old_id, other_id AS new_id, version, recorded_at FROM step UNION ALL "
        "SELECT l.old_id, s.other_id, l.version, l.recorded_at FROM line AS l JOIN step AS s "
        "ON s.entity_id = l.new_id) "
        "SELECT old_id, new_id, version, recorded_at FROM line WHERE new_id NOT IN (SELECT entity_id FROM step)"
    )


def unsettled_sql(events: str, since: int) -> str:
    """Ids (entity_id) of version `since` that succession alone no longer answers for.

    They, or an entity that stands for them by then, lost records to another one after that version:
    a record linked to them must be matched again.
    """
    return (
        f"WITH RECURSIVE line AS (SELECT DISTINCT entity_id AS old_id, entity_id AS new_id, {since} AS version "
        f"FROM {name(events)} UNION ALL SELECT l.old_id, e.other_id, greatest(l.version, e.version) FROM line AS l "
        f"JOIN {name(events)} AS e ON e.entity_id = l.new_id AND e.event = {text(EntityEvent.ABSORBED)}) "
        f"SELECT DISTINCT l.old_id AS entity_id FROM line AS l JOIN {name(events)} AS s "
        f"ON s.entity_id = l.new_id AND s.event = {text(EntityEvent.SPLIT)} AND s.version > l.version"
    )


def draw(engine: Engine, places: str, *, entities: str, out: str) -> int:
    """Make `out` (place, entity_id): a new id for every row of `places`, numbered from 1; returns how many.

    `entities`: relation of all `entity_id` ever used.
    """
    number = int(engine.rows(f"SELECT count(*) AS n FROM {name(places)}")["n"][0].as_py())
    while True:
        ids = new_ids(number, np.zeros(0, dtype=np.int64))
        engine.load(out, Held(pa.table({"place": np.arange(1, number + 1), "entity_id": ids})))
        used = engine.rows(
            f"SELECT count(*) AS n FROM {name(entities)} AS e JOIN {name(out)} AS o ON o.entity_id = e.entity_id"
        )
        if used["n"][0].as_py() == 0:
            return number


def new_ids(number: int, taken: Ints) -> Ints:
    """Random positive 63-bit ids that are not among `taken` nor twice among themselves."""
    ids = np.zeros(0, dtype=np.int64)
    while len(ids) < number:
        drawn = np.frombuffer(secrets.token_bytes(8 * (number - len(ids))), dtype=np.uint64)
        fresh = (drawn >> np.uint64(64 - ID_BITS)).astype(np.int64)
        ids = np.unique(np.concatenate([ids, fresh[(fresh > 0) & ~np.isin(fresh, taken)]]))
    return np.random.default_rng(secrets.randbits(128)).permutation(ids)
