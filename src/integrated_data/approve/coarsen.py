"""Coarsen: values of a project's copy as its agreements let them be seen, as SQL.

Coarsening is done when the copy is made, so that no query can see behind it. The column keeps its name.
"""

from collections.abc import Mapping

from integrated_data.model.access import DatasetRequest
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.shaping import Coarsening, PostcodePart, RowFilter, Window
from integrated_data.vocabulary import sql

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NUMBERS = (*_WHOLE, "FLOAT", "DOUBLE", "DECIMAL")
_DATES = ("DATE", "TIMESTAMP")

#: Types of column that each way of coarsening takes.
TAKES: Mapping[str, tuple[str, ...]] = {
    "number": _NUMBERS, "age": (*_WHOLE, *_DATES), "period": _DATES, "postcode": ("VARCHAR",), "first": ("VARCHAR",),
}  # fmt: skip


def check_shape(request: DatasetRequest, coarsen: Mapping[str, Coarsening], *, types: Mapping[str, str]) -> None:
    """Refuse what cannot be done with the columns of a dataset: a rule or a window that does not fit their types."""
    for column in request.columns:
        rule = coarsen.get(column)
        if rule is None or column not in types:
            continue
        ways = sorted(rule.ways)
        if rule.withheld or not all(_is(types[column], TAKES[way]) for way in ways):
            raise AgreementRefusal(
                f"Column {column} of dataset {request.dataset} cannot be coarsened as its agreements ask",
                why="They cannot be held together" if rule.withheld else f"By {' and '.join(ways)}",
                next_step="Leave the column out, or ask the owner to correct field coarsen of the agreement",
            )
    window = request.window
    if window is not None and not _is(types.get(window.column, "DATE"), (*_DATES, *_WHOLE)):
        raise AgreementRefusal(
            f"Column {window.column} of dataset {request.dataset} holds no dates",
            next_step="Name a column of dates or years in field window",
        )


def _is(type_: str, wanted: tuple[str, ...]) -> bool:
    return type_.upper().split("(")[0].split(" ")[0] in wanted


def column_sql(column: str, rule: Coarsening | None, *, type_: str) -> str:
    """A column as it is seen; `column` is quoted SQL, `type_` the engine's name of its type."""
    if rule is None:
        return column
    if rule.withheld:
        return "NULL"
    if rule.age_at is not None:
        return _age_band(_age(column, rule, type_=type_), rule)
    if rule.period is not None:
        return f"date_trunc({sql.text(rule.period.value)}, {column})::DATE"
    if rule.postcode is not None:
        return _postcode(column, rule.postcode)
    if rule.first is not None:
        return f"left({column}, {rule.first})"
    return f"({_banded(_clipped(column, rule), rule)})::{type_}"


def _clipped(value: str, rule: Coarsening) -> str:
    if rule.top is not None:
        value = f"CASE WHEN {value} > {rule.top} THEN {rule.top} ELSE {value} END"
    if rule.bottom is not None:
        value = f"CASE WHEN ({value}) < {rule.bottom} THEN {rule.bottom} ELSE ({value}) END"
    return value


def _banded(value: str, rule: Coarsening) -> str:
    return value if rule.band is None else f"floor(({value}) / {rule.band}.0) * {rule.band}"


def _age(column: str, rule: Coarsening, *, type_: str) -> str:
    """Whole years on the day; of a year of birth, the years between."""
    day = rule.age_at
    assert day is not None
    if _is(type_, _WHOLE):
        return f"({day.year} - {column})"
    later = f"month({column}) * 100 + day({column}) > {day.month * 100 + day.day}"
    return f"({day.year} - year({column}) - CASE WHEN {later} THEN 1 ELSE 0 END)"


def _age_band(age: str, rule: Coarsening) -> str:
    """The band as text: `30-34`, `85+`."""
    width = rule.band or 1
    lower = f"(floor(({_clipped(age, rule)}) / {width}.0) * {width})::INTEGER"
    told = f"{lower}::VARCHAR" if width == 1 else f"{lower} || '-' || ({lower} + {width - 1})"
    if rule.top is None:
        return told
    last = rule.top // width * width
    return f"CASE WHEN {lower} >= {last} THEN '{last}+' ELSE {told} END"


def _postcode(column: str, part: PostcodePart) -> str:
    plain = f"upper(replace({column}, ' ', ''))"
    outward = f"left({plain}, length({plain}) - 3)"
    match part:
        case PostcodePart.AREA:
            return f"regexp_extract({outward}, '^[A-Z]+')"
        case PostcodePart.DISTRICT:
            return outward
        case PostcodePart.SECTOR:
            return f"{outward} || ' ' || left(right({plain}, 3), 1)"


def rows_sql(request: DatasetRequest, relation: str, *, types: Mapping[str, str]) -> str:
    """The condition on rows that a request was approved with, over true values; empty for every row."""
    held = [_filter(each, relation) for each in request.rows]
    if request.window is not None:
        held.append(_window(request.window, relation, type_=types[request.window.column]))
    return f"WHERE {' AND '.join(held)}" if held else ""


def _filter(rows: RowFilter, relation: str) -> str:
    values = ", ".join(sql.text(v) for v in rows.values)
    return f"{relation}.{sql.name(rows.column)}::VARCHAR IN ({values})"


def _window(window: Window, relation: str, *, type_: str) -> str:
    column = f"{relation}.{sql.name(window.column)}"
    if _is(type_, _WHOLE):
        return f"{column} BETWEEN {window.starts.year} AND {window.ends.year}"
    return f"{column}::DATE BETWEEN DATE '{window.starts}' AND DATE '{window.ends}'"
