"""What a catalogue entry tells of a table's columns: of all that is read, as far as that costs little.

Where deliveries are added, a table grows and each of them would read all of it again. Beyond some files or values, only
least and greatest are still the whole table's, which stand in the files' footers; the rest is of the newest delivery,
and says so.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine, Stored
from integrated_data.model.contract import Contract
from integrated_data.model.meanings import Handling
from integrated_data.validate.profile import ColumnProfile, profile, ranges

#: Files, and values, of a table up to which all of it is read for each delivery.
MOST_FILES, MOST_VALUES = 64, 10_000_000
#: What a profile says it is of, where it is not of the whole table.
NEWEST = "newest delivery"

_NEWEST = "profiled_newest"

Profiles = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table in a `relation`: about how many rows, its files, and those of them that hold the newest delivery."""

    relation: str
    rows: int
    files: Sequence[Path]
    newest: Sequence[Path]


def profiles(engine: Engine, contract: Contract, *, table: Table, withheld: Collection[str] = ()) -> Profiles:
    """The profile of every column of a table, by name.

    Of what is `withheld` now, although earlier deliveries showed it, there are counts alone.
    """
    columns = engine.columns(table.relation)
    shown = _shown(contract, there=columns, withheld=withheld)
    few = len(table.files) <= MOST_FILES and table.rows * len(columns) <= MOST_VALUES
    if few or {f.name for f in table.files} <= {f.name for f in table.newest}:
        return plain(profile(engine, shown, relation=table.relation))
    engine.load(_NEWEST, Stored(tuple(table.newest), sealed=False))
    try:
        theirs = _shown(shown, there=engine.columns(_NEWEST))
        found = plain(profile(engine, theirs, relation=_NEWEST))
    finally:
        engine.drop(_NEWEST)
    whole = ranges(engine, shown, relation=table.relation)
    return {c.name: found.get(c.name, {}) | whole.get(c.name, {}) | {"of": NEWEST} for c in shown.columns}


def plain(found: Sequence[ColumnProfile]) -> Profiles:
    """Profiles as an entry tells them."""
    return {p.name: {k: v for k, v in asdict(p).items() if k != "name" and v not in (None, ())} for p in found}


def _shown(contract: Contract, *, there: Collection[str], withheld: Collection[str] = ()) -> Contract:
    return replace(contract, columns=tuple(
        replace(c, handling=Handling.WITHHELD) if c.name in withheld else c
        for c in contract.columns if c.name in there
    ))  # fmt: skip
