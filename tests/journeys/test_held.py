"""Held loads: a person decides once, and what was decided goes on from there; a rejected file comes back corrected."""

import hashlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrated_data import journey
from integrated_data.acquire import contracts, manifest
from integrated_data.control import deliveries, releases
from integrated_data.control.store import records
from integrated_data.journey import Handed
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Mode, Rule, Thresholds
from integrated_data.model.delivery import Completes
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal, UsageRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import loads
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite
from tests.journeys.installation import COMMAND, environment
from tests.service import Service

COLUMNS = (
    Column("ref", "ref", meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER, key=True),
    Column("age", "age", kind=Kind.INTEGER, meaning=Meaning.MEASURE, handling=Handling.PAYLOAD),
)


def promised(dataset: str, *rules: Rule, **more: Any) -> Contract:
    return Contract(dataset, "Department", Layout(Format.CSV), COLUMNS, rules=rules, **more)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("held"))


@pytest.fixture
def site(service: Service) -> Iterator[LoadingSite]:
    with service.open() as opened:
        yield opened


def drawn(*ages: str | int) -> list[dict[str, Any]]:
    return [{"ref": f"R{n}", "age": str(age)} for n, age in enumerate(ages)]


def told(site: LoadingSite, action: str) -> list[dict[str, Any]]:
    with site.store.read() as connection:
        return [r.facts for r in records(connection) if r.action == action]


def rows(site: LoadingSite, dataset: str) -> int | None:
    with site.store.read() as connection:
        current = releases.current(connection, dataset)
    return current.rows if current else None


def test_a_held_load_is_decided_once_and_goes_on_from_there(service: Service, site: LoadingSite) -> None:
    held = service.deliver(site, promised("ages"), drawn(*range(9), "x"))
    assert (held["state"], rows(site, "ages")) == ("held", None)
    with pytest.raises(UsageRefusal, match="No reason"):
        loads.accept(site, held["delivery"], reason=" ")
    accepted = loads.accept(site, held["delivery"], reason="agreed with the department")
    assert (accepted["state"], list(accepted["seconds"])) == ("published", ["index", "deidentify", "publish"])
    assert rows(site, "ages") == 9
    for late in (journey.accept_held, journey.recheck_held, journey.reject_held):
        with pytest.raises(DeliveryRefusal, match="is not held: it is published"):
            late(site.workshop, held["delivery"], reason="too late")


def test_of_two_people_who_decide_the_second_is_told_of_the_first(service: Service, site: LoadingSite) -> None:
    held = service.deliver(site, promised("twice"), drawn(*range(9), "x"))["delivery"]
    with site.store.read() as connection:
        known = deliveries.get(connection, held)
    assert known.state == "held"
    journey.reject_held(site.workshop, held, reason="the wrong month")
    with pytest.raises(DeliveryRefusal, match="is not held: it is rejected"):
        loads.accept(site, held, reason="it is fine")
    assert rows(site, "twice") is None


def test_what_was_accepted_and_cut_short_goes_on_when_asked_again(service: Service, site: LoadingSite) -> None:
    held = service.deliver(site, promised("cut"), drawn(*range(9), "x"))["delivery"]
    stopped = replace(site.workshop, lake=None)  # type: ignore[arg-type] # the process ends before it can publish
    with pytest.raises(AttributeError):
        journey.accept_held(stopped, held, reason="agreed")
    assert loads.accept(site, held, reason="agreed")["state"] == "published"
    assert len([d for d in told(site, "delivery.accepted") if d["delivery"] == held]) == 1


def test_a_rejected_file_comes_back_under_another_contract(service: Service, site: LoadingSite) -> None:
    strict = promised("strict", Rule("old", Check.RANGE, "age", low="50"))
    file = service.file(drawn(*range(40, 60)))
    first = loads.deliver_and_refresh(site, "strict", files=[file], handed=Handed(strict))
    again = loads.deliver_and_refresh(site, "strict", files=[file], handed=Handed(strict))
    assert [(t["state"], t["repeated"]) for t in (first, again)] == [("rejected", False), ("rejected", True)]
    looser = promised("strict", Rule("old", Check.RANGE, "age", low="40"), version="1.1.0")
    third = loads.deliver_and_refresh(site, "strict", files=[file], handed=Handed(looser))
    assert (third["delivery"], third["state"], rows(site, "strict")) == (first["delivery"], "published", 20)


