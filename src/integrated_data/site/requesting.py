"""Asking for access in place: an application drafted from catalogue entries, for who asks."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from integrated_data.approve.draft import Offer, Wish, document, draft
from integrated_data.control import projects, releases
from integrated_data.control.store import Store
from integrated_data.model.access import DatasetRequest, Person, Project
from integrated_data.model.agreement import Purpose
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.agreeing import law_of
from integrated_data.site.places import Places

#: What of a catalogue entry is no variable of the dataset's own.
_SERVICE = frozenset({"entity", "link probability", "link method", "link weight"})


def application(
    places: Places, store: Store, *, datasets: Sequence[str], by: str, columns: Sequence[str] = (),
    purpose: Purpose | None = None,
) -> str:  # fmt: skip
    """The draft as YAML. `columns` are written as DATASET.VARIABLE. Refuses what no agreement permits.

    It is written nowhere and asks nobody: the applicant adds it, or does not.
    """
    law, now, asked = law_of(places), store.now(), _columns(datasets, columns)
    with store.read() as connection:
        person = _person(connection, by)
        offers = [_offer(releases.get(connection, dataset).entry) for dataset in dict.fromkeys(datasets)]
        wish = Wish(_free_id(connection, by, year=now.year), asked, purpose)
        bare = Project(
            wish.id, "", Purpose.RESEARCH, person.organisation, by, (by,),
            tuple(DatasetRequest(offer.dataset, ()) for offer in offers), now.date(), now.date(),
        )  # fmt: skip
        world = projects.world_of(connection, law, found=(bare,))
    made = draft(offers, wish, person=person, world=world, day=now.date())
    return document(made, offers, world=world, at=now)


def _person(connection: sa.Connection, by: str) -> Person:
    known = {p.id: p for p in projects.people(connection)}
    if by not in known:
        raise UsageRefusal(
            "It is not known who applies", why=f"{by} is no person on record",
            next_step="Sign in: export IDS_TOKEN=$(ids sign-in); or in a trial add --as PERSON (ids person list)",
        )  # fmt: skip
    return known[by]


def _offer(entry: dict[str, Any]) -> Offer:
    own = tuple(v["name"] for v in entry["variables"] if v["meaning"] not in _SERVICE)
    keys = tuple(v["name"].removesuffix("_entity") for v in entry["variables"] if v["meaning"] == "entity")
    return Offer(entry["dataset"], entry["owner"], own, keys)


def _columns(datasets: Sequence[str], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in columns:
        dataset, _, variable = each.partition(".")
        if dataset not in datasets or not variable:
            raise UsageRefusal(
                "A column is not written as DATASET.VARIABLE of a dataset asked for",
                next_step="Write it as --column census.sex",
            )
        found[dataset] = (*found.get(dataset, ()), variable)
    return found


def _free_id(connection: sa.Connection, person: str, *, year: int) -> str:
    taken = {p.id for p in projects.projects(connection)}
    return next(name for n in range(1, len(taken) + 2) if (name := f"P-{year}-{person}-{n}"[:64]) not in taken)
