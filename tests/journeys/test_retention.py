"""Data whose time is over: removed from everywhere, with a signed record, and refused from then on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.approve import accredit, agree, apply
from integrated_data.control import freezes, grants, projects, releases
from integrated_data.control.store import records
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.errors import AbsentRefusal, AgreementRefusal, AuditRefusal, DeliveryRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import agreeing, earlier, rolling
from integrated_data.site.loading import LoadingSite
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import signing_key
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.retention import due, running
from tests.journeys.test_keys_follow import AGREEMENT, BLANK, PERSON, PROJECT, write
from tests.journeys.test_rights import killed_after
from tests.journeys.test_rolled_back import DESK
from tests.marks import MARKED, searched
from tests.rights_house import CROWD, House, house
from tests.service import Service

UNKNOWN = MARKED[2]
SOMEBODY = BLANK | {
    "record_id": "new1", "given_name": "Ptolemy", "family_name": f"Quill {UNKNOWN.family}", "sex": "M",
    "date_of_birth": UNKNOWN.born, "address": "90 Shore Road", "postcode": "ZE1 9XY",
}  # fmt: skip
ENDED = {"starts: 2020-01-01": "starts: 2019-01-01", "ends: 2099-12-31": "ends: 2020-06-30\nretention_days: 30"}


def ended(site: LoadingSite, dataset: str) -> None:
    """The agreement on a dataset ended, and so did the time for which its data may be held."""
    text = AGREEMENT.replace("A-pay", f"A-{dataset}").replace("dataset: pay", f"dataset: {dataset}")
    for now, then in ENDED.items():
        text = text.replace(now, then)
    projects.add_agreement(site.store, agree.read_agreement(text, agree.united_kingdom()), by="owner")


@pytest.fixture
def h(opened: House) -> Iterator[House]:
    """The house, with claims of somebody whom no register knows."""
    claims = [row | {"record_id": f"C{i:04d}"} for i, row in enumerate([SOMEBODY, *CROWD[:20]])]
    file = write(opened.folder / "claims.csv", claims, incomes=True)
    told = deliver_and_refresh(opened.site, "claims", files=[file])
    assert told["links"]["demographic"]["provisional"] == 1, told["links"]
    return opened


@pytest.mark.long
def test_every_dataset_goes_with_all_that_was_made_of_it(h: House) -> None:
    site, key = h.site, signing_key(h.site.places).public_key()
    keys = h.keys("P-keyed")
    with site.store.read() as connection:
        first = releases.get(connection, "pay").id
    assert h.found()
    for dataset in ("claims", "tax", "pay", "register"):
        ended(site, dataset)
        assert [d["dataset"] for d in due.due(site.store)] == [dataset]
        told = running.run(site, dataset, by="system:desk")
        place = Path(told["proof"])
        found = running.verify(place, key=key)
        assert (found["dataset"], found["held_until"]) == (dataset, "2020-07-30")
        assert due.due(site.store) == []
        if dataset == "tax":
            others = {income: key for income, key in keys.items() if income > 1001}
            assert {i: k for i, k in h.keys("P-keyed").items() if i in others} == others, "who stays keeps their key"
    assert h.found() == set(), "no mark is anywhere in the home"
    statement = json.loads((site.places.proofs / "retention-claims-1.json").read_text())["statement"]
    (delivery,) = statement["what"]["deliveries"]
    assert delivery["files"] > 1
    assert statement["rule"]["agreements"] == [{"id": "A-claims", "ends": "2020-06-30", "retention_days": 30}]
    (version,) = statement["what"]["index_versions"]
    assert version["entities_left_with_nothing"] == 1
    changed = h.folder / "changed.json"
    changed.write_text(json.dumps(json.loads(place.read_text()) | {"statement": statement}))
    with pytest.raises(AuditRefusal, match="statement was changed"):
        running.verify(changed, key=key)
    with site.store.read() as connection:
        assert not grants.active(connection)
        assert not [r for r in releases.all_current(connection) if r.dataset in ("pay", "claims")]
        assert next(r.subject for r in records(connection) if r.action == "retention.done") == "dataset/claims"
    refused_from_then_on(h, first)


def refused_from_then_on(h: House, first: int) -> None:
    """Neither rolled back to, nor read as at a day, nor delivered again."""
    site = h.site
    with pytest.raises(AgreementRefusal, match="no published version"):
        rolling.roll(site, "pay", to=first, back=True, reason="back", acting=DESK)
    with site.store.read() as connection, pytest.raises(AgreementRefusal, match=r"is expired.*Its data were removed"):
        releases.as_at(connection, "pay", when=str(first), today=site.store.now().date())
    with pytest.raises(AgreementRefusal, match="is expired"):
        earlier.grant(site, "P-plain", dataset="pay", as_at=str(first), by="panel")
    again = AGREEMENT.replace("A-pay", "A-pay-2")
    projects.add_agreement(site.store, agree.read_agreement(again, agree.united_kingdom()), by="owner")
    with pytest.raises(DeliveryRefusal, match="has expired"):
        deliver_and_refresh(site, "pay", files=[h.folder / "pay.csv"])
    with pytest.raises(AgreementRefusal, match=r"may be held until|No agreement says"):
        running.run(site, "pay", by="system:desk")


def test_what_may_be_held_or_is_frozen_stays_and_a_dry_run_changes_nothing(h: House) -> None:
    site = h.site
    with pytest.raises(AgreementRefusal, match="No agreement says how long dataset pay may be held"):
        running.run(site, "pay", by="system:desk")
    ended(site, "pay")
    freezes.put(site.store, Frozen.DATASET, subjects=["pay"], by="desk", reason="A case", affected=lambda _: {})
    assert "Dataset pay is frozen since" in due.due(site.store)[0]["stopped_by"]
    with pytest.raises(AgreementRefusal, match=r"Nothing of dataset pay is removed.*frozen since"):
        running.run(site, "pay", by="system:desk")
    freezes.lift(site.store, Frozen.DATASET, subjects=["pay"], by="desk", reason="Over")
    before = h.found()
    told = running.dry_run(site, "pay")
    assert told["deliveries"][0]["files"] > 1
    assert told["table"]["files"] == 1
    assert h.found() == before
    assert len(agreeing.past_retention(site.store)) == 1
    with pytest.raises(AbsentRefusal, match="Nothing of dataset pay was removed"):
        running.prove(site.places, site.store, dataset="pay")


def test_a_published_value_is_nowhere_in_the_home_any_more(tmp_path: Path) -> None:
    service, day = Service(tmp_path), agree.united_kingdom()
    columns = (
        Column("id", "id", Kind.STRING, Meaning.RECORD_ID, Handling.IDENTIFIER),
        Column("code", "code", Kind.STRING, Meaning.CODE, Handling.PAYLOAD),
    )
    rows = [{"id": f"R{i}", "code": UNKNOWN.family.replace(" ", "")} for i in range(400)]
    with service.open() as site:
        notes = Contract("notes", "Department", Layout(Format.CSV), columns)
        for length in (400, 399):
            service.deliver(site, notes, rows[:length])
        agreed = AGREEMENT.replace("A-pay", "A-notes").replace("dataset: pay", "dataset: notes")
        projects.add_agreement(site.store, agree.read_agreement(agreed, day), by="owner")
        projects.add_person(site.store, accredit.read_person(PERSON), by="desk")
        wanted = PROJECT.format(id="P-1", keys="", more="").replace(
            "dataset: pay, columns: [income]", "dataset: notes, columns: [code]"
        )
        projects.add_project(site.store, apply.read_project(wanted), by="ada")
        assert decide_and_provision(site, "P-1", by="panel")[0].allowed
    before, _ = searched(service.places.home)
    shown = {Path(name).name.removesuffix("-wal") for name in before}
    assert {"control.sqlite", "notes.counts.json"} <= shown, "its profile and the counts of its twin show it"
    for source in tmp_path.glob("*.csv"):
        source.unlink()
    with service.open() as site:
        ended(site, "notes")
        running.run(site, "notes", by="system:desk")
    assert searched(service.places.home)[0] == {}


@pytest.mark.long
def test_a_killed_removal_goes_on(whole: Path) -> None:
    with house(whole) as opened:
        ended(opened.site, "pay")
        steps = running._steps(opened.site.store, "pay", by="x")
    killed_after(whole / "home", ("retention", "run", "pay"), job=steps.job, steps=3)
    with house(whole) as opened:
        with opened.site.store.read() as connection:
            assert not grants.active(connection, dataset="pay")
        assert [d["begun"] for d in due.due(opened.site.store)] == [True]
        told = running.run(opened.site, "pay", by="system:desk")
        assert told["removed"]["still_found"] == 0
        assert not (opened.site.places.lake / "files" / "pay").exists()
