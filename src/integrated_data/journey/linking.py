"""Matching a delivery to the indexes its contract names, and feeding an index from a reference source."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from integrated_data.control import indexes
from integrated_data.control.store import Change
from integrated_data.deidentify.attach import Attachment
from integrated_data.engine import Held, Stored
from integrated_data.index.records import Records, named, records_of
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.journey import provisional
from integrated_data.journey.binding import bind
from integrated_data.journey.weighing import weigh_links, weights_place
from integrated_data.journey.workshop import Facts, Load, Workshop
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.delivery import Delivery
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

RECORDS, LINKS, TELLING, DECISIONS = "records", "links", "telling", "decisions"

#: Indexes that read columns of a source by their headings too: versions of codes, polygons, weights.
WHOLE = ("classification", "geography")


def version_folder(indexes_folder: Path, index: str, *, version: int) -> Path:
    """Where the files of a version of an index, or of its provisional entities, are."""
    return indexes_folder.joinpath(*index.split(".")) / f"v{version:04d}"


def match_delivery(
    workshop: Workshop, contract: Contract, *, delivery: Delivery, good: str, folder: Path
) -> dict[str, Facts]:
    """Match good rows to every index the contract names that holds something; links are saved, sealed.

    What an index does not find is matched to its provisional entities (see `journey.provisional`).
    """
    made: dict[str, Facts] = {}
    for use in contract.indexes:
        with workshop.store.read() as connection:
            version = indexes.current(connection, use.index)
        if version is None:
            continue
        place = version_folder(workshop.places.indexes, use.index, version=version.version)
        records = records_by_row(workshop, contract, use=use, good=good)
        models = models_folder(workshop, use.index, dataset=contract.dataset)
        fills = workshop.seats.of(use.index).definition.provisional
        links, found = LINKS, Facts()
        report = match_records(workshop, records, use=use, folder=place, models=models, telling=fills)
        if fills:
            workshop.engine.view(RECORDS, records.sql)
            put = provisional.Put(delivery, use, records, RECORDS, LINKS, TELLING, place, models)
            links, found = provisional.PLACED, provisional.place(workshop, put)
        workshop.engine.save(f"SELECT * FROM {links}", folder / f"links-{use.index}.parquet")
        report |= weigh_links(workshop, contract, index=use.index, links=links, folder=folder, good=good)
        workshop.engine.drop(LINKS, RECORDS, TELLING, provisional.PLACED)
        made[use.index] = {"version": version.version, "report": report | found.pop("report", {}), **found}
    return made


def match_records(
    workshop: Workshop, records: Records, *, use: IndexUse, folder: Path, models: Path, telling: bool = False
) -> Facts:
    """Make table LINKS of records, matched to the index version in `folder` and bound by what people
    decided; returns the report.

    `telling`: make table TELLING too (see `index.seat.Matching`).
    """
    workshop.engine.view(RECORDS, records.sql)
    wanted = TELLING if telling else None
    matching = Matching(RECORDS, LINKS, use.one_to_one, models, columns=records.columns, telling=wanted)
    try:
        report = workshop.seats.of(use.index).match(Tools(workshop.engine, workshop.linker), matching, folder=folder)
        return report | bind(workshop, records, index=use.index, folder=folder, links=LINKS)
    finally:
        workshop.engine.drop(RECORDS)


def models_folder(workshop: Workshop, index: str, *, dataset: str) -> Path:
    """Where the match models of a dataset are kept and found again."""
    return workshop.places.indexes / index / "models" / dataset


def records_by_row(workshop: Workshop, contract: Contract, *, use: IndexUse, good: str) -> Records:
    """The good rows of a delivery as an index matches them, numbered as they were delivered."""
    own = named(contract, workshop.seats.of(use.index).definition)
    return records_of(contract, use, relation=good, record_id=ROW, also=own)


def write_links(change: Change, workshop: Workshop, *, delivery: Delivery, made: Mapping[str, Facts]) -> None:
    """Write link sets, and the versions of provisional entities they made, down inside a change."""
    provisional.write(change, workshop, delivery=delivery, made=made)
    for index, facts in made.items():
        about = {
            "index_version": facts["version"], "place": f"deliveries/{delivery.id}/links-{index}.parquet",
            "report": facts["report"], "whole": True,
        }  # fmt: skip
        indexes.save_links(change, delivery=delivery.id, dataset=delivery.dataset, index=index, about=about)


def attachments(workshop: Workshop, made: Mapping[str, Facts], *, folder: Path) -> list[Attachment]:
    """What publishing attaches to every row: the links of each index and its published attributes."""
    found = []
    for index, facts in made.items():
        links, attributes = f"links_{index}", f"attributes_{index}"
        workshop.engine.load(links, Stored((folder / f"links-{index}.parquet",)))
        seat = workshop.seats.of(index)
        place = version_folder(workshop.places.indexes, index, version=facts["version"])
        columns = seat.published(workshop.engine, folder=place, relation=attributes)
        weights = None
        if weights_place(folder, index).exists():
            weights = f"weights_{index}"
            workshop.engine.load(weights, Stored((weights_place(folder, index),)))
        found.append(Attachment(seat.definition, links, attributes if columns else None, columns, weights))
    return found


def feed_index(
    workshop: Workshop, load: Load, *, contract: Contract, good: str
) -> tuple[Facts, Callable[[Change], None]]:
    """Write the next version of an index from good rows of a reference source; it exists once written down."""
    assert load.feed is not None
    index, source = load.feed.index, load.delivery.dataset
    with workshop.store.read() as connection:
        before = indexes.current(connection, index)
    version = before.version + 1 if before else 1
    place = version_folder(workshop.places.indexes, index, version=version)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)  # what a killed build left: no record names it
    also = (
        [c.name for c in contract.columns] if index in WHOLE else named(contract, workshop.seats.of(index).definition)
    )
    records = records_of(contract, IndexUse(index), relation=good, record_id=_record_id(load, contract), also=also)
    workshop.engine.view(RECORDS, records.sql)
    workshop.engine.load(DECISIONS, Held(workshop.rulings(index=index)))
    recorded_at = workshop.store.now().isoformat(timespec="seconds")
    numbered = load.feed.id_column is None and not contract.meaning(Meaning.RECORD_ID)
    addition = Addition(source, RECORDS, recorded_at, records.columns, decisions=DECISIONS, numbered=numbered)
    previous = version_folder(workshop.places.indexes, index, version=before.version) if before else None
    tools = Tools(workshop.engine, workshop.linker)
    if workshop.seats.of(index).definition.provisional:
        addition = provisional.meet(workshop, index, addition=addition, beside=previous)
    try:
        report = workshop.seats.of(index).add(tools, addition, previous=previous, folder=place)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)  # a full disk needs the room, and no record names it
        raise
    workshop.engine.drop(RECORDS, DECISIONS, *([addition.met] if addition.met else []))
    facts: Facts = {"index": index, "version": version, "report": report}

    def write(change: Change) -> None:
        about: dict[str, Any] = {"delivery": load.delivery.id, "report": report}
        indexes.add_version(change, index=index, version=version, source=source, about=about)
        change.note(index=index, version=version)

    return facts, write


def _record_id(load: Load, contract: Contract) -> str:
    """SQL of what numbers a source's records: the column named, its own record id, or its row."""
    assert load.feed is not None
    wanted = load.feed.id_column
    if wanted is not None:
        found = [c for c in contract.columns if wanted in (c.source, c.name)]
        if not found:
            raise ContractRefusal(
                f"The source has no column {re.sub(r'[^A-Za-z0-9_ ]', '', wanted)[:64]}",
                next_step="Name a column of the file with --id",
            )
        return f"{sql.name(found[0].name)}::VARCHAR"
    own = contract.meaning(Meaning.RECORD_ID)
    return f"{sql.name(own[0].name)}::VARCHAR" if own else f"{ROW}::VARCHAR"
