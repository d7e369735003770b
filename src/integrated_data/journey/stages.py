"""The stages of a journey, in order: what each reads and leaves. Rooms meet here and nowhere else."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.binding import spelled
from integrated_data.acquire.drift import Drift, drift_of
from integrated_data.acquire.infer import infer
from integrated_data.acquire.labels import labelled
from integrated_data.acquire.layout import Delivered, sniff
from integrated_data.acquire.prepare import prepare
from integrated_data.acquire.sample import sample_of
from integrated_data.control import deliveries, feeds, freezes, releases
from integrated_data.control.store import Change
from integrated_data.deidentify import attach
from integrated_data.deidentify.scan import scan
from integrated_data.engine import Stored
from integrated_data.journey import (
    adding,
    checking,
    completing,
    drifting,
    ending,
    following,
    linking,
    owning,
    placing,
    profiling,
    rejecting,
    together,
    watching,
)
from integrated_data.journey.standing import standing_of
from integrated_data.journey.workshop import Done, Facts, Load, Stage, Workshop
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.publish.catalogue import Published, entry
from integrated_data.validate import judge
from integrated_data.validate.widen import widened
from integrated_data.vocabulary.marks import ROW

PUBLISHED = "published"


def _acquire(workshop: Workshop, load: Load) -> Done:
    """Find the contract: given, on record, or inferred from a sample; let it follow the header where it may."""
    if load.completes is not None:
        under = completing.contract_of(workshop, load)
        return completing.acquired(workshop, load, delivered=_delivered(workshop, load, contract=under))
    contract = following.standing(workshop, load.delivery.dataset, given=load.given)
    delivered = _delivered(workshop, load, contract=contract)
    fresh = contract is None
    if contract is None:
        contract = _inferred(workshop, load, delivered=delivered)
    followed = drifting.Followed(contract)
    if not fresh and drift_of(contract, delivered.columns) != Drift():
        past = following.past_of(workshop, load, contract=contract)
        followed = drifting.header(_bench(workshop, load, delivered=delivered), contract, past=past)
    body, version = contracts.dump(followed.contract), followed.contract.version
    facts: Facts = {
        "contract": body, "version": version, "inferred": contract.inferred, "fresh": fresh, "owner": contract.owner,
        "feed": asdict(load.feed) if load.feed else None,
    }  # fmt: skip
    if followed.found:
        facts |= {"base": contracts.dump(contract), "drift": drifting.facts(followed.found)}
    if load.given is not None and load.given != followed.contract:
        facts["given"] = contracts.dump(load.given)
    return Done(facts, (f"delivery/{load.delivery.id}",), (f"contract/{contract.dataset}/{version}",))


def _bench(workshop: Workshop, load: Load, *, delivered: Delivered) -> drifting.Bench:
    return drifting.Bench(workshop.engine, workshop.sealer, delivered, _landed(workshop, load))


def _inferred(workshop: Workshop, load: Load, *, delivered: Delivered) -> Contract:
    place = _landed(workshop, load) / "sample.sealed"
    workshop.engine.load("sample", sample_of(delivered, place, sealer=workshop.sealer))
    owner = owning.owner_of(workshop, load.delivery.dataset) or load.delivery.dataset
    contract = infer(workshop.engine, "sample", dataset=load.delivery.dataset, owner=owner, layout=delivered.layout)
    workshop.engine.drop("sample")
    place.unlink(missing_ok=True)
    return labelled(spelled(contract, delivered.headings), delivered.labels)


def _delivered(workshop: Workshop, load: Load, *, contract: Contract | None) -> Delivered:
    sheet, member = (contract.layout.sheet, contract.layout.member) if contract else (None, None)
    landed = _landed(workshop, load)
    prepared = prepare(
        load.delivery.files, landed, sealer=workshop.sealer, foreign=workshop.foreign, sheet=sheet, member=member
    )  # fmt: skip
    return sniff(prepared, workshop.sealer, contract=contract)


def _standardise(workshop: Workshop, load: Load) -> Done:
    """Bind the projection to one standard; nothing is copied until it has been checked."""
    contract = contract_of(load)
    columns = checking.view(workshop.engine, contract, delivered=_delivered(workshop, load, contract=contract))
    return Done({"columns": columns}, (f"delivery/{load.delivery.id}",), (f"standardised/{load.delivery.id}",))


def _validate(workshop: Workshop, load: Load) -> Done:
    """Save every row with its marks, sealed; send broken rows to quarantine; decide what becomes of it."""
    engine, place = workshop.engine, _checked(workshop, load)
    delivered = _delivered(workshop, load, contract=contract_of(load))
    if load.completes is not None:
        return together.validate(workshop, load, delivered=delivered, place=place)
    evolution, found = _settled(workshop, load, delivered=delivered)
    contract, drifted = evolution.contract, evolution.found
    sure = rejecting.save_quarantine(
        engine, workshop.sealer, contract=contract, found=found, delivered=delivered, folder=place.parent
    )
    state = judge.judge(contract, found.tally)
    reasons = [] if state is LoadState.PUBLISHED else [judge.sentence(contract, found.tally, account=found.account)]
    measured, unusual = watching.watched(workshop, load, contract=contract, place=place)
    waits, told = drifting.verdict(drifted)
    if not sure:
        state = max(state, LoadState.HELD, key=drifting.GRAVER.index)
        reasons.append(rejecting.APART)
    if any(s.grave for s in unusual) or told:
        state = max(state, waits if told else LoadState.HELD, key=drifting.GRAVER.index)
        reasons += [told, *(s.told for s in unusual if s.grave)]
    reason, body = "; ".join(r for r in reasons if r), contracts.dump(contract)
    facts = {**judge.facts(found.tally, found.account), "contract": body, "reason": reason,
             "notices": ending.kept(found.notices, vouched=load.vouched),
             "unusual": [s.told for s in unusual], "drift": drifting.facts(drifted)}  # fmt: skip
    if evolution.evolved:
        facts |= {"base": contracts.dump(evolution.base), "stood": following.stands(workshop, contract.dataset)}

    def write(change: Change) -> None:
        following.keep(change, workshop, evolution=evolution, state=state)
        deliveries.set_contract(change, load.delivery.id, version=contract.version)
        deliveries.set_tally(change, load.delivery.id, tally=found.tally)
        if measured is not None:
            feeds.keep_measures(change, load.delivery.id, measures=measured)
        change.note(read=found.tally.read, good=found.tally.good, quarantined=found.tally.quarantined)
        if state is not LoadState.PUBLISHED:
            deliveries.move(change, load.delivery.id, state=state)

    return Done(facts, (f"standardised/{load.delivery.id}",), (f"checked/{load.delivery.id}",), write, reason or None)


def _settled(workshop: Workshop, load: Load, *, delivered: Delivered) -> tuple[following.Evolution, checking.Checked]:
    """The contract that the rows are checked under, as it follows the delivery, and what was found.

    A contract that was inferred from this very delivery is widened where the whole file shows that the sample misled;
    any other one follows only what its policies for drift say.
    """
    contract, acquired, engine = contract_of(load), load.done["acquire"], workshop.engine
    place, drifted = _checked(workshop, load), drifting.from_facts(acquired.get("drift", ()))
    standing, fresh = standing_of(workshop, contract), acquired.get("fresh", acquired["inferred"])

    def check(under: Contract) -> checking.Checked:
        return checking.check(
            engine, workshop.sealer, contract=under, delivered=delivered, place=place, standing=standing
        )

    found = check(contract)
    if fresh:
        wider = widened(engine, contract, checked=checking.CHECKED, counted=found.tally)
        if wider is not None:
            contract, found = wider, check(wider)
    base = contracts.parse(acquired["base"]) if "base" in acquired else contract
    past = following.past_of(workshop, load, contract=contract)
    if not fresh and found.tally.unread:
        bench = _bench(workshop, load, delivered=delivered)
        followed = drifting.retyped(bench, contract, found=found, past=past, first=base)
        if followed.found:
            contract, found, drifted = followed.contract, check(followed.contract), (*drifted, *followed.found)
    followed = following.contents(workshop, load, contract=contract, rows=found.tally.good, past=past, first=base)
    return following.Evolution(followed.contract, base, (*drifted, *followed.found)), found


def _index(workshop: Workshop, load: Load) -> Done:
    """Match every good row once to each index the contract names."""
    contract = contract_of(load)
    checking.load_good(workshop.engine, contract, place=_checked(workshop, load))
    made = linking.match_delivery(
        workshop, contract, delivery=load.delivery, good=checking.GOOD, folder=_folder(workshop, load)
    )

    def write(change: Change) -> None:
        linking.write_links(change, workshop, delivery=load.delivery, made=made)

    outputs = tuple(f"links/{load.delivery.id}/{index}" for index in made)
    return Done({"links": made}, (f"checked/{load.delivery.id}",), outputs, write)


def _deidentify(workshop: Workshop, load: Load) -> Done:
    """Look at what would be published; a column that still identifies somebody is withheld."""
    contract = contract_of(load)
    checking.load_good(workshop.engine, contract, place=_checked(workshop, load))
    with workshop.store.read() as connection:
        released = deliveries.released_columns(connection, contract.dataset)
    strings = [
        c for c in attach.published_columns(following.with_released(contract, released), frozenset())
        if c.kind is Kind.STRING and c.name not in released
    ]  # fmt: skip
    guessed = {c.name: c.meaning is Meaning.CODE for c in strings if contract.inferred and c.confidence < 1.0}
    names, rows = [c.name for c in strings], load.done["validate"]["read"]
    found = {
        f.column: f.reason for f in scan(workshop.engine, checking.GOOD, columns=names, rows=rows, guessed=guessed)
    }
    held = {c.name: "withheld until a steward releases it" for c in contract.columns if c.handling is Handling.WITHHELD}
    withheld = {n: r for n, r in (held | found).items() if n not in released}
    facts: Facts = {"withheld": withheld, "released": sorted(released)}
    if load.completes is not None:
        facts = adding.like_first(workshop, load, facts=facts)
    return Done(facts, (f"checked/{load.delivery.id}",), ())


def _of_first(workshop: Workshop, load: Load, *, stage: Stage) -> Done:
    """Take a held first delivery through a stage that it has not gone through, for it is published with this one."""
    first = completing.carried(workshop, load)
    if first is None:
        return Done({})
    left = stage.run(workshop, first)

    def write(change: Change) -> None:
        if left.write is not None:
            left.write(change)
        completing.carried_on(change, first, stage=stage.name, facts=left.facts)

    return Done({}, left.inputs, left.outputs, write)


def _publish(workshop: Workshop, load: Load) -> Done:
    """Write the table once, commit its snapshot, and name it: from then on it exists for readers."""
    contract = following.with_released(contract_of(load), load.done["deidentify"]["released"])
    checking.load_good(workshop.engine, contract, place=_checked(workshop, load))
    withheld: dict[str, str] = load.done["deidentify"]["withheld"]
    with workshop.store.read() as connection:
        base = releases.current(connection, contract.dataset)
    placed = (
        adding.placed(workshop, load, contract=contract, base=base) if load.completes is not None
        else placing.placed(workshop, contract, delivery=load.delivery.id, base=base)
    )  # fmt: skip
    attachments = linking.attachments(workshop, load.done["index"]["links"], folder=_folder(workshop, load))
    text = attach.published_sql(
        contract, checking.GOOD, good=placed.good, attachments=attachments, withheld=frozenset(withheld),
        constants=placed.constants,
    )  # fmt: skip
    first, place = completing.carried(workshop, load), workshop.lake.place(contract.dataset, load.delivery.id)
    rows = workshop.engine.save(text, place, sealed=False)
    files = placing.files_after(workshop, contract.dataset, step=placed.step, base=base)
    newest = (place,) if load.completes is None else adding.family(workshop, load, files=files)
    table = profiling.Table(PUBLISHED, rows + (base.rows if base else 0), files, newest)
    made = _entry(workshop, load, contract=contract, withheld=withheld, rows=rows, table=table)
    snapshot = workshop.lake.commit(contract.dataset, placed.step, base=base.snapshot if base else None)
    made |= placing.told(workshop, contract, placed=placed, before=base.rows if base else 0)
    if load.completes is not None:
        made |= adding.told(workshop, load, step=placed.step, base=base, made=made)

    def write(change: Change) -> None:
        what = f"Dataset {contract.dataset} is not published"
        freezes.check(change.connection, what, datasets=(contract.dataset,), refused=DeliveryRefusal)
        deliveries.check_not_there(change.connection, load.delivery.id)
        release = releases.name_snapshot(
            change, dataset=contract.dataset, delivery=load.delivery.id, snapshot=snapshot, entry=made
        )
        deliveries.move(change, load.delivery.id, state=LoadState.PUBLISHED)
        change.note(release=release, rows=rows)
        if first is not None:
            completing.published_with(change, first, facts={"snapshot": snapshot, deliveries.BY: load.delivery.id})

    return Done(
        {"rows": rows, "snapshot": snapshot, "overtaken": placed.overtaken},
        (f"checked/{load.delivery.id}",),
        (f"dataset/{contract.dataset}",),
        write,
        entry=made,
    )


def _entry(
    workshop: Workshop, load: Load, *, contract: Contract, withheld: dict[str, str], rows: int, table: profiling.Table
) -> dict[str, Any]:
    engine = workshop.engine
    engine.load(PUBLISHED, Stored(tuple(table.files), sealed=False))
    columns = {name: kind for name, kind in engine.columns(PUBLISHED).items() if name != ROW}
    profiles = profiling.profiles(engine, contract, table=table, withheld=withheld)
    links = {index: facts["report"] for index, facts in load.done["index"]["links"].items()}
    checked = load.done["validate"]
    tally = Tally(checked["read"], checked["good"], checked["quarantined"], tuple(checked["by_rule"].items()))
    return entry(contract, Published(columns, rows, tally, withheld, links, profiles))


def _feed(workshop: Workshop, load: Load) -> Done:
    """Make the next version of an index from the good rows of a reference source."""
    assert load.feed is not None
    contract = contract_of(load)
    checking.load_good(workshop.engine, contract, place=_checked(workshop, load))
    facts, write = linking.feed_index(workshop, load, contract=contract, good=checking.GOOD)

    def published(change: Change) -> None:
        write(change)
        deliveries.move(change, load.delivery.id, state=LoadState.PUBLISHED)

    output = f"index/{load.feed.index}/{facts['version']}"
    return Done(facts, (f"checked/{load.delivery.id}",), (output,), published)


def contract_of(load: Load) -> Contract:
    """The contract a load runs under: as acquired, or as widened when it was checked."""
    return contracts.parse(load.done.get("validate", load.done["acquire"])["contract"])


def _checked(workshop: Workshop, load: Load) -> Path:
    return _folder(workshop, load) / "checked.parquet"


def _landed(workshop: Workshop, load: Load) -> Path:
    return workshop.places.landed / load.delivery.id


def _folder(workshop: Workshop, load: Load) -> Path:
    folder = workshop.places.deliveries / load.delivery.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


ACQUIRE, STANDARDISE, VALIDATE, PUBLISH = (
    Stage("acquire", _acquire), Stage("standardise", _standardise), Stage("validate", _validate),
    Stage("publish", _publish),
)  # fmt: skip

INDEX, DEIDENTIFY = Stage("index", _index), Stage("deidentify", _deidentify)

STAGES = (ACQUIRE, STANDARDISE, VALIDATE, INDEX, DEIDENTIFY, PUBLISH)

#: Those of a delivery that completes another one, which goes with it where it was held until now.
COMPLETING_STAGES = (
    ACQUIRE, STANDARDISE, VALIDATE, Stage("index_first", partial(_of_first, stage=INDEX)),
    Stage("deidentify_first", partial(_of_first, stage=DEIDENTIFY)), INDEX, DEIDENTIFY, PUBLISH,
)  # fmt: skip

REFERENCE_STAGES = (ACQUIRE, STANDARDISE, VALIDATE, Stage("feed", _feed))
