"""Bytes and CPU of a row at three sizes, from the file to the query, and what they come to at 83 billion rows.

A fictional country's census is loaded, matched to an index of the same people, de-identified, published, granted and
queried; a table of events about nobody is loaded and published; small tables show what a table costs by itself. Every
step is a process of its own. What was measured is kept in `bench/scale.json`, with the day and the machine;
docs/scale.md is made from it.

    ids bench scale                 measure and print
    python -m bench.scale write     measure, keep what was measured, and write the page anew
    python -m bench.scale page      write the page anew from what is kept
"""

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import linking, report
from bench.scale_page import PAGE, page, power
from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.approve.provision import Order, provision
from integrated_data.control import projects, releases, tables
from integrated_data.control.store import Store, sqlite
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.model.access import DatasetRequest, Decision, Project
from integrated_data.model.agreement import Purpose
from integrated_data.site import loads
from integrated_data.site.installation import create
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import MatchOrder, SourceOrder, load_reference, match_file
from integrated_data.site.settings import Settings
from integrated_data.specimen import write, write_small_tables

#: People of the country, rows of events, small tables.
PEOPLE, EVENTS, SMALL = (30_000, 100_000, 300_000), (300_000, 1_000_000, 3_000_000), 30
#: Records that are matched to an index of each size, the same number.
COMPARED = 20_000
KEPT = Path(__file__).with_suffix(".json")
QUERY = "SELECT ethnic_group, count(*) AS n, count(DISTINCT {key}) AS people FROM t GROUP BY 1"

_EVENTS = """
SELECT i AS event, DATE '2010-01-01' + (hash(i, 1) % 5000)::INTEGER AS day,
    DATE '2010-01-01' + (hash(i, 2) % 5000)::INTEGER AS told, chr((65 + hash(i, 3) % 6)::INTEGER) AS kind,
    chr((65 + hash(i, 4) % 20)::INTEGER) AS place, substring(md5((hash(i, 5) % 3000)::VARCHAR), 1, 6) AS code,
    substring(md5((hash(i, 6) % 90000)::VARCHAR), 1, 8) AS item, (hash(i, 7) % 1000)::INTEGER AS units,
    (hash(i, 8) % 90)::INTEGER AS days, (hash(i, 9) % 10000000) / 100.0 AS amount,
    (hash(i, 10) % 100000) / 100.0 AS fee, (hash(i, 11) % 3)::INTEGER AS state FROM range({rows}) t(i)
"""


def run() -> bool:
    """Measure and print; true when no step grows faster than its rows beyond what a run varies by."""
    told = measure()
    rows = [{"what": what, **one} for what in ("census", "events") for one in told[what]]
    report.table("CPU and bytes", [{k: v for k, v in r.items() if not isinstance(v, Mapping)} for r in rows])
    for what in ("census", "events"):
        report.table(f"{what}: microseconds of CPU a row, by stage",
                     [{"rows": one["rows"]} | {s: 1e6 * c / one["rows"] for s, c in one["stages"].items()}
                      for one in told[what]])  # fmt: skip
    report.table("The same number of records, matched to indexes of more people", told["compared"])
    report.table("A table by itself", [told["small"]])
    grown = {what: [power(a, b) for a, b in pairwise(told[what])] for what in ("census", "events")}
    report.table(
        "Growth: the power of rows that CPU follows", [{"what": w, "powers": str(p)} for w, p in grown.items()]
    )
    return report.marks({f"{what}: CPU follows rows^1.1 at most": p[-1] <= 1.1 for what, p in grown.items()})