def test_the_contract_of_a_rejected_load_binds_no_later_one(service: Service, site: LoadingSite) -> None:
    wrong = Contract("loose", "Department", Layout(Format.CSV), (*COLUMNS, Column("ref2", "ref", required=True)),
                     rules=(Rule("none", Check.RANGE, "age", low="999"),))  # fmt: skip
    assert service.deliver(site, wrong, drawn(1, 2))["state"] == "rejected"
    file = service.file(drawn(*range(30)))
    assert loads.deliver_and_refresh(site, "loose", files=[file])["state"] == "published"


def test_files_that_do_not_match_their_manifest_are_not_kept(service: Service, site: LoadingSite) -> None:
    file, sums = service.file(drawn(1, 2, 3)), service.folder / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
    handed = Handed(promised("sent"), manifest.read(sums))
    file.write_text(file.read_text()[:-2])
    before = sorted(service.places.landed.iterdir())
    with pytest.raises(DeliveryRefusal, match="File 1 of the delivery does not match the checksum"):
        loads.deliver_and_refresh(site, "sent", files=[file], handed=handed)
    assert sorted(service.places.landed.iterdir()) == before
    assert "checksum" in told(site, "delivery.stopped")[-1]["reason"]
    whole = service.file(drawn(1, 2, 3)).rename(file)
    assert loads.deliver_and_refresh(site, "sent", files=[whole], handed=handed)["state"] == "published"


def test_only_a_file_that_no_manifest_vouches_for_is_said_to_be_cut(service: Service, site: LoadingSite) -> None:
    def deliver(body: str, *, vouched: bool, completes: str = "") -> Any:
        file, sums = service.folder / f"ends{len(body)}{vouched}.csv", service.folder / "SHA256SUMS"
        file.write_text(f"ref,age\n{body}")  # no line end
        sums.write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
        given = promised(f"ends_{vouched:d}", thresholds=Thresholds(0.9, 0.9)) if not completes else None
        promise = manifest.read(sums) if vouched else ()
        handed = Handed(given, promise, Completes(completes) if completes else None)
        return loads.deliver_and_refresh(site, f"ends_{vouched:d}", files=[file], handed=handed)

    for vouched in (False, True):
        first = deliver("R1,1\nR2,2\nR3,3\nR4,x\nR5,y\nR6", vouched=vouched)
        mended = deliver("R4,4\nR5", vouched=vouched, completes=first["delivery"])
        for told_ in (first, mended):
            assert bool([n for n in told_["notices"] if "cut off" in n]) is not vouched


@pytest.mark.parametrize("vouched", [False, True])
def test_a_load_that_goes_on_knows_whether_a_manifest_vouched_for_its_file(
    service: Service, site: LoadingSite, vouched: bool
) -> None:
    dataset = f"goes_on_{vouched:d}"
    file, sums = service.folder / f"{dataset}.csv", service.folder / f"{dataset}.sums"
    file.write_text("ref,age\nR1,1\nR2,x\nR3")  # no line end
    sums.write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
    given = promised(dataset, thresholds=Thresholds(0.1, 0.9))
    handed = Handed(given, manifest.read(sums) if vouched else ())
    held = loads.deliver_and_refresh(site, dataset, files=[file], handed=handed)
    again = loads.recheck(site, held["delivery"], reason="asked again")
    same = loads.deliver_and_refresh(site, dataset, files=[file], handed=Handed(given))
    for one in (held, again, same):
        assert one["state"] == "held"
        assert bool([n for n in one["notices"] if "cut off" in n]) is not vouched


def test_a_load_that_was_held_for_its_thresholds_is_held_again(service: Service, site: LoadingSite) -> None:
    held = service.deliver(site, promised("again", thresholds=Thresholds(0.0, 0.5)), drawn(1, "x", 3))["delivery"]
    assert loads.recheck(site, held, reason="the register has come")["state"] == "held"
    assert Path(service.places.deliveries / held / "checked.parquet").exists()


def test_rules_across_datasets_wait_for_the_other_and_name_the_rows_that_it_lacks(
    service: Service, site: LoadingSite
) -> None:
    known = Rule("ref is registered", Check.REFERENCE, columns=("ref",), dataset="register", others=("ref",))
    paid = promised("paid", known, thresholds=Thresholds(0.5, 0.9))
    waits = service.deliver(site, paid, [{"ref": r, "age": "1"} for r in ("R0", "R1", "R9", "")])
    assert (waits["state"], "nothing is there yet to test" in waits["reason"]) == ("held", True)
    service.deliver(site, promised("register"), drawn(50, 51, 52))
    gone_on = loads.recheck(site, waits["delivery"], reason="the register has come")
    assert (gone_on["state"], rows(site, "paid")) == ("published", 2)
    with site.store.read() as connection:
        counted = deliveries.tally(connection, waits["delivery"])
    assert counted is not None
    assert (dict(counted["by_rule"])["ref is registered"], counted["read"]) == (1, 4)


