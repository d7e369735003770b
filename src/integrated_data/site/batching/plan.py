"""What a folder delivers: a dataset for each file, and for each folder in it one of all its files."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from integrated_data.acquire.feeds.folder import Folder
from integrated_data.model.errors import DeliveryRefusal, StoreRefusal

#: The ending of a contract's file, which stands beside what it is for.
CONTRACT = ".contract.yaml"
#: What becomes of a delivery that something else keeps from being loaded now: it is tried again.
BUSY = "busy"


#: Why a delivery is not loaded that is, or holds, a link, a pipe or the like.
ELSEWHERE = "It is, or holds, a link, which may lead out of the folder, or what is no file: put the file itself there."


@dataclass(frozen=True)
class Item:
    """One delivery of a batch. `wrong`: why it is not loaded, where that is known before a byte is read."""

    dataset: str
    files: tuple[Path, ...]
    contract: Path | None = None
    wrong: str = ""

    @property
    def size(self) -> int:
        """Bytes of its files; 0 of those that are gone."""
        return sum(s.st_size for s in _looked_at(self.files))

    @property
    def stamp(self) -> str:
        """Changes when a file is written again."""
        files = [*self.files, *([self.contract] if self.contract else [])]
        return " ".join(f"{s.st_size}:{s.st_mtime_ns}" for s in _looked_at(files))


class Own:
    """A file of a batch's folder on its way in: nothing that is a link by now, or lies behind one, is opened."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = Folder(folder), name
        self.name, self.suffixes = PurePosixPath(name).name, PurePosixPath(name).suffixes

    def open(self, _mode: Literal["rb"] = "rb") -> BinaryIO:
        """Its bytes, from the beginning; raises FileNotFoundError where they cannot be had."""
        try:
            return self._folder.read(self._name)
        except StoreRefusal:
            raise FileNotFoundError(errno.ENOENT, "It is gone, is a link, or may not be read") from None


def dataset_name(file: Path) -> str:
    """A dataset's name from a file's: lower case, letters, digits and underscores."""
    plain = re.sub(r"[^a-z0-9]+", "_", file.name.lower().split(".")[0]).strip("_")
    return plain if plain[:1].isalpha() else f"d_{plain}"


def items(folder: Path) -> tuple[Item, ...]:
    """What a folder delivers, the largest first; refuses one that is not there or holds nothing."""
    if not folder.is_dir():
        raise DeliveryRefusal("There is no folder of that name", next_step="Name the folder that holds the files")
    found: dict[str, list[Item]] = {}
    for entry in sorted(folder.iterdir()):
        within = entry.is_dir() and not entry.is_symlink()
        files = tuple(sorted(f for f in entry.iterdir() if _delivered(f))) if within else (entry,)
        if not _delivered(entry) or not files:
            continue
        dataset, beside = dataset_name(entry), folder / f"{entry.name.split('.')[0]}{CONTRACT}"
        contract = beside if os.path.lexists(beside) else None
        looked = _looked_at([*files, *([contract] if contract else [])])
        wrong = "" if all(stat.S_ISREG(s.st_mode) for s in looked) else ELSEWHERE
        found.setdefault(dataset, []).append(Item(dataset, files, contract, wrong))
    if not found:
        raise DeliveryRefusal("The folder holds no file to deliver", next_step="Put the files into it")
    every = [
        one[0] if len(one) == 1 else Item(name, one[0].files, wrong=f"Two files of the folder would be dataset {name}")
        for name, one in found.items()
    ]
    return tuple(sorted(every, key=lambda item: (-item.size, item.dataset)))


def _looked_at(files: Iterable[Path]) -> Iterator[os.stat_result]:
    """What the files themselves are, links unfollowed; of those that are there."""
    for file in files:
        with suppress(FileNotFoundError):
            yield file.lstat()


def _delivered(entry: Path) -> bool:
    return not entry.name.startswith(".") and not entry.name.endswith(CONTRACT)
