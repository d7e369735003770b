"""The release ledger on disk: who is behind every cell that has left, sealed.

    numbers/<index>/<project>      a project's keys in order and the ledger numbers of their people
    given/<index>                  how many numbers have been given
    tables/<index>/<table>/head    levels, classes, those in small cells, the first block
                           block-1 …   classes by ledger number, block after block
                           added   what each person adds to the figures

A table is written beside its request when it is checked, and linked here when it leaves. Every file is
sealed whole (AES-256-GCM under the ledger's key, the names of table and file as associated data), so that
none can be read, changed or exchanged without showing. The numbers are the service's own: no project knows them, and
without the ledger they lead to nobody.
"""

import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray
from scipy.sparse import csr_array

from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.output import Cell
from integrated_data.output.differencing import Codes, Level, Membership
from integrated_data.output.remembered import Added, Figure, Remembered

NONCE = 12

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """A table of the ledger. `request` it left with, `place` of its files, `index` of its people."""

    request: str
    index: str
    place: Path
    table: Remembered


class Ledger:
    """The ledger under a folder. `key`: 32 bytes of the service's own keyring; identity keys are others."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder, self._cipher = folder, AESGCM(key)

    def put_numbers(self, index: str, project: str, *, keys: NDArray[np.int64], numbers: NDArray[np.uint32]) -> None:
        """Keep the ledger numbers of a project's keys, with those that it has already."""
        held = self._numbers(index, project)
        if held is not None:
            keys, numbers = np.concatenate([held[0], keys]), np.concatenate([held[1], numbers])
        keys, first = np.unique(keys, return_index=True)
        self._write(self._place(index, project), {"keys": keys, "numbers": numbers[first]})
        given = max(self.people(index), int(numbers.max(initial=0)) + 1)
        self._write(self._folder / "given" / index, {"given": np.array([given])})

    def forget(self, project: str) -> None:
        """Forget a project's keys, which are destroyed; what left stays, by number."""
        for place in (self._folder / "numbers").glob(f"*/{project}"):
            place.unlink()

    def people(self, index: str) -> int:
        """How many people of an index have a number."""
        place = self._folder / "given" / index
        return int(self._read(place)["given"][0]) if place.exists() else 0

    def numbers(self, index: str, project: str, *, keys: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """The ledger number of each key of a project; None when one has none."""
        held = self._numbers(index, project)
        if held is None:
            return None if len(keys) else np.zeros(0, np.uint32)
        places = np.minimum(np.searchsorted(held[0], keys), max(len(held[0]) - 1, 0))
        return held[1][places] if len(held[0]) and bool(np.all(held[0][places] == keys)) else None

    def write(self, place: Path, table: Remembered) -> None:
        """Write a table to a folder of its own, which is named as the table is."""
        membership = table.membership
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        head: Arrays = {
            "sizes": membership.sizes,
            "counted": membership.counted,
            "blocks": np.array([membership.blocks, membership.few, membership.margin]),
        }
        head |= {"small_who": membership.small[0], "small_class": membership.small[1], "block": membership.block(0)}
        for number, level in enumerate(membership.levels):
            head |= {f"prints{number}": table.prints[number].ravel()}
            head |= _matrix(f"level{number}", level.members) | {f"disjoint{number}": np.array([level.disjoint])}
        self._write(place / "head", head, about=_about(table))
        for number in range(1, membership.blocks):
            self._write(place / f"block-{number}", {"block": membership.block(number)})
        added = table.added()
        rest: Arrays = {"number": added.number, "group": added.group, "counted": added.counted, "rows": added.rows}
        rest |= {f"sum{n}": amounts for n, amounts in added.sums.items()}
        for number, inside in enumerate(added.inside):
            rest |= _matrix(f"inside{number}", inside)
        self._write(place / "added", rest)

    def read(self, place: Path) -> Remembered:
        """A table from its folder; all but its head is read when it is asked for."""
        about, head = self._read_with(place / "head")
        figures = tuple(_figure(told) for told in about["figures"])
        levels = tuple(Level(_from(head, f"level{n}"), bool(head[f"disjoint{n}"][0])) for n in range(len(figures)))

        def block(number: int) -> Codes:
            return head["block"] if number == 0 else self._read(place / f"block-{number}")["block"]

        prints = tuple(head[f"prints{n}"].reshape(-1, 1 + len(about["words"])) for n in range(len(figures)))
        small = (head["small_who"], head["small_class"])
        blocks, few, margin = (int(n) for n in head["blocks"])
        membership = Membership(levels, head["sizes"], head["counted"], block, blocks, small, few, margin)
        return Remembered(
            figures,
            tuple(about["words"]),
            tuple(about["counts"]),
            prints,
            membership,
            cache(lambda: self._added(place)),
        )

    def adopt(self, place: Path, *, index: str, name: str) -> None:
        """Take a table that was written elsewhere into the ledger, in place of one of that name."""
        target = self._folder / "tables" / index / name
        part = target.with_name(f".{name}.{secrets.token_hex(4)}")
        part.mkdir(mode=0o700, parents=True)
        for file in place.iterdir():
            os.link(file, part / file.name)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)

    def requests(self) -> frozenset[str]:
        """The requests whose tables are in the ledger."""
        return frozenset(place.name.rsplit(".", 1)[0] for place in (self._folder / "tables").glob("*/[!.]*"))

    def tables(self, index: str, *, of: Collection[str]) -> Iterator[Kept]:
        """The tables of some requests about the people of an index, in order of name: `<request>.<number>`."""
        for place in sorted((self._folder / "tables" / index).glob("[!.]*")):
            request = place.name.rsplit(".", 1)[0]
            if request in of:
                yield Kept(request, index, place, self.read(place))

    def _place(self, index: str, name: str) -> Path:
        return self._folder / "numbers" / index / name

    def _numbers(self, index: str, project: str) -> tuple[NDArray[np.int64], NDArray[np.uint32]] | None:
        place = self._place(index, project)
        if not place.exists():
            return None
        held = self._read(place)
        return held["keys"], held["numbers"]

    def _added(self, place: Path) -> Added:
        held = self._read(place / "added")
        sums = {int(name.removeprefix("sum")): a for name, a in held.items() if name.startswith("sum")}
        figures = sum(1 for name in held if name.startswith("inside") and name.endswith(".shape"))
        inside = tuple(_from(held, f"inside{n}") for n in range(figures))
        return Added(held["number"], held["group"], held["counted"], held["rows"], sums, inside)

    def _read(self, place: Path) -> Arrays:
        return self._read_with(place)[1]

    def _read_with(self, place: Path) -> tuple[dict[str, Any], Arrays]:
        sealed = place.read_bytes()
        try:
            plain = self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], _told(place))
        except InvalidTag:
            raise InstallationRefusal(
                "A file of the release ledger was changed, or sealed with another key",
                why="Comparing with it would let a difference pass",
                next_step="Restore the ledger and its key from their backups",
            ) from None
        held = pa.ipc.open_stream(plain).read_all()
        about = json.loads((held.schema.metadata or {}).get(b"about", b"{}"))
        return about, {name: np.asarray(held.column(name).chunk(0).flatten()) for name in held.column_names}

    def _write(
        self, place: Path, arrays: Mapping[str, NDArray[Any]], *, about: Mapping[str, Any] | None = None
    ) -> None:
        """Write arrays as one sealed Arrow stream of one row, a list for each, in one atomic step."""
        columns = [pa.ListArray.from_arrays([0, len(a)], pa.array(_narrow(a))) for a in arrays.values()]
        schema = pa.schema(
            [pa.field(name, c.type) for name, c in zip(arrays, columns, strict=True)],
            metadata={"about": json.dumps(about or {})},
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(pa.table(columns, schema=schema))
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, sink.getvalue().to_pybytes(), _told(place))
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers from 0 in as few bytes as hold them."""
    if not len(array) or array.dtype.kind not in "iu" or array.min() < 0:
        return array
    return array.astype(np.min_scalar_type(int(array.max())), copy=False)


def _told(place: Path) -> bytes:
    return f"{place.parent.name}/{place.name}".encode()


def _about(table: Remembered) -> dict[str, Any]:
    return {"figures": [asdict(f) for f in table.figures], "words": table.words, "counts": table.counts}


def _figure(told: Mapping[str, Any]) -> Figure:
    cells = tuple(Cell(tuple(cell["total"]), tuple(cell["values"])) for cell in told["cells"])
    return Figure(cells, tuple(told["published"]), told["measure"], told["others"])


def _matrix(name: str, matrix: csr_array) -> Arrays:
    return {
        f"{name}.data": matrix.data, f"{name}.indices": matrix.indices, f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.array(matrix.shape),
    }  # fmt: skip


def _from(held: Arrays, name: str) -> csr_array:
    parts = tuple(held[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return csr_array(parts, shape=tuple(int(n) for n in held[f"{name}.shape"]))
