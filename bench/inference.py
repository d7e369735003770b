"""Inference on 155 tables of real open data, held against what each column is, written by hand before.

A column is typed right when the contract gives it a type that is right and, where the file writes numbers with a
decimal comma, that mark. An identifier is recognised when the contract handles it as one; none may be published.
Beside it: DuckDB's own reader, which finds types in the same rows, written as plain CSV.

Every file is then checked under its own inferred contract: how many rows would be quarantined and how many values
could not be read as the type. Every contract is linted against the Open Data Contract Standard 3.1.
"""

import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.csv as pa_csv

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.expected_columns import Expected, expected, without_truth
from tests.real_data import FOLDER
from tests.standard import complaints

from bench.report import marks, table
from integrated_data.acquire import contracts
from integrated_data.acquire.sample import sample_of
from integrated_data.model.contract import Column
from integrated_data.model.meanings import Handling
from integrated_data.site.kit import Kit, check_files, infer_contract, open_kit
from integrated_data.site.settings import from_environment

TYPED, RECOGNISED = 0.97, 0.95
ANCHOR_ROWS = 20_000
READER = "DuckDB's reader"
#: DuckDB's types by the contract's words.
WORDS = {
    "BIGINT": "integer", "HUGEINT": "integer", "DOUBLE": "number", "DATE": "date", "TIMESTAMP": "timestamp",
    "BOOLEAN": "boolean", "VARCHAR": "string",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One column of one file: what was expected, what the contract says, what DuckDB's reader says."""

    file: str
    column: str
    expected: Expected
    found: Column
    anchor: str

    @property
    def typed(self) -> bool:
        """Whether the contract's type, and its decimal mark, are right."""
        want = self.expected
        return self.found.kind.value in want.kinds and (want.decimal == "." or self.found.decimal == want.decimal)

    @property
    def anchored(self) -> bool:
        """Whether DuckDB's type is right; it reads no decimal comma beside a point for thousands."""
        return self.anchor in self.expected.kinds


@dataclass
class Checked:
    """Rows of all files, those quarantined, values that could not be read; CPU seconds of inference; `against`: what
    the standard has against the contracts.
    """

    rows: int = 0
    quarantined: int = 0
    unread: int = 0
    seconds: float = 0.0
    against: int = 0


def run(only: str = "") -> bool:
    """Print the tables; true when the marks are met, or when the data is not here. `only`: files that begin so."""
    if not FOLDER.exists():
        print(f"skipped: {FOLDER} is absent; set IDS_TEST_DATA to the folder of real open data")
        return True
    checked = Checked()
    asked = list(_asked(checked, only))
    full = [a for a in asked if a.expected.kinds]
    ids = [a for a in asked if a.expected.identifies and a.expected.kinds]
    secret = [a for a in asked if not a.expected.may_be_published]
    plain = [a for a in full if a.expected.may_be_published]
    typed, anchored = sum(a.typed for a in full), sum(a.anchored for a in full)
    recognised = sum(a.found.handling is Handling.IDENTIFIER for a in ids)
    published = [a for a in secret if a.found.handling is Handling.PAYLOAD]
    open_ones = sum(a.found.handling is Handling.PAYLOAD for a in plain)
    _misses("Typed wrong", [a for a in full if not a.typed])
    _misses("Not recognised", [a for a in ids if a.found.handling is not Handling.IDENTIFIER])
    _misses("PUBLISHED, and must not be", published)
    _misses("Kept back without need", [a for a in plain if a.found.handling is not Handling.PAYLOAD])
    table(
        f"{len({a.file for a in asked})} files, {len(asked)} columns, {len(full)} with values",
        [
            {"what": "typed right", "of": len(full), "ours": typed / len(full), READER: anchored / len(full)},
            {"what": "identifiers recognised", "of": len(ids), "ours": recognised / max(1, len(ids))},
            {"what": "published though they must not", "of": len(secret), "ours": len(published)},
            {"what": "others published", "of": len(plain), "ours": open_ones / max(1, len(plain))},
            {"what": "rows quarantined under the own contract", "of": checked.rows, "ours": checked.quarantined},
            {"what": "values that cannot be read as typed", "of": checked.rows, "ours": checked.unread},
            {"what": "CPU seconds, inference alone", "of": len(asked), "ours": checked.seconds},
        ],
    )  # fmt: skip
    return marks(
        {
            f"columns typed right ≥ {TYPED:.0%}": typed >= TYPED * len(full),
            f"identifiers recognised ≥ {RECOGNISED:.0%}": recognised >= RECOGNISED * len(ids),
            "none of them published": not published,
            "contracts pass the standard's lint": not checked.against,
        }
    )


def _asked(checked: Checked, only: str) -> Iterator[Asked]:
    for file, columns in expected().items():
        if not file.startswith(only):
            continue
        with open_kit(from_environment()) as kit, tempfile.TemporaryDirectory() as folder:
            place = without_truth(FOLDER / file, Path(folder))
            begin = _cpu()
            contract = infer_contract(kit, [place], dataset="example", owner="department")
            checked.seconds += _cpu() - begin
            found = {c.source: c for c in contract.columns}
            if set(found) != set(columns):
                raise AssertionError(f"{file}: the columns are not those expected: {set(found) ^ set(columns)}")
            checked.against += len(complaints(contracts.dump(contract)))
            told = check_files(kit, contract, files=[place])
            checked.rows += told["read"]
            checked.quarantined += told["quarantined"]
            checked.unread += sum(told["unread"].values())
            types = _anchor(kit, place, Path(folder))
        for (name, want), anchor in zip(columns.items(), (types[n] for n in columns), strict=True):
            yield Asked(file, name, want, found[name], anchor)


def _anchor(kit: Kit, place: Path, folder: Path) -> dict[str, str]:
    """What DuckDB's reader makes of the same rows, as CSV."""
    delivered = kit.delivered([place], None)
    kit.engine.load("sample", sample_of(delivered, kit.folder / "again.sealed", sealer=kit.sealer))
    rows = kit.engine.rows(f"SELECT * FROM sample LIMIT {ANCHOR_ROWS}")
    pa_csv.write_csv(rows, folder / "anchor.csv")
    described = duckdb.execute(f"DESCRIBE FROM read_csv('{folder / 'anchor.csv'}', header = true)").fetchall()
    return {
        name: WORDS.get(kind, kind.lower()) for name, (_, kind, *_) in zip(rows.column_names, described, strict=True)
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _misses(title: str, columns: list[Asked]) -> None:
    print(f"\n{title}: {len(columns)}")
    for a in columns:
        want = "/".join(sorted(a.expected.kinds)) + (" id" if a.expected.identifies else "")
        got = f"{a.found.kind.value} {a.found.meaning.value} {a.found.handling.value} {a.found.confidence}"
        print(f"  {a.file}  {a.column}: wants {want}, is {got}")


if __name__ == "__main__":
    sys.exit(0 if run(*sys.argv[1:]) else 1)
