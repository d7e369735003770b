"""Records for an index: names taken apart, addresses joined, columns by meaning."""

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.records import records_of
from integrated_data.model.contract import Column, Contract, Format, IndexUse, Layout
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.whole_names import parts_sql

NAMES = [
    ("SMITH, John Paul", ("John", "Paul", "SMITH")),
    ("Mr John Smith", ("John", None, "Smith")),
    ("Mrs. Anna  van der Berg", ("Anna", None, "van der Berg")),
    ("DR Amina Ali Hassan", ("Amina", "Ali", "Hassan")),
    ("O'BRIEN, Miss Mary", ("Mary", None, "O'BRIEN")),
    ("Cher", (None, None, "Cher")),
    ("", (None, None, None)),
    (None, (None, None, None)),
]


@pytest.mark.parametrize(("whole", "parts"), NAMES)
def test_whole_names_are_taken_apart(engine: DuckDB, whole: str | None, parts: tuple[str | None, ...]) -> None:
    engine.load("given", Held(pa.table({"n": pa.array([whole], pa.string())})))
    given, middle, family = parts_sql("n")
    row = engine.rows(f"SELECT {given} AS g, {middle} AS m, {family} AS f FROM given").to_pylist()[0]
    assert tuple(row.values()) == parts


def test_columns_by_meaning(engine: DuckDB) -> None:
    contract = Contract(
        "benefits", "dwp", Layout(Format.CSV),
        (
            Column("claim", "claim", meaning=Meaning.RECORD_ID),
            Column("who", "who", meaning=Meaning.FULL_NAME),
            Column("line1", "line1", meaning=Meaning.ADDRESS_LINE),
            Column("line2", "line2", meaning=Meaning.ADDRESS_LINE),
            Column("lsoa21", "lsoa21", meaning=Meaning.AREA_CODE),
        ),
    )  # fmt: skip
    row = {"claim": "7", "who": "Ms Ann Lee", "line1": "1 High Street", "line2": None, "lsoa21": "E01000001"}
    engine.load("good", Held(pa.Table.from_pylist([row])))
    person = records_of(contract, IndexUse("demographic"), relation="good", record_id="claim")
    assert engine.rows(person.sql).to_pylist() == [
        {"record_id": "7", "given_name": "Ann", "middle_name": None, "family_name": "Lee",
         "address": "1 High Street", "lsoa21": "E01000001"}
    ]  # fmt: skip
    assert person.columns["area_code"] == ("lsoa21",)
    place = records_of(contract, IndexUse("address"), relation="good", record_id="claim")
    assert "address_line" in place.columns
    assert "address" not in place.columns
