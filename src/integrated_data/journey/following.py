"""Following drift: contents held against the deliveries before, and contracts that follow, on record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, feeds, jobs
from integrated_data.control.store import Change
from integrated_data.engine import Engine, Stored
from integrated_data.journey import checking
from integrated_data.journey.drifting import Followed, Past, from_facts, versioned
from integrated_data.journey.workshop import Load, Workshop
from integrated_data.model.contract import Column, Contract
from integrated_data.model.delivery import LoadState
from integrated_data.model.drift import Drifted, DriftKind, Policy
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.event import Event
from integrated_data.model.meanings import Handling, Kind
from integrated_data.standardise.values import standard_codes
from integrated_data.validate import shape
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import text

#: Published deliveries that one is compared with; what one of them explains is no drift.
BEFORE = 8
SHAPE = "shape.parquet"
#: Names of the stages that hold a delivery against its contract's columns.
ACQUIRE, STANDARDISE = "acquire", "standardise"
#: Operations of change data, as tools call them, after which a record is there.
KEEPING = frozenset({"I", "INSERT", "U", "UPDATE", "UPSERT", "C", "CREATE", "A", "ADD", "M", "MODIFY", "R", "READ"})
#: Kinds of which one may become the other, and a column stay what it is.
NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})


@dataclass(frozen=True)
class Evolution:
    """The contract a delivery was checked under, the one before it followed the delivery, and the drift."""

    contract: Contract
    base: Contract
    found: tuple[Drifted, ...] = ()

    @property
    def evolved(self) -> bool:
        """Whether drift changed the contract."""
        return bool(self.found) and self.contract != self.base


def contents(workshop: Workshop, load: Load, *, contract: Contract, rows: int, past: Past, first: Contract) -> Followed:
    """Keep the shape of a delivery's good rows, and hold it against those before; the relation GOOD is there.

    A delivery that came by a watched feed is compared by that, and a reference source by its index. `first`: as in
    `retyped`.
    """
    shown = _as_shown(workshop, contract)
    columns = shape.shaped(shown)
    if not columns or not rows or load.feed is not None or _watched(workshop, load):
        return Followed(contract)
    place = workshop.places.deliveries / load.delivery.id / SHAPE
    counted = shape.shape_sql(columns, checking.GOOD, rows=rows, row=ROW)
    workshop.engine.save(f"SELECT {text(load.delivery.id)} AS delivery, * FROM ({counted})", place)
    (now,) = _read(workshop.engine, [place], contract=shown)
    return _compared(contract, now, past=past, first=first)


def _compared(contract: Contract, now: shape.Shape, *, past: Past, first: Contract) -> Followed:
    """What of a shape the deliveries before do not explain; the contract lists the codes that are new to its list."""
    found: list[Drifted] = []
    columns = []
    for column in contract.columns:
        spread, before = now.spreads.get(column.name), past.spreads(column.name)
        if column.optional and spread is not None and not spread.filled:
            spread = None  # it did not come, which is told by itself
        if spread is not None and shape.stamped(column, before, now=spread):
            spread = None
        named = replace(column, codes=standard_codes(column))
        guessed = contract.inferred
        recoded = shape.recoded(named, before, now=spread, guessed=guessed) if spread is not None else None
        index = shape.shifted(before, spread) if spread is not None else None
        first_look = guessed and not past.shapes
        if (
            not first_look
            and shape.unlisted(named, before, now=now.free.get(column.name))
            and not past.has_free(column.name)
        ):
            told = f"column {column.source} was a list of codes and is free text"
            found.append(Drifted(DriftKind.CODES, column.source, told, _graver(contract, column)))
        elif recoded is not None:
            told = f"of column {column.source}, {recoded.new:,} codes are new and {recoded.gone:,} are gone"
            found.append(Drifted(DriftKind.CODES, column.source, told, _of_codes(contract, column, new=recoded.codes)))
        elif index is not None:
            told = f"column {column.source} is spread otherwise than before (population stability index {index:.2f})"
            found.append(Drifted(DriftKind.SHIFTED, column.source, told, contract.policy(DriftKind.SHIFTED)))
        more = tuple((code, "") for code in recoded.codes) if recoded and column.codes else ()
        columns.append(replace(column, codes=(*column.codes, *more)))
    changed = replace(contract, columns=tuple(columns))
    return Followed(versioned(changed, first, past=past) if changed != contract else contract, tuple(found))


def _graver(contract: Contract, column: Column) -> Policy:
    """What becomes of a list of codes that is free text now; where a steward released it, one looks again."""
    policy = contract.policy(DriftKind.CODES)
    return Policy.HOLD if policy is Policy.EVOLVE and column.handling is Handling.WITHHELD else policy


def _of_codes(contract: Contract, column: Column, *, new: Sequence[str]) -> Policy:
    """What becomes of another code list. An operation that nobody knows may delete: it is not taken for an update."""
    changes = contract.changes
    if changes is None or column.name != changes.operation or DriftKind.CODES in dict(contract.drift):
        return contract.policy(DriftKind.CODES)
    unknown = [code for code in new if code not in changes.deleted and code.upper() not in KEEPING]
    return Policy.HOLD if unknown else contract.policy(DriftKind.CODES)


def with_released(contract: Contract, released: Collection[str]) -> Contract:
    """The contract with columns that a steward released as payload; identifiers stay identifiers."""
    columns = tuple(
        replace(c, handling=Handling.PAYLOAD) if c.name in released and c.handling is Handling.WITHHELD else c
        for c in contract.columns
    )
    return replace(contract, columns=columns)


def _as_shown(workshop: Workshop, contract: Contract) -> Contract:
    with workshop.store.read() as connection:
        return with_released(contract, deliveries.released_columns(connection, contract.dataset))


def _watched(workshop: Workshop, load: Load) -> bool:
    with workshop.store.read() as connection:
        came = feeds.of_delivery(connection, load.delivery.id)
    return came is not None and came[0].watch is not None


def past_of(workshop: Workshop, load: Load, *, contract: Contract) -> Past:
    """What is known before a delivery of a dataset."""
    with workshop.store.read() as connection:
        dataset = load.delivery.dataset
        before = deliveries.published_before(connection, dataset, delivery=load.delivery.id, most=BEFORE)
        versions = deliveries.versions(connection, dataset)
    places = [workshop.places.deliveries / d / SHAPE for d in before]
    shown = _as_shown(workshop, contract)
    return Past(_read(workshop.engine, [p for p in places if p.exists()], contract=shown), versions)


def _read(engine: Engine, places: Sequence[Path], *, contract: Contract) -> list[shape.Shape]:
    """Shapes of several deliveries, as they were kept."""
    if not places:
        return []
    engine.load("shape", Stored(tuple(places)))
    try:
        kept = engine.rows("SELECT delivery, column_name, value, n FROM shape")
    finally:
        engine.drop("shape")
    return [
        shape.read(kept.filter(pc.field("delivery") == delivery), contract)
        for delivery in kept["delivery"].unique().to_pylist()
    ]


def stands(workshop: Workshop, dataset: str) -> str:
    """The version of a dataset's contract that is on record as its own; empty where there is none."""
    with workshop.store.read() as connection:
        return deliveries.current_version(connection, dataset)


