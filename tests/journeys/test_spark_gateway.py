"""The same views and the same gate in front of Spark: a project's questions, answered by a Sail server.

Apache Spark itself: `make test-spark`.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.access import receipts
from integrated_data.access.asked import Question
from integrated_data.access.gateway import Gateway
from integrated_data.access.running import Job, QueryFailure, Rows
from integrated_data.access.views import of_grants
from integrated_data.control import grants, queries, tables
from integrated_data.control.store import Store, sqlite
from integrated_data.engines.binder import Binder, Unbound
from integrated_data.engines.spark_relations import Translation
from integrated_data.engines.spark_values import Untranslated
from integrated_data.model.errors import AgreementRefusal, InstallationRefusal, QueryRefusal, UsageRefusal
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.query import Failure, QueryLimits
from integrated_data.site.settings import from_environment
from integrated_data.site.spark_running import SparkWorker
from integrated_data.site.spark_server import spark_worker
from tests import sparks
from tests.access_side import VIEWS, goldens
from tests.conftest import identified_engine
from tests.journeys.test_gateway import Place, new_place

JOINED = """
SELECT region, avg(income) AS mean, count(*) AS n FROM census JOIN pay USING (person_key) GROUP BY ALL ORDER BY ALL
"""

#: Never done in time, whatever the engine: a hundred rows to the sixth.
ENDLESS = "SELECT sum(a.income * b.income % (c.income + d.income)) AS s FROM pay a, pay b, pay c, pay d, pay e, pay f"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def url(request: pytest.FixtureRequest, server: Path) -> Iterator[str]:
    with sparks.sail() if request.param == "sail" else sparks.cluster(server) as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    control = sqlite(folder / "control.sqlite")
    tables.METADATA.create_all(control)
    engine = identified_engine(folder)
    made = new_place(Store(control), engine, folder=folder)
    made.approve()
    yield made
    engine.close()


@pytest.fixture
def gateway(place: Place, url: str) -> Gateway:
    limits = QueryLimits(seconds=120)  # Apache Spark compiles its first query for long
    return replace(place.gateway(limits), worker=SparkWorker(url, place.folder / "projects"))


def failing(worker: SparkWorker, job: Job, then: Callable[[Rows], None] = lambda _: None) -> QueryFailure:
    rows = worker.start(job)
    with pytest.raises(QueryFailure) as caught:
        then(rows)
        list(rows)
    rows.close()
    return caught.value


def job(place: Place, sql: str, **limits: float) -> Job:
    with place.store.read() as connection:
        views = tuple(of_grants(grants.active(connection, project="P-1")).values())
    return Job(sql, views, replace(QueryLimits(seconds=60), **limits))


def test_the_same_question_has_the_same_answer(place: Place, gateway: Gateway) -> None:
    theirs, ours = gateway.ask(Question("ada", "P-1", JOINED)), place.ask(JOINED)
    assert theirs.refusal is None
    assert ours.refusal is None
    assert theirs.table.to_pydict() == ours.table.to_pydict()
    assert theirs.table.schema == ours.table.schema
    assert (theirs.columns, [d.allowed for d in theirs.decisions]) == (
        ours.columns,
        [d.allowed for d in ours.decisions],
    )
    receipts.check(theirs.told, theirs.signature, key=place.key.public_key())
    with place.store.read() as connection:
        told = [queries.get(connection, answer.query)["body"]["engine"] for answer in (theirs, ours)]
    assert told == ["spark", "duckdb"]


def test_the_same_keys_are_seen(place: Place, gateway: Gateway) -> None:
    sql = "SELECT person_key, income FROM pay ORDER BY person_key"
    assert (
        gateway.query(Question("ada", "P-1", sql)).to_pydict()
        == place.gateway().query(Question("ada", "P-1", sql)).to_pydict()
    )


def test_the_gate_and_the_decision_come_first(gateway: Gateway) -> None:
    for sql in (
        "SELECT * FROM elsewhere",
        "SELECT * FROM parquet.`/etc`",
        "SELECT input_file_name() FROM pay",
        "SHOW TABLES",
    ):
        with pytest.raises(QueryRefusal):
            gateway.query(Question("ada", "P-1", sql))
    with pytest.raises(AgreementRefusal):
        gateway.query(Question("ben", "P-1", JOINED))


def test_what_spark_is_not_known_to_answer_alike_is_refused_in_words(gateway: Gateway) -> None:
    with pytest.raises(
        QueryRefusal, match=r"function strftime, which Spark is not known to answer as DuckDB does.*--engine"
    ):
        gateway.query(Question("ada", "P-1", "SELECT strftime(DATE '2020-01-01', '%Y') AS y FROM pay"))
    fit = Fit(Estimate(Estimator.LINEAR, "income ~ sex"))
    with pytest.raises(QueryRefusal, match="a model"):
        gateway.query(Question("ada", "P-1", "SELECT income, 1 AS sex FROM pay", fit))


def test_limits_hold(place: Place, url: str) -> None:
    worker = SparkWorker(url, place.folder / "projects")
    assert failing(worker, job(place, "SELECT income FROM pay", rows=99)).failure is Failure.ROWS
    assert failing(worker, job(place, "SELECT income FROM pay", result=100)).failure is Failure.RESULT
    assert failing(worker, job(place, "SELECT income FROM pay", seconds=0.001)).failure is Failure.TIME


def test_a_cancelled_query_says_so(place: Place, url: str) -> None:
    worker = SparkWorker(url, place.folder / "projects")
    cancelled = failing(worker, job(place, "SELECT income FROM pay"), lambda rows: rows.cancel())
    assert cancelled.failure is Failure.CANCELLED


@pytest.mark.spark
@pytest.mark.parametrize(("seconds", "after"), [(4.0, 60.0), (60.0, 3.0), (60.0, 20.0)])
def test_queries_that_would_never_end_are_stopped_on_the_server(
    seconds: float, after: float, place: Place, url: str, server: Path, request: pytest.FixtureRequest
) -> None:
    """As many as the cluster has cores, so that what runs on of any of them is seen."""
    if "[sail" in request.node.name:
        pytest.skip("a Sail server does not answer while it computes a product of tables")
    worker = SparkWorker(url, place.folder / "projects", stopping=True)
    at_work = [worker.start(job(place, ENDLESS, seconds=seconds)) for _ in sparks.WORKERS]
    clock = threading.Timer(after, lambda: [rows.cancel() for rows in at_work])
    clock.start()
    for rows in at_work:
        with pytest.raises(QueryFailure) as caught:
            list(rows)
        assert caught.value.failure is (Failure.TIME if seconds < after else Failure.CANCELLED)
    clock.cancel()
    for rows in at_work:
        rows.close()
    assert idle(server), "nothing of them runs on"
    asked = worker.start(job(place, "SELECT count(*) AS n FROM pay"))
    assert [batch.to_pylist() for batch in asked] == [[{"n": 100}]]


def idle(server: Path) -> bool:
    """Whether executors come to rest. One that is cancelled has five seconds, and the next begins; on a machine that
    is shared each takes its time. What runs on would do so for days.
    """
    until = time.monotonic() + 90
    while time.monotonic() < until:
        before = sparks.executors(server)
        time.sleep(3)
        if abs(sparks.executors(server) - before) < 0.3:
            return True
    return False


@pytest.mark.spark
def test_a_server_on_which_it_would_run_on_is_refused_in_production(place: Place, tmp_path: Path) -> None:
    with sparks.spark(tmp_path) as alone:
        worker = SparkWorker(alone, place.folder / "projects", stopping=True)
        assert failing(worker, job(place, "SELECT 1 AS one")).failure is Failure.RUNS_ON
        assert list(replace(worker, stopping=False).start(job(place, "SELECT 1 AS one")))


def test_an_error_holds_no_value(place: Place, url: str) -> None:
    worker = SparkWorker(url, place.folder / "projects")
    failure = failing(worker, job(place, "SELECT (income * 1000000)::INT AS n FROM pay"))
    assert failure.failure in (Failure.CONVERSION, Failure.RANGE, Failure.OTHER)
    assert failure.named == ""


def test_a_server_that_is_gone_is_told_of(place: Place) -> None:
    worker = SparkWorker("sc://127.0.0.1:9", place.folder / "projects")
    assert failing(worker, job(place, "SELECT 1 AS one")).failure is Failure.ABSENT


def test_a_revoked_grant_leaves_nothing_to_read(place: Place, url: str) -> None:
    asked = job(place, "SELECT count(*) FROM pay")
    gone = replace(asked, views=tuple(replace(v, place="P-1/gone.parquet") for v in asked.views))
    with pytest.raises(QueryFailure):
        SparkWorker(url, place.folder / "projects").start(gone)


ATTACKS = list(goldens("attacks/*.txt"))


def test_no_attack_reaches_spark_even_without_the_gate() -> None:
    """Each is refused by the translation, or names nothing but the project's views and functions on the list."""
    binder, named = Binder(), set()
    for view in VIEWS.values():
        binder.hold(view.name, sparks.empty(view.columns))
    for attack in ATTACKS:
        try:
            asked = Translation(binder.tables).query(binder.plan(attack.statement))
        except (Unbound, Untranslated, UnicodeEncodeError, RecursionError):
            continue
        named |= set(re.findall(r"(?:FROM|JOIN) `([^`]*)`", asked))
        assert "'" not in re.sub(r"'[A-Za-z0-9 _.,:+%/()-]*'", "", asked)
    assert named <= set(VIEWS)
    binder.close()


def test_settings_name_the_server(tmp_path: Path) -> None:
    assert from_environment({"IDS_SPARK": "sc://127.0.0.1:15002"}).spark == "sc://127.0.0.1:15002"
    with pytest.raises(UsageRefusal, match="IDS_SPARK"):
        from_environment({"IDS_SPARK": "http://127.0.0.1"})
    with pytest.raises(InstallationRefusal, match="IDS_SPARK"):
        spark_worker(None, tmp_path, production=False)
    with pytest.raises(InstallationRefusal, match="not encrypted"):
        spark_worker("sc://spark.example:443", tmp_path, production=True)
    assert isinstance(spark_worker("sc://spark.example:443/;use_ssl=true", tmp_path, production=True), SparkWorker)
