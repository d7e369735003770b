"""Access words: people, projects, decisions and what is granted.

Dates are whole days and both ends count: an agreement that ends on 31 March still holds on that day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from integrated_data.model.agreement import Agreement, Conditions, Law, Purpose, Standing
from integrated_data.model.approval import Risk
from integrated_data.model.freezing import Freeze, Frozen
from integrated_data.model.output import ReleaseLimits
from integrated_data.model.people import Role
from integrated_data.model.shaping import Coarsening, RowFilter, Window


@dataclass(frozen=True)
class Accreditation:
    """A person's accreditation; a provisional one names its supervisor."""

    level: Standing
    starts: date
    ends: date
    supervisor: str | None = None


@dataclass(frozen=True)
class Person:
    """Somebody who uses the service. `trained_until` is the last day their training counts.

    `roles`: what they do in the service. `accounts`: other ids under which the same human being is on record.
    """

    id: str
    name: str
    organisation: str
    accreditation: Accreditation | None = None
    trained_until: date | None = None
    suspended: bool = False
    roles: tuple[Role, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetRequest:
    """What a project asks of one dataset: columns by name, and the indexes it wants to join by.

    A key `person` appears in the project's view as `person_key`, with
    `person_link_probability` and `person_link_method` beside it. `rows` and `window`: which rows it needs;
    every filter must hold.
    """

    dataset: str
    columns: tuple[str, ...]
    keys: tuple[str, ...] = ()
    rows: tuple[RowFilter, ...] = ()
    window: Window | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is used: those that are seen, and those by which rows are chosen."""
        chosen = [r.column for r in self.rows] + ([self.window.column] if self.window is not None else [])
        return tuple(dict.fromkeys([*self.columns, *chosen]))


class ProjectState(StrEnum):
    """Where a project stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"  # its last day is over, and its copies are gone; its keys stay until it is closed
    CLOSED = "closed"


class ProjectMover(StrEnum):
    """Who moves a project from one state to another."""

    APPLICANT = "applicant amends or extends"
    APPROVERS = "approvers"
    CALENDAR = "its last day passes"
    ANYBODY = "applicant or approver closes"


_S, _BY = ProjectState, ProjectMover

#: Allowed state changes and who makes them; the diagram in the documentation is drawn from this table.
PROJECT_MOVES: dict[ProjectState, dict[ProjectState, ProjectMover]] = {
    _S.PROPOSED: {_S.APPROVED: _BY.APPROVERS, _S.REFUSED: _BY.APPROVERS, _S.CLOSED: _BY.ANYBODY},
    _S.APPROVED: {
        _S.PROPOSED: _BY.APPLICANT, _S.REFUSED: _BY.APPROVERS, _S.EXPIRED: _BY.CALENDAR, _S.CLOSED: _BY.ANYBODY,
    },
    _S.REFUSED: {_S.PROPOSED: _BY.APPLICANT, _S.APPROVED: _BY.APPROVERS, _S.CLOSED: _BY.ANYBODY},
    _S.EXPIRED: {_S.PROPOSED: _BY.APPLICANT, _S.CLOSED: _BY.ANYBODY},
    _S.CLOSED: {},
}  # fmt: skip


@dataclass(frozen=True)
class Project:
    """One application: a question, the people who work on it, the data it needs.

    Keys follow the newest version of each index unless the project pins them: `index_versions` by the
    name of the index, or `as_at` for all of them, as they were known when that day was over (UTC).
    A programme (`is_programme`) is approved once and holds no copies; each analysis is a project of its own
    that names it in `programme`. `sponsor`: who pays. `risk`: what its ethics self-assessment came to.
    `limits`: what it holds its own outputs to, where that is stricter than its datasets ask.
    """

    id: str
    title: str
    purpose: Purpose
    organisation: str
    lead: str
    team: tuple[str, ...]
    datasets: tuple[DatasetRequest, ...]
    starts: date
    ends: date
    aims: str = ""
    methods: str = ""
    sponsor: str = ""
    public_benefit: str = ""
    ethics: str = ""
    risk: Risk = Risk.MEDIUM
    is_programme: bool = False
    programme: str = ""
    index_versions: Mapping[str, int] = field(default_factory=dict)
    as_at: date | None = None
    limits: ReleaseLimits = field(default_factory=ReleaseLimits)
    state: ProjectState = ProjectState.PROPOSED

    def request(self, dataset: str) -> DatasetRequest | None:
        """What the project asks of a dataset, or None."""
        return next((r for r in self.datasets if r.dataset == dataset), None)


@dataclass(frozen=True)
class AccessRequest:
    """One question put to the decision: may this person, in this project, use these columns?

    `dataset` None asks only whether the person may work in the project at all.
    """

    person: str
    project: str
    purpose: Purpose
    dataset: str | None = None
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """The facts a decision rests on; what is not here does not exist.

    `derived`: datasets that the service makes, each with the datasets it makes them from. `frozen`: what
    nothing is done with now.
    """

    law: Law
    agreements: tuple[Agreement, ...] = ()
    people: tuple[Person, ...] = ()
    projects: tuple[Project, ...] = ()
    derived: tuple[tuple[str, tuple[str, ...]], ...] = ()
    frozen: tuple[Freeze, ...] = ()

    def origins(self, dataset: str) -> tuple[str, ...]:
        """Everything a dataset is derived from, near or far, each once; none for one that is delivered."""
        found: dict[str, None] = {}
        ahead = list(self._sources.get(dataset, ()))
        while ahead:
            source = ahead.pop(0)
            if source not in found:
                found[source] = None
                ahead += self._sources.get(source, ())
        return tuple(found)

    def person(self, person: str) -> Person | None:
        """The person of that id, or None."""
        return self._people.get(person)

    def project(self, project: str) -> Project | None:
        """The project of that id, or None."""
        return self._projects.get(project)

    def agreements_on(self, dataset: str) -> tuple[Agreement, ...]:
        """Agreements on a dataset, in the order on record."""
        return self._agreements.get(dataset, ())

    def freeze(self, kind: Frozen, *subjects: str) -> Freeze | None:
        """The first freeze that stands on one of these, or None."""
        return next((f for f in self.frozen if f.kind is kind and f.subject in subjects), None)

    @cached_property
    def _people(self) -> dict[str, Person]:
        return {p.id: p for p in reversed(self.people)}

    @cached_property
    def _projects(self) -> dict[str, Project]:
        return {p.id: p for p in reversed(self.projects)}

    @cached_property
    def _sources(self) -> dict[str, tuple[str, ...]]:
        return dict(reversed(self.derived))

    @cached_property
    def _agreements(self) -> dict[str, tuple[Agreement, ...]]:
        found: dict[str, tuple[Agreement, ...]] = {}
        for agreement in self.agreements:
            found[agreement.dataset] = (*found.get(agreement.dataset, ()), agreement)
        return found


class Rule(StrEnum):
    """What a decision asks, in order; every one must hold."""

    PERSON_KNOWN = "person known"
    PERSON_ACTIVE = "person not suspended"
    PERSON_NOT_FROZEN = "person not frozen"
    PROJECT_KNOWN = "project known"
    PROJECT_APPROVED = "project approved"
    PROJECT_IN_DATE = "project in date"
    ON_TEAM = "person on the team"
    PURPOSE = "purpose is the project's"
    DATASET_APPLIED_FOR = "dataset applied for"
    DATASET_NOT_FROZEN = "dataset not frozen"
    COARSENED = "values can be coarsened as agreed"
    COLUMNS_APPLIED_FOR = "columns applied for"
    DERIVATION = "dataset not derived from itself"
    AGREEMENT = "an agreement for the dataset"
    AGREEMENT_ACTIVE = "agreement not suspended"
    AGREEMENT_IN_DATE = "agreement in date"
    GATEWAY = "legal gateway allows the purpose"
    AGREED_PURPOSE = "agreement permits the purpose"
    LICENSED = "licence covers the organisation"
    AGREED_ORGANISATION = "agreement permits the organisation"
    AGREED_COLUMNS = "agreement permits the columns"
    AGREED_KEYS = "agreement permits joining"
    ACCREDITED = "person accredited"
    TRAINED = "training in date"
    PUBLIC_BENEFIT = "public benefit stated"
    ETHICS = "ethics review named"
    APPROVER = "approver agrees"
    APPROVALS = "every approval given"


class Reason(NamedTuple):
    """One finding of a decision, for or against.

    `subject` is what it was found about, e.g. `agreement A-1`. `change`, which only one against has, says what
    would turn it; `until` is the last day that one for holds.
    """

    rule: Rule
    subject: str
    text: str
    change: str = ""
    until: date | None = None

    @property
    def holds(self) -> bool:
        """Whether it speaks for."""
        return not self.change


@dataclass(frozen=True)
class Decision:
    """Allow or refuse, with every reason.

    `agreements` are those that permit it, `conditions` the strictest of theirs, `until` the
    last day on which the same facts give the same answer (None for a refusal). `coarsen`: how coarse the
    values of the dataset asked about must be, the strictest of its agreements'.
    """

    allowed: bool
    reasons_for: tuple[Reason, ...]
    reasons_against: tuple[Reason, ...]
    policy_version: str
    at: datetime
    agreements: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    until: date | None = None
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[str, ...]:
        """What would have to change for a refusal to become an allowance; each said once."""
        return tuple(dict.fromkeys(r.change for r in self.reasons_against if r.change))


class GrantState(StrEnum):
    """Where a grant stands; only an active one is opened, and for a question as at a day one of an earlier release."""

    ACTIVE = "active"
    EARLIER = "earlier"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Grant:
    """What was provisioned for a project of one release of a dataset.

    `view` is its name in SQL; `columns` are the view's, in order; `keys` the indexes it joins by;
    `place` the Parquet file under the projects folder; `bytes` and `seconds` what it cost. `versions`:
    of each key, the version of its index; `without_key`: of each key, linked rows that have none
    because they were linked only after that version. `coarsen`: how its values were coarsened.
    `generation`: of the project's key, 1 until it is rotated.
    """

    project: str
    dataset: str
    release: int
    view: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    place: str
    rows: int
    bytes: int
    seconds: float
    versions: Mapping[str, int] = field(default_factory=dict)
    without_key: Mapping[str, int] = field(default_factory=dict)
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)
    generation: int = 1


class QueryState(StrEnum):
    """What became of a query."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"  # by the decision or the gate: nothing ran
    FAILED = "failed"  # in the worker: an error or a limit
