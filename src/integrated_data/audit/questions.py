"""The questions an auditor asks of the chain: who used a dataset, what left, under which decision.

Pure functions over audit records. They read the facts that events carry: `project`, `dataset`,
`datasets` or `tables`, `query`, `decision`; the subject `project/<id>` or `output/<id>` stands in for
a project or an output that the facts do not name. A table's name in SQL is its dataset's id with
underscores for hyphens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from integrated_data.audit.chain import Record

#: Events by which something of a dataset was read, asked to leave or left.
USES = ("query.done", "query.failed", "output.requested", "output.released")

#: Events that decide whether a project may go on.
DECISIONS = ("project.approved", "project.refused", "project.closed")


@dataclass(frozen=True)
class Use:
    """One use of data: when, by whom, in which project, what; and the decision it rested on.

    `decision`: number in the chain of the project's last decision before it, None if there is none.
    """

    number: int
    at: str
    action: str
    actor: str
    project: str
    subject: str
    datasets: tuple[str, ...]
    decision: int | None


@dataclass(frozen=True)
class Departure:
    """One output that left: the files' hash, the lane, who voted, and whether it was revoked."""

    number: int
    at: str
    output: str
    project: str
    datasets: tuple[str, ...]
    queries: tuple[str, ...]
    sha256: str
    lane: str
    released_by: str
    approved_by: tuple[str, ...]
    decision: int | None
    revoked_at: str | None = None


def who_used(records: Iterable[Record], dataset: str) -> list[Use]:
    """Every use of a dataset, oldest first."""
    return [use for use in uses(records) if _sql_name(dataset) in map(_sql_name, use.datasets)]


def uses(records: Iterable[Record]) -> list[Use]:
    """Every use of any dataset, oldest first, each with the decision that stood at the time."""
    decided: dict[str, int] = {}
    found = []
    for record in records:
        project = _project(record)
        if record.action in DECISIONS:
            decided[project] = record.number
        if record.action in USES:
            found.append(
                Use(
                    record.number, record.at, record.action, record.actor, project, record.subject,
                    _datasets(record.facts), decided.get(project),
                )
            )  # fmt: skip
    return found


def what_left(records: Iterable[Record], *, dataset: str | None = None, project: str | None = None) -> list[Departure]:
    """Every output that left, of a dataset, of a project or of all, oldest first."""
    decided: dict[str, int] = {}
    votes: dict[str, dict[str, str]] = {}
    left: dict[str, Departure] = {}
    for record in records:
        if record.action in DECISIONS:
            decided[_project(record)] = record.number
        output = record.subject.removeprefix("output/")
        match record.action:
            case "output.requested":
                votes[output] = {}  # a changed request is voted on anew
            case "output.reviewed" if record.facts.get("vote") == "approve":
                votes.setdefault(output, {})[record.actor] = str(record.facts.get("sha256"))
            case "output.released":
                left[output] = _departure(record, votes.get(output, {}), decided=decided)
            case "output.revoked" if output in left:
                left[output] = _revoked(left[output], record.at)
    return [
        d
        for d in left.values()
        if (project is None or d.project == project)
        and (dataset is None or _sql_name(dataset) in map(_sql_name, d.datasets))
    ]


def under_which_decision(records: Iterable[Record], number: int) -> Record | None:
    """The decision on a project that stood when record `number` was written, or None."""
    seen: dict[str, Record] = {}
    for record in records:
        if record.number == number:
            return seen.get(_project(record))
        if record.action in DECISIONS:
            seen[_project(record)] = record
    return None


def _departure(record: Record, votes: dict[str, str], *, decided: dict[str, int]) -> Departure:
    facts = record.facts
    sha256, project = str(facts.get("sha256", "")), _project(record)
    return Departure(
        record.number, record.at, record.subject.removeprefix("output/"), project, _datasets(facts),
        tuple(facts.get("queries", ())), sha256, str(facts.get("lane", "")), record.actor,
        tuple(sorted(who for who, voted in votes.items() if voted == sha256)), decided.get(project),
    )  # fmt: skip


def _revoked(departure: Departure, at: str) -> Departure:
    return Departure(**{**vars(departure), "revoked_at": at})


def _project(record: Record) -> str:
    named = record.facts.get("project")
    if named is not None:
        return str(named)
    kind, _, subject = record.subject.partition("/")
    return subject if kind == "project" else ""


def _datasets(facts: dict[str, Any]) -> tuple[str, ...]:
    named = {str(d) for part in ("datasets", "tables") for d in facts.get(part) or ()}
    if facts.get("dataset") is not None:
        named.add(str(facts["dataset"]))
    return tuple(sorted(named))


def _sql_name(dataset: str) -> str:
    return dataset.replace("-", "_").lower()
