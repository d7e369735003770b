"""Codebooks: a supplier's own list of columns and codes, as CSV, JSON or CSV on the Web, made into labels.

A line describes a column, or one code of it. Its headings are found by the words that codebooks use; codes may
also stand together in one cell, a line each: `1 = Male`. CSV on the Web: W3C, Metadata Vocabulary for Tabular Data.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from integrated_data.acquire.labels import Label
from integrated_data.engine import Engine
from integrated_data.model.errors import ContractRefusal
from integrated_data.vocabulary.headings import folded, respelled_as
from integrated_data.vocabulary.nested import load_json
from integrated_data.vocabulary.sql import name, texts

#: Folded headings of a codebook, the likeliest first.
COLUMN = ("variable", "variablename", "field", "columnname", "column", "fieldname", "varname", "item", "name")
TITLE = ("label", "variablelabel", "title", "fieldname", "longname", "titles", "description", "definition")
CODE = ("code", "value", "codevalue")
WORDS = (
    "codelabel",
    "valuelabel",
    "meaning",
    "codedescription",
    "valuedescription",
    "category",
    "label",
    "description",
)
TOGETHER = ("values", "codes", "valuelabels", "codelist", "categories")

#: A code and its words in a cell that holds several; a code is short and has no blank.
_PAIR = re.compile(r"\s*([^\s=:]{1,12})\s*[=:]\s*(\S.*?)\s*")


def read_codebook(place: Path) -> dict[str, Label]:
    """Labels by column name without case, blanks and punctuation; refuses a file in which no column is named."""
    try:
        text = place.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ContractRefusal("The codebook cannot be read", next_step="Give a CSV or JSON file in UTF-8") from None
    try:
        rows = _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_csv(text)
    except csv.Error:
        raise ContractRefusal("The codebook cannot be read", next_step="Give a CSV or JSON file in UTF-8") from None
    labels: dict[str, Label] = {}
    for row in rows:
        _take(row, labels)
    if not labels:
        raise ContractRefusal(
            "The codebook names no column",
            why=f"None of its headings is one of {', '.join(COLUMN[:5])}",
            next_step="Give the column of names one of these headings",
        )
    return labels


def _from_csv(text: str) -> list[dict[str, str]]:
    dialect = max(",;\t|", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=dialect)
    return [{folded(k): v.strip() for k, v in row.items() if k and isinstance(v, str)} for row in reader]


def _from_json(text: str) -> list[dict[str, str]]:
    try:
        body: Any = load_json(text)
    except ValueError:
        raise ContractRefusal("The codebook is not valid JSON", next_step="Write it again, or as CSV") from None
    if isinstance(body, Mapping):
        tables = body.get("tables", [body])
        schemas = [t.get("tableSchema", {}) for t in tables if isinstance(t, Mapping)]
        body = [c for schema in schemas for c in schema.get("columns", [])]
    return [
        {folded(str(k)): str(v).strip() for k, v in row.items() if isinstance(v, str | int | float)}
        for row in body if isinstance(row, Mapping)
    ]  # fmt: skip


def _take(row: Mapping[str, str], labels: dict[str, Label]) -> None:
    key = next((k for k in COLUMN if row.get(k)), None)
    if key is None:
        return
    column = respelled_as(row[key])
    found = labels.get(column, Label())
    code = next((row[k] for k in CODE if row.get(k)), "")
    words = next((row[k] for k in WORDS if row.get(k)), "")
    title = next((row[k] for k in TITLE if k != key and row.get(k)), "")
    if code and words:
        title = title if title != words else ""
        found = replace(found, codes=(*found.codes, (code, words)))
    pairs = _pairs(next((row[k] for k in TOGETHER if row.get(k)), "").splitlines())
    labels[column] = replace(found, title=found.title or title, codes=found.codes + pairs)


def _pairs(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    matches = (_PAIR.fullmatch(line) for line in lines)
    return tuple((m[1], m[2]) for m in matches if m)


def for_columns(engine: Engine, relation: str, *, labels: Mapping[str, Label]) -> dict[str, Label]:
    """The codebook's labels by delivered name; whole where every value of the sample is a code it lists."""
    columns = {c: labels[respelled_as(c)] for c in engine.columns(relation) if respelled_as(c) in labels}
    return {c: replace(label, whole=_whole(engine, relation, column=c, label=label)) for c, label in columns.items()}


def _whole(engine: Engine, relation: str, *, column: str, label: Label) -> bool:
    if not label.codes:
        return False
    value = f"trim({name(column)})"
    known = texts(_codes(label.codes))
    sql = (
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {value} NOT IN {known}) AS other "
        f"FROM {name(relation)} WHERE {value} <> ''"
    )
    row = engine.rows(sql).to_pylist()[0]
    return bool(row["n"]) and not row["other"]


def _codes(codes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(code for code, _ in codes)
