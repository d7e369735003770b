"""A disk without a byte of room: what reads goes on reading, and what would write says that the disk is full."""

import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.flight as fl
import pytest
import sqlalchemy as sa

from integrated_data.control.store import Store, StoreError, sqlite
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import is_disk_full
from integrated_data.site.feeding import keeping
from tests.feeding import Fed, contract, flows
from tests.journeys.installation import COMMAND, Ran, environment, ids, made
from tests.journeys.test_feeds import DAILY
from tests.journeys.test_flight_door import called, flight, statement
from tests.journeys.test_gateway import new_place
from tests.served import JOINED, House, furnish, house, open_flight, open_http

TOLD = "The disk of the service is full"

#: Seconds within which a process that watches says what it does.
SECONDS = 60


def full(left: int = 0) -> None:
    """From now on no file of this process grows, or none beyond some bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, resource.RLIM_INFINITY))


def room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ids_on_full_disk(home: Path, *words: str) -> Ran:
    order = ["sh", "-c", 'ulimit -S -f 0; exec "$@"', "sh", *COMMAND, *words]
    done = subprocess.run(order, env=environment(home), capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_store_is_read_on_a_full_disk_and_written_once_there_is_room(tmp_path: Path) -> None:
    place = tmp_path / "a b%.sqlite"
    first = sqlite(place)
    with first.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    first.dispose()
    store = Store(sqlite(place))
    full()
    try:
        with store.read() as one, store.read() as other:  # two connections of one process
            assert [c.exec_driver_sql("SELECT n FROM t").scalar() for c in (one, other)] == [1, 1]
        with pytest.raises(StoreError) as raised:
            store.refresh(sa.update(sa.table("t", sa.column("n"))).values(n=2))
        assert is_disk_full(raised.value)
    finally:
        room()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (3)")
        assert connection.exec_driver_sql("SELECT sum(n) FROM t").scalar() == 4
    store.engine.dispose()


@pytest.mark.long
def test_commands_that_read_work_and_others_say_that_the_disk_is_full(tmp_path: Path) -> None:
    home, file = made(tmp_path), tmp_path / "rents.csv"
    file.write_text("area,count\n" + "E06000001,1\n" * 30)
    assert ids(home, "deliver", "rents", str(file)).code == 0
    for words in ("run list --all", "lake tables", "catalogue show rents", "release list rents", "audit verify"):
        ran = ids_on_full_disk(home, *words.split())
        assert (ran.code, ran.err) == (0, ""), words
    file.write_text("area,count\n" + "E06000001,1\n" * 40)
    for words in (f"deliver rents {file}", "query select --project P"):
        ran = ids_on_full_disk(home, *words.split())
        assert (ran.code, "disk is full" in ran.err, "unforeseen" in ran.err) == (1, True, False), ran.err
    assert ids(home, "deliver", "rents", str(file)).code == 0
    assert ids(home, "audit", "verify").code == 0


@pytest.fixture
def served(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as it:
        yield it


def test_a_question_over_http_is_told_that_the_disk_is_full_and_what_is_read_is_answered(served: House) -> None:
    asked = {"sql": JOINED}
    with open_http(served) as url:
        with served.client(url) as ada:
            assert ada.get("/v1/me").status_code == 200  # the first use of a token is written down
            full()
            try:
                found, told = ada.post("/v1/catalogue/search", json={"words": ""}), ada.post("/v1/queries", json=asked)
            finally:
                room()
        assert (found.status_code, found.json()) == (200, [])
        assert (told.status_code, told.headers["content-type"]) == (507, "application/problem+json")
        assert told.json()["detail"] == TOLD
        with served.client(url) as ada:  # after what nobody foresaw the server closes the connection
            assert ada.post("/v1/queries", json=asked).status_code == 200


def test_a_question_over_flight_is_told_that_the_disk_is_full(served: House) -> None:
    token = served.token("ada")
    with open_flight(served) as door, flight(door) as client:
        full()
        try:
            with pytest.raises(fl.FlightInternalError, match=TOLD):
                client.get_flight_info(statement(JOINED), called(token))
        finally:
            room()
        assert len(client.get_flight_info(statement(JOINED), called(token)).endpoints) == 1


def test_a_file_of_a_feed_waits_for_room(tmp_path: Path) -> None:
    fed = Fed(tmp_path, DAILY, contract())
    fed.drops("od_20240301_a.csv", flows("2024-03-01", *range(200_000)), at="2024-03-02T08:00")
    full(left=2**21)  # room for the service's memory, and not for the file
    try:
        assert fed.look("2024-03-02T09:00") == [("2024-03-01", "failed")]
    finally:
        room()
    (file,) = keeping.details(fed.store, "mobility", by="tester")["files"]
    assert file["why"] == "The disk is full."
    full()  # nor for that
    try:
        with pytest.raises(StoreError) as raised:
            fed.look("2024-03-02T10:00")
        assert is_disk_full(raised.value)
    finally:
        room()
    assert fed.look("2024-03-02T11:00") == [("2024-03-01", "loaded")]
    assert len(fed.table("trips", "trips")) == 200_000


@pytest.mark.long
def test_who_watches_feeds_goes_on_once_there_is_room(tmp_path: Path) -> None:
    fed = Fed(tmp_path, DAILY, contract())
    order = [*COMMAND, "feed", "run", "--watch", "0.2"]
    with subprocess.Popen(
        order, env=environment(fed.places.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        try:
            until(it, "missing")  # the first look
            resource.prlimit(it.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            fed.drops("od_20240301_a.csv", flows("2024-03-01", 1, 2), at="2024-03-02T08:00")
            for _ in range(2):
                until(it, "The disk is full")
            resource.prlimit(it.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            until(it, "loaded")
        finally:
            it.send_signal(signal.SIGTERM)
        assert it.wait(SECONDS) == 0
    assert fed.table("trips", "trips") == [{"trips": 1}, {"trips": 2}]


def until(process: subprocess.Popen[bytes], said: str) -> None:
    """Wait until a process says something on its standard error."""
    assert process.stderr is not None
    heard, end = b"", time.monotonic() + SECONDS
    while said.encode() not in heard:
        assert select.select([process.stderr], [], [], max(0.0, end - time.monotonic()))[0], heard.decode()
        more = os.read(process.stderr.fileno(), 1 << 16)
        assert more, heard.decode()
        heard += more
