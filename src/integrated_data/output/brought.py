"""Results that were made outside the service from a query's rows: a table as text, and nothing else.

Such a result is a claim. It is read strictly, carries the queries whose rows it was made from, and always goes to
reviewers. What is not a plain table (a workbook, an archive, a notebook, a picture, a model file, rows of people)
is refused with the reason, and kept where only the service reads it, as evidence.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.output import Ask, Brought, ReleaseLimits, View
from integrated_data.output.check import Checked, unproven
from integrated_data.output.requested import Asked, put
from integrated_data.output.table import of_result
from integrated_data.output.table_rules import Drawn
from integrated_data.output.tree import Unproven

#: Files of one request; bytes, cells and characters of a cell in one.
MOST_FILES, MOST_BYTES, MOST_CELLS, LONGEST_CELL = 3, 2**18, 10_000, 200

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,75}\.csv")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
_WHOLE = re.compile(r"[-+]?\d{1,18}")

#: How files begin that are not what `.csv` says.
BEGINNINGS: Mapping[bytes, str] = {
    b"PK": "a workbook or an archive", b"\xd0\xcf\x11\xe0": "a workbook or document that may hold macros",
    b"\x1f\x8b": "compressed", b"BZh": "compressed", b"\xfd7zXZ": "compressed", b"7z\xbc\xaf": "an archive",
    b"Rar!": "an archive", b"%PDF": "a document", b"\x89PNG": "a picture", b"GIF8": "a picture",
    b"\xff\xd8\xff": "a picture", b"PAR1": "a data file", b"ARROW1": "a data file", b"\x80": "a model file",
    b"RDX": "a data file of R", b"\x93NUMPY": "a data file", b"\x89HDF": "a data file", b"{": "a notebook or JSON",
    b"[": "JSON", b"<": "markup", b"SQLite": "a database",
}  # fmt: skip


def read(brought: Brought) -> pa.Table:
    """The table of a file; refuses what is not one, without quoting it."""
    if not _NAME.fullmatch(brought.name):
        raise _refusal("its name is not that of a plain .csv file")
    if len(brought.content) > MOST_BYTES:
        raise _refusal(f"it is larger than {MOST_BYTES // 2**10:,} KiB")
    begins = brought.content.removeprefix(b"\xef\xbb\xbf").lstrip()
    said = next((what for start, what in BEGINNINGS.items() if begins.startswith(start)), None)
    if said is not None:
        raise _refusal(f"it is {said}, whatever its name says")
    try:
        text = brought.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal("it is not text in UTF-8") from None
    if any(c < " " and c not in "\t\n\r" for c in text) or "\x7f" in text:
        raise _refusal("it holds characters that are no text")
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error:
        raise _refusal("it cannot be read as comma-separated values") from None
    _check_rows(rows)
    heading, *body = rows
    return pa.table({name: _column([row[n] for row in body]) for n, name in enumerate(heading)})


def take(store: Store, ask: Ask, *, folder: Path) -> tuple[Asked, ...]:
    """The files of a request as what is asked for; `folder` is the outputs folder.

    A refused file is kept there under its hash, and the refusal is on record.
    """
    if len(ask.brought) > MOST_FILES:
        raise OutputRefusal(f"A request holds at most {MOST_FILES} files", next_step="Split it up")
    made_from = ", ".join(ask.queries)
    found = []
    for brought in ask.brought:
        try:
            found.append(Asked(made_from, "", read(brought), brought=brought.name))
        except OutputRefusal as refusal:
            _keep(store, ask, brought=brought, folder=folder, why=str(refusal))
            raise
    return tuple(found)


def check(asked: Asked, *, views: Mapping[str, View], limits: ReleaseLimits) -> Checked:
    """A brought table as the check sees it: nothing of it is proven, so people decide."""
    rows = min((view.rows for view in views.values()), default=0)
    reason = f"{asked.brought} was made outside the service from the results of {asked.query}; people check how"
    claim = Unproven(reason, rule="made outside")
    return unproven(asked.query, Drawn(of_result(asked.result), rows=rows), limits=limits, unproven=claim)


def _keep(store: Store, ask: Ask, *, brought: Brought, folder: Path, why: str) -> None:
    sha256 = hashlib.sha256(brought.content).hexdigest()
    place = folder / "refused"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(place / sha256, brought.content[:MOST_BYTES])
    facts = {"sha256": sha256, "size": len(brought.content), "queries": list(ask.queries), "why": why}
    with store.change(Event("output.file_refused", ask.person, f"project/{ask.project}", facts)):
        pass


def _check_rows(rows: Sequence[Sequence[str]]) -> None:
    if len(rows) < 2:
        raise _refusal("it has no rows below its heading")
    heading = rows[0]
    if len(set(heading)) < len(heading) or not all(name.strip() for name in heading):
        raise _refusal("two columns have one heading, or one has none")
    if any(len(row) != len(heading) for row in rows):
        raise _refusal("its rows are not equally long")
    if len(rows) * len(heading) > MOST_CELLS:
        raise _refusal(f"it has more than {MOST_CELLS:,} cells, which people cannot read")
    cells = [cell for row in rows for cell in row]
    if any(len(cell) > LONGEST_CELL for cell in cells):
        raise _refusal(f"a cell of it is longer than {LONGEST_CELL} characters")
    if any(cell[:1] in "=+-@" and cell and not _NUMBER.fullmatch(cell) for cell in cells):
        raise _refusal("a cell of it would be a formula in a spreadsheet")


def _column(cells: Sequence[str]) -> pa.Array:
    """Numbers where every cell is one or empty, else text."""
    said = [cell.strip() for cell in cells]
    if any(said) and all(not s or _WHOLE.fullmatch(s) for s in said):
        return pa.array([int(s) if s else None for s in said], pa.int64())
    if any(said) and all(not s or _NUMBER.fullmatch(s) for s in said):
        return pa.array([float(s) if s else None for s in said], pa.float64())
    return pa.array([s or None for s in said], pa.string())


def _refusal(why: str) -> OutputRefusal:
    return OutputRefusal(
        "A file of this request cannot leave", why=f"{why[0].upper()}{why[1:]}",
        next_step="Bring a table of results as plain comma-separated text, or let the service compute it",
    )  # fmt: skip
