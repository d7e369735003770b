"""What agreements permit: the rules of the decision that are asked of an agreement.

An agreement covers a use when it is for its purpose and in date. Every agreement that covers it must permit
the whole of it: permissions are never pieced together, and where two agreements differ the stricter holds.
"""

from dataclasses import replace
from datetime import date

from integrated_data.approve.findings import About, Case
from integrated_data.model.access import Person, Project, Reason, Rule, World
from integrated_data.model.agreement import ANY, Agreement, LegalGateway, Licence, Standing
from integrated_data.model.shaping import Coarsening, strictest


def agreements_for(case: Case) -> tuple[list[Agreement], list[Reason]]:
    """Agreements that cover the request, and what was found of them (of all there are, when none does).

    A dataset that the service derives from others needs an agreement of its own, and what it was
    derived from, near or far, must be agreed for the same use: so its conditions are never weaker
    than theirs.
    """
    dataset = case.request.dataset or ""
    agreements, findings = _agreements_on(case, dataset)
    origins = case.world.origins(dataset)
    if not origins:
        return agreements, findings + _coarsened(case, agreements)
    circular = [d for d in (dataset, *origins) if d in case.world.origins(d)]
    findings = [_derivation(dataset, circular), *findings]
    asked = case._replace(request=replace(case.request, columns=()))
    for source in origins:
        if source != dataset:
            more, found = _agreements_on(asked, source)
            agreements, findings = agreements + more, findings + found
    return agreements, findings + _coarsened(case, agreements)


def _coarsened(case: Case, agreements: list[Agreement]) -> list[Reason]:
    """That every column asked for can be shown as coarse as all agreements ask; nothing where none asks."""
    if not any(agreement.coarsen for agreement in agreements):
        return []
    rules, about = strictest(a.coarsen for a in agreements), About(Rule.COARSENED, f"dataset {case.request.dataset}")
    withheld = [c for c in case.request.columns if c in rules and rules[c].withheld]
    if withheld:
        text = f"The agreements coarsen {', '.join(withheld)} in ways that cannot be held together"
        return [about.fails(text, "Ask the owners to agree on one way, or leave the column out")]
    return [about.holds("Its values can be coarsened as agreed")]


def coarsening(project: Project, dataset: str, *, world: World, day: date) -> dict[str, Coarsening]:
    """How coarse a project must see the variables of a dataset: as all agreements that cover its use ask."""
    agreements = [a for d in (dataset, *world.origins(dataset)) for a in world.agreements_on(d)]
    return strictest(a.coarsen for a in agreements if a.covers(project.purpose, day))


def _derivation(dataset: str, circular: list[str]) -> Reason:
    about = About(Rule.DERIVATION, f"dataset {dataset}")
    if circular:
        text = f"Dataset {dataset} is derived in a circle, by way of {', '.join(circular)}"
        return about.fails(text, "Have the service's operator correct what the dataset is derived from")
    return about.holds("The dataset is not derived from itself")


def _agreements_on(case: Case, dataset: str) -> tuple[list[Agreement], list[Reason]]:
    mine = case.world.agreements_on(dataset)
    if not mine:
        about = About(Rule.AGREEMENT, f"dataset {dataset}")
        change = "Ask its owner for one: ids agreement add FILE"
        return [], [about.fails(f"There is no agreement for dataset {dataset}", change)]
    covering = [a for a in mine if a.covers(case.request.purpose, case.day)]
    return covering, [f for agreement in covering or mine for f in findings_of(case, agreement)]


def findings_of(case: Case, agreement: Agreement) -> list[Reason]:
    """Every finding about one agreement; all must hold."""
    gateway = case.world.law.gateway(agreement.gateway)
    found = [_active(agreement), _in_date(agreement, case.day), *_use(case, agreement)]
    if agreement.licence is not None:
        found.append(_licensed(case, agreement, licence=agreement.licence))
    if gateway is None:
        text = f"Agreement {agreement.id} rests on a legal gateway that the law on file does not know"
        about = About(Rule.GATEWAY, f"agreement {agreement.id}")
        return [*found, about.fails(text, "Correct the agreement, or add the gateway to the law's file")]
    found.append(_gateway(case, agreement, gateway=gateway))
    found += _of_the_person(case, agreement, gateway=gateway)
    return found + _of_the_project(case, agreement, gateway=gateway)


def _active(agreement: Agreement) -> Reason:
    about = About(Rule.AGREEMENT_ACTIVE, f"agreement {agreement.id}")
    if agreement.suspended:
        return about.fails(f"Agreement {agreement.id} is suspended", "Ask the owner to lift the suspension")
    return about.holds(f"Agreement {agreement.id} is not suspended")


def _in_date(agreement: Agreement, day: date) -> Reason:
    about = About(Rule.AGREEMENT_IN_DATE, f"agreement {agreement.id}")
    if day < agreement.starts:
        return about.fails(f"Agreement {agreement.id} starts on {agreement.starts}", "Wait for its first day")
    if day > agreement.ends:
        text = f"Agreement {agreement.id} ended on {agreement.ends}"
        return about.fails(text, f"Ask {agreement.owner} to extend it")
    return about.holds(f"Agreement {agreement.id} holds until {agreement.ends}", until=agreement.ends)


