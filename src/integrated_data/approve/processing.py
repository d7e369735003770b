"""A record of processing activities, as article 30 of the UK General Data Protection Regulation asks for one.

Sections follow the Information Commissioner's Office's documentation templates for controllers and processors:
who, why, whose data, which data, who receives them, transfers, how long, and how they are secured. Everything is
read from what is on record; what is not on record is named, and left to a person.
"""

from collections.abc import Iterable

from integrated_data.approve.holdings import HeldDataset, Holdings
from integrated_data.approve.written import Paper, Section
from integrated_data.model.agreement import ANY, Agreement
from integrated_data.model.contract import Column
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import personal

TITLE = "Record of processing activities"
BASIS = "Written by the service from its agreements, contracts, projects and settings; no personal data are in it."


def record(held: Holdings) -> Paper:
    """The record of processing of an installation."""
    sections = (_parties(held), _purposes(held), _people(held), _data(held), _recipients(held), _transfers(held),
                _retention(held), _security(held), _decided(held))  # fmt: skip
    return Paper(TITLE, held.at, BASIS, sections)


def meanings(dataset: HeldDataset) -> set[Meaning]:
    """The meanings of a dataset's columns."""
    return {c.meaning for c in dataset.contract.columns}


def special(dataset: HeldDataset) -> list[tuple[Column, str, str]]:
    """Columns that seem to hold special categories of data: the column, the category, and by what it is told."""
    found = ((c, personal.special(c.name, c.title, meaning=c.meaning)) for c in dataset.contract.columns)
    return [(column, *seems) for column, seems in found if seems is not None]


def about_people(dataset: HeldDataset) -> tuple[str, ...]:
    """The categories of people a dataset is about."""
    uses = [use.index for use in dataset.contract.indexes]
    return personal.people(meanings(dataset), indexes=[*uses, *dataset.feeds])


def _parties(held: Holdings) -> Section:
    owned = {d.owner for d in held.datasets} | {a.owner for a in held.agreements}
    rows = [
        {
            "controller": owner,
            "datasets": sorted({d.id for d in held.datasets if d.owner == owner}
                               | {a.dataset for a in held.agreements if a.owner == owner}),
        }
        for owner in sorted(owned)
    ]  # fmt: skip
    processor = held.law.processor or "the organisation that runs this installation (the law's file names none)"
    return Section(
        "Controllers and processor",
        (f"Processor: {processor}. It acts for the organisations below, who own the datasets.",),
        tuple(rows),
        (
            "contact details of each controller, of joint controllers, representatives and data protection officers: "
            "they are not on record here",
        ),
    )


def _purposes(held: Holdings) -> Section:
    rows = []
    for agreement in held.agreements:
        gateway = held.law.gateway(agreement.gateway)
        rows.append(
            {
                "dataset": agreement.dataset, "agreement": agreement.id,
                "purposes": [p.value for p in agreement.purposes],
                "legal gateway": gateway.title if gateway else agreement.gateway,
                "from": agreement.starts.isoformat(), "to": agreement.ends.isoformat(),
                "state": _state(agreement, held),
            }
        )  # fmt: skip
    without = [d.id for d in held.datasets if not held.agreed(d.id) and not d.feeds and not d.derived_from]
    says = [
        "What is done: deliveries are kept sealed as they came, standardised and checked; each record is matched once "
        "to reference indexes; identifiers are removed; the table is published for approved projects."
    ]
    if without:
        says.append(
            f"On no agreement yet, and used by nobody: {', '.join(without)}."
        )  # fmt: skip
    return Section(
        "Purposes and legal basis", tuple(says), tuple(rows),
        ("the lawful basis under article 6 (and 9 or 10) of each legal gateway, as its controller sees it",),
    )  # fmt: skip


def _state(agreement: Agreement, held: Holdings) -> str:
    if agreement.suspended:
        return "suspended"
    return "in force" if agreement.in_force(held.at) else "ended" if agreement.ends < held.at else "not begun"


def _people(held: Holdings) -> Section:
    rows: list[dict[str, object]] = []
    for dataset in held.datasets:
        told = about_people(dataset)
        if told:
            rows.append({"processed in": dataset.id, "categories of people": told, "records": dataset.rows or None})
    rows += [
        {"processed in": "the service itself", "categories of people": (f"users of the service: {role}",), "records": n}
        for role, n in sorted(held.users.items())
    ]
    return Section(
        "Categories of people",
        ("Records are of the newest publication; a person may have several, in several datasets.",),
        tuple(rows),
        ("whether children or other vulnerable people are among them: no column says so by itself",),
    )


