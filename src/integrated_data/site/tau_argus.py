"""τ-Argus as an optional optimiser of secondary suppression: it proposes which cells to withhold, the attacker judges.

Installed with the extra `tau-argus` (pytauargus: the engine of Statistics Netherlands with the HiGHS solver). It
is given one table of counts with all its margins, by codes instead of values, in a folder of its own that is
gone afterwards, and runs as a process of its own for `SECONDS` at most.

Source: De Wolf and others, τ-ARGUS User's Manual; optimal cell suppression: Fischetti and Salazar, Models and
algorithms for optimizing cell suppression in tabular data with linear constraints, JASA 95 (2000).
"""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrated_data.model.output import ReleaseLimits
from integrated_data.output.protect import CellId, Tables, order

LIBRARY = "pytauargus"

#: Minutes that the engine may search, and seconds after which it is stopped.
MINUTES, SECONDS = 1, 90

#: Keys and cells of one table beyond which it is not asked.
MOST_KEYS, MOST_CELLS = 4, 20_000

RUN = f"import sys; from {LIBRARY}.engine import run_batch; run_batch(sys.argv[1])"

#: Of a cell in the engine's files: safe, unsafe, and withheld for the sake of another.
SAFE, UNSAFE, COMPANY = "S", "U", "M"

#: What it calls the sum over a key.
TOTAL = "T"


@dataclass(frozen=True)
class TauArgus:
    """Asks τ-Argus. `folder`: where its files may lie while it runs."""

    folder: Path
    name: str = "τ-Argus"

    def __call__(self, tables: Tables, primary: frozenset[CellId], limits: ReleaseLimits) -> frozenset[CellId] | None:
        """The cells to withhold; None where the tables are not one full table, or the engine finds nothing in time."""
        keys = sorted({key for cell in tables.cells for key, _ in cell})
        counts, whole = tables.quantities[0].values, 2 ** len(keys)
        levels = {frozenset(key for key, _ in cell) for cell in tables.cells}
        if not 1 <= len(keys) <= MOST_KEYS or len(levels) != whole or len(tables.cells) > MOST_CELLS or tables.unseen:
            return None
        codes = {key: _codes(tables.cells, key) for key in keys}
        named = {_coded(cell, keys, codes=codes): cell for cell in sorted(tables.cells, key=order)}
        lines = []
        for code, cell in named.items():
            count, unsafe = int(counts[cell]), cell in primary
            low, high = (min(count, limits.minimum_people), limits.minimum_people) if unsafe else (0, 0)
            lines.append(";".join((*code, *map(str, (count, max(count, 1), UNSAFE if unsafe else SAFE, low, high)))))
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="tau-argus-") as place:
            found = _run(Path(place), lines=lines, keys=len(keys))
        if found is None or not found <= set(named):
            return None
        return primary | {named[code] for code in found}


def tau_argus(folder: Path) -> TauArgus | None:
    """τ-Argus, where its library is installed."""
    return TauArgus(folder) if importlib.util.find_spec(LIBRARY) is not None else None


def _codes(cells: Sequence[CellId], key: str) -> dict[str | None, str]:
    values = {value for cell in cells for k, value in cell if k == key}
    return {v: f"c{n}" for n, v in enumerate(sorted(values, key=lambda v: (v is None, v or "")))}


def _coded(cell: CellId, keys: Sequence[str], *, codes: Mapping[str, Mapping[str | None, str]]) -> tuple[str, ...]:
    held = dict(cell)
    return tuple(codes[key][held[key]] if key in held else TOTAL for key in keys)


def _run(place: Path, *, lines: Sequence[str], keys: int) -> set[tuple[str, ...]] | None:
    """What the engine withholds for the sake of unsafe cells, by codes; None where it finds nothing in time."""
    variables = [f"V{n}" for n in range(keys)]
    table, metadata, batch, out = (place / name for name in ("in.tab", "in.rda", "run.arb", "out.tab"))
    table.write_text("\n".join(lines) + "\n", encoding="ascii")
    metadata.write_text(
        f"<SEPARATOR> ;\n<SAFE> {SAFE}\n<UNSAFE> {UNSAFE}\n<PROTECT> P\n"
        + "".join(f'{v} "x"\n  <RECODEABLE>\n  <TOTCODE> "{TOTAL}"\n' for v in variables)
        + "N\n  <NUMERIC>\n  <DECIMALS> 0\nK\n  <NUMERIC> <COST>\nST\n  <STATUS>\n"
        + "LPL\n  <NUMERIC> <LOWERPL>\nUPL\n  <NUMERIC> <UPPERPL>\n",
        encoding="ascii",
    )
    explained = "".join(f'"{v}"' for v in variables)
    batch.write_text(
        f'<OPENTABLEDATA> "{table}"\n<OPENMETADATA> "{metadata}"\n<SPECIFYTABLE> {explained}|"N"||"K"\n'
        f'<SAFETYRULE>\n<READTABLE> 1\n<SUPPRESS> OPT(1,{MINUTES})\n<WRITETABLE> (1, 5, SO+, "{out}")\n',
        encoding="ascii",
    )
    command = [sys.executable, "-I", "-c", RUN, str(batch)]
    try:
        done = subprocess.run(command, cwd=place, env={}, check=False, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or not out.is_file():
        return None
    rows = [line.split(";") for line in out.read_text(encoding="ascii", errors="replace").splitlines()]
    return {
        tuple(code.strip('" ') for code in row[:keys]) for row in rows if len(row) > keys + 2 and row[-3] == COMPANY
    }
