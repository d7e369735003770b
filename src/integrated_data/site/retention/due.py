"""What is to be removed: by which agreements, until when it was held, and what stands against it."""

from typing import Any

from integrated_data.approve import agree
from integrated_data.control import deliveries, freezes, jobs, projects, releases
from integrated_data.control.store import Store, recorded
from integrated_data.journey.derived import EXPIRY_BEGUN
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.people import Action
from integrated_data.site import agreeing, owning


def due(store: Store) -> list[dict[str, Any]]:
    """Datasets whose data may no longer be held and still are, with what holds their removal up.

    One whose removal was cut short is among them until it is done.
    """
    with store.read() as connection:
        begun = {
            r.subject.partition("/")[2]: str(r.facts["rule"]["held_until"])
            for r in recorded(connection, EXPIRY_BEGUN) if jobs.state(connection, str(r.facts["job"])) != "done"
        }  # fmt: skip
    past = {str(each["dataset"]): str(each["held_until"]) for each in agreeing.past_retention(store)}
    rows = []
    for dataset, until in sorted((begun | past).items()):
        held = deliveries_held(store, dataset)
        with store.read() as connection:
            standing = releases.of_dataset(connection, dataset)
            freeze = freezes.against(connection, datasets=sorted(releases.derived_from(connection, [dataset])))
        if held or standing or dataset in begun:
            rows.append({
                "dataset": dataset, "held_until": until, "deliveries": len(held), "releases": len(standing),
                "begun": dataset in begun, "stopped_by": freeze.told if freeze is not None else "",
            })  # fmt: skip
    return rows


def seen(store: Store, *, by: str) -> list[dict[str, Any]]:
    """What is due, as somebody is told it: a steward of their organisation's datasets alone."""
    rows = due(store)
    with store.read() as connection:
        theirs = owning.seen_by(connection, by, action=Action.VERIFY)
        return [row for row in rows if theirs(row["dataset"])]


def rule(store: Store, dataset: str) -> dict[str, Any]:
    """By which rule a dataset is removed; refuses one that may be held still."""
    with store.read() as connection:
        agreed = projects.agreements(connection, dataset)
    until = agree.held_until(agreed)
    if until is None:
        raise AgreementRefusal(
            f"No agreement says how long dataset {dataset} may be held" if agreed
            else f"There is no agreement on dataset {dataset}",
            next_step="Write retention_days into each agreement on it: ids agreement add FILE",
        )  # fmt: skip
    if until >= store.now().date():
        raise AgreementRefusal(
            f"Dataset {dataset} may be held until {until}", why="The last of its agreements says so",
            next_step="See what is due: ids retention due",
        )  # fmt: skip
    told = [{"id": a.id, "ends": a.ends.isoformat(), "retention_days": a.retention_days} for a in agreed]
    return {"held_until": until.isoformat(), "agreements": told}


def deliveries_held(store: Store, dataset: str) -> list[tuple[str, str]]:
    """Deliveries of a dataset that are held still, oldest first: id, and when it came."""
    with store.read() as connection:
        every = deliveries.of_dataset(connection, dataset)
    return [(str(d["id"]), str(d["received_at"])) for d in reversed(every) if d["state"] != LoadState.EXPIRED]


def check_not_frozen(store: Store, dataset: str) -> None:
    """Refuse while the dataset, or one that is made from it, is frozen: it may be evidence."""
    with store.read() as connection:
        reached = releases.derived_from(connection, [dataset])
        freezes.check(connection, f"Nothing of dataset {dataset} is removed", datasets=sorted(reached))


def backups(store: Store, *, since: str) -> list[dict[str, Any]]:
    """Backups that were made while the data were held: they hold them until they are destroyed themselves."""
    with store.read() as connection:
        made = recorded(connection, "backup.made")
    return [{"record": r.number, "made_at": r.at, "sha256": r.facts.get("sha256")} for r in made if r.at >= since]
