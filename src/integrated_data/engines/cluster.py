"""DuckDB with a cluster behind it: the seam's engine whose heavy statements are done share by share, elsewhere.

Everything is asked of a DuckDB here. Where a statement reads a large relation and may be spread over it (see
`spread.py`), its rows are done in shares (see `shares.py`) by the same DuckDB SQL on the tasks of a cluster, and put
together here. So the answer is the same by construction, and nothing has to be translated.
"""

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.engine import Engine, Held, Landed, Source, Stored
from integrated_data.engines.binder import Binder, Unbound
from integrated_data.engines.duckdb import DuckDB
from integrated_data.engines.shares import Share, Step, Tasks
from integrated_data.engines.spread import Spread, relations, spreads
from integrated_data.model.errors import InstallationRefusal
from integrated_data.vocabulary.sql import name

#: Landed text is taken to have a row for every so many bytes before it is read.
BYTES_OF_A_ROW = 100

#: The row number of a file that brings none of its own, and the relation of a share's whole file.
AT, WHOLE = "_ids_at", "_ids_whole"

_WORD = re.compile(r'"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)')


@dataclass(frozen=True)
class _Known:
    """What a relation here is: a source, the SELECT of a view, or a table (None). `rows`: about how many."""

    made: Source | str | None
    rows: int


@dataclass(frozen=True)
class Done:
    """A statement that was spread: over how many shares and rows, and the seconds of a processor they took in all."""

    base: str
    shares: int
    rows: int
    seconds: float


@dataclass
class Spreading:
    """Where shares are done (`tasks`), where their files lie meanwhile, and from how many rows of a relation on."""

    tasks: Tasks
    folder: Path
    rows: int
    log: list[Done] = field(default_factory=list)


