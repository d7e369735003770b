"""What an index remembers: the history of an entity, succession, what changed between two versions.

Every index lays out its version in the same relations (`Remembering.laid`), so that these questions
have one answer each, whatever the index keeps its attributes in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from integrated_data.engine import Engine
from integrated_data.index import life
from integrated_data.index.best import Trust, best
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityEvent
from integrated_data.vocabulary.sql import name, text

RELATIONS = ("entities", "records", "attributes", "events")
TIMES = ("effective_from", "effective_to", "recorded_from", "recorded_to")

#: Beside the events: an entity that goes on, of which something else is said.
CHANGED = "changed"


@dataclass(frozen=True)
class Laid:
    """A version in the engine: views `<prefix>_<relation>` for every one of RELATIONS.

    entities: entity_id, status, source, recorded_from; records: source, record_id (VARCHAR), entity_id;
    attributes: entity_id, source, record_id, `attributes`, TIMES; events: see `index.life`. `beneath`:
    further views that these read.
    """

    prefix: str
    attributes: tuple[str, ...]
    moments: tuple[life.Moment, ...]
    beneath: tuple[str, ...] = ()

    def of(self, relation: str) -> str:
        """A relation's name, quoted."""
        return name(f"{self.prefix}_{relation}")

    def drop(self, engine: Engine) -> None:
        """Take the relations out of the engine again."""
        engine.drop(*(f"{self.prefix}_{relation}" for relation in (*RELATIONS, *self.beneath)))


@dataclass(frozen=True)
class History:
    """One entity as a version knows it. `stands_for_it`: the entity that succeeded it, if it was absorbed.

    `periods` hold identified values: what each source said of the entity, when it was true and when
    the service knew; `best` is the best value of each attribute now (see `index.best`). Everything else is ids,
    words and dates.
    """

    entity_id: int
    status: str
    version: int
    stands_for_it: int | None
    events: Sequence[Mapping[str, Any]]
    sources: Mapping[str, int]  # records by source
    records: Sequence[tuple[str, str]]  # source, record id
    periods: Sequence[Mapping[str, Any]]
    best: Sequence[Mapping[str, Any]]


class Versions(Protocol):
    """An index whose versions can be laid out."""

    def trust(self, folder: Path) -> Trust:
        """How far its sources can be relied on."""
        ...

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """Make the relations of the version in `folder` (see `Laid`)."""
        ...


