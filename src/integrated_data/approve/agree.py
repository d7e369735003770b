"""Agree: the law as configuration, and what owners of datasets agreed to."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, timedelta
from importlib.resources import files

from integrated_data.approve.documents import LIMITS_LIE, check_ids, load, read, require
from integrated_data.control import bodies
from integrated_data.model.agreement import Agreement, Annex, Framework, Law
from integrated_data.model.frameworks import agreement_of, chain, widened


def read_law(text: str) -> Law:
    """The legal gateways of a country from YAML; refuses two gateways of one id."""
    law = read(Law, text, what="law")
    ids = [g.id for g in law.gateways]
    for gateway in law.gateways:
        check_ids("law", id=gateway.id)
        require(
            bool(gateway.purposes),
            f"Gateway {gateway.id} allows no purpose",
            next_step="Name at least one purpose",
        )
    require(
        len(set(ids)) == len(ids),
        "The law names a gateway twice",
        next_step="Give every gateway an id of its own",
    )
    return law


def united_kingdom() -> Law:
    """The United Kingdom's gateways, as shipped."""
    return read_law((files(__package__) / "law" / "united_kingdom.yaml").read_text(encoding="utf-8"))


def read_agreement(text: str, law: Law) -> Agreement:
    """One agreement from YAML; refuses what the law it rests on does not allow."""
    agreement = read(Agreement, text, what="agreement")
    check_agreement(agreement, law)
    return agreement


def read_paper(text: str, law: Law, *, known: Mapping[str, Framework]) -> Agreement | Annex | Framework:
    """What a form says: an agreement by itself, an annex (framework and dataset, no owner of its own), or a framework.

    Refuses what the law or the framework does not allow, and frameworks that stand under each other in a circle.
    """
    body = load(text, what="agreement")
    given = set(body) if isinstance(body, Mapping) else {"dataset"}
    if not {"dataset", "framework"} & given:
        framework = bodies.read(Framework, body, what="framework")
        chain(framework.id, {**known, framework.id: framework})
        check_agreement(_as_agreement(framework), law)
        return framework
    if "framework" in given and not {"owner", "gateway"} & given:
        annex = bodies.read(Annex, body, what="annex")
        check_annex(annex, law, known=known)
        return annex
    agreement = bodies.read(Agreement, body, what="agreement")
    check_agreement(agreement, law)
    return agreement


def _as_agreement(framework: Framework) -> Agreement:
    """A framework as the agreement that an annex which says nothing makes of it."""
    named = {f.name: getattr(framework, f.name) for f in fields(framework) if f.name not in ("id", "under")}
    return Agreement(id=framework.id, dataset="any", **named)


def check_annex(annex: Annex, law: Law, *, known: Mapping[str, Framework]) -> None:
    """Refuse an annex that says more than its framework lets it, or that contradicts itself or the law."""
    made = agreement_of(annex, known)
    wider = widened(annex, known)
    require(
        not wider,
        f"Annex {annex.id} goes beyond framework {annex.framework} in field {', '.join(wider)}",
        next_step="An annex can only narrow: take it out, or have the framework widened first",
    )
    check_agreement(made, law)


def loading_stopped(agreed: Sequence[Agreement], day: date) -> str:
    """Why nothing more of a dataset may be loaded; empty where an agreement is in force, or there is none at all."""
    if not agreed or any(a.in_force(day) for a in agreed):
        return ""
    last = max(agreed, key=lambda a: a.ends)
    if any(a.suspended and a.starts <= day <= a.ends for a in agreed):
        return f"Agreement {next(a.id for a in agreed if a.suspended)} is suspended"
    if day > last.ends:
        return f"Agreement {last.id} ended on {last.ends}"
    return f"Agreement {last.id} starts on {last.starts}"


def held_until(agreed: Sequence[Agreement]) -> date | None:
    """The last day on which the data of a dataset may be held; None where an agreement does not say."""
    if not agreed or any(a.retention_days is None for a in agreed):
        return None
    return max(a.ends + timedelta(days=a.retention_days or 0) for a in agreed)


def check_agreement(agreement: Agreement, law: Law) -> None:
    """Refuse an agreement that contradicts itself or the law."""
    check_ids("agreement", id=agreement.id, dataset=agreement.dataset)
    whole = f"Agreement {agreement.id}"
    require(agreement.starts <= agreement.ends, f"{whole} ends before it starts", next_step="Correct its dates")
    for field, value in (("purposes", agreement.purposes), ("columns", agreement.columns)):
        require(
            bool(value),
            f"{whole} permits nothing: field {field} is empty",
            next_step=f"Name its {field}, or do not add it",
        )
    gateway = law.gateway(agreement.gateway)
    known = ", ".join(g.id for g in law.gateways)
    if gateway is None:
        require(
            False,
            f"{whole} rests on a gateway that the law on file does not know",
            next_step=f"Choose from: {known}",
        )
        return
    beyond = [p.value for p in agreement.purposes if p not in gateway.purposes]
    require(
        not beyond,
        f"{whole} permits use for {', '.join(beyond)}, which its gateway does not allow",
        next_step="Take the purpose out, or rest the agreement on another gateway",
    )
    for variable, rule in agreement.coarsen.items():
        positive = all(n is None or n >= 1 for n in (rule.band, rule.first))
        require(
            positive and (rule.withheld or (len(rule.ways) == 1)),
            f"{whole} coarsens a variable in no way, in several at once, or by less than 1",
            next_step=f"Give coarsen.{variable} one way: band, top, bottom (age_at: ages), period, postcode, first",
        )
    conditions, licence = agreement.conditions, agreement.licence
    require(
        licence is None or (bool(licence.buyers) and 0 <= licence.price_share <= 1),
        f"{whole} has a licence without a buyer, or with a price share that is none",
        next_step="Name buyers; a price share lies between 0 and 1",
    )
    require(
        agreement.retention_days is None or agreement.retention_days >= 0,
        f"{whole} keeps data for less than no time",
        next_step="Set retention_days to 0 or more",
    )
    require(
        conditions.limits.sensible,
        f"{whole} has a condition that no output can be held to",
        next_step=LIMITS_LIE,
    )
