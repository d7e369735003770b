"""A dataset whose time is over is removed: one job, a signed record at its end that anybody can verify."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from integrated_data.control import bodies, jobs
from integrated_data.control.store import Store, recorded
from integrated_data.journey import derived
from integrated_data.journey.workshop import Facts
from integrated_data.model.errors import AbsentRefusal
from integrated_data.model.event import Event
from integrated_data.model.people import Action
from integrated_data.site import owning
from integrated_data.site.loading import LoadingSite
from integrated_data.site.object_lake import keeping
from integrated_data.site.places import Places
from integrated_data.site.retention import due, expiring, planning
from integrated_data.site.rights import proof
from integrated_data.site.stepping import Steps, taken

ACTION = "retention.done"


def run(site: LoadingSite, dataset: str, *, by: str) -> dict[str, Any]:
    """Remove a dataset whose time is over; a removal that was killed goes on. Returns where its proof is.

    Refused while it may be held, or while it or something made from it is frozen, however far the removal is.
    """
    steps = _steps(site.store, dataset, by=by)
    keeping.check_followed(site.places)
    due.check_not_frozen(site.store, dataset)
    if not _is_begun(site.store, steps):
        due.rule(site.store, dataset)
        _check_held(site.store, dataset)
    with taken(steps, kind="retention"):
        planned = steps.run("plan", lambda: (_planned(site, steps, dataset=dataset), None))
        told = steps.run("statement", lambda: ({"told": _stated(site, steps, dataset=dataset, planned=planned)}, None))
    with site.store.change(Event(ACTION, by, steps.subject, {"job": steps.job})) as change:
        proof.note(change, told["told"])
        jobs.finish(change, steps.job)
    place = prove(site.places, site.store, dataset=dataset)
    return {"dataset": dataset, "held_until": planned["rule"]["held_until"], "removed": told["told"]["what"],
            "backups": planned["backups"], "proof": str(place)}  # fmt: skip


def dry_run(site: LoadingSite, dataset: str) -> dict[str, Any]:
    """What would be removed of a dataset, and what stands against it; nothing is changed."""
    _check_held(site.store, dataset)
    planned = planning.plan(site, dataset)
    said = [{"version": v, **n} for i, v in planned["versions"]
            if any((n := planning.said(site, dataset, index=i, version=v)).values())]  # fmt: skip
    return {"dataset": dataset, **planned, "versions": said}


def _check_held(store: Store, dataset: str) -> None:
    if not due.deliveries_held(store, dataset):
        raise AbsentRefusal(f"Nothing of dataset {dataset} is held", next_step="See what is due: ids retention due")


def _steps(store: Store, dataset: str, *, by: str) -> Steps:
    with store.read() as connection:
        before = sum(r.subject == f"dataset/{dataset}" for r in recorded(connection, ACTION))
    return Steps(store, f"retention/{bodies.digest([dataset])[:16]}/{before + 1}", f"dataset/{dataset}", by)


def _is_begun(store: Store, steps: Steps) -> bool:
    with store.read() as connection:
        return "plan" in jobs.done_steps(connection, steps.job)


def _planned(site: LoadingSite, steps: Steps, *, dataset: str) -> Facts:
    planned = planning.plan(site, dataset)
    facts = {"job": steps.job, "rule": planned["rule"], "indexed": planned["indexed"]}
    site.store.record(Event(derived.EXPIRY_BEGUN, steps.actor, steps.subject, facts))
    return planned


def _stated(site: LoadingSite, steps: Steps, *, dataset: str, planned: Facts) -> dict[str, Any]:
    done = expiring.carry_out(site, steps, dataset=dataset, planned=planned)
    return {
        "statement": "Data whose time was over were removed from the Integrated Data Service",
        "dataset": dataset, "rule": planned["rule"], "what": done,
        "table": planned["table"] | {"rows": planned["rows_published"]},
        "not_removed": {
            "backups": planned["backups"],
            "outputs": "statistics that left, and who is behind them: by the release ledger's own time",
            "records": "the audit chain, agreements, contracts with the codes that they list, texts of queries: no row",
        },
        "done": {"by": steps.actor, "at": site.store.now().isoformat(timespec="seconds")},
    }  # fmt: skip


def proved(places: Places, store: Store, *, dataset: str, out: Path, by: str) -> Path:
    """The signed proof of the last removal of a dataset, for its owner's stewards, approvers and auditors."""
    owning.check(store, dataset, action=Action.VERIFY, by=by)
    return prove(places, store, dataset=dataset, out=out)


def prove(places: Places, store: Store, *, dataset: str, out: Path | None = None) -> Path:
    """The signed proof of the last removal of a dataset, written to `out` or where the service keeps proofs."""
    with store.read() as connection:
        done = [r for r in recorded(connection, ACTION) if r.subject == f"dataset/{dataset}"]
        told = jobs.done_steps(connection, str(done[-1].facts["job"]))["statement"]["told"] if done else None
    if told is None:
        raise AbsentRefusal(f"Nothing of dataset {dataset} was removed", next_step="See what is due: ids retention due")
    place = out or places.proofs / f"retention-{dataset}-{len(done)}.json"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return proof.write(places, store, told=told, out=place, action=ACTION)


def verify(file: Path, *, key: Ed25519PublicKey) -> dict[str, Any]:
    """What a proof of a removal says; refuses it where anything about it is not as it was signed."""
    told, record = proof.opened(file, key=key, action=ACTION)
    return {"dataset": told["dataset"], "held_until": told["rule"]["held_until"], "done_at": told["done"]["at"],
            "record": record.number, "what": told["what"], "not_removed": told["not_removed"]}  # fmt: skip
