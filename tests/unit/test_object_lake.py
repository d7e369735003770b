"""The lake in an object store: what others read there, what breaks off, and that nothing stays that was erased."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.lake import Lake, Step
from integrated_data.model.errors import InstallationRefusal, StoreRefusal
from tests.object_stores import BUCKET, SECRET, Stores, stores
from tests.stores import cutting

ERASED = "Zebulon"


@pytest.fixture(scope="module")
def server() -> Iterator[Stores]:
    with stores() as found:
        yield found


@pytest.fixture
def store(server: Stores) -> Iterator[Stores]:
    yield server
    bucket = server.bucket()
    bucket.clear("")
    assert server.all() == {}


def put(lake: Lake, delivery: str, *said: str) -> Path:
    place = lake.place("pay", delivery)
    pq.write_table(pa.table({"a": list(said)}), place, compression="none")
    return place


def seen(store: Stores, lake: Lake, snapshot: int) -> list[str]:
    return sorted(store.read(lake.located("pay").metadata, snapshot)["a"].to_pylist())


def names(lake: Lake, snapshot: int) -> list[str]:
    return [p.stem for p in lake.files("pay", snapshot)]


def test_others_read_from_the_store_alone_what_a_snapshot_names(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path / "lake")
    for delivery in ("d1", "d2", "d3"):
        put(lake, delivery, delivery)
    first = lake.commit("pay", Step("d1"), base=None)
    second = lake.commit("pay", Step("d2", ()), base=first)
    third = lake.commit("pay", Step("d3", ("d1.parquet",)), base=second)
    for snapshot, held in ((first, ["d1"]), (second, ["d1", "d2"]), (third, ["d2", "d3"])):
        assert names(lake, snapshot) == seen(store, lake, snapshot) == held
    assert store.duckdb(lake.located("pay").metadata, second) == ["d1", "d2"]
    lake.stand("pay", first)
    assert store.read(lake.located("pay").metadata, first)["a"].to_pylist() == ["d1"]
    assert lake.located("pay").folder == f"s3://{BUCKET}/ids/tables/pay/records"
    assert lake.commit("pay", Step("d3", ("d1.parquet",)), base=second) == third, "done once"
    everything = b"".join(b for bodies in store.all().values() for b in bodies)
    everything += b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert not [s for s in SECRET.values() if s.encode() in everything]


def test_what_is_written_anew_leaves_nothing_of_before_in_any_version(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path)
    place = put(lake, "d1", "Anna", ERASED)
    put(lake, "stray", ERASED)
    lake.objects.sent("pay", lake.place("pay", "stray"))  # type: ignore[union-attr]
    put(lake, "d2", "Ben")
    steps = [Step("d1"), Step("d2", ())]
    first = lake.commit("pay", steps[0], base=None)
    lake.commit("pay", steps[1], base=first)
    store.client.put_object(Bucket=BUCKET, Key="ids/files/pay/d2.parquet", Body=ERASED.encode())  # not the newest
    store.client.put_object(Bucket=BUCKET, Key="ids/files/pay/d2.parquet", Body=lake.place("pay", "d2").read_bytes())
    store.client.create_multipart_upload(Bucket=BUCKET, Key="ids/files/pay/d1.parquet")
    before = {key for key in store.all() if key.startswith("tables/")}  # they tell least and greatest values
    put(lake, "d1", "Anna")
    again = lake.rebuild("pay", steps)
    assert [ERASED.encode() in b for bodies in store.all().values() for b in bodies].count(True) == 0
    assert store.files() == {"pay/d1.parquet": 1, "pay/d2.parquet": 1}
    assert store.unfinished() == []
    assert before
    assert not before & set(store.all())
    assert [seen(store, lake, s) for s in again] == [["Anna"], ["Anna", "Ben"]]
    place.unlink()
    assert pq.read_table(lake.place("pay", "d1"))["a"].to_pylist() == ["Anna"], "what is fetched is without them too"
    lake.rebuild("pay", [])
    assert lake.left("pay") == ()
    assert set(store.all()) == {"installation"}


def test_an_object_that_somebody_took_away_is_sent_again(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path)
    put(lake, "d1", "Anna")
    lake.commit("pay", Step("d1"), base=None)
    store.client.delete_object(Bucket=BUCKET, Key="ids/files/pay/d1.parquet")
    (snapshot,) = lake.rebuild("pay", [Step("d1")])
    assert seen(store, lake, snapshot) == ["Anna"]
    assert store.files() == {"pay/d1.parquet": 1}


def test_a_copy_that_is_missing_is_fetched_and_must_be_what_was_sent(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path)
    place = put(lake, "d1", "Anna")
    snapshot, sent = lake.commit("pay", Step("d1"), base=None), place.read_bytes()
    place.unlink()
    assert lake.rows("pay", ["d1.parquet", "never.parquet"]) == 1
    assert place.read_bytes() == sent
    place.unlink()
    store.client.put_object(Bucket=BUCKET, Key="ids/files/pay/d1.parquet", Body=sent[:-1] + b"?")
    with pytest.raises(StoreRefusal, match="is not the one that was sent"):
        lake.files("pay", snapshot)
    assert list(place.parent.iterdir()) == []
    (tmp_path / ".objects" / "pay" / "d1.parquet").unlink()
    with pytest.raises(StoreRefusal, match="names a file that was never sent"):
        lake.files("pay", snapshot)


def test_a_connection_that_breaks_half_way_names_nothing_and_is_done_again(store: Stores, tmp_path: Path) -> None:
    rng, part = np.random.default_rng(3), 5 << 20
    lake = store.lake(tmp_path, part=part)
    first = lake.commit("pay", Step(put(lake, "d1", "Anna").stem), base=None)
    pq.write_table(pa.table({"a": [rng.bytes(1 << 20).hex() for _ in range(12)]}), lake.place("pay", "d2"))
    with cutting(store.port, after=8 << 20, sent=True) as port:
        broken = Lake(tmp_path, store.bucket(port=port, part=part))
        with pytest.raises(StoreRefusal) as refused:
            broken.commit("pay", Step("d2", ()), base=first)
    assert "did not let itself be written" in str(refused.value)
    assert "d2.parquet" not in str(store.files())
    assert store.unfinished() == ["ids/files/pay/d2.parquet"], "it could not be given up either"
    lake = Lake(tmp_path, store.bucket(part=part))
    lake.sweep("pay", "d1")
    assert store.unfinished() != [], "another delivery's is left alone"
    lake.sweep("pay", "d2")
    assert store.unfinished() == []
    second = lake.commit("pay", Step("d2", ()), base=first)
    assert len(seen(store, lake, second)) == 13


def test_snapshots_that_break_half_way_are_of_no_consequence(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path)
    put(lake, "d1", "Anna")
    first = lake.commit("pay", Step("d1"), base=None)
    put(lake, "d2", "Ben")
    lake.objects.sent("pay", lake.place("pay", "d2"))  # type: ignore[union-attr]
    with cutting(store.port, after=3000, sent=True) as port:
        broken = Lake(tmp_path, store.bucket(port=port))
        with pytest.raises(StoreRefusal):
            broken.commit("pay", Step("d2", ()), base=first)
    assert names(lake, first) == ["d1"]
    second = Lake(tmp_path, store.bucket()).commit("pay", Step("d2", ()), base=first)
    assert seen(store, lake, second) == ["Anna", "Ben"]


def test_another_installation_writes_nothing_at_a_place_that_is_not_its_own(store: Stores, tmp_path: Path) -> None:
    ours, theirs = store.lake(tmp_path / "ours"), Lake(tmp_path / "theirs", store.bucket(token="theirs"))
    put(ours, "d1", "Anna")
    ours.commit("pay", Step("d1"), base=None)
    before = store.all()
    put(theirs, "d9", "Ben")
    for act in (lambda: theirs.commit("pay", Step("d9"), base=None), lambda: theirs.rebuild("pay", [Step("d9")])):
        with pytest.raises(InstallationRefusal, match="not this installation's"):
            act()
    assert store.all() == before


def test_keys_that_are_not_accepted_are_told_without_a_secret(store: Stores, tmp_path: Path) -> None:
    lake = store.lake(tmp_path)
    put(lake, "d1", "Anna")
    lake.commit("pay", Step("d1"), base=None)
    put(lake, "d2", "Ben")
    store.ask_keys(asked=True)
    try:
        for act in (
            lambda: Lake(tmp_path, store.bucket()).commit("pay", Step("d2", ()), base=None),
            lambda: Lake(tmp_path, store.bucket()).located("pay"),
            lambda: Lake(tmp_path, store.bucket()).sweep("pay", "d2"),
        ):
            with pytest.raises(StoreRefusal) as refused:
                act()
            said = str(refused.value)
            assert "keyring/lake.yaml" in said
            assert not [s for s in (*SECRET.values(), "d2.parquet") if s in said]
    finally:
        store.ask_keys(asked=False)


def test_a_store_that_lets_go_is_left_as_it_was(store: Stores) -> None:
    store.client.put_object(Bucket=BUCKET, Key="ids/trial", Body=b"cut short")
    assert store.bucket().is_empty()
    store.bucket().try_out()
    assert (store.all(), store.unfinished()) == ({}, [])


def test_a_store_that_does_not_let_go_is_an_error_and_not_silence(server: Stores, tmp_path: Path) -> None:
    server.client.create_bucket(
        Bucket="locked", ObjectLockEnabledForBucket=True, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    server.client.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )  # fmt: skip
    bucket = server.bucket()
    object.__setattr__(bucket.kept, "bucket", "locked")
    with pytest.raises(StoreRefusal, match=r"cannot be destroyed|cleared"):
        bucket.try_out()  # before anything is moved there
    bucket.own()
    lake = Lake(tmp_path, bucket)
    put(lake, "d1", ERASED)
    lake.commit("pay", Step("d1"), base=None)
    put(lake, "d1", "Anna")
    with pytest.raises(StoreRefusal, match=r"cannot be destroyed|cleared"):
        lake.rebuild("pay", [Step("d1")])
