"""Project keys against raw integers: the same join and group-by, 2 M persons × 8 M events.

Both sides go through the gateway's worker end to end: the governed side over what `provision` made
(tokens in the place of entity ids, in the order of the tokens), the raw side over the published files
as they are, joined on the integer ids. The raw side run inside one warm process stands beside them as
the floor, and what the grants cost in bytes and seconds, and the making of the tokens alone.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.access.gate import check_query
from integrated_data.access.running import Job
from integrated_data.access.views import View, of_grants
from integrated_data.approve.provision import Order, provision
from integrated_data.control import projects, tables
from integrated_data.control.store import Store, sqlite
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.access import DatasetRequest, Decision, Grant, Project
from integrated_data.model.agreement import Purpose
from integrated_data.model.query import QueryLimits
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose

PERSONS, EVENTS, RUNS = 2_000_000, 8_000_000, 5
MARK = 1.15

QUERIES = {
    "join and group": (
        "SELECT p.region, p.age, count(*) AS events, sum(e.amount) AS amount "
        "FROM persons p JOIN events e USING ({key}) GROUP BY p.region, p.age"
    ),
    "group by person": (
        "SELECT max(n) AS most, avg(n) AS mean FROM (SELECT {key}, count(*) AS n FROM events GROUP BY {key})"
    ),
    "count distinct": "SELECT kind, count(DISTINCT {key}) AS people FROM events GROUP BY kind",
    "selective filter": (
        "SELECT count(*) AS n FROM persons p JOIN events e USING ({key}) WHERE p.age = 40 AND e.kind = 3"
    ),
}


def publish(folder: Path) -> dict[str, Path]:
    """Two published tables in delivered order: opaque ids at random, events in order of time."""
    dice = np.random.default_rng(1)
    ids = dice.integers(0, 2**63 - 1, PERSONS)
    link = pa.array(["exact"], pa.string())

    def linked(entities: np.ndarray) -> dict[str, pa.Array]:
        n = len(entities)
        return {
            "person_entity": pa.array(entities),
            "person_link_probability": pa.array(np.full(n, 0.99, np.float32)),
            "person_link_method": pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), link).cast(pa.string()),
        }

    persons = {"region": dice.integers(0, 10, PERSONS), "age": dice.integers(0, 100, PERSONS)}
    events = {
        "kind": dice.integers(0, 20, EVENTS), "amount": dice.gamma(2, 100, EVENTS).round(2),
        "day": np.sort(dice.integers(0, 3650, EVENTS)),
    }  # fmt: skip
    made = {}
    for name, entities, columns in (
        ("persons", ids, persons), ("events", ids[dice.integers(0, PERSONS, EVENTS)], events),
    ):  # fmt: skip
        made[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table({**linked(entities), **columns}), made[name], compression="zstd")
    return made


def grant(folder: Path, published: dict[str, Path]) -> list[Grant]:
    """Provision both tables for one project."""
    control = sqlite(folder / "control.sqlite")
    tables.METADATA.create_all(control)
    store, payload = Store(control), {"persons": ("region", "age"), "events": ("kind", "amount", "day")}
    asked = {name: DatasetRequest(name, columns, ("person",)) for name, columns in payload.items()}
    day = store.now().date()
    project = Project("P-1", "Bench", Purpose.RESEARCH, "Bench", "ada", ("ada",), tuple(asked.values()), day, day)
    projects.add_project(store, project, by="ada")
    projects.record_decision(store, "P-1", decision=Decision(True, (), (), "bench", store.now()), by="bench")
    engine = DuckDB(Limits(threads=2, memory="8GB", scratch=folder / "scratch"))
    try:
        return [
            provision(
                engine,
                ProjectTokens(b"k" * 32),
                folder=folder / "projects",
                store=store,
                by="bench",
                order=Order("P-1", asked[name], 1, (file,)),
            )
            for name, file in published.items()
        ]
    finally:
        engine.close()


def raw_views(folder: Path, published: dict[str, Path]) -> dict[str, View]:
    """The published files as views of their own, with the entity ids in them."""
    return {
        name: View(name, name, tuple(pq.read_schema(file).names), (), str(file.relative_to(folder)))
        for name, file in published.items()
    }


def median(run: Callable[[], pa.Table]) -> tuple[float, pa.Table]:
    """Median wall time of some runs after one that warms the files up, and the last result."""
    run()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def through(worker: ProcessWorker, views: dict[str, View], sql: str) -> Callable[[], pa.Table]:
    """A query through gate and worker, end to end."""
    parser = DuckDBParser()

    def run() -> pa.Table:
        checked = check_query(sql, views, parser=parser)
        job = Job(sql, tuple(views[name] for name in checked.tables), QueryLimits(memory=6 * 2**30))
        rows = worker.start(job)
        return pa.Table.from_batches(list(rows), schema=rows.schema)

    return run


def inside(views: dict[str, View], folder: Path, sql: str) -> Callable[[], pa.Table]:
    """A query in one warm process, as an analyst without a service would run it."""
    connection = duckdb.connect(config={"threads": 2})
    for name, view in views.items():
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / view.place}')")
    return lambda: connection.execute(sql).to_arrow_table()


def tokens_alone() -> float:
    """Seconds to make five million tokens."""
    ids = np.random.default_rng(2).integers(0, 2**63 - 1, 5_000_000)
    started = time.perf_counter()
    ProjectTokens(b"k" * 32).of("person", ids)
    return time.perf_counter() - started


def run() -> bool:
    """Print the table; returns whether the join and group-by is within its mark."""
    out = sys.stdout.write
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        published = publish(folder)
        grants = grant(folder, published)
        for one in grants:
            out(f"grant of {one.dataset}: {one.rows:,} rows, {one.bytes / 2**20:.0f} MiB, {one.seconds:.1f} s\n")
        out(f"5,000,000 tokens: {tokens_alone():.2f} s\n")
        isolation = choose(production=False)
        out(f"worker: {isolation.name}; median of {RUNS}, seconds\n")
        governed = ProcessWorker(isolation, folder / "projects", folder / "scratch")
        raw = ProcessWorker(isolation, folder, folder / "scratch")
        granted, plain = dict(of_grants(grants)), raw_views(folder, published)
        out(f"{'':18}{'governed':>10}{'raw':>10}{'ratio':>8}{'raw, warm process':>20}{'ratio':>8}\n")
        ratios = {}
        for label, query in QUERIES.items():
            ours, mine = median(through(governed, granted, query.format(key="person_key")))
            theirs, same = median(through(raw, plain, query.format(key="person_entity")))
            floor, _ = median(inside(plain, folder, query.format(key="person_entity")))
            assert mine.num_rows == same.num_rows
            ratios[label] = ours / theirs
            out(f"{label:18}{ours:10.3f}{theirs:10.3f}{ours / theirs:8.2f}{floor:20.3f}{ours / floor:8.2f}\n")
    held = ratios["join and group"] <= MARK
    out(f"join and group at most {MARK}: {'holds' if held else 'MISSED'}\n")
    return held


if __name__ == "__main__":
    sys.exit(not run())
