"""Real stores of files on loopback: a server that speaks S3, OpenSSH's own, and connections that break half-way."""

import getpass
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest
import yaml
from pyarrow import fs

from integrated_data.model.feed import Drop, StoreKind
from integrated_data.site.places import Places

SSHD, SFTP_SERVER = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin"), Path("/usr/lib/openssh/sftp-server")


@dataclass(frozen=True)
class Served:
    """A store on loopback, and what is secret about it."""

    drop: Drop
    secret: Mapping[str, str]

    @property
    def port(self) -> int:
        return self.drop.port if self.drop.kind is StoreKind.SFTP else int(self.drop.endpoint.rpartition(":")[2])

    def through(self, port: int) -> "Served":
        """The same store, through another port."""
        endpoint = self.drop.endpoint.replace(str(self.port), str(port))
        return replace(self, drop=replace(self.drop, port=port, endpoint=endpoint))


def keep_secret(places: Places, secret: Mapping[str, str], *, name: str = "store") -> Path:
    """Put a secret where an installation finds it."""
    places.feed_secrets.mkdir(parents=True, exist_ok=True)
    place = places.feed_secrets / f"{name}.yaml"
    place.write_text(yaml.safe_dump(dict(secret)))
    place.chmod(0o600)
    return place


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(
    *command: object, port: int, stop: signal.Signals = signal.SIGTERM, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server in a process of its own, once it answers."""
    words = [str(c) for c in command]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
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
        server.send_signal(stop)
        server.wait(10)


@contextmanager
def s3_server(files: Mapping[str, bytes]) -> Iterator[Served]:
    """A store that speaks S3, with objects by key in a bucket; what is below drop/ is the feed's."""
    port = free_port()
    with running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port, port=port):
        client = fs.S3FileSystem(access_key="a", secret_key="b", endpoint_override=f"127.0.0.1:{port}", scheme="http",
                                 region="eu-west-2", allow_bucket_creation=True)  # fmt: skip
        client.create_dir("bucket")
        for name, data in files.items():
            with client.open_output_stream(f"bucket/{name}") as out:
                out.write(data)
        endpoint = f"http://127.0.0.1:{port}"
        drop = Drop(StoreKind.S3, "bucket/drop", endpoint=endpoint, region="eu-west-2", secret="store", quiet=0)
        yield Served(drop, {"access_key": "a", "secret_key": "correct horse battery staple"})


@contextmanager
def sftp_server(folder: Path, files: Mapping[str, bytes]) -> Iterator[Served]:
    """OpenSSH's server with files in a folder, a link and a folder beside them; skips where it is not installed."""
    if SSHD is None or not SFTP_SERVER.exists():
        pytest.skip("OpenSSH's server is not installed (Debian: openssh-server)")
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host.write_private_key(folder / "host")
    (folder / "host").chmod(0o600)
    user.write_public_key(folder / "authorized")
    port, drop = free_port(), folder / "drop"
    drop.mkdir()
    for name, data in files.items():
        (drop / name).write_bytes(data)
    (drop / "out.csv").symlink_to(folder / "host")
    (drop / "inside").mkdir()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPasswordAuthentication no\nStrictModes no\n"
        f"Subsystem sftp {SFTP_SERVER}\n"
    )
    with suppress(PermissionError):
        Path("/run/sshd").mkdir(exist_ok=True)
    with running(SSHD, "-D", "-f", config, port=port):
        key = host.export_public_key().decode().strip()
        made = Drop(StoreKind.SFTP, str(drop), "127.0.0.1", port, getpass.getuser(), key, secret="store", quiet=0)
        yield Served(made, {"private_key": user.export_private_key().decode()})


@contextmanager
def cutting(port: int, *, after: int, sent: bool = False) -> Iterator[int]:
    """Real connections to a port of this machine; all are cut, and new ones too, once so many bytes have come back.

    `sent`: bytes on the way there count instead.
    """
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
                    ends = {"target": carry, "args": (source, target), "kwargs": {"counted": (source is near) is sent}}
                    threading.Thread(**ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.close()
