"""The check of a table beside its query's own time, over a million rows about a million people.

Four comparisons of the same tables, each query timed beside its check, in turn; medians of five.

1. *The checks*, through the gateway, as an analyst and the service ask: gate, decision, a worker's process, log are in
   both. The members behind each cell are read, the evidence computed, every rule asked, cells protected: all that
   ACRO does, and more. The mark is on this.
2. *The commands*, as somebody types them and waits: `ids query` and `ids output check`, each a process that
   starts and ends. The second does all of 1, and also: the table's people are written for the ledger and compared with
   what has left, the package is made with its chart, and all of it is on the disk. The mark is on this too.
3. *The whole check in a service that runs already*, the same work without a start. No mark: it is told as it is.
4. *The checks inside one warm process*, where the query alone is what the engine takes, some hundredths of a second.

ACRO 1.0.2 stands beside pandas on the same rows in an environment of its own: name its Python in IDS_ACRO.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.first_query import publish_one
from bench.report import marks, table
from integrated_data.access.asked import Question
from integrated_data.control import grants, projects
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.access import Accreditation, DatasetRequest, Person, Project
from integrated_data.model.agreement import Agreement, Purpose, Standing
from integrated_data.model.output import Ask, ReleaseLimits, View
from integrated_data.model.people import Role
from integrated_data.output.check import check_table, shape_of
from integrated_data.output.linked import protect
from integrated_data.site import outputs
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.settings import Settings

ROWS, RUNS, MARK = 1_000_000, 5, 2.0
SETTINGS = Settings(None, 2, "8GB", False, "bench")
PAYLOAD = ("region", "age", "sex", "pay")
ELSEWHERE = Path(__file__).parents[1] / "tests" / "elsewhere" / "time_acro.py"

QUERIES = {
    "counts by one key": "SELECT region, count(*) AS people FROM survey GROUP BY region",
    "counts by two keys": "SELECT region, age, count(*) AS people FROM survey GROUP BY region, age",
    "sums by two keys": "SELECT region, age, sum(pay) AS pay FROM survey GROUP BY region, age",
    "counts, sums and means": (
        "SELECT region, age, count(*) AS people, sum(pay) AS pay, avg(pay) AS mean FROM survey GROUP BY region, age"
    ),
    "with totals": "SELECT region, age, count(*) AS people FROM survey GROUP BY ROLLUP (region, age)",
    "cube of three keys": "SELECT region, age, sex, count(*) AS people FROM survey GROUP BY CUBE (region, age, sex)",
    "a share": "SELECT region, avg(CASE WHEN pay > 200 THEN 1 ELSE 0 END) AS share FROM survey GROUP BY region",
}

#: The tables that are asked for and checked by command.
TYPED = ("counts by two keys", "cube of three keys")

Run = Callable[[str], pa.Table]

#: Seconds of each query, and of its check.
Ratios = dict[str, tuple[float, ...]]


def rows() -> dict[str, np.ndarray]:
    """A survey of a million people."""
    dice = np.random.default_rng(6)
    return {
        "region": dice.choice([f"E1200000{n}" for n in range(9)], ROWS), "age": dice.integers(0, 20, ROWS),
        "sex": dice.choice(["F", "M"], ROWS), "pay": dice.gamma(2, 100, ROWS).round(2),
    }  # fmt: skip


def publish(site: LoadingSite, folder: Path, given: dict[str, np.ndarray]) -> None:
    """The survey in the installation's lake, linked to a million people, with the project that asks for it."""
    dice = np.random.default_rng(99)
    ids = pa.array(dice.permutation(np.unique(dice.integers(0, 2**63 - 1, ROWS + 1000))[:ROWS]))
    place, today = folder / "survey.parquet", site.store.now().date()
    linked = pa.table(
        {
            **given, "person_entity": ids, "person_link_probability": pa.array(np.full(ROWS, 0.999, np.float32)),
            "person_link_method": pa.array(["exact"]).take(pa.array(np.zeros(ROWS, np.int32))),
            "_row": pa.array(np.arange(ROWS)),
        }
    )  # fmt: skip
    pq.write_table(linked, place, compression="zstd")
    variables = [{"name": n, "type": str(linked.schema.field(n).type)} for n in linked.column_names if n != "_row"]
    entry = {"rows": ROWS, "title": "survey", "owner": "Ministry", "variables": variables}
    publish_one(site.store, site.lake, dataset="survey", place=place, entry=entry)
    last = today.replace(year=today.year + 1, day=1)
    agreement = Agreement(
        "A-survey", "survey", "Ministry", "dea-2017-research", (Purpose.RESEARCH,), ("*",), ("University",), today,
        last, index_by_default=True,
    )  # fmt: skip
    projects.add_agreement(site.store, agreement, by="bench")
    standing = Accreditation(Standing.FULL, today, last)
    ada = Person("ada", "Ada", "University", standing, last, roles=(Role.ANALYST,))
    projects.add_person(site.store, ada, by="bench")
    applied = Project(
        "P-1", "Bench", Purpose.RESEARCH, "University", "ada", ("ada",),
        (DatasetRequest("survey", PAYLOAD, ("person",)),), today, last, aims="To measure",
        public_benefit="Knowing how long it takes", ethics="None needed",
    )  # fmt: skip
    projects.add_project(site.store, applied, by="ada")
    decision, _ = decide_and_provision(site, "P-1", by="panel")
    assert decision.allowed


def checked(sql: str, run: Run, *, views: dict[str, View], result: pa.Table) -> None:
    """Everything that is done to one table."""
    limits = ReleaseLimits()
    protect([check_table("q", sql, result=result, views=views, run=run, limits=limits)], limits)


