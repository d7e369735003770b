"""Searching the catalogue: words, ranks, facets, periods, conditions; with full text and without."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as some

from integrated_data.control import catalogue, projects, releases, tables
from integrated_data.control.store import Store
from integrated_data.model.catalogue import Facet, Wanted, facets_of
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.event import Event
from tests.worlds import AGREEMENT

DAY = date(2026, 1, 15)


def variable(name: str, meaning: str = "code", **profile: Any) -> dict[str, Any]:
    return {"name": name, "title": "", "meaning": meaning, "type": "VARCHAR", "profile": profile}


def entry(
    dataset: str, title: str, owner: str, *variables: dict[str, Any], index: str = "demographic"
) -> dict[str, Any]:
    return {"dataset": dataset, "title": title, "owner": owner, "rows": 9, "variables": list(variables),
            "links": {index: {}}}  # fmt: skip


CENSUS = entry("census", "Census of population", "Statistics", variable("age_band"), variable("income", "money"))
TAX = entry("tax", "Income tax", "Revenue", variable("paid", "money"),
            variable("year", "year", low="2009", high="2014"))  # fmt: skip
GP = entry(
    "gp", "Diagnoses of practices", "Health", variable("seen", "event_date", low="2018-03-01", high="2021-06-30")
)
FIRMS = entry("firms", "Employers", "Revenue", variable("sector", "industry_code"), index="business")


@pytest.fixture
def full(store: Store) -> Store:
    for number, one in enumerate((CENSUS, TAX, GP, FIRMS)):
        publish(store, one, delivery=str(number))
    return store


def publish(store: Store, made: dict[str, Any], *, delivery: str) -> None:
    with store.change(Event("test", "tester", "dataset/x")) as change:
        releases.name_snapshot(change, dataset=made["dataset"], delivery=delivery, snapshot=1, entry=made)


@contextmanager
def plain(store: Store) -> Iterator[sa.Connection]:
    """A connection to the same store that passes for a database without full text of its own."""
    with store.read() as connection:
        kept, connection.dialect.name = connection.dialect.name, "other"
        try:
            yield connection
        finally:
            connection.dialect.name = kept


def found(store: Store, words: str = "", *facets: str, **more: Any) -> list[str]:
    wanted = Wanted(words, facets_of(list(facets)), **more)
    with store.read() as connection:
        told = [one["dataset"] for one in catalogue.search(connection, wanted, day=DAY)]
        assert catalogue.facets(connection, wanted, day=DAY)["datasets"] == len(told)
    return told


@pytest.mark.parametrize(
    ("words", "facets", "expected"),
    [
        ("", (), ["census", "firms", "gp", "tax"]),
        ("income", (), ["tax", "census"]),  # a title counts more than a variable
        ("practiced", (), ["gp"]),  # another form of the word
        ("incom", (), ["tax", "census"]),  # the beginning of one
        ("AGE population", (), ["census"]),  # every word, whatever its case
        ("income nothing", (), []),
        ('income" OR "*', (), []),  # words, never operators
        ("", ("owner=Revenue",), ["firms", "tax"]),
        ("", ("owner=Revenue", "owner=Health"), ["firms", "gp", "tax"]),
        ("", ("owner=Revenue", "index=business"), ["firms"]),
        ("income", ("meaning=year",), ["tax"]),
        ("", ("period=2010s",), ["gp", "tax"]),
        ("", ("period=2020s",), ["gp"]),
    ],
)
def test_what_is_found(full: Store, words: str, facets: tuple[str, ...], expected: list[str]) -> None:
    assert found(full, words, *facets) == expected


def test_days_that_data_tell_of(full: Store) -> None:
    assert found(full, since=date(2015, 1, 1)) == ["gp"]
    assert found(full, until=date(2014, 12, 31)) == ["tax"]
    assert found(full, "money", until=date(2014, 12, 31)) == ["tax"]
    assert found(full, "money", since=date(2020, 1, 1)) == []
    assert found(full, since=date(2014, 12, 31), until=date(2018, 3, 1)) == ["gp", "tax"]


def test_pages(full: Store) -> None:
    with full.read() as connection:
        page = catalogue.search(connection, Wanted(most=2, skip=1), day=DAY)
    assert [one["dataset"] for one in page] == ["firms", "gp"]
    assert page[1] == {
        "dataset": "gp", "title": "Diagnoses of practices", "owner": "Health", "rows": 9, "variables": 1,
        "indexes": ["demographic"], "first": "2018-03-01", "last": "2021-06-30",
    }  # fmt: skip


def test_counts_of_facets(full: Store) -> None:
    with full.read() as connection:
        told = catalogue.facets(connection, Wanted("income"), day=DAY)
    assert told == {
        "datasets": 2,
        "facets": {
            "owner": {"Revenue": 1, "Statistics": 1}, "index": {"demographic": 2},
            "meaning": {"money": 2, "code": 1, "year": 1}, "concept": {},
            "period": {"2000s": 1, "2010s": 1}, "condition": {},
        },
    }  # fmt: skip


def test_a_new_release_takes_the_place_of_the_old(full: Store) -> None:
    publish(full, entry("tax", "Levies", "Treasury", variable("paid", "money")), delivery="later")
    assert found(full, "income") == ["census"]
    assert found(full, "levies") == ["tax"]
    assert found(full, "", "owner=Revenue") == ["firms"]


def test_conditions_follow_agreements(full: Store) -> None:
    holds = replace(AGREEMENT, id="A", dataset="tax", starts=date(2025, 1, 1), ends=date(2026, 1, 15))
    projects.add_agreement(full, holds, by="tester")
    purpose = f"condition=purpose: {holds.purposes[0]}"
    assert found(full, "", purpose) == ["tax"]
    projects.add_agreement(full, replace(holds, ends=date(2026, 1, 14)), by="tester")
    assert found(full, "", purpose) == []
    projects.add_agreement(full, replace(holds, dataset="gp"), by="tester")
    assert found(full, "", purpose) == ["gp"]
    projects.add_agreement(full, replace(holds, dataset="gp", suspended=True), by="tester")
    assert found(full, "", purpose) == []


def test_what_was_published_before_an_agreement_or_after_is_the_same(store: Store) -> None:
    projects.add_agreement(store, replace(AGREEMENT, id="A", dataset="gp", ends=date(2030, 1, 1)), by="tester")
    publish(store, GP, delivery="1")
    assert found(store, "", f"condition=gateway: {AGREEMENT.gateway}") == ["gp"]


@settings(deadline=None, max_examples=60)
@given(
    words=some.lists(some.sampled_from(["income", "tax", "revenue", "age", "band", "gp", "money", "zz"]), max_size=3)
)
def test_both_ways_find_the_same(words: list[str]) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    tables.METADATA.create_all(engine)
    with engine.connect() as connection:
        for number, one in enumerate((CENSUS, TAX, GP, FIRMS), 1):
            catalogue.put(connection, number, entry=one, agreements=())
        connection.commit()
    store, wanted = Store(engine), Wanted(" ".join(words))
    with store.read() as connection:
        ours = {one["dataset"] for one in catalogue.search(connection, wanted, day=DAY)}
        counted = catalogue.facets(connection, wanted, day=DAY)
    with plain(store) as connection:
        assert {one["dataset"] for one in catalogue.search(connection, wanted, day=DAY)} == ours
        assert catalogue.facets(connection, wanted, day=DAY) == counted


def test_what_is_registered_is_looked_up_among_facets_not_looked_for(full: Store) -> None:
    asked: list[tuple[str, Any]] = []

    def _kept(_connection: object, _cursor: object, statement: str, *rest: Any) -> None:
        if "catalogue_facet" in statement:
            asked.append((statement, rest[0][0] if rest[2] else rest[0]))

    sa.event.listen(full.engine, "before_cursor_execute", _kept)
    publish(full, entry("new", "A new one", "New", variable("paid", "money")), delivery="new")
    publish(full, entry("tax", "Levies", "Treasury", variable("paid", "money")), delivery="later")
    sa.event.remove(full.engine, "before_cursor_execute", _kept)
    with full.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in asked]
    told = [step[3] for plan in plans for step in plan]
    assert sum("SEARCH catalogue_facet" in step for step in told) > len(asked) / 2
    assert [step for step in told if step.startswith("SCAN catalogue_facet")] == []


def test_facets_of_thousands_leave_the_collector_of_garbage_little_to_do(store: Store) -> None:
    item, facet, every = tables.catalogue_item, tables.catalogue_facet, range(1, 3001)
    items = [
        {"id": n, "release": n, "dataset": f"d{n}", "title": "", "owner": f"d{n}", "rows": 9, "width": 1, "indexes": [],
         "first": None, "last": None, "variables": ""} for n in every
    ]  # fmt: skip
    owners = [
        {"facet": "owner", "value": f"d{n}", "starts": "0001-01-01", "ends": "9999-12-31",
         "items": (1 << n).to_bytes(n // 8 + 1, "little")} for n in every
    ]  # fmt: skip
    with store.change(Event("test", "tester", "dataset/x")) as change:
        change.connection.execute(sa.insert(item), items)
        change.connection.execute(sa.insert(facet), owners)
    with store.read() as connection:
        wanted = Wanted()
        assert catalogue.facets(connection, wanted, day=DAY)["datasets"] == len(every)
        before = gc.get_stats()[0]["collections"]
        for _ in range(20):
            catalogue.facets(connection, wanted, day=DAY)
        assert gc.get_stats()[0]["collections"] - before < 20


@settings(deadline=None, max_examples=80)
@given(words=some.text(max_size=40))
def test_no_text_breaks_the_search(words: str) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    tables.METADATA.create_all(engine)
    with engine.connect() as connection:
        catalogue.put(connection, 1, entry=GP, agreements=())
        assert len(catalogue.search(connection, Wanted(words), day=DAY)) <= 1


def test_too_many_words_and_unknown_facets_are_refused(full: Store) -> None:
    with pytest.raises(UsageRefusal, match="Too many words"):
        found(full, " ".join(f"w{n}" for n in range(65)))
    with pytest.raises(UsageRefusal, match="FACET=VALUE"):
        facets_of(["owner"])
    with pytest.raises(UsageRefusal, match=r"no such facet.*owner, index, meaning"):
        facets_of(["colour=red"])
    with pytest.raises(UsageRefusal, match="ends before it begins"):
        Wanted(since=date(2030, 1, 1), until=date(2020, 1, 1))
    assert facets_of(["owner=a=b"]) == {Facet.OWNER: ("a=b",)}
