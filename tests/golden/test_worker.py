"""The worker without the gate: every limit and lock of its own, in the sandbox and in a plain process."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from integrated_data.access.running import Job, QueryFailure
from integrated_data.model.query import Failure, QueryLimits
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose
from tests.access_side import VIEWS, Golden, goldens, write_views

STATEMENTS = list(goldens("worker.txt"))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessWorker]:
    folder = tmp_path_factory.mktemp("home")
    write_views(folder / "projects")
    made = ProcessWorker(choose(production=False), folder / "projects", folder / "scratch")
    yield made
    assert list(made.scratch.iterdir()) == [], "every query clears its scratch"


def ending(worker: ProcessWorker, sql: str, *, limits: QueryLimits | None = None) -> QueryFailure:
    with pytest.raises(QueryFailure) as caught:
        list(worker.start(Job(sql, (VIEWS["census"],), limits or QueryLimits(seconds=20, memory=2**29))))
    return caught.value


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: repr(s.statement[:60]))
def test_a_statement_the_gate_would_stop_is_stopped_here_too(statement: Golden, worker: ProcessWorker) -> None:
    other = worker.projects / VIEWS["gp"].place
    failure = ending(worker, statement.statement.format(other=other))
    said = f"{failure.failure.value}: {failure.named}" if failure.named else failure.failure.value
    assert said == statement.expected


SMALL = QueryLimits(seconds=30, memory=2**28, scratch=2**25, rows=1000, result=2**20)
EXHAUSTING = [
    (
        Failure.TIME,
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    ),
    (Failure.TIME, "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a.range * b.range = -1"),
    (Failure.MEMORY, "SELECT repeat(repeat('x', 1000000), 3000)"),
    (Failure.MEMORY, "SELECT len(list(range)) FROM range(300000000)"),
    (Failure.MEMORY, "SELECT length(string_agg(repeat('x', 1000), ',')) FROM range(10000000)"),
    (Failure.SCRATCH, "SELECT max(x) FROM (SELECT DISTINCT range AS x, random() AS r FROM range(60000000))"),
    (Failure.ROWS, "SELECT * FROM range(1001)"),
    (Failure.RESULT, "SELECT repeat('x', 100000) FROM range(50)"),
]


@pytest.mark.parametrize(("expected", "sql"), EXHAUSTING, ids=[f"{f.value}-{s[7:40]}" for f, s in EXHAUSTING])
def test_what_would_exhaust_the_machine_is_stopped_by_its_limit(
    expected: Failure, sql: str, worker: ProcessWorker
) -> None:
    limits = replace(SMALL, seconds=1) if expected is Failure.TIME else SMALL
    assert ending(worker, sql, limits=limits).failure is expected
