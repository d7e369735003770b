"""An application drafted from the catalogue: what the agreements permit, and the fewest columns that join.

What only the applicant knows is left empty: title, aims, methods, public benefit, ethics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import yaml

from integrated_data.approve.decide import decide_project
from integrated_data.approve.documents import require
from integrated_data.control import bodies
from integrated_data.model.access import DatasetRequest, Person, Project, World
from integrated_data.model.agreement import ANY, Agreement, Purpose

#: How long a project is asked for where agreements last as long.
DAYS = 365

_FIELDS = (
    "id", "title", "purpose", "organisation", "lead", "team", "datasets", "starts", "ends", "aims", "methods",
    "sponsor", "public_benefit", "ethics", "risk",
)  # fmt: skip


@dataclass(frozen=True)
class Offer:
    """A published dataset as it may be asked for: `columns` of its own, and the `keys` that it is joined by."""

    dataset: str
    owner: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What somebody wants of the offers: columns by dataset, and a purpose (None: the first that all permit)."""

    id: str
    columns: Mapping[str, tuple[str, ...]]
    purpose: Purpose | None = None


def draft(offers: Sequence[Offer], wish: Wish, *, person: Person, world: World, day: date) -> Project:
    """The application, its lead the only one on its team.

    Of each dataset it asks for the columns wished for, and for keys that another of the datasets has too and
    that its agreements let be had. Refuses purposes that do not all permit, and a dataset of which nothing
    would be asked.
    """
    purpose = _purpose(offers, wish, world=world, day=day)
    held = {offer.dataset: _under(world, offer.dataset, day=day, purpose=purpose) for offer in offers}
    requests = tuple(_request(offer, wish, offers=offers, held=held[offer.dataset]) for offer in offers)
    ends = min([day + timedelta(DAYS - 1), *(a.ends for agreements in held.values() for a in agreements)])
    return Project(wish.id, "To be named", purpose, person.organisation, person.id, (person.id,), requests, day, ends)


def document(project: Project, offers: Sequence[Offer], *, world: World, at: datetime) -> str:
    """The draft as YAML that `ids project add` takes, with what the agreements ask and what is still against it."""
    told = ["# An application drafted from the catalogue. Fill in what is empty; add people and columns that it needs."]
    for offer in offers:
        told += [f"# {line}" for line in _about(offer, project, world=world, day=at.date())]
    decision = decide_project(project, replace(world, projects=(project,)), at=at)
    missing = dict.fromkeys(f"{r.text}. {r.change}" for r in decision.reasons_against)
    told += ["# As it stands, this is against it:", *(f"#   - {line}" for line in missing)] if missing else []
    body = {name: value for name, value in bodies.write(project).items() if name in _FIELDS}
    body["datasets"] = [{k: r[k] for k in ("dataset", "columns", "keys")} for r in body["datasets"]]
    body |= {"starts": project.starts, "ends": project.ends}
    return "\n".join(told) + "\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def _purpose(offers: Sequence[Offer], wish: Wish, *, world: World, day: date) -> Purpose:
    permitted = {
        offer.dataset: {p for p in Purpose if _under(world, offer.dataset, day=day, purpose=p)} for offer in offers
    }
    common = [p for p in Purpose if all(p in of for of in permitted.values())]
    said = "; ".join(f"{d}: {', '.join(sorted(of)) or 'none'}" for d, of in permitted.items())
    require(
        bool(common) and wish.purpose in (None, *common),
        f"The agreements in force do not all permit {wish.purpose or 'one purpose'} ({said})",
        next_step="Name a purpose that all permit, leave a dataset out, or ask its owner for an agreement",
    )
    return wish.purpose or common[0]


def _under(world: World, dataset: str, *, day: date, purpose: Purpose) -> tuple[Agreement, ...]:
    """Agreements that a use would rest on; none where the dataset, or what it is derived from, has none."""
    found: list[Agreement] = []
    for each in (dataset, *world.origins(dataset)):
        mine = [a for a in world.agreements_on(each) if a.in_force(day) and purpose in a.purposes]
        if not mine:
            return ()
        found += mine
    return tuple(found)


def _request(offer: Offer, wish: Wish, *, offers: Sequence[Offer], held: Sequence[Agreement]) -> DatasetRequest:
    wanted, permitted = wish.columns.get(offer.dataset, ()), _permitted(offer, held)
    beyond = [c for c in wanted if c not in permitted]
    require(
        not beyond,
        f"Dataset {offer.dataset} has no variable {', '.join(beyond)} that its agreements permit",
        next_step=f"They permit: {', '.join(permitted)}",
    )
    others = {key for other in offers if other is not offer for key in other.keys}
    keys = tuple(k for k in offer.keys if k in others) if all(a.index_by_default for a in held) else ()
    require(
        bool(wanted or keys),
        f"Nothing would be asked of dataset {offer.dataset}: no other dataset named has a key of it",
        next_step=f"Name variables with --column {offer.dataset}.VARIABLE; permitted: {', '.join(permitted)}",
    )
    return DatasetRequest(offer.dataset, tuple(wanted), keys)


def _permitted(offer: Offer, held: Sequence[Agreement]) -> tuple[str, ...]:
    mine = [a for a in held if a.dataset == offer.dataset]
    return tuple(c for c in offer.columns if all(ANY in a.columns or c in a.columns for a in mine))


def _about(offer: Offer, project: Project, *, world: World, day: date) -> list[str]:
    """What stands in the agreements that a dataset is asked for under."""
    held = _under(world, offer.dataset, day=day, purpose=project.purpose)
    lines = [f"{offer.dataset}, of {offer.owner}"]
    for one in held:
        gateway = world.law.gateway(one.gateway)
        lines.append(
            f"  agreement {one.id} of {one.owner} on {one.dataset} until {one.ends}: {', '.join(one.purposes)}; "
            f"gateway {one.gateway}{f' ({gateway.title})' if gateway else ''}; "
            f"at least {one.conditions.minimum_people} people in each released cell"
        )
    asked = project.request(offer.dataset)
    more = [c for c in _permitted(offer, held) if asked is None or c not in asked.columns]
    return [*lines, f"  permitted too: {', '.join(more)}"] if more else lines
