"""What a result looks like in each format: drawn values in, text out; JSON agrees with Python's own."""

import io
import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.serving.formats import Format, chosen, stream


def text(values: list[Any], kind: pa.DataType | None = None) -> Any:
    table = pa.table({"x": pa.array(values, kind)})
    return [row[0] for row in json.loads(b"".join(stream(table, Format.JSON, query="q")))["rows"]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, None, -3], [1, None, -3]),
        ([2**62 + 1], [2**62 + 1]),
        ([True, None], [True, None]),
        ([0.5, 1e300, math.nan, math.inf, -math.inf, None], [0.5, 1e300, "NaN", "Infinity", "-Infinity", None]),
        ([Decimal("12.30")], [12.30]),
        ([date(2021, 3, 21)], ["2021-03-21"]),
        ([datetime(2021, 3, 21, 9, 30)], ["2021-03-21T09:30:00.000000"]),
        (['O\'Neil "x" \\ \n \x01 é', ""], ['O\'Neil "x" \\ \n \x01 é', ""]),
        ([b"\x00\xff"], ["AP8="]),
        ([[1, 2], None, []], [[1, 2], None, []]),
        ([{"a": 1, "b": "é"}], [{"a": 1, "b": "é"}]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_values_as_json(values: list[Any], said: list[Any]) -> None:
    assert text(values) == said


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_text_survives_json(values: list[str | None]) -> None:
    assert text(values, pa.string()) == values


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_any_number_survives_json(values: list[float | None]) -> None:
    assert text(values, pa.float64()) == values


def test_batches_of_every_size_make_one_document() -> None:
    for rows in (0, 1, 65_536, 65_537, 200_000):
        table = pa.table({"n": range(rows), "word": ["w"] * rows})
        for form, read in (
            (Format.JSON, lambda b: len(json.loads(b)["rows"])),
            (Format.ARROW, lambda b: pa.ipc.open_stream(b).read_all().num_rows),
            (Format.CSV, lambda b: pa.csv.read_csv(io.BytesIO(b)).num_rows),
            (Format.PARQUET, lambda b: pq.read_table(io.BytesIO(b)).num_rows),
        ):
            assert read(b"".join(stream(table, form, query="q"))) == rows, (form, rows)


def test_columns_of_one_name_and_none_at_all() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert json.loads(b"".join(stream(twice, Format.JSON, query="q")))["rows"] == [[1, 2]]
    assert b"".join(stream(twice, Format.CSV, query="q")) == b'"a","a"\n1,2\n'


def test_csv_writes_nested_values_as_json() -> None:
    table = pa.table({"codes": [["J45", 'a"b'], None], "raw": [b"\x00", None]})
    assert b"".join(stream(table, Format.CSV, query="q")).decode() == (
        '"codes","raw"\n"[""J45"", ""a\\""b""]","AA=="\n,\n'
    )


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.JSON),
        ("*/*", Format.JSON),
        ("text/*", Format.CSV),
        ("text/csv;q=0.5, application/vnd.apache.parquet", Format.PARQUET),
        ("text/html, application/json;q=0.9, */*;q=0.1", Format.JSON),
        ("text/csv;q=0, application/json", Format.JSON),
        ("image/png", None),
        ("text/csv;q=zzz", Format.CSV),
    ],
)
def test_the_format_that_is_asked_for(accept: str | None, form: Format | None) -> None:
    assert chosen(accept) == form
