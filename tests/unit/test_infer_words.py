"""A column of few words that no heading explains may hold names: it is never published by inference."""

import pyarrow as pa
import pytest

from integrated_data.acquire.infer import infer
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Format, Layout
from integrated_data.model.meanings import Handling

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
