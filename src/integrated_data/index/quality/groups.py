"""Groups by which quality is shown: sex, age band, ethnic group, region, deprivation, where a dataset has them."""

import re
from collections.abc import Mapping
from datetime import date

from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.vocabulary.sql import name

#: Ages at which a band begins.
AGES = (0, 16, 25, 35, 50, 65, 80)

#: A column of a dataset that says how deprived an area is, in few steps.
_DEPRIVATION = re.compile(r"(?i)(imd|deprivation).*(decile|quintile|quartile)|(decile|quintile).*(imd|deprivation)")
_REGION = re.compile(r"(?i)^(region|nation|country_of_residence|rgn)(_?(name|code|nm|cd|\d\d(\d\d)?(cd|nm)?))?$")

#: Values of a group column, at most: others are told together.
MOST = 25


def group_columns(contract: Contract, *, at: date) -> Mapping[str, str]:
    """SQL of each group that the contract's columns tell, over its standardised relation. `at`: ages are as at then."""
    found: dict[str, str] = {}
    sexes = contract.meaning(Meaning.SEX)
    if sexes:
        found["sex"] = f"upper(left(trim({_text(sexes[0])}), 1))"
    born = _birth_year(contract)
    if born is not None:
        found["age_band"] = _band_sql(f"({at.year} - {born})")
    for group, column in (
        ("ethnic_group", next(iter(contract.meaning(Meaning.ETHNIC_GROUP)), None)),
        ("region", _named(contract, _REGION)),
        ("deprivation", _named(contract, _DEPRIVATION)),
    ):
        if column is not None:
            found[group] = f"nullif(trim({_text(column)}), '')"
    return found


def few_sql(relation: str, columns: Mapping[str, str], *, record: str) -> str:
    """`record` and the group columns; of each column the MOST common values, the others as `other`."""
    given = ", ".join(f"{sql} AS {name(column)}" for column, sql in columns.items())
    kept = ", ".join(
        f"CASE WHEN {name(c)} IS NULL OR {name(c)} IN (SELECT {name(c)} FROM held GROUP BY 1 "
        f"ORDER BY count(*) DESC, 1 LIMIT {MOST}) THEN {name(c)} ELSE 'other' END AS {name(c)}"
        for c in columns
    )
    held = f"SELECT {record} AS record, {given} FROM {name(relation)}"
    return f"WITH held AS MATERIALIZED ({held}) SELECT record, {kept} FROM held"


def _text(column: Column) -> str:
    return f"{name(column.name)}::VARCHAR"


def _birth_year(contract: Contract) -> str | None:
    for column in contract.meaning(Meaning.DATE_OF_BIRTH):
        return f"year(try_cast({name(column.name)} AS DATE))"
    for column in contract.meaning(Meaning.BIRTH_YEAR):
        return f"try_cast({name(column.name)} AS INTEGER)"
    return None


def _band_sql(age: str) -> str:
    tops = (*AGES[1:], None)
    cases = [
        f"WHEN {age} < {top} THEN '{low}–{top - 1}'" if top is not None else f"ELSE '{low} and over'"
        for low, top in zip(AGES, tops, strict=True)
    ]
    return f"CASE WHEN {age} IS NULL THEN NULL {' '.join(cases)} END"


def _named(contract: Contract, pattern: re.Pattern[str]) -> Column | None:
    return next((c for c in contract.columns if pattern.search(c.name) and c.handling is not Handling.IDENTIFIER), None)
