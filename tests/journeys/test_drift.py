"""Drift between deliveries: two small deliveries in, the drift named out, and what the contract says becomes of it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, releases
from integrated_data.control.store import records
from integrated_data.journey import Handed
from integrated_data.model.contract import Column, Contract, Format, Layout, Mode
from integrated_data.model.drift import DriftKind, Policy
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import loads, rolling
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite
from tests.feeding import Fed, contract, flows
from tests.journeys.installation import ids
from tests.service import Service, written

COLUMNS = (
    Column("ref", "ref", meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER, key=True),
    Column("name", "name", meaning=Meaning.FULL_NAME, handling=Handling.IDENTIFIER),
    Column("region", "region", meaning=Meaning.CODE, handling=Handling.PAYLOAD),
    Column("started", "started", kind=Kind.DATE, formats=("%d/%m/%Y",), handling=Handling.PAYLOAD),
    Column("pay", "gross_pay", kind=Kind.NUMBER, meaning=Meaning.MONEY, handling=Handling.PAYLOAD),
)

GIVEN = ("Ann", "Tom", "Mary", "John", "Siân")
Row = dict[str, str]


def promised(dataset: str, *policies: tuple[DriftKind, Policy], **more: Any) -> Contract:
    return Contract(dataset, "Department", Layout(Format.CSV), COLUMNS, drift=policies, **more)


def month(seed: int, rows: int = 120) -> list[Row]:
    dice = random.Random(seed)
    return [
        {"ref": f"R{n}", "name": f"{dice.choice(GIVEN)} Marked", "region": dice.choice("NSEW"),
         "started": f"{dice.randint(1, 28):02d}/{dice.randint(1, 12):02d}/2020",
         "gross_pay": f"{dice.lognormvariate(7, 0.5):.2f}"}
        for n in range(rows)
    ]  # fmt: skip


def without(rows: list[Row], column: str) -> list[Row]:
    return [{k: v for k, v in row.items() if k != column} for row in rows]


def called(rows: list[Row], **names: str) -> list[Row]:
    return [{names.get(k, k): v for k, v in row.items()} for row in rows]


def changed(rows: list[Row], column: str, how: Any) -> list[Row]:
    return [row | {column: how(row[column])} for row in rows]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("drift"))


@pytest.fixture(scope="module")
def site(service: Service) -> Iterator[LoadingSite]:
    with service.open() as opened:
        yield opened


def iso(day: str) -> str:
    return "-".join(reversed(day.split("/")))


DRIFTED = [
    ("renamed by name", lambda rows: called(rows, gross_pay="gross_pay_gbp"), ("renamed", "gross_pay")),
    ("renamed by values", lambda rows: called(rows, gross_pay="earnings_total"), ("renamed", "gross_pay")),
    ("a renamed identifier", lambda rows: called(rows, name="full name"), ("renamed", "name")),
    ("dates written otherwise", lambda rows: changed(rows, "started", iso), ("retyped", "started")),
    ("text for numbers", lambda rows: changed(rows, "gross_pay", lambda v: "low" if float(v) < 900 else "high"),
     ("retyped", "gross_pay")),
    ("other codes", lambda rows: changed(rows, "region", lambda v: {"N": "1", "S": "2"}.get(v, v)),
     ("codes", "region")),
    ("pence for pounds", lambda rows: changed(rows, "gross_pay", lambda v: f"{100 * float(v):.0f}"),
     ("shifted", "gross_pay")),
]  # fmt: skip


@pytest.mark.parametrize(("how", "drift"), [d[1:] for d in DRIFTED], ids=[d[0] for d in DRIFTED])
def test_drift_is_named_and_waits(service: Service, site: LoadingSite, how: Any, drift: tuple[str, str]) -> None:
    given = promised("named")
    with site.store.read() as connection:
        if releases.current(connection, "named") is None:
            assert service.deliver(site, given, month(1))["drift"] == []
    told = service.deliver(site, given, how(month(2)))
    assert (told["state"], [(d["kind"], d["column"]) for d in told["drift"]]) == ("held", [drift]), told
    assert (told["drift"][0]["told"] in told["reason"], "Marked" in str(told)) == (True, False)


def versions(site: LoadingSite, dataset: str) -> tuple[Contract, list[Any]]:
    with site.store.read() as connection:
        body = deliveries.contract_body(connection, dataset)
        events = [
            r.facts for r in records(connection)
            if r.action == "contract.evolved" and r.subject == f"dataset/{dataset}"
        ]  # fmt: skip
        assert body is not None
    return contracts.parse(body), events


def rows_of(site: LoadingSite, dataset: str) -> int:
    with site.store.read() as connection:
        release = releases.current(connection, dataset)
    assert release is not None
    return release.rows


def test_a_contract_that_evolves_is_a_new_version_and_stays(service: Service, site: LoadingSite) -> None:
    given = promised("evolves")
    service.deliver(site, given, month(1))
    wider = [row | {"grade": "A", "nhs_number": "9434765919"} for row in called(month(2), gross_pay="Gross Pay")]
    told = service.deliver(site, given, wider)
    assert (told["state"], [(d["kind"], d["column"]) for d in told["drift"]]) == (
        "published", [("respelled", "gross_pay"), ("new", "grade"), ("new", "nhs_number")],
    )  # fmt: skip
    contract, events = versions(site, "evolves")
    assert (contract.version, contract.follows) == ("1.1.0", "1.0.0")
    assert [(c.name, c.handling) for c in contract.columns[5:]] == [
        ("grade", Handling.WITHHELD), ("nhs_number", Handling.IDENTIFIER),
    ]  # fmt: skip
    assert (events[-1]["from"], events[-1]["to"]) == ("1.0.0", "1.1.0")
    again = service.deliver(
        site,
        given,
        [row | {"grade": "B", "nhs_number": "9434765919"} for row in called(month(3), gross_pay="Gross Pay")],
    )
    assert (again["state"], again["drift"], versions(site, "evolves")[0].version) == ("published", [], "1.1.0")


def test_what_is_held_is_accepted_and_the_contract_follows(service: Service, site: LoadingSite) -> None:
    given = promised("accepted")
    service.deliver(site, given, month(1, rows=90))
    held = service.deliver(site, given, called(month(2), gross_pay="earnings_total"))
    assert (held["state"], rows_of(site, "accepted")) == ("held", 90)
    assert "column gross_pay came under the name earnings_total" in held["reason"]
    assert versions(site, "accepted")[0].version == "1.0.0"
    accepted = loads.accept(site, held["delivery"], reason="the department has a new system")
    contract, events = versions(site, "accepted")
    assert (accepted["state"], rows_of(site, "accepted"), contract.version) == ("published", 120, "1.1.0")
    assert (contract.column("pay").source, events[-1]["to"]) == ("earnings_total", "1.1.0")
    assert service.deliver(site, given, called(month(3), gross_pay="earnings_total"))["drift"] == []


def test_what_is_refused_names_columns_and_the_table_stays(service: Service, site: LoadingSite) -> None:
    given = promised("refused", (DriftKind.NEW, Policy.REFUSE), (DriftKind.SHIFTED, Policy.REFUSE))
    service.deliver(site, given, month(1))
    with pytest.raises(ContractRefusal, match="without column gross_pay, column other is new") as refusal:
        service.deliver(site, given, [row | {"other": "Ann Marked"} for row in without(month(2), "gross_pay")])
    assert "Marked" not in str(refusal.value)
    pence = changed(month(2), "gross_pay", lambda v: f"{100 * float(v):.0f}")
    told = service.deliver(site, given, pence)
    assert (told["state"], "column gross_pay is spread otherwise" in told["reason"]) == ("rejected", True)
    assert versions(site, "refused")[0].version == "1.0.0"


def test_a_new_contract_of_a_person_may_drift_too(service: Service, site: LoadingSite) -> None:
    service.deliver(site, promised("renewed"), month(1))
    given = promised("renewed", version="2.0.0")
    held = service.deliver(site, given, called(month(2), gross_pay="gross_pay_gbp"))
    assert loads.accept(site, held["delivery"], reason="agreed")["state"] == "published"
    contract, events = versions(site, "renewed")
    assert ((contract.version, contract.follows), events[-1]["from"]) == (("2.1.0", "2.0.0"), "2.0.0")


@pytest.mark.long
def test_a_missing_column_may_evolve_and_is_empty_from_then_on(service: Service, site: LoadingSite) -> None:
    given = promised("missing", (DriftKind.MISSING, Policy.EVOLVE))
    service.deliver(site, given, month(1))
    assert service.deliver(site, given, without(month(2), "gross_pay"))["state"] == "published"
    assert versions(site, "missing")[0].column("pay").optional
    assert service.deliver(site, given, without(month(3), "gross_pay"))["drift"] == []
    with pytest.raises(ContractRefusal, match="without column ref"):
        service.deliver(site, given, without(month(4), "ref"))


@pytest.mark.long
def test_a_shift_that_was_accepted_is_usual_from_then_on(service: Service, site: LoadingSite) -> None:
    given = promised("usual", (DriftKind.SHIFTED, Policy.EVOLVE))
    service.deliver(site, given, month(1))
    first, second = (
        service.deliver(site, given, changed(month(n), "gross_pay", lambda v: f"{100 * float(v):.0f}"))
        for n in (2, 3)
    )  # fmt: skip
    assert ([d["kind"] for d in first["drift"]], second["drift"]) == (["shifted"], [])
    assert (first["state"], versions(site, "usual")[0].version) == ("published", "1.0.0")


@pytest.mark.long
def test_a_type_that_changed_is_published_once_it_is_accepted(service: Service, site: LoadingSite) -> None:
    pay = replace(COLUMNS[4], kind=Kind.INTEGER)
    given = replace(promised("types"), columns=(*COLUMNS[:4], pay))
    service.deliver(site, given, changed(month(1), "gross_pay", lambda v: v.split(".")[0]))
    held = service.deliver(site, given, month(2))
    assert held["reason"].endswith("column gross_pay came as number and not as integer")
    assert loads.accept(site, held["delivery"], reason="pence from now on")["state"] == "published"
    assert (versions(site, "types")[0].version, rows_of(site, "types")) == ("2.0.0", 120)


@pytest.mark.long
def test_of_two_held_deliveries_the_second_is_checked_again(service: Service, site: LoadingSite) -> None:
    given = promised("two_held")
    service.deliver(site, given, month(1))
    first = service.deliver(site, given, called(month(2), gross_pay="gross_pay_gbp"))["delivery"]
    second = service.deliver(site, given, changed(month(3), "started", iso))["delivery"]
    loads.accept(site, first, reason="renamed")
    with pytest.raises(DeliveryRefusal, match="ids quarantine recheck"):
        loads.accept(site, second, reason="written anew")
    third = service.deliver(site, given, called(changed(month(4), "started", iso), gross_pay="pay_gross"))["delivery"]
    again = loads.recheck(site, third, reason="the contract has changed")
    assert [(d["kind"], d["column"]) for d in again["drift"]] == [("renamed", "gross_pay_gbp"), ("retyped", "started")]


@pytest.mark.long
def test_parts_of_a_table_differ_by_nature_and_are_told_alone(service: Service, site: LoadingSite) -> None:
    given = promised("parts", mode=Mode.APPEND)
    service.deliver(site, given, [r for r in month(1, 240) if r["region"] in "NS"])
    told = service.deliver(site, given, [r for r in month(2, 240) if r["region"] in "EW"])
    assert (told["state"], [(d["kind"], d["policy"]) for d in told["drift"]]) == ("published", [("codes", "evolve")])


@pytest.mark.long
def test_a_listed_code_that_is_new_joins_the_list(service: Service, site: LoadingSite) -> None:
    listed = replace(COLUMNS[2], codes=tuple((code, code) for code in "NSEW"))
    given = replace(promised("listed", (DriftKind.CODES, Policy.EVOLVE)), columns=(*COLUMNS[:2], listed, *COLUMNS[3:]))
    service.deliver(site, given, month(1))
    service.deliver(site, given, changed(month(2), "region", lambda v: "C" if v == "N" else v))
    contract, _ = versions(site, "listed")
    assert (contract.column("region").codes[-1], contract.version) == (("C", ""), "1.1.0")


def test_a_header_that_is_a_row_of_values_is_refused_and_not_told(service: Service, site: LoadingSite) -> None:
    given = promised("headless", (DriftKind.MISSING, Policy.EVOLVE))
    service.deliver(site, given, month(1))
    file = service.file(month(2))
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(ContractRefusal) as refusal:
        loads.deliver_and_refresh(site, "headless", files=[file], handed=Handed(given))
    assert "Marked" not in str(refusal.value)


@pytest.mark.long
def test_an_inferred_contract_has_its_policies_and_the_commands_tell_them(service: Service, tmp_path: Path) -> None:
    home, first = service.places.home, written(tmp_path / "1.csv", month(1))
    second = written(tmp_path / "2.csv", called(month(2), gross_pay="gross_pay_gbp"))
    assert ids(home, "deliver", "commanded", first).code == 0
    checked = ids(home, "contract", "infer", first, "--dataset", "commanded", "--out", tmp_path / "c.yaml")
    assert checked.code == 0
    assert "renamed: hold" in (tmp_path / "c.yaml").read_text()
    told = ids(home, "contract", "check", tmp_path / "c.yaml", second, "--json")
    assert (told.code, told.json["verdict"], told.json["drift"][0]["kind"]) == (1, "would be held", "renamed")
    held = ids(home, "deliver", "commanded", second, "--json")
    assert (held.code, held.json["state"], held.json["drift"][0]["column"]) == (1, "held", "gross_pay")
    accepted = ids(home, "quarantine", "accept", held.json["delivery"], "--reason", "a new payroll system", "--json")
    assert (accepted.code, accepted.json["state"]) == (0, "published")


def test_what_a_steward_released_is_withheld_again_when_it_becomes_text(service: Service, site: LoadingSite) -> None:
    held = Column("level", "level", kind=Kind.NUMBER, handling=Handling.WITHHELD)
    given = replace(promised("released", (DriftKind.RETYPED, Policy.EVOLVE)), columns=(*COLUMNS, held))
    deliveries.release_column(site.store, "released", name="level", by="steward", reason="a measure")
    numbers = [row | {"level": f"{k / 3:.2f}"} for k, row in enumerate(month(1))]
    assert service.deliver(site, given, numbers)["withheld"] == {}
    words = [row | {"level": f"A. Marked of {k} Shore Road"} for k, row in enumerate(month(2))]
    told = service.deliver(site, given, words)
    assert (told["state"], [d["kind"] for d in told["drift"]]) == ("published", ["retyped"])
    assert "level" in told["withheld"]
    with site.store.read() as connection:
        assert "level" not in {v["name"] for v in releases.get(connection, "released").entry["variables"]}


def test_a_list_that_a_steward_released_waits_when_it_becomes_text(service: Service, site: LoadingSite) -> None:
    grade = Column("level", "level", meaning=Meaning.CODE, handling=Handling.WITHHELD)
    given = replace(promised("graded", (DriftKind.CODES, Policy.EVOLVE)), columns=(*COLUMNS, grade))
    deliveries.release_column(site.store, "graded", name="level", by="steward", reason="a list of grades")
    grades = [row | {"level": f"G{k % 7}"} for k, row in enumerate(month(1))]
    assert service.deliver(site, given, grades)["withheld"] == {}
    words = [row | {"level": f"Grade {k * 7919 % 1009} Marked"} for k, row in enumerate(month(2))]
    told = service.deliver(site, given, words)
    assert (told["state"], [(d["kind"], d["column"]) for d in told["drift"]]) == ("held", [("codes", "level")])
    assert ("is free text" in told["reason"], "Marked" in str(told)) == (True, False)


def test_what_was_taken_back_does_not_explain_the_next_delivery(service: Service, site: LoadingSite) -> None:
    def pence(n: int) -> list[Row]:
        return changed(month(n), "gross_pay", lambda v: f"{100 * float(v):.0f}")

    service.deliver(site, promised("taken_back"), month(1))
    held = service.deliver(site, promised("taken_back"), pence(2))
    loads.accept(site, held["delivery"], reason="it looks right")
    rolling.roll(site, "taken_back", to=None, back=True, reason="pence", acting=Acting("desk", None, production=False))
    again = service.deliver(site, promised("taken_back"), pence(3))
    assert (again["state"], again["drift"][0]["kind"]) == ("held", "shifted")
    same = loads.go_on(site, held["delivery"], contract=None)
    assert "the table was taken back" in same["reason"]


DAILY = """
id: daily
dataset: flows
drop: {kind: folder, place: DROP, quiet: 0}
files: "od_{period:%Y%m%d}.csv"
schedule: {every: day, first: 2024-03-01}
"""


@pytest.mark.long
def test_a_feed_tells_drift_and_waits_where_its_contract_says_so(tmp_path: Path) -> None:
    fed = Fed(tmp_path, DAILY, contract(mode=Mode.SNAPSHOT))
    plain = flows("2024-03-01", *range(10, 20))
    days = (
        ("01", plain, "loaded", []),
        ("02", b"".join(line + b",new\n" for line in plain.splitlines()), "loaded", [("unusual", "2024-03-02")]),
        ("03", plain.replace(b"trips", b"trips made"), "refused", [("rejected", "2024-03-03")]),
        ("04", plain.replace(b"trips", b"nr_trips"), "held", [("held", "2024-03-04"), ("unusual", "2024-03-04")]),
    )  # fmt: skip
    for day, data, state, alerts in days:
        fed.drops(f"od_202403{day}.csv", data, at=f"2024-03-{day}T23:00")
        assert fed.look(f"2024-03-{day}T23:30") == [(f"2024-03-{day}", state)], day
        assert [a for a in fed.alerts() if a[1].endswith(day)] == alerts
