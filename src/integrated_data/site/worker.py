"""The worker: a process of its own that runs one checked query over a project's files and ends.

Started as `site/sandbox.py` says. Standard input: one JSON document, the job.
Standard output: the result as an Arrow IPC stream, or the table of the model that the job asks to fit
over it. Standard error: how far it is; last line, one JSON document with how it ended, which holds
counts and a class of failure, never a message of the engine's.

Its connection opens nothing but the files of the job, and its settings are locked before the query
is read. It checks by itself that the query is one SELECT.
"""

import contextlib
import json
import os
import re
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from integrated_data.model.estimate import of_told
from integrated_data.model.query import SCRATCH, Failure
from integrated_data.site.ended import Ended
from integrated_data.vocabulary.sql import name, names, text

BATCH = 131_072  # rows of a record batch
SPARE = 3 * 2**30  # address space beyond the query's memory: libraries, thread stacks, allocator
MARK = "ids-worker "  # begins the last line of standard error
SHARE = "ids-share "  # begins a line that tells how far the engine is, in hundredths
TOLD_EVERY = 0.5  # seconds between such lines

#: A query that names this is given the spatial extension, which takes half a second to load.
#: Not where it names what reads files: the gate refuses those, and here they are not there.
SPATIAL = re.compile(r"\bst_\w+\s*\(", re.IGNORECASE)
READS = re.compile(r"st_(read|drivers)", re.IGNORECASE)

#: How the engine's messages name what spills to scratch.
SPILL = re.compile(r"max_temp_directory_size|duckdb_temp_storage")

#: First match wins: an error of the engine becomes one of these, and nothing else of it is kept.
FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (duckdb.InterruptException, Failure.TIME),
    (duckdb.OutOfMemoryException, Failure.MEMORY),
    (MemoryError, Failure.MEMORY),
    (duckdb.ConversionException, Failure.CONVERSION),
    (duckdb.OutOfRangeException, Failure.RANGE),
    (duckdb.ParserException, Failure.SYNTAX),
    (duckdb.SyntaxException, Failure.SYNTAX),
    (duckdb.BinderException, Failure.NAME),
    (duckdb.CatalogException, Failure.NAME),
    (duckdb.PermissionException, Failure.BARRED),
    (duckdb.IOException, Failure.BARRED),
    (duckdb.InvalidInputException, Failure.TYPE),
    (duckdb.InvalidTypeException, Failure.TYPE),
    (duckdb.TypeMismatchException, Failure.TYPE),
    (duckdb.NotImplementedException, Failure.UNSUPPORTED),
    (pa.ArrowNotImplementedError, Failure.UNSUPPORTED),
)


def confine(limits: dict[str, Any]) -> None:
    """Limit the process itself, behind the engine's own limits."""
    memory = limits["memory"] + SPARE
    for what, most in (
        (resource.RLIMIT_AS, memory + 8 * 2**30),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, 2 * limits["scratch"] + 2**26),
        (resource.RLIMIT_CPU, int(limits["seconds"] * limits["threads"]) + 30),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


