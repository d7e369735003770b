"""A folder of many small tables, some broken: the good ones are published, the others named, and a kill is made up."""

import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from integrated_data.control import releases
from integrated_data.control.store import Store, sqlite
from integrated_data.lake import Lake
from integrated_data.specimen import write_small_tables
from tests.journeys.installation import COMMAND, environment, ids, made

pytestmark = pytest.mark.long

TABLES = 15


def published(home: Path) -> dict[str, int]:
    """Rows that the files of every published table hold."""
    lake = Lake(home / "lake")
    with Store(sqlite(home / "control.sqlite")).read() as connection:
        every = releases.all_current(connection)
    return {r.dataset: sum(pq.read_metadata(f).num_rows for f in lake.files(r.dataset, r.snapshot)) for r in every}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tables")
    write_small_tables(place, count=TABLES, share=0.2)
    return place


def test_a_killed_batch_goes_on_and_publishes_every_good_table_once(home: Path, folder: Path) -> None:
    truth = pq.read_table(folder / "truth" / "small_tables.parquet").to_pylist()
    good = {t["dataset"]: t["rows"] for t in truth if t["broken"] is None}
    broken = {t["dataset"] for t in truth if t["broken"] is not None}
    order = ["batch", str(folder / "deliveries"), "--workers", "2", "--json"]
    with subprocess.Popen(
        [*COMMAND, *order], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 120
        while not published(home) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    half = published(home)
    assert half.items() <= good.items(), "what is there is whole"
    time.sleep(1.0)  # the loading processes see that they are alone, and end
    ran = ids(home, *order)
    told = ran.json
    assert ran.code == 1, "some were not published"
    assert published(home) == good
    assert {bad["dataset"] for bad in told["not_published"]} == broken
    assert all(bad["reason"].endswith(".") or "quarantine" in bad["reason"] for bad in told["not_published"])
    assert ids(home, "audit", "verify").code == 0


def test_again_nothing_is_loaded_that_did_not_change(home: Path, folder: Path) -> None:
    again = ids(home, "batch", folder / "deliveries", "--json").json
    assert again["repeated"] == again["deliveries"] == TABLES
    assert again["seconds"] < 30


def test_what_was_withdrawn_is_loaded_when_it_is_written_again(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "taken_back.csv"
    for rows in (30, 40):
        file.write_text("area,count\n" + "E06000001,1\n" * rows)
        assert ids(home, "batch", tmp_path, "--json").code == 0
    ids(home, "release", "back", "taken_back", "--reason", "wrong year")
    assert published(home)["taken_back"] == 30
    (told,) = ids(home, "batch", tmp_path, "--json").json["not_published"]
    assert (told["state"], published(home)["taken_back"]) == ("withdrawn", 30), "no batch brings it by itself"
    file.touch()
    assert ids(home, "batch", tmp_path, "--json").code == 0
    assert published(home)["taken_back"] == 40


def test_two_files_of_one_name_are_both_named(home: Path, tmp_path: Path) -> None:
    for name in ("rents.csv", "rents.txt"):
        (tmp_path / name).write_text("area,count\n" + "E06000001,1\n" * 30)
    (told,) = ids(home, "batch", tmp_path, "--json").json["not_published"]
    assert (told["dataset"], told["state"]) == ("rents", "refused")


def test_a_disk_without_room_is_a_clear_stop(home: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(1 << 42)  # as large as no disk here is, and no byte of it written
    ran = ids(home, "batch", tmp_path)
    assert ran.code == 1
    assert "The disk is nearly full; 1 of 1 deliveries are left" in ran.err
