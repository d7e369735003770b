"""DuckDB behind the engine seam."""

import copy
import importlib.util
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from integrated_data.engine import Held, Landed, Source, Stored
from integrated_data.engines.sealed import FileSealer, SealedFileSystem, SealedTextFileSystem
from integrated_data.model.contract import Format, Layout
from integrated_data.model.errors import DeliveryRefusal, InstallationRefusal
from integrated_data.vocabulary.sql import name, text

#: Names of the key of sealed Parquet, and of the one that takes its place.
PARQUET_KEY, COMING_KEY = "identified", "identified_coming"

#: How sealed Parquet is encoded: read by this engine alone, so that cheap to write counts for more
#: than what other engines know. Saves a quarter of the time of a write and a tenth of its bytes.
WORKING = "COMPRESSION lz4, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1000"

#: How sealed Parquet is encoded that is read again and again: what repeats is written once. Takes a third
#: less time to read.
REREAD = "COMPRESSION lz4, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 20000"

#: How Parquet for other engines is encoded: the older version, which all of them read, and dictionaries
#: only of codes; a larger one is mostly built to be thrown away, at a tenth of the time of a write.
SHARED = "COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v1, DICTIONARY_SIZE_LIMIT 10000"

#: Bytes of the longest row of text that is read; buffers hold two, or reading sealed files costs more.
LONGEST_ROW = 10_000_000

#: Bytes of disk that spilling leaves free.
RESERVE = 64 << 20

#: Least bytes a write may take beyond what is held when it begins, and the share of all memory where that is more: rows
#: written in order wait for those before them, and would otherwise wait in all the memory there is.
WRITING, WRITING_SHARE = 1 << 30, 16

#: The share of all memory in which an engine keeps blocks for its next statements. Given back and asked for again,
#: each block is cleared by the operating system: a twelfth of the time of a load.
KEPT_SHARE = 64

#: What a plan is called by which many threads write rows in the order in which they are read.
IN_ORDER = "BATCH_COPY_TO_FILE"

#: Separates nothing: a control character no text file holds, so a whole line is one column.
NO_DELIMITER = "\x1f"

#: What a line of fixed-width text may hold that holds no record.
BLANKS = " \t"


@dataclass(frozen=True)
class Limits:
    """What one engine may use. `memory` as DuckDB writes it, e.g. `4GB`."""

    threads: int = 2
    memory: str = "8GB"
    scratch: Path | None = None


