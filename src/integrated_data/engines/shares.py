"""Shares of a statement: what each is told, and its work, wherever it is done.

A share reads sealed files and writes one, by an engine that whoever does it opens for itself; so neither rows nor keys
travel with it, and nothing lies anywhere unsealed. It says how many rows it wrote, and on failure the class of the
error alone, since an engine's words may quote a value.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB

#: Opens an engine for the identified zone where a share is done; it can be pickled.
Opener = Callable[[], DuckDB]

#: Engines that one process keeps open for further shares: to open one takes longer than most shares do.
KEPT = 8


@dataclass(frozen=True)
class Step:
    """A relation that a share makes before its statement: a view over files, or one on a SELECT."""

    relation: str
    made: Stored | str


@dataclass(frozen=True)
class Share:
    """One share: relations, the statement, and where its rows go, sealed. `version`: of the engine it was split by."""

    steps: tuple[Step, ...]
    sql: str
    place: Path
    version: str = duckdb.__version__


@dataclass(frozen=True)
class Written:
    """What became of a share, by its number: `seconds` of a processor, `failure` the class of the error, or nothing."""

    number: int
    rows: int
    seconds: float
    failure: str = ""


class Tasks(Protocol):
    """Does shares, many at a time, in any order."""

    @property
    def at_once(self) -> int:
        """How many shares it would like to be given."""
        ...

    def run(self, shares: Sequence[Share]) -> list[Written]:
        """Do every share; the answers in their order."""
        ...

    def interrupt(self) -> None:
        """Give up what is being done, from another thread: whoever asked for it gets an error."""
        ...

    def close(self) -> None:
        """Let go of whoever does them."""
        ...


class Engines:
    """Engines of a process that have done a share and wait for another of the same session, the oldest closed first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[str, DuckDB]] = []

    def take(self, session: str, opener: Opener) -> DuckDB:
        """An engine that this session opened here and does not use now, or another."""
        with self._lock:
            for at, (whose, engine) in enumerate(self._idle):
                if whose == session:
                    del self._idle[at]
                    return engine
        return opener()

    def give_back(self, session: str, engine: DuckDB) -> None:
        """Keep an engine, as empty as it was taken, for the session's next share."""
        with self._lock:
            self._idle.append((session, engine))
            gone = self._idle[:-KEPT]
            del self._idle[:-KEPT]
        for _, old in gone:
            old.close()


_ENGINES = Engines()


def work(share: Share, number: int, *, opener: Opener, session: str) -> Written:
    """Do one share; done twice it leaves the same file. `session`: who opens and locks the installation meanwhile."""
    begun = time.thread_time()
    try:
        if share.version != duckdb.__version__:
            return Written(number, 0, 0.0, f"DuckDB {duckdb.__version__} in place of {share.version}")
        engine = _ENGINES.take(session, opener)
        try:
            rows = _done(share, engine)
        except BaseException:
            engine.close()
            raise
        _ENGINES.give_back(session, engine)
    except Exception as error:
        return Written(number, 0, time.thread_time() - begun, type(error).__name__)
    return Written(number, rows, time.thread_time() - begun)


def _done(share: Share, engine: DuckDB) -> int:
    for step in share.steps:
        if isinstance(step.made, Stored):
            engine.load(step.relation, step.made)
        else:
            engine.view(step.relation, step.made)
    rows = engine.save(share.sql, share.place)
    engine.drop(*(step.relation for step in share.steps))
    return rows


#: The answers of a stage of shares, as Spark is told and as Arrow holds them.
ANSWER = "number bigint, rows bigint, seconds double, failure string"
SCHEMA = pa.schema(
    [("number", pa.int64()), ("rows", pa.int64()), ("seconds", pa.float64()), ("failure", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Numbered:
    """What a distributed engine calls with batches of numbers of shares; can be pickled."""

    shares: tuple[Share, ...]
    opener: Opener
    session: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Do the shares of these numbers, a batch of answers for each batch."""
        for batch in batches:
            numbers = [int(n) for n in batch.column(0).to_pylist()]
            done = [work(self.shares[n], n, opener=self.opener, session=self.session) for n in numbers]
            yield pa.RecordBatch.from_pylist([vars(w) for w in done], SCHEMA)
