"""What a feed's store is to the service: a list of files, and their bytes; and what its errors become."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, Protocol, cast

from integrated_data.model.errors import StoreRefusal
from integrated_data.model.feed import Found

#: Bytes that are asked for at once where every question takes a journey to the server and back.
BLOCK = 4 << 20
#: Files that one look takes; a place that holds more is not a drop.
MOST_FILES = 100_000
#: Seconds to wait for a server to be reached, and for an answer of one that was.
CONNECT, ANSWER = 20, 60


class Store(Protocol):
    """Where files are dropped, open. Errors of any store are StoreRefusals: they pass, and it is tried again."""

    def listing(self) -> list[Found]:
        """The files that are there, by name; what leads out of the place is not listed."""
        ...

    def read(self, name: str) -> BinaryIO:
        """The bytes of a file, from its beginning; raises StoreRefusal where it cannot be read to its end."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class Arriving:
    """A file of a store on its way in: what `land` takes. One that ends early or has grown is refused."""

    def __init__(self, store: Store, found: Found) -> None:
        self._store, self._found = store, found
        self.name, self.suffixes = PurePosixPath(found.name).name, PurePosixPath(found.name).suffixes

    def open(self, _mode: Literal["rb"] = "rb") -> BinaryIO:
        """Its bytes, from the beginning."""
        inner = self._store.read(self._found.name)
        return inner if self._found.size < 0 else cast(BinaryIO, Whole(inner, self._found.size))


class Whole(io.RawIOBase):
    """A file that must hold as many bytes as it was listed with, or is refused at its end."""

    def __init__(self, inner: BinaryIO, size: int) -> None:
        self._inner, self._size, self._seen = inner, size, 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on; at the end, or beyond it, see that the size is what was listed."""
        with passing("read"):
            chunk = self._inner.read(len(buffer))
        self._seen += len(chunk)
        if (not chunk and self._seen < self._size) or self._seen > self._size:
            what = "has grown" if self._seen > self._size else "broke off half-way"
            raise StoreRefusal(
                f"A file of the feed {what}",
                why=f"It was listed with {self._size:,} bytes, and {self._seen:,} came",
                next_step="It is fetched again; where that goes on, drop the file under another name and rename it",
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Close the file and what it reads from."""
        if not self.closed:
            self._inner.close()
        super().close()


def fits(name: str) -> bool:
    """Whether a listed name stays where it was listed: no way up, none from the root, no control character."""
    path = PurePosixPath(name)
    plain = name.isprintable() and "\\" not in name and not path.is_absolute()
    return plain and 0 < len(name) <= 1024 and ".." not in path.parts and str(path) == name


def listed(entries: Iterator[Found]) -> list[Found]:
    """What a store told, by name; refuses more than a drop holds."""
    found = []
    for entry in entries:
        found.append(entry)
        if len(found) > MOST_FILES:
            raise StoreRefusal(
                f"The place of the feed holds more than {MOST_FILES:,} files",
                next_step="Take away what has been loaded, or let the feed have a place of its own",
            )
    return sorted(found, key=lambda f: f.name)


@contextmanager
def passing(what: str, *also: type[BaseException]) -> Iterator[None]:
    """Errors of a store or network inside become one sentence that holds nothing of theirs: no path and no secret."""
    caught: tuple[type[BaseException], ...] = (OSError, EOFError, *also)
    try:
        yield
    except caught as error:
        raise StoreRefusal(
            f"The feed's store did not let itself be {what if what != 'read' else 'read to the end'}",
            why=f"It failed with {type(error).__name__}",
            next_step="It is tried again; check that the server runs, and the feed's place, user and secret",
        ) from None
