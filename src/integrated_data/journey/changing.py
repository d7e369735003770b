"""Change data: the table as a delivery of changes leaves it.

Of each record (by the contract's key) the change with the greatest sequence counts, whichever delivery brought it; of
equals, and without a sequence, the later delivery's, and in it the later row. A record whose change is a deletion is
gone. So the order in which batches come does not matter, and one that comes twice changes nothing. Nothing is kept of
it besides the deliveries themselves: what the table holds is read from its files by the numbers of their rows, the keys
from the checked rows, which never leave the identified zone.
"""

from dataclasses import dataclass
from pathlib import Path

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Stored
from integrated_data.journey.workshop import Workshop
from integrated_data.lake import Step
from integrated_data.model.contract import Changes, Contract, Mode
from integrated_data.model.errors import ContractRefusal
from integrated_data.validate.sql import good_sql
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name, texts

LAST, EARLIER, OVER = "changes_last", "changes_earlier", "changes_over"


@dataclass(frozen=True)
class Applied:
    """What a delivery of changes does: its step, the condition (over `c`) of its own rows that are published, and how
    many of its records were overtaken by a later change that had come before."""

    step: Step
    good: str
    overtaken: int


def apply(workshop: Workshop, contract: Contract, *, delivery: str, good: str, base: Release | None) -> Applied:
    """Find what the good rows of a delivery change in the table as `base` left it, and write what is left of its files.

    Files of before that lose rows are written again beside the old ones, which earlier releases keep.
    """
    engine, changes, made = workshop.engine, _changes(contract), list[str]()
    keys = [name(c.name) for c in contract.columns if c.key]
    listed, gone = ", ".join(keys), f"{name(changes.operation)} IN {texts(changes.deleted)}"
    sequence = name(changes.sequence) if changes.sequence else "NULL::BIGINT"
    order = f"{sequence} DESC NULLS LAST, {ROW} DESC"
    try:
        engine.create(LAST, f"SELECT {listed}, {sequence} AS _sequence, {gone} AS _gone, {ROW} FROM {name(good)} "
                      f"QUALIFY row_number() OVER (PARTITION BY {listed} ORDER BY {order}) = 1")  # fmt: skip
        files = workshop.lake.files(contract.dataset, base.snapshot) if base else ()
        earlier = _earlier(workshop, contract, files=files, made=made)
        engine.create(EARLIER, " UNION ALL ".join(earlier) or f"SELECT *, -1 AS _part FROM {LAST} LIMIT 0")
        same = " AND ".join(f"e.{k} IS NOT DISTINCT FROM n.{k}" for k in keys)
        engine.create(OVER, f"SELECT {ROW} FROM {LAST} n WHERE EXISTS "
                      f"(SELECT 1 FROM {EARLIER} e WHERE {same} AND e._sequence > n._sequence)")  # fmt: skip
        overtaken = int(engine.rows(f"SELECT count(*) AS n FROM {OVER}")["n"][0].as_py())
        won = f"SELECT n.* FROM {LAST} n ANTI JOIN {OVER} USING ({ROW})"
        lost = f"SELECT e._part, e.{ROW} FROM {EARLIER} e SEMI JOIN ({won}) n ON {same} WHERE e._part >= 0"
        step = _written(workshop, contract, files=files, delivery=delivery, lost=lost)
        kept = engine.rows(f"SELECT {ROW} FROM ({won}) WHERE NOT _gone ORDER BY {ROW}")[ROW].to_pylist()
    finally:
        engine.drop(OVER, EARLIER, LAST, *reversed(made))
    return Applied(step, f"c.{ROW} IN ({', '.join(map(str, kept))})" if kept else "FALSE", overtaken)


def _changes(contract: Contract) -> Changes:
    if contract.changes is None or not any(c.key for c in contract.columns):
        raise ContractRefusal(
            f"The contract of dataset {contract.dataset} does not say how its changes are told",
            why="A delivery of changes needs a key, and a column that says what is done with each record",
            next_step="Mark its primaryKey, and write changes: {operation: COLUMN, deleted: [D]}",
        )
    return contract.changes


