"""The same people under other conditions: two tables that say of everybody in a cell what only one of them asks.

How many people work long hours, and then how many of them are also paid: where the second figure is of the
same people, everybody who works long hours is paid (class disclosure by two releases; Hundepool et al.,
"Statistical Disclosure Control", 2012, 5.3). No difference shows it, because there is none.
"""

import numpy as np
from numpy.typing import NDArray

from integrated_data.model.output import Cell, Signature
from integrated_data.output.remembered import Remembered


def otherwise(one: Signature, other: Signature) -> bool:
    """Whether two tables choose their rows otherwise, so that cells of the same people tell more than each alone.

    One column given one value in each (this year, last year) is a panel seen twice: neither is narrower. Nor is a
    condition on keys alone, since the table shows by itself how they are spread. Where it is not known how one of
    them chooses, other rows are chosen otherwise.
    """
    if not set(one.datasets) & set(other.datasets):
        return False
    if one.conditions is None or other.conditions is None:
        return one.base != other.base
    mine, theirs = ({c[1] for c in signature.conditions or ()} for signature in (one, other))
    shown = {_column(key) for key in (*one.keys, *other.keys)}
    for _, pinned, *named in set(one.conditions) ^ set(other.conditions):
        panel = pinned and pinned in mine & theirs
        if not panel and not (named and shown.issuperset(named)):
            return True
    return False


def _column(key: str) -> str:
    """The column that a key is, whatever a query calls its table; nothing for one that is computed."""
    name = key.rpartition(".")[2].strip('"').casefold()
    return name if name.isidentifier() else ""


def same_people(one: Remembered, other: Remembered) -> list[Cell]:
    """Published cells of one table whose people are exactly those of a published cell of the other."""
    if not np.isin(one.membership.people, other.membership.people).any():
        return []  # without a look at who they are
    theirs = np.concatenate([np.zeros(0, np.uint64), *(prints for _, prints in _shown(other))])
    return list(dict.fromkeys(
        cell for cells, prints in _shown(one)
        for cell, known in zip(cells, np.isin(prints, theirs[theirs != 0]), strict=True) if known
    ))  # fmt: skip


def _shown(table: Remembered) -> list[tuple[list[Cell], NDArray[np.uint64]]]:
    """Published cells of everybody, and who is in each."""
    return [
        ([cell for cell, shown in zip(figure.cells, figure.published, strict=True) if shown],
         prints[np.array(figure.published, bool), 0])
        for figure, prints in zip(table.figures, table.prints, strict=True) if figure.measure < 0 and not figure.others
    ]  # fmt: skip
