"""An installation that keeps its lake in an object store: what is done to a table here is done there."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyiceberg.table import StaticTable
from pyspark.sql.connect.session import SparkSession

from integrated_data.control import releases
from integrated_data.control.store import Store, sqlite
from integrated_data.model.errors import InstallationRefusal, StoreRefusal, UsageRefusal
from integrated_data.model.rights import Right
from integrated_data.site import backing, moving_lake, restoring, rolling, twinning
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.moving_lake import Wish
from integrated_data.site.object_lake import keeping
from integrated_data.site.places import Places
from integrated_data.site.registering_tables import tables
from integrated_data.site.retention import running
from integrated_data.site.settings import Settings
from tests.journeys.installation import COMMAND, environment, ids, made
from tests.journeys.test_retention import ended
from tests.journeys.test_rolled_back import Table, row
from tests.object_stores import REGION, Stores, keep_keys, stores
from tests.rights_house import House, erased, house
from tests.service import SETTINGS, Service
from tests.stores import free_port
from tests.stores import running as running_server

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def store() -> Iterator[Stores]:
    with stores() as found:
        yield found


def read(store: Stores, site: LoadingSite, column: str = "income") -> list[int]:
    """What another engine reads of the one table, by what `ids lake tables` tells."""
    (told,) = tables(site)
    return sorted(store.read(told["metadata"], told["snapshot"])[column].to_pylist())


def incomes(store: Stores, prefix: str) -> set[int]:
    """Every income in every version of every data file there."""
    found: set[int] = set()
    for key, bodies in store.all(prefix).items():
        for body in bodies if key.endswith(".parquet") else ():
            found |= set(pq.read_table(io.BytesIO(body), columns=["income"])["income"].to_pylist())
    return found


def test_a_lake_moves_there_goes_on_and_comes_back(store: Stores, tmp_path: Path) -> None:
    service = Service(tmp_path)
    command = ("lake", "store", "s3://lake/moved", "--endpoint", store.endpoint, "--region", REGION)
    with service.open() as site:
        pay = Table(service, site, name="pay")
        pay.deliver(row("a", 1))
        ran = ids(service.places.home, *command)
        assert ran.code != 0, "while the lake is in use"
    ran = ids(service.places.home, *command)
    assert "Write it to keyring/lake.yaml, mode 0600" in ran.err
    keep_keys(service.places)
    ran = ids(service.places.home, *command, "--json")
    assert (ran.code, ran.json) == (0, {"address": "s3://lake/moved", "tables": 1}), ran.err
    with service.open() as site:
        pay = Table(service, site, name="pay")
        assert read(store, site) == [1]
        second, third = pay.deliver(row("b", 2)), pay.deliver(row("c", 3))
        assert read(store, site) == pay.read() == [1, 2, 3]
        pay.roll(second)
        assert read(store, site) == pay.read() == [1, 2]
        pay.roll(third, back=False)
        with site.store.read() as connection:
            release = releases.get(connection, "pay")
        twinning.make(site, "pay", by="tester")
        for file in site.lake.folder.glob("files/pay/*.parquet"):
            file.unlink()
        assert all(file.exists() for file in twinning.files_of(site, release)), "as the twin has noted them"
        for file in site.lake.folder.glob("files/pay/*.parquet"):
            file.unlink()
        assert pay.every() == [[1], [1, 2], [1, 2, 3]], "as at any release, fetched"
        assert read(store, site) == [1, 2, 3]
    assert len(store.files("moved")) == 3
    with pytest.raises(UsageRefusal, match="no place"):
        moving_lake.keep(site, Wish("s3://lake"), by="tester")
    with open_loading(service.places, Settings(None, 2, "2GB", False, "tester"), alone=True) as site:
        with pytest.raises(InstallationRefusal, match="kept in another object store"):
            moving_lake.keep(site, store.wish("elsewhere"), by="tester")
        assert moving_lake.keep(site, store.wish("moved"), by="tester")["tables"] == 1, "again, it changes nothing"
        with pytest.raises(InstallationRefusal, match="this installation's own"):
            moving_lake.leave(site, theirs=True, by="tester")
        assert moving_lake.leave(site, theirs=False, by="tester")["destroyed"] > 6
    assert store.all("moved") == {}
    with service.open() as site:
        pay = Table(service, site, name="pay")
        assert pay.every() == [[1], [1, 2], [1, 2, 3]]
        assert tables(site)[0]["folder"] == (service.places.lake / "pay" / "records").as_uri()
        assert not (service.places.lake / ".objects").exists()


def test_a_store_that_does_not_answer_holds_up_no_rollback_and_no_command(store: Stores, tmp_path: Path) -> None:
    service = Service(tmp_path)
    keep_keys(service.places)
    with open_loading(service.places, SETTINGS, alone=True) as site:
        moving_lake.keep(site, store.wish("later"), by="tester")
    with service.open() as site:
        pay = Table(service, site, name="pay")
        first, second = pay.deliver(row("a", 1)), pay.deliver(row("b", 2))
        with site.store.read() as connection:
            target, now = releases.of_dataset(connection, "pay")
        store.ask_keys(asked=True)
        try:
            rolling._stand(site, target, read=now, reason="Wrong year", by="desk")
            assert pay.states() == {second: "withdrawn", first: "read"}
            with service.open():
                pass
        finally:
            store.ask_keys(asked=False)
        behind = StaticTable.from_metadata(tables(site)[0]["metadata"], properties=store.known).current_snapshot()
        assert behind is not None
        assert behind.snapshot_id == now.snapshot
    with service.open() as site:
        (told,) = tables(site)
        there = StaticTable.from_metadata(told["metadata"], properties=store.known).current_snapshot()
        assert there is not None
        assert there.snapshot_id == told["snapshot"] == target.snapshot


def test_a_prefix_has_one_installation(store: Stores, tmp_path: Path) -> None:
    ours, theirs = Service(tmp_path / "ours"), Service(tmp_path / "theirs")
    for service in (ours, theirs):
        keep_keys(service.places)
        with service.open() as site:
            Table(service, site, name="pay").deliver(row("a", 1))
    with ours.open() as site:
        moving_lake.keep(site, store.wish("one"), by="tester")
    with theirs.open() as site:
        for prefix, said in (("one", "Another installation keeps"), ("one/below", "lies within")):
            with pytest.raises(InstallationRefusal, match=said):
                moving_lake.keep(site, store.wish(prefix), by="tester")
        store.client.put_object(Bucket="lake", Key="used/by/somebody", Body=b"?")
        with pytest.raises(InstallationRefusal, match="There is something"):
            moving_lake.keep(site, store.wish("used"), by="tester")
        moving_lake.keep(site, store.wish("one", take_over=True), by="tester")
    with ours.open() as site:
        with pytest.raises(InstallationRefusal, match="not this installation's"):
            Table(ours, site, name="pay").deliver(row("b", 2))
        with pytest.raises(InstallationRefusal, match="not this installation's"):
            moving_lake.leave(site, theirs=False, by="tester")
        moving_lake.leave(site, theirs=True, by="tester")
    with ours.open() as site:
        assert Table(ours, site, name="pay").read() == [1]
    with theirs.open() as site:
        assert read(store, site) == [1]


def kept(whole: Path, store: Stores, prefix: str) -> None:
    with house(whole) as h:
        keep_keys(h.site.places)
        moving_lake.keep(h.site, store.wish(prefix), by="tester")


def test_who_is_erased_is_in_no_version_there(whole: Path, store: Stores) -> None:
    kept(whole, store, "erased")
    with house(whole) as h:
        before = incomes(store, "erased")
        assert {1000, 1001} <= before
        request = h.ask(Right.ERASE)
        store.ask_keys(asked=True)
        try:
            with pytest.raises(StoreRefusal, match=r"keyring/lake\.yaml"):
                erased(h, request)
        finally:
            store.ask_keys(asked=False)
    with house(whole) as h:
        erased(h, request)  # it goes on
        assert incomes(store, "erased") == before - {1000, 1001}
        assert set(store.files("erased").values()) == {1}
        assert h.found() == set()
        pay = next(told for told in tables(h.site) if told["dataset"] == "pay")
        assert store.read(pay["metadata"], pay["snapshot"]).num_rows == 20


def test_a_dataset_whose_time_is_over_goes_there_too(whole: Path, store: Stores) -> None:
    kept(whole, store, "expired")
    with house(whole) as h:
        assert [k for k in store.all("expired") if "pay" in k]
        (cached,) = (h.site.places.lake / "files" / "pay").glob("*")
        cached.unlink()  # the proof tells of it all the same
        ended(h.site, "pay")
        told = running.run(h.site, "pay", by="system:desk")
        assert told["removed"]["still_found"] == 0
        statement = json.loads(Path(told["proof"]).read_text())["statement"]
        assert statement["table"]["files"] == 1
        assert statement["table"]["objects"] > 3
    assert [k for k in store.all("expired") if "pay" in k] == []
    assert not (whole / "home" / "lake" / ".objects" / "pay").exists()


def test_a_backup_has_every_file_and_a_restored_copy_leaves_the_store_alone(
    whole: Path, store: Stores, tmp_path: Path
) -> None:
    kept(whole, store, "backed")
    data, keys, back = tmp_path / "data", tmp_path / "keys", Places(tmp_path / "back")
    with house(whole) as h:
        (cached,) = (h.site.places.lake / "files" / "pay").glob("*")
        cached.unlink()
        backing.back_up(h.site, data, by="operator")
        backing.back_up_keys(h.site.places, keys)
    before, settings = store.all("backed"), Settings(back.home, 2, "2GB", production=False, actor="tester")
    told = restoring.restore(settings, data, home=back.home, keys=keys)
    assert "it was kept in s3://lake/backed" in told["lake"]
    assert store.all("backed") == before
    with open_loading(back, settings) as site:
        there = House(site, tmp_path)
        assert all(t["folder"].startswith("file://") for t in tables(site))
        request = there.ask(Right.ERASE)
        with pytest.raises(InstallationRefusal, match="may still be in s3://lake/backed"):
            erased(there, request)
        with pytest.raises(InstallationRefusal, match="was restored"):
            moving_lake.leave(site, theirs=False, by="tester")
        with pytest.raises(InstallationRefusal, match="Another installation"):
            moving_lake.keep(site, store.wish("backed"), by="tester")
        moving_lake.keep(site, store.wish("backed", take_over=True), by="tester")
    with open_loading(back, settings) as site:
        erased(House(site, tmp_path), request)
    assert not {1000, 1001} & incomes(store, "backed")


def test_every_kill_leaves_the_old_or_the_new_version_there(store: Stores, tmp_path: Path) -> None:
    chance, home = random.Random(4), made(tmp_path)
    keep_keys(Places(home))
    assert ids(home, "lake", "store", "s3://lake/killed", "--endpoint", store.endpoint).code == 0

    def file(version: int) -> Path:
        place = tmp_path / f"v{version}.csv"
        place.write_text("claim_number,version\n" + "\n".join(f"{i},{version}" for i in range(20_000 + version)) + "\n")
        return place

    def seen() -> tuple[int, int]:
        with Store(sqlite(home / "control.sqlite")).read() as connection:
            release = releases.get(connection, "claims")
        with open_loading(Places(home), Settings(None, 2, "2GB", False, "tester")) as site:
            (told,) = tables(site)
        assert told["snapshot"] == release.snapshot
        return release.rows, store.read(told["metadata"], release.snapshot).num_rows

    begun = time.perf_counter()
    assert ids(home, "deliver", "claims", file(0)).code == 0
    usual = time.perf_counter() - begun
    for version in range(1, 4):
        command = [*COMMAND, "deliver", "claims", str(file(version))]
        with subprocess.Popen(
            command, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(0.5, 1.0) * usual)
            process.send_signal(signal.SIGKILL)
        assert seen() in {(20_000 + version - 1,) * 2, (20_000 + version,) * 2}
        rerun = ids(home, "deliver", "claims", file(version))
        assert rerun.code == 0, rerun.err
        assert seen() == (20_000 + version,) * 2
    assert store.unfinished() == []
    assert set(store.files("killed").values()) == {1}


def test_a_store_that_is_lost_is_left_and_decided_about(tmp_path: Path) -> None:
    service = Service(tmp_path)
    keep_keys(service.places)
    with stores() as store:
        with service.open() as site:
            pay = Table(service, site, name="pay")
            pay.deliver(row("a", 1))
            moving_lake.keep(site, store.wish("lost"), by="tester")
        with service.open() as site:
            assert Table(service, site, name="pay").read() == [1]
    with service.open() as site:
        with pytest.raises(StoreRefusal):
            Table(service, site, name="pay").deliver(row("b", 2))
        (service.places.scratch / "branches").mkdir(exist_ok=True)
        (service.places.scratch / "branches" / "pay").touch()  # as a rollback leaves it that was killed
    with service.open() as site:
        assert moving_lake.leave(site, theirs=True, by="tester")["tables"] == 1
    with service.open() as site:
        assert Table(service, site, name="pay").read() == [1]
        with pytest.raises(InstallationRefusal, match="may still be in s3://lake/lost"):
            keeping.check_followed(site.places)
        moving_lake.leave(site, theirs=True, by="tester")
        keeping.check_followed(site.places)


def test_a_move_that_is_killed_goes_on_either_way(store: Stores, tmp_path: Path) -> None:
    chance, service = random.Random(8), Service(tmp_path)
    keep_keys(service.places)
    names = [f"table{n}" for n in range(4)]
    with service.open() as site:
        for n, name in enumerate(names):
            Table(service, site, name=name).deliver(row("a", n))
    there = ("lake", "store", "s3://lake/cut", "--endpoint", store.endpoint, "--region", REGION)
    for command in (there, ("lake", "leave")):
        begun = time.perf_counter()
        assert ids(service.places.home, *there).code == 0
        usual = time.perf_counter() - begun
        if command is there:
            assert ids(service.places.home, "lake", "leave").code == 0
        for _ in range(2 if command is there else 1):
            with subprocess.Popen(
                [*COMMAND, *command], env=environment(service.places.home),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ) as process:  # fmt: skip
                time.sleep(chance.uniform(0.6, 1.0) * usual)
                process.send_signal(signal.SIGKILL)
            with service.open() as site:
                for n, name in enumerate(names):
                    place = next((service.places.lake / "files" / name).glob("*.parquet"))
                    assert pq.read_table(place)["income"].to_pylist() == [n], "no copy is lost"
                    with suppress(StoreRefusal, InstallationRefusal):  # its snapshots are being written anew
                        assert Table(service, site, name=name).read() == [n]
        ran = ids(service.places.home, *command)
        assert ran.code == 0 or "on this machine already" in ran.err, ran.err
        with service.open() as site:
            assert [Table(service, site, name=name).read() for name in names] == [[n] for n in range(4)]
            folders = {told["folder"].partition("://")[0] for told in tables(site)}
        assert folders == ({"s3"} if command is there else {"file"})
    assert store.all("cut") == {}


def test_two_processes_load_at_once(store: Stores, tmp_path: Path) -> None:
    service = Service(tmp_path)
    keep_keys(service.places)
    with service.open() as site:
        moving_lake.keep(site, store.wish("batch"), by="tester")
    for n in range(6):
        (tmp_path / "in" / f"table{n}").mkdir(parents=True)
        text = "id_number,income\n" + "".join(f"{i},{n}\n" for i in range(50))
        (tmp_path / "in" / f"table{n}" / "all.csv").write_text(text)
    ran = ids(service.places.home, "batch", tmp_path / "in", "--workers", "2")
    assert ran.code == 0, ran.err
    with service.open() as site:
        found = {t["dataset"]: store.read(t["metadata"], t["snapshot"])["income"].to_pylist() for t in tables(site)}
    assert found == {f"table{n}": [n] * 50 for n in range(6)}


def test_sail_reads_the_store_alone(store: Stores, tmp_path: Path) -> None:
    service, port = Service(tmp_path), free_port()
    keep_keys(service.places)
    with service.open() as site:
        moving_lake.keep(site, store.wish("sail"), by="tester")
    with service.open() as site:
        pay = Table(service, site, name="pay")
        pay.deliver(row("a", 1))
        pay.deliver(row("b", 2))
        (told,) = tables(site)
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true",
            "AWS_ENDPOINT": store.endpoint}  # fmt: skip
    command = (sys.executable, "-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", port)
    with running_server(*command, port=port, env=os.environ | keys):
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
        reader = spark.read.format("iceberg").option("snapshot-id", str(told["snapshot"]))
        assert sorted(reader.load(told["folder"]).toArrow()["income"].to_pylist()) == [1, 2]
        spark.stop()
