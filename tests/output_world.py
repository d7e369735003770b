"""A small drawn project for output tests: tables as views, a log of queries, the gate in front of the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from integrated_data.access.gate import check_query
from integrated_data.access.views import of_grants
from integrated_data.control import grants, projects, queries
from integrated_data.control.store import Store
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest, Grant, Person, Project, QueryState
from integrated_data.model.agreement import Conditions, Purpose
from integrated_data.model.output import Ask, CheckReport, OutputRequest, View
from integrated_data.model.people import Role
from integrated_data.output import release, request
from integrated_data.output.ledger import Ledger
from integrated_data.site.parser import DuckDBParser
from tests.worlds import AGREEMENT

AUTHOR, REVIEWERS = "ada", ("rita", "rob", "ruth")

#: A project's keys look like this: spread over 63 bits.
KEY = 4_611_686_018_427_387_904


def key(person: int | None) -> int | None:
    return None if person is None else KEY + person * 7_919


@dataclass
class World:
    """One project, P-1, with some views; `folder` is the outputs folder."""

    store: Store
    engine: DuckDB
    parser: DuckDBParser
    folder: Path
    tables: Mapping[str, pa.Table]
    ran: list[str] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder.parent / "ledger", b"of the ledger of a drawn project")
        asked = tuple(DatasetRequest(name, tuple(t.column_names), ("person",)) for name, t in self.tables.items())
        project = Project(
            "P-1", "Health and work", Purpose.RESEARCH, "University", AUTHOR, (AUTHOR, "ben"), asked,
            date(2026, 1, 1), date(2027, 1, 1),
        )  # fmt: skip
        projects.add_project(self.store, project, by=AUTHOR)
        for reviewer in REVIEWERS:
            checker = Person(reviewer, reviewer, "Service", roles=(Role.OUTPUT_CHECKER,))
            projects.add_person(self.store, checker, by="steward")
        for name, table in self.tables.items():
            self.provision(name, table)

    def provision(self, name: str, table: pa.Table, release: int = 1) -> None:
        """Give the project this table under this name, instead of what it had."""
        self.engine.load(name, Held(table))
        keys = np.unique(table["person_key"].drop_null().to_numpy())
        numbers = [self.numbers.setdefault(int(k), len(self.numbers)) for k in keys]
        self.ledger.put_numbers("person", "P-1", keys=keys, numbers=np.array(numbers, np.uint32))
        grant = Grant("P-1", name, release, name, tuple(table.column_names), ("person",), "", 0, 0, 0.0)
        grants.activate(self.store, grant, by="steward")

    def agree(self, dataset: str, conditions: Conditions) -> None:
        """What the owner of a dataset asks of every output."""
        agreement = AGREEMENT.__class__(**{**vars(AGREEMENT), "dataset": dataset, "conditions": conditions})
        projects.add_agreement(self.store, agreement, by="owner")

    def run(self, sql: str) -> pa.Table:
        """One query through the gate to the engine."""
        with self.store.read() as connection:
            views = of_grants(grants.active(connection, project="P-1"))
        check_query(sql, views, parser=self.parser)
        self.ran.append(sql)
        return self.engine.rows(sql)

    def log(self, sql: str, *, project: str = "P-1", state: QueryState = QueryState.DONE) -> str:
        """A query of the project's log; returns its id."""
        number = f"q{len(self.ran)}-{abs(hash((sql, project, state))) % 10**8}"
        queries.begin(self.store, number, project=project, person=AUTHOR, state=state, body={"sql": sql})
        return number

    def ask(self, *sql: str, again: str = "", title: str = "Health and work") -> OutputRequest:
        ask = Ask("P-1", AUTHOR, tuple(self.log(s) for s in sql), title, request=again)
        return request.request(self.store, self.run, ask=ask, folder=self.folder)

    def check(self, asked: OutputRequest) -> CheckReport:
        return request.check(
            self.store, self.run, request=asked.id, actor="service", folder=self.folder, ledger=self.ledger
        )

    def checked(self, *sql: str) -> CheckReport:
        return self.check(self.ask(*sql))

    def released(self, *sql: str) -> dict[str, str]:
        """The files that leave for these queries, by name."""
        report = self.checked(*sql)
        place = release.release(
            self.store, request=report.request, actor=AUTHOR, folder=self.folder, ledger=self.ledger
        )
        return {file.name: file.read_text(encoding="utf-8") for file in sorted(place.iterdir())}


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
