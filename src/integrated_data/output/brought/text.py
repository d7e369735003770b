"""Texts and tables of text: what they may not hold beside what a reader sees."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence

import pyarrow as pa

from integrated_data.model.output import Finding, Outcome, ReleaseLimits
from integrated_data.output import table as tabular
from integrated_data.output import wording
from integrated_data.output.table_rules import Drawn, table_findings

#: Cells of one table, and characters of one text.
MOST_CELLS, MOST_CHARACTERS = 100_000, 200_000

#: Lines after each other with as many separators each, from which a text is a table.
ROWS = 50

_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{200,}")
_PAGE = re.compile(r"<\s*(script|html|svg|iframe|object|embed|!doctype|\?xml|\?php)", re.IGNORECASE)
_KEYS = re.compile(r"(?<!\d)\d{16,19}(?!\d)")


def refused(rule: str, reason: str, *, cells: int = 0) -> Finding:
    """What holds a file back."""
    return Finding(rule, Outcome.REFUSE, reason, cells)


def look_at_text(content: bytes) -> list[Finding]:
    """What is said of a text or a script."""
    text, findings = _decoded(content)
    if text is None:
        return findings
    if len(text) > MOST_CHARACTERS:
        findings.append(refused("size", f"It has more than {MOST_CHARACTERS:,} characters"))
    if any(run >= ROWS for run in _runs(text)):
        findings.append(refused("embedded rows", "Its lines are rows of a table: bring them as .csv"))
    return [*findings, *look_at_words([text])]


def look_at_table(content: bytes, *, separator: str) -> list[Finding]:
    """What is said of a table of text: its form, its size, and what a spreadsheet would make of its cells."""
    text, findings = _decoded(content)
    if text is None:
        return findings
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error:
        return [*findings, refused("not what it says", "It is not a table of text as RFC 4180 has it")]
    return [*findings, *look_at_rows(rows)]


def look_at_rows(rows: Sequence[Sequence[str]]) -> list[Finding]:
    """What is said of the rows of a table, the first of which names its columns."""
    if len(rows) < 2 or not rows[0]:
        return [refused("not what it says", "It holds no table: no row below its headings")]
    findings = []
    cells = sum(len(row) for row in rows)
    if cells > MOST_CELLS:
        return [
            refused(
                "size", f"It has more than {MOST_CELLS:,} cells: an output is a table that people can read", cells=cells
            )
        ]
    uneven = sum(1 for row in rows if len(row) != len(rows[0]))
    if uneven:
        reason = "Its rows have different lengths: bring one table in a file, notes apart"
        findings.append(refused("not what it says", reason, cells=uneven))
    formulas = sum(1 for row in rows for cell in row if is_formula(cell))
    if formulas:
        findings.append(refused("formula", "A spreadsheet would take a cell for a formula", cells=formulas))
    if uneven or len({*rows[0]}) < len(rows[0]):
        return [*findings, *look_at_words(cell for row in rows for cell in row)]
    held = {name: [_whole(row[place]) for row in rows[1:]] for place, name in enumerate(rows[0])}
    table = tabular.of_result(pa.table({name: pa.array(cells, pa.string()) for name, cells in held.items()}))
    return [*findings, *table_findings(Drawn(table), ReleaseLimits())]


def look_at_words(texts: Iterator[str] | Sequence[str]) -> list[Finding]:
    """What is said of texts that are no table: no key may be in them; what looks like an identifier is for people."""
    findings, keys, telling = [], 0, 0
    for text in texts:
        keys += any(int(number) >= tabular.LARGEST for number in _KEYS.findall(text))
        telling += wording.names_somebody(text)
    if keys:
        findings.append(refused("identifiers", "It holds keys; a key leads to one person, so none leaves", cells=keys))
    if telling:
        reason = "Text in it has the form of a person's identifier"
        findings.append(Finding("identifying text", Outcome.REVIEW, reason, telling))
    return findings


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would compute a cell (OWASP, "CSV Injection"): a sign that begins no number."""
    first = cell.lstrip(" ")[:1] if cell[:1] == " " else cell[:1]
    if first not in ("=", "+", "-", "@", "\t", "\r"):
        return False
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return cell.strip() not in ("-", "+")
    return False


def hidden_characters(text: str) -> int:
    """How many characters of a text nobody sees: controls, and those that change how others are read."""
    return sum(1 for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn") and c not in "\t\n\r\u00ad")


def _whole(cell: str) -> str:
    """A cell; a number beyond those that are written exactly as the whole number that it is."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    large = math.isfinite(number) and abs(number) >= tabular.LARGEST
    return str(int(number)) if large and not cell.lstrip("-").isdecimal() else cell


def _decoded(content: bytes) -> tuple[str | None, list[Finding]]:
    """A text in UTF-8 with what is wrong with it; None where it is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None, [refused("not what it says", "It is not a text in UTF-8")]
    findings = []
    hidden = hidden_characters(text)
    if hidden:
        findings.append(refused("hidden text", "It holds characters that nobody sees", cells=hidden))
    if _PAGE.search(text) or "%PDF-" in text:
        findings.append(refused("not what it says", "It holds a page, a script or a document of another kind"))
    if _BLOB.search(text):
        findings.append(refused("embedded data", "It holds data in a code that nobody can read"))
    return text, findings


def _runs(text: str) -> Iterator[int]:
    """How many lines after each other have as many separators each, at least one."""
    for separator in ",\t;|":
        before, run = 0, 0
        for line in text.splitlines():
            count = line.count(separator)
            run = run + 1 if count and count == before else 1
            before = count
            if count:
                yield run
