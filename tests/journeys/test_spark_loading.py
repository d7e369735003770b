"""The same deliveries through DuckDB and through a Spark Connect server: the same tables.

Apache Spark itself: `make test-spark`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.acquire.layout import Delivered
from integrated_data.control import releases
from integrated_data.engine import Stored
from integrated_data.engines.cluster import Cluster, Spreading
from integrated_data.engines.duckdb import DuckDB
from integrated_data.engines.spark_tasks import SparkTasks
from integrated_data.journey import checking
from integrated_data.model.contract import Check, Column, Contract, Rule
from integrated_data.model.errors import InstallationRefusal, UsageRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.model.query import EngineName
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from integrated_data.site.settings import from_environment
from integrated_data.vocabulary.marks import ROW
from tests import sparks
from tests.conftest import identified_engine
from tests.delivering import SEALER, contract_of, delivered
from tests.people import Row, noisy
from tests.service import LISTED, PERSON, SETTINGS, UNLISTED, Service, contract


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with sparks.sail() if request.param == "sail" else sparks.spark(folder) as found:
        yield found


PAID = (
    Column("paid", "paid", Kind.NUMBER, Meaning.MEASURE, Handling.PAYLOAD),
    Column("region", "region", Kind.STRING, Meaning.CODE, Handling.PAYLOAD),
)
CENSUS = contract("census", PERSON, "demographic")
CENSUS = replace(
    CENSUS, columns=(*CENSUS.columns, *PAID), rules=(Rule("region is one", Check.ALLOWED, "region", ("N", "S")),)
)


def census() -> list[Row]:
    """People of the list with errors, and some of nobody's list; broken values among what is paid and where."""
    rows = [*noisy(LISTED), *UNLISTED]
    return [
        row | {"paid": ("1e3", "12.50", "")[n % 3] if n % 150 else "7-1", "region": "NS"[n % 2] if n % 200 else "X"}
        for n, row in enumerate(rows)
    ]  # fmt: skip


def on_spark(places: Places, url: str, *, rows: int) -> Any:
    told = replace(SETTINGS, spark=url, loading=EngineName.SPARK, tasks=2, spread=rows)
    return open_loading(places, told)


def left(site: LoadingSite, delivery: str) -> dict[str, Any]:
    """What a delivery left: checked rows, links and the published table, whose new ids are told by their first row."""
    folder, made = site.places.deliveries / delivery, {}
    for file in ("checked", "quarantine", "links-demographic"):
        site.engine.load("seen", Stored((folder / f"{file}.parquet",), row_column="seen_row"))
        made[file] = site.engine.rows("SELECT * FROM seen ORDER BY seen_row")
    with site.store.read() as connection:
        release = releases.current(connection, "census")
    assert release is not None
    (place,) = site.lake.files("census", release.snapshot)
    made["published"] = pq.read_table(place).sort_by(ROW)
    return {"entry": {**release.entry, "links": None}} | {name: told(table) for name, table in made.items()}


def told(table: pa.Table) -> list[Row]:
    firsts: dict[int, int] = {}
    rows = table.to_pylist()
    for n, row in enumerate(rows):
        for column in ("entity_id", "person_entity"):
            if str(row.get("method") or row.get("person_link_method")).startswith("provisional"):
                row[column] = firsts.setdefault(row[column], n) if column in row else None
    return rows


@pytest.mark.long
def test_a_delivery_gives_the_same_tables_on_both_engines(tmp_path: Path, url: str) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
    shutil.copytree(service.places.home, tmp_path / "copy")
    rows = census()
    with service.open() as site:
        ours = service.deliver(site, CENSUS, rows)
        expected = left(site, ours["delivery"])
    there = Places(tmp_path / "copy")
    with on_spark(there, url, rows=200) as site:
        theirs = service.deliver(site, CENSUS, rows)
        found = left(site, theirs["delivery"])
        spread = {done.base for done in site.loads.spreading.log}
        assert list(there.scratch.glob("spread-*")) == []
    assert (ours["state"], ours["quarantined"]) == ("published", 4)
    assert {k: v for k, v in theirs.items() if "seconds" not in k} | {"links": None} == {
        k: v for k, v in ours.items() if "seconds" not in k
    } | {"links": None}
    for what, table in expected.items():
        assert found[what] == table, what
    assert {"landed", "checked"} <= spread


