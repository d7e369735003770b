"""The decision, drawn: one fact changed in a world where everything holds, and the rules that then refuse."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from integrated_data.approve.decide import decide, decide_project
from integrated_data.model.access import Accreditation, DatasetRequest, ProjectState, Rule, World
from integrated_data.model.agreement import Conditions, Licence, Purpose, Standing
from integrated_data.model.shaping import Coarsening
from tests.worlds import ADA, AGREEMENT, AT, BEN, FULL, PROJECT, REQUEST, WORLD


def world(*, agreement: dict[str, Any] | None = None, ada: dict[str, Any] | None = None,
          ben: dict[str, Any] | None = None, project: dict[str, Any] | None = None) -> World:  # fmt: skip
    return World(
        WORLD.law,
        (replace(AGREEMENT, **(agreement or {})),),
        (replace(ADA, **(ada or {})), replace(BEN, **(ben or {}))),
        (replace(PROJECT, **(project or {})),),
    )


def against(request: dict[str, Any], facts: World) -> list[Rule]:
    decision = decide(replace(REQUEST, **request), facts, at=AT)
    assert decision.allowed is not bool(decision.reasons_against)
    return [reason.rule for reason in decision.reasons_against]


def test_what_holds_is_allowed_with_every_reason_and_a_last_day() -> None:
    decision = decide(REQUEST, WORLD, at=AT)
    assert decision.allowed
    assert decision.agreements == ("A-1",)
    assert decision.until == date(2026, 11, 30)  # the project ends first
    assert decision.policy_version == "5/Testland 1"
    others = {Rule.AGREEMENT, Rule.DERIVATION, Rule.LICENSED, Rule.COARSENED, Rule.APPROVER, Rule.APPROVALS}
    assert {r.rule for r in decision.reasons_for} == set(Rule) - others


PAST, LATER = date(2026, 6, 14), date(2026, 6, 16)
EXPIRED = replace(FULL, ends=PAST)

PICTURES: list[tuple[str, dict[str, Any], dict[str, Any], list[Rule]]] = [
    ("nobody", {"person": "eve"}, {},
     [Rule.PERSON_KNOWN, Rule.ON_TEAM, Rule.AGREED_ORGANISATION, Rule.ACCREDITED, Rule.TRAINED]),
    ("no project", {"project": "P-9"}, {}, [Rule.PROJECT_KNOWN]),
    ("suspended", {}, {"ada": {"suspended": True}}, [Rule.PERSON_ACTIVE, Rule.ACCREDITED]),
    ("not on the team", {}, {"project": {"team": ("ben",)}}, [Rule.ON_TEAM]),
    ("not decided", {}, {"project": {"state": ProjectState.PROPOSED}}, [Rule.PROJECT_APPROVED]),
    ("closed", {}, {"project": {"state": ProjectState.CLOSED}}, [Rule.PROJECT_APPROVED]),
    ("too early", {}, {"project": {"starts": LATER}}, [Rule.PROJECT_IN_DATE]),
    ("too late", {}, {"project": {"ends": PAST}}, [Rule.PROJECT_IN_DATE]),
    ("another purpose", {"purpose": Purpose.OPERATIONAL}, {},
     [Rule.PURPOSE, Rule.AGREED_PURPOSE, Rule.GATEWAY]),
    ("a purpose not agreed", {}, {"agreement": {"purposes": (Purpose.STATISTICS,)}}, [Rule.AGREED_PURPOSE]),
    ("a gateway that forbids it", {}, {"agreement": {"gateway": "services"}}, [Rule.GATEWAY]),
    ("a gateway nobody knows", {}, {"agreement": {"gateway": "x"}}, [Rule.GATEWAY]),
    ("dataset not applied for", {}, {"project": {"datasets": ()}}, [Rule.DATASET_APPLIED_FOR]),
    ("column not applied for", {"columns": ("income",)}, {}, [Rule.COLUMNS_APPLIED_FOR]),
    ("key not applied for", {"keys": ("business",)}, {}, [Rule.COLUMNS_APPLIED_FOR]),
    ("no agreement", {}, {"agreement": {"dataset": "pay"}}, [Rule.AGREEMENT]),
    ("agreement ended", {}, {"agreement": {"ends": PAST}}, [Rule.AGREEMENT_IN_DATE]),
    ("agreement to come", {}, {"agreement": {"starts": LATER}}, [Rule.AGREEMENT_IN_DATE]),
    ("agreement suspended", {}, {"agreement": {"suspended": True}}, [Rule.AGREEMENT_ACTIVE]),
    ("organisation not named", {}, {"agreement": {"onward_to": ("Institute",)}}, [Rule.AGREED_ORGANISATION]),
    ("column not agreed", {}, {"agreement": {"columns": ("sex", "region")}}, [Rule.AGREED_COLUMNS]),
    ("indexing not agreed", {}, {"agreement": {"index_by_default": False}}, [Rule.AGREED_KEYS]),
    ("licence not bought", {}, {"agreement": {"licence": Licence(("Institute",), LATER)}}, [Rule.LICENSED]),
    ("licence over", {}, {"agreement": {"licence": Licence(("University",), PAST)}}, [Rule.LICENSED]),
    ("licence bought", {}, {"agreement": {"licence": Licence(("University",), LATER)}}, []),
    ("licence shared onwards", {}, {"agreement": {"licence": Licence((), LATER, onward_sharing=True)}}, []),
    ("coarsened as agreed", {}, {"agreement": {"coarsen": {"sex": Coarsening(first=1)}}}, []),
    ("coarsened to nothing", {}, {"agreement": {"coarsen": {"sex": Coarsening(withheld=True)}}}, [Rule.COARSENED]),
    ("accreditation expired", {}, {"ada": {"accreditation": EXPIRED}}, [Rule.ACCREDITED]),
    ("never accredited", {}, {"ada": {"accreditation": None}}, [Rule.ACCREDITED]),
    ("training expired", {}, {"ada": {"trained_until": PAST}}, [Rule.TRAINED]),
    ("never trained", {}, {"ada": {"trained_until": None}}, [Rule.TRAINED]),
    ("no public benefit", {}, {"project": {"public_benefit": " "}}, [Rule.PUBLIC_BENEFIT]),
    ("no ethics review", {}, {"project": {"ethics": ""}}, [Rule.ETHICS]),
    ("owner wants full, person has it", {},
     {"agreement": {"conditions": Conditions(standing=Standing.FULL)}}, []),
    ("everything at once", {},
     {"agreement": {"ends": PAST, "columns": ("sex",)}, "ada": {"trained_until": PAST},
      "project": {"ends": PAST}},
     [Rule.PROJECT_IN_DATE, Rule.AGREEMENT_IN_DATE, Rule.AGREED_COLUMNS, Rule.TRAINED]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "request_", "facts", "rules"), PICTURES, ids=[p[0] for p in PICTURES])
def test_one_fact_changed(what: str, request_: dict[str, Any], facts: dict[str, Any], rules: list[Rule]) -> None:
    assert against(request_, world(**facts)) == rules


PROVISIONAL = {"person": "ben"}


@pytest.mark.parametrize(
    ("facts", "allowed"),
    [
        ({}, True),
        ({"project": {"team": ("ben",)}}, False),  # supervisor not on the team
        ({"ada": {"suspended": True}}, False),
        ({"ada": {"accreditation": EXPIRED}}, False),
        (
            {"ada": {"accreditation": replace(FULL, level=Standing.PROVISIONAL, supervisor="ben")}},
            False,
        ),  # circular
        (
            {"ben": {"accreditation": Accreditation(Standing.PROVISIONAL, FULL.starts, FULL.ends, "ben")}},
            False,
        ),
        ({"agreement": {"conditions": Conditions(standing=Standing.FULL)}}, False),
    ],
)
def test_provisional_people_work_under_a_full_supervisor(facts: dict[str, Any], allowed: bool) -> None:
    assert (not against(PROVISIONAL, world(**facts))) is allowed


def test_permissions_of_two_agreements_do_not_add_up() -> None:
    one = replace(AGREEMENT, columns=("sex", "region"))
    two = replace(AGREEMENT, id="A-2", columns=("age_band",))
    decision = decide(REQUEST, replace(WORLD, agreements=(one, two)), at=AT)
    assert not decision.allowed
    assert {r.subject for r in decision.reasons_against} == {"agreement A-1", "agreement A-2"}


@pytest.mark.parametrize(
    ("second", "refused_by"),
    [
        ({}, None),
        ({"columns": ("sex",)}, Rule.AGREED_COLUMNS),
        ({"onward_to": ()}, Rule.AGREED_ORGANISATION),
        ({"index_by_default": False}, Rule.AGREED_KEYS),
        ({"suspended": True}, Rule.AGREEMENT_ACTIVE),
        ({"columns": ("sex",), "ends": PAST}, None),  # over, so it says nothing any more
        ({"columns": ("sex",), "starts": LATER}, None),
        ({"columns": ("sex",), "purposes": (Purpose.STATISTICS,)}, None),  # about another use
    ],
)
def test_where_two_agreements_differ_the_stricter_holds(second: dict[str, Any], refused_by: Rule | None) -> None:
    two = replace(AGREEMENT, id="A-2", **second)
    decision = decide(REQUEST, replace(WORLD, agreements=(AGREEMENT, two)), at=AT)
    assert [(r.rule, r.subject) for r in decision.reasons_against] == (
        [(refused_by, "agreement A-2")] if refused_by else []
    )


def test_the_strictest_conditions_of_all_agreements_that_cover_the_use_hold() -> None:
    one = replace(AGREEMENT, conditions=Conditions(10, 5, Standing.PROVISIONAL))
    two = replace(AGREEMENT, id="A-2", conditions=Conditions(30, 1, Standing.FULL))
    decision = decide(REQUEST, replace(WORLD, agreements=(one, two)), at=AT)
    assert decision.conditions == Conditions(30, 5, Standing.FULL)


def test_two_agreements_that_coarsen_in_two_ways_show_nothing_of_it() -> None:
    ways = (Coarsening(first=1), Coarsening(band=5))
    one, two = (replace(AGREEMENT, id=f"A-{n}", coarsen={"sex": way}) for n, way in enumerate(ways))
    facts = replace(WORLD, agreements=(one, two))
    assert against({}, facts) == [Rule.COARSENED]
    assert against({"columns": ("region",)}, facts) == []
    decided = decide(REQUEST, replace(WORLD, agreements=(one, replace(two, coarsen=one.coarsen))), at=AT)
    assert (decided.allowed, decided.coarsen) == (True, {"sex": Coarsening(first=1)})


def test_what_is_derived_needs_its_own_agreement_and_each_sources_and_takes_the_strictest_conditions() -> None:
    pay = replace(AGREEMENT, id="A-2", dataset="pay", columns=("gross",), conditions=Conditions(30, 5))
    derived = replace(WORLD, derived=(("census", ("pay",)),))
    decision = decide(REQUEST, replace(derived, agreements=(AGREEMENT, pay)), at=AT)
    assert (decision.allowed, decision.agreements) == (True, ("A-1", "A-2"))
    assert decision.conditions == Conditions(30, 5)
    assert against({}, derived) == [Rule.AGREEMENT]
    assert against({}, replace(derived, agreements=(pay,))) == [Rule.AGREEMENT]
    closed = replace(pay, index_by_default=False)
    assert against({}, replace(derived, agreements=(AGREEMENT, closed))) == [Rule.AGREED_KEYS]


def test_what_is_derived_from_something_derived_needs_every_source_agreed() -> None:
    pay, tax = (replace(AGREEMENT, id=f"A-{d}", dataset=d, columns=("gross",)) for d in ("pay", "tax"))
    chain = replace(WORLD, derived=(("census", ("pay",)), ("pay", ("tax",))))
    assert against({}, replace(chain, agreements=(AGREEMENT, pay))) == [Rule.AGREEMENT]
    assert against({}, replace(chain, agreements=(AGREEMENT, pay, tax))) == []
    ended = replace(tax, ends=PAST)
    assert against({}, replace(chain, agreements=(AGREEMENT, pay, ended))) == [Rule.AGREEMENT_IN_DATE]


@pytest.mark.parametrize("circle", [("census",), ("pay",)])
def test_what_is_derived_in_a_circle_is_refused(circle: tuple[str, ...]) -> None:
    pay = replace(AGREEMENT, id="A-2", dataset="pay")
    facts = replace(WORLD, agreements=(AGREEMENT, pay), derived=(("census", ("pay",)), ("pay", circle)))
    decision = decide(REQUEST, facts, at=AT)
    assert [r.rule for r in decision.reasons_against] == [Rule.DERIVATION]
    assert "in a circle" in decision.reasons_against[0].text


def test_a_refusal_says_what_would_change_it() -> None:
    decision = decide(REQUEST, world(agreement={"ends": PAST}), at=AT)
    assert decision.changes == ("Ask Ministry to extend it",)
    assert decision.until is None
    assert "2026-06-14" in decision.reasons_against[0].text


def test_a_project_is_decided_for_every_member_and_dataset_as_if_approved() -> None:
    proposed = replace(PROJECT, state=ProjectState.PROPOSED)
    assert decide_project(proposed, WORLD, at=AT).allowed
    untrained = world(ben={"trained_until": PAST})
    decision = decide_project(proposed, untrained, at=AT)
    assert [(r.rule, r.subject) for r in decision.reasons_against] == [(Rule.TRAINED, "person ben")]
    pay = DatasetRequest("pay", ("income",))
    decision = decide_project(replace(proposed, datasets=(*PROJECT.datasets, pay)), WORLD, at=AT)
    assert [(r.rule, r.subject) for r in decision.reasons_against] == [(Rule.AGREEMENT, "dataset pay")]


def test_a_project_that_starts_later_is_judged_on_its_first_day() -> None:
    coming = replace(PROJECT, starts=date(2026, 9, 1), state=ProjectState.PROPOSED)
    assert decide_project(coming, WORLD, at=AT).allowed
    assert not decide_project(coming, world(agreement={"ends": date(2026, 8, 31)}), at=AT).allowed


def test_both_ends_of_a_period_count() -> None:
    last = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    after = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
    assert decide(REQUEST, WORLD, at=last).allowed
    assert not decide(REQUEST, WORLD, at=after).allowed
