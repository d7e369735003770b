"""Measures of a delivery, for comparing later ones with it: how much there is in all and of each code."""

from datetime import datetime
from typing import Any

from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract
from integrated_data.model.feed import Measures
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.sql import name, text

#: Codes of a column up to which each is measured; a column of more is no code list.
MOST_CODES = 2_000

_CODED = frozenset(
    {Meaning.CODE, Meaning.FLAG, Meaning.SEX, Meaning.ETHNIC_GROUP, Meaning.STRATUM, Meaning.AREA_CODE,
     Meaning.INDUSTRY_CODE, Meaning.OCCUPATION_CODE, Meaning.CONDITION_CODE}
)  # fmt: skip
_DATED = (Kind.DATE, Kind.TIMESTAMP)


def measure(
    engine: Engine, contract: Contract, *, relation: str, volume: str, period: tuple[datetime, datetime] | None
) -> Measures:
    """Measures of a relation with the contract's columns. `period`: first moment of the delivery's, and of the next."""
    weight = _weight(contract, volume)
    row = engine.rows(_whole_sql(contract, relation, weight=weight, period=period)).to_pylist()[0]
    codes: dict[str, dict[str, float]] = {}
    for column in _coded(contract):
        found = engine.rows(_codes_sql(column, relation, weight=weight)).to_pylist()
        if len(found) <= MOST_CODES:
            codes[column.name] = {str(r["code"]): float(r["volume"] or 0) for r in found}
    n = int(row["n"])
    return Measures(
        n, float(row["volume"] or 0), n - int(row["different"]), int(row["outside"]), f"{int(row['contents'] or 0):x}",
        codes,
    )  # fmt: skip


def _published(contract: Contract) -> list[Column]:
    return [c for c in contract.columns if c.handling is Handling.PAYLOAD]


def _coded(contract: Contract) -> list[Column]:
    return [c for c in _published(contract) if c.meaning in _CODED]


def _weight(contract: Contract, volume: str) -> str:
    """SQL of how much a row is: the column named, else the first that counts something, else one row."""
    if volume:
        return name(contract.column(volume).name)
    counting = [c for c in _published(contract) if c.meaning is Meaning.COUNT and c.kind is not Kind.STRING]
    return name(counting[0].name) if counting else "1"


def _whole_sql(contract: Contract, relation: str, *, weight: str, period: tuple[datetime, datetime] | None) -> str:
    every = ", ".join(name(c.name) for c in contract.columns)
    undated = ", ".join(name(c.name) for c in contract.columns if c.kind not in _DATED) or "0"
    return (
        f"SELECT count(*) AS n, sum({weight}) AS volume, count(DISTINCT hash({every})) AS different, "
        f"{_outside_sql(contract, period)} AS outside, "
        f"sum(hash({undated})::HUGEINT) % 18446744073709551616 AS contents FROM {name(relation)}"
    )


def _outside_sql(contract: Contract, period: tuple[datetime, datetime] | None) -> str:
    """How many rows are dated outside of the period, where one column of the contract dates them."""
    dating = [c for c in contract.columns if c.kind in _DATED and c.meaning in (Meaning.EVENT_DATE, Meaning.MONTH)]
    if period is None or len(dating) != 1:
        return "0"
    start, end = (text(f"{moment:%Y-%m-%d %H:%M:%S}") for moment in period)
    value = f"CAST({name(dating[0].name)} AS TIMESTAMP)"
    return f"count(*) FILTER (WHERE {value} < CAST({start} AS TIMESTAMP) OR {value} >= CAST({end} AS TIMESTAMP))"


def _codes_sql(column: Column, relation: str, *, weight: str) -> str:
    value = name(column.name)
    return (
        f"SELECT {value} AS code, sum({weight}) AS volume FROM {name(relation)} WHERE {value} IS NOT NULL "
        f"GROUP BY 1 ORDER BY 1 LIMIT {MOST_CODES + 1}"
    )


def told(measures: Measures) -> dict[str, Any]:
    """What may be said of a delivery's measures: counts, and how many codes, but none of them."""
    return {"rows": measures.rows, "volume": measures.volume, "codes": {c: len(v) for c, v in measures.codes.items()}}
