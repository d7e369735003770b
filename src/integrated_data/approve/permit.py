"""What one agreement permits: the rules of the decision that are asked of an agreement.

One agreement must pass them all: permissions are never pieced together from several.
"""

from dataclasses import replace
from datetime import date

from integrated_data.approve.findings import About, Case, Finding
from integrated_data.model.access import ANY, Agreement, LegalGateway, Person, Rule, Standing, World


def agreements_for(case: Case) -> tuple[list[Agreement], list[Finding]]:
    """Agreements that permit the request, and what was found of them (of all, when none does).

    A dataset that the service derives from others needs an agreement of its own, and what it was
    derived from must be agreed for the same use: so its conditions are never weaker than theirs.
    """
    agreements, findings = _agreements_of(case, case.request.dataset or "")
    for source in case.world.sources(case.request.dataset or ""):
        asked = replace(case.request, dataset=source, columns=())
        more, found = _agreements_of(case._replace(request=asked), source)
        agreements, findings = agreements + more, findings + found
    return agreements, findings


def _agreements_of(case: Case, dataset: str) -> tuple[list[Agreement], list[Finding]]:
    mine = [a for a in case.world.agreements if a.dataset == dataset]
    if not mine:
        about = About(Rule.AGREEMENT, f"dataset {dataset}")
        change = "Ask its owner for one: ids agreement add FILE"
        return [], [about.fails(f"There is no agreement for dataset {dataset}", change)]
    permitting, found_for, found = [], [], []
    for agreement in mine:
        findings = findings_of(case, agreement)
        found += findings
        if all(f.holds for f in findings):
            permitting.append(agreement)
            found_for += findings
    return permitting, (found_for if permitting else found)


def findings_of(case: Case, agreement: Agreement) -> list[Finding]:
    """Every finding about one agreement; all must hold."""
    gateway = case.world.law.gateway(agreement.gateway)
    found = [_active(agreement), _in_date(agreement, case.day), *_use(case, agreement)]
    if gateway is None:
        text = f"Agreement {agreement.id} rests on a legal gateway that the law on file does not know"
        about = About(Rule.GATEWAY, f"agreement {agreement.id}")
        return [*found, about.fails(text, "Correct the agreement, or add the gateway to the law's file")]
    found.append(_gateway(case, agreement, gateway=gateway))
    found += _of_the_person(case, agreement, gateway=gateway)
    return found + _of_the_project(case, agreement, gateway=gateway)


def _active(agreement: Agreement) -> Finding:
    about = About(Rule.AGREEMENT_ACTIVE, f"agreement {agreement.id}")
    if agreement.suspended:
        return about.fails(f"Agreement {agreement.id} is suspended", "Ask the owner to lift the suspension")
    return about.holds(f"Agreement {agreement.id} is not suspended")


def _in_date(agreement: Agreement, day: date) -> Finding:
    about = About(Rule.AGREEMENT_IN_DATE, f"agreement {agreement.id}")
    if day < agreement.starts:
        return about.fails(f"Agreement {agreement.id} starts on {agreement.starts}", "Wait for its first day")
    if day > agreement.ends:
        text = f"Agreement {agreement.id} ended on {agreement.ends}"
        return about.fails(text, f"Ask {agreement.owner} to extend it")
    return about.holds(f"Agreement {agreement.id} holds until {agreement.ends}", until=agreement.ends)


def _gateway(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> Finding:
    about, purpose = About(Rule.GATEWAY, f"agreement {agreement.id}"), case.request.purpose
    if purpose not in gateway.purposes:
        text = f"{gateway.title} does not allow data to be used for {purpose.value}"
        return about.fails(text, "Use the data under a gateway that allows this purpose")
    return about.holds(f"{gateway.title} allows {purpose.value}")


def _use(case: Case, agreement: Agreement) -> list[Finding]:
    request, owner = case.request, agreement.owner
    organisation = case.person.organisation if case.person is not None else ""
    columns = [c for c in request.columns if ANY not in agreement.columns and c not in agreement.columns]
    named = organisation == owner or ANY in agreement.onward_to or organisation in agreement.onward_to
    keys_agreed = agreement.index_by_default or not request.keys
    asked = (
        (Rule.AGREED_PURPOSE, request.purpose in agreement.purposes, f"use for {request.purpose.value}"),
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


def _of_the_person(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> list[Finding]:
    subject = f"person {case.request.person}"
    team = case.project.team if case.project is not None else ()
    has, until = standing(case.person, case.world, team=team, day=case.day)
    needs = max(gateway.standing, agreement.conditions.standing, key=lambda s: s.rank)
    about, found = About(Rule.ACCREDITED, subject), []
    if has.rank >= needs.rank:
        text = f"The person's standing is {has.value}, agreement {agreement.id} asks for {needs.value}"
        found.append(about.holds(text, until=None if needs is Standing.NONE else until))
    else:
        text = f"Agreement {agreement.id} asks for {needs.value} accreditation, the person has {has.value}"
        found.append(about.fails(text, _way_to_standing(case.person, needs)))
    if gateway.training:
        about, trained = (
            About(Rule.TRAINED, subject),
            case.person.trained_until if case.person is not None else None,
        )
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


def _of_the_project(case: Case, agreement: Agreement, *, gateway: LegalGateway) -> list[Finding]:
    if case.project is None:
        return []
    project, found = case.project, []
    for rule, needed, stated, what in (
        (Rule.PUBLIC_BENEFIT, gateway.public_benefit, project.public_benefit, "its public benefit"),
        (Rule.ETHICS, gateway.ethics, project.ethics, "its ethics review"),
    ):
        about = About(rule, f"project {project.id}")
        if needed and not stated.strip():
            text = f"The project does not state {what}, as the gateway of agreement {agreement.id} asks"
            found.append(about.fails(text, f"State {what} in the application"))
        elif needed:
            found.append(about.holds(f"The project states {what}"))
    return found
