"""A change-data feed in micro-batches: from a batch that lands to its rows in an analyst's query.

A register of people is delivered whole, then in batches of changes that are dropped into a watched folder. Each is
fetched, sealed, checked, matched to an index of the fictional country's people, de-identified, put into the table by
key, and copied for the project that holds it; the clock stops when the analyst's query, through decision, gate and
worker, gives the batch's rows with the project's keys. The longest of all batches counts.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from bench.report import marks, table
from integrated_data import specimen
from integrated_data.access.asked import Question
from integrated_data.acquire import contracts
from integrated_data.control import feeds, projects, releases
from integrated_data.control.store import Store
from integrated_data.journey import Handed
from integrated_data.model.access import Accreditation, DatasetRequest, Person, Project
from integrated_data.model.agreement import Agreement, Purpose, Standing
from integrated_data.model.contract import Changes, Column, Contract, IndexUse, Mode
from integrated_data.model.feed import Drop, FeedDefinition, StoreKind
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.feeding.looking import Feeder
from integrated_data.site.installation import create
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places, open_store
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings

PEOPLE, BATCH, BATCHES = 50_000, 1_000, 12
MARK = 60.0  # seconds
SETTINGS = Settings(None, 2, "4GB", False, "bench")
NAME = "registrations"


@dataclass(frozen=True)
class Register:
    """The register: its records, how it is delivered whole, and how its changes are."""

    records: pa.Table
    whole: Contract
    changes: Contract


def register(file: Path, *, key: str) -> Register:
    """A register made of a department's file: with what is done, in which order, in which wave."""
    records = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types={}, strings_can_be_null=False))
    records = pa.table({n: records[n].cast(pa.string()) for n in records.column_names})
    with open_kit(SETTINGS) as kit:
        found = infer_contract(kit, [file], dataset=NAME, owner="Register")
    columns = tuple(replace(c, key=c.source == key, required=False, unique=False) for c in found.columns)
    more = (
        Column("done", "done", Kind.STRING, Meaning.CODE, Handling.IDENTIFIER),
        Column("at", "at", Kind.INTEGER, Meaning.MEASURE, Handling.IDENTIFIER),
        Column("wave", "wave", Kind.STRING, Meaning.CODE, Handling.PAYLOAD),
    )
    layout = replace(found.layout, delimiter=",", header=True)
    whole = replace(found, columns=(*columns, *more), inferred=False, rules=(), layout=layout, version="1.0.0",
                    indexes=(IndexUse("demographic"),))  # fmt: skip
    changes = replace(whole, mode=Mode.CHANGES, changes=Changes("done", ("D",), "at"), version="2.0.0")
    return Register(records, whole, changes)


def written(place: Path, rows: pa.Table, *, done: list[str], wave: int) -> Path:
    """A delivery of the register: put under its name once it is whole."""
    told = rows.append_column("done", pa.array(done)).append_column("at", pa.array([wave] * len(rows)))
    told = told.append_column("wave", pa.array([f"W{wave}"] * len(rows)))
    part = place.with_suffix(".part")
    csv.write_csv(told, part, csv.WriteOptions(quoting_style="needed"))
    return part.rename(place)


def batches(made: Register) -> Iterator[tuple[pa.Table, list[str]]]:
    """Changes: records that are told again, some to be deleted; one that was deleted may come back."""
    rng = np.random.default_rng(1)
    for _ in range(BATCHES):
        rows = made.records.take(pa.array(rng.choice(len(made.records), BATCH, replace=False)))
        yield rows, rng.choice(["U", "D"], BATCH, p=[0.97, 0.03]).tolist()


def apply_for(store: Store) -> None:
    """An agreement, an analyst, and a project that asks for the waves with the key of people."""
    today = store.now().date()
    last = today + timedelta(days=300)
    agreement = Agreement(f"A-{NAME}", NAME, "Register", "dea-2017-research", (Purpose.RESEARCH,), ("*",),
                          ("University",), today, last, index_by_default=True)  # fmt: skip
    projects.add_agreement(store, agreement, by="bench")
    accreditation = Accreditation(Standing.FULL, today, last)
    projects.add_person(store, Person("ada", "Ada", "University", accreditation, last), by="bench")
    asked = (DatasetRequest(NAME, ("wave",), ("person",)),)
    applied = Project("P-1", "Bench", Purpose.RESEARCH, "University", "ada", ("ada",), asked, today, last,
                      aims="To measure", public_benefit="Knowing how long it takes", ethics="None needed")  # fmt: skip
    projects.add_project(store, applied, by="ada")


