"""Results as streams of bytes: Arrow, JSON, CSV and Parquet, a batch at a time."""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from integrated_data.serving import json_text

ROWS, SIZE = 65_536, 2**24  # rows and bytes of one step of the stream, at most
GROUP = 524_288  # rows of a row group


class Format(StrEnum):
    """A format, by its media type."""

    JSON = "application/json"
    ARROW = "application/vnd.apache.arrow.stream"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"


def chosen(accept: str | None) -> Format | None:
    """The format that an Accept header asks for first; JSON where it does not matter; None for none of ours."""
    ranges = []
    for number, part in enumerate((accept or "*/*").lower().split(",")):
        kind, *parameters = (p.strip() for p in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        ranges.append((-float(weight) if weight.replace(".", "", 1).isdigit() else -1.0, number, kind))
    for order, _, kind in sorted(ranges):
        if order < 0:
            found = next((f for f in Format if kind in (f.value, "*/*", f"{f.value.split('/')[0]}/*")), None)
            if found is not None:
                return found
    return None


def stream(table: pa.Table, form: Format, *, query: str) -> Iterator[bytes]:
    """A result in a format. `query`: its id, which JSON names."""
    return _STREAMS[form](table, query)


def columns_of(schema: pa.Schema) -> list[dict[str, str]]:
    """Name and Arrow type of each column."""
    return [{"name": field.name, "type": str(field.type)} for field in schema]


class _Sink:
    """A file that hands on what was written to it since it was last asked."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Batches that are small in rows and in bytes."""
    wide = max(1, table.nbytes // max(1, table.num_rows))
    return iter(table.to_batches(max_chunksize=max(1, min(ROWS, SIZE // wide))))


def _written(batches: Iterator[pa.RecordBatch], writer: Callable[[Any], Any]) -> Iterator[bytes]:
    sink = _Sink()
    with writer(pa.PythonFile(sink, mode="w")) as out:
        for batch in batches:
            out.write_batch(batch)
            yield sink.take()
    yield sink.take()


def _arrow(table: pa.Table, _: str) -> Iterator[bytes]:
    batches = _batches(table)
    return _written(batches, lambda sink: pa.ipc.new_stream(sink, table.schema))


def _csv(table: pa.Table, _: str) -> Iterator[bytes]:
    schema = json_text.flat(pa.RecordBatch.from_pylist([], schema=table.schema)).schema
    batches = (json_text.flat(batch) for batch in _batches(table))
    return _written(batches, lambda sink: pa.csv.CSVWriter(sink, schema))


def _parquet(table: pa.Table, _: str) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), table.schema, compression="zstd") as out:
        for at in range(0, max(1, table.num_rows), GROUP):
            out.write_table(table.slice(at, GROUP))
            yield sink.take()
    yield sink.take()


def _json(table: pa.Table, query: str) -> Iterator[bytes]:
    head = {"query": query, "columns": columns_of(table.schema), "rows": []}
    yield json.dumps(head, ensure_ascii=False).encode().removesuffix(b"]}")
    between = b""
    for batch in _batches(table):
        if batch.num_rows:
            yield between + json_text.joined(json_text.row_text(batch))
            between = b",\n"
    yield b"]}\n"


_STREAMS: dict[Format, Callable[[pa.Table, str], Iterator[bytes]]] = {
    Format.JSON: _json, Format.ARROW: _arrow, Format.CSV: _csv, Format.PARQUET: _parquet,
}  # fmt: skip
