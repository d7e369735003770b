"""How numbers and dates are written, where their values leave two readings: never taken silently."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from integrated_data.acquire.infer import infer
from integrated_data.acquire.questions import answered, open_questions
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.meanings import Handling, Kind

COMMAS = [f"{1 + i % 9},{100 + i * 7 % 900}" for i in range(200)]
POINTS = [v.replace(",", ".") for v in COMMAS]
HALVES = [f"{i}.5" for i in range(200)]


def _inferred(engine: DuckDB, delimiter: str = ",", **columns: Sequence[str]) -> Contract:
    engine.load("delivered", Held(pa.table({k: list(v) for k, v in columns.items()})))
    return infer(engine, "delivered", dataset="d", owner="o", layout=Layout(Format.CSV, delimiter=delimiter))


def _first(contract: Contract) -> Column:
    return contract.columns[0]


@pytest.mark.parametrize(
    ("delimiter", "columns", "decimal", "published", "asked"),
    [
        (";", {"kg": COMMAS}, ",", False, "decimals"),
        (";", {"kg": POINTS}, ",", False, "thousands"),
        ("\t", {"kg": COMMAS}, ".", False, "thousands"),
        ("|", {"survey_weight": COMMAS}, ".", False, "thousands"),
        (",", {"kg": COMMAS}, ".", True, "thousands"),
        (",", {"kg": POINTS}, ".", True, None),
        (";", {"kg": POINTS, "half": HALVES}, ".", True, None),
        (";", {"kg": COMMAS, "half": HALVES}, ".", True, None),
        ("\t", {"kg": COMMAS, "half": [h.replace(".", ",") for h in HALVES]}, ",", True, None),
        (";", {"kg": [*COMMAS, *["1,234,567"] * 20]}, ".", True, None),
        (";", {"kg": [*COMMAS, *["0,25"] * 20]}, ",", True, None),
    ],
)
def test_three_digits_after_one_mark(
    engine: DuckDB, delimiter: str, columns: dict[str, list[str]], decimal: str, published: bool, asked: str | None
) -> None:
    contract = _inferred(engine, delimiter, **columns)
    column, questions = _first(contract), {q.id: q.guess for q in open_questions(contract)}
    found = column.decimal, column.handling is Handling.PAYLOAD, questions.get("1.mark")
    assert found == (decimal, published, asked)


@pytest.mark.parametrize(
    ("answer", "decimal", "kind"), [("decimals", ",", Kind.NUMBER), ("thousands", ".", Kind.INTEGER)]
)
def test_an_answer_settles_the_mark(engine: DuckDB, answer: str, decimal: str, kind: Kind) -> None:
    contract = answered(_inferred(engine, ";", kg=COMMAS), {"1.mark": answer})
    column = _first(contract)
    assert (column.decimal, column.kind, column.handling) == (decimal, kind, Handling.PAYLOAD)
    assert not {"1.mark", "1.meaning"} & {q.id for q in open_questions(contract)}


YEARS, SPREAD = (20, 24, 25), range(1, 29)


@pytest.mark.parametrize(
    ("values", "layout", "asked"),
    [
        ([f"{y}-{m:02}-{d:02}" for y in YEARS for m in (2, 6, 11) for d in SPREAD], "%y-%m-%d", False),
        ([f"{d:02}-{m:02}-{y}" for y in YEARS for m in (2, 6, 11) for d in SPREAD], "%d-%m-%y", False),
        ([f"{y}.{m:02}.{d:02}" for y in YEARS for m in (2, 6, 11) for d in SPREAD], "%y.%m.%d", False),
        ([f"{y}{m:02}{d:02}" for y in YEARS for m in (2, 6, 11) for d in SPREAD], "%y%m%d", False),
        ([f"{d:02}/{m:02}/{y:02}" for y in range(1, 25) for m in (1, 7) for d in (*SPREAD, 31)], "%d/%m/%y", False),
        ([f"{y}-{m:02}-{d:02}" for y in YEARS for m in range(1, 13) for d in range(1, 13)], "%d-%m-%y", True),
    ],
)
def test_a_two_digit_year_may_stand_first(engine: DuckDB, values: list[str], layout: str, asked: bool) -> None:
    contract = _inferred(engine, seen_date=values, n=[str(i % 7) for i in range(len(values))])
    column = _first(contract)
    assert (column.kind, column.formats[0]) == (Kind.DATE, layout)
    assert (column.handling is Handling.WITHHELD, "1.order" in {q.id for q in open_questions(contract)}) == (
        asked,
        asked,
    )


def test_an_answer_puts_the_year_first(engine: DuckDB) -> None:
    values = [f"{y}-{m:02}-{d:02}" for y in YEARS for m in range(1, 13) for d in range(1, 13)]
    contract = answered(_inferred(engine, seen_date=values), {"1.order": "year"})
    assert (_first(contract).formats, _first(contract).handling) == (("%y-%m-%d",), Handling.PAYLOAD)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"{10**19 + i * 7919**4}" for i in range(90)], Kind.STRING),
        ([f"0.{10**19 + i * 7919**4}" for i in range(90)], Kind.STRING),
        ([f"{10**16 + i * 7919}" for i in range(45)] + ["1.5"] * 45, Kind.STRING),
        ([f"{i / 7!r}" for i in range(1, 90)], Kind.NUMBER),
        ([f"{10 ** (15 + i % 3) + i % 15}" for i in range(90)], Kind.INTEGER),
    ],
)
def test_no_digit_is_lost(engine: DuckDB, values: list[str], kind: Kind) -> None:
    column = _first(_inferred(engine, figure=values))
    assert column.kind is kind
    assert ("more digits" in column.title) is (kind is Kind.STRING)
