"""From a standardised table to the records that indexes match: one column per meaning, as SQL."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from integrated_data.model.contract import Column, Contract, IndexUse
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.linkage import IndexDefinition
from integrated_data.model.meanings import PRESENCE, Kind, Meaning
from integrated_data.vocabulary.sql import name
from integrated_data.vocabulary.whole_names import parts_sql

_DATES = (Meaning.DATE_OF_BIRTH,)
_NUMBERS = (Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.BIRTH_YEAR)
_COORDINATES = (Meaning.LATITUDE, Meaning.LONGITUDE)

#: Parts of an address in the order they are written.
_ADDRESS_PARTS = (
    Meaning.ADDRESS_FLAT, Meaning.ADDRESS_BUILDING, Meaning.ADDRESS_STREET, Meaning.ADDRESS_LINE,
    Meaning.ADDRESS_LOCALITY, Meaning.ADDRESS_TOWN,
)  # fmt: skip

#: Several columns of these are one text: lines, and a building's name and number.
_JOINED = (Meaning.ADDRESS_LINE, Meaning.ADDRESS_BUILDING)

#: Meanings that tell entities of some index apart.
_USED = (
    Meaning.GIVEN_NAME, Meaning.MIDDLE_NAME, Meaning.FAMILY_NAME, Meaning.PREVIOUS_FAMILY_NAME, *_DATES, *_NUMBERS,
    Meaning.SEX, Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.TELEPHONE, Meaning.EMAIL,
    Meaning.ADDRESS, *_ADDRESS_PARTS, Meaning.POSTCODE, Meaning.UPRN, *_COORDINATES, Meaning.AREA_CODE,
    Meaning.AREA_NAME, Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME, Meaning.ORGANISATION_REFERENCE,
    Meaning.COMPANY_NUMBER, Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, Meaning.OCCUPATION_CODE,
    Meaning.OCCUPATION_TEXT, Meaning.CONDITION_CODE, Meaning.PERSON_REFERENCE,
)  # fmt: skip


#: Meanings that tell nobody apart, and when or of what state the rest is said.
_SAID = (
    Meaning.EFFECTIVE_FROM, Meaning.EFFECTIVE_TO, Meaning.QUARTER, Meaning.ORGANISATION_STATUS, Meaning.SUCCESSOR,
    Meaning.STATISTICAL_UNIT, Meaning.STATISTICAL_GROUP, *PRESENCE,
)  # fmt: skip

#: Indexes that read an address as one text; the others take its parts as they were delivered.
_WHOLE_ADDRESS = ("demographic",)

#: Columns that other indexes read under their own names: several may share a meaning.
_CARRIED = (Meaning.AREA_CODE, Meaning.AREA_NAME)
_CARRIED_NAMES = ("area_type", "boundary_year", "parent_code")


@dataclass(frozen=True)
class Records:
    """SQL of a records relation, and the contract's columns behind each of its meaning columns.

    `own`: SELECT of `record_id` and `own_id`, what the dataset itself numbers the record by; None where
    it does not.
    """

    sql: str
    columns: Mapping[str, tuple[str, ...]]
    dataset: str = ""
    own: str | None = None


def named(contract: Contract, index: IndexDefinition) -> list[str]:
    """Columns that an index takes for its attributes by their names."""
    return [c.name for c in contract.columns if index.named and c.name.lower() in index.attributes]


def records_of(
    contract: Contract, use: IndexUse, *, relation: str, record_id: str, also: Collection[str] = ()
) -> Records:
    """One row per row of `relation`: `record_id` and a column for each meaning that the contract names.

    `relation` is standardised: typed columns under contract names; `record_id` is a SQL expression
    that numbers its rows. Columns are VARCHAR, but `date_of_birth` DATE, `birth_*` INTEGER and
    coordinates DOUBLE. Names in one column are taken apart; lines of an address are joined. Columns of
    area codes and names, and those in `also`, are carried under contract names. Refuses when the
    contract names nothing to match on.
    """
    chosen = [c for c in contract.columns if not use.columns or c.name in use.columns]
    found = {meaning: tuple(c for c in chosen if c.meaning is meaning) for meaning in _USED}
    columns: dict[str, str] = {str(m): _column_sql(m, cs) for m, cs in found.items() if cs and m not in _CARRIED}
    _split_full_name(columns, tuple(c for c in chosen if c.meaning is Meaning.FULL_NAME))
    if use.index in _WHOLE_ADDRESS:
        _join_address(columns, whole=bool(found[Meaning.ADDRESS]))
    if not columns and not also and not any(found[m] for m in _CARRIED):
        raise ContractRefusal(
            f"Dataset {contract.dataset} cannot be matched to the {use.index} index",
            why="No column of its contract has a meaning that tells entities apart",
            next_step="Give the columns their meanings in the contract, or leave the index out",
        )
    for meaning in _SAID:
        said = tuple(c for c in chosen if c.meaning is meaning)
        if said:
            columns[meaning] = _column_sql(meaning, said)
    for column in chosen:
        carried = column.meaning in _CARRIED or column.name in also or column.name.lower() in _CARRIED_NAMES
        if carried and column.name.lower() not in (*columns, "record_id"):
            columns[column.name] = name(column.name)
    listed = "".join(f", {sql} AS {name(column)}" for column, sql in columns.items())
    behind = {str(m): tuple(c.name for c in cs) for m, cs in found.items() if cs}
    numbered = contract.meaning(Meaning.RECORD_ID)
    own = f"{name(numbered[0].name)}::VARCHAR AS own_id FROM {name(relation)}" if numbered else None
    return Records(
        f"SELECT {record_id} AS record_id{listed} FROM {name(relation)}", behind, contract.dataset,
        own and f"SELECT {record_id} AS record_id, {own}",
    )  # fmt: skip


def _column_sql(meaning: Meaning, columns: tuple[Column, ...]) -> str:
    if meaning in _JOINED:
        return _joined([_text(c) for c in columns])
    values = [_typed(meaning, c) for c in columns]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _typed(meaning: Meaning, column: Column) -> str:
    if meaning in _DATES:
        return name(column.name) if column.kind is Kind.DATE else f"try_cast({name(column.name)} AS DATE)"
    if meaning in _NUMBERS:
        return f"try_cast({name(column.name)} AS INTEGER)"
    if meaning in _COORDINATES:
        return f"try_cast({name(column.name)} AS DOUBLE)"
    return _text(column)


def _text(column: Column) -> str:
    return f"nullif(trim({name(column.name)}::VARCHAR), '')"


def _split_full_name(columns: dict[str, str], full: tuple[Column, ...]) -> None:
    if not full:
        return
    meanings = (Meaning.GIVEN_NAME, Meaning.MIDDLE_NAME, Meaning.FAMILY_NAME)
    for meaning, parsed in zip(meanings, parts_sql(_text(full[0])), strict=True):
        columns[meaning] = f"coalesce({columns[meaning]}, {parsed})" if meaning in columns else parsed


def _join_address(columns: dict[str, str], *, whole: bool) -> None:
    """A whole address counts before its parts: a delivery may hold both."""
    parts = [columns[m] for m in _ADDRESS_PARTS if m in columns]
    if parts:
        joined = _joined(parts)
        columns[Meaning.ADDRESS] = f"coalesce({columns[Meaning.ADDRESS]}, {joined})" if whole else joined
        for meaning in _ADDRESS_PARTS:
            columns.pop(meaning, None)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"nullif(concat_ws(', ', {', '.join(parts)}), '')"
