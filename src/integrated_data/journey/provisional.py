"""What a delivery holds and an index does not know: provisional entities, in a chain of versions of their own.

The chain stands beside the index and has its files and its code, so that a large index is not written
again for every delivery. Records that the index did not find are put to the chain; those that nothing
there is either, and that say enough to be told apart, become new entities of it. When a reference source
brings a record of one, it becomes an entity of the index under the same id, or is absorbed by the one it
turns out to be; from then on the index answers for it and the chain passes it over.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from integrated_data.control import indexes
from integrated_data.control.store import Change
from integrated_data.engine import Engine, Stored
from integrated_data.index.records import Records
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.journey.workshop import Facts, Workshop
from integrated_data.model.contract import IndexUse
from integrated_data.model.delivery import Delivery
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import PROVISIONAL, Band, EntityStatus
from integrated_data.vocabulary.sql import text

#: Table that `place` makes: the links of a delivery, those to provisional entities among them.
PLACED = "provisional_placed"

#: Method of a link to the entity that its own record made.
NEW = PROVISIONAL + "new"

_REST, _FOUND, _ENTERING, _SETTLED, _MEMBERS, _OWN, _GONE, _MET = (
    f"provisional_{table}" for table in ("rest", "found", "entering", "settled", "members", "own", "gone", "met")
)


@dataclass(frozen=True)
class Put:
    """A delivery that was put to an index: relations of its records, its links, and of those that can be told
    apart from others (`telling`).

    `folder`: the version it was put to. `models`: where the delivery's weights are kept. `again`: the version
    that freed these of its records, where they were linked before.
    """

    delivery: Delivery
    use: IndexUse
    records: Records
    relation: str
    links: str
    telling: str
    folder: Path
    models: Path
    again: int | None = None

    @property
    def source(self) -> str:
        """The name under which its records are in the chain; of those freed later, one of their own, so that they
        do not stand for all of the delivery's."""
        known = f"{self.delivery.dataset}/{self.delivery.id}"
        return known if self.again is None else f"{known}/v{self.again}"


def chain_of(index: str) -> str:
    """The name under which the versions of an index's provisional entities are on record."""
    return f"{index}.provisional"


def chain_folder(indexes_folder: Path, index: str, *, version: int) -> Path:
    """Where the files of a version of the provisional entities are."""
    return indexes_folder / index / "provisional" / f"v{version:04d}"


def place(workshop: Workshop, put: Put) -> Facts:
    """Give what was not found its provisional entities: table PLACED. Returns what is to be written down.

    The next version of the chain is written aside, and takes its place when it is written down.
    """
    engine = workshop.engine
    with workshop.store.read() as connection:
        before = indexes.current(connection, chain_of(put.use.index))
    base = before.version if before else 0
    left = f"SELECT record_id FROM {put.links} SEMI JOIN {put.telling} USING (record_id) WHERE band = {text(Band.NONE)}"
    engine.create(_REST, f"SELECT r.* FROM {put.relation} AS r SEMI JOIN ({left}) AS u USING (record_id)")
    try:
        _find(workshop, put, base=base)
        entering = _count(engine, _ENTERING)
        created = _enter(workshop, put, base=base) if entering else 0
        engine.create(PLACED, _placed_sql(engine, put, entering=entering))
        doubtful = _count(engine, _REST) - entering
        report = {"provisional": entering, "provisional_entities": created, "provisional_clerical": doubtful}
        chain = {"base": base, "source": put.source, "records": entering, "created": created}
        return {"report": report, "chain": chain if entering else None}
    finally:
        engine.drop(_REST, _FOUND, _ENTERING, _SETTLED, _MEMBERS, _OWN, _GONE)


def _find(workshop: Workshop, put: Put, *, base: int) -> None:
    """Tables of the links to the chain, of the records that enter it, and of the entities they are."""
    engine, index = workshop.engine, put.use.index
    if base and _count(engine, _REST):
        matching = Matching(
            _REST, _FOUND, put.use.one_to_one, put.models, columns=put.records.columns, residual=True, without=_GONE
        )
        _match(workshop, index, matching=matching, version=base, beside=put.folder)
    else:
        engine.create(_FOUND, f"SELECT * FROM {put.links} WHERE FALSE")
    engine.create(
        _ENTERING,
        f"SELECT r.* FROM {_REST} AS r ANTI JOIN (SELECT record_id FROM {_FOUND} "
        f"WHERE band = {text(Band.CLERICAL)}) AS f USING (record_id)",
    )
    engine.create(
        _SETTLED,
        f"SELECT e.record_id, f.entity_id FROM {_ENTERING} AS e LEFT JOIN {_FOUND} AS f ON f.record_id = e.record_id",
    )


