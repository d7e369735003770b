"""Training by Splink: what it finds, what it leaves, and when it is not asked."""

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import link
from integrated_data.index.matching import prepare, rivals, train
from integrated_data.index.matching.block import store_keys
from integrated_data.index.matching.model import assumed
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.site.splink_training import SplinkTrainer
from tests.people import Row, noisy, people, table


def sides(engine: DuckDB, records: list[Row], forms: list[Row]) -> train.Sides:
    for name, rows in (("left", records), ("right", forms)):
        engine.load(f"{name}_rows", Held(table(rows)))
        link.clean(engine, DEFINITION, records=f"{name}_rows", out=f"{name}_clean")
    engine.create("forms", "SELECT * RENAME (record AS form) FROM right_clean")
    return train.Sides("left_clean", "forms", (len(records), len(forms)))


def test_m_and_u_are_found_without_known_links(engine: DuckDB) -> None:
    everyone = people(900)
    model = train.trained(
        engine, SplinkTrainer(), start=assumed(DEFINITION), definition=DEFINITION,
        sides=sides(engine, noisy(everyone), everyone),
    )  # fmt: skip
    assert model.origin == "trained"
    for comparison in ("given", "family", "birth", "place"):
        shares = model.shares[comparison]
        assert sum(shares.m) == pytest.approx(1.0)
        assert sum(shares.u) == pytest.approx(1.0)
        assert shares.m[0] > 0.8
    # one of 20 given names, one of 23 family names: agreement by chance
    assert model.shares["given"].u[0] == pytest.approx(1 / 20, rel=0.4)
    assert model.shares["family"].u[0] == pytest.approx(1 / 23, rel=0.4)
    # one in twenty was misspelt, one in twenty moved
    spelling = [level.label for level in DEFINITION.comparison("given").levels].index("spelling")
    assert 0.01 < model.shares["given"].m[spelling] < 0.12
    assert 0.01 < model.shares["place"].m[-1] < 0.12
    assert model.shares["nhs"] == assumed(DEFINITION).shares["nhs"]  # nobody had one: as assumed


def test_a_run_can_be_repeated(engine: DuckDB) -> None:
    everyone = people(450)
    both = [
        train.trained(
            engine,
            SplinkTrainer(),
            start=assumed(DEFINITION),
            definition=DEFINITION,
            sides=sides(engine, noisy(everyone), everyone),
        )
        for _ in range(2)
    ]
    assert both[0] == both[1]


def test_too_little_to_learn_from_leaves_what_is_assumed(engine: DuckDB) -> None:
    start = assumed(DEFINITION)
    few = train.trained(
        engine, SplinkTrainer(), start=start, definition=DEFINITION, sides=sides(engine, noisy(people(60)), people(60))
    )
    assert few is start
    strangers = [{"record_id": f"N{i}", "sex": "F"} for i in range(300)]
    unlike = train.trained(
        engine, SplinkTrainer(), start=start, definition=DEFINITION, sides=sides(engine, strangers, people(300))
    )
    assert unlike.shares["given"] == start.shares["given"]


def test_the_index_shows_how_alike_a_household_is(engine: DuckDB) -> None:
    engine.load("rows", Held(table(people(600))))
    link.clean(engine, DEFINITION, records="rows", out="clean")
    engine.create(
        "w_forms",
        f"SELECT *, record AS form, record AS entity FROM ({prepare.with_frequencies_sql(DEFINITION, 'clean')})",
    )
    store_keys(engine, DEFINITION, forms="w_forms", out="w_keys")
    counts = rivals.rival_counts(engine, DEFINITION, model=assumed(DEFINITION), work="w")
    assert counts is not None
    assert counts.per_entity == pytest.approx(2.0, abs=0.3)  # households of three
    family = counts.levels["family"]
    assert family[0] / sum(family) > 0.95
    given = counts.levels["given"]
    assert given[0] / sum(given) < 0.12
