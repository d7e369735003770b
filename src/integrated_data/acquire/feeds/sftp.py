"""An SFTP server, through asyncssh (the extra `sftp`). Its key must be the one that the feed's definition names."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar, cast

import asyncssh

from integrated_data.acquire.feeds.store import ANSWER, BLOCK, CONNECT, fits, listed, passing
from integrated_data.model.errors import StoreRefusal
from integrated_data.model.feed import Drop, Found

T = TypeVar("T")

#: What a secret for such a server may hold.
SECRET = ("password", "private_key", "passphrase")


class Server:
    """A folder of an SFTP server. It has an event loop of its own, which runs while something is asked."""

    def __init__(self, drop: Drop, secret: Mapping[str, str]) -> None:
        self._root = drop.place.rstrip("/") or "/"
        self._loop = asyncio.new_event_loop()
        self._connection: asyncssh.SSHClientConnection | None = None
        try:
            with passing("reached", asyncssh.Error, ValueError):
                self._connection = self.run(_connected(drop, secret))
                self._client = self.run(self._connection.start_sftp_client())
        except StoreRefusal:
            self.close()
            raise

    def run(self, asked: Awaitable[T]) -> T:
        """Wait for an answer of the server; one that does not come in time is an error."""
        return self._loop.run_until_complete(asyncio.wait_for(asked, ANSWER))

    def listing(self) -> list[Found]:
        """Regular files of the folder, by name."""
        with passing("listed", asyncssh.Error):
            return listed(iter(self.run(self._files())))

    async def _files(self) -> list[Found]:
        entries: AsyncIterator[asyncssh.SFTPName] = self._client.scandir(self._root)
        found = []
        async for entry in entries:
            name, about = str(entry.filename), entry.attrs
            if about.type == asyncssh.FILEXFER_TYPE_REGULAR and not name.startswith(".") and fits(name):
                moment = datetime.fromtimestamp(about.mtime or 0, UTC)
                found.append(Found(name, about.size or 0, moment))
        return found

    def read(self, name: str) -> BinaryIO:
        """A file's bytes."""
        with passing("read", asyncssh.Error):
            file = self.run(self._client.open(f"{self._root}/{name}", "rb"))
        return cast(BinaryIO, io.BufferedReader(_Remote(self, file), BLOCK))

    def close(self) -> None:
        """End the connection."""
        if self._loop.is_closed():
            return
        if self._connection is not None:
            self._connection.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Remote(io.RawIOBase):
    """A file of a server, read in blocks."""

    def __init__(self, server: Server, file: asyncssh.SFTPClientFile) -> None:
        self._server, self._file, self._at = server, file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with passing("read", asyncssh.Error):
            chunk = self._server.run(self._file.read(len(buffer), self._at))
        data = cast(bytes, chunk)
        self._at += len(data)
        buffer[: len(data)] = data
        return len(data)


async def _connected(drop: Drop, secret: Mapping[str, str]) -> asyncssh.SSHClientConnection:
    """A connection that trusts the named key of the server, and nothing of the account that runs the service."""
    host = f"[{drop.host}]:{drop.port}" if drop.port != 22 else drop.host
    keys = None
    if "private_key" in secret:
        keys = [asyncssh.import_private_key(secret["private_key"], secret.get("passphrase"))]
    return await asyncssh.connect(
        drop.host, drop.port, username=drop.user, password=secret.get("password"), client_keys=keys or (),
        known_hosts=asyncssh.import_known_hosts(f"{host} {drop.host_key}\n"), config=None, agent_path=None,
        connect_timeout=CONNECT, login_timeout=CONNECT, keepalive_interval=ANSWER,
    )  # fmt: skip
