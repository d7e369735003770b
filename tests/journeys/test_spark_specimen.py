"""Every source and delivery of `ids demo`, by DuckDB and by tasks of Sail, Apache Spark and a standalone cluster of it.

Each engine takes a step from the same state: a source feeds its index, a delivery is published. What it leaves must be
equal; ids that it draws are told by the first row that has them, since they are drawn anew each time. The next step
goes on from what the last engine left, so that in the end Spark has loaded the whole country. `make test-spark`.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from integrated_data import specimen
from integrated_data.access.asked import Question
from integrated_data.control import releases
from integrated_data.control.releases import Release
from integrated_data.engine import Stored
from integrated_data.engines.cluster import Cluster, Done
from integrated_data.journey.linking import version_folder
from integrated_data.model.linkage import DERIVED
from integrated_data.model.query import EngineName, QueryLimits
from integrated_data.site import demo, demo_project, loads
from integrated_data.site.analysis import open_analysis
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.spark_running import SparkWorker
from integrated_data.vocabulary.marks import ROW
from tests import sparks
from tests.service import SETTINGS

pytestmark = pytest.mark.spark

#: People of the country, and rows of a relation from which on a statement is shared out.
PEOPLE, SPREAD = 2_500, 2_000

STEPS = (*demo.SOURCES, *demo.DELIVERIES)

#: Steps that the cluster takes too.
ON_THE_CLUSTER = ("census",)

#: What is told of a load that is its own: when it was, how long it took, what it is called; digests of ids or of
#: weights to the last digit; and how an index numbers its rows.
OWN = re.compile("seconds|delivery|derived_from|recorded_.*|release|model|print|form|entity")

IDS = re.compile(".*_entity|entity_id|candidate_id")


@dataclass
class Left:
    """What a step left: what was told of it, tables by name as rows, and the statements that were shared out."""

    told: Any
    tables: dict[str, list[tuple[Any, ...]]]
    spread: list[Done] = field(default_factory=list)


class Names:
    """Ids as numbers, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def rows(self, table: pa.Table) -> list[tuple[Any, ...]]:
        """The rows of a table with its ids so called: sorted by what numbers them, or else as they are called then."""
        by = _record if {"record_id", ROW} & set(table.column_names) else None
        kept = table.select([c for c in table.column_names if not OWN.fullmatch(c)])
        ids = [c for c in kept.column_names if IDS.fullmatch(c)]
        rows = kept.to_pylist()
        for row in sorted(rows, key=by) if by else rows:
            row.update({c: self._known.setdefault(row[c], len(self._known)) for c in ids if row[c] is not None})
        told = [tuple(map(plain, row.values())) for row in (sorted(rows, key=by) if by else rows)]
        return told if by else sorted(told, key=repr)


def _record(row: dict[str, Any]) -> Any:
    """What numbers a row, whoever made it."""
    return str(row.get("source")), str(row.get("record_id", row.get(ROW)))


def plain(told: Any) -> Any:
    """What was told, without what is a load's own; floating points to twelve digits, since sums have another order."""
    match told:
        case dict():
            return {k: plain(v) for k, v in told.items() if not OWN.fullmatch(str(k))}
        case list() | tuple():
            return [plain(v) for v in told]
        case float():
            return f"{told:.12g}"
    return told


def take(places: Places, deliveries: Path, step: tuple[Any, ...], *, url: str | None = None) -> Left:
    """Take one step; what it left."""
    on = SETTINGS if url is None else replace(SETTINGS, spark=url, loading=EngineName.SPARK, tasks=2, spread=SPREAD)
    with open_loading(places, on) as site:
        before, names = {r.id for r in standing(site)}, Names()
        if len(step) == 4:
            index, source, file, id_column = step
            told = load_reference(site, SourceOrder(index, (deliveries / file,), source, id_column))
            tables = fed(site, index, version=told["version"], names=names)
        else:
            dataset, file = step
            told, tables = loads.deliver_and_refresh(site, dataset, files=[deliveries / file]), {}
            assert told["state"] == "published"
        new = [r for r in standing(site) if r.id not in before]
        tables |= published(site, new, names=names)
        entries = {r.dataset: plain(r.entry) for r in new}
        log = site.loads.spreading.log if isinstance(site.loads, Cluster) else []
    assert list(places.scratch.glob("spread-*")) == []
    return Left([plain(told), entries], tables, log)


def standing(site: LoadingSite) -> list[Release]:
    with site.store.read() as connection:
        return releases.all_current(connection)


def read(site: LoadingSite, file: Path) -> pa.Table:
    site.engine.load("seen", Stored((file,)))
    try:
        return site.engine.rows("SELECT * FROM seen")
    finally:
        site.engine.drop("seen")