def measure() -> dict[str, Any]:
    """Everything that the page needs, as plain values."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        census = [_one(_census, folder / f"census-{n}", n) for n in PEOPLE]
        events = [_one(_events, folder / f"events-{n}", n) for n in EVENTS]
        compared = [_one(_compared, folder / f"compared-{n}", n) for n in PEOPLE]
        small = linking.repeated(_small, folder / "small", runs=1).result
    machine = {"processor": platform.processor() or platform.machine(), "threads": linking.THREADS,
               "day": datetime.now(UTC).date().isoformat()}  # fmt: skip
    return {"machine": machine, "census": census, "events": events, "compared": compared, "small": small}


def _one(work: Any, folder: Path, size: int) -> dict[str, Any]:
    folder.mkdir()
    done = linking.repeated(work, folder, size, runs=1)
    return {**done.result, "MiB": round(done.memory)}


def _settings() -> Settings:
    return Settings(home=None, threads=linking.THREADS, memory="6GB", production=False, actor="system:bench")


def _size(place: Path) -> int:
    return sum(f.stat().st_size for f in place.rglob("*") if f.is_file()) if place.is_dir() else place.stat().st_size


def _census(folder: Path, people: int) -> dict[str, Any]:
    """Index the register of a country, deliver its census, grant and query it."""
    made = write(folder / "country", people=people, seed=5, departments=["health_register", "census"])
    register, file = made.of("health_register")[0].path, made.of("census")[0].path
    places = create(folder / "home", actor="system:bench")
    with open_loading(places, _settings()) as site:
        began = time.process_time()
        load_reference(site, SourceOrder("demographic", (register,), "health", "register_id"))
        index = {"rows": people, "cpu": time.process_time() - began, "bytes": _size(places.indexes / "demographic")}
        told = _delivered(site, places, file=file, dataset="census")
        told["index"] = index | {"register_bytes": register.stat().st_size}
        with site.store.read() as connection:
            release = releases.get(connection, "census")
        files = site.lake.files("census", release.snapshot)
        told["grant"] = _granted(site.engine, folder, files=files, release=release, rows=told["rows"])
    return told


def _compared(folder: Path, people: int) -> dict[str, Any]:
    """Match the same number of records to indexes of different sizes, the model trained before: CPU-seconds."""
    made = write(folder / "country", people=people, seed=5, departments=["health_register", "census"])
    register, census = made.of("health_register")[0].path, made.of("census")[0].path
    file, place = folder / "census.csv", folder / "census.yaml"
    with census.open(encoding="utf-8") as lines:
        file.write_text("".join(islice(lines, COMPARED + 1)), encoding="utf-8")
    with open_kit(_settings()) as kit:
        contracts.write(infer_contract(kit, [file], dataset="census", owner="bench"), place)
    order = MatchOrder("demographic", file, folder / "links.parquet", "resident_id", place)
    with open_loading(create(folder / "home", actor="system:bench"), _settings()) as site:
        load_reference(site, SourceOrder("demographic", (register,), "health", "register_id"))
        match_file(site, order)
        began = time.process_time()
        match_file(site, order)
        return {"people": people, "rows": COMPARED, "cpu": round(time.process_time() - began, 3)}


def _events(folder: Path, rows: int) -> dict[str, Any]:
    """Deliver a table about nobody; beside it, DuckDB's own typed CSV to Parquet of the same file."""
    file, places = folder / "events.csv", create(folder / "home", actor="system:bench")
    duckdb.execute(f"COPY ({_EVENTS.format(rows=rows)}) TO '{file}' (HEADER)").fetchall()
    connection = duckdb.connect(config={"threads": linking.THREADS})
    began = time.process_time()
    connection.execute(f"COPY (FROM read_csv('{file}')) TO '{folder / 'plain.parquet'}' (COMPRESSION zstd)").fetchall()
    plain = time.process_time() - began
    connection.close()
    with open_loading(places, _settings()) as site:
        return _delivered(site, places, file=file, dataset="events") | {"plain_cpu": plain}