class DuckDB:
    """One in-memory DuckDB; spills encrypted to `limits.scratch`, reads sealed files by a sealer."""

    name = "duckdb"

    def __init__(self, limits: Limits, *, sealer: FileSealer | None = None, parquet_key: str | None = None) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": limits.threads, "memory_limit": limits.memory, "temp_file_encryption": True,
            "autoinstall_known_extensions": False, "autoload_known_extensions": False,
        }  # fmt: skip
        self._threads, self._spill = limits.threads, _spill(limits.scratch)
        if self._spill is not None:
            settings["temp_directory"] = str(self._spill)
            settings["max_temp_directory_size"] = f"{max(0, shutil.disk_usage(self._spill.parent).free - RESERVE)}B"
        self.connection = duckdb.connect(config=settings)
        self.connection.execute("SET enable_progress_bar = false")
        self._memory = _bytes(str(self.connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]))
        self.connection.execute(f"SET block_allocator_memory = '{self._memory // KEPT_SHARE} bytes'")
        self._sealer, self._spatial = sealer, False
        if sealer is not None:
            self.connection.register_filesystem(SealedFileSystem(sealer))
            self.connection.register_filesystem(SealedTextFileSystem(sealer))
        self._load_extension("httpfs")  # carries the cipher that Parquet encryption needs
        if parquet_key is not None:
            self.connection.execute(f"PRAGMA add_parquet_key({text(PARQUET_KEY)}, {text(parquet_key)})")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let what is written take a little memory more than is held, however much there is, and spill the rest."""
        asked = "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory()"
        (held,) = self.connection.execute(asked).fetchall()[0]
        limit = int(held) + max(WRITING, self._memory // WRITING_SHARE)
        if limit >= self._memory or self._spill is None:
            yield
            return
        self.connection.execute(f"SET memory_limit = '{limit} bytes'")
        try:
            yield
        finally:
            self.connection.execute(f"SET memory_limit = '{self._memory} bytes'")

    @contextmanager
    def _in_order(self, copy: str) -> Iterator[None]:
        """Let rows be written in the order in which they are read.

        Many threads do that where the plan has no join, and the engine makes one of IN with a list as well (its issue
        24398): values are compared one by one here instead. Where a join is left, one thread does it all.
        """
        self.connection.execute("SET disabled_optimizers = 'in_clause'")
        try:
            ((_, plan),) = self.connection.execute(f"EXPLAIN (FORMAT json) {copy}").fetchall()
            if json.loads(plan)[0]["name"].strip() != IN_ORDER:
                self.connection.execute("SET threads = 1")
            yield
        finally:
            self.connection.execute(f"SET threads = {self._threads}")
            self.connection.execute("RESET disabled_optimizers")

    def _load_extension(self, extension: str) -> None:
        spec = importlib.util.find_spec(f"duckdb_extension_{extension}")
        found = (
            sorted(Path(spec.submodule_search_locations[0]).rglob("*.duckdb_extension"))
            if spec and spec.submodule_search_locations
            else []
        )
        if not found:
            raise InstallationRefusal(
                f"DuckDB's {extension} extension is not installed",
                next_step=f"pip install duckdb-extension-{extension}=={duckdb.__version__}",
            )
        self.connection.execute(f"LOAD {text(str(found[0]))}")

    def _ready(self, sql: str) -> str:
        """Load the spatial extension when a statement first names one of its functions: most work needs none."""
        if not self._spatial and "ST_" in sql:
            self._load_extension("spatial")
            self._spatial = True
        return sql

    def load(self, table: str, source: Source) -> None:
        """See `engine.Engine.load`."""
        match source:
            case Stored():
                self.view(table, _stored_sql(source))
            case Landed():
                self._load_landed(table, source)
            case Held():
                self.connection.register(table, source.table)

    def _load_landed(self, table: str, source: Landed) -> None:
        if source.rejects is not None:
            self.drop(source.rejects, source.rejects + "_scans")
        self.view(table, _landed_sql(source))

    def create(self, table: str, sql: str) -> None:
        """See `engine.Engine.create`."""
        with _reading():
            self.connection.execute(f"CREATE OR REPLACE TABLE {name(table)} AS {self._ready(sql)}").fetchall()

    def view(self, table: str, sql: str) -> None:
        """See `engine.Engine.view`."""
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name(table)} AS {self._ready(sql)}").fetchall()

    def rows(self, sql: str) -> pa.Table:
        """See `engine.Engine.rows`."""
        with _reading():
            return self.connection.execute(self._ready(sql)).to_arrow_table()

    def prepare(self, sql: str, types: Sequence[str] = ()) -> Callable[[Sequence[object]], pa.Table]:
        """See `engine.Engine.prepare`."""
        planned = f"planned_{uuid.uuid4().hex}"
        self.connection.execute(f"PREPARE {planned} AS {sql}").fetchall()

        def run(values: Sequence[object]) -> pa.Table:
            # a value of another type than the parameter's is planned anew each time
            told = [f"{_literal(v)}::{kind}" for v, kind in zip(values, types, strict=True)] if types else None
            given = ", ".join(told if told is not None else map(_literal, values))
            with _reading():
                return self.connection.execute(f"EXECUTE {planned}({given})").to_arrow_table()

        return run

    def columns(self, table: str) -> dict[str, str]:
        """See `engine.Engine.columns`."""
        return dict(
            self.connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {name(table)})").fetchall()
        )

    def save(self, sql: str, place: Path, *, sealed: bool = True, reread: bool = False, ordered: bool = False) -> int:
        """See `engine.Engine.save`."""
        part = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}.part")
        key = f"ENCRYPTION_CONFIG {{footer_key: {text(PARQUET_KEY)}}}"
        encoding = f"{key}, {REREAD if reread else WORKING}" if sealed else SHARED
        copy = f"COPY ({self._ready(sql)}) TO {text(str(part))} (FORMAT parquet, {encoding})"
        part.touch(0o600, exist_ok=True)
        try:
            with _reading(), self._writing(), self._in_order(copy) if ordered else nullcontext():
                done = self.connection.execute(copy).fetchall()
            part.chmod(0o600)
            _flush(part)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        return int(done[0][0])

    def reseal(self, place: Path, *, key: str) -> bool:
        """Encrypt a sealed Parquet file anew, with its rows in their order; False where it is under that key already.

        `key`: as the engine takes its own.
        """
        self.connection.execute(f"PRAGMA add_parquet_key({text(COMING_KEY)}, {text(key)})")
        if self.opens(place, key=COMING_KEY):
            return False
        part = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}.part")
        part.touch(0o600)
        held = f"read_parquet({text(str(place))}, encryption_config = {{footer_key: {text(PARQUET_KEY)}}})"
        try:
            self.connection.execute(
                f"COPY (SELECT * FROM {held}) TO {text(str(part))} (FORMAT parquet, "
                f"ENCRYPTION_CONFIG {{footer_key: {text(COMING_KEY)}}}, {REREAD})"
            ).fetchall()
            part.chmod(0o600)
            _flush(part)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        return True

    def opens(self, place: Path, *, key: str = PARQUET_KEY) -> bool:
        """Whether a Parquet file is sealed under a key, by its name."""
        config = f"encryption_config = {{footer_key: {text(key)}}}"
        try:
            self.connection.execute(f"SELECT 1 FROM read_parquet({text(str(place))}, {config}) LIMIT 1").fetchall()
        except duckdb.Error:
            return False
        return True

    def drop(self, *tables: str) -> None:
        """See `engine.Engine.drop`."""
        for table in tables:
            for kind in ("VIEW", "TABLE"):  # the engine's own list of both takes longer to ask than the rest together
                with suppress(duckdb.CatalogException):  # it is of the other kind
                    self.connection.execute(f"DROP {kind} IF EXISTS {name(table)}").fetchall()

    def interrupt(self) -> None:
        """See `engine.Engine.interrupt`."""
        self.connection.interrupt()

    @contextmanager
    def apart(self) -> "Iterator[DuckDB]":
        """See `engine.Engine.apart`."""
        other = copy.copy(self)
        other.connection = self.connection.cursor()
        try:
            other.connection.execute("SET enable_progress_bar = false")
            yield other
        finally:
            other.connection.close()

    def close(self) -> None:
        """Let go of memory and files."""
        self.connection.close()
        if self._spill is not None:
            shutil.rmtree(self._spill, ignore_errors=True)


def _spill(scratch: Path | None) -> Path | None:
    """A folder for what one engine spills: two in one folder would write over each other. Those of processes that are
    gone are removed."""
    if scratch is None:
        return None
    for left in scratch.glob("spill-*"):
        process = left.name.split("-")[1]
        if process.isdigit() and Path("/proc/self").exists() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return scratch / f"spill-{os.getpid()}-{uuid.uuid4().hex[:8]}"  # made when something is spilled


@contextmanager
def _reading() -> Iterator[None]:
    """Delivered text that the engine gives up on is refused without the line that the engine quotes."""
    try:
        yield
    except duckdb.InvalidInputException as error:
        if not any(word in str(error) for word in ("CSV", "JSON")):
            raise
        raise DeliveryRefusal(
            "A delivered file cannot be read as its layout says",
            why="Its line ends or quotation marks break off inside a row",
            next_step="Write the file again with one kind of line end and closed quotation marks",
        ) from None


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(_literal, value))}]"
        case _:
            return text(str(value))


def _bytes(written: str) -> int:
    """Bytes of an amount of memory as the engine writes it, e.g. `7.4 GiB`."""
    number, unit = written.split()
    return int(float(number) * 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit))


def _flush(place: Path) -> None:
    descriptor = os.open(place, os.O_RDWR)  # Windows flushes only what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _paths(places: tuple[Path, ...], prefix: str = "") -> str:
    return "[" + ", ".join(text(prefix + p.as_posix()) for p in places) + "]"


def _stored_sql(source: Stored) -> str:
    options = [_paths(source.places)]
    if len(source.places) > 1 and not source.sealed:  # of encrypted files, the reader breaks down over it
        options.append("union_by_name = true")  # else the first file's columns alone count
    if source.sealed:
        options.append(f"encryption_config = {{footer_key: {text(PARQUET_KEY)}}}")
    if source.row_column is None:
        return f"SELECT * FROM read_parquet({', '.join(options)})"
    options.append("file_row_number = true")
    return f"SELECT * RENAME (file_row_number AS {name(source.row_column)}) FROM read_parquet({', '.join(options)})"


def _landed_sql(source: Landed) -> str:
    paths = _paths(source.places, "sealed://")
    match source.layout.format:
        case Format.PARQUET:
            return f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet({paths})"
        case Format.JSONL:
            columns = ", ".join(f"{text(c)}: 'VARCHAR'" for c in source.columns)
            shape = f", columns = {{{columns}}}" if columns else ", auto_detect = true"
            return f"SELECT * FROM read_json({paths}, format = 'newline_delimited', ignore_errors = true{shape})"
        case Format.FIXED:
            return _fixed_sql(source, paths)
        case _:
            return _csv_sql(source, source.layout, paths=_paths(source.places, "sealedtext://"))


def _csv_sql(source: Landed, layout: Layout, *, paths: str) -> str:
    options = [
        paths, "auto_detect = false", "strict_mode = true", "null_padding = false",
        f"delim = {text(layout.delimiter)}", f"quote = {text(layout.quote)}",
        f"escape = {text(layout.quote)}", f"header = {str(layout.header).lower()}",
        f"max_line_size = {LONGEST_ROW}", f"buffer_size = {2 * LONGEST_ROW}",
    ]  # fmt: skip
    if source.columns:
        columns = ", ".join(f"{text(c)}: 'VARCHAR'" for c in (*source.columns, *source.empty))
        options.append(f"columns = {{{columns}}}")
    if source.rejects is not None:
        options += [
            "store_rejects = true", f"rejects_table = {text(source.rejects)}",
            f"rejects_scan = {text(source.rejects + '_scans')}", "rejects_limit = 0",
        ]  # fmt: skip
    kept = ", ".join(map(name, source.columns)) if source.empty else "*"
    return f"SELECT {kept} FROM read_csv({', '.join(options)})"


def _fixed_sql(source: Landed, paths: str) -> str:
    start, pieces, last = 1, [], len(source.columns) - 1
    for i, (column, width) in enumerate(zip(source.columns, source.layout.widths, strict=True)):
        length = "" if i == last else f", {width}"
        piece = f"nullif(trim(substring(line, {start}{length})), '')"
        pieces.append(f"{piece} AS {name(column)}")
        start += width
    skip = 1 if source.layout.header else 0
    reader = (
        f"read_csv({paths}, auto_detect = false, header = false, delim = {text(NO_DELIMITER)}, quote = '', "
        f"escape = '', skip = {skip}, columns = {{'line': 'VARCHAR'}})"
    )
    return f"SELECT {', '.join(pieces)} FROM {reader} WHERE trim(line, {text(BLANKS)}) <> ''"