def standing(workshop: Workshop, dataset: str, *, given: Contract | None) -> Contract | None:
    """The contract a delivery is loaded under: what it came with, or the one on record.

    Where the one on record followed from what it came with, it has followed drift since, and stands.
    """
    with workshop.store.read() as connection:
        body = deliveries.contract_body(connection, dataset)
        current = found = contracts.parse(body) if body is not None else None
        while given is not None and found is not None and found != given:
            body = deliveries.contract_body(connection, dataset, version=found.follows) if found.follows else None
            found = contracts.parse(body) if body is not None else None
    return current if given is None or found is not None else given


def keep(change: Change, workshop: Workshop, *, evolution: Evolution, state: LoadState) -> None:
    """Keep the contract of a checked delivery inside a change, and what has drifted on record.

    One that is not rejected makes it the dataset's own, unless it followed drift and waits: then accepting it does.
    """
    if evolution.found:
        change.note(drift=[d.told for d in evolution.found])
    if evolution.evolved:
        _save(change, evolution.base, current=False)
    waits = evolution.evolved and state is not LoadState.PUBLISHED
    _save(change, evolution.contract, current=state is not LoadState.REJECTED and not waits)
    if evolution.evolved and not waits:
        _withhold(change, evolution)
        change.also(_event(workshop, evolution))


def accepted(change: Change, workshop: Workshop, *, checked: Mapping[str, Any]) -> None:
    """Make the contract of an accepted delivery the dataset's own where it followed drift. `checked`: its facts."""
    if "base" not in checked:
        return
    contract, base = contracts.parse(checked["contract"]), contracts.parse(checked["base"])
    stands = deliveries.current_version(change.connection, contract.dataset)
    if stands not in (checked["stood"], contract.version):
        raise DeliveryRefusal(
            f"The contract of dataset {contract.dataset} has changed since the delivery was checked",
            why="What it would follow from is no longer what stands",
            next_step="Have it checked again: ids quarantine recheck",
        )
    _save(change, contract, current=True)
    evolution = Evolution(contract, base, from_facts(checked["drift"]))
    _withhold(change, evolution)
    change.also(_event(workshop, evolution))


def _withhold(change: Change, evolution: Evolution) -> None:
    """Withhold again what a steward released and is another column now: new, or of another type than a number's."""
    before = {c.name: c.kind for c in evolution.base.columns}
    other = {
        c.name for c in evolution.contract.columns
        if before.get(c.name) is not c.kind and not {before.get(c.name), c.kind} <= NUMBERS
    }  # fmt: skip
    deliveries.withhold_again(change, evolution.contract.dataset, names=other)


def begin_again(change: Change, job: str) -> Contract | None:
    """Forget, inside a change, what was found of a delivery that has drifted, so that it is held against the contract
    that stands now; returns the one it came with, or None where there is nothing to forget but its checking.

    A reference source, whose index stands in what was found, is checked again as it is.
    """
    acquired = jobs.done_steps(change.connection, job).get(ACQUIRE, {})
    if "drift" not in acquired or acquired.get("feed"):
        return None
    jobs.forget_steps(change, job, ACQUIRE, STANDARDISE)
    return contracts.parse(acquired.get("given") or acquired["base"])


def _save(change: Change, contract: Contract, *, current: bool) -> None:
    about = {"owner": contract.owner, "title": contract.title, "inferred": contract.inferred, "current": current}
    body = contracts.dump(contract)
    deliveries.save_contract(change, dataset=contract.dataset, version=contract.version, body=body, about=about)


def _event(workshop: Workshop, evolution: Evolution) -> Event:
    contract = evolution.contract
    told = {"from": evolution.base.version, "to": contract.version, "drift": [d.told for d in evolution.found]}
    return Event("contract.evolved", workshop.actor, f"dataset/{contract.dataset}", told)
