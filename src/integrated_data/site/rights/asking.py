"""Requests: written down by one officer, done by another.

What somebody said of themselves, and whom the service found, lie sealed beside the request until it is done; the
audit chain has the number, the right and the scope alone.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from integrated_data.control import deliveries, jobs, releases
from integrated_data.control.store import Store, recorded
from integrated_data.model.agreement import Purpose
from integrated_data.model.errors import AbsentRefusal, RoleRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import CORRECTIONS, EntityStatus
from integrated_data.model.rights import ALL, ARTICLES, Asked, Right, Scope
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import correctable
from integrated_data.site.subjects import kept, somebody
from integrated_data.vocabulary.nested import load_yaml

ACTION = "right.asked"
RESTORED = "installation.restored"


@dataclass(frozen=True)
class Wish:
    """What is asked. `values`: what somebody says of themselves, by meaning; `entity`: whom an officer found among
    the likely ones; `corrected`: the values that are right."""

    right: Right
    values: Mapping[str, object] = field(repr=False)
    reason: str
    index: str = "demographic"
    scope: Scope = field(default_factory=Scope)
    entity: int | None = None
    corrected: Mapping[str, object] = field(default_factory=dict, repr=False)


def read_values(text: str) -> dict[str, object]:
    """Values by meaning, from YAML; refuses anything else, and quotes nothing of it."""
    try:
        held = load_yaml(text)
    except yaml.YAMLError:
        held = None
    except ValueError:  # what the parser itself makes of a date such as 30 February
        raise UsageRefusal(
            "The file holds a day that does not exist", next_step="Correct it; a day is written as 1970-01-31"
        ) from None
    if not isinstance(held, dict) or not held or any(isinstance(v, dict | list) for v in held.values()):
        raise UsageRefusal(
            "The file does not say who somebody is",
            why="It is no list of meanings and values in YAML",
            next_step="Write lines such as given_name: …, family_name: …, date_of_birth: 1970-01-31, postcode: …",
        )
    return {str(meaning): value for meaning, value in held.items()}


def ask(site: LoadingSite, wish: Wish, *, by: str) -> dict[str, Any]:
    """Write a request down and find whom it is about; returns its number, and who else it may be where nobody is sure.

    `likely` in the answer holds entity ids, for whoever looks into them with a reason; nothing else of anybody.
    """
    if not wish.reason.strip():
        raise UsageRefusal("No reason was given for the request", next_step="Add --reason TEXT")
    _check_corrected(wish)
    _check_scope(site.store, wish)
    found = _found(site, wish)
    facts = {
        "right": str(wish.right), "article": ARTICLES[wish.right], "index": wish.index,
        "found": found.entity is not None, "dataset": wish.scope.dataset, "purpose": wish.scope.purpose,
        "reason": wish.reason,
    }  # fmt: skip
    number = _number(site)
    with site.store.change(Event(ACTION, by, f"right/{number}", facts)):
        _keep(site, number, held={"values": wish.values, "entity": found.entity, "corrected": wish.corrected})
    told = {"request": f"R-{number}", "found": found.entity is not None, "probability": round(found.probability, 4)}
    return told | {"likely": [{"entity": entity, "probability": p} for entity, p in found.likely]}


def _check_corrected(wish: Wish) -> None:
    if wish.right is not Right.RECTIFY:
        if wish.corrected:
            raise UsageRefusal(
                "Corrected values belong to a request to rectify alone",
                next_step="Leave --corrected out, or ask rectify",
            )
        return
    if not wish.corrected:
        raise UsageRefusal("Nothing is said of what is right", next_step="Give the corrected values: --corrected FILE")
    correctable.check(wish.corrected)


def _check_scope(store: Store, wish: Wish) -> None:
    """Refuse a scope where the right has none, and one that names what is not there."""
    if wish.scope == Scope():
        return
    if wish.right is not Right.OBJECT:
        raise UsageRefusal(
            f"A request to {wish.right} is about everything", why="Only an objection is to one dataset or purpose",
            next_step="Leave --dataset and --purpose out, or ask object",
        )  # fmt: skip
    with store.read() as connection:
        known = {*deliveries.datasets(connection), *(r.dataset for r in releases.all_current(connection))}
    _check_among("dataset", wish.scope.dataset, known=sorted(known - {CORRECTIONS}))
    _check_among("purpose", wish.scope.purpose, known=list(map(str, Purpose)))


def _check_among(what: str, named: str, *, known: list[str]) -> None:
    if named not in (ALL, *known):
        raise UsageRefusal(
            f"There is no such {what}", next_step=f"Name one of these with --{what}: {', '.join(known) or 'none yet'}"
        )


def _found(site: LoadingSite, wish: Wish) -> somebody.Found:
    if wish.entity is None:
        return somebody.identify(site, wish.index, values=wish.values)
    entity = somebody.standing(site, wish.index, entity=wish.entity)
    history = None
    for folder in somebody.folders(site, wish.index, newest=True):
        history = history or site.seats.of(wish.index).history(site.engine, folder=folder, entity_id=entity)
    if history is None or history.status == EntityStatus.RETIRED:
        raise AbsentRefusal("There is no such entity", next_step="Take one of those that ids right ask named")
    return somebody.Found(entity, 1.0, ())


def _number(site: LoadingSite) -> int:
    """A number that no request has had: after a restore, which knows not which were given since the backup, they begin
    anew with its day (`R-261123001`)."""
    with site.store.read() as connection:
        given = [int(r.subject.partition("/")[2]) for r in recorded(connection, ACTION)]
        days = [int(f"{datetime.fromisoformat(r.at):%y%m%d}000") for r in recorded(connection, RESTORED)]
    return 1 + max((*given, *days, *(one.number for one in kept.entries(site.places))), default=0)


def requests(store: Store) -> list[Asked]:
    """Every request, oldest first."""
    with store.read() as connection:
        return [
            Asked(
                int(r.subject.partition("/")[2]), Right(r.facts["right"]), r.facts["index"],
                r.facts["found"], r.actor, r.at, Scope(r.facts["dataset"], r.facts["purpose"]),
                jobs.state(connection, r.subject) or "waiting",
            )
            for r in recorded(connection, ACTION)
        ]  # fmt: skip


def get(store: Store, request: str, *, right: Right | None = None) -> Asked:
    """A request by its number (`R-3`); refuses one that is not there, or of another right."""
    known = next((asked for asked in requests(store) if asked.id == request), None)
    if known is None or (right is not None and known.right is not right):
        what = f"to {right}" if right else ""
        raise AbsentRefusal(
            f"There is no request {request} {what}".rstrip(), next_step="List them with: ids right list"
        )
    return known


def check_other(asked: Asked, *, by: str) -> None:
    """Refuse whoever wrote the request down: two people see to it."""
    if asked.by == by:
        raise RoleRefusal(
            f"Request {asked.id} was written down by {by}", why="Another officer must look at it and do it",
            next_step=f"Ask a colleague: ids right {asked.right} {asked.id}",
        )  # fmt: skip


def entity_of(site: LoadingSite, asked: Asked) -> int:
    """Whom a request is about; refuses one in which nobody was found."""
    entity = opened(site, asked).get("entity")
    if entity is None:
        raise AbsentRefusal(
            f"Request {asked.id} is about nobody whom the service knows surely",
            why="No record was found that is surely theirs",
            next_step="Ask again with more of what they say, or name one of the likely ones with --entity",
        )
    return int(entity)


def opened(site: LoadingSite, asked: Asked) -> dict[str, Any]:
    """What lies sealed beside a request: values, entity, corrected; refuses one that is done and destroyed."""
    place = folder(site, asked.number) / "request.sealed"
    if not place.exists():
        raise AbsentRefusal(f"Request {asked.id} is done", next_step=f"See its proof: ids right proof {asked.id}")
    with site.sealer.read(place) as file:
        held: dict[str, Any] = json.loads(file.read())
    return held


def folder(site: LoadingSite, number: int) -> Path:
    """Where what belongs to a request lies."""
    return site.places.requests / f"R-{number}"


def forget(site: LoadingSite, asked: Asked) -> None:
    """Destroy what somebody said of themselves, once the request is done."""
    place = folder(site, asked.number)
    if place.exists():
        shutil.rmtree(place)  # what stays is an error, not silence


def _keep(site: LoadingSite, number: int, *, held: dict[str, Any]) -> None:
    place = folder(site, number)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with site.sealer.write(place / "request.sealed") as file:
        file.write(json.dumps(held, default=str).encode())
