"""In the worker: rows of a query as a Parquet file, within what is left for the project."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.model.query import Failure
from integrated_data.site.ended import Ended

#: Columns of a table, and characters of a column's name.
MOST_COLUMNS, LONGEST = 1_000, 128


class _Sink:
    """A file that takes so many bytes and no more."""

    closed = False

    def __init__(self, sink: Any, most: int) -> None:
        self._sink, self._most, self._size = sink, most, 0

    def write(self, data: Any) -> int:
        self._size += len(data)
        if self._size > self._most:
            raise Ended(Failure.QUOTA)
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        self.flush()


def keep(reader: pa.RecordBatchReader, sink: Any, *, most: int) -> dict[str, Any]:
    """Write rows to `sink`, at most so many bytes; returns their number and the names of their columns."""
    names = reader.schema.names
    _check(names)
    rows, target = 0, pa.PythonFile(_Sink(sink, most), mode="w")
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            rows += batch.num_rows
            writer.write_batch(batch)
    target.flush()
    return {"rows": rows, "columns": names}


def _check(names: list[str]) -> None:
    """Refuse columns that could not be told apart, or whose names are no text to show."""
    fit = all(0 < len(n) <= LONGEST and n.isprintable() for n in names)
    if not fit or not 0 < len(names) <= MOST_COLUMNS or len({n.lower() for n in names}) < len(names):
        raise Ended(Failure.HEADINGS)