def _earlier(workshop: Workshop, contract: Contract, *, files: tuple[Path, ...], made: list[str]) -> list[str]:
    """SELECTs of what the table holds, by file and row, and of the deletions that were ever told."""
    changes, parts = _changes(contract), list[str]()
    keys = [name(c.name) for c in contract.columns if c.key]
    for part, file in enumerate(files):
        checked = _good_of(workshop, contract, delivery=workshop.lake.delivery_of(file), made=made)
        relation = f"changes_part_{part}"
        workshop.engine.load(relation, Stored((file,), sealed=False))
        made.append(relation)
        told = _sequence(workshop, changes, relation=checked)
        own = ", ".join(f"k.{key}" for key in keys)
        parts.append(
            f"SELECT {own}, {told} AS _sequence, FALSE AS _gone, p.{ROW}, {part} AS _part "
            f"FROM {relation} p JOIN {checked} k ON k.{ROW} = p.{ROW}"
        )
    for delivery in _batches(workshop, contract.dataset) if changes.sequence else ():
        checked = _good_of(workshop, contract, delivery=delivery, made=made)
        own = ", ".join(f"k.{key}" for key in keys)
        parts.append(
            f"SELECT {own}, k.{name(changes.sequence)} AS _sequence, TRUE AS _gone, k.{ROW}, -1 AS _part "
            f"FROM {checked} k WHERE k.{name(changes.operation)} IN {texts(changes.deleted)}"
        )
    return parts


def _good_of(workshop: Workshop, contract: Contract, *, delivery: str, made: list[str]) -> str:
    """A view of a delivery's good rows, by the contract it was loaded under; refuses one that has no such key."""
    relation = f"changes_of_{delivery}"
    if relation in made:
        return relation
    with workshop.store.read() as connection:
        version = deliveries.contract_version(connection, delivery)
        theirs = contracts.parse(deliveries.contract_body(connection, contract.dataset, version=version) or "")
    known = {c.name for c in theirs.columns}
    if not {c.name for c in contract.columns if c.key} <= known:
        raise ContractRefusal(
            f"What is published of dataset {contract.dataset} has another key",
            why="A delivery of changes is about records by their key",
            next_step="Deliver the whole table first, under a contract with mode: replace and this key",
        )
    place = workshop.places.deliveries / delivery / "checked.parquet"
    workshop.engine.load(f"{relation}_checked", Stored((place,), row_column=ROW))
    workshop.engine.view(relation, good_sql(theirs, f"{relation}_checked"))
    made += [f"{relation}_checked", relation]
    return relation


def _sequence(workshop: Workshop, changes: Changes, *, relation: str) -> str:
    known = changes.sequence and changes.sequence in workshop.engine.columns(relation)
    return f"k.{name(changes.sequence)}" if known else "NULL"


def _batches(workshop: Workshop, dataset: str) -> list[str]:
    """Deliveries of changes since the table was delivered whole, the newest first."""
    found: list[str] = []
    with workshop.store.read() as connection:
        for release in reversed(releases.line(connection, dataset)):
            version = deliveries.contract_version(connection, release.delivery)
            theirs = contracts.parse(deliveries.contract_body(connection, dataset, version=version) or "")
            if theirs.mode is not Mode.CHANGES:
                break
            found.append(release.delivery)
    return found


def _written(workshop: Workshop, contract: Contract, *, files: tuple[Path, ...], delivery: str, lost: str) -> Step:
    """Write what is left of the files that lose rows; returns the step of the delivery."""
    engine, lake = workshop.engine, workshop.lake
    found = engine.rows(f"SELECT _part, list({ROW} ORDER BY {ROW}) AS _gone FROM ({lost}) GROUP BY _part ORDER BY 1")
    without, rewritten = [], []
    for row in found.to_pylist():
        file = files[row["_part"]]
        without.append(file.name)
        place = lake.rewritten(contract.dataset, file, by=delivery)
        left = f"SELECT * FROM changes_part_{row['_part']} WHERE {ROW} NOT IN ({', '.join(map(str, row['_gone']))})"
        if engine.save(left, place, sealed=False):
            rewritten.append(place.name)
        else:
            place.unlink()
    return Step(delivery, tuple(without), tuple(rewritten))
