"""Inference on real open data: identifiers are found, nothing that names a person is published."""

import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from integrated_data.acquire.infer import infer
from integrated_data.acquire.land import land
from integrated_data.acquire.layout import sniff
from integrated_data.acquire.prepare import prepare
from integrated_data.acquire.sample import sample_of
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Contract, Format
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import foreign
from tests.delivering import SEALER
from tests.real_data import real_data

M = Meaning

#: Columns that hold truth or answers: no stage may read them.
TRUTH = {"true_person_id", "simulant_id", "cluster"}


def contract(engine: DuckDB, folder: Path, *parts: str) -> Contract:
    place = real_data(*parts)
    if place.suffix == ".parquet" and (names := pq.read_schema(place).names) and TRUTH & set(names):
        engine.load("sample", Held(pq.read_table(place, columns=[n for n in names if n not in TRUTH])))
        engine.view("sampled", "SELECT COLUMNS(*)::VARCHAR FROM sample")
        landed = land([place], folder, sealer=SEALER)
        found = sniff(prepare(landed, folder, sealer=SEALER, foreign=foreign), SEALER)
        return infer(engine, "sampled", dataset="example", owner="department", layout=found.layout)
    landed = land([place], folder, sealer=SEALER)
    found = sniff(prepare(landed, folder, sealer=SEALER, foreign=foreign), SEALER)
    engine.load("sample", sample_of(found, folder / "sample.sealed", sealer=SEALER))
    return infer(engine, "sample", dataset="example", owner="department", layout=found.layout)


def meanings(found: Contract) -> dict[str, M]:
    return {c.source: c.meaning for c in found.columns}


def published(found: Contract) -> set[str]:
    return {c.source for c in found.columns if c.handling is Handling.PAYLOAD}


def test_two_departments_files_of_people(engine: DuckDB, tmp_path: Path) -> None:
    census = contract(engine, tmp_path / "a", "persons", "essnet", "census.parquet")
    assert meanings(census) == {
        "census_id": M.RECORD_ID, "pername1": M.GIVEN_NAME, "pername2": M.FAMILY_NAME, "sex": M.SEX,
        "dob_day": M.BIRTH_DAY, "dob_mon": M.BIRTH_MONTH, "dob_year": M.BIRTH_YEAR, "hse_num": M.ADDRESS_BUILDING,
        "enumcap": M.UNKNOWN, "enumpc": M.POSTCODE, "str_nam": M.ADDRESS_STREET, "cap_add": M.ADDRESS,
    }  # fmt: skip
    customers = contract(engine, tmp_path / "b", "persons", "essnet", "cis.parquet")
    assert (meanings(customers)["enumcap"], meanings(customers)["enumpc"]) == (M.ADDRESS, M.POSTCODE)
    for found in (census, customers):
        assert [use.index for use in found.indexes] == ["demographic", "address", "geography"]
        assert published(found) <= {"sex", "dob_mon", "dob_year"}


AMERICAN = {
    "american_community_survey": "%m/%d/%Y", "current_population_survey": "%m/%d/%Y",
    "decennial_census_2020": "%m/%d/%Y", "social_security": "%Y%m%d", "women_infants_and_children": "%m%d%Y",
}  # fmt: skip


@pytest.mark.parametrize("name", AMERICAN)
def test_files_of_another_country(engine: DuckDB, tmp_path: Path, name: str) -> None:
    found = contract(engine, tmp_path, "persons", "pseudopeople", f"{name}.parquet")
    seen = meanings(found)
    assert (seen["first_name"], seen["last_name"], seen["sex"]) == (M.GIVEN_NAME, M.FAMILY_NAME, M.SEX)
    born = found.meaning(M.DATE_OF_BIRTH)[0]
    assert (born.kind, born.formats) == (Kind.DATE, (AMERICAN[name],))
    assert "demographic" in [use.index for use in found.indexes]
    assert not published(found) & {"first_name", "last_name", "street_name", "zipcode", "ssn", "household_id"}


def test_names_and_numbers_of_others_are_withheld(engine: DuckDB, tmp_path: Path) -> None:
    found = contract(engine, tmp_path, "persons", "pseudopeople", "taxes_1040.parquet")
    for column in found.columns:
        if column.source.startswith(("spouse", "dependent")):
            assert column.handling is not Handling.PAYLOAD
            assert column.meaning in (M.UNKNOWN, M.PERSON_REFERENCE)
    assert meanings(found)["ssn"] is M.PERSON_REFERENCE


