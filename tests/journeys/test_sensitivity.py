"""How far an answer depends on its links: drawn tables whose intervals are known, through gate and worker."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from integrated_data.access.asked import Question
from integrated_data.access.sensitivity import UNSEEN, Runs, Sensitivity, sensitivity
from integrated_data.control import queries
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import AgreementRefusal, QueryRefusal
from tests.journeys.test_gateway import Place

PEOPLE = 400

#: Women's links are certain; men's are right with probability 0.85.
LINKED = "SELECT sex, count(person_key) AS linked, count(*) AS rows FROM census GROUP BY sex ORDER BY sex"


@pytest.fixture
def country(store: Store, engine: DuckDB, tmp_path: Path) -> Place:
    made = Place(store, engine, tmp_path, Ed25519PrivateKey.generate(), datetime(2026, 6, 15, 12, tzinfo=UTC))
    made.store = Store(store.engine, clock=lambda: made.now)
    made.write()
    link = {
        "person_entity": range(1, PEOPLE + 1), "person_link_probability": [1.0, 0.85] * (PEOPLE // 2),
        "person_link_method": ["model"] * PEOPLE,
    }  # fmt: skip
    census = {**link, "sex": ["F", "M"] * (PEOPLE // 2), "region": ["North", "South", "East", "West"] * (PEOPLE // 4)}
    pq.write_table(pa.table(census), tmp_path / "census.parquet")
    pq.write_table(pa.table({**link, "income": [100] * PEOPLE}), tmp_path / "pay.parquet")
    made.approve()
    return made


def ask(place: Place, sql: str, **how: object) -> Sensitivity:
    runs = Runs(**{"thresholds": (0.8, 0.9), "draws": 8, **how})  # type: ignore[arg-type]
    return sensitivity(place.gateway(), Question("ada", "P-1", sql), runs=runs)


def test_an_interval_for_each_cell(country: Place) -> None:
    found = ask(country, LINKED)
    assert found.table is not None
    women, men = found.table.to_pylist()
    assert women["linked"] == women["linked_low"] == women["linked_high"] == women["linked_least"] == 200
    assert (men["linked"], men["linked_least"], men["linked_most"], men["draws"]) == (200, 0, 200, 8)
    assert 150 < men["linked_low"] < 170 < men["linked_high"] < 190, "about 170 of 200, give or take 10"
    assert men["rows_low"] == men["rows_high"] == 200, "a record stays; only its key goes"
    assert found.by_threshold is not None
    assert [(r["threshold"], r["sex"], r["linked"]) for r in found.by_threshold.to_pylist()] == [
        (0.8, "F", 200), (0.8, "M", 200), (0.9, "F", 200), (0.9, "M", 0),
    ]  # fmt: skip
    assert found.unseen == UNSEEN
    assert "never compared" in UNSEEN


def test_links_of_two_tables_are_drawn_apart(country: Place) -> None:
    """A pair of records joins when both links are kept: 0.85 squared of 200 men, 144.5."""
    joined = "SELECT c.sex, count(*) AS n FROM census c JOIN pay p USING (person_key) GROUP BY c.sex ORDER BY c.sex"
    found = ask(country, joined)
    assert found.table is not None
    men = found.table.to_pylist()[1]
    assert 120 < men["n_low"] < 144.5 < men["n_high"] < 168


def test_a_seed_gives_the_same_draws(country: Place) -> None:
    first, again, other = (ask(country, LINKED, thresholds=(), draws=3, seed=s) for s in (1, 1, 2))
    assert first.table is not None
    assert again.table is not None
    assert other.table is not None
    assert first.table.equals(again.table)
    assert not first.table.equals(other.table)


def test_it_is_one_question_on_record(country: Place) -> None:
    found = ask(country, LINKED, draws=2)
    with country.store.read() as connection:
        kept = queries.get(connection, found.answer.query)
        events = [r for r in records(connection) if r.action.startswith("query.")]
    assert (kept["state"], kept["body"]["runs"]) == ("done", 5)
    assert [e.action for e in events] == ["query.started", "query.done"]


def test_figures_may_be_named_where_the_query_does_not_show_them(country: Place) -> None:
    nested = f"SELECT sex, linked / rows AS share FROM ({LINKED})"
    with pytest.raises(QueryRefusal, match="not clear which columns"):
        ask(country, nested, draws=2)
    found = ask(country, nested, draws=2, measures=("share",))
    assert found.table is not None
    assert found.table.column_names[:4] == ["sex", "share", "share_low", "share_high"]


@pytest.mark.parametrize(
    ("sql", "how", "why"),
    [
        (
            "SELECT region, sum(person_link_probability) AS p FROM census GROUP BY region, sex, person_key",
            {},
            "told apart",
        ),
        ("SELECT sex, min(region) AS r FROM census GROUP BY sex", {}, "not a number"),
        (LINKED, {"draws": 1000}, "cannot be made"),
        (LINKED, {"measures": ("nosuch",)}, "not clear which columns"),
    ],
)
def test_what_has_no_interval_is_refused(country: Place, sql: str, how: dict[str, object], why: str) -> None:
    with pytest.raises(QueryRefusal, match=why):
        ask(country, sql, **{"draws": 2, **how})


def test_the_gate_refuses_as_ever(country: Place) -> None:
    found = ask(country, "SELECT count(*) FROM read_parquet('census.parquet')")
    assert isinstance(found.answer.refusal, QueryRefusal)
    assert found.table is None
    stranger = sensitivity(country.gateway(), Question("eve", "P-1", LINKED))
    assert isinstance(stranger.answer.refusal, AgreementRefusal)
