"""What each column of the real open data is: the hand-written expectation, and files without their columns of truth."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

WRITTEN = Path(__file__).parent / "golden" / "inference" / "expected.txt"

#: Columns that hold truth or answers: no stage may read them.
TRUTH = frozenset(
    {"simulant_id", "household_id", "employer_id", "cluster", "true_id", "true_person_id", "gt_person_id",
     "ground_truth"}
)  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """One column: the types that are right (none where it has no value), its decimal mark, its flag."""

    kinds: frozenset[str]
    decimal: str = "."
    identifies: bool = False
    may_be_published: bool = True


def expected() -> dict[str, dict[str, Expected]]:
    """By file, by column, in the file's order of groups."""
    found: dict[str, dict[str, Expected]] = {}
    for head, names in _groups():
        if head.startswith("["):
            columns = found.setdefault(head.strip("[]"), {})
            continue
        kinds, _, flag = head.partition(" ")
        decimal = "," if kinds.endswith(",") else "."
        types = frozenset() if kinds == "empty" else frozenset(kinds.rstrip(",").split("/"))
        one = Expected(types, decimal, flag == "id", not flag)
        columns |= dict.fromkeys((n.strip() for n in names.split("|") if n.strip()), one)
    return found


def _groups() -> Iterator[tuple[str, str]]:
    """(file's name, "") and (type and flag, names), continued lines joined."""
    held = ""
    for line in [*WRITTEN.read_text("utf-8").splitlines(), "["]:
        if line.startswith("    "):
            held += " " + line.strip()
            continue
        if held:
            head, _, names = held.partition(": ")
            yield head, names
        held = "" if line.startswith(("#", "[")) or not line else line
        if line.startswith("[") and len(line) > 1:
            yield line, ""


def without_truth(place: Path, folder: Path) -> Path:
    """The file, or a copy in `folder` that lacks its columns of truth."""
    if place.suffix == ".parquet":
        names = pq.read_schema(place).names
        if TRUTH.isdisjoint(names):
            return place
        copy = folder / place.name
        pq.write_table(pq.read_table(place, columns=[n for n in names if n not in TRUTH]), copy)
        return copy
    if not place.name.endswith(".csv.gz"):
        return place
    with gzip.open(place, "rt", encoding="utf-8", newline="") as source:
        rows = list(csv.reader(source))
    if TRUTH.isdisjoint(rows[0]):
        return place
    kept = [i for i, name in enumerate(rows[0]) if name not in TRUTH]
    copy = folder / place.name.removesuffix(".gz")
    with copy.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([row[i] for i in kept] for row in rows if row)
    return copy