def test_hospital_episodes_of_193_columns(engine: DuckDB, tmp_path: Path) -> None:
    start = time.process_time()
    found = contract(engine, tmp_path, "health", "artificial_hes_apc_0102.csv.gz")
    assert time.process_time() - start < 6  # measured 0.6 to 1.2
    assert (found.layout.format, len(found.columns)) == (Format.CSV, 193)
    seen = {c.source: c for c in found.columns}
    expected = {
        "EPIKEY": M.RECORD_ID, "PSEUDO_HESID": M.PERSON_REFERENCE, "SEX": M.SEX, "ETHNOS": M.ETHNIC_GROUP,
        "LSOA01": M.AREA_CODE, "DIAG_4_01": M.CONDITION_CODE, "GPPRAC": M.ORGANISATION_REFERENCE,
    }  # fmt: skip
    assert {source: seen[source].meaning for source in expected} == expected
    assert (seen["MYDOB"].kind, seen["MYDOB"].formats, seen["MYDOB"].handling) == (
        Kind.DATE, ("%m%Y",), Handling.WITHHELD,
    )  # fmt: skip
    assert seen["ELECDATE"].missing == ("1801-01-01",)
    assert seen["DIAG_COUNT"].kind is Kind.INTEGER
    assert not published(found) & {"EPIKEY", "AEKEY", "PSEUDO_HESID", "SUSRECID", "GPPRAC", "MYDOB"}


def test_registers(engine: DuckDB, tmp_path: Path) -> None:
    practices = contract(engine, tmp_path / "a", "business", "ods_gp_practice_snapshots_truth.parquet")
    assert meanings(practices) == {
        "record_id": M.RECORD_ID, "snapshot": M.CODE, "org_code": M.ORGANISATION_REFERENCE,
        "name": M.ORGANISATION_NAME, "address": M.ADDRESS, "postcode": M.POSTCODE,
    }  # fmt: skip
    companies = contract(engine, tmp_path / "b", "business", "companies_house_basic_1000.csv.gz")
    seen = meanings(companies)
    assert (seen["CompanyName"], seen["CompanyNumber"]) == (M.ORGANISATION_NAME, M.COMPANY_NUMBER)
    assert (seen["RegAddress.AddressLine1"], seen["SICCode.SicText_1"]) == (M.ADDRESS_LINE, M.INDUSTRY_CODE)
    schools = contract(engine, tmp_path / "c", "address", "school_eng_uprn_truth.parquet")
    assert meanings(schools)["uprn"] is M.UPRN
    assert meanings(schools)["text"] is M.ADDRESS


def test_codes_statistics_and_places(engine: DuckDB, tmp_path: Path) -> None:
    activities = contract(engine, tmp_path / "a", "classification", "sic2007_activity_index.csv.gz")
    assert meanings(activities) == {"sic2007": M.INDUSTRY_CODE, "sic2003": M.CODE, "activity": M.INDUSTRY_TEXT}
    teaching = contract(engine, tmp_path / "b", "labour", "census2011_teaching_file_10000.csv.gz")
    seen = {c.source: c for c in teaching.columns}
    assert seen["Person ID"].handling is Handling.IDENTIFIER
    assert (seen["Occupation"].meaning, seen["Occupation"].missing) == (M.CODE, ("-9",))
    quality = contract(engine, tmp_path / "c", "health", "qof_2018_19", "qof_gp_1819_mental.parquet")
    seen = {c.source: c for c in quality.columns}
    assert (seen["DEM_p_1718"].kind, seen["DEM_p_1718"].decimal, seen["DEM_p_1718"].missing) == (
        Kind.NUMBER, ",", (":",),
    )  # fmt: skip
    assert (seen["allAges_1819"].kind, seen["allAges_1819"].decimal) == (Kind.INTEGER, ",")
    places = contract(engine, tmp_path / "d", "geography", "uk_postcode_directory.parquet")
    assert meanings(places) == {
        "postcode": M.POSTCODE, "lad_code": M.AREA_CODE, "latitude": M.LATITUDE, "longitude": M.LONGITUDE,
        "lsoa11_code_derived": M.AREA_CODE,
    }  # fmt: skip