def _match(workshop: Workshop, index: str, *, matching: Matching, version: int, beside: Path | None) -> None:
    """Match to a version of the chain, but for what the index version in `beside` answers for by now."""
    engine = workshop.engine
    folder = chain_folder(workshop.places.indexes, index, version=version)
    engine.load(f"{_GONE}_chain", Stored((folder / "entities.parquet",)))
    gone = f"SELECT entity_id FROM {_GONE}_chain WHERE FALSE"
    if beside is not None:
        engine.load(f"{_GONE}_index", Stored((beside / "entities.parquet",)))
        gone = f"SELECT c.entity_id FROM {_GONE}_chain AS c SEMI JOIN {_GONE}_index AS i USING (entity_id)"
    engine.create(_GONE, gone)
    workshop.seats.of(index).match(Tools(engine, workshop.linker), matching, folder=folder)
    engine.drop(f"{_GONE}_chain", f"{_GONE}_index")


def meet(workshop: Workshop, index: str, *, addition: Addition, beside: Path | None) -> Addition:
    """The addition, with the provisional entities that its records are found to be (table `provisional_met`).

    `beside`: the index version that it is added to, if any.
    """
    with workshop.store.read() as connection:
        chain = indexes.current(connection, chain_of(index))
    if chain is None:
        return addition
    models = workshop.places.indexes / index / "models" / addition.source
    matching = Matching(addition.records, _FOUND, False, models, columns=addition.columns, residual=True, without=_GONE)
    _match(workshop, index, matching=matching, version=chain.version, beside=beside)
    accepted = f"SELECT record_id, entity_id FROM {_FOUND} WHERE band = {text(Band.ACCEPT)}"
    workshop.engine.create(_MET, accepted)
    workshop.engine.drop(_FOUND, _GONE)
    return replace(addition, met=_MET)


def _enter(workshop: Workshop, put: Put, *, base: int) -> int:
    """Write the next version of the chain aside; returns how many entities it creates."""
    engine, places, index = workshop.engine, workshop.places.indexes, put.use.index
    aside = _aside(places, index, delivery=put.delivery)
    aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)  # what a killed load left
    addition = Addition(
        put.source, _ENTERING, workshop.store.now().isoformat(timespec="seconds"), put.records.columns,
        put.use.one_to_one, settled=_SETTLED, status=EntityStatus.PROVISIONAL, beside=put.folder,
    )  # fmt: skip
    previous = chain_folder(places, index, version=base) if base else None
    report = workshop.seats.of(index).add(Tools(engine, workshop.linker), addition, previous=previous, folder=aside)
    workshop.seats.of(index).members(engine, folder=aside, relation=_MEMBERS)
    return int(report["created"])


def _aside(indexes_folder: Path, index: str, *, delivery: Delivery) -> Path:
    return indexes_folder / index / "provisional" / f"arriving-{delivery.id}"


def _placed_sql(engine: Engine, put: Put, *, entering: int) -> str:
    """The links, with the provisional entities of records that entered, and the candidates of doubtful ones."""
    own = f"SELECT record_id, entity_id FROM {_MEMBERS} WHERE source = {text(put.source)}"
    engine.create(_OWN, own if entering else "SELECT '' AS record_id, 0::BIGINT AS entity_id WHERE FALSE")
    accept, clerical = text(Band.ACCEPT), text(Band.CLERICAL)
    return f"""
        SELECT l.* REPLACE (
            coalesce(o.entity_id, l.entity_id) AS entity_id,
            CASE WHEN f.band = {clerical} THEN f.candidate_id ELSE l.candidate_id END AS candidate_id,
            CASE WHEN f.band IN ({accept}, {clerical}) THEN f.probability
                 WHEN o.entity_id IS NOT NULL THEN 1.0 ELSE l.probability END AS probability,
            CASE WHEN o.entity_id IS NOT NULL THEN {accept} WHEN f.band = {clerical} THEN {clerical}
                 ELSE l.band END AS band,
            CASE WHEN f.band IN ({accept}, {clerical}) THEN {text(PROVISIONAL)} || f.method
                 WHEN o.entity_id IS NOT NULL THEN {text(NEW)} ELSE l.method END AS method)
        FROM {put.links} AS l LEFT JOIN {_FOUND} AS f ON f.record_id = l.record_id
        LEFT JOIN {_OWN} AS o ON o.record_id = l.record_id::VARCHAR"""


def write(change: Change, workshop: Workshop, *, delivery: Delivery, made: Mapping[str, Facts]) -> None:
    """Make the next version of each chain exist, inside a change.

    Refuses when another delivery was faster: what was matched to the version before it must be matched
    again.
    """
    for index, facts in made.items():
        chain = facts.get("chain")
        if chain is None:
            continue
        now = indexes.current(change.connection, chain_of(index))
        if (now.version if now else 0) != chain["base"]:
            raise IndexRefusal(
                f"Another delivery gave the {index} index provisional entities at the same time",
                next_step="Run the same command again: it goes on from there",
            )
        version = chain["base"] + 1
        folder = chain_folder(workshop.places.indexes, index, version=version)
        shutil.rmtree(folder, ignore_errors=True)  # no record names it
        _aside(workshop.places.indexes, index, delivery=delivery).rename(folder)
        about = {"delivery": delivery.id, "report": {k: chain[k] for k in ("records", "created")}}
        indexes.add_version(change, index=chain_of(index), version=version, source=delivery.dataset, about=about)


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {relation}")["n"][0].as_py())
