"""Real open data through the real command; skipped, with a reason, where it is absent."""

from pathlib import Path

import duckdb
import pytest

from tests.journeys.installation import Ran, ids, made
from tests.real_data import real_data

pytestmark = pytest.mark.long


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def links(home: Path, index: str, file: Path, *, out: Path, number: str) -> str:
    """Match a file; returns the relation of its links."""
    done(ids(home, "match", index, file, "--id", number, "--out", out))
    return f"'{out}'"


def share(statement: str) -> tuple[float, float]:
    """Precision and recall from (right, linked, present)."""
    row = duckdb.execute(statement).fetchone()
    assert row is not None
    right, linked, present = row
    return right / linked, right / present


def test_essnet_census_and_customers_link_through_one_index(tmp_path: Path) -> None:
    census, customers = real_data("persons", "essnet", "census.parquet"), real_data("persons", "essnet", "cis.parquet")
    home = made(tmp_path)
    done(ids(home, "reference", "load", "demographic", customers, "--source", "customers", "--id", "cis_id"))
    left = links(home, "demographic", census, out=tmp_path / "census.parquet", number="census_id")
    right = links(home, "demographic", customers, out=tmp_path / "customers.parquet", number="cis_id")
    truths = [real_data("persons", "essnet", f"{name}_truth.parquet") for name in ("census", "cis")]
    precision, recall = share(
        f"WITH a AS (SELECT entity_id, true_person_id AS t FROM {left} JOIN '{truths[0]}' ON census_id = record_id), "
        f"b AS (SELECT entity_id, true_person_id AS t FROM {right} JOIN '{truths[1]}' ON cis_id = record_id) "
        "SELECT count(*) FILTER (a.t = b.t), count(*), "
        f"(SELECT count(*) FROM '{truths[0]}' JOIN '{truths[1]}' USING (true_person_id)) "
        "FROM a JOIN b USING (entity_id)"
    )
    assert precision >= 0.998
    assert recall >= 0.975


def test_two_departments_deliveries_join_on_the_entity(tmp_path: Path) -> None:
    census, customers = real_data("persons", "essnet", "census.parquet"), real_data("persons", "essnet", "cis.parquet")
    home = made(tmp_path)
    done(ids(home, "reference", "load", "demographic", customers, "--source", "register", "--id", "cis_id"))
    for dataset, file in (("census", census), ("customers", customers)):
        told = done(ids(home, "deliver", dataset, file, "--json")).json
        assert told["state"] == "published"
        assert told["links"]["demographic"]["accepted"] > 0.9 * told["read"]
    files = [next((home / "lake" / "files" / d).glob("*.parquet")) for d in ("census", "customers")]
    columns = {c for (c, *_) in duckdb.execute(f"DESCRIBE FROM '{files[0]}'").fetchall()}
    assert "person_entity" in columns
    assert not columns & {"pername1", "pername2", "enumcap", "enumpc", "dob_day", "census_id"}
    (joined,) = duckdb.execute(f"SELECT count(*) FROM '{files[0]}' JOIN '{files[1]}' USING (person_entity)").fetchall()[
        0
    ]
    assert joined > 11_500


def test_hospital_episodes_of_193_columns_load_as_they_come(tmp_path: Path) -> None:
    file = real_data("health", "artificial_hes_apc_0102.csv.gz")
    home = made(tmp_path)
    told = done(ids(home, "deliver", "hospital_episodes", file, "--json")).json
    assert (told["state"], told["read"], told["quarantined"]) == ("published", 2075, 0)
    entry = done(ids(home, "catalogue", "show", "hospital_episodes", "--json")).json
    assert len(entry["variables"]) + len(entry["withheld"]) + len(entry["identifiers_removed"]) >= 193
    assert sum(v["type"] == "DATE" for v in entry["variables"]) >= 5


@pytest.mark.parametrize(("year", "precision_mark", "recall_mark"), [("2020", 0.97, 0.95), ("2022", 0.95, 0.92)])
def test_practices_keep_their_entity_through_renames_and_moves(
    tmp_path: Path, year: str, precision_mark: float, recall_mark: float
) -> None:
    snapshots = real_data("business", "ods_gp_practice_snapshots_truth.parquet")
    home = made(tmp_path)
    for name in ("2016", year):
        duckdb.execute(
            f"COPY (SELECT record_id, name, address, postcode FROM '{snapshots}' "
            f"WHERE starts_with(snapshot, '{name}')) "
            f"TO '{tmp_path}/practices_{name}.csv' (HEADER)"
        ).fetchall()
    old, new = (tmp_path / f"practices_{name}.csv" for name in ("2016", year))
    for index in ("business", "address"):
        done(ids(home, "reference", "load", index, old, "--source", "practices", "--id", "record_id"))
    told = done(ids(home, "deliver", "practices_now", new, "--json")).json
    assert told["state"] == "published"
    assert {"business", "address"} <= set(told["links"])
    mine = links(home, "business", old, out=tmp_path / "old.parquet", number="record_id")
    later = links(home, "business", new, out=tmp_path / "new.parquet", number="record_id")
    precision, recall = share(
        f"WITH a AS (SELECT entity_id, org_code FROM {mine} JOIN '{snapshots}' USING (record_id)), "
        f"b AS (SELECT entity_id, org_code FROM {later} JOIN '{snapshots}' USING (record_id)) "
        "SELECT count(*) FILTER (b.entity_id IN (SELECT entity_id FROM a WHERE a.org_code = b.org_code)), "
        "count(entity_id), count(*) FILTER (org_code IN (SELECT org_code FROM a)) FROM b"
    )
    assert precision >= precision_mark
    assert recall >= recall_mark


def test_two_and_a_half_million_postcodes_are_the_geography_index(tmp_path: Path) -> None:
    directory = real_data("geography", "uk_postcode_directory.parquet")
    trafford = real_data("geography", "trafford_postcode_ward_msoa_lsoa.parquet")
    home = made(tmp_path)
    told = done(ids(home, "reference", "load", "geography", directory, "--source", "directory", "--json")).json
    assert told["entities"] > 2_500_000
    told = done(ids(home, "match", "geography", trafford, "--out", tmp_path / "links.parquet", "--json")).json
    assert told["accepted"] / told["records"] > 0.95


def test_industry_phrases_are_coded_with_an_abstention(tmp_path: Path) -> None:
    phrases = real_data("classification", "sic2007_activity_index.csv.gz")
    home = made(tmp_path)
    known, asked = tmp_path / "known.csv", tmp_path / "asked.csv"
    read = f"read_csv('{phrases}', all_varchar = true)"
    held = "hash(activity) % 5 = 0"
    duckdb.execute(f"COPY (SELECT sic2007 AS sic_code, activity FROM {read} WHERE NOT {held}) TO '{known}'").fetchall()
    numbered = f"SELECT row_number() OVER () AS number, sic2007, activity AS industry_text FROM {read} WHERE {held}"
    duckdb.execute(f"CREATE OR REPLACE TEMP TABLE held_out AS {numbered}").fetchall()
    duckdb.execute(f"COPY (SELECT number, industry_text FROM held_out) TO '{asked}'").fetchall()
    done(ids(home, "reference", "load", "classification", known, "--source", "activities"))
    told = done(
        ids(home, "match", "classification", asked, "--id", "number", "--out", tmp_path / "c.parquet", "--json")
    ).json
    assert 0 < told["accepted"] < told["records"], "it answers some and abstains on others"
