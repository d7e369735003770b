"""`ids deliver` of 2 million rows × 40 columns against DuckDB's own typed CSV → Parquet on the same file.

Typing, three normalised columns, ten checks, quarantine, a light profile, the raw sealed, published;
nothing to match. CPU-seconds of whole processes, start-up taken off, alternating, median of five;
what a turn wrote is deleted after it, so that no turn pays for writing back another's pages.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import report
from integrated_data.acquire import contracts
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Rule
from integrated_data.model.meanings import Handling, Kind, Meaning

ROWS, RUNS, MARK = 2_000_000, 5, 2.0

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
    before = resource.getrusage(resource.RUSAGE_SELF)
    handed = journey.Handed(contract)
    outcome = journey.deliver(site.workshop, "payments", files=[folder / "payments.csv"], handed=handed)
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
before = resource.getrusage(resource.RUSAGE_SELF)
connection.execute(f"COPY (FROM {source}) TO '{home}.parquet' (COMPRESSION zstd)").fetchall()
after = resource.getrusage(resource.RUSAGE_SELF)
"""

_TELL = """
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(cpu, after.ru_maxrss // 1024)
"""


def run() -> bool:
    """Print the table; true when the ratio of median CPU-seconds is within the mark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_file(folder / "payments.csv")
        contracts.write(_contract(), folder / "contract.yaml")
        took: dict[str, list[tuple[float, int]]] = {"ours": [], "anchor": []}
        for turn in range(RUNS):
            for which, program in (("anchor", _ANCHOR), ("ours", _OURS)):
                took[which].append(_measure(program, folder, folder / f"{which}{turn}"))
        size = (folder / "payments.csv").stat().st_size / 2**20
    rows = [_row("DuckDB typed CSV → Parquet (zstd)", took["anchor"]), _row("ids deliver", took["ours"])]
    report.table(f"{ROWS:,} rows × 40 columns, {size:,.0f} MiB, CPU-seconds", rows)
    ratio = statistics.median(t for t, _ in took["ours"]) / statistics.median(t for t, _ in took["anchor"])
    print(f"ratio {ratio:.2f}")
    return report.marks({f"ratio ≤ {MARK}": ratio <= MARK})


def _measure(program: str, folder: Path, home: Path) -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-c", program + _TELL, folder, home], capture_output=True, text=True, check=True
    )
    shutil.rmtree(home, ignore_errors=True)
    home.with_name(home.name + ".parquet").unlink(missing_ok=True)
    cpu, memory = done.stdout.split()[-2:]
    return float(cpu), int(memory)


def _row(what: str, took: list[tuple[float, int]]) -> dict[str, object]:
    cpu = [t for t, _ in took]
    spread = {"median": statistics.median(cpu), "least": min(cpu), "most": max(cpu)}
    return {"what": what} | spread | {"MiB": max(m for _, m in took)}


def _write_file(place: Path) -> None:
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
    duckdb.execute(f"COPY (SELECT {', '.join(parts)} FROM range({ROWS}) t(i)) TO '{place}' (HEADER)").fetchall()


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
