"""A redelivery of the rejected rows alone completes a load: judged over both together, published as one release."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrated_data.control import deliveries, jobs, releases
from integrated_data.control.store import records
from integrated_data.engine import Stored
from integrated_data.journey import Handed
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Mode, Rule, Thresholds
from integrated_data.model.delivery import Completes
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.model.event import Event
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import loads, rolling, tables
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite
from tests.service import LISTED, PERSON, Service, contract

COLUMNS = (
    Column("ref", "ref", meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER, key=True),
    Column("age", "age", kind=Kind.INTEGER, meaning=Meaning.MEASURE, handling=Handling.PAYLOAD),
)
LENIENT = Thresholds(accept=0.5, hold=0.9)
DESK = Acting("system:desk", None, production=False)
Row = dict[str, Any]


def promised(dataset: str, *rules: Rule, **more: Any) -> Contract:
    more = {"thresholds": LENIENT, **more}
    return Contract(dataset, "Department", Layout(Format.CSV), COLUMNS, rules=rules, **more)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("redelivery"))


@pytest.fixture
def site(service: Service) -> Iterator[LoadingSite]:
    with service.open() as opened:
        yield opened


def drawn(**ages: str | int) -> list[Row]:
    return [{"ref": ref, "age": str(age)} for ref, age in ages.items()]


def mend(
    service: Service, site: LoadingSite, done: dict[str, Any], rows: list[Row], *, withdraws: bool = False, **more: Any
) -> dict[str, Any]:
    handed = Handed(completes=Completes(done["delivery"], withdraws), **more)
    return loads.deliver_and_refresh(site, done["dataset"], files=[service.file(rows)], handed=handed)


def ages(site: LoadingSite, dataset: str, release: int | None = None) -> list[int]:
    """What is read of a table, or was of an earlier release (from the newest, backwards)."""
    with site.store.read() as connection:
        every = releases.of_dataset(connection, dataset)
    files = site.lake.files(dataset, every[release or -1].snapshot)
    site.engine.load("seen", Stored(files, sealed=False))
    found = site.engine.rows("SELECT age FROM seen ORDER BY age")["age"].to_pylist()
    assert every[release or -1].rows == len(found)
    return found


def entry(site: LoadingSite, dataset: str) -> dict[str, Any]:
    with site.store.read() as connection:
        return releases.get(connection, dataset).entry


def test_mended_rows_alone_complete_a_load(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("whole"), drawn(a=1, b="x", c=3, d="y", e=5))
    again = mend(service, site, first, drawn(b=2, d="z"))
    assert (again["state"], again["read"], again["good"], again["quarantined"]) == ("published", 2, 1, 1)
    assert again["completes"] == {
        "delivery": first["delivery"], "lines": 5, "published": 4, "withdrawn": 0, "rejected": 1,
    }  # fmt: skip
    assert ages(site, "whole") == [1, 2, 3, 5]
    assert ages(site, "whole", -2) == [1, 3, 5]  # what was released stays as it was
    last = mend(service, site, again, drawn(d=4))  # of a redelivery: its first delivery is meant
    assert last["completes"] | {"delivery": ""} == {
        "delivery": "", "lines": 5, "published": 5, "withdrawn": 0, "rejected": 0,
    }  # fmt: skip
    told = entry(site, "whole")
    assert ages(site, "whole") == [1, 2, 3, 4, 5]
    assert (told["rows"], told["read"], told["quarantined"], told["completes"]) == (5, 5, 0, first["delivery"])
    (age,) = [v["profile"] for v in told["variables"] if v["name"] == "age"]
    assert age["rows"] == 5  # of both
    with pytest.raises(DeliveryRefusal, match="is complete"):
        mend(service, site, first, drawn(d=44))
    with site.store.read() as connection:
        lineage = str(jobs.lineage_of(connection, again["delivery"]))
    assert f"checked/{first['delivery']}" in lineage


@pytest.mark.long
def test_the_same_file_again_is_recognised_and_the_table_can_be_made_anew(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("same"), drawn(a=1, b="x"))
    assert mend(service, site, first, drawn(b=2))["state"] == "published"
    same = mend(service, site, first, drawn(b=2))
    assert (same["repeated"], same["reason"]) == (True, "")
    tables.register(site)
    assert ages(site, "same") == [1, 2]
    whole = service.deliver(site, promised("same"), drawn(a=1, b=7))
    assert (whole["state"], ages(site, "same")) == ("published", [1, 7])
    with pytest.raises(DeliveryRefusal, match="not in the table any more"):
        mend(service, site, first, drawn(b=3))


def test_files_that_came_before_the_ones_that_are_read_are_told_what_brings_them_back(
    service: Service, site: LoadingSite
) -> None:
    first = service.deliver(site, promised("in_turn"), drawn(a=1, b="x"))
    service.deliver(site, promised("in_turn"), drawn(a=2))
    again = service.deliver(site, promised("in_turn"), drawn(a=1, b="x"))
    assert (again["delivery"], again["state"], again["repeated"]) == (first["delivery"], "published", True)
    assert again["reason"].startswith("It was published as release ")
    assert (
        "has taken the place: nothing is changed (to read it again: ids release back in_turn --to " in again["reason"]
    )
    assert ages(site, "in_turn") == [2]
    rolling.roll(site, "in_turn", to=None, back=True, reason="the first was right", acting=DESK)
    same = service.deliver(site, promised("in_turn"), drawn(a=1, b="x"))
    assert (same["delivery"], same["reason"], entry(site, "in_turn")["quarantined"]) == (first["delivery"], "", 1)


def test_rows_that_are_published_already_are_named_and_not_doubled(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("doubled"), drawn(a=1, b=2, c="x", d="y"))
    again = mend(service, site, first, drawn(a=1, c=3))
    assert (again["good"], again["by_rule"]) == (1, {"ref is unique": 1})
    assert ages(site, "doubled") == [1, 2, 3]
    (seen,) = loads.quarantine(site, again["delivery"], by="steward", reason="why")
    assert (seen["line"], seen["ref"], seen["reason"]) == (2, "a", "a published row has the same value already")
    with site.store.read() as connection:
        assert deliveries.tally(connection, again["delivery"])["good"] == 1  # type: ignore[index]


@pytest.mark.long
def test_keys_that_were_not_rejected_are_held_and_too_many_rows_rejected(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("strange"), drawn(a=1, b="x", c="y", e=5, f=6))
    held = mend(service, site, first, drawn(b=2, q=9))
    assert (held["state"], ages(site, "strange")) == ("held", [1, 5, 6])
    assert "1 of its rows have a key that no rejected row" in held["reason"]
    many = mend(service, site, first, drawn(b=2, c=3, q=9))
    assert many["state"] == "rejected"
    assert f"it has 3 rows where 2 of delivery {first['delivery']} are still rejected" in many["reason"]
    assert mend(service, site, first, drawn(b=2))["state"] == "published"
    accepted = loads.accept(site, held["delivery"], reason="q was meant")  # checked anew: b is published meanwhile
    assert (accepted["state"], accepted["good"], ages(site, "strange")) == ("held", 1, [1, 2, 5, 6])
    assert loads.accept(site, held["delivery"], reason="q was meant")["state"] == "published"
    assert ages(site, "strange") == [1, 2, 5, 6, 9]


@pytest.mark.long
def test_a_key_that_had_to_be_mended_may_be_any(service: Service, site: LoadingSite) -> None:
    first = service.deliver(
        site, promised("keys"), [*drawn(a=1, b=2), {"ref": "", "age": "3"}, {"ref": "a", "age": "4"}]
    )
    assert first["quarantined"] == 2
    again = mend(service, site, first, drawn(c=3, d=4))
    assert (again["state"], ages(site, "keys")) == ("published", [1, 2, 3, 4])


def test_a_held_delivery_is_published_with_the_rows_that_complete_it(service: Service, site: LoadingSite) -> None:
    strict = promised("held_first", thresholds=Thresholds(accept=0.2, hold=0.9))
    service.deliver(site, strict, drawn(z=26))
    first = service.deliver(site, strict, drawn(a=1, b="x", c="y", d=4))
    assert (first["state"], ages(site, "held_first")) == ("held", [26])
    still = mend(service, site, first, drawn(b="z", c="w"))
    assert still["state"] == "rejected"
    again = mend(service, site, first, drawn(b=2, c=3))
    assert (again["state"], ages(site, "held_first")) == ("published", [1, 2, 3, 4])
    with site.store.read() as connection:
        assert deliveries.get(connection, first["delivery"]).state == "published"
        assert len(releases.of_dataset(connection, "held_first")) == 2  # as one release
    tables.register(site)
    assert (ages(site, "held_first"), ages(site, "held_first", -2)) == ([1, 2, 3, 4], [26])
    with pytest.raises(DeliveryRefusal, match="not held"):
        loads.accept(site, first["delivery"], reason="too late")


def test_a_held_delivery_comes_and_goes_with_what_completed_it(service: Service, site: LoadingSite) -> None:
    strict = promised("taken_back", thresholds=Thresholds(accept=0.2, hold=0.9))
    before = service.deliver(site, strict, drawn(z=26))["delivery"]
    first = service.deliver(site, strict, drawn(a=1, b="x", c="y", d=4))
    mended = mend(service, site, first, drawn(b=2, c=3))["delivery"]

    def stand() -> list[bool]:
        with site.store.read() as connection:
            past = deliveries.published_before(connection, "taken_back", delivery="", most=9)
        return [d in past for d in (before, first["delivery"], mended)]

    assert stand() == [True, True, True]
    rolling.roll(site, "taken_back", to=None, back=True, reason="wrong", acting=DESK)
    assert (stand(), ages(site, "taken_back", -2)) == ([True, False, False], [26])
    assert "the table was taken back" in loads.go_on(site, first["delivery"], contract=None)["reason"]
    with pytest.raises(DeliveryRefusal, match="not in the table any more") as refusal:
        mend(service, site, first, drawn(b=2))
    assert "ids release forward taken_back --to" in str(refusal.value)
    rolling.roll(site, "taken_back", to=None, back=False, reason="right after all", acting=DESK)
    assert (stand(), ages(site, "taken_back")) == ([True, True, True], [1, 2, 3, 4])
    rolling.roll(site, "taken_back", to=None, back=True, reason="wrong after all", acting=DESK)
    again = service.deliver(site, strict, drawn(a=1, b="x", c="y", d=4))
    assert (again["state"], again["repeated"]) == ("held", False)
    assert mend(service, site, again, drawn(b=2, c=3))["state"] == "published"
    assert ages(site, "taken_back") == [1, 2, 3, 4]


@pytest.mark.long
def test_rules_on_the_whole_table_are_judged_over_both(service: Service, site: LoadingSite) -> None:
    five = Rule("five", Check.TABLE, expression="count(ref) = 5")
    given = promised("table_rule", five, mode=Mode.APPEND)
    first = service.deliver(site, given, drawn(a=1, b="x", c="y", d=4, e=5))
    assert first["state"] == "held"
    half = mend(service, site, first, drawn(b=2))
    assert half["state"] == "held"
    assert "breaks the rule “five”" in half["reason"]
    assert mend(service, site, first, drawn(b=2, c=3))["state"] == "published"
    assert ages(site, "table_rule") == [1, 2, 3, 4, 5]


@pytest.mark.long
def test_what_is_not_sent_again_may_be_withdrawn(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("withdrawn"), drawn(a=1, b="x", c="y", d="z", e=5, f=6, g=7))
    again = mend(service, site, first, drawn(b=2), withdraws=True)
    assert again["completes"] | {"delivery": ""} == {
        "delivery": "", "lines": 7, "published": 5, "withdrawn": 2, "rejected": 0,
    }  # fmt: skip
    with pytest.raises(DeliveryRefusal, match="is complete"):
        mend(service, site, first, drawn(c=3))


@pytest.mark.long
def test_what_cannot_be_completed_is_refused_with_what_to_do(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("refused"), drawn(a=1, b="x"))
    service.deliver(site, promised("another"), drawn(a=1, b="x"))
    with pytest.raises(DeliveryRefusal, match="has no delivery"):
        mend(service, site, first | {"delivery": "0" * 16}, drawn(b=2))
    with pytest.raises(DeliveryRefusal, match="Dataset another has no delivery"):
        mend(service, site, first | {"dataset": "another"}, drawn(b=2))
    with pytest.raises(ContractRefusal, match="is not that of delivery"):
        mend(service, site, first, drawn(b=2), contract=promised("refused", version="9.0.0"))
    strict = promised("refused", version="1.1.0", thresholds=Thresholds(0.1, 0.2))
    bad = service.deliver(site, strict, drawn(a=1, b="x", c=3))
    assert bad["state"] == "rejected"
    with pytest.raises(DeliveryRefusal, match="was rejected"):
        mend(service, site, bad, drawn(b=2))
    with site.store.read() as connection:
        assert len(deliveries.of_dataset(connection, "refused")) == 2  # nothing of what was refused is kept


def test_what_has_expired_is_not_waited_for(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("expired"), drawn(a=1, b="x"))
    with site.store.change(Event("retention.done", "tester", "dataset/expired")) as change:
        deliveries.expire(change, first["delivery"])
    with pytest.raises(DeliveryRefusal, match="has expired and cannot be completed"):
        mend(service, site, first, drawn(b=2))


@pytest.mark.long
def test_a_table_without_a_key_holds_rows_that_look_like_published_ones(service: Service, site: LoadingSite) -> None:
    columns = tuple(Column(c.name, c.source, c.kind, c.meaning, Handling.PAYLOAD) for c in COLUMNS)
    given = Contract("keyless", "Department", Layout(Format.CSV), columns, thresholds=LENIENT)
    first = service.deliver(site, given, drawn(a=1, b="x", c="y", d=4, e=5))
    held = mend(service, site, first, drawn(a=1, b=2))
    assert (held["state"], "same in every column" in held["reason"]) == ("held", True)
    assert mend(service, site, first, drawn(b=2, c=3))["state"] == "published"
    assert ages(site, "keyless") == [1, 2, 3, 4, 5]


@pytest.mark.long
def test_a_snapshot_is_completed_as_at_its_own_day(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("snap", mode=Mode.SNAPSHOT), drawn(a=1, b="x"))
    mend(service, site, first, drawn(b=2))
    assert ages(site, "snap") == [1, 2]
    assert len(set(site.engine.rows("SELECT as_at FROM seen")["as_at"].to_pylist())) == 1


@pytest.mark.long
def test_a_redelivery_that_was_cut_short_goes_on(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("cut", thresholds=Thresholds(0.2, 0.9)), drawn(a=1, b="x", c=3))
    assert first["state"] == "held"
    handed = Handed(completes=Completes(first["delivery"]))

    def stop(step: str) -> None:
        if "publish" in step:
            raise KeyboardInterrupt

    file = service.file(drawn(b=2))
    with pytest.raises(KeyboardInterrupt):
        loads.deliver_and_refresh(site, "cut", files=[file], handed=handed, progress=stop)
    done = loads.deliver_and_refresh(site, "cut", files=[file], handed=handed)
    assert (done["state"], list(done["seconds"]), ages(site, "cut")) == ("published", ["publish"], [1, 2, 3])
    with site.store.read() as connection:
        landed = [r.facts for r in records(connection) if r.action == "delivery.landed"]
    assert landed[-1]["completes"] == first["delivery"]


@pytest.mark.long
@pytest.mark.parametrize("at", ["validate", "index_first", "deidentify_first", "index", "deidentify", "publish"])
def test_wherever_a_redelivery_is_cut_short_it_ends_alike(service: Service, site: LoadingSite, at: str) -> None:
    dataset = f"cut_{at}"
    first = service.deliver(site, promised(dataset, thresholds=Thresholds(0.2, 0.9)), drawn(a=1, b="x", c=3))
    handed = Handed(completes=Completes(first["delivery"]))

    def stop(step: str) -> None:
        if step.split(maxsplit=1)[0].strip(":,") == at:
            raise KeyboardInterrupt

    file = service.file(drawn(b=2))
    with pytest.raises(KeyboardInterrupt):
        loads.deliver_and_refresh(site, dataset, files=[file], handed=handed, progress=stop)
    assert loads.deliver_and_refresh(site, dataset, files=[file], handed=handed)["state"] == "published"
    assert ages(site, dataset) == [1, 2, 3]


def test_of_two_redeliveries_at_once_no_row_comes_twice(service: Service, site: LoadingSite) -> None:
    first = service.deliver(site, promised("at_once"), drawn(a=1, b="x", c="y", d=4, e=5))
    files = [service.file(drawn(b=2)), service.file([*drawn(b=2), *drawn(c=3)])]

    def one(file: Path) -> dict[str, Any]:
        with service.open() as own:
            handed = Handed(completes=Completes(first["delivery"]))
            try:
                return loads.deliver_and_refresh(own, "at_once", files=[file], handed=handed)
            except DeliveryRefusal as refusal:  # the other one had both rows, and was over before this one landed
                return {"good": 0, "state": "rejected" if "is complete" in str(refusal) else "refused"}

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, files))
    assert sum(d["good"] for d in done) == 2
    assert {d["state"] for d in done} <= {"published", "rejected"}
    assert ages(site, "at_once") == [1, 2, 3, 4, 5]


@pytest.mark.long
def test_mended_rows_are_matched_and_held_ones_with_them(service: Service, site: LoadingSite) -> None:
    meanings = PERSON | {"pay": Meaning.MEASURE}
    service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
    given = contract("paid", meanings, "demographic")
    columns = tuple(
        replace(c, kind=Kind.INTEGER, handling=Handling.PAYLOAD) if c.name == "pay" else c for c in given.columns
    )
    given = replace(given, columns=columns, thresholds=Thresholds(0.1, 0.9))
    rows = [row | {"pay": str(n)} for n, row in enumerate(LISTED[:60])]
    broken = [row | {"pay": "?"} if n % 4 == 0 else row for n, row in enumerate(rows)]
    first = service.deliver(site, given, broken)
    assert first["state"] == "held"
    again = mend(service, site, first, rows[::4])
    assert (again["state"], again["good"]) == ("published", 15)
    with site.store.read() as connection:
        release = releases.get(connection, "paid")
    site.engine.load("seen", Stored(site.lake.files("paid", release.snapshot), sealed=False))
    found = site.engine.rows("SELECT pay, person_entity FROM seen ORDER BY pay").to_pylist()
    assert [r["pay"] for r in found] == list(range(60))
    assert len({r["person_entity"] for r in found} - {None}) > 55
    assert release.entry["links"]["demographic"]["records"] == 60