KINDS = {
    Kind.INTEGER: ["1", "-7", "1,000", "x", "", "9" * 25, " 4 ", "z"],
    Kind.NUMBER: ["1.5", "1e3", "nan", "-0", "1,5", "", "£3"],
    Kind.DATE: ["2020-02-29", "2021-02-29", "31/12/1999", "01021990", "", "z"],
    Kind.BOOLEAN: ["Y", "no", "TRUE", "1", "2", ""],
    Kind.STRING: ["a", " É\u00a0b ", "it's", "B", "", "z", "ß"],
}  # fmt: skip


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Contract, bytes]:
    """A contract of one to four columns with rules, and a file that may break them."""
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4))
    columns = [
        Column(
            f"c{n}", f"Field {n}", kind, handling=Handling.PAYLOAD, missing=draw(st.sampled_from([(), ("z",)])),
            required=draw(st.booleans()), unique=draw(st.booleans()),
            formats=draw(st.sampled_from([(), ("%d/%m/%Y",), ("%d%m%Y", "%Y-%m-%d")])) if kind is Kind.DATE else (),
        )
        for n, kind in enumerate(kinds)
    ]  # fmt: skip
    rules = [Rule("known", Check.ALLOWED, "c0", ("a", "B", "1", "TRUE"))] if draw(st.booleans()) else []
    rows = draw(st.lists(st.tuples(*(st.sampled_from(KINDS[k]) for k in kinds)), min_size=1, max_size=30))
    lines = ["|".join(f"Field {n}" for n in range(len(kinds))), *map("|".join, rows)]
    made = contract_of(*columns, rules=tuple(rules))
    return replace(made, layout=replace(made.layout, delimiter="|")), ("\n".join(lines) + "\n").encode()


@given(made=deliveries())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_engines_agree_on_any_contract_and_table(
    made: tuple[Contract, bytes], both: tuple[DuckDB, Cluster], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (promised, data), folder = made, tmp_path_factory.mktemp("law")
    files = delivered(folder, ("0.csv", data), contract=promised)
    seen = [looked_at(engine, promised, files=files, place=folder / f"{engine.name}.parquet") for engine in both]
    assert seen[0] == seen[1]


def looked_at(engine: DuckDB | Cluster, promised: Contract, *, files: Delivered, place: Path) -> list[Any]:
    found = checking.check(engine, SEALER, contract=promised, delivered=files, place=place)
    rows = engine.rows(f"SELECT * FROM {checking.CHECKED} ORDER BY {ROW}").to_pylist()
    return [found, list(map(repr, rows)), engine.rows(f"SELECT {ROW} FROM {checking.GOOD} ORDER BY {ROW}")]


@pytest.fixture(scope="module")
def both(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDB, Cluster]]:
    folder = tmp_path_factory.mktemp("laws")
    ours, local = identified_engine(folder), identified_engine(folder)
    tasks = SparkTasks(url, opener=partial(identified_engine, folder), at_once=2)
    cluster = Cluster(local, Spreading(tasks, folder / "scratch", 1))
    yield ours, cluster
    cluster.close()
    local.close()
    ours.close()


def test_without_its_server_a_load_is_refused_and_settings_say_what_they_mean(tmp_path: Path) -> None:
    read = from_environment({"IDS_LOADING": "spark", "IDS_LOADING_TASKS": "8", "IDS_LOADING_ROWS": "10"})
    assert (read.loading, read.tasks, read.spread) == (EngineName.SPARK, 8, 10)
    with pytest.raises(UsageRefusal, match="IDS_LOADING"):
        from_environment({"IDS_LOADING": "flink"})
    places = create(tmp_path / "home", actor="tester")
    with pytest.raises(InstallationRefusal, match="No Spark server"), open_loading(places, read):
        pass
    with on_spark(places, "sc://127.0.0.1:9", rows=1) as site, pytest.raises(InstallationRefusal, match="did not do"):
        assert isinstance(site.loads, Cluster)
        assert isinstance(site.engine, DuckDB)
        site.loads.view("some", "SELECT 1 AS a")
        site.loads.create("many", "SELECT range AS a FROM range(10)")
        site.loads.rows("SELECT a + 1 AS b FROM many")