class Remembering:
    """Answers about the past, for an index that can lay out its versions."""

    def trust(self, folder: Path) -> Trust:  # noqa: ARG002 - the seat's shape
        """How far the sources of the version in `folder` can be relied on: alike, where nothing is learnt of them."""
        return Trust()

    def succession(self: Versions, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.succession`."""
        laid = self.laid(engine, folder=folder, prefix=f"{relation}_of")
        engine.create(relation, life.succession_sql(f"{laid.prefix}_events"))
        laid.drop(engine)

    def history(self: Versions, engine: Engine, *, folder: Path, entity_id: int) -> History | None:
        """See `Seat.history`."""
        laid = self.laid(engine, folder=folder, prefix="remembered")
        try:
            return _history(engine, laid, entity_id=entity_id, trust=self.trust(folder))
        finally:
            laid.drop(engine)

    def changes(self: Versions, engine: Engine, *, before: Path, after: Path, relation: str) -> dict[str, Any]:
        """See `Seat.changes`."""
        old = self.laid(engine, folder=before, prefix=f"{relation}_before")
        new = self.laid(engine, folder=after, prefix=f"{relation}_after")
        try:
            _check_line(old, new)
            return _changes(engine, old, new=new, relation=relation)
        finally:
            old.drop(engine)
            new.drop(engine)


def _history(engine: Engine, laid: Laid, *, entity_id: int, trust: Trust) -> History | None:
    def rows(relation: str, columns: str, *, order: str) -> list[dict[str, Any]]:
        select = f"SELECT {columns} FROM {laid.of(relation)} WHERE entity_id = {entity_id} ORDER BY {order}"
        found: list[dict[str, Any]] = engine.rows(select).to_pylist()
        return found

    found = rows("entities", "*", order="entity_id")
    if not found:
        return None
    entity = found[0]
    listed = ", ".join(name(c) for c in ("source", "record_id", *laid.attributes, *TIMES))
    periods = rows("attributes", listed, order="recorded_from, source, record_id, recorded_to")
    records = rows("records", "source, record_id", order="source, record_id")
    events = rows("events", "event, other_id, version, recorded_at, effective_at, source, reason",
                  order="version, event, other_id")  # fmt: skip
    line = engine.rows(
        f"SELECT new_id FROM ({life.succession_sql(f'{laid.prefix}_events')}) WHERE old_id = {entity_id}"
    ).to_pylist()
    sources: dict[str, int] = {}
    for record in records:
        sources[record["source"]] = sources.get(record["source"], 0) + 1
    began = min((p["effective_from"] for p in periods if p["effective_from"]), default=None)
    return History(
        entity_id, entity["status"], laid.moments[-1].version, line[0]["new_id"] if line else None,
        [_created(laid, entity, effective_at=began), *events], sources,
        [(r["source"], r["record_id"]) for r in records], periods, best(periods, laid.attributes, trust=trust),
    )  # fmt: skip


def _created(laid: Laid, entity: Mapping[str, Any], *, effective_at: str | None) -> dict[str, Any]:
    """The event that is not written down: it follows from the entity."""
    born = [m.version for m in laid.moments if (m.recorded_at, m.source) == (entity["recorded_from"], entity["source"])]
    return {
        "event": str(EntityEvent.CREATED), "other_id": None, "version": born[0] if born else None,
        "recorded_at": entity["recorded_from"], "effective_at": effective_at, "source": entity["source"],
        "reason": "a source said it first",
    }  # fmt: skip


def _check_line(old: Laid, new: Laid) -> None:
    if new.moments[: len(old.moments)] != old.moments or len(new.moments) == len(old.moments):
        raise IndexRefusal(
            "These two versions cannot be compared",
            why="The second does not come after the first",
            next_step="Name the older version first",
        )


def _changes(engine: Engine, old: Laid, *, new: Laid, relation: str) -> dict[str, Any]:
    told = "SELECT entity_id, {}, other_id, []::VARCHAR[] FROM {}"
    created = (
        f"SELECT entity_id, {text(EntityEvent.CREATED)} AS change, NULL::BIGINT AS other_id, "
        f"[]::VARCHAR[] AS attributes FROM {new.of('entities')} ANTI JOIN {old.of('entities')} USING (entity_id)"
    )
    turned = told.format("event", new.of("events")) + f" WHERE version > {old.moments[-1].version}"
    changed = _changed_sql(engine, old, new=new, relation=relation)
    engine.create(relation, f"{created} UNION ALL {turned} UNION ALL {changed}")
    engine.drop(f"{relation}_touched")
    counts = engine.rows(f"SELECT change, count(DISTINCT entity_id) AS n FROM {name(relation)} GROUP BY change")
    found = {row["change"]: row["n"] for row in counts.to_pylist()}
    by_attribute = engine.rows(
        f"SELECT attribute, count(*) AS n FROM (SELECT unnest(attributes) AS attribute FROM {name(relation)}) "
        "GROUP BY attribute ORDER BY attribute"
    )
    return {
        "before": old.moments[-1].version, "after": new.moments[-1].version,
        **{str(change): found.get(change, 0) for change in (*EntityEvent, CHANGED)},
        "attributes": {row["attribute"]: row["n"] for row in by_attribute.to_pylist()},
    }  # fmt: skip


def _changed_sql(engine: Engine, old: Laid, *, new: Laid, relation: str) -> str:
    """Entities of both versions of which other values are said now, with the names of those attributes."""
    columns = [c for c in new.attributes if c in old.attributes]
    if not columns:
        return "SELECT NULL::BIGINT, NULL::VARCHAR, NULL::BIGINT, NULL::VARCHAR[] WHERE FALSE"

    def said(laid: Laid) -> str:
        row = ", ".join(name(c) for c in columns)
        return (
            f"SELECT entity_id, sum(hash({row})::HUGEINT) AS said FROM {laid.of('attributes')} "
            "WHERE recorded_to IS NULL GROUP BY entity_id"
        )

    def values(laid: Laid) -> str:
        each = ", ".join(
            f"list_sort(list(DISTINCT {name(c)}::VARCHAR) FILTER ({name(c)} IS NOT NULL)) AS {name(c)}" for c in columns
        )
        return (
            f"SELECT entity_id, {each} FROM {laid.of('attributes')} SEMI JOIN {name(f'{relation}_touched')} "
            "USING (entity_id) WHERE recorded_to IS NULL GROUP BY entity_id"
        )

    engine.create(
        f"{relation}_touched",
        f"SELECT o.entity_id FROM ({said(old)}) AS o JOIN ({said(new)}) AS n USING (entity_id) WHERE o.said <> n.said",
    )
    whens = ", ".join(f"CASE WHEN o.{name(c)} IS DISTINCT FROM n.{name(c)} THEN {text(c)} END" for c in columns)
    return (
        f"SELECT entity_id, {text(CHANGED)}, NULL::BIGINT, attributes FROM (SELECT o.entity_id, "
        f"list_filter([{whens}], lambda a: a IS NOT NULL) AS attributes FROM ({values(old)}) AS o "
        f"JOIN ({values(new)}) AS n USING (entity_id)) WHERE len(attributes) > 0"
    )
