"""What ends a load early, and what lineage tells of it: refused, stopped by somebody, by Ctrl-C, for want of room."""

import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from integrated_data import journey
from integrated_data.control import jobs, projects, releases
from integrated_data.control.store import Store, sqlite
from integrated_data.engine import Stored
from integrated_data.journey import Handed
from integrated_data.model.access import Person
from integrated_data.model.contract import Column, Contract, Format, Layout, Thresholds
from integrated_data.model.errors import CancelledRefusal, ContractRefusal, RoleRefusal, RoomRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.site import progressing
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite
from integrated_data.site.progressing import rows as progress_rows
from tests.journeys.installation import COMMAND, environment, ids
from tests.openlineage_model import event_of
from tests.service import Service

STEPS = ("acquire", "standardise", "validate", "index", "deidentify", "publish")
COLUMNS = (
    Column("nhs_number", "nhs_number", meaning=Meaning.NHS_NUMBER, handling=Handling.IDENTIFIER),
    Column("born", "born", Kind.DATE, Meaning.DATE_OF_BIRTH, Handling.IDENTIFIER),
    Column("pay", "pay", Kind.INTEGER, Meaning.COUNT, Handling.PAYLOAD, required=True),
)
ROWS = [{"nhs_number": "9434765919", "born": "1980-02-03", "pay": str(7_310_000 + n)} for n in range(60)]
VALUES = ("9434765919", "1980-02-03", "7310000", "7310059")


def promised(dataset: str, **more: Any) -> Contract:
    return Contract(dataset, "Department", Layout(Format.CSV), COLUMNS, **more)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def site(service: Service) -> Iterator[LoadingSite]:
    with service.open() as opened:
        yield opened


def told(site: LoadingSite, delivery: str) -> list[tuple[str, str]]:
    """Every event of a delivery, checked against the specification, as (run or step, kind)."""
    with site.store.read() as connection:
        events = jobs.lineage_of(connection, delivery)
    parents = {e["run"]["runId"] for e in events if e["job"]["name"].count("/") == 1}
    for event in events:
        event_of(event)
        assert urlparse(event["producer"]).scheme
        above = event["run"]["facets"].get("parent")
        assert (above is None) == (event["run"]["runId"] in parents)
        assert above is None or above["run"]["runId"] in parents
        assert not [value for value in VALUES if value in json.dumps(event)]
    return [(event["job"]["name"].split("/", 1)[1], event["eventType"]) for event in events]


def ended(dataset: str, *kinds: str) -> list[tuple[str, str]]:
    """The events of an attempt whose steps ended so."""
    steps = [(f"{dataset}/{s}", kind) for s, end in zip(STEPS, kinds, strict=False) for kind in ("START", end)]
    return [(dataset, "START"), *steps, (dataset, kinds[-1])]


def held(site: LoadingSite, dataset: str) -> int:
    with site.store.read() as connection:
        release = releases.get(connection, dataset)
    site.engine.load("held", Stored(site.lake.files(dataset, release.snapshot), sealed=False))
    return int(site.engine.rows("SELECT count(*) AS n FROM held")["n"][0].as_py())


def deliver(site: LoadingSite, service: Service, dataset: str, *, step: Callable[[str], None] | None = None) -> Any:
    place = service.folder / f"{dataset}.csv"
    place.write_text("nhs_number,born,pay\n" + "".join(",".join(row.values()) + "\n" for row in ROWS))
    return journey.deliver(site.workshop, dataset, files=[place], handed=Handed(promised(dataset)), progress=step)


def delivered(site: LoadingSite) -> str:
    """The delivery whose load was begun last."""
    with site.store.read() as connection:
        return str(jobs.every(connection, running=False)[0]["id"]).removeprefix("load/")


