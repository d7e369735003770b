"""A store that speaks S3, through Arrow's own client."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from pyarrow import fs

from integrated_data.acquire.feeds.store import ANSWER, BLOCK, CONNECT, fits, listed, passing
from integrated_data.model.errors import StoreRefusal
from integrated_data.model.feed import Drop, Found

#: What a secret for such a store may hold.
SECRET = ("access_key", "secret_key", "session_token")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Bucket:
    """The objects under a prefix of a bucket."""

    def __init__(self, drop: Drop, secret: Mapping[str, str]) -> None:
        parts = urlsplit(drop.endpoint or "https://")
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise StoreRefusal(
                "The feed's store would be asked without encryption",
                why="Its endpoint does not begin with https",
                next_step="Give its https address; plain http is for this machine alone",
            )
        self._root = drop.place.strip("/")
        with passing("reached"):
            self._store = fs.S3FileSystem(
                access_key=secret.get("access_key"), secret_key=secret.get("secret_key"),
                session_token=secret.get("session_token"), region=drop.region or "us-east-1",
                endpoint_override=parts.netloc or None, scheme=parts.scheme or "https",
                connect_timeout=CONNECT, request_timeout=ANSWER,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
            )  # fmt: skip

    def listing(self) -> list[Found]:
        """The objects under the prefix, by name."""
        with passing("listed"):
            entries = self._store.get_file_info(fs.FileSelector(self._root, recursive=True))
            return listed(self._files(entries))

    def _files(self, entries: list[fs.FileInfo]) -> Iterator[Found]:
        for entry in entries:
            name = entry.path.removeprefix(f"{self._root}/")
            if entry.type == fs.FileType.File and fits(name):
                yield Found(name, entry.size or 0, entry.mtime or datetime.fromtimestamp(0, UTC))

    def read(self, name: str) -> BinaryIO:
        """An object's bytes."""
        with passing("read"):
            return cast(BinaryIO, self._store.open_input_stream(f"{self._root}/{name}", buffer_size=BLOCK))

    def close(self) -> None:
        """The client holds no connection that must be closed."""
