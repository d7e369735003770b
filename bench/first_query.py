"""From the approval of a project to the first row of its first query: ten datasets of a million rows.

The datasets are published in a real installation, about overlapping parts of a million people. An approver signs and
the clock starts: the project is decided, its keys and copies are made, several at once, and each copy opens as soon as
it is made. The analyst's first query, a join and group-by over two of the ten, goes through the gate, the decision and
the worker as soon as these two are open, while the rest is still being made. Nothing is made before the approval.
Median of five projects; the time until all ten copies are there stands beside it.
"""

import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.report import marks, table
from integrated_data.access.asked import Question
from integrated_data.control import grants, projects, releases
from integrated_data.control.store import Store
from integrated_data.lake import Lake, Step
from integrated_data.model.access import Accreditation, DatasetRequest, Person, Project
from integrated_data.model.agreement import Agreement, Purpose, Standing
from integrated_data.model.event import Event
from integrated_data.model.meanings import Meaning
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.settings import Settings

DATASETS, ROWS, PEOPLE, RUNS = 10, 1_000_000, 1_000_000, 5
MARK = 5.0  # seconds
PAYLOAD = ("region", "age_band", "amount", "started")

FIRST = (
    "SELECT a.region, b.age_band, count(*) AS people, avg(b.amount) AS amount "
    "FROM dataset_0 a JOIN dataset_1 b USING (person_key) GROUP BY ALL"
)
ALL = "SELECT count(*) AS n FROM dataset_0 " + " ".join(
    f"JOIN (SELECT DISTINCT person_key FROM dataset_{n}) USING (person_key)" for n in range(1, DATASETS)
)


def rows_of(number: int, ids: np.ndarray) -> pa.Table:
    """A published dataset as it leaves de-identification: payload, entity ids, link columns, row numbers."""
    dice = np.random.default_rng(number)
    linked = np.asarray(dice.random(ROWS) < 0.97)
    entities = pa.array(ids[dice.integers(0, PEOPLE, ROWS)], mask=~linked)
    probability = pa.array(dice.choice(np.float32([0.999, 0.99, 0.97]), ROWS), mask=~linked)
    methods = pa.array(dice.choice(["exact name, birth date and postcode", "model"], ROWS), mask=~linked)
    return pa.table(
        {
            "region": pa.array(dice.choice([f"E1200000{n}" for n in range(9)], ROWS)),
            "age_band": pa.array(dice.integers(0, 20, ROWS)),
            "amount": pa.array(dice.gamma(2, 100, ROWS).round(2)),
            "started": pa.array(dice.integers(0, 7000, ROWS).astype("datetime64[D]")),
            "person_entity": entities, "person_link_probability": probability, "person_link_method": methods,
            "_row": pa.array(np.arange(ROWS)),
        }
    )  # fmt: skip


def publish(site: LoadingSite, folder: Path) -> None:
    """Ten published datasets in the installation's lake."""
    ids = np.random.default_rng(99).integers(0, 2**63 - 1, PEOPLE)
    for number in range(DATASETS):
        dataset, given = f"dataset_{number}", rows_of(number, ids)
        place = folder / f"{dataset}.parquet"
        pq.write_table(given, place, compression="zstd")
        variables = [{"name": n, "type": str(given.schema.field(n).type)} for n in given.column_names if n != "_row"]
        entry: dict[str, Any] = {"rows": ROWS, "title": dataset, "owner": "Ministry", "variables": variables}
        publish_one(site.store, site.lake, dataset=dataset, place=place, entry=entry)


def publish_one(store: Store, lake: Lake, *, dataset: str, place: Path, entry: dict[str, Any]) -> None:
    """Make one file a release of its dataset. `entry`: rows, title, owner, and variables by name and type."""
    variables = [{"title": v["name"], "meaning": Meaning.UNKNOWN.value, **v} for v in entry["variables"]]
    entry = {"dataset": dataset, "links": {}, **entry, "variables": variables}
    delivery = f"delivery-{dataset}"
    target = lake.place(dataset, delivery)
    shutil.move(place, target)
    snapshot = lake.commit(dataset, Step(delivery), base=None)
    with store.change(Event("release.published", "bench", f"dataset/{dataset}")) as change:
        releases.name_snapshot(change, dataset=dataset, delivery=delivery, snapshot=snapshot, entry=entry)


def apply_for(store: Store, project: str) -> None:
    """Agreements, an accredited analyst, and a project that asks for four columns and the key of every dataset."""
    today = store.now().date()
    last = today + timedelta(days=300)
    datasets = tuple(f"dataset_{n}" for n in range(DATASETS))
    for dataset in datasets:
        agreement = Agreement(
            f"A-{dataset}", dataset, "Ministry", "dea-2017-research", (Purpose.RESEARCH,), ("*",), ("University",),
            today, last, index_by_default=True,
        )  # fmt: skip
        projects.add_agreement(store, agreement, by="bench")
    accreditation = Accreditation(Standing.FULL, today, last)
    projects.add_person(store, Person("ada", "Ada", "University", accreditation, last), by="bench")
    asked = tuple(DatasetRequest(dataset, PAYLOAD, ("person",)) for dataset in datasets)
    applied = Project(
        project, "Bench", Purpose.RESEARCH, "University", "ada", ("ada",), asked, today, last,
        aims="To measure", public_benefit="Knowing how long it takes", ethics="None needed",
    )  # fmt: skip
    projects.add_project(store, applied, by="ada")


def measured(site: LoadingSite, analysis: AnalysisSite, project: str) -> dict[str, float]:
    """Seconds from an approval: to the first row of the first query, and until every copy is there."""
    apply_for(site.store, project)
    with ThreadPoolExecutor(1) as pool:
        begun = time.perf_counter()
        deciding = pool.submit(decide_and_provision, site, project, by="panel")
        while not deciding.done() and not _there(analysis.store, project, {"dataset_0", "dataset_1"}):
            time.sleep(0.02)
        _asked(analysis, project, FIRST)
        first = time.perf_counter() - begun
        decision, made = deciding.result()
        whole = max(first, time.perf_counter() - begun)
    assert decision.allowed
    begun = time.perf_counter()
    _asked(analysis, project, ALL)
    return {
        "to the first row": first, "all copies made": whole, "a join of all ten": time.perf_counter() - begun,
        "MiB of copies": sum(g["bytes"] for g in made) / 2**20,
    }  # fmt: skip


def _there(store: Store, project: str, datasets: set[str]) -> bool:
    """Whether copies of some datasets are open, as the analyst's list of views shows."""
    with store.read() as connection:
        return datasets <= {g.dataset for g in grants.active(connection, project=project)}


def _asked(analysis: AnalysisSite, project: str, query: str) -> None:
    found = analysis.gateway.query(Question("ada", project, query))
    assert found.num_rows > 0


def run() -> bool:
    """Print the times of five projects; true when the median to the first row is within the mark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = create(folder / "home", actor="bench")
        settings = Settings(None, 2, "8GB", False, "bench")
        with open_loading(places, settings) as site, open_analysis(places, settings) as analysis:
            publish(site, folder)
            runs = [measured(site, analysis, f"P-{n}") for n in range(RUNS)]
        median = {what: statistics.median(r[what] for r in runs) for what in runs[0]}
        table(f"{DATASETS} datasets of {ROWS:,} rows", [{"project": n, **r} for n, r in enumerate(runs, 1)])
        table("median of five", [median])
        return marks({f"approved to first row, median at most {MARK:g} s": median["to the first row"] <= MARK})


if __name__ == "__main__":
    sys.exit(not run())
