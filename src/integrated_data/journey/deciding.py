"""A version in which what people decided holds, without waiting for the next delivery of a source."""

import shutil

import pyarrow as pa

from integrated_data.control import indexes
from integrated_data.engine import Held
from integrated_data.index.seat import Addition, Tools
from integrated_data.journey.linking import DECISIONS, RECORDS, version_folder
from integrated_data.journey.workshop import Facts, Workshop
from integrated_data.model.event import Event

#: Stands for the source of a version that no delivery made.
SOURCE = "decisions"


def apply_decisions(workshop: Workshop, index: str) -> Facts:
    """Make the next version of an index from the one before and what people decided; `version` is None, and
    nothing is kept, where all is as decided already.
    """
    with workshop.store.read() as connection:
        before = indexes.get(connection, index)
    version = before.version + 1
    place = version_folder(workshop.places.indexes, index, version=version)
    shutil.rmtree(place, ignore_errors=True)  # what a killed build left: no record names it
    engine = workshop.engine
    engine.load(RECORDS, Held(pa.table({"record_id": pa.array([], pa.string())})))
    engine.load(DECISIONS, Held(workshop.rulings(index=index)))
    recorded_at = workshop.store.now().isoformat(timespec="seconds")
    addition = Addition(SOURCE, RECORDS, recorded_at, decisions=DECISIONS)
    previous = version_folder(workshop.places.indexes, index, version=before.version)
    try:
        tools = Tools(engine, workshop.linker)
        report = workshop.seats.of(index).add(tools, addition, previous=previous, folder=place)
    finally:
        engine.drop(RECORDS, DECISIONS)
    if not report["events"] and not report["created"]:
        shutil.rmtree(place)
        return {"index": index, "version": None, "events": {}}
    facts = {"index": index, "version": version, "events": report["events"]}
    with workshop.store.change(Event("index.decisions_applied", workshop.actor, f"index/{index}", facts)) as change:
        about = {"delivery": "", "report": report}
        indexes.add_version(change, index=index, version=version, source=SOURCE, about=about)
    return facts