def connect(job: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with the job's views, locked to the job's files."""
    limits, places = job["limits"], [p for view in job["views"] for p in view["files"]]
    connection = duckdb.connect(
        config={
            "threads": limits["threads"],
            "memory_limit": f"{limits['memory']}B",
            "temp_directory": job["scratch"],
            "max_temp_directory_size": f"{limits['scratch']}B",
            "temp_file_encryption": False,  # as plain as the project's own files, and gone with the query
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "python_scan_all_frames": False,
            "errors_as_json": False,
        }
    )
    if SPATIAL.search(job["sql"]) and not READS.search(job["sql"]):
        connection.execute(f"LOAD {text(spatial())}")
    connection.execute(f"SET allowed_paths = [{', '.join(text(p) for p in places)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET enable_progress_bar = true")  # so that it can be asked how far it is
    connection.execute("SET enable_progress_bar_print = false")
    if any(view.get("scratch") for view in job["views"]):
        connection.execute(f"CREATE SCHEMA {SCRATCH}")
    for view in job["views"]:
        called = f"{SCRATCH}.{name(view['name'])}" if view.get("scratch") else name(view["name"])
        connection.execute(f"CREATE VIEW {called} AS {view_sql(view, job.get('kept'))}")
    connection.execute("SET lock_configuration = true")
    return connection


def spatial() -> str:
    """The spatial extension's file, from its wheel."""
    import duckdb_extension_spatial

    found = sorted(Path(duckdb_extension_spatial.__path__[0]).rglob("*.duckdb_extension"))
    if not found:
        raise Ended(Failure.UNSUPPORTED)
    return str(found[0])


def view_sql(view: dict[str, Any], kept: dict[str, Any] | None) -> str:
    """SELECT of a view's columns from its files; `kept`: which links it keeps, as `model.query.Kept` says."""
    files = "[" + ", ".join(text(p) for p in view["files"]) + "]"
    if kept is None:
        return f"SELECT {names(view['columns'])} FROM read_parquet({files})"
    linked = {f"{key}_key": f"{key}_link_probability" for key in view["keys"]}
    columns = [
        f"CASE WHEN {_keeps(view['name'], c, probability=linked[c], kept=kept)} THEN {name(c)} END AS {name(c)}"
        if linked.get(c) in view["columns"] else name(c)
        for c in view["columns"]
    ]  # fmt: skip
    return f"SELECT {', '.join(columns)} FROM read_parquet({files}, file_row_number = true)"


def _keeps(view: str, key: str, *, probability: str, kept: dict[str, Any]) -> str:
    """Whether a record's link is kept; the lot is its own for each record, key and draw."""
    sure = f"{name(probability)} >= {float(kept['threshold'])!r}"
    if kept["draw"] is None:
        return sure
    given = text(f"{int(kept['seed'])}/{int(kept['draw'])}/{view}/{key}/")
    lot = f"hash({given} || file_row_number)"  # of one text: a hash of several values mixes the last too little
    return f"{sure} AND ({lot} >> 11)::DOUBLE / {float(2**53)!r} < {name(probability)}"


def run(job: dict[str, Any], sink: Any) -> dict[str, Any]:
    """Run the job's query and write its rows to `sink`: an Arrow stream, or where they are kept a Parquet file.

    Returns how many, and of a file its columns.
    """
    connection = connect(job)
    limits, sql = job["limits"], job["sql"]
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Ended(Failure.SYNTAX)
    clock = threading.Timer(limits["seconds"], connection.interrupt)
    clock.daemon = True
    clock.start()
    threading.Thread(target=_tell, args=(connection,), daemon=True).start()
    try:
        reader = connection.execute(statements[0]).to_arrow_reader(BATCH)
        if job.get("estimate"):
            reader = _estimated(_read(reader, limits=limits), job["estimate"])
        if job.get("keep") is not None:
            from integrated_data.site.keeping_rows import keep

            return keep(reader, sink, most=int(job["keep"]))
        return {"rows": _write(reader, sink, limits=limits)}
    finally:
        clock.cancel()


def _tell(connection: duckdb.DuckDBPyConnection) -> None:
    """Say from time to time how far the query is."""
    while True:
        time.sleep(TOLD_EVERY)
        sys.stderr.write(f"{SHARE}{max(0.0, connection.query_progress()):.1f}\n")
        sys.stderr.flush()


def _read(reader: pa.RecordBatchReader, *, limits: dict[str, Any]) -> pa.Table:
    """Rows for a model, within the limits of a result."""
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > limits["rows"] or size > limits["result"]:
            raise Ended(Failure.ROWS if rows > limits["rows"] else Failure.RESULT)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema)


def _estimated(rows: pa.Table, told: dict[str, Any]) -> pa.RecordBatchReader:
    """The table of a model over rows; `told`: the estimate, and with `unit` and `few` its influence instead."""
    from integrated_data.site import estimating

    estimate = of_told(told["estimate"])
    try:
        if told["unit"]:
            found = estimating.influence(rows, estimate, unit=told["unit"], few=told["few"])
        else:
            found = estimating.fit(rows, estimate)
    except estimating.Unfit as unfit:
        raise Ended(unfit.failure, unfit.named) from None
    return found.to_reader()


def _write(reader: pa.RecordBatchReader, sink: Any, *, limits: dict[str, Any]) -> int:
    rows = size = 0
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows > limits["rows"]:
                raise Ended(Failure.ROWS)
            if size > limits["result"]:
                raise Ended(Failure.RESULT)
            writer.write_batch(batch)
    return rows


def failure_of(error: Exception, sql: str) -> tuple[Failure, str]:
    """The class of an error, and a name that it is about if the query's own text holds that name."""
    if isinstance(error, Ended):
        return error.failure, error.named
    found = next((f for kind, f in FAILURES if isinstance(error, kind)), Failure.OTHER)
    message = str(error)
    if found in (Failure.MEMORY, Failure.BARRED) and SPILL.search(message):
        found = Failure.SCRATCH
    if found is Failure.NAME and "GROUP BY" in message:
        found = Failure.GROUPING
    if found is Failure.NAME and not re.search(r"not found|does not exist|not exist|mbiguous", message):
        found = Failure.TYPE
    return found, _named(message, sql) if found in (Failure.NAME, Failure.GROUPING) else ""


def _named(message: str, sql: str) -> str:
    """The first quoted or named word of an engine's message that the query's text holds as a word."""
    for word in re.findall(r'"([^"]{1,64})"|with name (\w{1,64})', message):
        shown = word[0] or word[1]
        if re.fullmatch(r"[^\W\d][\w.]*", shown) and re.search(rf"\b{re.escape(shown)}\b", sql, re.IGNORECASE):
            return str(shown)
    return ""


def main() -> Literal[0, 1]:
    """Run the job on standard input; returns the exit code."""
    job = json.load(sys.stdin.buffer)
    confine(job["limits"])
    try:
        ending = run(job, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except Exception as error:
        failure, named = failure_of(error, job["sql"])
        ending = {"failure": failure.value, "named": named}
    with contextlib.suppress(OSError):
        sys.stderr.write(f"\n{MARK}{json.dumps(ending)}\n")
        sys.stderr.flush()
    return 1 if "failure" in ending else 0


def leave(code: int) -> None:
    """End at once: the engine's threads need no farewell."""
    os._exit(code)
