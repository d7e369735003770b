"""The questions an auditor asks of the chain: who used a dataset, what left, under which decision.

Pure functions over audit records. They read the facts that events carry: `project`, `dataset`,
`datasets` or `tables`, `query`, `decision`; the subject `project/<id>` or `output/<id>` stands in for
a project or an output that the facts do not name. A table's name in SQL is its dataset's id with
underscores for hyphens.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from integrated_data.audit.chain import Record

#: Events by which something of a dataset was read, asked to leave or left.
USES = ("query.done", "query.failed", "output.requested", "output.released")

#: What the owner of a dataset sees: uses, queries whose end is not on record, and copies of files that left.
SEEN = (*USES, "query.started", "output.fetched")

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
class Seen:
    """One use as the owner of the data sees it: `datasets` and `columns` (as `dataset.column`) of theirs alone.

    `rows`: how many came out, None where that is not known; `queries`: their ids; `decision`: as of a `Use`;
    `agreements`: those that permitted it.
    """

    number: int
    at: str
    action: str
    actor: str
    project: str
    datasets: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int | None
    queries: tuple[str, ...]
    decision: int | None
    agreements: tuple[str, ...]


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


def seen_by_owner(
    records: Iterable[Record], datasets: Iterable[str], *, since: date | None = None, until: date | None = None
) -> list[Seen]:
    """Every use of some datasets, oldest first; from one day to another (UTC), of which both count.

    What a request or a release holds is told by its queries. A query that began and whose end is not on record
    counts too: how many rows it gave is not known.
    """
    own = {_sql_name(d): d for d in datasets}
    story, found = _Story(), dict[int, Seen]()
    for record in records:
        story.goes_on(record)
        begun = story.ended(record)
        if begun is not None:
            found.pop(begun, None)
        if record.action in SEEN:
            seen = story.seen(record, own)
            if seen.datasets:
                found[seen.number] = seen
    first, last = str(since or ""), str(until or "9999")
    return [seen for seen in found.values() if first <= seen.at[:10] <= last]


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


@dataclass
class _Story:
    """What was written so far that later records lean on: decisions, what queries read, what outputs hold."""

    decided: dict[str, int] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    asked: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def goes_on(self, record: Record) -> None:
        """Take in one record."""
        if record.action in DECISIONS:
            self.decided[_project(record)] = record.number
        elif record.action.startswith("query."):
            self.asked[str(record.facts.get("query"))] = record.facts
        elif record.action in ("output.requested", "output.released"):
            self.outputs[record.subject] = record.facts

    def ended(self, record: Record) -> int | None:
        """The number of the record with which a query began that ends with this one."""
        query = str(record.facts.get("query"))
        if record.action == "query.started":
            self.begun[query] = record.number
            return None
        return self.begun.pop(query, None) if record.action.startswith("query.") else None

    def seen(self, record: Record, own: Mapping[str, str]) -> Seen:
        """A use as the owner of some datasets sees it; it may name none of them."""
        facts = self.outputs.get(record.subject, record.facts)
        queries = tuple(map(str, facts.get("queries") or ([facts["query"]] if "query" in facts else [])))
        reads = [self.asked[q] for q in queries if q in self.asked]
        columns = {
            f"{own[_sql_name(view)]}.{column}"
            for read in reads
            for view, named in (read.get("columns") or {}).items()
            if _sql_name(view) in own
            for column in named
        }
        agreements = {a for read in reads for a in (read.get("decision") or {}).get("agreements", ())}
        project = str(facts["project"]) if "project" in facts else _project(record)
        return Seen(
            record.number, record.at, record.action, record.actor, project,
            tuple(own[_sql_name(d)] for d in _datasets(dict(facts)) if _sql_name(d) in own),
            tuple(sorted(columns)), record.facts.get("rows"), queries, self.decided.get(project),
            tuple(sorted(agreements)),
        )  # fmt: skip


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
