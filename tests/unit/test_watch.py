"""A running query under watch: what is no longer allowed stops, and so does what cannot be decided."""

import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from integrated_data.access.running import Progress
from integrated_data.access.watch import watched
from integrated_data.model.errors import QueryRefusal, Refusal


class Rows:
    """Rows that nobody reads."""

    schema = pa.schema([])

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter([])

    def progress(self) -> Progress:
        return Progress(0.0, 0)

    def cancel(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        pass


def broken() -> Refusal | None:
    raise OSError("the disk holds a marked name")


def test_what_is_allowed_goes_on() -> None:
    rows = Rows()
    with watched(rows, lambda: None, waited=5.0) as watch:
        assert watch.withdrawn is None
    assert not rows.stopped.is_set()


@pytest.mark.parametrize("waited", [0.0, 5.0])
def test_what_is_withdrawn_stops(waited: float) -> None:
    rows = Rows()
    with watched(rows, lambda: QueryRefusal("no more"), waited=waited) as watch:
        assert rows.stopped.wait(5)
    assert str(watch.withdrawn) == "no more."


def test_what_waited_long_is_decided_before_it_is_read() -> None:
    rows, begun = Rows(), time.monotonic()
    with watched(rows, lambda: QueryRefusal("no more"), waited=2.0):
        assert rows.stopped.is_set()
    assert time.monotonic() - begun < 0.9


def test_what_cannot_be_decided_stops() -> None:
    rows = Rows()
    with watched(rows, broken, waited=5.0) as watch:
        assert rows.stopped.is_set()
    assert "could not be decided" in str(watch.withdrawn)
    assert "marked" not in str(watch.withdrawn)
