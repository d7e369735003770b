"""What is published of a checked delivery: payload, opaque ids, nothing that identifies."""

import datetime as dt

import pyarrow as pa

from integrated_data.deidentify.attach import Attachment, published_sql
from integrated_data.deidentify.scan import scan
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.linkage import IndexDefinition
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.marks import spread_sql

PERSON = IndexDefinition("demographic", "Demographic Index", "person", (Meaning.FAMILY_NAME,))

CONTRACT = Contract(
    "pay", "hmrc", Layout(Format.CSV),
    (
        Column("surname", "Surname", meaning=Meaning.FAMILY_NAME, handling=Handling.IDENTIFIER),
        Column("dob", "DoB", Kind.DATE, Meaning.DATE_OF_BIRTH, Handling.IDENTIFIER),
        Column("gross", "Gross", Kind.NUMBER, Meaning.MONEY, Handling.PAYLOAD),
        Column("note", "Note", handling=Handling.WITHHELD),
        Column("code", "Code", meaning=Meaning.CODE, handling=Handling.PAYLOAD),
    ),
)  # fmt: skip


def _rows(engine: DuckDB, **columns: list[object]) -> None:
    for table, held in columns.items():
        engine.load(table, Held(pa.Table.from_pylist(held)))  # type: ignore[arg-type]


def test_payload_and_entity_ids_only(engine: DuckDB) -> None:
    _rows(
        engine,
        checked=[
            {"_row": 0, "surname": "A", "dob": dt.date(1970, 5, 1), "gross": 1.5, "note": "n", "code": "X", "bad": 0},
            {"_row": 1, "surname": "B", "dob": None, "gross": 2.5, "note": "n", "code": "Y", "bad": 0},
            {"_row": 2, "surname": "C", "dob": None, "gross": 9.9, "note": "n", "code": "Z", "bad": 1},
        ],
        links=[
            {
                "record_id": 0,
                "entity_id": 77,
                "candidate_id": None,
                "probability": 0.99,
                "band": "accept",
                "method": "m",
            },
            {
                "record_id": 1,
                "entity_id": None,
                "candidate_id": 5,
                "probability": 0.4,
                "band": "clerical",
                "method": "m",
            },
        ],
    )
    sql = published_sql(
        CONTRACT, "checked", good="c.bad = 0", attachments=[Attachment(PERSON, "links")], withheld=frozenset({"code"})
    )
    assert [tuple(r.values()) for r in engine.rows(sql + " ORDER BY gross").to_pylist()] == [
        (1.5, 1970, 77, 0.9900000095367432, "m", 0),
        (2.5, None, None, 0.4000000059604645, "m", 1),
    ]
    assert engine.rows(sql).column_names == [
        "gross", "birth_year", "person_entity", "person_link_probability", "person_link_method", "_row",
    ]  # fmt: skip


def test_columns_that_still_identify_are_found(engine: DuckDB) -> None:
    rows = [
        {"district": f"D{i % 7}", "where": f"AB{i % 9} {i % 9}CD", "ref": f"r{i}", "who": "Mr Someone Else"}
        for i in range(300)
    ]
    _rows(engine, left=rows)
    found = {f.column: f.reason for f in scan(engine, "left", columns=["district", "where", "ref", "who"], rows=300)}
    assert set(found) == {"where", "ref", "who"}
    assert "postcode" in found["where"]


def test_a_long_relation_is_looked_at_in_runs_spread_over_it(engine: DuckDB) -> None:
    engine.create(
        "long",
        "SELECT i AS _row, CASE WHEN i > 900000 THEN 'ab1 ' || (i % 10) || 'cd' ELSE 'code' || (i % 5) END AS late "
        "FROM range(1000000) t(i)",
    )
    assert [f.column for f in scan(engine, "long", columns=["late"], rows=1_000_000)] == ["late"]


def test_rows_are_drawn_in_runs_from_the_first_to_the_last() -> None:
    assert (
        spread_sql(100, places=3, run=10) == "_row BETWEEN 0 AND 9 OR _row BETWEEN 45 AND 54 OR _row BETWEEN 90 AND 99"
    )


def test_names_of_people_are_found_where_nobody_has_said_what_a_column_is(engine: DuckDB) -> None:
    officers, kinds = ["Siân Jones", "M. Khan", "Niall O'Brien"], ["Rented", "Owned", "Shared"]
    rows = [{"seen": officers[i % 3], "kind": kinds[i % 3], "agreed": officers[i % 3]} for i in range(60)]
    _rows(engine, left=rows)
    guessed = {"seen": True, "kind": True}
    found = scan(engine, "left", columns=["seen", "kind", "agreed"], rows=60, guessed=guessed)
    assert [(f.column, f.reason) for f in found] == [("seen", "values look like names of people")]
