"""Laws of the decision: deny by default, answer always, less is never more, and agreements do not add up."""

import random
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.approve.decide import decide
from integrated_data.model.access import AccessRequest, Accreditation, Person, Project, World
from integrated_data.model.agreement import ANY, Agreement, Law
from tests.worlds import AT, LAW, random_case

SEEDS = st.integers(0, 2**32)
PROHIBITIONS = (
    "suspended agreement", "fewer columns agreement", "nobody agreement", "unindexed agreement", "person",
    "suspended person", "expired person", "untrained person", "project", "ended project", "left team", "dataset",
    "column", "gateway",
)  # fmt: skip
#: After these an agreement says nothing about the use any more, so they prohibit only where it stands alone.
ENDINGS = ("agreement", "ended agreement", "other purpose agreement")


def forbid(facts: World, what: str, *, dice: random.Random) -> World:
    """The same facts with a grant taken away, or a prohibition or an expiry added."""
    match what.rpartition(" ")[2]:
        case "agreement":
            return replace(facts, agreements=_less(facts.agreements, _worse_agreement, what, dice))
        case "person":
            return replace(facts, people=_less(facts.people, _worse_person, what, dice))
        case "gateway":
            return replace(facts, law=replace(LAW, gateways=LAW.gateways[1:]))
    return replace(facts, projects=_less(facts.projects, _worse_project, what, dice))


def _less(all_of, worse, what, dice):  # type: ignore[no-untyped-def]
    if not all_of:
        return all_of
    chosen = dice.randrange(len(all_of))
    changed = worse(all_of[chosen], what)
    return tuple(x for n, x in enumerate(all_of) if n != chosen) + ((changed,) if changed else ())


def _worse_agreement(one: Agreement, what: str) -> Agreement | None:
    if what == "agreement":
        return None
    match what.removesuffix(" agreement"):
        case "suspended":
            return replace(one, suspended=True)
        case "fewer columns":
            return replace(one, columns=() if ANY in one.columns else one.columns[1:])
        case "nobody":
            return replace(one, onward_to=())
        case "unindexed":
            return replace(one, index_by_default=False)
        case "other purpose":
            return replace(one, purposes=())
    return replace(one, ends=min(one.ends, AT.date() - timedelta(days=1)))


def _worse_person(one: Person, what: str) -> Person | None:
    if what == "suspended person":
        return replace(one, suspended=True)
    if what == "untrained person":
        return replace(one, trained_until=None)
    if what == "expired person" and one.accreditation:
        past = min(one.accreditation.ends, AT.date() - timedelta(days=1))
        return replace(one, accreditation=replace(one.accreditation, ends=past))
    return None


def _worse_project(one: Project, what: str) -> Project | None:
    match what:
        case "ended project":
            return replace(one, ends=min(one.ends, AT.date() - timedelta(days=1)))
        case "left team":
            return replace(one, team=one.team[1:])
        case "dataset":
            return replace(one, datasets=())
        case "column":
            return replace(one, datasets=tuple(replace(d, columns=d.columns[1:], keys=()) for d in one.datasets))
    return None


@given(SEEDS, st.sampled_from(PROHIBITIONS))
@settings(max_examples=800, deadline=None)
def test_a_prohibition_never_turns_refuse_into_allow(seed: int, what: str) -> None:
    request, facts = random_case(random.Random(seed))
    if not decide(request, facts, at=AT).allowed:
        assert not decide(request, forbid(facts, what, dice=random.Random(seed)), at=AT).allowed


@given(SEEDS, st.sampled_from(ENDINGS))
@settings(max_examples=400, deadline=None)
def test_an_agreement_that_stands_alone_never_turns_refuse_into_allow_by_ending(seed: int, what: str) -> None:
    request, facts = random_case(random.Random(seed))
    alone = replace(facts, agreements=tuple({a.dataset: a for a in facts.agreements}.values()))
    if not decide(request, alone, at=AT).allowed:
        assert not decide(request, forbid(alone, what, dice=random.Random(seed)), at=AT).allowed


@given(SEEDS, SEEDS)
@settings(max_examples=400, deadline=None)
def test_one_more_agreement_never_allows_what_those_that_cover_the_use_refuse(seed: int, other: int) -> None:
    request, facts = random_case(random.Random(seed))
    if decide(request, facts, at=AT).allowed:
        return
    covered = {a.dataset for a in facts.agreements if a.covers(request.purpose, AT.date())}
    more = [a for a in random_case(random.Random(other))[1].agreements if a.dataset in covered]
    facts_and_more = replace(facts, agreements=(*facts.agreements, *(replace(a, id=f"{a.id}-more") for a in more)))
    assert not decide(request, facts_and_more, at=AT).allowed


@given(SEEDS)
@settings(max_examples=400, deadline=None)
def test_asking_for_less_is_never_refused_where_more_is_allowed(seed: int) -> None:
    request, facts = random_case(random.Random(seed))
    if decide(request, facts, at=AT).allowed:
        assert decide(replace(request, columns=request.columns[1:], keys=()), facts, at=AT).allowed


@given(st.builds(AccessRequest))
def test_a_world_without_facts_refuses_everything(request: AccessRequest) -> None:
    decision = decide(request, World(Law("Nowhere", "0", ())), at=AT)
    assert not decision.allowed
    assert decision.reasons_against


ANYTHING = st.builds(
    World,
    st.builds(Law),
    st.lists(st.builds(Agreement), max_size=2).map(tuple),
    st.lists(st.builds(Person, accreditation=st.none() | st.builds(Accreditation)), max_size=2).map(tuple),
    st.lists(st.builds(Project), max_size=2).map(tuple),
)


@given(st.builds(AccessRequest), ANYTHING, st.datetimes())
@settings(max_examples=60, deadline=None)
def test_it_answers_any_question_about_any_world(request: AccessRequest, facts: World, at) -> None:  # type: ignore[no-untyped-def]
    if facts.people:
        request = replace(request, person=facts.people[0].id)
    if facts.projects:
        request = replace(request, project=facts.projects[0].id)
    decision = decide(request, facts, at=at)
    assert decision.allowed is not bool(decision.reasons_against)