def test_lineage_of_a_load_tells_every_step_with_columns_counts_and_origins(
    site: LoadingSite, service: Service
) -> None:
    outcome = deliver(site, service, "wages")
    assert told(site, outcome.delivery) == ended("wages", *["COMPLETE"] * 6)
    with site.store.read() as connection:
        publish = jobs.lineage_of(connection, outcome.delivery)[-2]
        checked = jobs.lineage_of(connection, outcome.delivery)[6]
    (table,) = publish["outputs"]
    facets = table["facets"]
    assert [f["name"] for f in facets["schema"]["fields"]] == ["pay", "birth_year"]
    origins = {c: [i["field"] for i in f["inputFields"]] for c, f in facets["columnLineage"]["fields"].items()}
    assert origins == {"pay": ["pay"], "birth_year": ["born"]}
    assert facets["dataQualityMetrics"]["rowCount"] == table["outputFacets"]["outputStatistics"]["rowCount"] == 60
    assert facets["dataQualityMetrics"]["columnMetrics"]["pay"]["nullCount"] == 0
    rules = checked["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert rules
    assert all(rule["success"] for rule in rules)


def test_a_refused_load_fails_and_a_held_one_is_complete(site: LoadingSite, service: Service) -> None:
    place = service.folder / "other.csv"
    place.write_text("something,else\n1,2\n")
    with pytest.raises(ContractRefusal):
        journey.deliver(site.workshop, "rents", files=[place], handed=Handed(promised("rents")))
    assert told(site, delivered(site)) == ended("rents", "FAIL")
    broken = [{**row, "pay": "x" if n < 6 else row["pay"]} for n, row in enumerate(ROWS)]
    outcome = service.deliver(site, promised("taxes", thresholds=Thresholds(0.02, 0.5)), broken)
    assert told(site, outcome["delivery"]) == ended("taxes", *["COMPLETE"] * 3)


def supplier(site: LoadingSite, organisation: str) -> Acting:
    projects.add_person(site.store, Person("sam", "Sam", organisation), by="office")
    signed_in = SignedIn("sam", (Role.SUPPLIER,), SignInMethod.PASSWORD, datetime(2030, 1, 1, tzinfo=UTC))
    return Acting("sam", signed_in, production=False)


def test_a_load_that_somebody_stops_goes_on_from_its_last_finished_step(site: LoadingSite, service: Service) -> None:
    def step(name: str) -> None:
        if name.startswith("validate"):
            load = f"load/{delivered(site)}"
            with pytest.raises(RoleRefusal, match="suppliers and stewards see to their own organisation"):
                progressing.cancel(site.store, load, acting=supplier(site, "Another"))
            progressing.cancel(site.store, load, acting=supplier(site, "Department"))
            (row,) = progress_rows(site.store, running=True, by="sam")
            assert (row["state"], row["step"], row["steps"], row["lines"]) == ("stopping", "validate", "3 of 6", 61)
            time.sleep(1.5)  # until the load has seen it

    with pytest.raises(CancelledRefusal, match="stopped by sam"):
        deliver(site, service, "fees", step=step)
    first = ended("fees", "COMPLETE", "COMPLETE", "ABORT")
    assert told(site, delivered(site)) == first
    steps: list[str] = []
    outcome = deliver(site, service, "fees", step=steps.append)
    assert [s.split()[0] for s in steps] == ["landing", *STEPS[2:]]
    assert held(site, "fees") == 60
    after = [(f"fees/{s}", kind) for s in STEPS[2:] for kind in ("START", "COMPLETE")]
    assert told(site, outcome.delivery) == [*first, ("fees", "START"), *after, ("fees", "COMPLETE")]


def test_what_is_left_is_told_by_the_speed_of_loads_before(site: LoadingSite, service: Service) -> None:
    steps: list[str] = []
    deliver(site, service, "tolls", step=steps.append)
    assert steps[1].startswith("acquire (step 1 of 6, 61 lines, about ")


def test_a_statement_that_runs_is_ended(site: LoadingSite, service: Service) -> None:
    long = "SELECT count(*) AS n FROM range(100000000000) a WHERE hash(a.range) = 0"

    def step(name: str) -> None:
        if name.startswith("index"):
            jobs.cancel(site.store, f"load/{delivered(site)}", by="ann")
            site.engine.rows(long)

    began = time.monotonic()
    with pytest.raises(CancelledRefusal):
        deliver(site, service, "dues", step=step)
    assert time.monotonic() - began < 60


def test_a_disk_that_has_no_room_refuses_before_a_byte_is_landed(site: LoadingSite, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(1 << 42)  # as large as no disk here is, and no byte of it written
    with pytest.raises(RoomRefusal, match=r"needs about .* MiB, and .* MiB are free"):
        journey.arrive(site.workshop, "huge", files=[huge])


@pytest.mark.long
def test_ctrl_c_stops_a_load_and_it_goes_on(service: Service) -> None:
    place = service.folder / "long.csv"
    place.write_text("id,amount\n" + "".join(f"{n},{n * 7 % 1000}\n" for n in range(6_000_000)))
    order = [*COMMAND, "deliver", "long", str(place)]
    home = service.places.home
    with subprocess.Popen(order, env=environment(home), stderr=subprocess.PIPE, text=True) as process:
        while "load" not in _running(home) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(1.0)  # until a statement runs
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Stopped. What was finished is kept" in said
    assert _running(home) == []
    assert ids(home, "run", "list", "--all", "--json").json[0]["state"] == "cancelled"
    assert ids(home, "deliver", "long", place).code == 0
    exported = ids(home, "lineage", "export").out.splitlines()
    assert len({uuid.UUID(json.loads(line)["run"]["runId"]) for line in exported}) > 7


def _running(home: Path) -> list[str]:
    """Kinds of the jobs that run."""
    with Store(sqlite(home / "control.sqlite")).read() as connection:
        return [job["kind"] for job in jobs.every(connection)]


def test_what_a_killed_load_had_half_written_is_removed(site: LoadingSite, service: Service) -> None:
    def step(name: str) -> None:
        if name.startswith("validate"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(site, service, "rates", step=step)
    delivery = delivered(site)
    folder, lake = site.places.deliveries / delivery, site.lake.place("rates", delivery)
    folder.mkdir(exist_ok=True)
    half = [folder / "checked.parquet.0a.part", folder / "tmp_checked.parquet.0a.part", Path(f"{lake}.0b.part")]
    other = lake.with_name("0123456789abcdef.parquet.0c.part")
    for place in (*half, other):
        place.write_bytes(b"half")
    deliver(site, service, "rates")
    assert [place.exists() for place in (*half, other)] == [False, False, False, True]
    assert held(site, "rates") == 60