def _licensed(case: Case, agreement: Agreement, *, licence: Licence) -> Reason:
    about, organisation = About(Rule.LICENSED, f"agreement {agreement.id}"), None
    if case.person is not None:
        organisation = case.person.organisation
    if case.day > licence.ends:
        text = f"The licence of agreement {agreement.id} ended on {licence.ends}"
        return about.fails(text, f"Buy it again from {agreement.owner}")
    bought = organisation in licence.buyers or ANY in licence.buyers
    if organisation is None or not (bought or licence.onward_sharing):
        text = f"The person's organisation has not bought the licence of agreement {agreement.id}"
        return about.fails(text, f"Buy it from {agreement.owner}, or have it shared onwards")
    return about.holds(f"The licence of agreement {agreement.id} holds until {licence.ends}", until=licence.ends)


def _gateway(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> Reason:
    about, purpose = About(Rule.GATEWAY, f"agreement {agreement.id}"), case.request.purpose
    if purpose not in gateway.purposes:
        text = f"{gateway.title} does not allow data to be used for {purpose}"
        return about.fails(text, "Use the data under a gateway that allows this purpose")
    return about.holds(f"{gateway.title} allows {purpose}")


def _use(case: Case, agreement: Agreement) -> list[Reason]:
    request, owner, agreed = case.request, agreement.owner, agreement.columns
    organisation = case.person.organisation if case.person is not None else ""
    columns = [] if ANY in agreed else [c for c in request.columns if c not in agreed]
    named = organisation == owner or ANY in agreement.onward_to or organisation in agreement.onward_to
    keys_agreed = agreement.index_by_default or not request.keys
    asked = (
        (Rule.AGREED_PURPOSE, request.purpose in agreement.purposes, f"use for {request.purpose}"),
        (Rule.AGREED_ORGANISATION, case.person is not None and named, "use by the person's organisation"),
        (Rule.AGREED_COLUMNS, not columns, f"use of {', '.join(columns) or 'the columns'}"),
        (Rule.AGREED_KEYS, keys_agreed, "indexing, so the dataset joins with others"),
    )
    subject, who = f"agreement {agreement.id}", f"Agreement {agreement.id}"
    return [
        About(rule, subject).holds(f"{who} permits {what}")
        if holds
        else About(rule, subject).fails(f"{who} does not permit {what}", f"Ask {owner} to permit it")
        for rule, holds, what in asked
    ]


def standing(person: Person | None, world: World, *, team: tuple[str, ...], day: date) -> tuple[Standing, date]:
    """What a person's accreditation amounts to on a day, and the last day it does.

    A provisional one counts only with its supervisor on the same team, active and fully accredited.
    """
    nothing = (Standing.NONE, date.max)
    if person is None or person.suspended or person.accreditation is None:
        return nothing
    own = person.accreditation
    if not own.starts <= day <= own.ends:
        return nothing
    if own.level is not Standing.PROVISIONAL:
        return own.level, own.ends
    above = world.person(own.supervisor) if own.supervisor in team and own.supervisor != person.id else None
    if above is None or above.accreditation is None or above.accreditation.level is not Standing.FULL:
        return nothing
    of_above, until = standing(above, world, team=team, day=day)
    return (Standing.PROVISIONAL, min(until, own.ends)) if of_above is Standing.FULL else nothing


def _of_the_person(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> list[Reason]:
    subject = f"person {case.request.person}"
    team = case.project.team if case.project is not None else ()
    has, until = standing(case.person, case.world, team=team, day=case.day)
    asks, lawful = agreement.conditions.standing, gateway.standing
    needs = asks if asks.rank > lawful.rank else lawful
    about, found = About(Rule.ACCREDITED, subject), []
    if has.rank >= needs.rank:
        text = f"The person's standing is {has}, agreement {agreement.id} asks for {needs}"
        found.append(about.holds(text, until=None if needs is Standing.NONE else until))
    else:
        text = f"Agreement {agreement.id} asks for {needs} accreditation, the person has {has}"
        found.append(about.fails(text, _way_to_standing(case.person, needs)))
    if gateway.training:
        about, trained = About(Rule.TRAINED, subject), case.person.trained_until if case.person is not None else None
        if trained is None or case.day > trained:
            text = "The person's training is missing or out of date"
            found.append(about.fails(text, "Renew the training of the person"))
        else:
            found.append(about.holds(f"The person's training counts until {trained}", until=trained))
    return found


def _way_to_standing(person: Person | None, needs: Standing) -> str:
    accredited = person is not None and person.accreditation is not None
    if accredited and needs is Standing.PROVISIONAL:
        return "Renew the accreditation, and have the fully accredited supervisor on the team"
    return f"Have the person accredited ({needs.value}) and the record renewed: ids person add FILE"


def _of_the_project(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> list[Reason]:
    if case.project is None:
        return []
    project, found = case.project, []
    for rule, needed, stated, what in (
        (Rule.PUBLIC_BENEFIT, gateway.public_benefit, project.public_benefit, "its public benefit"),
        (Rule.ETHICS, gateway.ethics, project.ethics, "its ethics review"),
    ):
        if not needed:
            continue
        about = About(rule, f"project {project.id}")
        if stated.strip():
            found.append(about.holds(f"The project states {what}"))
        else:
            text = f"The project does not state {what}, as the gateway of agreement {agreement.id} asks"
            found.append(about.fails(text, f"State {what} in the application"))
    return found
