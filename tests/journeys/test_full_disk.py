"""A disk without a byte of room: what reads goes on reading, and what would write says that the disk is full."""

import resource
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from integrated_data.control.store import Store, StoreError, sqlite
from integrated_data.model.errors import is_disk_full
from tests.journeys.installation import COMMAND, Ran, environment, ids, made


def full() -> None:
    """From now on no file of this process grows, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ids_on_full_disk(home: Path, *words: str) -> Ran:
    order = [*COMMAND, *words]
    done = subprocess.run(
        order, env=environment(home), capture_output=True, text=True, preexec_fn=full, check=False
    )  # fmt: skip
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