def seconds(*works: Callable[[], object]) -> list[float]:
    """The median of some runs of each, in turn, after one of each that is not counted."""
    taken: list[list[float]] = [[] for _ in works]
    for run in range(RUNS + 1):
        for work, so_far in zip(works, taken, strict=True):
            begun = time.perf_counter()
            work()
            if run:
                so_far.append(time.perf_counter() - begun)
    return [statistics.median(so_far) for so_far in taken]


def ratios(run: Run, views: dict[str, View]) -> Ratios:
    """Seconds of each query and of its checks."""
    found = {}
    for name, sql in QUERIES.items():
        text = shape_of(sql, views).result
        result = run(text)
        work = partial(checked, sql, run, views=views, result=result)
        found[name] = tuple(seconds(partial(run, text), work))
    return found


def whole(site: AnalysisSite) -> Ratios:
    """Seconds of each query and of the whole check of a request for its result, in a service that runs."""
    found = {}
    for name, sql in QUERIES.items():
        waiting = iter([asked(site, sql) for _ in range(RUNS + 1)])
        own = partial(site.gateway.query, Question("ada", "P-1", sql))
        found[name] = tuple(seconds(own, lambda waiting=waiting: outputs.check(site, next(waiting), actor="ada")))  # type: ignore[misc]
    return found


def commands(site: AnalysisSite) -> Ratios:
    """Seconds of the command that asks a query and of the one that checks a request for its result."""
    found = {}
    for name in TYPED:
        waiting = iter([asked(site, QUERIES[name]) for _ in range(RUNS + 1)])
        own = partial(typed, site, "query", QUERIES[name], "--project", "P-1")
        found[name] = tuple(seconds(own, lambda waiting=waiting: typed(site, "output", "check", next(waiting))))  # type: ignore[misc]
    return found


def asked(site: AnalysisSite, sql: str) -> str:
    """A request for the result of a query; returns its id."""
    query = site.gateway.ask(Question("ada", "P-1", sql)).query
    return outputs.ask(site, Ask("P-1", "ada", (query,), "Bench")).id


def typed(site: AnalysisSite, *words: str) -> None:
    """One command, by the author."""
    start = [sys.executable, "-c", "from integrated_data.cli import main; main()"]
    home = ["--home", str(site.places.home), "--as", "ada"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*start, *words, *home], check=True, capture_output=True, env=environment)


def of_acro(given: dict[str, np.ndarray], folder: Path) -> list[dict[str, object]]:
    """Seconds of pandas' crosstab and of ACRO's on the same rows, each a run of its own; none where it is not named."""
    python = os.environ.get("IDS_ACRO")
    if not python:
        return []
    np.savez(folder / "rows.npz", **given)
    done = subprocess.run(
        [python, str(ELSEWHERE), str(folder / "rows.npz"), str(RUNS)], check=True, capture_output=True, text=True,
        cwd=folder,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run() -> bool:
    """Publish, ask and check each query both ways, and report."""
    given = rows()
    folder = Path(tempfile.mkdtemp())
    try:
        places = create(folder / "home", actor="bench")
        with open_loading(places, SETTINGS) as loading:
            publish(loading, folder, given)
        with open_analysis(places, SETTINGS) as analysis:
            gateway, warm = _both(analysis, given)
            service, by_command = whole(analysis), commands(analysis)
        beside = of_acro(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table("1. The checks of a table of a million rows, through the gateway", _rows(gateway))
    table("2. The commands: ids query, ids output check", _rows(by_command))
    table("3. The whole check, in a service that runs", _rows(service))
    table("4. The checks inside one warm process", _rows(warm))
    if beside:
        table("ACRO 1.0.2 beside pandas, on the same rows", beside)
    else:
        print("ACRO is not measured: IDS_ACRO names no Python", file=sys.stderr)
    return marks(
        {
            f"the checks take at most {MARK:g} times the query's own time": _worst(gateway) <= MARK,
            f"who waits for the check waits at most {MARK:g} times as long as for the query": _worst(by_command)
            <= MARK,
        }
    )


def _worst(found: Ratios) -> float:
    return max(check / own for own, check in found.values())


def _both(analysis: AnalysisSite, given: dict[str, np.ndarray]) -> tuple[Ratios, Ratios]:
    with analysis.store.read() as connection:
        (grant,) = grants.active(connection, project="P-1")
    views = {"survey": View(grant.columns, "person_key", rows=ROWS)}

    def ask(sql: str) -> pa.Table:
        return analysis.gateway.query(Question("ada", "P-1", sql))

    gateway = ratios(ask, views)
    engine = DuckDB(Limits())
    engine.load("survey", Held(_as_copied(given)))
    try:
        return gateway, ratios(engine.rows, views)
    finally:
        engine.close()


def _as_copied(given: dict[str, np.ndarray]) -> pa.Table:
    """The rows with the columns that the project's copy has."""
    keys = np.random.default_rng(98).permutation(2**62 + np.arange(ROWS) * 7_919)
    return pa.table(
        {**given, "person_key": keys, "person_link_probability": np.full(ROWS, 0.999, np.float32),
         "person_link_method": pa.array(["exact"]).take(pa.array(np.zeros(ROWS, np.int32)))}
    )  # fmt: skip


def _rows(found: Ratios) -> list[dict[str, object]]:
    return [
        {"table": name, "query seconds": own, "check seconds": check, "times": check / own}
        for name, (own, check) in found.items()
    ]