def _data(held: Holdings) -> Section:
    rows = []
    for dataset in held.datasets:
        rows.append(
            {
                "dataset": dataset.id, "categories of data": personal.categories(meanings(dataset)),
                "special categories": [f"{c.name}: {kind} (by its {by})" for c, kind, by in special(dataset)],
                "identifiers, never published": sum(c.handling == "identifier" for c in dataset.contract.columns),
                "withheld": len(dataset.withheld),
            }
        )  # fmt: skip
    inferred = [d.id for d in held.datasets if d.contract.inferred]
    says = ["Told by the meaning of each column in its contract."]
    if inferred:
        says.append(f"Contracts that nobody confirmed, so that meanings are guesses: {', '.join(inferred)}.")
    return Section(
        "Categories of data", tuple(says), tuple(rows),
        ("whether columns of unknown content, codes and free text hold special categories: a name does not tell",),
    )  # fmt: skip


def _recipients(held: Holdings) -> Section:
    rows: list[dict[str, object]] = []
    for project in held.running:
        copies = [d for p, d in held.granted if p == project.id]
        rows.append(
            {
                "recipient": project.organisation, "as": f"project {project.id}: {project.title}",
                "purpose": project.purpose.value, "datasets": [r.dataset for r in project.datasets],
                "people": len(project.team), "copies now": len(copies), "outputs": held.left.get(project.id, 0),
            }
        )  # fmt: skip
    says = [
        "Projects see rows without identifiers, under keys of their own, inside the service; what leaves are checked "
        f"outputs, {sum(held.left.values())} so far, which the public register lists.",
        *_onward(held.agreements),
    ]
    return Section("Recipients", tuple(says), tuple(rows))


def _onward(agreements: Iterable[Agreement]) -> list[str]:
    open_to = sorted({a.dataset for a in agreements if ANY in a.onward_to})
    told = [f"Agreed for any organisation: {', '.join(open_to)}."] if open_to else []
    bought = sorted({buyer for a in agreements if a.licence for buyer in a.licence.buyers})
    return [*told, *([f"Buyers under commercial licences: {', '.join(bought)}."] if bought else [])]


def _transfers(held: Holdings) -> Section:
    says = [
        "The service sends no personal data anywhere by itself. What is configured beyond this machine: "
        + ("; ".join(f"{who} ({why})" for who, why in held.outside) or "nothing")
        + "."
    ]
    receiving = sorted({p.organisation for p in held.running})
    if receiving:
        says.append(f"People of these organisations see rows inside the service: {', '.join(receiving)}.")
    return Section(
        "Transfers to other countries", tuple(says), (),
        (f"where these organisations and the machine are, and the safeguards where that is not in {held.law.country}",),
    )  # fmt: skip


def _retention(held: Holdings) -> Section:
    rows = []
    for agreement in held.agreements:
        days = agreement.retention_days
        rows.append(
            {
                "dataset": agreement.dataset, "agreement": agreement.id, "ends": agreement.ends.isoformat(),
                "kept after its end": "not said" if days is None else f"{days} days",
                "past": "yes" if agreement.dataset in held.past_retention else "no",
            }
        )  # fmt: skip
    kept = "for ever" if held.releases_kept is None else f"{held.releases_kept} days"
    return Section(
        "Retention",
        (
            "Projects' copies are deleted when agreement or project ends; their keys are destroyed when it is closed.",
            f"Who is behind a released figure is remembered, by number and sealed: {kept}.",
            "The audit chain is kept for ever; it names users of the service, and no one in the data.",
        ),
        tuple(rows),
        ("time limits where an agreement does not say any, and when backups are destroyed",),
    )


def _security(held: Holdings) -> Section:
    rows = tuple(
        {"measure": m.name, "found": m.state, "as it should be": "yes" if m.good else "NO"} for m in held.measures
    )
    return Section(
        "Security measures", ("As configured on the day, looked at and not assumed.",), rows,
        ("measures outside the service: buildings, staff, backups, the machine's own hardening",),
    )  # fmt: skip


def _decided(held: Holdings) -> Section:
    rows = tuple({"day": s.day.isoformat(), "about": s.about, "decision": s.what} for s in held.settled)
    return Section("Decisions, by date", ("From the audit chain, which tells who decided.",), rows)
