"""Variables with codes of their own mean one thing under a concept: drawn tables in, counts by the concept out."""

from pathlib import Path
from typing import Any

import pytest

from integrated_data.access.gate import Checked, may_query
from integrated_data.access.views import View
from integrated_data.control import catalogue
from integrated_data.control.store import Store
from integrated_data.engine import Engine
from integrated_data.model.catalogue import Wanted, facets_of
from integrated_data.model.errors import AgreementRefusal
from integrated_data.site.concepts import map_variable, read_registry, registry_of, set_registry, views
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places
from tests.house.tree import ROOT
from tests.unit.test_catalogue_search import DAY, entry, publish, variable

LFS = """
dataset: lfs
variable: gor
concept: region
version: "2011"
codes: {"1": E12000001, "10": W92000004, "-9": ""}
"""
OLD = """
dataset: panel
variable: region
concept: region
version: "1997"
"""
AGE = """
dataset: lfs
variable: age
concept: age_band
version: "2021"
bands: [{least: 0, code: 0-15}, {least: 16, code: 16-24}, {least: 25, code: 25-34}]
"""
PAY = """
dataset: panel
variable: weekly
concept: income
version: "2021"
factor: 52
"""


@pytest.fixture
def places(tmp_path: Path, store: Store) -> Places:
    coded = variable("gor", common=[("1", 0.6), ("10", 0.3), ("-9", 0.1)])
    publish(store, entry("lfs", "Labour force", "Statistics", coded, variable("age", "age")), delivery="1")
    publish(store, entry("panel", "Panel", "Trust", variable("region"), variable("weekly", "money")), delivery="2")
    for text in (LFS, OLD, AGE, PAY):
        map_variable(Places(tmp_path), store, text=text, by="tester")
    return Places(tmp_path)


def test_two_datasets_with_codes_of_their_own_group_alike(places: Places, engine: Engine) -> None:
    """Through the gate: a newer survey's numbers and an older panel's letters are the same regions."""
    engine.create("lfs", "SELECT * FROM (VALUES (1, 15), (1, 16), (10, 99), (-9, 30), (77, 24)) AS t(gor, age)")
    engine.create("panel", "SELECT * FROM (VALUES ('A', 100), ('W', 10), ('Q', 1)) AS t(region, weekly)")
    sql = {(v["dataset"], v["variable"]): v["sql"] for v in views(places)}
    both = " UNION ALL ".join(f"SELECT {sql[name]} FROM {name[0]}" for name in (("lfs", "gor"), ("panel", "region")))
    query = f"SELECT region, count(*) AS n FROM ({both}) GROUP BY region ORDER BY region NULLS LAST"
    named = {
        "lfs": View("lfs", "lfs", ("gor", "age"), (), ""),
        "panel": View("panel", "panel", ("region", "weekly"), (), ""),
    }  # fmt: skip
    assert isinstance(may_query(query, named, parser=DuckDBParser()), Checked)
    assert engine.rows(query).to_pylist() == [
        {"region": "E12000001", "n": 3}, {"region": "W92000004", "n": 2}, {"region": None, "n": 3},
    ]  # fmt: skip
    ages = engine.rows(f"SELECT {sql['lfs', 'age']} FROM lfs ORDER BY age")["age_band"].to_pylist()
    assert ages == ["0-15", "16-24", "16-24", "25-34", "25-34"]
    assert engine.rows(f"SELECT {sql['panel', 'weekly']} FROM panel")["income"].to_pylist() == [5200, 520, 52]


def test_the_catalogue_finds_them(places: Places, store: Store) -> None:
    def found(facet: str) -> list[str]:
        with store.read() as connection:
            wanted = Wanted("", facets_of([facet]))
            return [one["dataset"] for one in catalogue.search(connection, wanted, day=DAY)]

    assert found("concept=region") == ["lfs", "panel"]
    assert found("concept=income") == ["panel"]
    publish(store, entry("panel", "Panel", "Trust", variable("region")), delivery="3")
    assert found("concept=region") == ["lfs", "panel"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2011", "1801", "no version 1801"),
        ("variable: gor", "variable: nosuch", "no variable"),
        ("E12000001", "E1", "not the concept's"), (', "-9": ""', "", "1 codes that the catalogue shows"),
        ("codes:", "factor: 2\ncodes:", "two ways"), ("dataset: lfs", "dataset: none", "no published version"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(places: Places, store: Store, *, old: str, new: str, said: str) -> None:
    before = views(places)
    with pytest.raises(AgreementRefusal, match=said):
        map_variable(places, store, text=LFS.replace(old, new), by="tester")
    assert views(places) == before


def test_another_registry_takes_the_place_of_the_shipped_one(places: Places, store: Store) -> None:
    shipped = (ROOT / "src/integrated_data/vocabulary/concepts/united_kingdom.yaml").read_text()
    with pytest.raises(AgreementRefusal, match="no version 2021 of a concept income"):
        set_registry(places, store, text=shipped[: shipped.index("  - id: income")], by="tester")
    told: dict[str, Any] = set_registry(places, store, text=shipped.replace("2026-11", "2027-01"), by="tester")
    assert registry_of(places).version == told["version"] == "2027-01"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: sex", "id: region", "twice"), ("K: E12000009", "K: E1", "codes that are not there"),
        ("unit: pounds a year", "unit: ''", "neither"), ('version: "2011"', 'version: "1997"', "version twice"),
    ],
)  # fmt: skip
def test_a_registry_that_contradicts_itself_is_refused(old: str, new: str, said: str) -> None:
    shipped = (ROOT / "src/integrated_data/vocabulary/concepts/united_kingdom.yaml").read_text()
    with pytest.raises(AgreementRefusal, match=said):
        read_registry(shipped.replace(old, new))
