"""A delivery of the specimen at several sizes by DuckDB, Sail and Apache Spark: times, what they are made of, and from
how many rows on a cluster is faster than one machine.

The census of a country is standardised, checked, matched to the health register's people and published. All engines run
on the same two cores, so that servers can win nothing here: they pay for their tasks and for sealing what goes between.
What more cores would make of it is extrapolated, and marked so. The seconds of a processor that shares took are of two
kinds, told apart by cutting the same statements into eight shares instead of two: what every share does anew (opening,
planning, reading an index whole), which more cores do not lessen, and the rest, which is divided among them. What is
done outside of shares stays. Each is a straight line through the sizes, by least squares.

Servers are started before, and a first delivery through each, which loads libraries, is not counted; each delivery has
a session of its own. Apache Spark is left out where it is not installed, and a size that would not end within the time.
Both are said so.
"""

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _pytest.outcomes import Failed, Skipped
from tests import sparks

from bench import report
from integrated_data import journey, specimen
from integrated_data.control import releases
from integrated_data.engines.cluster import Cluster
from integrated_data.model.query import EngineName
from integrated_data.site.installation import create
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings

#: People of the country, and how often each engine loads its census.
SIZES = ((5_000, 3), (20_000, 3), (80_000, 1), (300_000, 1))

#: Seconds in all; shares of a statement, and of the same cut finer; cores of clusters that are extrapolated to.
SECONDS, TASKS, FINER, CLUSTERS = 700, 2, 8, (2, 16, 64)

#: From how many rows on a statement is shared out; people of the country that is not counted.
SPREAD, FIRST = 2_000, 2_500

SETTINGS = Settings(None, TASKS, "6GB", False, "bench")


@dataclass(frozen=True)
class Took:
    """One delivery: seconds by the wall, seconds of a processor in shares, and whether its tables were DuckDB's."""

    engine: str
    people: int
    rows: int
    seconds: float
    shared: float = 0.0
    statements: int = 0
    same: bool = True


@dataclass(frozen=True)
class Size:
    """Medians of one size. `shared`, `finer`: seconds of a processor in shares, two and eight of them."""

    people: int
    rows: int
    turns: int
    seconds: dict[str, float]
    shared: dict[str, float]
    statements: int
    finer: float

    def parts(self, engine: str) -> tuple[float, float, float]:
        """Seconds outside of shares, those that each share takes anew, and those that are divided among them."""
        anew = max(0.0, (self.finer - self.shared["sail"]) / (FINER - TASKS))
        divided = max(0.0, self.shared[engine] - TASKS * anew)
        return self.seconds[engine] - self.shared[engine] / TASKS, anew, divided


def run() -> bool:
    """Print the times, what they are made of, and the crossings; true when all engines left equal tables."""
    took, sizes = measured(SIZES)
    return told(took, sizes)


def measured(sizes: Sequence[tuple[int, int]]) -> tuple[list[Took], list[Size]]:
    """Deliveries of every size and engine, and their medians; stops where the next size would take too long."""
    begun, every, medians = time.perf_counter(), list[Took](), list[Size]()
    with tempfile.TemporaryDirectory() as name, _servers(Path(name)) as servers:
        with tempfile.TemporaryDirectory(dir=name) as folder:
            _size(Path(folder), people=FIRST, turns=1, servers=servers)
        last, before = 0.0, 0
        for people, turns in sizes:
            if before and time.perf_counter() - begun + last * people / before > SECONDS:
                print(f"{people:,} people are left out: they would not end within {SECONDS} s")
                break
            started = time.perf_counter()
            with tempfile.TemporaryDirectory(dir=name) as folder:
                found = _size(Path(folder), people=people, turns=turns, servers=servers)
            last, before = (time.perf_counter() - started) / turns, people
            every += found
            medians.append(_median(found, turns=turns))
            took = ", ".join(f"{engine} {seconds:.1f} s" for engine, seconds in medians[-1].seconds.items())
            print(f"{people:,} people: {took}", flush=True)  # not lost where a later size ends in an error
    return every, medians


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[dict[str, str | None]]:
    """Addresses by engine; none for DuckDB."""
    with contextlib.ExitStack() as stack:
        found: dict[str, str | None] = {"duckdb": None, "sail": stack.enter_context(sparks.sail())}
        try:
            found["spark"] = stack.enter_context(sparks.spark(folder))
        except (Skipped, Failed) as missing:
            print(f"spark is left out: {missing}")
        yield found


def _size(folder: Path, *, people: int, turns: int, servers: dict[str, str | None]) -> list[Took]:
    specimen.write(folder / "country", people=people)
    files = folder / "country" / "deliveries"
    with open_loading(create(folder / "home", actor="bench"), SETTINGS) as site:
        register = files / "health_register" / "health_register.csv"
        load_reference(site, SourceOrder("demographic", (register,), "health_register", "register_id"))
    found, expected = [], list[object]()
    for _ in range(turns):
        for engine, url in (*servers.items(), ("finer", servers["sail"])):
            left, took = _deliver(folder, files, people=people, engine=engine, url=url)
            expected = expected or left
            found.append(replace(took, same=left == expected))
    return found


