"""Stores of feeds: a server that speaks S3 and OpenSSH's own, on loopback; a connection that breaks half-way."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest
import yaml
from pyarrow import fs

from integrated_data.acquire.feeds.store import Arriving
from integrated_data.acquire.land import land
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import InstallationRefusal, StoreRefusal
from integrated_data.model.feed import Drop, StoreKind
from integrated_data.site.drops import opened
from integrated_data.site.places import Places

SEALER = FileSealer(b"s" * 32)
SSHD, SFTP_SERVER = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin"), Path("/usr/lib/openssh/sftp-server")
DATA = os.urandom(9 << 20)
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Served:
    """A store on loopback, and the place of an installation that holds its secret."""

    drop: Drop
    places: Places


def places(folder: Path, **secret: str) -> Places:
    made = Places(folder / "home")
    made.feed_secrets.mkdir(parents=True)
    place = made.feed_secrets / "store.yaml"
    place.write_text(yaml.safe_dump(secret))
    place.chmod(0o600)
    return made


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(*command: object, port: int) -> Iterator[None]:
    """A server in a process of its own, once it answers."""
    server = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert time.monotonic() < until
            assert server.poll() is None
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = free_port()
    with running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port, port=port):
        client = fs.S3FileSystem(access_key="a", secret_key="b", endpoint_override=f"127.0.0.1:{port}", scheme="http",
                                 region="eu-west-2", allow_bucket_creation=True)  # fmt: skip
        client.create_dir("bucket")
        for name, data in (("drop/od_1.csv", DATA), ("drop/in/od_2.csv", b"two"), ("other/od_3.csv", b"three")):
            with client.open_output_stream(f"bucket/{name}") as out:
                out.write(data)
        endpoint = f"http://127.0.0.1:{port}"
        drop = Drop(StoreKind.S3, "bucket/drop", endpoint=endpoint, region="eu-west-2", secret="store")
        yield Served(drop, places(tmp_path_factory.mktemp("s3"), access_key="a", secret_key=PASSWORD))


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if SSHD is None or not SFTP_SERVER.exists():
        pytest.skip("OpenSSH's server is not installed (Debian: openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host.write_private_key(folder / "host")
    (folder / "host").chmod(0o600)
    user.write_public_key(folder / "authorized")
    port, drop = free_port(), folder / "drop"
    drop.mkdir()
    (drop / "od_1.csv").write_bytes(DATA)
    (drop / "out.csv").symlink_to(folder / "host")
    (drop / "inside").mkdir()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPasswordAuthentication no\nStrictModes no\n"
        f"Subsystem sftp {SFTP_SERVER}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with running(SSHD, "-D", "-f", config, port=port):
        key = host.export_public_key().decode().strip()
        made = Drop(StoreKind.SFTP, str(drop), "127.0.0.1", port, getpass.getuser(), key, secret="store")
        yield Served(made, places(folder, private_key=user.export_private_key().decode()))


def taken(served: Served, folder: Path, name: str = "od_1.csv") -> bytes:
    """A file fetched and landed, sealed, and read back."""
    with opened(served.drop, served.places) as store:
        found = next(f for f in store.listing() if f.name == name)
        land([Arriving(store, found)], folder, sealer=SEALER)
    with SEALER.read(folder / "0.sealed") as file:
        return file.read()


def test_s3_lists_its_prefix_and_gives_every_byte(s3: Served, tmp_path: Path) -> None:
    with opened(s3.drop, s3.places) as store:
        assert [(f.name, f.size) for f in store.listing()] == [("in/od_2.csv", 3), ("od_1.csv", len(DATA))]
    assert taken(s3, tmp_path) == DATA


def test_sftp_lists_its_folder_and_gives_every_byte(sftp: Served, tmp_path: Path) -> None:
    with opened(sftp.drop, sftp.places) as store:
        assert [(f.name, f.size) for f in store.listing()] == [("od_1.csv", len(DATA))]  # no link, no folder
    assert taken(sftp, tmp_path) == DATA


def test_a_server_that_shows_another_key_is_given_nothing(sftp: Served) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(StoreRefusal, match="HostKeyNotVerifiable"), \
            opened(replace(sftp.drop, host_key=other), sftp.places):  # fmt: skip
        pass


def test_plain_http_is_for_this_machine_alone(s3: Served) -> None:
    with pytest.raises(StoreRefusal, match="without encryption"), \
            opened(replace(s3.drop, endpoint="http://store.example"), s3.places):  # fmt: skip
        pass


@contextmanager
def cutting(port: int, *, after: int) -> Iterator[int]:
    """Real connections to a port of this machine; all are cut, and new ones too, once so many bytes have come back."""
    listener, left = socket.create_server(("127.0.0.1", 0)), [after]

    def carry(source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        with suppress(OSError):
            while (data := source.recv(1 << 16)) and left[0] > 0:
                left[0] -= len(data) if counted else 0
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                for source, target in ((near, far), (far, near)):
                    ends = {"target": carry, "args": (source, target), "kwargs": {"counted": source is far}}
                    threading.Thread(**ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.close()


def cut(served: Served, port: int) -> Served:
    """The same store, through another port."""
    at = served.drop.endpoint.replace(served.drop.endpoint.rpartition(":")[2], str(port))
    return replace(served, drop=replace(served.drop, port=port, endpoint=at))


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_connection_that_breaks_half_way_leaves_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(kind)
    port = served.drop.port if kind == "sftp" else int(served.drop.endpoint.rpartition(":")[2])
    with cutting(port, after=len(DATA) // 2) as other, pytest.raises(StoreRefusal) as refused:
        taken(cut(served, other), tmp_path)
    assert "drop" not in str(refused.value)
    assert not list(tmp_path.rglob("*sealed*"))
    assert taken(served, tmp_path) == DATA  # and then it comes whole


def test_a_secret_is_in_no_error_and_in_no_repr(s3: Served, tmp_path: Path) -> None:
    def told(refusal: type[Exception], served: Served) -> str:
        with pytest.raises(refusal) as refused, opened(served.drop, served.places) as store:
            store.listing()
        return str(refused.value) + repr(refused.value.__cause__)

    made = places(tmp_path / "a", access_key="a", password=PASSWORD)
    assert PASSWORD not in told(InstallationRefusal, replace(s3, places=made))
    (made.feed_secrets / "store.yaml").write_text(f"[{PASSWORD}]: ]")
    assert PASSWORD not in told(InstallationRefusal, replace(s3, places=made))
    (made.feed_secrets / "store.yaml").write_text(f"access_key: {PASSWORD}")
    (made.feed_secrets / "store.yaml").chmod(0o644)
    assert "Others than the service may read it" in told(InstallationRefusal, replace(s3, places=made))
    wrong = places(tmp_path / "b", access_key=PASSWORD, secret_key=PASSWORD)
    closed = replace(s3.drop, endpoint=f"http://127.0.0.1:{free_port()}")
    assert PASSWORD not in told(StoreRefusal, Served(closed, wrong))
    gone = replace(s3.drop, place="nobucket/here")
    assert PASSWORD not in told(StoreRefusal, Served(gone, wrong))
