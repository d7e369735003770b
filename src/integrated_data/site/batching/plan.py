"""What a folder delivers: a dataset for each file, and for each folder in it one of all its files."""

import re
from dataclasses import dataclass
from pathlib import Path

from integrated_data.model.errors import DeliveryRefusal

#: The ending of a contract's file, which stands beside what it is for.
CONTRACT = ".contract.yaml"
#: What becomes of a delivery that something else keeps from being loaded now: it is tried again.
BUSY = "busy"


@dataclass(frozen=True)
class Item:
    """One delivery of a batch. `clash`: another of the folder has the same name, so that neither is loaded."""

    dataset: str
    files: tuple[Path, ...]
    contract: Path | None = None
    clash: bool = False

    @property
    def size(self) -> int:
        """Bytes of its files; 0 of those that are gone."""
        return sum(f.stat().st_size for f in self.files if f.exists())

    @property
    def stamp(self) -> str:
        """Changes when a file is written again."""
        files = [*self.files, *([self.contract] if self.contract else [])]
        return " ".join(f"{s.st_size}:{s.st_mtime_ns}" for f in files if f.exists() and (s := f.stat()))


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
        files = tuple(sorted(f for f in entry.iterdir() if _delivered(f))) if entry.is_dir() else (entry,)
        if not _delivered(entry) or not files:
            continue
        dataset, beside = dataset_name(entry), folder / f"{entry.name.split('.')[0]}{CONTRACT}"
        found.setdefault(dataset, []).append(Item(dataset, files, beside if beside.exists() else None))
    if not found:
        raise DeliveryRefusal("The folder holds no file to deliver", next_step="Put the files into it")
    every = [one[0] if len(one) == 1 else Item(name, one[0].files, clash=True) for name, one in found.items()]
    return tuple(sorted(every, key=lambda item: (-item.size, item.dataset)))


def _delivered(entry: Path) -> bool:
    return not entry.name.startswith(".") and not entry.name.endswith(CONTRACT)