class Cluster:
    """See `engine.Engine`; `spreading.log` tells what was spread."""

    name = "spark"

    def __init__(self, local: DuckDB, spreading: Spreading) -> None:
        self._local, self.spreading = local, spreading
        self._binder = Binder()
        self._known: dict[str, _Known] = {}
        self._sweep()

    def load(self, table: str, source: Source) -> None:
        """See `engine.Reader.load`."""
        self._local.load(table, source)
        match source:
            case Held():
                rows = source.table.num_rows
            case Landed():
                rows = sum(place.stat().st_size for place in source.places if place.exists()) // BYTES_OF_A_ROW
            case Stored():
                rows = self._count(table)
        self._known[table.lower()] = _Known(source, rows)

    def view(self, table: str, sql: str) -> None:
        """See `engine.Reader.view`."""
        self._local.view(table, sql)
        self._known[table.lower()] = _Known(sql, max((k.rows for k in self._named(sql).values()), default=0))

    def create(self, table: str, sql: str) -> None:
        """See `engine.Engine.create`."""
        with self._spread(sql) as parts:
            self._local.create(table, parts or sql)
        self._known[table.lower()] = _Known(None, self._count(table))

    def rows(self, sql: str) -> pa.Table:
        """See `engine.Reader.rows`."""
        with self._spread(sql) as parts:
            return self._local.rows(parts or sql)

    def save(self, sql: str, place: Path, *, sealed: bool = True, reread: bool = False, ordered: bool = False) -> int:
        """See `engine.Engine.save`; shares follow each other as what they read does, and one thread writes each."""
        with self._spread(sql) as parts:
            return self._local.save(parts or sql, place, sealed=sealed, reread=reread, ordered=ordered)

    def columns(self, table: str) -> dict[str, str]:
        """See `engine.Reader.columns`."""
        return self._local.columns(table)

    def prepare(self, sql: str, types: Sequence[str] = ()) -> Callable[[Sequence[object]], pa.Table]:
        """See `engine.Engine.prepare`; runs here."""
        return self._local.prepare(sql, types)

    def drop(self, *tables: str) -> None:
        """See `engine.Reader.drop`."""
        self._local.drop(*tables)
        for table in tables:
            self._known.pop(table.lower(), None)

    def apart(self) -> AbstractContextManager[Engine]:
        """See `engine.Engine.apart`; runs here."""
        return self._local.apart()

    def interrupt(self) -> None:
        """See `engine.Engine.interrupt`; shares at work are given up too."""
        self._local.interrupt()
        self.spreading.tasks.interrupt()

    def close(self) -> None:
        """Let go of the tasks; the DuckDB belongs to whoever opened it."""
        self.spreading.tasks.close()
        self._binder.close()

    def _count(self, table: str) -> int:
        return int(self._local.rows(f"SELECT count(*) AS n FROM {name(table)}")["n"][0].as_py())

    def _named(self, sql: str) -> dict[str, _Known]:
        """Relations whose names occur in a text."""
        words = {(quoted or bare).lower() for quoted, bare in _WORD.findall(sql)}
        return {table: known for table, known in self._known.items() if table in words}

    @contextmanager
    def _spread(self, sql: str) -> Iterator[str | None]:
        """Run a statement in shares where that may be and is worth it: a SELECT of all that they wrote, or None."""
        found = self._chosen(sql)
        if found is None:
            yield None
            return
        folder = self.spreading.folder / f"spread-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        folder.mkdir(mode=0o700, parents=True)
        try:
            splitting = _Splitting(self._local, self._known, self._read, folder)
            parts = splitting.shares(sql, found, of=self.spreading.tasks.at_once)
            done = self.spreading.tasks.run(parts)
            failed = next((d for d in done if d.failure), None)
            if failed is not None or len(done) != len(parts):
                raise InstallationRefusal(
                    "A task of the cluster could not do its share of a load",
                    why=f"It ended with {failed.failure if failed else 'no answer'}",
                    next_step="Check that tasks see the installation's folder and have this package; deliver again",
                )
            seconds = round(sum(d.seconds for d in done), 3)
            self.spreading.log.append(Done(found.spread.base, len(done), sum(d.rows for d in done), seconds))
            self._local.load(folder.name, Stored(tuple(p.place for p in parts)))
            yield f"SELECT * FROM {name(folder.name)}"
        finally:
            self._local.drop(folder.name)
            shutil.rmtree(folder, ignore_errors=True)

    def _chosen(self, sql: str) -> "_Chosen | None":
        """The largest relation over which a statement may be spread; None where it is small, or may not be."""
        if not any(known.rows >= self.spreading.rows for known in self._named(sql).values()):
            return None
        read = self._read(sql)
        best = self._largest(read.spreads) if read is not None else None
        if read is None or best is None:
            return None
        views: list[tuple[str, _Read]] = []
        while not best.by:  # views above files are made anew in every share, where they may be spread too
            made = self._known[best.base].made
            inner = self._read(made) if isinstance(made, str) else None
            below = self._largest(s for s in inner.spreads if not s.by) if inner is not None else None
            if inner is None or below is None:
                break
            views.insert(0, (best.base, inner))
            best = below
        return _Chosen(best, read, tuple(views))

    def _largest(self, ways: Iterable[Spread]) -> Spread | None:
        best = max(ways, key=lambda s: self._known[s.base].rows, default=None)
        return best if best is not None and self._known[best.base].rows >= self.spreading.rows else None

    def _read(self, sql: str) -> "_Read | None":
        """What a SELECT reads; None where it reads what is not known here, or cannot be told."""
        named = self._named(sql)
        for table in named:
            self._binder.declare(table, self._local.columns(table))
        try:
            plan = self._binder.plan(sql)
        except (Unbound, UnicodeEncodeError, RecursionError):
            return None
        finally:
            for table in named:
                self._binder.drop(table)
        return _Read(relations(plan), spreads(plan))

    def _sweep(self) -> None:
        """Remove what processes that are gone left behind."""
        for folder in self.spreading.folder.glob("spread-*"):
            process = folder.name.split("-")[1]
            if process.isdigit() and not Path(f"/proc/{process}").exists():
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Read:
    """The relations that a statement reads, and the ways in which it may be spread."""

    relations: tuple[str, ...]
    spreads: tuple[Spread, ...]


