"""The digest of an answer, which its receipt holds instead of its rows."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

#: Rows of a result that are put under one digest.
PART = 131_072


def digest(table: pa.Table) -> str:
    """SHA-256 of what was answered, without keeping it: over the digests of its parts of 131,072 rows.

    Each part is an Arrow IPC stream in one batch, so that however the rows came in batches, the digest
    is the same, and it takes little memory.
    """
    parts = range(0, max(1, table.num_rows), PART)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda at: _part(table.slice(at, PART)), parts)
        return hashlib.sha256(b"".join(found)).hexdigest()


def _part(rows: pa.Table) -> bytes:
    sink = _Digest()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), rows.schema) as writer:
        for batch in rows.combine_chunks().to_batches():
            writer.write_batch(batch)
    return sink.hash.digest()


class _Digest:
    """A file that keeps nothing but the digest of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
