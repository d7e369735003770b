"""Reconcile: every physical line of a delivery is a row, part of a row, a header, blank, or quarantined.

A quotation mark that is not closed makes a reader take the following lines for one value. The reader
rejects such a row as a whole, however many lines it took; so lines are counted, not rejects. Only
when lines and rows differ is the file looked at again.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from integrated_data.engine import Engine, Landed, Sealer
from integrated_data.model.contract import Format
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.validate.lines import BLANK, Written, runs_of
from integrated_data.vocabulary.sql import name, text

CHUNK = 1 << 20

#: The reader's words for what is wrong with a line, in ours.
REASONS = {
    "MISSING COLUMNS": "the row has fewer columns than the header",
    "TOO MANY COLUMNS": "the row has more columns than the header",
    "UNQUOTED VALUE": "a quotation mark is not closed, or text follows a closed one",
    "LINE SIZE OVER MAXIMUM": "the row is longer than a row can be",
    "INVALID ENCODING": "the text is not valid in the file's encoding",
    "INVALID STATE": "the row breaks off inside a quotation mark",
}


@dataclass(frozen=True)
class Account:
    """Where the lines of a delivery went; `lines` is the sum of the others.

    `inside`: line ends within values; `rejected`: lines that became no row, a swallowed line each;
    `rejects`: the rows they would have made; `first`: the first of those, counted in rows with the
    header as 1.
    """

    lines: int
    header: int
    rows: int
    inside: int = 0
    blank: int = 0
    rejected: int = 0
    rejects: int = 0
    first: int | None = None


def reconcile(engine: Engine, sealer: Sealer, *, source: Landed, lines: int, rows: int) -> Account:
    """The account of a delivery whose relation gave `rows` rows; `lines` as in `acquire.Prepared`.

    Raises DeliveryRefusal when lines are left over that nothing explains.
    """
    if source.layout.format is Format.PARQUET:
        return Account(rows, 0, rows)
    headed = source.layout.header and source.layout.format is not Format.JSONL
    header = len(source.places) if headed else 0
    rejects, quotes, first = _rejects(engine, source)
    account = Account(lines, header, rows, rejected=rejects, rejects=rejects, first=first)
    if _left(account) == 0 and not quotes:
        return account
    if source.layout.format is Format.CSV:
        account = replace(account, inside=_line_ends_inside(engine, source))
    if _left(account) > 0:
        account = replace(account, blank=min(_left(account), _blank(sealer, source, lines=lines)))
    left = _left(account)
    if left > 0 and not rejects:
        raise DeliveryRefusal(
            f"{left} lines of the delivery cannot be accounted for",
            why="They are neither rows nor rejected",
            next_step="Check quotation marks and line ends, and deliver again",
        )
    if left < 0:
        raise DeliveryRefusal(
            f"Rows of the delivery cannot be told apart from row {first or 1:,} on",
            why="Quotation marks are broken so that a line belongs to two rows",
            next_step="Double every quotation mark inside a quoted value, and deliver again",
        )
    return replace(account, rejected=rejects + left)


def _left(account: Account) -> int:
    told = account.header + account.rows + account.inside + account.blank + account.rejected
    return account.lines - told


def _rejects(engine: Engine, source: Landed) -> tuple[int, int, int | None]:
    """Rejected rows, how many of them for a quotation mark, and the first of them all."""
    if source.rejects is None:
        return 0, 0, None
    found = engine.rows(
        "SELECT count(DISTINCT (file_id, line)) AS n, min(line) AS first, "
        f"count(*) FILTER (WHERE error_type::VARCHAR = 'UNQUOTED VALUE') AS quotes FROM {name(source.rejects)}"
    ).to_pylist()[0]
    return found["n"], found["quotes"], found["first"]


def _line_ends_inside(engine: Engine, source: Landed) -> int:
    """Line ends within values of rows that were read."""
    counted = "_reconciled"
    rejects = None if source.rejects is None else "_reconciled_rejects"
    engine.load(counted, replace(source, rejects=rejects))
    ends = " + ".join(
        f"coalesce(length({name(c)}) - length(replace({name(c)}, chr(10), '')), 0)" for c in source.columns
    )
    found = engine.rows(f"SELECT coalesce(sum({ends}), 0)::BIGINT AS n FROM {counted}")["n"][0].as_py()
    engine.drop(counted, *([rejects, f"{rejects}_scans"] if rejects else []))
    return int(found)


def _blank(sealer: Sealer, source: Landed, *, lines: int) -> int:
    """Lines that hold no record; of text with delimiters at most so many, where quotation marks are broken."""
    if source.layout.format is Format.CSV:
        return _blank_lines(sealer, source)
    headed = source.layout.header and source.layout.format is not Format.JSONL
    written, records = Written(header=headed, blanks=BLANK[source.layout.format]), 0
    for place in source.places:
        with sealer.read(place) as file:
            records += sum(run.count for run in runs_of(file, written))
    return lines - records


def _blank_lines(sealer: Sealer, source: Landed) -> int:
    """Blank lines outside quotation marks, which readers pass over; at most, where marks are broken."""
    blank = 0
    for place in source.places:
        with sealer.read(place) as file:
            inside, last = False, b"\n"
            while chunk := file.read(CHUNK):
                chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                for i, piece in enumerate(chunk.split(b'"')):
                    inside = inside != (i > 0)
                    before = b'"' if i else last
                    if not inside:
                        blank += _blank_in(before + piece)
                    last = piece[-1:] or before
    return blank


def _blank_in(piece: bytes) -> int:
    """Line ends that follow a line end, across a piece that begins with the byte before it."""
    runs = len(piece) - len(piece.replace(b"\n\n", b"\n"))
    if not runs:
        return 0
    return sum(a == b == 10 for a, b in pairwise(piece))


def rejects_sql(rejects: str, *, stands: str) -> str:
    """Rows that did not split, for the sealed quarantine: `line`, `reason`, `raw` (a value), `file`, `lines`.

    `stands`: the relation that tells where each record is (file_id, mark, file, line, lines), for the reader counts
    records and blank lines.
    """
    reasons = " ".join(f"WHEN {text(theirs)} THEN {text(ours)}" for theirs, ours in REASONS.items())
    reason = f"CASE error_type::VARCHAR {reasons} ELSE 'the row cannot be split into columns' END"
    return (
        f"SELECT s.line, r.reason, r.raw, s.file, s.lines FROM (SELECT file_id, line AS mark, min({reason}) AS reason, "
        f"min(csv_line) AS raw FROM {name(rejects)} GROUP BY file_id, line) r LEFT JOIN {name(stands)} s "
        "USING (file_id, mark)"
    )
