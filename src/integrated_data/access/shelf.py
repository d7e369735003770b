"""Where projects' scratch tables lie: beside the project's copies, under the same mode, within a quota.

    projects/<project>/scratch/<table>.json       what it is, what it rests on, until when
                               <table>-….parquet  its rows
                               .lock              one change at a time

A table is there when its .json is; a file without one is what a kill left, and is swept away.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.access.running import QueryFailure, Written
from integrated_data.access.scratch import Origin, Table, Wish, told
from integrated_data.model.errors import AbsentRefusal, QueryRefusal
from integrated_data.model.query import SCRATCH, Failure

LOCK = ".lock"

#: Seconds that rows may lie before they are a table: younger ones may be in the making.
BEING_MADE = 3600.0


@dataclass(frozen=True)
class Shelf:
    """Scratch tables of every project. `projects`: the folder of what was provisioned; `quota`: bytes that
    the tables of one project may take; `days`: how long each is kept.
    """

    projects: Path
    quota: int = 10 * 2**30
    days: int = 30

    def tables(self, project: str, *, at: datetime) -> dict[str, Table]:
        """A project's tables that are kept at a moment, by name."""
        kept = (table for table in self._all(project) if table.until > at)
        return {table.name: table for table in sorted(kept, key=lambda t: t.name)}

    def check_new(self, project: str, name: str, *, at: datetime) -> int:
        """Bytes that are left for a new table; refuses a name that is taken, and a project that has no room."""
        held = self.tables(project, at=at)
        if name in held:
            raise QueryRefusal(
                f"There is a table {SCRATCH}.{name} already", next_step=f"Drop it first: DROP TABLE {SCRATCH}.{name}"
            )
        left = self.quota - sum(table.bytes for table in held.values())
        if left <= 0:
            raise self.full(project, at=at)
        return left

    def full(self, project: str, *, at: datetime) -> QueryRefusal:
        """What a project is told whose tables would take more than its quota."""
        held = ", ".join(f"{t.name} ({_size(t.bytes)})" for t in self.tables(project, at=at).values()) or "none"
        return QueryRefusal(
            f"The table would take the project's scratch space over its quota of {_size(self.quota)}",
            why=f"Its tables are: {held}",
            next_step=f"Keep fewer rows or columns, or drop a table: DROP TABLE {SCRATCH}.NAME",
        )

    def place(self, project: str, name: str) -> Path:
        """Where the rows of a new table go, before it is put there."""
        folder = self._folder(project)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{name}-{secrets.token_hex(8)}.parquet"

    def put(self, project: str, table: Table, *, rows: Path) -> Table:
        """Keep a new table whose rows are written; says what it is then. Rows that are not kept are deleted.

        What was there first stays: of two who make a table of one name at once, the second is refused.
        """
        try:
            with self._alone(project):
                size = rows.stat().st_size
                if size > self.check_new(project, table.name, at=table.at):
                    raise self.full(project, at=table.at)
                until = table.at + timedelta(days=self.days)
                made = replace(table, place=str(rows.relative_to(self.projects)), bytes=size, until=until)
                _write(self._folder(project) / f"{table.name}.json", made)
        except BaseException:
            rows.unlink(missing_ok=True)
            raise
        return made

    def drop(self, project: str, name: str, *, at: datetime) -> Table:
        """Delete a table; refuses where there is none."""
        found = self.tables(project, at=at).get(name)
        if found is None:
            raise AbsentRefusal(
                f"There is no table {SCRATCH}.{name}",
                next_step=f"The project's scratch tables are: {', '.join(self.tables(project, at=at)) or 'none'}",
            )
        with self._alone(project):
            self._remove(project, found)
        return found

    def sweep(self, project: str, *, at: datetime, held: Mapping[str, str]) -> tuple[str, ...]:
        """Delete tables that are past their day or rest on copies that are gone, and what a kill left; their names.

        `held`: places of the copies that are opened for the project, by view in lower case.
        """
        folder = self._folder(project)
        if not folder.is_dir():
            return ()
        with self._alone(project):
            gone = [t for t in self._all(project) if t.until <= at or not _rests(t, held)]
            for table in gone:
                self._remove(project, table)
            named = {self.projects / table.place for table in self._all(project)}
            for stray in (p for p in folder.iterdir() if p.suffix in (".parquet", ".part") and p not in named):
                if at.timestamp() - stray.stat().st_mtime > BEING_MADE:
                    stray.unlink(missing_ok=True)
        return tuple(sorted(table.name for table in gone))

    def destroy(self, project: str) -> int:
        """Delete everything of a project's; returns how many tables there were."""
        tables = sum(1 for _ in self._all(project))
        shutil.rmtree(self._folder(project), ignore_errors=True)
        return tables

    def having(self) -> tuple[str, ...]:
        """Projects that have a scratch folder, by id."""
        if not self.projects.is_dir():
            return ()
        return tuple(sorted(p.name for p in self.projects.iterdir() if (p / SCRATCH).is_dir()))

    def _folder(self, project: str) -> Path:
        return self.projects / project / SCRATCH

    def _all(self, project: str) -> Iterator[Table]:
        folder = self._folder(project)
        for place in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            try:
                yield _read(json.loads(place.read_text(encoding="utf-8")))
            except FileNotFoundError:  # dropped meanwhile
                continue

    def _remove(self, project: str, table: Table) -> None:
        (self._folder(project) / f"{table.name}.json").unlink(missing_ok=True)
        (self.projects / table.place).unlink(missing_ok=True)

    @contextmanager
    def _alone(self, project: str) -> Iterator[None]:
        """One change of a project's tables at a time, over all processes."""
        descriptor = os.open(self._folder(project) / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def fulfil(
    shelf: Shelf, wish: Wish, *, project: str, new: Table, write: Callable[[Path, int], Written]
) -> tuple[dict[str, str], pa.Table]:
    """Do what a statement wishes; returns what is noted of it, and what is said of the table.

    `new`: what the table rests on. `write` puts its rows at a place, in so many bytes at most.
    """
    if wish.select is None:
        return {"dropped": wish.name}, told(shelf.drop(project, wish.name, at=new.at))
    left, place = shelf.check_new(project, wish.name, at=new.at), shelf.place(project, wish.name)
    try:
        written = write(place, left)
        made = shelf.put(project, replace(new, columns=written.columns, rows=written.rows), rows=place)
    except QueryFailure as failure:
        raise shelf.full(project, at=new.at) if failure.failure is Failure.QUOTA else failure from None
    except OSError:  # a full disk, or a folder that was taken away with the project
        raise QueryRefusal(
            "The rows could not be kept",
            why="The disk is full, or the project was closed meanwhile",
            next_step="Try again later, or tell whoever runs the service",
        ) from None
    return {"made": wish.name}, told(made)


def _rests(table: Table, held: Mapping[str, str]) -> bool:
    return all(held.get(origin.view.lower()) == origin.place for origin in table.origins)


def _write(place: Path, table: Table) -> None:
    """Write what a table is, whole or not at all."""
    body = asdict(table) | {"at": table.at.isoformat(), "until": table.until.isoformat()}
    part = place.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(place)


def _read(body: dict[str, Any]) -> Table:
    origins = tuple(Origin(o["view"], o["place"], tuple(o["columns"])) for o in body["origins"])
    moments = {key: datetime.fromisoformat(body[key]) for key in ("at", "until")}
    return Table(**{**body, "columns": tuple(body["columns"]), "origins": origins, **moments})


def _size(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB" if size >= 2**27 else f"{size / 2**20:,.1f} MiB"
