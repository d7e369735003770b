"""Questions as at a day or a release: what was read then, decided by what holds now; who left stays away."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from integrated_data.access.asked import Question
from integrated_data.access.past import views_as_at
from integrated_data.access.views import of_grants
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import grants, projects, releases
from integrated_data.control.store import Store, records
from integrated_data.model.contract import Mode
from integrated_data.model.errors import OutputRefusal, Refusal
from integrated_data.model.output import Ask
from integrated_data.model.rights import Right
from integrated_data.site import earlier, outputs, rolling, scratching
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import open_store
from integrated_data.site.projects import decide_and_provision, rotate_keys
from tests.journeys.test_keys_follow import AGREEMENT, PERSON, PROJECT, write
from tests.journeys.test_rolled_back import DESK, Table, row
from tests.rights_house import CROWD, House, erased
from tests.service import SETTINGS, Service

WINDOW = "datasets: [{dataset: dated, columns: [income], window: {column: day, starts: 2026-03-02, ends: 2030-01-01}}]"


@dataclass
class Then:
    """A service whose days are told, with a project that holds a table of several releases."""

    service: Service
    loading: LoadingSite
    analysis: AnalysisSite
    clock: "Clock"
    ids: list[int] = field(default_factory=list)

    def ask(self, as_at: str, sql: str = "SELECT sum(income) AS n FROM pay") -> int | str:
        answer = self.analysis.gateway.ask(Question("ada", "P-1", sql, as_at=as_at))
        return str(answer.refusal) if answer.table is None else int(answer.table["n"][0].as_py())

    def grant(self, as_at: str) -> dict[str, object]:
        return earlier.grant(self.loading, "P-1", dataset="pay", as_at=as_at, by="panel")


@dataclass
class Clock:
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture(scope="module")
def then(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Then]:
    service = Service(tmp_path_factory.mktemp("as_at"))
    clock = Clock()
    with open_loading(service.places, SETTINGS) as opened, open_analysis(service.places, SETTINGS) as analysis:
        store = Store(open_store(service.places).engine, clock=clock)
        site = replace(opened, store=store)
        gateway = replace(analysis.gateway, store=store)
        made = Then(service, site, replace(analysis, store=store, gateway=gateway), clock)
        pay = Table(service, site, name="pay", mode=Mode.APPEND)
        for day, income in enumerate((1, 10, 100), 1):
            clock.now = datetime(2026, 3, day, 12, tzinfo=UTC)
            made.ids.append(pay.deliver(row("a", income)))
        projects.add_agreement(store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
        projects.add_person(store, accredit.read_person(PERSON), by="desk")
        projects.add_project(store, apply.read_project(PROJECT.format(id="P-1", keys="", more="")), by="ada")
        decide_and_provision(site, "P-1", by="panel")
        yield made


def test_a_table_is_read_as_it_was_once_its_copy_is_made(then: Then) -> None:
    assert then.ask("") == then.ask("2026-03-03") == then.ask(str(then.ids[2])) == 111
    assert "holds no copy of pay as at 2026-03-02" in str(then.ask("2026-03-02"))
    told = then.grant("2026-03-02")
    assert told["release"] == then.ids[1]
    assert then.ask("2026-03-02") == then.ask(str(then.ids[1])) == 11
    assert then.ask("") == 111, "what is opened stays what it was"
    assert then.grant("2026-03-03")["made"] == "it is the one that is opened"
    with then.loading.store.read() as connection:
        asked = [r for r in records(connection) if r.action == "query.done" and r.facts.get("as_at")]
    assert asked[-1].facts["releases"] == {"pay": then.ids[1]}
    scratching.sweep(then.service.places, then.loading.store, by="desk")
    assert then.ask("2026-03-02") == 11


@pytest.mark.parametrize(
    ("as_at", "why"),
    [
        ("2026-02-28", "Nothing of dataset pay was published by 2026-02-28"),
        ("2099-01-01", "That day has not come"),
        ("999", "Dataset pay has no release 999"),
        ("yesterday", "Give a day as 2026-01-31"),
        pytest.param("9" * 5000, "Give a day as 2026-01-31", id="of more digits than a number may have"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(then: Then, as_at: str, why: str) -> None:
    assert why in str(then.ask(as_at))
    with pytest.raises(Refusal, match=why):
        then.grant(as_at)


def test_scratch_tables_definitions_and_outputs_of_a_day(then: Then) -> None:
    then.grant("2026-03-02")
    assert "made of what is read now" in str(then.ask("2026-03-02", "CREATE TABLE scratch.t AS SELECT income FROM pay"))
    done = [
        then.analysis.gateway.ask(Question("ada", "P-1", "SELECT sum(income) AS n FROM pay", as_at=day)).query
        for day in ("2026-03-02", "")
    ]
    with pytest.raises(OutputRefusal, match="several days do not leave together"):
        outputs.ask(then.analysis, Ask("P-1", "ada", tuple(done), "Sums", ""))
    run = outputs.runner(then.analysis, "P-1", person="ada", asked=done[:1])
    assert run("SELECT sum(income) AS n FROM pay")["n"][0].as_py() == 11, "a request is run as it was asked"


def test_a_copy_stays_with_the_next_release_and_goes_with_another_key_or_a_withdrawn_release(then: Then) -> None:
    pay = Table(then.service, then.loading, name="pay", mode=Mode.APPEND)
    then.grant("2026-03-02")
    then.clock.now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    fourth = pay.deliver(row("a", 1000))
    assert [then.ask(day) for day in ("", "2026-03-02")] == [1111, 11]
    rotate_keys(then.loading, "P-1", by="panel")
    assert "holds no copy" in str(then.ask("2026-03-02"))
    with then.loading.store.read() as connection:
        assert grants.earlier(connection, project="P-1") == ()
    then.grant("2026-03-02")
    then.clock.now = datetime(2026, 3, 5, 12, tzinfo=UTC)
    pay.roll(then.ids[0])
    assert [then.ask(day) for day in ("", "2026-03-05")] == [1, 1]
    for day in ("2026-03-02", "2026-03-04"):
        assert "is withdrawn" in str(then.ask(day))
        assert "taken back from it" in str(then.ask(day))
    pay.roll(fourth, back=False)
    assert [then.ask(day) for day in ("", "2026-03-02", "2026-03-05")] == [1111, 11, 1111]


def test_nothing_is_read_as_at_a_day_before_the_window_that_was_granted(then: Then) -> None:
    store = then.loading.store
    application = PROJECT.format(id="P-2", keys="", more="").replace(
        "columns: [income]", "columns: [income], window: {column: day, starts: 2026-03-02, ends: 2030-01-01}"
    )
    project = apply.read_project(application)
    with store.read() as connection:
        held = grants.active(connection, project="P-1")
    shown = views_as_at(store, project, granted=of_grants(held), as_at="2026-03-01")
    assert "The project was granted rows from 2026-03-02 on" in str(shown["pay"].absent)
    assert views_as_at(store, project, granted=of_grants(held), as_at="2026-03-05")["pay"].absent is None


@pytest.mark.long
def test_who_was_erased_comes_back_neither_by_a_rollback_nor_as_at_a_day(opened: House) -> None:
    site = opened.site
    with site.store.read() as connection:
        first = releases.get(connection, "pay").id
    paid = [person | {"record_id": f"G{i:04d}"} for i, person in enumerate(CROWD[:10])]
    deliver_and_refresh(site, "pay", files=[write(opened.folder / "later.csv", paid, incomes=True)])
    assert earlier.grant(site, "P-plain", dataset="pay", as_at=str(first), by="panel")["rows"] == 22
    erased(opened, opened.ask(Right.ERASE))
    with site.store.read() as connection:
        assert grants.earlier(connection) == (), "the copies as at a day were withdrawn with the others"
    assert earlier.grant(site, "P-plain", dataset="pay", as_at=str(first), by="panel")["rows"] == 20
    rolling.roll(site, "pay", to=first, back=True, reason="The later one was wrong", acting=DESK)
    assert set(opened.keys("P-keyed")) == set(opened.keys("P-plain")) == {1000 + n for n in range(2, 22)}
    assert opened.found() == set()
