"""What was erased or objected to since a copy of the data was made, done again on it."""

from typing import Any

from integrated_data.control import jobs
from integrated_data.control.store import recorded
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.event import Event
from integrated_data.model.rights import Right
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import erasing, objecting, proof
from integrated_data.site.stepping import Steps, taken
from integrated_data.site.subjects import kept

ACTION = "right.replayed"


def replay(site: LoadingSite, *, by: str) -> list[dict[str, Any]]:
    """Do again every request of the list that this copy of the data does not know as done; a summary of each."""
    with site.store.read() as connection:
        known = {r.subject for action in (proof.ACTION, ACTION) for r in recorded(connection, action)}
    told = []
    for one in kept.entries(site.places):
        subject = f"right/{one.number}"
        if subject in known:
            continue
        steps = Steps(site.store, f"replay/{one.number}", subject, by)
        with taken(steps, kind="right"):
            if one.right is Right.ERASE:
                done = erasing.carry_out(site, steps, one=one)
                rows = sum(each["rows"] for each in done["deliveries"])
            else:
                rows = objecting.carry_out(site, steps, one=one)["copies_made_anew"]
        with site.store.change(Event(ACTION, by, subject, {"right": str(one.right)})) as change:
            jobs.finish(change, steps.job)
        told.append({"request": f"R-{one.number}", "right": str(one.right), "rows_or_copies": rows})
    return told


def check_replayed(site: LoadingSite) -> None:
    """Refuse to load beside a request that was cut short, or into a copy of the data that does not know of one: it was
    put back by hand."""
    with site.store.read() as connection:
        known = {r.subject for action in (proof.ACTION, ACTION) for r in recorded(connection, action)}
        waiting = [one for one in kept.entries(site.places) if f"right/{one.number}" not in known]
        begun = [one for one in waiting if jobs.state(connection, f"right/{one.number}") is not None]
    if begun:
        raise InstallationRefusal(
            f"Request R-{begun[0].number} was cut short", why="Nothing is loaded beside half of it",
            next_step=f"Go on with it: ids right {begun[0].right} R-{begun[0].number}",
        )  # fmt: skip
    if waiting:
        raise InstallationRefusal(
            f"This copy of the data is older than {len(waiting)} requests of people about data on them",
            why="Whoever was erased is in it again",
            next_step="Bring it up to them: ids right replay",
        )