def begun(places: Places, folder: Path) -> Register:
    """An index of people, the register delivered whole, and a project that holds it."""
    country = specimen.write(folder / "country", people=PEOPLE, seed=1, departments=["health_register", "census"])
    source = country.of("health_register")[0]
    census = country.of("census")[0]
    made = register(census.path, key=census.record_id)
    with open_loading(places, SETTINGS) as site:
        load_reference(site, SourceOrder("demographic", (source.path,), "health_register", source.record_id, None))
        whole = written(folder / "whole.csv", made.records, done=["I"] * len(made.records), wave=0)
        outcome = deliver_and_refresh(site, NAME, files=[whole], handed=Handed(made.whole))
        assert outcome["state"] == "published", outcome["reason"]
        apply_for(site.store)
        decision, _ = decide_and_provision(site, "P-1", by="panel")
        assert decision.allowed
    return made


def waited(feeder: Feeder, analysis: AnalysisSite, *, wave: int, since: float) -> float:
    """Look once a second until the analyst's query gives the wave; seconds since it was dropped."""
    while time.perf_counter() - since < 10 * MARK:
        with feeder.store.read() as connection:
            looked = feeder.look(feeds.get(connection, NAME))
        if any(f["state"] == "loaded" for f in looked["files"]):
            query = f"SELECT count(*) AS n, count(person_key) AS linked FROM {NAME} WHERE wave = 'W{wave}'"
            row = analysis.gateway.query(Question("ada", "P-1", query)).to_pylist()[0]
            assert row["n"] > 0
            assert row["linked"] > 0
            return time.perf_counter() - since
        time.sleep(1.0)
    return float("inf")


def _right(site: LoadingSite, made: Register, *, done: list[tuple[pa.Table, list[str]]], key: str) -> bool:
    """Whether as many rows of each wave are left as the changes in order leave."""
    last = dict.fromkeys(made.records[key].to_pylist(), (0, "I"))
    for wave, (rows, what) in enumerate(done, 1):
        last |= {k: (wave, w) for k, w in zip(rows[key].to_pylist(), what, strict=True)}
    wanted: dict[str, int] = {}
    for wave, what in last.values():
        wanted[f"W{wave}"] = wanted.get(f"W{wave}", 0) + (what != "D")
    with site.store.read() as connection:
        release = releases.get(connection, NAME)
    held = pa.concat_tables(
        [pa.parquet.read_table(f, columns=["wave"]) for f in site.lake.files(NAME, release.snapshot)]
    )
    counted = {r["values"]: r["counts"] for r in pc.value_counts(held["wave"]).to_pylist()}
    return counted == {k: n for k, n in wanted.items() if n}


def run() -> bool:
    """Print the seconds of each batch; true when the longest is within a minute and the table is right."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places, drop = create(folder / "home", actor="bench"), folder / "drop"
        drop.mkdir()
        made = begun(places, folder)
        store = open_store(places)
        kind = Drop(StoreKind.FOLDER, str(drop), quiet=0)
        definition = FeedDefinition(NAME, NAME, kind, "batch_{number}.csv", contract=contracts.dump(made.changes))
        feeds.put(store, definition, by="bench")
        feeder = Feeder(places, store, lambda: open_loading(places, SETTINGS), "bench")
        rows: list[dict[str, Any]] = []
        done = list(batches(made))
        with open_analysis(places, SETTINGS) as analysis:
            for wave, (changed, what) in enumerate(done, 1):
                since, cpu = time.perf_counter(), time.process_time()
                written(drop / f"batch_{wave}.csv", changed, done=what, wave=wave)
                seconds = waited(feeder, analysis, wave=wave, since=since)
                rows.append({"batch": wave, "changes": BATCH, "seconds": seconds, "cpu_s": time.process_time() - cpu})
        with open_loading(places, SETTINGS) as site:
            key = next(c.source for c in made.whole.columns if c.key)
            right = _right(site, made, done=done, key=key)
        table(f"batches of {BATCH:,} changes of {len(made.records):,} records, index of {PEOPLE:,} people", rows)
        longest = max(r["seconds"] for r in rows)
        table("all", [{"median_s": median(r["seconds"] for r in rows), "longest_s": longest}])
        return marks({f"landed to queryable, longest at most {MARK:g} s": longest <= MARK,
                      "the table is what all changes leave": right})  # fmt: skip


if __name__ == "__main__":
    sys.exit(not run())
