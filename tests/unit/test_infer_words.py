"""Columns of few words: names of people are never published by inference, and ordinary code lists are."""

import pyarrow as pa
import pytest

from integrated_data.acquire.infer import infer
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Format, Layout
from integrated_data.model.meanings import Handling, Meaning

NAMES = ["Smith", "Jones", "Lee", "Brontë", "Khan", "O'Neill"]
KINDS = ["Owned", "Rented", "Shared", "Tied house", "Barracks", "Other"]


@pytest.mark.parametrize(
    ("heading", "values", "published"),
    [
        ("column_2", NAMES, False),
        ("name", NAMES, False),
        ("name_2", NAMES, False),
        ("note", ["called Ann again", "met Bob at home", "no reply yet"], False),
        ("tenure", KINDS, True),
        ("column_3", ["A", "B", "C"], True),
    ],
)
def test_what_may_be_names_or_notes_is_withheld(
    engine: DuckDB, heading: str, values: list[str], published: bool
) -> None:
    rows = [{"ref": f"R{i}", heading: values[i % len(values)], "amount": str(i * 1.5)} for i in range(300)]
    engine.load("delivered", Held(pa.Table.from_pylist(rows)))
    contract = infer(engine, "delivered", dataset="d", owner="o", layout=Layout(Format.CSV))
    column = next(c for c in contract.columns if c.source == heading)
    assert (column.handling is Handling.PAYLOAD) is published


OFFICERS = ["Siân Jones", "Mohammed Khan", "Caoimhe Ní Bhriain", "Zbigniew Wiśniewski", "Priya Patel"]


@pytest.mark.parametrize(
    ("heading", "values", "published"),
    [
        ("swyddog", OFFICERS, False),
        ("q14", [*OFFICERS, "System", "Not allocated"], False),
        ("by_whom", ["Jones, Siân", "KHAN, M.", "O'Brien, Niall", "Evans-Pugh, Rhŷs"], False),
        ("decided", ["S. Jones", "M Khan", "Dr A. B. Patel"], False),
        ("nurse", ["Rhŷs", "Angharad", "Owain", "Siân"], False),
        ("team_lead", ["Evans", "Pritchard", "Nowak", "Okafor", "Begum"], False),
        ("code", ["Siân Jones", "Mohammed Khan"], False),
        ("ward", ["Siân Jones", "Mohammed Khan", "Olga Petrova"], False),
        ("clerk", ["Xquil Vrong", "Threp Obbly", "Zunt Marfle"], False),
        ("enw", ["Rhŷs", "Angharad", "Owain", "Siân"], False),
        ("cyfenw", ["Jones", "Parry", "Pugh", "Evans"], False),
        ("colour", ["Red", "White", "Brown", "Green", "Black", "Grey"], True),
        ("opened_in", ["April", "May", "June", "August", "March"], True),
        ("ethnicity", ["White British", "Black African", "Asian Indian", "Mixed", "Other"], True),
        ("authority", ["Cardiff", "Swansea", "Wrexham", "Newport", "Gwynedd", "Powys", "Flintshire"], True),
        ("ward_stay", ["Victoria Ward", "Cedar Ward", "Nightingale Ward"], True),
        ("finding", ["Asthma", "Diabetes mellitus", "Crohn's disease", "Hodgkin lymphoma", "Down syndrome"], True),
        ("payment", ["Grant", "Cash", "Bill", "Card"], True),
        ("officer_grade", ["Senior", "Junior", "Principal"], True),
        ("where", ["St Mary's", "St Thomas", "Royal Gwent"], True),
        ("chain", ["Tesco", "Boots", "Lloyds Bank", "John Lewis Partnership", "Marks and Spencer"], True),
    ],
)
def test_names_of_people_are_no_codes(engine: DuckDB, heading: str, values: list[str], published: bool) -> None:
    rows = [{"ref": f"R{i}", heading: values[i % len(values)], "amount": str(i * 1.5)} for i in range(300)]
    engine.load("delivered", Held(pa.Table.from_pylist(rows)))
    contract = infer(engine, "delivered", dataset="d", owner="o", layout=Layout(Format.CSV))
    column = next(c for c in contract.columns if c.source == heading)
    assert (column.handling is Handling.PAYLOAD) is published


def test_a_name_beside_a_family_name_is_a_given_name(engine: DuckDB) -> None:
    rows = [{"enw": ["Rhŷs", "Siân"][i % 2], "cyfenw": ["Jones", "Parry", "Pugh"][i % 3]} for i in range(60)]
    engine.load("delivered", Held(pa.Table.from_pylist(rows)))
    contract = infer(engine, "delivered", dataset="d", owner="o", layout=Layout(Format.CSV))
    assert [c.meaning for c in contract.columns] == [Meaning.GIVEN_NAME, Meaning.FAMILY_NAME]
