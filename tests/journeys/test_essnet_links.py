"""ESSnet census × customers through one Demographic Index, trained without truth; truth judges at the end."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, link
from integrated_data.index.matching.quality import quality
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.site.splink_training import SplinkTrainer
from tests.real_data import real_data


def department(engine: DuckDB, name: str) -> None:
    engine.load(f"{name}_file", Held(pq.read_table(real_data("persons", "essnet", f"{name}.parquet"))))
    engine.create(
        name,
        f"SELECT {name}_id AS record_id, nullif(pername1, '') AS given_name, nullif(pername2, '') AS family_name, "
        "nullif(sex, '') AS sex, try_cast(dob_day AS INTEGER) AS birth_day, "
        "try_cast(dob_mon AS INTEGER) AS birth_month, "
        "try_cast(dob_year AS INTEGER) AS birth_year, nullif(enumcap, '') AS address, nullif(enumpc, '') AS postcode "
        f"FROM {name}_file",
    )


@pytest.mark.parametrize("one_to_one", [True, False])
def test_census_to_customers(engine: DuckDB, tmp_path: Path, one_to_one: bool) -> None:
    for name in ("cis", "census"):
        department(engine, name)
    trainer = SplinkTrainer()
    version, report = build.add_source(
        engine, trainer, definition=DEFINITION, previous=None, folder=tmp_path / "v1",
        source=build.Source("cis", "cis", "2026-01-01T00:00:00"),
    )  # fmt: skip
    assert report.merged == 0  # no customer is there twice
    link.match(engine, trainer, version=version, request=link.Request("census", "links", one_to_one=one_to_one))
    version.load(engine, "index")
    for name in ("cis", "census"):
        engine.load(f"{name}_truth", Held(pq.read_table(real_data("persons", "essnet", f"{name}_truth.parquet"))))
    engine.create(
        "truth",
        "SELECT t.census_id AS record_id, e.entity_id FROM census_truth t "
        "LEFT JOIN cis_truth c ON c.true_person_id = t.true_person_id "
        "LEFT JOIN index_records r ON r.record_id = c.cis_id LEFT JOIN index_entities e ON e.entity = r.entity",
    )
    found = quality(engine, "links", truth="truth")[0]
    assert found.precision.value >= 0.9985
    assert found.recall.value >= 0.99
