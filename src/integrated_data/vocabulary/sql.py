"""Quoting for SQL that is built as text (DuckDB's dialect)."""

from collections.abc import Iterable


def name(identifier: str) -> str:
    """An identifier, quoted: `a"b` becomes `"a""b"`."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string literal, quoted: `it's` becomes `'it''s'`."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """A parenthesised list of string literals for IN; `('')` stands for no values."""
    return "(" + ", ".join(text(v) for v in values) + ")" if values else "('')"


def names(identifiers: Iterable[str]) -> str:
    """Identifiers, quoted and separated by commas."""
    return ", ".join(name(i) for i in identifiers)
