"""Land: the bytes of a delivery are sealed as they came, and measured in the same pass."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from integrated_data.acquire.bytes import Survey, chunks
from integrated_data.acquire.feeds.store import Arriving
from integrated_data.engine import Sealer
from integrated_data.model.delivery import LandedFile
from integrated_data.model.errors import DeliveryRefusal

#: Endings worth keeping of a file's name; the rest of the name may hold a personal value.
SUFFIXES = frozenset(
    {".csv", ".tsv", ".txt", ".dat", ".psv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm",
     ".gz", ".zip", ".fwf", ".asc", ".sav", ".zsav", ".dta", ".sas7bdat", ".xpt"}
)  # fmt: skip


class Source(Protocol):
    """What reads like a file: a table of a database, as Parquet."""

    @property
    def name(self) -> str:
        """What it is called, with its ending."""
        ...

    @property
    def suffixes(self) -> Sequence[str]:
        """The endings of its name."""
        ...

    def open(self, mode: Literal["rb"] = "rb", /) -> BinaryIO:
        """Its bytes, from the beginning."""
        ...


#: A file of this machine, one of a feed's store, or what reads like one.
File = Path | Arriving | Source


def land(files: Sequence[File], folder: Path, *, sealer: Sealer) -> tuple[LandedFile, ...]:
    """Seal each file into `folder` as `0.sealed`, `1.sealed`, …; one pass, memory of one chunk.

    Raises DeliveryRefusal for no file, a file that cannot be opened, and an empty file.
    """
    if not files:
        raise DeliveryRefusal("The delivery holds no file", next_step="Name the files to deliver")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tuple(_land_one(file, folder / f"{i}.sealed", sealer=sealer) for i, file in enumerate(files))


def _land_one(file: File, place: Path, *, sealer: Sealer) -> LandedFile:
    survey = Survey()
    try:
        with file.open("rb") as source, sealer.write(place) as sealed:
            for chunk in chunks(source):
                survey.see(chunk)
                sealed.write(chunk)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DeliveryRefusal(
            "A file of the delivery cannot be opened",
            why=error.strerror or "",
            next_step="Check its path and that the service may read it",
        ) from None
    if survey.size == 0:
        place.unlink()
        raise DeliveryRefusal(
            "A file of the delivery is empty",
            why="It holds no bytes at all",
            next_step="Deliver the file again once it is written",
        )
    return LandedFile(
        place.name, _suffix(file), survey.size, survey.sha256, survey.lines,
        encoding=survey.encoding, mixed=survey.mixed, quotes=survey.quotes,
    )  # fmt: skip


def _suffix(file: File) -> str:
    known = [s for s in (x.lower() for x in file.suffixes[-2:]) if s in SUFFIXES]
    return "".join(known)


def delivery_id(dataset: str, files: Sequence[LandedFile]) -> str:
    """First 16 hex digits of a hash over the dataset and the files' checksums, in any order of files."""
    parts = "\n".join([dataset, *sorted(f.sha256 for f in files)])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
