"""One delivery of the specimen through every engine: DuckDB alone, Sail, Apache Spark; times, and where they cross.

The census of a country of so many people is standardised, checked, matched to the health register's people and
published, on one machine of two cores: so the servers here can only lose, by the start of their tasks and by sealing
what goes between. What a cluster would make of it is extrapolated, and marked so: the seconds inside shares are divided
by its cores, the rest stays as it was measured. Apache Spark is left out where it is not installed.
"""

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

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

SIZES = (10_000, 100_000, 1_000_000)

#: Tasks at once here; cores of the clusters that are extrapolated to; rows from which on a statement is shared out.
TASKS, CLUSTERS, SPREAD = 2, (16, 64), 2_000

SETTINGS = Settings(None, TASKS, "6GB", False, "bench")


@dataclass(frozen=True)
class Took:
    """Seconds of one delivery: all of it, and those inside shares (summed over them); `same`: the tables were equal."""

    engine: str
    people: int
    rows: int
    seconds: float
    shared: float = 0.0
    statements: int = 0
    same: bool = True

    def on(self, cores: int) -> float:
        """Seconds on a cluster of so many cores, extrapolated: what is shared is divided among them."""
        return self.seconds - self.shared / TASKS + self.shared / cores


def run() -> bool:
    """Print the table and the crossings; true when all engines left equal tables."""
    return told(measured(SIZES))


def measured(sizes: Sequence[int]) -> list[Took]:
    """One delivery for each size and engine."""
    found = []
    for people in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            specimen.write(folder / "country", people=people)
            files = folder / "country" / "deliveries"
            places = create(folder / "home", actor="bench")
            with open_loading(places, SETTINGS) as site:
                register = files / "health_register" / "health_register.csv"
                load_reference(site, SourceOrder("demographic", (register,), "health_register", "register_id"))
            expected, took = _deliver(folder, files, people=people, engine="duckdb")
            found.append(took)
            for engine in ("sail", "spark"):
                try:
                    left, took = _deliver(folder, files, people=people, engine=engine)
                    found.append(replace(took, same=left == expected))
                except (Skipped, Failed) as missing:
                    print(f"{engine} is left out at {people:,} people: {missing}")
    return found


def _deliver(folder: Path, files: Path, *, people: int, engine: str) -> tuple[list[object], Took]:
    home = folder / engine
    shutil.copytree(folder / "home", home)
    with _server(engine, folder) as url:
        settings = SETTINGS
        if url is not None:
            settings = replace(SETTINGS, spark=url, loading=EngineName.SPARK, tasks=TASKS, spread=SPREAD)
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
    shared = sum(done.seconds for done in log)
    shutil.rmtree(home)
    return list(_content(table)), Took(engine, people, table.num_rows, seconds, shared, len(log))


@contextlib.contextmanager
def _server(engine: str, folder: Path) -> Iterator[str | None]:
    """The address of a server of that engine; None for DuckDB."""
    if engine == "duckdb":
        yield None
    else:
        with sparks.sail() if engine == "sail" else sparks.spark(folder) as url:
            yield url


def _content(table: pa.Table) -> Iterator[object]:
    """Columns of a published table; ids that a delivery drew anew are told by the first row that has them."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        if name.endswith("_entity"):
            first: dict[object, int] = {}
            yield name, [None if v is None else first.setdefault(v, n) for n, v in enumerate(values)]
        else:
            yield name, values


def told(found: Sequence[Took]) -> bool:
    """Print what was measured, and what is extrapolated from it."""
    rows = []
    for one in found:
        row: dict[str, object] = {
            "people": one.people, "rows": one.rows, "engine": one.engine, "seconds": one.seconds,
            "of them in shares": one.shared, "statements": one.statements,
        }  # fmt: skip
        if one.engine != "duckdb":
            row |= {f"on {cores} cores (extrapolated)": one.on(cores) for cores in CLUSTERS}
        rows.append(row)
    report.table(f"A census through each engine; {TASKS} threads or {TASKS} tasks on one machine", rows)
    for engine in ("sail", "spark"):
        for cores in CLUSTERS:
            print(_crossing(found, engine, cores=cores))
    return report.marks(
        {f"{t.engine}, {t.people:,} people: equal tables": t.same for t in found if t.engine != "duckdb"}
    )


def _crossing(found: Sequence[Took], engine: str, *, cores: int) -> str:
    """From how many rows on a cluster is faster, by a straight line through the smallest and the largest size."""
    ours = sorted((t for t in found if t.engine == "duckdb"), key=lambda t: t.rows)
    theirs = sorted((t for t in found if t.engine == engine), key=lambda t: t.rows)
    about = f"{engine} on {cores} cores against DuckDB on this machine, extrapolated"
    if len(ours) < 2 or len(theirs) < 2:
        return f"{about}: too few sizes to say"
    gaps = [(t.rows, t.on(cores) - o.seconds) for o, t in ((ours[0], theirs[0]), (ours[-1], theirs[-1]))]
    (low, first), (high, last) = gaps
    if last >= first:
        return f"{about}: never, by these sizes"
    at = low + first * (high - low) / (first - last)
    return f"{about}: faster from {max(0, round(at)):,} rows on"


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
