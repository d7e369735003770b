"""Frameworks and annexes, drawn: one small form adds a dataset, and the stricter of two papers holds."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from integrated_data.approve import agree
from integrated_data.control import frameworks, projects
from integrated_data.control.store import Store
from integrated_data.model.agreement import Agreement, Annex, Conditions, Framework, Licence, Purpose
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.frameworks import agreement_of, differing

EXAMPLES = Path(__file__).parents[2] / "examples"
LAW = agree.united_kingdom()
FRAMEWORK = (EXAMPLES / "framework.yaml").read_text(encoding="utf-8")
ANNEX = (EXAMPLES / "annex.yaml").read_text(encoding="utf-8")


def added(store: Store, text: str) -> Agreement | None:
    with store.read() as connection:
        known = frameworks.known(connection)
    paper = agree.read_paper(text, LAW, known=known)
    if isinstance(paper, Framework):
        frameworks.add_framework(store, paper, by="owner")
        return None
    projects.add_agreement(store, paper, by="owner")
    with store.read() as connection:
        return projects.get_agreement(connection, paper.id)


def test_three_lines_add_a_dataset_to_a_framework(store: Store) -> None:
    added(store, FRAMEWORK)
    assert added(store, ANNEX) == Agreement(
        "A-2026-hospital-episodes", "hospital_episodes", "Health Department", "dea-2017-research",
        (Purpose.RESEARCH,), ("*",), ("*",), date(2026, 1, 1), date(2030, 12, 31), index_by_default=True,
        framework="F-2026-health", conditions=Conditions(10, 5), retention_days=365,
    )  # fmt: skip


def test_annexes_follow_their_framework(store: Store) -> None:
    added(store, FRAMEWORK)
    added(store, ANNEX)
    added(store, FRAMEWORK.replace("ends: 2030-12-31", "ends: 2026-06-30").replace("rounding: 5", "rounding: 10"))
    with store.read() as connection:
        (agreement,) = projects.agreements(connection, "hospital_episodes")
    assert (agreement.ends, agreement.conditions.rounding) == (date(2026, 6, 30), 10)
    added(store, FRAMEWORK + "suspended: true\n")
    with store.read() as connection:
        assert projects.agreements(connection, "hospital_episodes")[0].suspended


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("purposes: [statistics]", "purposes"),
        ("ends: 2031-01-01", "ends"),
        ("starts: 2025-12-31", "starts"),
        ("columns: ['*']", "columns"),
        ("onward_to: [Elsewhere]", "onward_to"),
        ("index_by_default: true", "index_by_default"),
    ],
)
def test_an_annex_cannot_widen_its_framework(store: Store, more: str, field: str) -> None:
    narrow = FRAMEWORK.replace('columns: ["*"]', "columns: [sex]").replace(
        'onward_to: ["*"]', "onward_to: [University]"
    )
    added(store, narrow.replace("index_by_default: true", "index_by_default: false"))
    with pytest.raises(AgreementRefusal, match=f"goes beyond framework F-2026-health in field {field}"):
        added(store, ANNEX + more)


def test_an_annex_may_narrow(store: Store) -> None:
    added(store, FRAMEWORK)
    made = added(store, ANNEX + "columns: [sex]\nends: 2027-12-31\nconditions: {minimum_people: 30}\n")
    assert made is not None
    assert (made.columns, made.ends, made.conditions) == (("sex",), date(2027, 12, 31), Conditions(30, 5))


def test_a_framework_that_stands_under_itself_is_refused(store: Store) -> None:
    with pytest.raises(AgreementRefusal, match="F-2026-health stands under itself"):
        added(store, FRAMEWORK.replace('under: ""', "under: F-2026-health"))


def test_frameworks_that_stand_under_each_other_are_refused(store: Store) -> None:
    added(store, FRAMEWORK)
    second = FRAMEWORK.replace("id: F-2026-health", "id: F-2")
    added(store, second.replace('under: ""', "under: F-2026-health"))
    with pytest.raises(AgreementRefusal, match="F-2026-health under F-2 under F-2026-health"):
        added(store, FRAMEWORK.replace('under: ""', "under: F-2"))


def test_a_framework_under_another_takes_the_stricter_terms(store: Store) -> None:
    added(store, FRAMEWORK.replace("id: F-2026-health", "id: F-state").replace("ends: 2030-12-31", "ends: 2028-12-31"))
    added(store, FRAMEWORK.replace('under: ""', "under: F-state"))
    made = added(store, ANNEX)
    assert made is not None
    assert made.ends == date(2028, 12, 31)


def test_an_annex_without_its_framework_is_refused(store: Store) -> None:
    with pytest.raises(AgreementRefusal, match="no framework F-2026-health on record"):
        added(store, ANNEX)


def test_licences_take_the_stricter_terms() -> None:
    one = Licence(("A", "B"), date(2027, 1, 1), onward_sharing=True, price_share=0.1)
    other = Licence(("B",), date(2028, 1, 1), price_share=0.3, derived_products=False)
    framework = Framework(
        "F", "Owner", "g", (Purpose.RESEARCH,), ("*",), date(2026, 1, 1), date(2027, 1, 1), licence=one
    )
    made = agreement_of(Annex("A-1", "F", "pay", licence=other), {"F": framework})
    assert made.licence == Licence(("B",), date(2027, 1, 1), price_share=0.3, derived_products=False)


def test_where_agreements_differ_is_said() -> None:
    one = Agreement("A", "pay", "O", "g", (Purpose.RESEARCH,), ("*",), ("*",), date(2026, 1, 1), date(2026, 12, 31))
    other = Agreement("B", "pay", "O", "g", (Purpose.RESEARCH,), ("x",), ("*",), date(2026, 6, 1), date(2027, 1, 1))
    later = Agreement("C", "pay", "O", "g", (Purpose.RESEARCH,), ("y",), ("*",), date(2027, 1, 1), date(2027, 1, 9))
    assert differing(one, other) == ["columns"]
    assert differing(one, later) == []


DAY = date(2026, 6, 15)


@pytest.mark.parametrize(
    ("starts", "ends", "suspended", "reason"),
    [
        (date(2026, 1, 1), DAY, False, ""),
        (date(2026, 1, 1), date(2026, 6, 14), False, "Agreement A ended on 2026-06-14"),
        (date(2026, 6, 16), date(2027, 1, 1), False, "Agreement A starts on 2026-06-16"),
        (date(2026, 1, 1), date(2027, 1, 1), True, "Agreement A is suspended"),
    ],
)
def test_loads_stop_when_the_last_agreement_does(starts: date, ends: date, suspended: bool, reason: str) -> None:
    one = Agreement("A", "pay", "O", "g", (Purpose.RESEARCH,), ("*",), ("*",), starts, ends, suspended=suspended)
    assert agree.loading_stopped([one], DAY) == reason
    other = Agreement("B", "pay", "O", "g", (Purpose.RESEARCH,), ("*",), ("*",), DAY, DAY)
    assert agree.loading_stopped([one, other], DAY) == ""
    assert agree.loading_stopped([], DAY) == ""


def test_data_may_be_held_as_long_as_every_agreement_says() -> None:
    pay = Agreement("A", "pay", "O", "g", (Purpose.RESEARCH,), ("*",), ("*",), DAY, DAY)
    kept, unsaid, later = replace(pay, retention_days=30), pay, replace(pay, ends=date(2026, 8, 1), retention_days=0)
    assert agree.held_until([kept]) == date(2026, 7, 15)
    assert agree.held_until([kept, later]) == date(2026, 8, 1)
    assert agree.held_until([kept, unsaid]) is None
    assert agree.held_until([]) is None


def test_another_countrys_law_reads_and_binds() -> None:
    finland = agree.read_law((EXAMPLES / "law_finland.yaml").read_text(encoding="utf-8"))
    assert finland.country == "Finland"
    with pytest.raises(AgreementRefusal, match="law on file does not know"):
        agree.read_paper(FRAMEWORK, finland, known={})
    there = FRAMEWORK.replace("dea-2017-research", "act-552-2019-scientific-research")
    assert isinstance(agree.read_paper(there, finland, known={}), Framework)
