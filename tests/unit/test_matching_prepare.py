"""Cleaned columns of people: what a delivered name, date, postcode and address become."""

from datetime import date

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching import prepare
from integrated_data.index.reference.demographic import DEFINITION


def cleaned(engine: DuckDB, **row: object) -> dict[str, object]:
    engine.load("people", Held(pa.Table.from_pylist([{"record_id": "1", **row}])))
    prepare.load_lookups(engine, DEFINITION)
    sql = prepare.cleaned_sql(DEFINITION, "people", columns=engine.columns("people"))
    return dict(engine.rows(sql).to_pylist()[0])


NAMES = [
    ({"given_name": "Mary Jane", "family_name": "O'Brien"}, {"given": "MARY", "middle": "JANE", "family": "OBRIEN"}),
    ({"given_name": "Élodie", "family_name": "MacDonald"}, {"given": "ELODIE", "family": "MCDONALD"}),
    ({"given_name": "Bob", "family_name": "Smith-Jones"}, {"root": "ROBERT", "family_first": "SMITH"}),
    ({"given_name": "BABY", "family_name": "van der Berg"}, {"given": None, "family": "VANDERBERG"}),
    ({"given_name": "Ann", "middle_name": "Lee"}, {"given": "ANN", "middle": "LEE", "family": None}),
    ({"family_name": "HILL"}, {"family_shape": "HIII"}),
]


@pytest.mark.parametrize(("delivered", "expected"), NAMES)
def test_names(engine: DuckDB, delivered: dict[str, str], expected: dict[str, object]) -> None:
    found = cleaned(engine, **delivered)
    assert {k: found[k] for k in expected} == expected


ADDRESSES = [
    ("12 High Street, Leeds", "12", "HIGH"),
    ("FLAT 3, 12 HIGH ST", "12 3", "HIGH"),
    ("12 High Street, Flat 3", "12 3", "HIGH"),
    ("Rose Cottage, Mill Lane", "ROSECOTTAGE", "MILL"),
    ("15, Victoria Road", "15", "VICTORIA"),
    (None, None, None),
]


@pytest.mark.parametrize(("address", "house", "street"), ADDRESSES)
def test_dwellings(engine: DuckDB, address: str | None, house: str | None, street: str | None) -> None:
    engine.load("people", Held(pa.table({"record_id": ["1"], "address": pa.array([address], pa.string())})))
    prepare.load_lookups(engine, DEFINITION)
    found = engine.rows(prepare.cleaned_sql(DEFINITION, "people", columns=("address",))).to_pylist()[0]
    assert (found["house"], found["street"]) == (house, street)


def test_birth_in_one_date_or_in_parts(engine: DuckDB) -> None:
    assert cleaned(engine, date_of_birth=date(1984, 9, 27))["born"] == 19840927
    parts = cleaned(engine, birth_year=1984, birth_month=9)
    assert (parts["birth_year"], parts["birth_month"], parts["birth_day"], parts["born"]) == (1984, 9, None, None)


@pytest.mark.parametrize(("sex", "gender"), [("1", "M"), ("male", "M"), ("F", "F"), ("2", "F"), ("9", None)])
def test_sex(engine: DuckDB, sex: str, gender: str | None) -> None:
    assert cleaned(engine, sex=sex)["gender"] == gender


def test_what_a_delivery_lacks_is_missing_and_nothing_at_all_is_no_evidence(engine: DuckDB) -> None:
    found = cleaned(engine, given_name="", postcode=" zz99 3vz ")
    assert all(found[f] is None for f in prepare.kept(DEFINITION))
    engine.create("cleaned", prepare.cleaned_sql(DEFINITION, "people", columns=("given_name",)))
    assert engine.rows(
        f"SELECT count(*) AS n FROM cleaned WHERE {prepare.has_evidence_sql(DEFINITION)}"
    ).to_pylist() == [{"n": 0}]


def test_frequencies_are_shares_of_those_that_have_a_value(engine: DuckDB) -> None:
    rows = [{"record_id": i, "family_name": n} for i, n in enumerate(["Smith", "Smith", "Jones", None])]
    engine.load("people", Held(pa.Table.from_pylist(rows)))
    prepare.load_lookups(engine, DEFINITION)
    engine.create("cleaned", prepare.cleaned_sql(DEFINITION, "people", columns=("family_name",)))
    engine.create("shares", prepare.with_frequencies_sql(DEFINITION, "cleaned"))
    found = {r["family"]: r["tf_family"] for r in engine.rows("SELECT family, tf_family FROM shares").to_pylist()}
    assert found == {"SMITH": pytest.approx(2 / 3), "JONES": pytest.approx(1 / 3), None: None}
