"""What is on record in, a record of processing and a draft of an impact assessment out."""

from dataclasses import replace
from datetime import date

from integrated_data.approve import impact, processing
from integrated_data.approve.agree import read_agreement, united_kingdom
from integrated_data.approve.apply import read_project
from integrated_data.approve.holdings import GroupLinked, HeldDataset, Holdings, Measure, Settled
from integrated_data.approve.written import Paper, Section, markdown
from integrated_data.model.access import ProjectState
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.vocabulary import personal

TODAY = date(2026, 6, 15)
AGREEMENT = """
{id: A-1, dataset: gp, owner: Health, gateway: dea-2017-research, purposes: [research], columns: ["*"],
 onward_to: [University], starts: 2020-01-01, ends: 2026-01-01, retention_days: 30}
"""
PROJECT = """
{id: P-1, title: Work, purpose: research, organisation: University, lead: ada, team: [ada, ben],
 datasets: [{dataset: gp, columns: [icd10, area], keys: []}], starts: 2020-02-01, ends: 2099-11-30,
 public_benefit: Much, ethics: E-1}
"""


def dataset(name: str, **meanings: Meaning) -> HeldDataset:
    columns = tuple(Column(n, n, Kind.STRING, m, handling_of(m)) for n, m in meanings.items())
    contract = Contract(name, "Health", Layout(Format.CSV), columns, inferred=name == "gp")
    links = {"demographic": {"records": 200, "accepted": 190, "expected_precision": 0.999}}
    return HeldDataset(name, "Health", contract, 2, TODAY, TODAY, 200, published=True, links=links)


GP = dataset("gp", surname=Meaning.FAMILY_NAME, icd10=Meaning.CONDITION_CODE, area=Meaning.AREA_CODE,
             faith=Meaning.CODE)  # fmt: skip
HELD = Holdings(
    TODAY, united_kingdom(), (GP,), (read_agreement(AGREEMENT, united_kingdom()),),
    (replace(read_project(PROJECT), state=ProjectState.APPROVED),), {"analyst": 2}, (("P-1", "gp"),), {"P-1": 3},
    (Measure("Keys apart from the data", "beside the data", good=False),),
    (Settled(TODAY, "project/P-1", "approved"),), {"released": 3, "checked": 0, "rate": None},
    (GroupLinked("gp", "demographic", "sex", "F", 100, 0.99), GroupLinked("gp", "demographic", "sex", "M", 100, 0.8),
     GroupLinked("gp", "demographic", "sex", "X", 3, 0.0)),
    ("gp",), None, (("https://login.example", "sign-in"),),
)  # fmt: skip


def section(paper: Paper, heading: str) -> Section:
    return next(s for s in paper.sections if s.heading == heading)


def test_every_meaning_is_in_one_category() -> None:
    of = [m for meanings in personal.CATEGORIES.values() for m in meanings]
    assert sorted(of) == sorted(Meaning)


def test_a_record_says_who_why_whose_what_to_whom_where_how_long_and_how_secured() -> None:
    record = processing.record(HELD)
    assert [s.heading for s in record.sections] == [
        "Controllers and processor", "Purposes and legal basis", "Categories of people", "Categories of data",
        "Recipients", "Transfers to other countries", "Retention", "Security measures", "Decisions, by date",
    ]  # fmt: skip
    [purpose] = section(record, "Purposes and legal basis").rows
    assert (purpose["purposes"], purpose["state"]) == (["research"], "ended")
    assert "Digital Economy Act 2017" in str(purpose["legal gateway"])
    people = section(record, "Categories of people").rows
    assert people[0]["categories of people"] == ("people with a record in it", "people whose health is recorded")
    assert people[1] == {
        "processed in": "the service itself", "categories of people": ("users of the service: analyst",), "records": 2,
    }  # fmt: skip
    [data] = section(record, "Categories of data").rows
    assert data["categories of data"] == ("names", "areas", "health", "codes, counts and measures")
    assert data["special categories"] == [
        "icd10: health (by its meaning)", "faith: religious or philosophical beliefs (by its name)",
    ]  # fmt: skip
    [recipient] = section(record, "Recipients").rows
    assert (recipient["recipient"], recipient["people"], recipient["outputs"]) == ("University", 2, 3)
    assert "https://login.example (sign-in)" in section(record, "Transfers to other countries").says[0]
    [kept] = section(record, "Retention").rows
    assert (kept["kept after its end"], kept["past"]) == ("30 days", "yes")
    assert record.told()["to_write"].keys() >= {"Controllers and processor", "Transfers to other countries"}


def test_a_draft_of_an_assessment_says_what_records_tell_of_each_risk_and_leaves_judgement_to_people() -> None:
    draft = impact.assess(HELD)
    assert [s.heading.split(":")[0] for s in draft.sections if s.heading.startswith("Step")] == [
        "Step 1", *["Step 2"] * 5, "Step 3", "Step 4", "Step 5", "Step 6", "Step 7",
    ]  # fmt: skip
    rows = section(draft, "Step 5: Risks").rows
    said = {str(r["risk"]).split()[0]: r for r in rows}
    assert "P-1: gp.area" in str(rows[0]["what the records say"])
    assert "P-1: gp.icd10" in str(rows[1]["what the records say"])
    assert "gp, sex M (80.0% against 88.2%)" in str(rows[2]["what the records say"])
    assert "Error by group not judged by people: gp" in str(rows[2]["what the records say"])
    assert {r["likelihood"] for r in rows} == {r["severity"] for r in rows} == {"to be judged"}
    assert said["Data"]["needs a person now"] == "yes"
    groups = section(draft, "Annex: error of automated matching by group").rows
    assert [g["group"] for g in groups] == ["sex: F", "sex: M"], "groups of a few are left out"


def test_markdown_keeps_what_people_wrote_as_text() -> None:
    paper = Paper("T", TODAY, "B.", (Section("H", ("<b>`x`",), ({"a|b": "one|two\nthree", "n": 1200},), ("this",)),))
    text = markdown(paper)
    assert "&lt;b>\\`x\\`" in text
    assert "| one\\|two three | 1,200 |" in text
    assert "> **A person must write:** this" in text
