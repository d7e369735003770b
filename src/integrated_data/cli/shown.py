"""What a command prints: a human table, or one JSON document with --json."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Methods of an index's links that a table shows, the commonest first.
METHODS = 3

ERRORS = Console(stderr=True, highlight=False)


def table(rows: Sequence[Mapping[str, Any]], *, title: str = "", json_out: bool = False) -> None:
    """Print rows that share their keys."""
    if json_out:
        document(rows)
        return
    if not rows:
        Console().print(f"{title}: none" if title else "none")
        return
    shown = Table(title=title or None, title_justify="left", header_style="bold")
    for key in rows[0]:
        shown.add_column(key.replace("_", " "), justify="right" if _numeric(rows, key) else "left")
    for row in rows:
        shown.add_row(*(_cell(row.get(key)) for key in rows[0]))
    _console().print(shown)


def links(reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what matching to each index gave: its reports by index; --json gives all of them."""
    rows = [
        {
            "index": index, "records": report.get("records"), "accepted": report.get("accepted"),
            "provisional": report.get("provisional"), "clerical": report.get("clerical"),
            "expected_precision": _below_one(report.get("expected_precision")),
            "expected_recall": _below_one(report.get("expected_recall")),
            "commonest_methods": [f"{method} {n:,}" for method, n in list(report.get("methods", {}).items())[:METHODS]],
        }
        for index, report in reports.items()
    ]  # fmt: skip
    table(rows, title="Links")


def _below_one(share: float | None) -> str:
    """A share with four decimals that is never shown as certainty when it is none."""
    if share is None:
        return ""
    return "> 0.9999" if 0.99995 <= share < 1 else f"{share:.4f}"


def data(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of a result as they are: its own column names, values that can be pasted back."""
    shown = Table(*columns, header_style="bold")
    for row in rows:
        shown.add_row(*("" if row[c] is None else escape(str(row[c])) for c in columns))
    _console().print(shown)


def facts(values: Mapping[str, Any], *, title: str = "", json_out: bool = False) -> None:
    """Print one thing's facts, a line each."""
    if json_out:
        document(values)
        return
    shown = Table(title=title or None, title_justify="left", show_header=False)
    shown.add_column(style="bold")
    shown.add_column()
    for key, value in values.items():
        shown.add_row(key.replace("_", " "), _cell(value))
    _console().print(shown)


def side_by_side(
    title: str, lines: Sequence[tuple[str, Sequence[str], Sequence[bool]]], *, headings: Sequence[str]
) -> None:
    """Print records side by side, differences from the first marked: (field, what each says, whether it differs)."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for heading in ("", *headings):
        shown.add_column(heading)
    for field, texts, differs in lines:
        cells = [f"[bold yellow]≠ {escape(t)}[/]" if d else escape(t) for t, d in zip(texts, differs, strict=True)]
        shown.add_row(f"[bold]{field.replace('_', ' ')}[/]", *cells)
    _console().print(shown)


def document(value: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def plain(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def _numeric(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return all(isinstance(row.get(key), int | float | None) for row in rows)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".")
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ", ".join(_cell(v) for v in value)
        case dict():
            return "; ".join(f"{k}: {_cell(v)}" for k, v in value.items())
        case _:
            return escape(str(value))
