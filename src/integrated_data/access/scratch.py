"""A project's scratch tables: the two statements that make and drop them, and what a table rests on.

Neither statement ever reaches the engine: the service reads its few fixed words, the gate checks the
SELECT within as it checks any query, a worker runs that SELECT and nothing else, and the service keeps
the rows. So a statement can name no other schema, file or option: there is no place for one.

A table rests on the project's copies that its rows came from. It may be read by whoever may read
all of their columns behind it, at that moment, and for as long as those very copies are the ones that
are opened: another release, other links, another key or a coarser rule end it, as do revoking and freezing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from integrated_data.access.views import View, lower
from integrated_data.model.errors import AgreementRefusal, QueryRefusal
from integrated_data.model.query import SCRATCH

#: Characters of what a table's definition may come to, those of the tables it was made from included.
LONGEST = 100_000

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_GAP = r"[ \t\r\n]+"
_MAKE = re.compile(rf"\s*CREATE{_GAP}TABLE{_GAP}{SCRATCH}\.({_NAME}){_GAP}AS\b(.*)", re.I | re.S | re.A)
_DROP = re.compile(rf"\s*DROP{_GAP}TABLE{_GAP}{SCRATCH}\.({_NAME})\s*;?\s*", re.I | re.A)

#: Names that the engine or the service keeps for itself.
_KEPT = re.compile(r"(duckdb|pg|sqlite|pragma)_|information_schema$|pg_catalog$|__")


@dataclass(frozen=True)
class Wish:
    """What a statement asks of scratch: to make table `name` of the rows of `select`, or (None) to drop it."""

    name: str
    select: str | None


@dataclass(frozen=True)
class Origin:
    """One copy that a scratch table's rows came from, by its place, and the columns of it that they may show."""

    view: str
    place: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A scratch table. `place`: its file under the projects folder; `until`: it is gone from then on.

    `made`: its SELECT and, by name, what the scratch tables in it were made from, nested in the same way;
    None where that is too long to keep, so that nothing can be proven of what is made from it.
    """

    name: str
    origins: tuple[Origin, ...]
    made: Mapping[str, Any] | None
    person: str
    at: datetime
    until: datetime = datetime.max
    columns: tuple[str, ...] = ()
    place: str = ""
    rows: int = 0
    bytes: int = 0

    def view(self) -> View:
        """The table as a query may name it."""
        return View(f"{SCRATCH}.{self.name}", "", self.columns, (), self.place)


def wish(sql: str) -> Wish | None:
    """What a statement asks of scratch; None for a statement that is a query, or is for the gate to refuse."""
    made = _MAKE.fullmatch(sql)
    if made is not None:
        return Wish(lower(made[1]), made[2])
    dropped = _DROP.fullmatch(sql)
    return None if dropped is None else Wish(lower(dropped[1]), None)


def check_wish(wish: Wish, views: Mapping[str, View], *, alone: bool) -> None:
    """Refuse a name for a new table that could be taken for another thing, and what is asked of it beside.

    `alone`: nothing else is asked in the same question, such as a model.
    """
    if not alone:
        raise QueryRefusal(
            "A statement about scratch tables is asked alone", next_step="Make the table first, then ask about its rows"
        )
    name = wish.name
    if wish.select is not None and (_KEPT.match(name) or name in views or name == SCRATCH):
        raise QueryRefusal(
            f"A scratch table may not be called {name}",
            why="A table of the project, or something of the service's own, has that name",
            next_step="Give it another name",
        )


def through(
    columns: Mapping[str, tuple[str, ...]], views: Mapping[str, View], *, tables: Mapping[str, Table]
) -> dict[str, tuple[str, ...]]:
    """The copies behind what a query reads: view name to columns; refuses a table that rests on one no longer held.

    `columns`: what it reads, by view name; `tables`: the project's scratch tables by name.
    """
    found: dict[str, dict[str, None]] = {}
    for name, read in columns.items():
        table = None if lower(name) in views else tables.get(name.removeprefix(f"{SCRATCH}."))
        if table is None:
            found.setdefault(name, {}).update(dict.fromkeys(read))
            continue
        for origin in table.origins:
            held = views.get(lower(origin.view))
            if held is None or held.place != origin.place:
                raise ended(table, origin)
            found.setdefault(held.name, {}).update(dict.fromkeys(origin.columns))
    return {name: tuple(read) for name, read in found.items()}


def ended(table: Table, origin: Origin) -> AgreementRefusal:
    """Why a table may no longer be read."""
    return AgreementRefusal(
        f"Table {SCRATCH}.{table.name} can no longer be read",
        why=f"It was made from a copy of {origin.view} that the project no longer holds: the data, the links or "
        "what is granted of them changed",
        next_step=f"Make it anew: DROP TABLE {SCRATCH}.{table.name}, then create it again from what is granted now",
    )


def no_links_behind(tables: Iterable[str]) -> QueryRefusal:
    """Why runs over other links say nothing of a query that reads scratch tables: theirs stay as they were made."""
    return QueryRefusal(
        f"How far it depends on links cannot be told of a query over {', '.join(f'{SCRATCH}.{t}' for t in tables)}",
        why="The rows of a scratch table stay as they were made",
        next_step="Write what it was made from into the query: WITH name AS (SELECT …)",
    )


def told(table: Table) -> pa.Table:
    """What is said of a table that was made or dropped: one row."""
    said = {"scratch_table": f"{SCRATCH}.{table.name}", "rows": table.rows, "bytes": table.bytes}
    return pa.Table.from_pylist([said | {"until": table.until.isoformat(timespec="minutes")}])


def definition(select: str, read: tuple[str, ...], *, tables: Mapping[str, Table]) -> dict[str, Any] | None:
    """How a table of these rows is made: see `Table.made`. `read`: names of the views that the SELECT reads."""
    made = made_from(read, tables=tables)
    if any(of is None for of in made.values()):
        return None
    whole: dict[str, Any] = {"sql": select, "of": made}
    return whole if len(json.dumps(whole)) <= LONGEST else None


def made_from(read: tuple[str, ...], *, tables: Mapping[str, Table]) -> dict[str, Any]:
    """How the scratch tables among the views that a query reads were made, by name."""
    names = [name.removeprefix(f"{SCRATCH}.") for name in read if name.startswith(f"{SCRATCH}.")]
    return {name: tables[name].made for name in names}
