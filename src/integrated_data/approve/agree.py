"""Agree: the law as configuration, and what owners of datasets agreed to."""

from importlib.resources import files

from integrated_data.approve.documents import check_ids, read, require
from integrated_data.model.access import Agreement, Law


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
    conditions = agreement.conditions
    require(
        conditions.minimum_people >= 1 and conditions.rounding >= 1,
        f"{whole} has a condition below 1",
        next_step="Set minimum_people and rounding to 1 or more",
    )