@dataclass(frozen=True)
class _Chosen:
    """How a statement is spread; `views`: those above the base that every share makes, from below."""

    spread: Spread
    read: _Read
    views: tuple[tuple[str, _Read], ...]


@dataclass
class _Splitting:
    """Making the shares of one statement; what they read and is in memory here is sealed into `folder` first."""

    local: DuckDB
    known: Mapping[str, _Known]
    read: Callable[[str], _Read | None]
    folder: Path
    steps: dict[str, Step] = field(default_factory=dict)

    def shares(self, sql: str, chosen: _Chosen, *, of: int) -> list[Share]:
        """The shares of a statement, about `of` of them."""
        above = {chosen.spread.base, *(view for view, _ in chosen.views)}
        for read in (chosen.read, *(read for _, read in chosen.views)):
            for table in read.relations:
                if table not in above:
                    self._whole(table)
        views = [Step(view, str(self.known[view].made)) for view, _ in chosen.views]
        whole = tuple(self.steps.values())
        return [
            Share((*mine, *whole, *views), sql, self.folder / f"part-{number:05}.parquet")
            for number, mine in enumerate(self._cut(chosen.spread.base, by=chosen.spread.by, of=of))
        ]

    def _whole(self, table: str) -> None:
        """A relation that every share reads whole."""
        if table in self.steps:
            return
        made = self.known[table].made
        read = self.read(made) if isinstance(made, str) else None
        if isinstance(made, str) and read is not None:
            for below in read.relations:
                self._whole(below)
            self.steps[table] = Step(table, made)
        else:
            self.steps[table] = Step(table, made if isinstance(made, Stored) else self._sealed(table))

    def _sealed(self, table: str) -> Stored:
        place = self.folder / f"whole-{len(self.steps):05}.parquet"
        self.local.save(f"SELECT * FROM {name(table)}", place)
        return Stored((place,))

    def _cut(self, base: str, *, by: tuple[str, ...], of: int) -> list[tuple[Step, ...]]:
        """The base of every share: runs of its rows, or those that a hash of a column gives it."""
        made = self.known[base].made
        source = made if isinstance(made, Stored) and (by or _alike(made)) else self._sealed(base)
        if by:
            cut = f"SELECT * FROM {WHOLE} WHERE hash({name(by[0])}) % {of} = "
            return [(Step(WHOLE, source), Step(base, f"{cut}{i}")) for i in range(of)]
        at = source.row_column or AT
        shown = "*" if source.row_column else f"* EXCLUDE ({AT})"
        cuts: list[tuple[Step, ...]] = []
        rows = [self._rows(replace(source, places=(place,))) for place in source.places]
        run = max(1, -(-sum(rows) // of))
        for place, count in zip(source.places, rows, strict=True):
            whole = Step(WHOLE, Stored((place,), source.sealed, at))
            for start in range(0, max(count, 1), run):
                where = f"{name(at)} BETWEEN {start} AND {start + run - 1}"
                cuts.append((whole, Step(base, f"SELECT {shown} FROM {WHOLE} WHERE {where}")))
        return cuts

    def _rows(self, source: Stored) -> int:
        self.local.load(WHOLE, source)
        try:
            return int(self.local.rows(f"SELECT count(*) AS n FROM {WHOLE}")["n"][0].as_py())
        finally:
            self.local.drop(WHOLE)


def _alike(source: Stored) -> bool:
    """Whether files have the same columns, so that each by itself has those of the relation."""
    if source.sealed or len(source.places) == 1:
        return True
    first, *others = (pq.read_schema(place) for place in source.places)
    return all(first.equals(other) for other in others)
