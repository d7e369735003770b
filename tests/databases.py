"""A real PostgreSQL server on loopback, with data of its own that goes at the end."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import adbc_driver_postgresql.dbapi as driver
import pytest

from integrated_data.acquire.database import Address
from tests.stores import free_port, running

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda p: int(p.parent.name))
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Served:
    """A server, and how it is asked. `folder`: where its socket is."""

    port: int
    folder: str = ""

    def address(self, table: str) -> Address:
        return Address("127.0.0.1", self.port, "tester", "postgres", "public", table)

    def uri(self, table: str) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres/public.{table}"

    def run(self, *statements: str) -> None:
        uri = replace(self.address("-")).uri(PASSWORD).replace("default_transaction_read_only%3Don", "jit%3Doff")
        with driver.connect(uri) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()


def ready(served: Served) -> None:
    """Wait for a server that answers but is still starting up."""
    until = time.monotonic() + 30
    while True:
        try:
            return served.run("SELECT 1")
        except driver.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def postgres(statements: Sequence[str]) -> Iterator[Served]:
    """A server with what statements make; skips where PostgreSQL is not installed. It refuses to run as root."""
    if BIN is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    user = getpass.getuser() if os.getuid() else "postgres"
    if user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    with tempfile.TemporaryDirectory(prefix="ids-pg-", dir="/tmp") as folder:
        secret = Path(folder) / "password"
        secret.write_text(PASSWORD)
        if not os.getuid():
            for place in (Path(folder), secret):
                shutil.chown(place, user, "postgres")
        # By a command, not by subprocess' own `user`: for that Python copies its process, and two engines in one of
        # them have reserved more addresses than the system copies.
        as_user = [] if os.getuid() else ["setpriv", "--reuid", user, "--regid", "postgres", "--clear-groups"]
        data, port = Path(folder) / "data", free_port()
        made = [BIN / "initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        subprocess.run([*as_user, *made, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        options = ("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}")
        with running(*as_user, BIN / "postgres", "-D", data, "-p", port, *options, port=port, stop=signal.SIGINT):
            served = Served(port, folder)
            ready(served)
            served.run(*statements)
            yield served
