"""Verifying the audit chain of an installation, and asking it who used what."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from integrated_data.approve import roles
from integrated_data.audit import heads as signed_heads
from integrated_data.audit import questions
from integrated_data.audit.chain import Record
from integrated_data.control import heads, projects, queries, releases
from integrated_data.control.store import Store, records
from integrated_data.model.errors import AbsentRefusal, AuditRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.output import crates
from integrated_data.output import release as releasing
from integrated_data.site.acting import Acting
from integrated_data.site.places import Places, signing_key
from integrated_data.site.signing_heads import check_reaches, kept_head


def verify(places: Places, store: Store) -> dict[str, Any]:
    """Verify every record and every signed head; refuses at the first that does not hold."""
    public = signing_key(places).public_key()
    with store.read() as connection:
        last, hashes = heads.walk(connection)
        kept = heads.heads(connection)
        check_reaches(connection, kept_head(places))
    for head in kept:
        signed_heads.check(head, public)
        if hashes[head.number] != head.hash:
            raise AuditRefusal(
                f"The audit chain differs from its signed head at record {head.number}",
                why="Records were removed or rewritten after signing",
                next_step="Restore the control store from a backup",
            )
    changed = [r.request for r in releasing.verify(store, folder=places.outputs)]
    changed += crates.verify(store, places.outputs, key=public)
    if changed:
        raise AuditRefusal(
            f"Released files are not what was released: {', '.join(dict.fromkeys(changed))}",
            why="They were changed after their release",
            next_step="Restore the outputs folder from a backup, or revoke the release",
        )
    newest = kept[-1].number if kept else 0
    records = last.number if last else 0
    return {"records": records, "signed_heads": len(kept), "records_after_last_head": records - newest}


@dataclass(frozen=True)
class About:
    """Which project and dataset a question is about; None for all."""

    project: str | None
    dataset: str | None


def who_used(store: Store, dataset: str, *, acting: Acting) -> list[questions.Use]:
    """Every use of a dataset, for an auditor or its owner; the question is written down."""
    check_asks(store, dataset, acting=acting)
    note(store, f"dataset/{dataset}", question="used", acting=acting)
    with store.read() as connection:
        return questions.who_used(records(connection), dataset)


@dataclass(frozen=True)
class OwnerQuestion:
    """Whose data a question is about (None: of who asks), one dataset or all, and from which day to which."""

    organisation: str | None = None
    dataset: str | None = None
    since: date | None = None
    until: date | None = None


def uses_of_owner(store: Store, asked: OwnerQuestion, *, acting: Acting) -> list[dict[str, Any]]:
    """Every use of an organisation's data, with the SQL, for its own people and auditors; the question is on record.

    What the service derives from their data is theirs too. Queries may read others' data beside theirs: of those
    the text tells, the columns do not.
    """
    with store.read() as connection:
        own = None if acting.signed_in is None else projects.get_person(connection, acting.actor).organisation
        owner = asked.organisation or own
        if owner is None:
            raise UsageRefusal("It is not said whose data is meant", next_step="Add --organisation NAME")
        if acting.signed_in is not None:
            roles.check_sees_uses(acting.signed_in, own or "", owners={owner})
        named = {a.dataset for a in projects.agreements(connection) if a.owner == owner}
        named |= {r.dataset for r in releases.all_current(connection) if r.entry["owner"] == owner}
        theirs = releases.derived_from(connection, named)
    wanted = theirs if asked.dataset is None else theirs & {asked.dataset}
    if not wanted:
        raise AbsentRefusal(
            f"{owner} owns no such dataset" if asked.dataset else f"{owner} owns no dataset",
            next_step="See who owns what: ids catalogue search",
        )
    note(store, f"organisation/{owner}", question="uses", acting=acting)
    with store.read() as connection:
        seen = questions.seen_by_owner(records(connection), wanted, since=asked.since, until=asked.until)
        texts = queries.texts(connection, (q for one in seen for q in one.queries))
    return [{**vars(one), "sql": [texts[q] for q in one.queries if q in texts]} for one in seen]


def what_left(store: Store, about: About, *, acting: Acting) -> list[questions.Departure]:
    """Every output that left, for an auditor; those made from a dataset, for its owner. The question is on record."""
    check_asks(store, about.dataset, acting=acting)
    subject = (
        f"project/{about.project}" if about.project else f"dataset/{about.dataset}" if about.dataset else "outputs"
    )
    note(store, subject, question="left", acting=acting)
    with store.read() as connection:
        return questions.what_left(records(connection), project=about.project, dataset=about.dataset)


def under_which_decision(store: Store, number: int, *, acting: Acting) -> Record | None:
    """The decision behind an audit record, for an auditor; the question is written down."""
    note(store, f"record/{number}", question="decision", acting=acting)
    with store.read() as connection:
        return questions.under_which_decision(records(connection), number)


def check_asks(store: Store, dataset: str | None, *, acting: Acting) -> None:
    """Refuse a question about the use of a dataset to all but auditors and its owner."""
    if acting.signed_in is None:
        return
    with store.read() as connection:
        owners = {a.owner for a in projects.agreements(connection, dataset)} if dataset is not None else set()
        organisation = projects.get_person(connection, acting.actor).organisation
    roles.check_sees_uses(acting.signed_in, organisation, owners=owners)


def note(store: Store, subject: str, *, question: str, acting: Acting) -> None:
    """Write down that a question was asked."""
    store.record(Event("audit.asked", acting.actor, subject, {"question": question}))
