"""A watched folder. Nothing that is a link, or lies behind one, is ever opened."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from integrated_data.acquire.feeds.store import fits, listed, passing
from integrated_data.model.errors import StoreRefusal
from integrated_data.model.feed import Found


class Folder:
    """A folder of this machine, with the folders in it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def listing(self) -> list[Found]:
        """Regular files, by name; links, pipes and hidden files are passed over."""
        with passing("listed"):
            if not self._place.is_dir():
                raise NotADirectoryError
            return listed(self._files())

    def _files(self) -> Iterator[Found]:
        for folder, inside, files in os.walk(self._place, followlinks=False):
            inside[:] = [name for name in inside if not name.startswith(".")]
            for name in files:
                path = Path(folder) / name
                try:
                    found = path.lstat()
                except FileNotFoundError:
                    continue  # taken away meanwhile
                relative = path.relative_to(self._place).as_posix()
                if stat.S_ISREG(found.st_mode) and not name.startswith(".") and fits(relative):
                    yield Found(relative, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def read(self, name: str) -> BinaryIO:
        """A file's bytes; every folder on the way is opened by itself, so that none can become a link meanwhile."""
        if not fits(name):
            raise StoreRefusal("A file of the feed leads out of its folder", next_step="Give it another name")
        *folders, last = PurePosixPath(name).parts
        with passing("read"):
            here = os.open(self._place, os.O_RDONLY | os.O_DIRECTORY)
            try:
                for part in folders:
                    further = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                    os.close(here)
                    here = further
                descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
            finally:
                os.close(here)
            file = os.fdopen(descriptor, "rb")
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                file.close()
                raise IsADirectoryError
            return file

    def close(self) -> None:
        """Nothing is held."""