def _delivered(site: Any, places: Places, *, file: Path, dataset: str) -> dict[str, Any]:
    """One delivery: CPU-seconds of each stage, bytes at each place."""
    with open_kit(_settings()) as kit:
        contract = infer_contract(kit, [file], dataset=dataset, owner="bench")
    stages: dict[str, float] = {}
    marks = [("", time.process_time())]
    outcome = journey.deliver(
        site.workshop, dataset, files=[file], handed=journey.Handed(contract),
        progress=lambda stage: marks.append((stage, time.process_time())),
    )  # fmt: skip
    assert outcome.state == "published", outcome.reason
    marks.append(("", time.process_time()))
    for (stage, began), (_, ended) in pairwise(marks[1:]):
        name = stage.split(" ")[0]
        stages[name] = round(stages.get(name, 0.0) + ended - began, 3)
    read = int(outcome.stages["validate"]["read"])
    links = outcome.stages["index"]["links"]
    return {
        "rows": read, "delivered": file.stat().st_size, "cpu": round(sum(stages.values()), 3), "stages": stages,
        "matched": sorted(links), "landed": _size(places.landed / outcome.delivery),
        "checked": _size(places.deliveries / outcome.delivery),
        "lake": _size(places.lake / "files"),
    }  # fmt: skip


def _granted(
    engine: Any, folder: Path, *, files: Sequence[Path], release: releases.Release, rows: int
) -> dict[str, Any]:
    """A project's copy of a table with its own keys, and a query over it in one warm process."""
    control = sqlite(folder / "projects.sqlite")
    tables.METADATA.create_all(control)
    store, day = Store(control), datetime.now(UTC).date()
    ends = ("_entity", "_link_probability", "_link_method", "_link_weight")
    columns = tuple(v["name"] for v in release.entry["variables"] if not v["name"].endswith(ends))
    asked = DatasetRequest("census", columns, ("person",))
    project = Project("P-1", "Bench", Purpose.RESEARCH, "Bench", "ada", ("ada",), (asked,), day, day)
    projects.add_project(store, project, by="ada")
    projects.record_decision(store, "P-1", decision=Decision(True, (), (), "bench", store.now()), by="bench")
    began = time.process_time()
    grant = provision(engine, ProjectTokens(b"k" * 32), folder=folder / "projects", store=store, by="bench",
                      order=Order("P-1", asked, release.id, tuple(files)))  # fmt: skip
    cpu = time.process_time() - began
    copy = folder / "projects" / grant.place
    connection = duckdb.connect(config={"threads": linking.THREADS})
    connection.execute(f"CREATE VIEW t AS FROM '{copy}'")
    query = QUERY.format(key="person_key")
    connection.execute(query).fetchall()
    spent = []
    for _ in range(5):
        before = time.process_time()
        connection.execute(query).fetchall()
        spent.append(time.process_time() - before)
    return {"rows": rows, "cpu": cpu, "bytes": grant.bytes, "query_cpu": statistics.median(spent)}


def _small(folder: Path) -> dict[str, float]:
    """What a table of a hundred rows or so costs beside its rows: the median, in a process that is warm."""
    write_small_tables(folder, count=SMALL, share=0.0)
    places = create(folder / "home", actor="system:bench")
    spent = []
    with open_loading(places, _settings()) as site:
        before = _control(site.store)
        for file in sorted((folder / "deliveries").iterdir()):
            began = time.process_time()
            loads.deliver_alone(site, file.name.split(".")[0], files=[file])
            spent.append(time.process_time() - began)
        with site.store.read() as connection:
            events = connection.execute(tables.audit_event.select()).all()
        after = _control(site.store)
    return {"cpu": statistics.median(spent), "control": (after - before) / SMALL, "events": len(events) / SMALL}


def _control(store: Store) -> int:
    """Bytes of the control store's pages."""
    with store.read() as connection:
        pages = connection.exec_driver_sql("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(pages.scalar_one())


def main(order: str) -> None:
    """Measure and keep where the order is `write`; write the page."""
    if order == "write":
        KEPT.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(KEPT.read_text("utf-8")), PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "page")
