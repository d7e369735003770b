"""Describe: what inference found and how a file compares, as rows and as JSON; never a value from the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from integrated_data.acquire.binding import spelled_of
from integrated_data.model.contract import PACKAGES, Column, Contract, Format, Layout
from integrated_data.model.meanings import Handling, Kind
from integrated_data.vocabulary.headings import is_above_numbers, showable

#: What happens to a column, in words for people.
HANDLED = {
    Handling.IDENTIFIER: "used to match, never published",
    Handling.PAYLOAD: "published",
    Handling.WITHHELD: "withheld until a steward releases it",
}
#: Formats that are no text, in words.
FORMS = {"excel": "an Excel sheet", "spss": "an SPSS file", "stata": "a Stata file", "sas": "a SAS file"}


@dataclass(frozen=True)
class Described:
    """One column for people: what it seems to be, how it is read, how sure that is, what happens to it."""

    column: str
    source: str
    seems: str
    read_as: str
    sure: float
    handled: str
    note: str


def shown_columns(contract: Contract) -> tuple[tuple[str, str], ...]:
    """Each column's name and its heading as they may be shown: what may be a value is called by its place."""
    shown = shown_headings(contract)
    return tuple(
        (c.name, heading) if heading == spelled_of(c) else (heading.replace(" ", "_"), heading)
        for c, heading in zip(contract.columns, shown, strict=True)
    )


def shown_headings(contract: Contract, spelled: Sequence[str] = ()) -> tuple[str, ...]:
    """Each column's heading (`spelled`, or as the contract calls it) as it may be shown; words above numbers show that
    the first row is one of names.
    """
    headings = tuple(spelled or (spelled_of(c) for c in contract.columns))
    if contract.layout.format in (Format.PARQUET, Format.JSONL, *PACKAGES):
        return headings
    numbers = [c.kind is not Kind.STRING for c in contract.columns]
    return showable(headings, names=contract.layout.header and is_above_numbers(headings, numbers=numbers))


def describe(contract: Contract) -> tuple[Described, ...]:
    """One row per column, in order."""
    return tuple(
        Described(
            name, source, c.meaning.value.replace("_", " "), _reading(c), c.confidence, HANDLED[c.handling], c.title
        )
        for c, (name, source) in zip(contract.columns, shown_columns(contract), strict=True)
    )


def _reading(column: Column) -> str:
    parts = [column.kind.value]
    if column.formats:
        parts.append("written " + " or ".join(column.formats))
    if column.decimal != "." and column.kind in (Kind.NUMBER, Kind.INTEGER):
        parts.append(f"decimal mark {column.decimal}")
    if column.missing:
        count = len(column.missing)
        parts.append(f"{count} code{'s' if count > 1 else ''} for no value")
    return ", ".join(parts)


def layout_sentence(layout: Layout) -> str:
    """How a file is written, in one sentence."""
    delimiters = {",": "commas", "\t": "tabs", "|": "bars", ";": "semicolons"}
    match layout.format.value:
        case "csv":
            form = f"text with {delimiters.get(layout.delimiter, layout.delimiter)} between columns"
        case "fixed":
            form = f"fixed-width text of {len(layout.widths)} columns"
        case "jsonl":
            form = "JSON lines"
        case other:
            form = FORMS.get(other, other.capitalize())
    if layout.format in (Format.JSONL, Format.PARQUET, *PACKAGES):
        return form
    return f"{form}, {'with' if layout.header else 'without'} a header"


def described_json(contract: Contract) -> dict[str, Any]:
    """The same for programs: columns, indexes, layout."""
    columns = [
        {
            "name": name, "source": source, "type": c.kind.value, "meaning": c.meaning.value,
            "handling": c.handling.value, "confidence": c.confidence, "formats": list(c.formats),
            "decimal": c.decimal, "codes_for_no_value": len(c.missing), "key": c.key, "note": c.title,
        }
        for c, (name, source) in zip(contract.columns, shown_columns(contract), strict=True)
    ]  # fmt: skip
    result: dict[str, Any] = {
        "dataset": contract.dataset, "layout": layout_sentence(contract.layout), "columns": columns,
        "indexes": [use.index for use in contract.indexes], "inferred": contract.inferred,
    }  # fmt: skip
    return result