def _deliver(folder: Path, files: Path, *, people: int, engine: str, url: str | None) -> tuple[list[object], Took]:
    home = folder / "copy"
    shutil.copytree(folder / "home", home)
    settings, tasks = SETTINGS, FINER if engine == "finer" else TASKS
    if url is not None:
        settings = replace(SETTINGS, spark=url, loading=EngineName.SPARK, tasks=tasks, spread=SPREAD)
    with open_loading(Places(home), settings) as site:
        begun = time.perf_counter()
        outcome = journey.deliver(site.workshop, "census", files=[files / "census" / "census.csv"])
        seconds = time.perf_counter() - begun
        log = site.loads.spreading.log if isinstance(site.loads, Cluster) else []
        with site.store.read() as connection:
            release = releases.current(connection, "census")
        assert release is not None, outcome.reason
        (place,) = site.lake.files("census", release.snapshot)
    table = pq.read_table(place).sort_by("_row")
    shutil.rmtree(home)
    shared = sum(done.seconds for done in log)
    return list(_content(table)), Took(engine, people, table.num_rows, seconds, shared, len(log))


def _content(table: pa.Table) -> Iterator[object]:
    """Columns of a published table; ids that a delivery drew anew are told by the first row that has them."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        if name.endswith("_entity"):
            first: dict[object, int] = {}
            yield name, [None if v is None else first.setdefault(v, n) for n, v in enumerate(values)]
        else:
            yield name, values


def _median(found: Sequence[Took], *, turns: int) -> Size:
    engines = dict.fromkeys(t.engine for t in found)
    seconds = {e: statistics.median(t.seconds for t in found if t.engine == e) for e in engines}
    shared = {e: statistics.median(t.shared for t in found if t.engine == e) for e in engines}
    statements = max(t.statements for t in found)
    return Size(found[0].people, found[0].rows, turns, seconds, shared, statements, shared["finer"])


def told(took: Sequence[Took], sizes: Sequence[Size]) -> bool:
    """Print what was measured, and what is extrapolated from it."""
    engines = [e for e in ("duckdb", "sail", "spark") if e in sizes[0].seconds]
    rows = []
    for size in sizes:
        for engine in engines:
            row: dict[str, object] = {
                "people": size.people, "rows": size.rows, "turns": size.turns, "engine": engine,
                "seconds": size.seconds[engine],
            }  # fmt: skip
            if engine != "duckdb":
                outside, anew, divided = size.parts(engine)
                row |= {
                    "against DuckDB": size.seconds[engine] / size.seconds["duckdb"], "statements": size.statements,
                    "outside of shares": outside, "in every share anew": anew, "divided": divided,
                }  # fmt: skip
            rows.append(row)
    report.table(f"A census through each engine on one machine of {TASKS} cores, medians", rows)
    ours = _line([s.rows for s in sizes], [s.seconds["duckdb"] for s in sizes])
    print(f"\nduckdb: {_written(ours)}")
    for engine in engines[1:]:
        print(_measured(sizes, engine))
        for cores in CLUSTERS:
            print(_crossing(sizes, engine, cores=cores, ours=ours))
    for one in (t for t in took if not t.same):
        print(f"{one.engine}: other tables than DuckDB's for {one.people:,} people")
    return report.marks({f"{e}: equal tables at every size": all(t.same for t in took if t.engine == e)
                         for e in engines[1:]})  # fmt: skip


def _line(rows: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Seconds at no row and for each row, by least squares; one size tells nothing of rows."""
    if len(rows) < 2:
        return seconds[0], 0.0
    slope, start = np.polyfit(np.array(rows, float), np.array(seconds), 1)
    return float(start), float(slope)


def _written(line: tuple[float, float]) -> str:
    return f"{line[0]:.2f} s and {line[1] * 1e6:.1f} s for every million rows"


def _measured(sizes: Sequence[Size], engine: str) -> str:
    faster = [s.rows for s in sizes if s.seconds[engine] < s.seconds["duckdb"]]
    if faster:
        return f"{engine} on the same {TASKS} cores, measured: faster from {min(faster):,} rows on"
    return f"{engine} on the same {TASKS} cores, measured: at no size faster (up to {sizes[-1].rows:,} rows)"


def _crossing(sizes: Sequence[Size], engine: str, *, cores: int, ours: tuple[float, float]) -> str:
    """Where the line of a cluster of so many cores falls below that of this machine."""
    rows = [s.rows for s in sizes]
    outside, anew, divided = (_line(rows, [s.parts(engine)[n] for s in sizes]) for n in range(3))
    theirs = (outside[0] + anew[0] + divided[0] / cores, outside[1] + anew[1] + divided[1] / cores)
    about = f"{engine} on {cores} cores against DuckDB on these {TASKS}, extrapolated: {_written(theirs)};"
    if len(sizes) < 2:
        return f"{about} too few sizes to say more"
    if theirs[1] >= ours[1]:
        return f"{about} never faster, by these lines"
    at = (theirs[0] - ours[0]) / (ours[1] - theirs[1])
    return f"{about} faster from {max(0, round(at)):,} rows on"


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
