"""Tables as the ledger remembers them, drawn as the cell that each person is in: 0 for none."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from integrated_data.model.output import Cell
from integrated_data.output.differencing import Level
from integrated_data.output.remembered import Added, Figure, Remembered, Told, in_blocks, prints_of


def grouped(cells: Sequence[int], *, below: int, total: bool = False) -> Remembered:
    """A count of people by cell, cells of fewer than `below` withheld; with everybody's total, where asked for."""
    codes = np.array(cells, np.uint32)
    count = int(codes.max(initial=0))
    sizes = np.bincount(codes, minlength=count + 1)[1:]
    levels = [Level(csr_array(np.eye(count + 1, dtype=np.int64)[1:]), disjoint=True)]
    named = tuple(Cell((False,), (str(n),)) for n in range(1, count + 1))
    figures = [Figure(named, tuple(bool(size >= below) for size in sizes))]
    if total:
        levels.append(Level(csr_array((np.arange(count + 1) > 0).astype(np.int64)[None]), disjoint=True))
        figures.append(Figure((Cell((True,), (None,)),), (bool(sizes.sum() >= below),)))
    who = np.flatnonzero(codes).astype(np.uint32)
    who = who[np.argsort(codes[who], kind="stable")]
    ones = np.ones(len(who), np.int64)
    inside = tuple(csr_array(level.members[:, 1:]) for level in levels)
    added = Added(who, (codes[who] - 1).astype(np.int32), ones > 0, ones, {}, inside)
    prints = prints_of(added, measures=1)
    told = Told(tuple(figures), ("count(*)",), (True,), prints)
    membership = in_blocks(tuple(levels), codes, counted=np.arange(count + 1) > 0, prints=prints)
    return Remembered(membership, lambda: told, lambda: added)


def published(tables: Sequence[Remembered], *, people: int) -> NDArray[np.float64]:
    """Published cells × people, 1 for those who are in a cell."""
    rows = []
    for table in tables:
        codes = np.concatenate([table.membership.block(n) for n in range(table.membership.blocks)])
        for level, figure in zip(table.membership.levels, table.figures, strict=True):
            cells = level.members.toarray()[:, codes]
            rows += [cell for cell, shown in zip(cells, figure.published, strict=True) if shown]
    return np.array(rows, np.float64).reshape(-1, people)
