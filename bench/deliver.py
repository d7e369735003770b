"""`ids deliver` of 10 million rows × 40 columns against DuckDB's own typed CSV → Parquet, and dlt, on the same file.

Typing, three normalised columns, ten checks, quarantine, a profile, the raw sealed, published; nothing to match.
CPU-seconds of whole processes, start-up taken off, alternating, median of five; what a turn wrote is deleted after
it, so that no turn pays for writing back another's pages. The most memory of loads of a tenth and a third of the rows
tells whether it grows with them. dlt loads in an environment of its own: name its Python in IDS_DLT.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import report
from integrated_data.acquire import contracts
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Rule
from integrated_data.model.meanings import Handling, Kind, Meaning

ROWS, RUNS = 10_000_000, 5
#: Loads of fewer rows, whose memory is told as well.
FEWER = (ROWS // 10, 3 * ROWS // 10)
#: Times the anchor's CPU-seconds; MiB; and how much more memory than a third of the rows took counts as growing.
MARK, MOST_MEMORY, GROWTH = 1.5, 1_536, 1.1
DLT = Path(__file__).parents[1] / "tests" / "elsewhere" / "load_dlt.py"

_OURS = """
import resource, sys
from pathlib import Path
from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.site.installation import create
from integrated_data.site.loading import open_loading
from integrated_data.site.settings import from_environment
folder, home = Path(sys.argv[1]), Path(sys.argv[2])
places = create(home, actor="bench")
with open_loading(places, from_environment()) as site:
    contract = contracts.read(folder / "contract.yaml")
    handed, deliver = journey.Handed(contract), journey.deliver
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    outcome = deliver(site.workshop, "payments", files=[folder / "payments.csv"], handed=handed)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert outcome.state == "published", outcome.reason
"""

_ANCHOR = """
import resource, sys
from pathlib import Path
import duckdb
folder, home = Path(sys.argv[1]), Path(sys.argv[2])
connection = duckdb.connect(config={"threads": 2})
source = "read_csv('" + str(folder / "payments.csv") + "', dateformat = '%d/%m/%Y')"
before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
connection.execute(f"COPY (FROM {source}) TO '{home}.parquet' (COMPRESSION zstd)").fetchall()
after = resource.getrusage(resource.RUSAGE_SELF)
"""

_START = "import json, time\n"
_TELL = """
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"cpu": cpu, "seconds": time.perf_counter() - began, "memory": after.ru_maxrss // 1024}))
"""


@dataclass(frozen=True)
class Took:
    """What one load took: CPU-seconds, seconds and the most memory in MiB."""

    cpu: float
    seconds: float
    memory: int


def run() -> bool:
    """Print the tables; true when every mark is met."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        contracts.write(_contract(), folder / "contract.yaml")
        memory = {rows: _fewer(folder, rows=rows).memory for rows in FEWER}
        _write_file(folder / "payments.csv", rows=ROWS)
        took = _turns(folder)
        size = (folder / "payments.csv").stat().st_size / 2**20
    memory[ROWS] = max(one.memory for one in took["ids deliver"])
    report.table(f"{ROWS:,} rows × 40 columns, {size:,.0f} MiB", [_row(what, loads) for what, loads in took.items()])
    report.table("The most memory of ids deliver", [{"rows": rows, "MiB": most} for rows, most in memory.items()])
    return report.marks(_marks({what: [one.cpu for one in loads] for what, loads in took.items()}, memory=memory))


def _marks(cpu: dict[str, list[float]], *, memory: dict[int, int]) -> dict[str, bool]:
    middle = {what: statistics.median(seconds) for what, seconds in cpu.items()}
    ratio = middle["ids deliver"] / middle["DuckDB"]
    found = {
        f"CPU-seconds of ids deliver over DuckDB's ≤ {MARK} ({ratio:.2f})": ratio <= MARK,
        f"memory ≤ {MOST_MEMORY:,} MiB": memory[ROWS] <= MOST_MEMORY,
        f"memory of {ROWS:,} rows ≤ {GROWTH} × that of {FEWER[-1]:,}": memory[ROWS] <= GROWTH * memory[FEWER[-1]],
    }
    if "dlt" in middle:
        found[f"faster than dlt ({middle['dlt'] / middle['ids deliver']:.2f})"] = middle["ids deliver"] < middle["dlt"]
    return found


def _turns(folder: Path) -> dict[str, list[Took]]:
    """What every turn of each took; dlt only where its Python is named."""
    ways = {
        "DuckDB": [sys.executable, "-c", _START + _ANCHOR + _TELL],
        "ids deliver": [sys.executable, "-c", _START + _OURS + _TELL],
    }
    if python := os.environ.get("IDS_DLT"):
        ways["dlt"] = [python, str(DLT)]
    else:
        print("dlt is not measured: IDS_DLT names no Python", file=sys.stderr)
    took: dict[str, list[Took]] = {what: [] for what in ways}
    for turn in range(RUNS):
        for number, (what, command) in enumerate(ways.items()):
            took[what].append(_measure(command, folder, home=folder / f"home{turn}{number}"))
    return took