def test_a_rule_tells_nobody_who_is_in_another_owners_data(service: Service, site: LoadingSite) -> None:
    service.deliver(site, promised("theirs"), drawn(1, 2, 3))
    named = Rule("in theirs", Check.REFERENCE, columns=("ref",), dataset="theirs", others=("ref",))
    aged = Rule("known age", Check.REFERENCE, columns=("age",), dataset="theirs", others=("age",))
    with pytest.raises(ContractRefusal, match="does not publish"):
        service.deliver(site, replace(promised("ours", named), owner="Another"), drawn(1))
    assert service.deliver(site, replace(promised("mine", aged), owner="Another"), drawn(1))["state"] == "published"


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        (Rule("all are there", Check.COVERS, columns=("ref",), dataset="everyone", others=("ref",)), "held"),
        (Rule("adds up", Check.TABLE, expression="sum(age) = 30 AND count(DISTINCT ref) = 2"), "published"),
        (Rule("adds up", Check.TABLE, expression="avg(age) > 20"), "held"),
        (Rule("pairs", Check.UNIQUE, columns=("ref", "age")), "published"),
    ],
    ids=["covers", "table holds", "table broken", "pairs"],
)
def test_a_rule_on_the_whole_table_holds_the_load(service: Service, site: LoadingSite, rule: Rule, state: str) -> None:
    service.deliver(site, promised("everyone"), drawn(1, 2, 3))
    told_of = service.deliver(site, promised(f"whole_{rule.check}_{state}", rule), drawn(10, 20))
    assert told_of["state"] == state, told_of
    if state == "held":
        assert f"breaks the rule “{rule.name}”" in told_of["reason"]


def test_rules_across_datasets_are_written_and_read_in_the_standard(tmp_path: Path) -> None:
    rules = (
        Rule("known", Check.REFERENCE, columns=("ref",), dataset="register", others=("id",), reason="unknown"),
        Rule("all", Check.COVERS, columns=("ref",), dataset="register", others=("id",)),
        Rule("adds up", Check.TABLE, expression="sum(age) > 0"), Rule("pairs", Check.UNIQUE, columns=("ref", "age")),
    )  # fmt: skip
    contract = promised("written", *rules)
    contracts.write(contract, tmp_path / "contract.yaml")
    assert contracts.read(tmp_path / "contract.yaml").rules == rules


def test_two_deliveries_of_a_dataset_are_published_one_after_the_other(service: Service, site: LoadingSite) -> None:
    service.deliver(site, replace(promised("added"), mode=Mode.APPEND), drawn(1, 2))
    command = [*COMMAND, "deliver", "added", str(service.file([{"ref": "R9", "age": "9"}]))]
    before = len(told(site, "stage.done"))
    with subprocess.Popen(command, env=environment(service.places.home), stdout=subprocess.DEVNULL) as second:
        with site.lake.alone("added"):
            while len(told(site, "stage.done")) < before + 5 and second.poll() is None:
                time.sleep(0.05)  # until all but publishing is done
            time.sleep(0.3)
            assert (second.poll(), rows(site, "added")) == (None, 2)
        assert (second.wait(60), rows(site, "added")) == (0, 3)


def test_a_supplier_gets_the_lines_of_what_was_rejected_and_no_value(service: Service, site: LoadingSite) -> None:
    done = service.deliver(site, promised("lined"), drawn("secret", *range(60)))
    found = loads.rejected_lines(site, done["delivery"], acting=Acting("anybody", None, production=False))
    assert found.to_pylist() == [{
        "delivery": done["delivery"], "file": 1, "line": 2, "lines": None, "column": "age", "rule": "age is an integer",
        "reason": "the value cannot be read as an integer",
    }]  # fmt: skip
    assert told(site, "quarantine.listed") == [{"delivery": done["delivery"], "rows": 1}]
    (seen,) = loads.quarantine(site, done["delivery"], by="steward", reason="to be mended")
    assert (seen["line"], seen["raw"], seen["ref"]) == (2, "secret", "R0")
