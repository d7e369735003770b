"""Who is alive and resident when: drawn evidence in, spans of days out, on a real engine."""

from datetime import date
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.publish.periods import Dated
from integrated_data.publish.presence import Days, Witness, evidence_sql, presence_sql

SPOKEN = "DATE '2022-01-01'"


def spans(engine: DuckDB, *evidence: tuple[str, str, str | None]) -> list[str]:
    """`from..to alive resident evidence` of one person; evidence is (kind, first, last)."""
    day = date.fromisoformat
    rows = [
        {"entity": 1, "kind": kind, "f": day(f), "t": day(t) if t else None, "p": 1.0, "m": "x"}
        for kind, f, t in evidence
    ]
    kinds = [("entity", pa.int64()), ("kind", pa.string()), ("f", pa.date32()), ("t", pa.date32()),
             ("p", pa.float32()), ("m", pa.string())]  # fmt: skip
    engine.load("evidence", Held(pa.Table.from_pylist(rows, schema=pa.schema(kinds))))
    word = {True: "yes", False: "no", None: "?"}
    return [
        f"{r['valid_from']}..{r['valid_to'] or ''} {word[r['alive']]} {word[r['resident']]} {r['evidence']}"
        for r in engine.rows(presence_sql("evidence")).to_pylist()
    ]


def record(first: str, last: str | None = None) -> tuple[str, str, str | None]:
    return "record", first, last


def sign(day: str) -> tuple[str, str, str | None]:
    return "sign", day, None


def died(day: str) -> tuple[str, str, str | None]:
    return "died", day, None


def left(day: str) -> tuple[str, str, str | None]:
    return "left", day, None


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ((record("2019-01-01"),), ["2019-01-01.. yes yes on record"]),
        (
            (record("2019-01-01"), sign("2019-01-01"), died("2020-03-10")),
            ["2019-01-01..2020-01-01 yes yes active", "2020-01-02..2020-03-10 yes yes on record",
             "2020-03-11.. no no died"],
        ),
        (
            (sign("2019-01-01"), sign("2021-06-01")),
            ["2019-01-01..2020-01-01 yes yes active", "2020-01-02..2021-05-31 yes ? silent",
             "2021-06-01..2022-06-01 yes yes active", "2022-06-02.. ? ? silent"],
        ),
        (
            (record("2019-01-01", "2019-12-31"), left("2019-12-31")),
            ["2019-01-01..2019-12-31 yes yes on record", "2020-01-01.. ? no moved away"],
        ),
        (
            (record("2019-01-01", "2019-12-31"), left("2019-12-31"), record("2021-01-01")),
            ["2019-01-01..2019-12-31 yes yes on record", "2020-01-01..2020-12-31 yes no moved away",
             "2021-01-01.. yes yes on record"],
        ),
        (
            (record("2018-01-01"), record("2019-01-01", "2019-12-31"), left("2019-12-31")),
            ["2018-01-01..2019-12-31 yes yes on record", "2020-01-01.. ? ? contradicted"],
        ),
        (
            (record("2019-01-01"), died("2020-01-31"), sign("2020-03-01")),
            ["2019-01-01..2020-01-31 yes yes on record", "2020-02-01.. no no died"],
        ),
        (
            (record("2019-01-01"), died("2020-01-31"), sign("2021-03-01")),
            ["2019-01-01..2020-01-31 yes yes on record", "2020-02-01.. ? ? contradicted"],
        ),
    ],
    ids=["listed", "died", "silent", "moved away", "came back", "two lists", "posthumous", "contradicted death"],
)  # fmt: skip
def test_each_kind_of_evidence(
    engine: DuckDB, evidence: tuple[tuple[str, str, str | None], ...], expected: list[str]
) -> None:
    assert spans(engine, *evidence) == expected


def test_published_rows_and_register_days_are_evidence(engine: DuckDB) -> None:
    day = date.fromisoformat
    table = pa.table({
        "person_entity": pa.array([1, 2, None, 4], pa.int64()),
        "person_link_probability": pa.array([0.9, 1.0, 1.0, 1.0], pa.float32()),
        "person_link_method": ["exact", "provisional: new", "exact", "exact"],
        "seen": pa.array([day("2020-01-01"), day("2020-02-01"), day("2020-03-01"), day("2023-01-01")], pa.date32()),
        "since": ["2019-01-01", None, None, "never"], "until": ["2019-06-30", None, None, None],
    })  # fmt: skip
    engine.load("rows", Held(table))
    probability, method = "person_link_probability", "person_link_method"
    seen = Witness("rows", "person_entity", SPOKEN, Days(), Dated('"seen"', moment=True), probability, method)
    listed = Witness("rows", "person_entity", SPOKEN, Days(registered_from="since", registered_to="until"))
    engine.create("evidence", f"{evidence_sql(seen)} UNION ALL {evidence_sql(listed)}")
    found = engine.rows("SELECT entity, kind, f::VARCHAR AS f, t::VARCHAR AS t FROM evidence ORDER BY 1, 2, 3")
    assert [tuple(r.values()) for r in found.to_pylist()] == [
        (1, "left", "2019-06-30", None), (1, "record", "2019-01-01", "2019-06-30"), (1, "sign", "2019-01-01", None),
        (1, "sign", "2020-01-01", None), (2, "sign", "2020-02-01", None),
    ]  # fmt: skip
    rows = engine.rows(presence_sql("evidence")).to_pylist()
    assert {(r["person_entity"], r["person_link_method"]) for r in rows} == {
        (1, "presence"), (2, "provisional: presence"),
    }  # fmt: skip
    assert all(r["person_link_probability"] == 1.0 for r in rows)


DAYS = st.integers(0, 900).map(lambda n: date.fromordinal(date(2019, 1, 1).toordinal() + n).isoformat())
PIECES = st.one_of(
    DAYS.map(sign), DAYS.map(died), DAYS.map(left), DAYS.map(record),
    st.tuples(DAYS, DAYS).map(lambda d: record(min(d), max(d))),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, min_size=1, max_size=6))
def test_spans_follow_each_other_without_gap_and_nobody_dead_is_resident(
    engine: DuckDB, pieces: list[tuple[str, str, str | None]]
) -> None:
    found = [line.split(" ", 3) for line in spans(engine, *pieces)]
    days = [span.split("..") for span, *_ in found]
    for (_, last), (first, _) in pairwise(days):
        assert date.fromisoformat(first).toordinal() == date.fromisoformat(last).toordinal() + 1
    assert days[-1][1] == ""
    for _, alive, resident, evidence in found:
        assert not (alive == "no" and resident == "yes")
        assert (evidence == "died") == (alive == "no")
    if not any(kind == "died" for kind, *_ in pieces):
        assert all(alive != "no" for _, alive, *_ in found)
