"""Stores of feeds: a server that speaks S3 and OpenSSH's own, on loopback; a connection that breaks half-way."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from integrated_data.acquire.feeds.store import Arriving, Store
from integrated_data.acquire.land import land
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import InstallationRefusal, StoreRefusal
from integrated_data.model.feed import Drop
from integrated_data.site.drops import opened
from integrated_data.site.places import Places
from tests.stores import Served, cutting, free_port, keep_secret, s3_server, sftp_server

SEALER = FileSealer(b"s" * 32)
DATA = os.urandom(9 << 20)
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def s3() -> Iterator[Served]:
    with s3_server({"drop/od_1.csv": DATA, "drop/in/od_2.csv": b"two", "other/od_3.csv": b"three"}) as served:
        yield served


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with sftp_server(tmp_path_factory.mktemp("sshd"), {"od_1.csv": DATA}) as served:
        yield served


@contextmanager
def store_of(served: Served) -> Iterator[Store]:
    """A store, opened with its secret as an installation keeps it."""
    with tempfile.TemporaryDirectory() as home:
        keep_secret(Places(Path(home)), served.secret)
        with opened(served.drop, Places(Path(home))) as store:
            yield store


def taken(served: Served, folder: Path, name: str = "od_1.csv") -> bytes:
    """A file fetched and landed, sealed, and read back."""
    with store_of(served) as store:
        found = next(f for f in store.listing() if f.name == name)
        land([Arriving(store, found)], folder, sealer=SEALER)
    with SEALER.read(folder / "0.sealed") as file:
        return file.read()


def test_s3_lists_its_prefix_and_gives_every_byte(s3: Served, tmp_path: Path) -> None:
    with store_of(s3) as store:
        assert [(f.name, f.size) for f in store.listing()] == [("in/od_2.csv", 3), ("od_1.csv", len(DATA))]
    assert taken(s3, tmp_path) == DATA


def test_sftp_lists_its_folder_and_gives_every_byte(sftp: Served, tmp_path: Path) -> None:
    with store_of(sftp) as store:
        assert [(f.name, f.size) for f in store.listing()] == [("od_1.csv", len(DATA))]  # no link, no folder
    assert taken(sftp, tmp_path) == DATA


def test_a_server_that_shows_another_key_is_given_nothing(sftp: Served) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(StoreRefusal, match="HostKeyNotVerifiable"), \
            store_of(replace(sftp, drop=replace(sftp.drop, host_key=other))):  # fmt: skip
        pass


def test_plain_http_is_for_this_machine_alone(s3: Served) -> None:
    with pytest.raises(StoreRefusal, match="without encryption"), \
            store_of(replace(s3, drop=replace(s3.drop, endpoint="http://store.example"))):  # fmt: skip
        pass


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_connection_that_breaks_half_way_leaves_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(kind)
    with cutting(served.port, after=len(DATA) // 2) as other, pytest.raises(StoreRefusal) as refused:
        taken(served.through(other), tmp_path)
    assert "drop" not in str(refused.value)
    assert not list(tmp_path.rglob("*sealed*"))
    assert taken(served, tmp_path) == DATA  # and then it comes whole


def test_a_secret_is_in_no_error(s3: Served, tmp_path: Path) -> None:
    places = Places(tmp_path)

    def told(refusal: type[Exception], drop: Drop = s3.drop) -> str:
        with pytest.raises(refusal) as refused, opened(drop, places) as store:
            store.listing()
        return str(refused.value) + repr(refused.value.__cause__)

    place = keep_secret(places, {"access_key": "a", "password": PASSWORD})
    assert PASSWORD not in told(InstallationRefusal)
    place.write_text(f"[{PASSWORD}]: ]")
    assert PASSWORD not in told(InstallationRefusal)
    place.write_text(f"access_key: {PASSWORD}")
    place.chmod(0o644)
    assert "Others than the service may read it" in told(InstallationRefusal)
    keep_secret(places, {"access_key": PASSWORD, "secret_key": PASSWORD})
    assert PASSWORD not in told(StoreRefusal, replace(s3.drop, endpoint=f"http://127.0.0.1:{free_port()}"))
    assert PASSWORD not in told(StoreRefusal, replace(s3.drop, place="nobucket/here"))
