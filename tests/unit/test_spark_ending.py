"""When a query on Spark may be interrupted, and on which servers that ends it."""

import pytest
from pyspark.sql.connect.shell.progress import StageInfo

from integrated_data.engines.spark_ending import STEADY, Planning, runs_on

#: News of a query as a server gave them, by seconds: the stages and which of them are done. Stage 9 never ends.
TOLD = [
    (3.1, [(7, False), (8, False)]),
    (5.1, [(7, True), (8, False)]),
    (5.1, [(7, True), (8, False)]),
    (7.1, [(7, True), (8, True)]),
    (9.1, [(7, True), (8, True), (9, False)]),
    (11.2, [(7, True), (8, True), (9, False)]),
    (13.1, [(7, True), (8, True), (9, False)]),
]


def hear(planning: Planning, stages: list[tuple[int, bool]]) -> None:
    told = [StageInfo(number, 1, int(done), 0, done) for number, done in stages]
    planning(stages=told, inflight_tasks=1, operation_id=None, done=False)


def test_a_query_is_planned_when_its_stages_stay_the_same() -> None:
    now = 0.0
    planning, over = Planning(lambda: now), []
    assert planning.over(), "nothing is asked yet"
    with planning.until_rows():
        assert not planning.over(), "no stage is there yet"
        for at, stages in TOLD:
            now = at
            hear(planning, stages)
            over.append(planning.over())
    assert over == [False] * 6 + [True]
    assert planning.over(), "nothing is asked any more"


def test_between_its_stages_a_query_is_never_planned() -> None:
    now = 0.0
    planning = Planning(lambda: now)
    with planning.until_rows():
        hear(planning, [(7, True)])
        now = 100 * STEADY
        assert not planning.over()


def test_where_there_are_rows_all_is_planned_and_the_next_query_begins_anew() -> None:
    planning = Planning(lambda: 0.0)
    with planning.until_rows():
        planning.end()
        assert planning.over()
    with planning.until_rows():
        assert not planning.over()


@pytest.mark.parametrize(
    ("master", "reaper", "kill", "on"),
    [
        (None, None, None, False),  # a Sail server
        ("local[2]", "true", "5s", True),
        ("local", "true", "5s", True),
        ("spark://127.0.0.1:7077", "false", "5s", True),
        ("spark://127.0.0.1:7077", None, None, True),
        ("spark://127.0.0.1:7077", "true", None, True),
        ("spark://127.0.0.1:7077", "true", "-1", True),
        ("spark://127.0.0.1:7077", "true", "5s", False),
        ("local-cluster[2,1,1024]", "true", "5s", False),
    ],
)
def test_what_is_stopped_runs_on_without_executors_and_a_reaper(
    master: str | None, reaper: str | None, kill: str | None, *, on: bool
) -> None:
    assert runs_on(master, reaper=reaper, kill=kill) is on
