"""Reach: how well records would be matched to an index, said before anything is handed in; counts, never a value.

Of each row it is asked which of its fields are there and well formed; of each combination, from the index's small
sample, whether it points to one entity (`samples.likeness`). What slips of the pen lose is not known beforehand,
and a person who is in no index is found in none: these are most of what can be matched, not a promise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.samples import rows
from integrated_data.index.samples.likeness import points_to_one
from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.vocabulary.identifiers import (
    AREA_CODE,
    COMPANY_NUMBER,
    SIC_DIVISIONS,
    national_insurance_valid_sql,
    nhs_number_valid_sql,
)
from integrated_data.vocabulary.postcodes import is_postcode_sql
from integrated_data.vocabulary.sql import name, text, texts

#: Rows that are looked at, drawn from all.
MOST_ROWS = 200_000

_DRAWN, _SAMPLE = "_reach_drawn", "_reach_sample"
#: Said for "no name" where names stand.
_NOBODY = ("UNKNOWN", "NOT KNOWN", "NONE", "TEST", "N/A", "NA", "BABY", "XXX")
#: Where people and places of the United Kingdom are, in degrees.
_HERE = "BETWEEN 49 AND 61.5", "BETWEEN -9 AND 2.5"

_LETTERS = r".*[A-Za-zÀ-ž]{2}.*"
LOCATED = (Meaning.ADDRESS, Meaning.ADDRESS_LINE, Meaning.ADDRESS_STREET, Meaning.ADDRESS_BUILDING)

#: By index, the fields that find a record in it.
FIELDS: dict[str, tuple[str, ...]] = {
    "demographic": ("NHS number", "National Insurance number", "given", "family", "born", "year", "sex", "postcode",
                    "address"),
    "business": ("company number", "name", "postcode"),
    "address": ("UPRN", "address", "postcode"),
    "geography": ("postcode", "area code", "coordinates"),
    "classification": ("industry code", "industry in words", "occupation code", "occupation in words"),
}  # fmt: skip


@dataclass(frozen=True)
class Reach:
    """How well the rows of a file reach one index; shares are of its `rows` good rows.

    `fields`: what finds records there and how many rows have it well formed. `low` and `high`: the least and most
    that the share of rows that point to one entity can be. `sample`: entities of the sample; `found`: rows that are
    about one of them.
    """

    index: str
    rows: int
    fields: Mapping[str, float]
    low: float
    high: float
    sample: int
    found: int


def reach(engine: Engine, relation: str, *, contract: Contract) -> tuple[Reach, ...]:
    """How well the standardised good rows of `relation` reach each index of which the contract has fields."""
    engine.create(_DRAWN, f"SELECT * FROM {name(relation)} USING SAMPLE reservoir({MOST_ROWS} ROWS) REPEATABLE (7)")
    try:
        told = conditions(contract)
        return tuple(
            _reach(engine, index, contract=contract, told={f: told[f] for f in fields if f in told})
            for index, fields in FIELDS.items()
            if any(f in told for f in fields) and index in {use.index for use in contract.indexes}
        )
    finally:
        engine.drop(_DRAWN, _SAMPLE)


def _reach(engine: Engine, index: str, *, contract: Contract, told: Mapping[str, str]) -> Reach:
    masked = " + ".join(f"CASE WHEN {condition} THEN {1 << k} ELSE 0 END" for k, condition in enumerate(told.values()))
    counted = engine.rows(f"SELECT {masked} AS mask, count(*) AS n FROM {_DRAWN} GROUP BY mask").to_pylist()
    total = sum(row["n"] for row in counted)
    having = dict.fromkeys(told, 0)
    low = high = 0.0
    for row in counted:
        there = [field for k, field in enumerate(told) if row["mask"] >> k & 1]
        for field in there:
            having[field] += row["n"]
        chance = points_to_one(index, there)
        low += row["n"] * (chance or 0.0)
        high += row["n"] * (1.0 if chance is None else chance)
    share = 1 / total if total else 0.0
    fields = {field: n * share for field, n in having.items()}
    found = _found(engine, index, contract=contract)
    return Reach(index, total, fields, low * share, high * share, len(rows(index)), found)


def conditions(contract: Contract) -> dict[str, str]:
    """For each field that the contract has a column of: whether a row's is there and well formed, as SQL."""
    found = {field: test for field, test in _conditions(contract).items() if test}
    return {field: f"coalesce({' OR '.join(tests)}, false)" for field, tests in found.items()}