def fed(site: LoadingSite, index: str, *, version: int, names: Names) -> dict[str, list[tuple[Any, ...]]]:
    """Records and attributes of a version of an index, and how many rows each of its files has."""
    folder = version_folder(site.places.indexes, index, version=version)
    files = {f.stem: read(site, f) for f in sorted(folder.glob("*.parquet"))}
    if "entity" in files["entities"].column_names:  # numbered, with the ids apart
        for name in ("records", "attributes"):
            files[name] = files[name].join(files["entities"].select(["entity", "entity_id"]), "entity")
    tables = {n: names.rows(files[n]) for n in ("records", "attributes") if n in files}
    return tables | {"files": [(name, table.num_rows) for name, table in files.items()]}


def published(site: LoadingSite, new: list[Release], *, names: Names) -> dict[str, list[tuple[Any, ...]]]:
    """Tables of releases, with the checked rows and links of their deliveries; what is derived from them comes last."""
    tables = {}
    for release in sorted(new, key=lambda r: r.dataset.startswith(DERIVED)):
        (place,) = site.lake.files(release.dataset, release.snapshot)
        table = pq.read_table(place)
        folder = site.places.deliveries / release.delivery
        mine = ROW in table.column_names and (folder / "checked.parquet").exists()
        tables[release.dataset] = names.rows(table)
        for file in sorted(folder.glob("*.parquet")) if mine else ():
            tables[f"{release.dataset}: {file.stem}"] = names.rows(read(site, file))
    return tables


@dataclass
class Country:
    """The country as Spark loaded it: the address of its server, and what each engine left after each step."""

    places: Places
    url: str
    left: list[tuple[str, dict[str, Left]]]
    folder: Path


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    folder = tmp_path_factory.mktemp("country")
    specimen.write(folder, people=PEOPLE)
    places, kept = create(folder / "home", actor="tester"), folder / "kept"
    with contextlib.ExitStack() as stack:
        servers: dict[str, str | None] = {"duckdb": None, "sail": stack.enter_context(sparks.sail())}
        for name, started in (("cluster", sparks.cluster), ("spark", sparks.spark)):
            (folder / name).mkdir()
            servers[name] = stack.enter_context(started(folder / name))
        left = []
        for step in STEPS:
            name = step[1] if len(step) == 4 else step[0]
            shutil.copytree(places.home, kept)
            found = {}
            for engine, url in servers.items():
                if engine != "cluster" or name in ON_THE_CLUSTER:
                    shutil.rmtree(places.home)
                    shutil.copytree(kept, places.home)
                    found[engine] = take(places, folder / "deliveries", step, url=url)
            shutil.rmtree(kept)
            left.append((name, found))
        yield Country(places, str(servers["spark"]), left, folder)


def test_every_step_leaves_the_same(country: Country) -> None:
    for step, found in country.left:
        ours = found.pop("duckdb")
        for engine, theirs in found.items():
            assert theirs.told == ours.told, (step, engine)
            assert theirs.tables.keys() == ours.tables.keys(), (step, engine)
            for name, rows in ours.tables.items():
                assert theirs.tables[name] == rows, (step, engine, name)


def test_deliveries_were_shared_out_to_both_workers(country: Country) -> None:
    for step, found in country.left:
        assert step in ("industry_index", "occupation_index", "postcode_directory") or found["spark"].spread
    for worker in sparks.WORKERS:
        logs = [f.read_text() for f in (country.folder / "cluster" / worker).rglob("stderr")]
        assert any("Running task" in log for log in logs), worker


def test_the_project_asks_spark_and_is_answered_as_by_duckdb(country: Country) -> None:
    with open_loading(country.places, SETTINGS) as site:
        demo.agree_project(demo.Show(Console(quiet=True)), site)
    spark = SparkWorker(country.url, country.places.projects)
    for sql in ASKED:
        answers = []
        for worker in (None, spark):
            with open_analysis(country.places, SETTINGS, worker=worker) as analysis:
                gateway = replace(analysis.gateway, limits=QueryLimits(seconds=120))
                answers.append(gateway.ask(Question(demo_project.ANALYST, demo_project.PROJECT, sql)))
        assert [a.refusal for a in answers] == [None, None], sql
        ours, theirs = (a.table for a in answers)
        assert theirs.schema == ours.schema
        assert theirs.num_rows > 0
        assert sparks.rounded(theirs) == sparks.rounded(ours)


ASKED = (
    demo_project.question(),
    "SELECT person_key, birth_year, sex FROM labour_force_survey ORDER BY ALL",
    "SELECT left(icd10_code, 3) AS code, count(DISTINCT person_key) AS people FROM gp_diagnoses "
    "GROUP BY ALL ORDER BY ALL",
    "SELECT s.region_2021, b.benefit_type, count(*) AS n, avg(s.person_weight) AS weight "
    "FROM labour_force_survey s JOIN benefits b USING (person_key) GROUP BY ALL ORDER BY ALL",
    "SELECT date_trunc('month', admidate) AS month, count(*) AS n FROM hospital_episodes WHERE diag_01 LIKE 'I%' "
    "GROUP BY ALL ORDER BY ALL",
)
