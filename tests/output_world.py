"""A small drawn project for output tests: tables as views, a log of queries, the gate in front of the engine."""

import shutil
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from integrated_data.access.gate import check_query
from integrated_data.access.views import of_grants
from integrated_data.control import grants, projects, queries
from integrated_data.control.store import Store, sqlite
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest, Grant, Person, Project, QueryState
from integrated_data.model.agreement import Conditions, Purpose
from integrated_data.model.output import UNITS, Ask, CheckReport, Lane, OutputRequest, View, Vote
from integrated_data.model.people import Role
from integrated_data.output import release, request, review
from integrated_data.output.ledger import Ledger
from integrated_data.site.parser import DuckDBParser
from tests.worlds import AGREEMENT

AUTHOR, REVIEWERS = "ada", ("rita", "rob", "ruth")

LEDGER_KEY = b"of the ledger of a drawn project"

#: A project's keys look like this: spread over 63 bits.
KEY = 4_611_686_018_427_387_904


def key(person: int | None) -> int | None:
    return None if person is None else KEY + person * 7_919


@dataclass
class World:
    """A project with some views; `folder` is the outputs folder, the store's file and the ledger lie beside it.

    Projects of one service share the store, the folder and `numbers`; each has an engine and keys of its own.
    """

    store: Store
    engine: DuckDB
    parser: DuckDBParser
    folder: Path
    tables: Mapping[str, pa.Table]
    ran: list[str] = field(default_factory=list)
    numbers: dict[str, dict[int, int]] = field(default_factory=dict)
    project: str = "P-1"
    author: str = AUTHOR
    team: tuple[str, ...] = (AUTHOR, "ben")
    spread: int = 1

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder.parent / "ledger", LEDGER_KEY)
        asked = tuple(DatasetRequest(name, tuple(t.column_names), ("person",)) for name, t in self.tables.items())
        project = Project(
            self.project, "Health and work", Purpose.RESEARCH, "University", self.author, self.team, asked,
            date(2026, 1, 1), date(2027, 1, 1),
        )  # fmt: skip
        projects.add_project(self.store, project, by=self.author)
        with self.store.read() as connection:
            known = {person.id for person in projects.people(connection)}
        for reviewer in (r for r in REVIEWERS if r not in known):
            checker = Person(reviewer, reviewer, "Service", roles=(Role.OUTPUT_CHECKER,))
            projects.add_person(self.store, checker, by="steward")
        for name, table in self.tables.items():
            self.provision(name, table)

    def anew(self, folder: Path) -> "World":
        """The same project as it stands, in a service whose history goes on in another folder."""
        if not folder.exists():
            folder.mkdir(parents=True)
            shutil.copy(self.folder.parent / "control.sqlite", folder)
            shutil.copytree(self.folder.parent / "ledger", folder / "ledger")
        other = copy(self)
        other.folder, other.ran = folder / "outputs", list(self.ran)
        other.store = Store(sqlite(folder / "control.sqlite"))
        other.ledger = Ledger(folder / "ledger", b"of the ledger of a drawn project")
        return other

    def provision(self, name: str, table: pa.Table, release: int = 1) -> None:
        """Give the project this table under this name, with keys of its own, instead of what it had."""
        for unit in (column for column in UNITS if column in table.column_names):
            shared = table[unit].to_pylist()
            own = pa.array([None if k is None else KEY + (k - KEY) * self.spread for k in shared], pa.int64())
            table = table.set_column(table.column_names.index(unit), unit, own)
            keys, first = np.unique(own.drop_null().to_numpy(), return_index=True)
            given = self.numbers.setdefault(unit, {})
            behind = [k for k in shared if k is not None]
            numbers = [given.setdefault(int(behind[n]), len(given)) for n in first]
            index = unit.removesuffix("_key")
            self.ledger.put_numbers(index, self.project, keys=keys, numbers=np.array(numbers, np.uint32))
        self.engine.load(name, Held(table))
        grant = Grant(self.project, name, release, name, tuple(table.column_names), ("person",), "", 0, 0, 0.0)
        grants.activate(self.store, grant, by="steward")

    def agree(self, dataset: str, conditions: Conditions) -> None:
        """What the owner of a dataset asks of every output."""
        agreement = AGREEMENT.__class__(**{**vars(AGREEMENT), "dataset": dataset, "conditions": conditions})
        projects.add_agreement(self.store, agreement, by="owner")

    def run(self, sql: str) -> pa.Table:
        """One query through the gate to the engine."""
        with self.store.read() as connection:
            views = of_grants(grants.active(connection, project=self.project))
        check_query(sql, views, parser=self.parser)
        self.ran.append(sql)
        return self.engine.rows(sql)

    def log(self, sql: str, *, project: str = "", state: QueryState = QueryState.DONE) -> str:
        """A query of the project's log; returns its id."""
        project = project or self.project
        number = f"q{len(self.ran)}-{abs(hash((sql, project, state))) % 10**8}"
        queries.begin(self.store, number, project=project, person=self.author, state=state, body={"sql": sql})
        return number

    def ask(self, *sql: str, again: str = "", title: str = "Health and work") -> OutputRequest:
        ask = Ask(self.project, self.author, tuple(self.log(s) for s in sql), title, request=again)
        return request.request(self.store, self.run, ask=ask, folder=self.folder)

    def check(self, asked: OutputRequest) -> CheckReport:
        return request.check(
            self.store, self.run, request=asked.id, actor="service", folder=self.folder, ledger=self.ledger
        )

    def checked(self, *sql: str) -> CheckReport:
        return self.check(self.ask(*sql))

    def leave(self, report: CheckReport) -> Path:
        """Release what was checked, once two reviewers have agreed where people decide; its folder."""
        if report.lane is Lane.REVIEW:
            for reviewer in REVIEWERS[: review.NEEDED]:
                review.review(
                    self.store, request=report.request, reviewer=reviewer, vote=Vote.APPROVE, sha256=report.sha256
                )
        return release.release(
            self.store, request=report.request, actor=self.author, folder=self.folder, ledger=self.ledger
        )

    def released(self, *sql: str) -> dict[str, str]:
        """The files that leave for these queries, by name."""
        place = self.leave(self.checked(*sql))
        return {file.name: file.read_text(encoding="utf-8") for file in sorted(place.iterdir()) if file.is_file()}

    def left(self, *sql: str) -> Path:
        """The folder of a release of these queries."""
        return self.leave(self.checked(*sql))


def views_of(tables: Mapping[str, pa.Table]) -> dict[str, View]:
    """Views as the check knows them."""
    return {name: View(tuple(t.column_names), "person_key") for name, t in tables.items()}


def people(*rows: tuple[object, ...], columns: str) -> pa.Table:
    """A table of rows (people's number first, None for an unmatched row), columns named in one string."""
    names = columns.split()
    held = {name: [row[n] for row in rows] for n, name in enumerate(names, start=1)}
    return pa.table({"person_key": pa.array([key(row[0]) for row in rows], pa.int64()), **held})


def repeated(*groups: tuple[int, tuple[object, ...]], columns: str, first: int = 0) -> pa.Table:
    """`count` people with the same values, group after group; every row another person."""
    rows, person = [], first
    for count, values in groups:
        for _ in range(count):
            rows.append((person, *values))
            person += 1
    return people(*rows, columns=columns)