def _conditions(contract: Contract) -> dict[str, list[str]]:
    def of(*meanings: Meaning) -> list[str]:
        return [_text(c) for c in contract.meaning(*meanings)]

    def named(*meanings: Meaning) -> list[str]:
        return [f"(regexp_full_match({v}, {text(_LETTERS)}) AND upper({v}) NOT IN {texts(_NOBODY)})"
                for v in of(*meanings)]  # fmt: skip

    whole = [f"contains({v}, ' ') AND {test}" for v, test in
             zip(of(Meaning.FULL_NAME), named(Meaning.FULL_NAME), strict=True)]  # fmt: skip
    return {
        "NHS number": [nhs_number_valid_sql(v) for v in of(Meaning.NHS_NUMBER)],
        "National Insurance number": [national_insurance_valid_sql(v) for v in of(Meaning.NATIONAL_INSURANCE_NUMBER)],
        "given": named(Meaning.GIVEN_NAME) + whole,
        "family": named(Meaning.FAMILY_NAME) + whole,
        "born": [_born(c) for c in contract.meaning(Meaning.DATE_OF_BIRTH)] + _parts(contract),
        "year": [f"TRY_CAST({v} AS INTEGER) BETWEEN 1880 AND year(current_date)" for v in of(Meaning.BIRTH_YEAR)],
        "sex": [f"{v} IN ('M', 'F')" for v in of(Meaning.SEX)],
        "postcode": [is_postcode_sql(v) for v in of(Meaning.POSTCODE)],
        "address": [f"length({v}) > 3" for v in of(*LOCATED)],
        "UPRN": [f"regexp_full_match({v}, '[0-9]{{1,12}}')" for v in of(Meaning.UPRN)],
        "company number": [f"regexp_full_match({v}, {text(COMPANY_NUMBER)})" for v in of(Meaning.COMPANY_NUMBER)],
        "name": named(Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME),
        "area code": [f"regexp_full_match({v}, {text(AREA_CODE)})" for v in of(Meaning.AREA_CODE)],
        "coordinates": _coordinates(of(Meaning.LATITUDE), of(Meaning.LONGITUDE)),
        "industry code": [f"(regexp_full_match({v}, '[0-9]{{2,5}}') AND left({v}, 2) IN {texts(SIC_DIVISIONS)})"
                          for v in of(Meaning.INDUSTRY_CODE)],
        "industry in words": named(Meaning.INDUSTRY_TEXT),
        "occupation code": [f"regexp_full_match({v}, '[1-9][0-9]{{3}}')" for v in of(Meaning.OCCUPATION_CODE)],
        "occupation in words": named(Meaning.OCCUPATION_TEXT),
    }  # fmt: skip


def _text(column: Column) -> str:
    return f"CAST({name(column.name)} AS VARCHAR)"


def _born(column: Column) -> str:
    """A day of birth that somebody may have: in the last 130 years, and not the one that stands for none."""
    day = f"TRY_CAST({name(column.name)} AS DATE)"
    return (
        f"({day} BETWEEN current_date - INTERVAL 130 YEAR AND current_date AND {day} NOT IN (DATE '1900-01-01', "
        f"DATE '1901-01-01'))"
    )


def _parts(contract: Contract) -> list[str]:
    parts = [contract.meaning(m) for m in (Meaning.BIRTH_YEAR, Meaning.BIRTH_MONTH, Meaning.BIRTH_DAY)]
    if not all(parts):
        return []
    given = ", ".join(f"TRY_CAST({name(found[0].name)} AS BIGINT)" for found in parts)
    return [f"TRY(make_date({given})) BETWEEN current_date - INTERVAL 130 YEAR AND current_date"]


def _coordinates(latitude: list[str], longitude: list[str]) -> list[str]:
    if not latitude or not longitude:
        return []
    north, east = _HERE
    return [f"(TRY_CAST({latitude[0]} AS DOUBLE) {north} AND TRY_CAST({longitude[0]} AS DOUBLE) {east})"]


def _found(engine: Engine, index: str, *, contract: Contract) -> int:
    """How many rows are about an entity of the sample: they agree with it on what finds a record for sure."""
    tests = [f"({test})" for test in _agreeing(index, contract)]
    if not tests:
        return 0
    engine.load(_SAMPLE, Held(pa.Table.from_pylist(list(rows(index)))))
    counted = [f"EXISTS (SELECT 1 FROM {_SAMPLE} s WHERE {test})" for test in tests]
    return int(engine.rows(f"SELECT count(*) AS n FROM {_DRAWN} d WHERE {' OR '.join(counted)}")["n"][0].as_py())


def _agreeing(index: str, contract: Contract) -> list[str]:
    """By which a row is about an entity of the sample: joins between a row `d` and an entity `s`."""

    def on(sample: str, *meanings: Meaning) -> list[str]:
        return [f"d.{name(c.name)}::VARCHAR = s.{sample}" for c in contract.meaning(*meanings)]

    def both(*sides: list[str]) -> list[str]:
        return [" AND ".join(side[0] for side in sides)] if all(sides) else []

    place = on("postcode", Meaning.POSTCODE)
    match index:
        case "demographic":
            named = both(on("given", Meaning.GIVEN_NAME), on("family", Meaning.FAMILY_NAME))
            dated = [c for c in contract.meaning(Meaning.DATE_OF_BIRTH) if c.kind is Kind.DATE]
            return both(named, on("born", Meaning.DATE_OF_BIRTH)) if dated else both(named, place)
        case "business":
            return on("number", Meaning.COMPANY_NUMBER) + both(on("name", Meaning.ORGANISATION_NAME), place)
        case "address":
            lines = [f"starts_with(s.address, d.{name(c.name)}::VARCHAR)" for c in contract.meaning(*LOCATED)]
            return on("uprn", Meaning.UPRN) + both(lines, place)
        case "geography":
            return on("code", Meaning.POSTCODE, Meaning.AREA_CODE)
        case _:
            return [f"{test} AND s.scheme = {text(scheme)}" for scheme, meaning in
                    (("industry", Meaning.INDUSTRY_CODE), ("occupation", Meaning.OCCUPATION_CODE))
                    for test in on("code", meaning)]  # fmt: skip
