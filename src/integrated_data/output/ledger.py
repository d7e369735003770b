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

import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from integrated_data.model.output import Cell
from integrated_data.output.differencing import Codes, Membership
from integrated_data.output.lookup import places
from integrated_data.output.remembered import Added, Figure, Remembered, Told
from integrated_data.output.sealing import Arrays, Seal

#: The file that is locked while the ledger is open.
LOCK = ".lock"


@dataclass(frozen=True)
class Kept:
    """A table of the ledger. `request` it left with, `place` of its files, `index` of its people."""

    request: str
    index: str
    place: Path
    table: Remembered

    @property
    def number(self) -> int:
        """Which table of its request it is, from 0."""
        return number_of(self.place)


def number_of(place: Path) -> int:
    """The number in a table's name, `<request>.<number>-<unit>`."""
    return int(place.name.rsplit(".", 1)[1].split("-")[0])


class Ledger:
    """The ledger under a folder. `key`: 32 bytes of the service's own keyring; identity keys are others.

    `earlier`: keys that files may still be sealed with, while they are changed.
    """

    def __init__(self, folder: Path, key: bytes, *, earlier: Sequence[bytes] = ()) -> None:
        self._folder, self._seal = folder, Seal((key, *earlier))
        self._draws = hmac.new(key, b"draws", hashlib.sha256).digest()

    def draw(self, what: str) -> float:
        """A number from 0 to below 1 that some words always get, and that nobody foresees without the ledger's key."""
        return int.from_bytes(hmac.new(self._draws, what.encode(), hashlib.sha256).digest()[:8], "big") / 2**64

    def put_numbers(self, index: str, project: str, *, keys: NDArray[np.int64], numbers: NDArray[np.uint32]) -> None:
        """Keep the ledger numbers of a project's keys, with those that it has already."""
        held = self._numbers(index, project)
        if held is not None:
            keys, numbers = np.concatenate([held[0], keys]), np.concatenate([held[1], numbers])
        keys, first = np.unique(keys, return_index=True)
        self._seal.write(self._place(index, project), {"keys": keys, "numbers": numbers[first]})
        given = max(self.people(index), int(numbers.max(initial=0)) + 1)
        self._seal.write(self._folder / "given" / index, {"given": np.array([given])})

    def forget(self, project: str) -> None:
        """Forget a project's keys, which are destroyed; what left stays, by number."""
        for place in (self._folder / "numbers").glob(f"*/{project}"):
            place.unlink()

    def forget_keys(self, index: str, project: str, *, keys: NDArray[np.int64]) -> None:
        """Forget which numbers some keys of a project have: what left stays, and leads to nobody."""
        held = self._numbers(index, project)
        if held is not None and np.isin(held[0], keys).any():
            stays = ~np.isin(held[0], keys)
            self._seal.write(self._place(index, project), {"keys": held[0][stays], "numbers": held[1][stays]})

    def renumber(self, index: str, now: NDArray[np.uint32]) -> None:
        """Give the keys of every project the numbers that stand for theirs. `now`: of each number given."""
        for place in (self._folder / "numbers" / index).glob("[!.]*"):
            held = self._numbers(index, place.name)
            if held is not None:
                self._seal.write(place, {"keys": held[0], "numbers": now[held[1]]})

    def people(self, index: str) -> int:
        """How many people of an index have a number."""
        place = self._folder / "given" / index
        return int(self._seal.read(place)[1]["given"][0]) if place.exists() else 0

    def numbers(self, index: str, project: str, *, keys: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """The ledger number of each key of a project; None when one has none."""
        held = self._numbers(index, project)
        if held is None:
            return None if len(keys) else np.zeros(0, np.uint32)
        where = places(held[0], keys)
        return None if np.any(where < 0) else held[1][where]

    def write(self, place: Path, table: Remembered, *, lasting: bool = True) -> None:
        """Write a table to a folder of its own, named as the table is; `lasting`: to disk before it returns."""
        membership = table.membership
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        head: Arrays = {
            "classes": membership.classes,
            "ends": membership.ends,
            "where": membership.where,
            "disjoint": np.array(membership.disjoint),
            "sizes": membership.sizes,
            "counted": membership.counted,
            "blocks": np.array([membership.blocks, membership.numbers, membership.few, membership.margin]),
            "small_who": membership.small[0],
            "small_class": membership.small[1],
            "block": membership.block(0) if membership.blocks else np.zeros(0, np.uint8),
        }
        self._seal.write(place / "head", head, squeezed=False, lasting=lasting)
        for number in range(1, membership.blocks):
            self._seal.write(place / f"block-{number}", {"block": membership.block(number)}, lasting=lasting)
        told = {f"prints{n}": prints.ravel() for n, prints in enumerate(table.prints)}
        self._seal.write(place / "told", told, about=_about(table), lasting=lasting)
        added = table.added()
        rest: Arrays = {"number": added.number, "group": added.group, "counted": added.counted, "rows": added.rows}
        rest |= {f"sum{n}": amounts for n, amounts in added.sums.items()}
        for number, inside in enumerate(added.inside):
            rest |= _matrix(f"inside{number}", inside)
        self._seal.write(place / "added", rest, lasting=lasting)

    def read(self, place: Path) -> Remembered:
        """A table from its folder; all but its head is read when it is asked for."""
        _, head = self._seal.read(place / "head")
        blocks, numbers, few, margin = (int(n) for n in head["blocks"])
        told = cache(lambda: self._told(place))

        def block(number: int) -> Codes:
            return head["block"] if number == 0 else self._seal.read(place / f"block-{number}")[1]["block"]

        membership = Membership(
            head["classes"].astype(np.int32), head["ends"].astype(np.int32), head["where"].astype(np.intp),
            tuple(bool(d) for d in head["disjoint"]), head["sizes"].astype(np.int64), head["counted"],
            block, blocks, numbers, (head["small_who"], head["small_class"]), few, margin,
            cache(lambda: np.concatenate([p[:, 0] for p in told().prints])),
        )  # fmt: skip
        return Remembered(membership, told, cache(lambda: self._added(place)))

    def adopt(self, place: Path, *, index: str, name: str) -> None:
        """Take a table that was written elsewhere into the ledger, in place of one of that name."""
        target = self._folder / "tables" / index / name
        part = target.with_name(f".{name}.{secrets.token_hex(4)}")
        part.mkdir(mode=0o700, parents=True)
        for file in place.iterdir():
            os.link(file, part / file.name)
        self.exchange(part, target)

    def exchange(self, place: Path, target: Path) -> None:
        """Put the folder of a table in the place of another of its name, or of none."""
        gone = target.with_name(f".{target.name}.gone.{secrets.token_hex(4)}")
        if target.exists():
            target.rename(gone)
        place.rename(target)
        shutil.rmtree(gone, ignore_errors=True)

    def remove(self, request: str) -> int:
        """Destroy what is kept of a request's tables; how many there were."""
        gone = [*(self._folder / "tables").glob(f"*/{request}.*")]
        for place in gone:
            shutil.rmtree(place)
        return len(gone)

    def reseal(self, *beside: Path) -> int:
        """Seal all with the key of today, and tables in folders `beside` the ledger; how many files were changed."""
        files = [f for folder in (self._folder, *beside) for f in folder.rglob("*") if f.is_file() and f.name != LOCK]
        return sum(self._seal.reseal(file) for file in files)

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
        _, held = self._seal.read(place)
        return held["keys"].astype(np.int64, copy=False), held["numbers"].astype(np.uint32, copy=False)

    def _told(self, place: Path) -> Told:
        about, held = self._seal.read(place / "told")
        figures, words = tuple(_figure(told) for told in about["figures"]), tuple(about["words"])
        prints = tuple(held[f"prints{n}"].astype(np.uint64).reshape(-1, 1 + len(words)) for n in range(len(figures)))
        return Told(figures, words, tuple(about["counts"]), prints)

    def _added(self, place: Path) -> Added:
        _, held = self._seal.read(place / "added")
        sums = {int(name.removeprefix("sum")): a for name, a in held.items() if name.startswith("sum")}
        figures = sum(1 for name in held if name.startswith("inside") and name.endswith(".shape"))
        inside = tuple(_from(held, f"inside{n}") for n in range(figures))
        number, group = held["number"].astype(np.uint32), held["group"].astype(np.int32)
        return Added(number, group, held["counted"], held["rows"].astype(np.int64), sums, inside)


def _about(table: Remembered) -> dict[str, Any]:
    figures = [{**vars(f), "cells": [vars(cell) for cell in f.cells]} for f in table.figures]
    return {"figures": figures, "words": table.words, "counts": table.counts}


def _figure(told: Mapping[str, Any]) -> Figure:
    cells = tuple(Cell(tuple(cell["total"]), tuple(cell["values"])) for cell in told["cells"])
    return Figure(cells, tuple(told["published"]), told["measure"], told["others"])


def _matrix(name: str, matrix: csr_array) -> Arrays:
    """A matrix of ones."""
    return {
        f"{name}.indices": matrix.indices, f"{name}.indptr": matrix.indptr, f"{name}.shape": np.array(matrix.shape),
    }  # fmt: skip


def _from(held: Arrays, name: str) -> csr_array:
    indices, indptr = (held[f"{name}.{part}"].astype(np.int32) for part in ("indices", "indptr"))
    shape = (int(held[f"{name}.shape"][0]), int(held[f"{name}.shape"][1]))
    return csr_array((np.ones(len(indices), np.int64), indices, indptr), shape=shape)
