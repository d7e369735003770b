"""Small real things for tests: an engine, a control store."""

import base64
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from integrated_data.control import tables
from integrated_data.control.store import Store, sqlite
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from tests.emptied import Emptied

# Without a whole Spark, the Spark client ends a process whose main module has no file, as those of xdist have none.
os.environ.setdefault("SPARK_HOME", "")

# A law holds however busy the machine is: no example is held to the clock.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

#: Folders whose tests take long, the longest first.
LONG = ("journeys", "properties", "golden")


@pytest.fixture
def sealer() -> FileSealer:
    return FileSealer(b"s" * 32)


def identified_engine(folder: Path) -> DuckDB:
    """An engine as the loading side has it, which spills to `folder`."""
    key = base64.b64encode(b"p" * 32).decode()
    limits = Limits(threads=2, memory="2GB", scratch=folder / "scratch")
    return DuckDB(limits, sealer=FileSealer(b"s" * 32), parquet_key=key)


@pytest.fixture(scope="session")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emptied]:
    """What makes the engines of tests: each takes as long as most tests, so one is handed on where it can be."""
    engines = Emptied(lambda: identified_engine(tmp_path_factory.mktemp("engine")))
    yield engines
    engines.close()


@pytest.fixture
def engine(emptied: Emptied) -> Iterator[DuckDB]:
    with emptied.engine() as made:
        yield made


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a control store that holds nothing."""
    place = tmp_path_factory.mktemp("store") / "control.sqlite"
    control = sqlite(place)
    tables.METADATA.create_all(control)
    control.dispose()
    return place


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Store:
    return Store(sqlite(shutil.copy(empty_store, tmp_path)))


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: archives carry the time, so content and even length differ each run."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, or one worker is left with one of them when the others have ended.

    First those marked `early`, then by folder, then those of many tests; within a file nothing changes places.
    """
    early = {item.path for item in items if item.get_closest_marker("early")}
    tests = Counter(item.path for item in items)

    def place(item: pytest.Item) -> tuple[bool, int, int, str]:
        folder = item.path.parent.name
        rank = LONG.index(folder) if folder in LONG else len(LONG)
        return item.path not in early, rank, -tests[item.path], str(item.path)

    items.sort(key=place)
