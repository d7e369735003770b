"""What an installation holds and does, as its records tell: the facts behind a record of processing.

No value of the data and no name of a person is among them: counts, names of columns, organisations, dates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from integrated_data.model.access import Project
from integrated_data.model.agreement import Agreement, Law
from integrated_data.model.contract import Contract


@dataclass(frozen=True)
class HeldDataset:
    """One dataset: its contract, how often and when it was delivered, what is published of it.

    `links`: of each index, the report of its newest links. `feeds`: the index it is a source of.
    """

    id: str
    owner: str
    contract: Contract
    deliveries: int
    first: date | None
    last: date | None
    rows: int = 0
    published: bool = False
    withheld: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    links: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class GroupLinked:
    """Of one group of a dataset's records (`value` of `group`), the share linked and what its error is estimated at.

    `precision` and `recall` are shown with their interval; empty where no sample was judged.
    """

    dataset: str
    index: str
    group: str
    value: str
    records: int
    linked: float
    precision: str = ""
    recall: str = ""


@dataclass(frozen=True)
class Settled:
    """Something that was decided: on a day, about what, and what it was; never by whom."""

    day: date
    about: str
    what: str


@dataclass(frozen=True)
class Measure:
    """One measure of security as it is configured: `state` says what was found, `good` that it is as it should be."""

    name: str
    state: str
    good: bool = True


@dataclass(frozen=True)
class Holdings:
    """Everything that a record of processing is written from, as at a day.

    `users`: people on record by their role; `granted`: copies that projects hold now, by project and dataset;
    `left`: releases of each project; `lane`: the automatic lane's error rate; `linked`: link quality by group;
    `releases_kept`: days for which people behind a release are remembered, None for ever; `outside`: parties beyond
    the installation that are configured, and what each is for.
    """

    at: date
    law: Law
    datasets: tuple[HeldDataset, ...]
    agreements: tuple[Agreement, ...]
    projects: tuple[Project, ...]
    users: Mapping[str, int]
    granted: tuple[tuple[str, str], ...]
    left: Mapping[str, int]
    measures: tuple[Measure, ...]
    settled: tuple[Settled, ...]
    lane: Mapping[str, Any]
    linked: tuple[GroupLinked, ...] = ()
    past_retention: tuple[str, ...] = ()
    releases_kept: int | None = None
    outside: tuple[tuple[str, str], ...] = ()

    def agreed(self, dataset: str) -> tuple[Agreement, ...]:
        """Agreements on a dataset."""
        return tuple(a for a in self.agreements if a.dataset == dataset)

    @property
    def running(self) -> tuple[Project, ...]:
        """Projects that are approved and not over."""
        return tuple(p for p in self.projects if p.state == "approved" and p.starts <= self.at <= p.ends)
