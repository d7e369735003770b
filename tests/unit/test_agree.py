"""Agreements, people and projects as people write them, and as the store keeps them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from integrated_data.approve import accredit, agree, apply
from integrated_data.control import bodies, projects
from integrated_data.control.store import Store
from integrated_data.model.access import Accreditation, Decision, Person, ProjectState, Rule
from integrated_data.model.agreement import Agreement, Conditions, Purpose, Standing
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.shaping import Coarsening

EXAMPLES = Path(__file__).parents[2] / "examples"
LAW = agree.united_kingdom()
AGREEMENT = (EXAMPLES / "agreement.yaml").read_text(encoding="utf-8")
PERSON = (EXAMPLES / "person.yaml").read_text(encoding="utf-8")
PROJECT = (EXAMPLES / "project.yaml").read_text(encoding="utf-8")


def test_the_example_agreement_reads() -> None:
    agreement = agree.read_agreement(AGREEMENT, LAW)
    assert agreement == Agreement(
        "A-2026-census", "census", "Office for Population Counts", "dea-2017-research", (Purpose.RESEARCH,),
        ("sex", "birth_year", "region_2021", "economic_activity"), ("University of Example",),
        date(2026, 1, 1), date(2028, 12, 31), index_by_default=True, framework="F-2025",
        conditions=Conditions(10, 5, Standing.PROVISIONAL),
        coarsen={"birth_year": Coarsening(age_at=date(2021, 3, 21), band=5, top=85)},
    )  # fmt: skip


def test_the_example_person_and_project_read() -> None:
    person = accredit.read_person(PERSON)
    assert person.accreditation is not None
    assert person.accreditation.level is Standing.FULL
    project = apply.read_project(PROJECT)
    assert project.datasets[0].keys == ("person",)
    assert project.state is ProjectState.PROPOSED


MISTAKES = [
    ("dataset: census\n", "", "Field dataset of the agreement is missing"),
    ("starts: 2026-01-01", "starts: soon",
     "Field starts of the agreement must be a date written as 2026-03-31"),
    ("purposes: [research]", "purposes: [profit]",
     "Field purposes[0] of the agreement must be one of research, statistics, operational"),
    ("purposes: [research]", "purposes: research", "Field purposes of the agreement must be a list"),
    ("purposes: [research]", "purposes: []",
     "Agreement A-2026-census permits nothing: field purposes is empty"),
    ("purposes: [research]", "purposes: [operational]",
     "Agreement A-2026-census permits use for operational, which its gateway does not allow"),
    ("gateway: dea-2017-research", "gateway: magna-carta",
     "Agreement A-2026-census rests on a gateway that the law on file does not know"),
    ("minimum_people: 10", "minimum_people: ten",
     "Field conditions.minimum_people of the agreement must be a whole number"),
    ("minimum_people: 10", "minimum_people: 0",
     "Agreement A-2026-census has a condition that no output can be held to"),
    ("index_by_default: true", "index_by_default: 1",
     "Field index_by_default of the agreement must be true or false"),
    ("owner: Office", "owners: Office", "The agreement has no field owners"),
    ("id: A-2026-census", "id: ../etc", "Field id of the agreement is no id"),
    ("band: 5", "band: 0", "coarsens a variable in no way"),
    ("band: 5", "first: 5", "coarsens a variable in no way, in several at once"),
    ("ends: 2028-12-31", "ends: 2025-12-31", "Agreement A-2026-census ends before it starts"),
    ("purposes: [research]", "purposes: [research", "The agreement is not valid YAML at line"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES)
def test_a_mistake_is_named_by_its_field(right: str, wrong: str, said: str) -> None:
    assert right in AGREEMENT
    with pytest.raises(AgreementRefusal) as caught:
        agree.read_agreement(AGREEMENT.replace(right, wrong), LAW)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "1", "\x00", "a: &a [*a]"])
def test_what_is_no_agreement_is_refused(text: str) -> None:
    with pytest.raises(AgreementRefusal):
        agree.read_agreement(text, LAW)


def test_a_refusal_holds_no_value_of_the_file() -> None:
    with pytest.raises(AgreementRefusal) as caught:
        accredit.read_person(PERSON.replace("level: full", "level: marked-value"))
    assert "marked-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("supervisor: null", "supervisor: ada", "nobody supervises themselves"),
        ("level: full", "level: provisional", "names no supervisor"),
    ],
)
def test_a_person_that_contradicts_itself_is_refused(right: str, wrong: str, said: str) -> None:
    with pytest.raises(AgreementRefusal, match=said):
        accredit.read_person(PERSON.replace(right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("team: [ada]", "team: [ben]", "lead is not on the team"),
        ("columns: [sex, birth_year, region_2021]\n    keys: [person]", "columns: []", "without a column"),
        ("columns: [sex, birth_year, region_2021]", "columns: [sex, SEX]", "twice"),
        ("title:", "state: approved\ntitle:", "written as approved"),
        ("title:", "index_versions: {demographic: 3}\nas_at: 2026-05-01\ntitle:", "a day as well"),
        ("title:", "index_versions: {demographic: 0}\ntitle:", "below 1"),
        ("title:", "index_versions: {demographic: three}\ntitle:", "demographic .* must be a whole number"),
        ("title:", "index_versions: [3]\ntitle:", "must be a set of named values"),
        ("title:", "index_versions: {'no such name!': 3}\ntitle:", "is no id"),
        ("title:", "as_at: 2026-02-31\ntitle:", "must be a date"),
    ],
)
def test_a_project_that_contradicts_itself_is_refused(right: str, wrong: str, said: str) -> None:
    assert right in PROJECT
    with pytest.raises(AgreementRefusal, match=said):
        apply.read_project(PROJECT.replace(right, wrong))


def test_what_is_written_down_reads_back_the_same(store: Store) -> None:
    agreement, person, project = (
        agree.read_agreement(AGREEMENT, LAW),
        accredit.read_person(PERSON),
        apply.read_project(PROJECT + "index_versions: {demographic: 3}\n"),
    )
    projects.add_agreement(store, agreement, by="owner")
    projects.add_person(store, person, by="desk")
    projects.add_project(store, project, by="ada")
    with store.read() as connection:
        assert projects.agreements(connection, "census") == [agreement]
        assert projects.get_person(connection, "ada") == person
        assert projects.get_project(connection, "P-2026-work") == project
        facts = projects.world(connection, LAW, projects=("P-2026-work",))
    assert (facts.agreements, facts.people, facts.projects) == ((agreement,), (person,), (project,))


def test_a_decision_moves_its_project_and_reads_back_the_same(store: Store) -> None:
    projects.add_agreement(store, agree.read_agreement(AGREEMENT, LAW), by="owner")
    projects.add_person(store, accredit.read_person(PERSON), by="desk")
    projects.add_project(store, apply.read_project(PROJECT), by="ada")
    decision = apply.decide(store, "P-2026-work", law=LAW, by="panel")
    with store.read() as connection:
        assert projects.get_project(connection, "P-2026-work").state is ProjectState.APPROVED
        assert projects.decisions(connection, "P-2026-work") == [(1, "panel", decision)]
    refused = apply.decide(store, "P-2026-work", law=LAW, by="panel", refuse="the aims are unclear")
    assert [r.rule for r in refused.reasons_against] == [Rule.APPROVER]
    with store.read() as connection:
        assert projects.get_project(connection, "P-2026-work").state is ProjectState.REFUSED


def test_nobody_decides_their_own_project(store: Store) -> None:
    projects.add_project(store, apply.read_project(PROJECT), by="ada")
    with pytest.raises(AgreementRefusal, match="on the team"):
        apply.decide(store, "P-2026-work", law=LAW, by="ada")


def test_an_amended_project_must_be_decided_again(store: Store) -> None:
    projects.add_agreement(store, agree.read_agreement(AGREEMENT, LAW), by="owner")
    projects.add_person(store, accredit.read_person(PERSON), by="desk")
    project = apply.read_project(PROJECT)
    projects.add_project(store, project, by="ada")
    apply.decide(store, "P-2026-work", law=LAW, by="panel")
    projects.add_project(store, replace(project, title="More"), by="ada")
    with store.read() as connection:
        assert projects.get_project(connection, "P-2026-work").state is ProjectState.PROPOSED
    projects.close_project(store, "P-2026-work", by="ada")


def test_unknown_ids_are_refused_by_what_they_are(store: Store) -> None:
    with store.read() as connection:
        for find, what in (
            (projects.get_agreement, "agreement"),
            (projects.get_person, "person"),
            (projects.get_project, "project"),
        ):
            with pytest.raises(AgreementRefusal, match=f"There is no {what} x"):
                find(connection, "x")


def test_a_decision_body_is_plain_json() -> None:
    decision = bodies.read(
        Decision,
        {"allowed": False, "reasons_for": [], "policy_version": "1", "at": "2026-06-15T12:00:00+00:00",
         "reasons_against": [{"rule": "project known", "subject": "project P", "text": "t", "change": "c"}]},
        what="decision",
    )  # fmt: skip
    assert bodies.read(Decision, bodies.write(decision), what="decision") == decision


def test_what_ends_soon_is_listed_soonest_first() -> None:
    def somebody(person: str, *, ends: int, trained: int | None = None, above: str | None = None) -> Person:
        level = Standing.PROVISIONAL if above else Standing.FULL
        own = Accreditation(level, date(2025, 1, 1), date(2026, ends, 1), above)
        return Person(person, person, "University", own, None if trained is None else date(2026, trained, 1))

    people = [
        somebody("ada", ends=6, trained=5),
        somebody("ben", ends=9, above="ada"),
        somebody("cem", ends=8),
        replace(somebody("dan", ends=1), suspended=True),
        Person("eve", "eve", "University"),
    ]
    told = [(day.month, person.id, what) for day, person, what in accredit.ending(people, until=date(2026, 8, 1))]
    assert told == [
        (5, "ada", "training"),
        (6, "ada", "accreditation"),
        (6, "ben", "accreditation of the supervisor"),
        (8, "cem", "accreditation"),
    ]