def _fewer(folder: Path, *, rows: int) -> Took:
    _write_file(folder / "payments.csv", rows=rows)
    return _measure([sys.executable, "-c", _START + _OURS + _TELL], folder, home=folder / f"home{rows}")


def _measure(command: list[str], folder: Path, *, home: Path) -> Took:
    done = subprocess.run([*command, folder, home], capture_output=True, text=True, check=True)
    shutil.rmtree(home, ignore_errors=True)
    home.with_name(home.name + ".parquet").unlink(missing_ok=True)
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def _row(what: str, loads: list[Took]) -> dict[str, object]:
    cpu = [one.cpu for one in loads]
    spread = {"median": statistics.median(cpu), "least": min(cpu), "most": max(cpu)}
    seconds = statistics.median(one.seconds for one in loads)
    return {"what": what} | spread | {"seconds": seconds, "MiB": max(one.memory for one in loads)}


def _write_file(place: Path, *, rows: int) -> None:
    parts = [f"(hash(i, {k}) % 1000000)::INTEGER AS n{k}" for k in range(8)]
    parts += [f"(hash(i, {k}) % 1000000) / 100.0 AS m{k}" for k in range(10, 18)]
    parts += [
        f"strftime(DATE '1990-01-01' + (hash(i, {k}) % 12000)::INTEGER, '%d/%m/%Y') AS d{k}" for k in range(20, 26)
    ]
    parts += [f"chr((65 + hash(i, {k}) % 6)::INTEGER) AS c{k}" for k in range(30, 40)]
    parts += [f"substring(md5((hash(i, {k}) % 100000)::VARCHAR), 1, 12) AS t{k}" for k in range(40, 44)]
    parts += [
        "' ' || lower(substring(md5(i::VARCHAR), 1, 8)) || ' ' AS surname",
        "'sw' || (1 + hash(i, 50) % 20) || ' ' || hash(i, 51) % 10 || 'ab' AS postcode",
        "'ab' || lpad((hash(i, 52) % 1000000)::VARCHAR, 6, '0') || 'c' AS nino",
        "CASE WHEN i % 1000 = 7 THEN 'unknown' ELSE (hash(i, 53) % 100)::VARCHAR END AS age",
    ]
    duckdb.execute(f"COPY (SELECT {', '.join(parts)} FROM range({rows}) t(i)) TO '{place}' (HEADER)").fetchall()


def _contract() -> Contract:
    def column(name: str, kind: Kind, meaning: Meaning, handling: Handling = Handling.PAYLOAD) -> Column:
        formats = ("%d/%m/%Y",) if kind is Kind.DATE else ()
        return Column(name, name, kind=kind, meaning=meaning, handling=handling, formats=formats)

    columns = [column(f"n{k}", Kind.INTEGER, Meaning.COUNT) for k in range(8)]
    columns += [column(f"m{k}", Kind.NUMBER, Meaning.MONEY) for k in range(10, 18)]
    columns += [column(f"d{k}", Kind.DATE, Meaning.EVENT_DATE) for k in range(20, 26)]
    columns += [column(f"c{k}", Kind.STRING, Meaning.CODE) for k in range(30, 40)]
    columns += [column(f"t{k}", Kind.STRING, Meaning.CODE) for k in range(40, 44)]
    columns += [
        column("surname", Kind.STRING, Meaning.FAMILY_NAME, Handling.IDENTIFIER),
        column("postcode", Kind.STRING, Meaning.POSTCODE, Handling.IDENTIFIER),
        column("nino", Kind.STRING, Meaning.NATIONAL_INSURANCE_NUMBER, Handling.IDENTIFIER),
        column("age", Kind.INTEGER, Meaning.COUNT),
    ]
    rules = [Rule(f"n{k} in range", Check.RANGE, column=f"n{k}", low="0", high="1000000") for k in range(4)]
    rules += [Rule(f"m{k} in range", Check.RANGE, column=f"m{k}", low="0", high="100000") for k in range(10, 12)]
    rules += [Rule(f"c{k} is a code", Check.ALLOWED, column=f"c{k}", values=tuple("ABCDEF")) for k in range(30, 32)]
    rules += [Rule(f"d{k} is there", Check.REQUIRED, column=f"d{k}") for k in range(20, 22)]
    layout = Layout(Format.CSV)
    return Contract("payments", "bench", layout, tuple(columns), rules=tuple(rules))
