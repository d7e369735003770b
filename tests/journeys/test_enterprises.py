"""The business register of the fictional country, its enterprises by quarter, through the command line."""

from pathlib import Path

import duckdb
import pytest

from integrated_data import specimen
from integrated_data.model.linkage import Band
from integrated_data.site.loading import open_loading
from integrated_data.site.matching import open_index
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from tests.journeys.installation import ids, made


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> specimen.Manifest:
    folder = tmp_path_factory.mktemp("country")
    return specimen.write(folder, people=3_000, seed=4, departments=["business_register"])


@pytest.mark.long
def test_legal_units_belong_to_enterprises_quarter_by_quarter(country: specimen.Manifest, tmp_path: Path) -> None:
    home = made(tmp_path)
    register, structure = country.file("business_register.csv"), country.file("enterprise_structure.csv")
    for file, source in ((register, "register"), (structure, "structure")):
        ran = ids(
            home, "reference", "load", "business", file.path, "--source", source, "--id", file.record_id, "--json"
        )
        assert ran.code == 0, ran.err
    loaded = ran.json
    assert loaded["edges"] > 0
    assert loaded["in_two_units"] == 0
    out = tmp_path / "units.parquet"
    for quarter in ("2020 Q3", "2021 Q1"):
        ran = ids(home, "reference", "units", quarter, "--out", out, "--json")
        assert ran.code == 0, ran.err
        true = duckdb.sql(
            f"SELECT count(DISTINCT statistical_unit), count(DISTINCT enterprise_group) "
            f"FROM read_csv('{structure.path}', all_varchar = true) WHERE quarter = '{quarter}'"
        ).fetchone()
        assert (ran.json["enterprises"], ran.json["enterprise_groups"]) == true
        assert duckdb.sql(f"SELECT count(DISTINCT entity_id) FROM '{out}'").fetchone() == (ran.json["legal_units"],)
    assert ids(home, "reference", "units", "1999 Q1", "--json").json["legal_units"] == 0
    refused = ids(home, "reference", "units", "soon")
    assert refused.code == 2
    assert "Write it as 2024 Q3" in refused.err


@pytest.mark.long
def test_one_business_is_answered_from_python_with_reasons(country: specimen.Manifest, tmp_path: Path) -> None:
    home, register = made(tmp_path), country.file("business_register.csv")
    args = ("business", register.path, "--source", "register", "--id", register.record_id)
    assert ids(home, "reference", "load", *args).code == 0
    listed = f"FROM read_csv('{register.path}', all_varchar = true) WHERE business_name IS NOT NULL"
    name, code = duckdb.sql(f"SELECT business_name, postcode {listed} LIMIT 1").fetchall()[0]
    settings = Settings(home, 1, "1GB", production=False, actor="tester")
    with open_loading(Places(home), settings) as site, open_index(site, settings, index="business") as held:
        answer = held.match({"organisation_name": name, "postcode": code})
    assert answer.band is Band.ACCEPT
    assert "name" in {reason.comparison for reason in answer.candidates[0].reasons}
