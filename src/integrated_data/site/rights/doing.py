"""How a request is done: one job, by another officer than the one who wrote it down, with a signed proof at its end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from integrated_data.control import jobs
from integrated_data.control.store import Store, recorded
from integrated_data.model.errors import AbsentRefusal
from integrated_data.model.event import Event
from integrated_data.model.rights import Asked, Right
from integrated_data.site.loading import LoadingSite
from integrated_data.site.places import Places
from integrated_data.site.rights import asking, proof
from integrated_data.site.stepping import Steps, taken

Work = Callable[[Steps, Asked], dict[str, Any]]


def do(site: LoadingSite, request: str, *, right: Right, by: str, work: Work) -> dict[str, Any]:
    """Do a request; one that was killed goes on, one that is done gives its proof again.

    Refused where it is done and had files to write: what they were made of is destroyed, and they are written once.
    """
    asked = asking.get(site.store, request, right=right)
    asking.check_other(asked, by=by)
    steps = Steps(site.store, asked.job, asked.job, by)
    if asked.state == "done" and right in (Right.ACCESS, Right.RECTIFY):
        raise AbsentRefusal(
            f"{asked.id} is done; ask again", why="Its files were written then, and nothing is written now",
            next_step=f"Ask with: ids right ask {right}; see what was done with: ids right proof {asked.id}",
        )  # fmt: skip
    if asked.state != "done":
        with taken(steps, kind="right"):
            told = steps.run("statement", lambda: ({"told": _stated(site, steps, asked=asked, work=work)}, None))[
                "told"
            ]
        asking.forget(site, asked)
        event = Event(proof.ACTION, by, asked.job, {"right": str(right)})
        with site.store.change(event) as change:
            proof.note(change, told)
            jobs.finish(change, asked.job)
    return {"request": asked.id, "state": "done", "proof": str(prove(site.places, site.store, request=asked.id))}


def _stated(site: LoadingSite, steps: Steps, *, asked: Asked, work: Work) -> dict[str, Any]:
    done = work(steps, asked)
    return proof.statement(asked, done=done, by=steps.actor, at=site.store.now().isoformat(timespec="seconds"))


def prove(places: Places, store: Store, *, request: str, out: Path | None = None) -> Path:
    """The signed proof of a request that is done, written to `out` or where the service keeps proofs."""
    asked = asking.get(store, request)
    with store.read() as connection:
        done = jobs.done_steps(connection, asked.job)
        known = any(r.subject == asked.job for r in recorded(connection, proof.ACTION))
    if not known or "statement" not in done:
        raise AbsentRefusal(f"Request {request} is not done", next_step=f"Do it: ids right {asked.right} {request}")
    place = out or places.proofs / f"{request}.json"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return proof.write(places, store, told=done["statement"]["told"], out=place)
