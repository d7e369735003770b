"""A project's scratch tables: made, read, joined and dropped through the gate; who may read them, and for how long."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from integrated_data.access.asked import Question
from integrated_data.access.gateway import Answer, Gateway
from integrated_data.access.running import Job, Rows
from integrated_data.access.sensitivity import Runs, sensitivity
from integrated_data.access.shelf import Shelf
from integrated_data.approve import accredit, apply
from integrated_data.approve.provision import Order, provision, revoke, sweep
from integrated_data.control import freezes, grants, projects, queries
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.freezing import Frozen
from integrated_data.serving import wire
from integrated_data.serving.listings import Asker, listing
from integrated_data.site import scratching
from integrated_data.site.places import Places
from tests.journeys.test_gateway import PROJECT, TOKENS, Place, new_place
from tests.served import ANALYST, house, open_http

NORTH = "CREATE TABLE scratch.north AS SELECT person_key, sex FROM census WHERE region = 'North'"


@pytest.fixture
def place(store: Store, engine: DuckDB, tmp_path: Path) -> Place:
    made = new_place(store, engine, folder=tmp_path)
    made.approve()
    return made


def door(place: Place, *, quota: int = 2**30, days: int = 30) -> Gateway:
    return replace(place.gateway(), shelf=Shelf(place.folder / "projects", quota, days))


def ask(place: Place, sql: str, *, project: str = "P-1", gateway: Gateway | None = None) -> Answer:
    return (gateway or door(place)).ask(Question("ada", project, sql))


def refused(answer: Answer) -> str:
    assert answer.refusal is not None
    return str(answer.refusal)


def rows(answer: Answer) -> list[dict[str, object]]:
    assert answer.table is not None, answer.refusal
    return answer.table.to_pylist()


def files(place: Place) -> list[str]:
    return sorted(p.suffix for p in (place.folder / "projects" / "P-1" / "scratch").iterdir() if p.name != ".lock")


def test_a_table_is_made_read_joined_and_dropped(place: Place) -> None:
    [said] = rows(ask(place, NORTH))
    assert (said["scratch_table"], said["rows"]) == ("scratch.north", 25)
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.north")) == [{"n": 25}]
    joined = "SELECT sum(income)::INT AS i FROM Scratch.North JOIN pay USING (person_key)"
    assert rows(ask(place, joined)) == [{"i": sum(range(100, 10_001, 400))}]
    ask(place, "CREATE TABLE scratch.women AS SELECT * FROM scratch.north WHERE sex = 'F'")
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.women")) == [{"n": 25}]
    assert [v.name for v in door(place).tables("ada", "P-1")] == ["census", "pay", "scratch.north", "scratch.women"]
    assert "already" in refused(ask(place, NORTH))
    rows(ask(place, "DROP TABLE scratch.north"))
    assert "no table scratch.north" in refused(ask(place, "SELECT * FROM scratch.north"))
    assert "no table scratch.north" in refused(ask(place, "DROP TABLE scratch.north"))
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.women")) == [{"n": 25}]
    assert files(place) == [".json", ".parquet"]


def test_what_a_table_rests_on_is_on_record_and_decided_on(place: Place) -> None:
    made = ask(place, NORTH)
    assert made.columns == {"census": ("person_key", "sex", "region")}
    read = ask(place, "SELECT count(*) AS n FROM scratch.north")
    assert read.columns == made.columns
    with place.store.read() as connection:
        kept = queries.get(connection, read.query)["body"]
        events = [r for r in records(connection) if r.action == "query.done"]
        agreement = projects.get_agreement(connection, "A-census")
    assert kept["tables"] == ["census"]
    assert kept["scratch"]["north"]["sql"].strip().startswith("SELECT person_key, sex")
    assert [e.facts.get("made") for e in events] == ["north", None]
    assert "SELECT" not in json.dumps([e.facts for e in events])
    projects.add_agreement(place.store, replace(agreement, columns=("sex",)), by="owner")
    assert "does not permit use of region" in refused(ask(place, "SELECT count(*) AS n FROM scratch.north"))


def test_it_is_another_projects_nothing(place: Place) -> None:
    ask(place, NORTH)
    projects.add_project(place.store, apply.read_project(PROJECT.format(id="P-2")), by="ada")
    place.approve("P-2")
    assert "no table scratch.north" in refused(ask(place, "SELECT * FROM scratch.north", project="P-2"))
    assert "no table scratch.north" in refused(ask(place, "DROP TABLE scratch.north", project="P-2"))
    assert rows(ask(place, NORTH, project="P-2"))


def test_it_ends_with_the_copies_it_was_made_from(place: Place) -> None:
    ask(place, NORTH)
    ask(place, "CREATE TABLE scratch.rich AS SELECT person_key FROM pay WHERE income > 5000")
    request = DatasetRequest("census", ("sex", "region"), ("person",))
    order = Order("P-1", request, 2, (place.folder / "census.parquet",))
    provision(place.engine, TOKENS, order=order, folder=place.folder / "projects", store=place.store, by="loader")
    assert "no longer holds" in refused(ask(place, "SELECT * FROM scratch.north"))
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.rich")) == [{"n": 50}]
    revoke(place.store, "P-1", folder=place.folder / "projects", dataset="pay", by="owner", reason="asked back")
    assert "no longer holds" in refused(ask(place, "SELECT * FROM scratch.rich"))
    sweep(place.store, place.folder / "projects")
    assert files(place) == [".json", ".json", ".parquet", ".parquet"], "the sweep of copies leaves them alone"
    swept = scratching.sweep(Places(place.folder), place.store, by="operator")
    assert [s["table"] for s in swept] == ["north", "rich"]
    assert files(place) == []


def test_it_ends_with_its_day(place: Place) -> None:
    ask(place, NORTH, gateway=door(place, days=2))
    place.now += timedelta(days=1, hours=23)
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.north")) == [{"n": 25}]
    place.now += timedelta(hours=2)
    assert "no table scratch.north" in refused(ask(place, "SELECT * FROM scratch.north"))
    assert [s["table"] for s in scratching.sweep(Places(place.folder), place.store, by="operator")] == ["north"]
    rows(ask(place, NORTH))


def test_tables_keep_to_the_quota(place: Place) -> None:
    small = door(place, quota=20_000)
    wide = "CREATE TABLE scratch.wide AS SELECT random() AS a, random() AS b FROM range(1000000)"
    said = refused(ask(place, wide, gateway=small))
    assert "over its quota of 0.0 MiB" in said
    assert "DROP TABLE scratch.NAME" in said
    assert files(place) == []
    endless = "CREATE TABLE scratch.endless AS SELECT random() AS a FROM range(1000000000000)"
    assert "quota" in refused(ask(place, endless, gateway=small))
    rows(ask(place, "CREATE TABLE scratch.a AS SELECT random() AS a FROM range(2000)", gateway=small))
    said = refused(ask(place, "CREATE TABLE scratch.b AS SELECT random() AS a FROM range(2000)", gateway=small))
    assert "Its tables are: a (" in said


def test_of_two_who_make_a_table_at_once_one_is_refused(place: Place) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda n: ask(place, f"CREATE TABLE scratch.x AS SELECT {n} AS a"), (1, 2)))
    [lost] = [a for a in both if a.refusal is not None]
    assert "There is a table scratch.x already" in refused(lost)
    assert len(rows(ask(place, "SELECT * FROM scratch.x"))) == 1
    assert files(place) == [".json", ".parquet"]


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(place: Place) -> None:
    for select in ("SELECT 1 AS a, 2 AS A", 'SELECT 1 AS "\u202e"', "SELECT INTERVAL 1 DAY AS a"):
        assert "column" in refused(ask(place, f"CREATE TABLE scratch.x AS {select}")).lower() or "engine" in refused(
            ask(place, f"CREATE TABLE scratch.x AS {select}")
        )
    assert "converted" in refused(ask(place, "CREATE TABLE scratch.x AS SELECT region::INT AS a FROM census"))
    assert files(place) == []
    with pytest.raises(Exception, match="asked alone"):
        door(place).query(Question("ada", "P-1", NORTH, Fit(Estimate(Estimator.LINEAR, "a ~ b"))))


def test_runs_over_other_links_say_nothing_of_kept_rows(place: Place) -> None:
    ask(place, NORTH)
    asked = Question("ada", "P-1", "SELECT sex, count(*) AS n FROM scratch.north GROUP BY sex")
    assert "cannot be told" in refused(sensitivity(door(place), asked, runs=Runs((0.9,), 1)).answer)


def test_what_is_frozen_is_not_read_through_a_table(place: Place) -> None:
    ask(place, NORTH)
    freezes.put(place.store, Frozen.DATASET, subjects=["census"], by="desk", reason="wrong", affected=lambda _: {})
    assert "frozen" in refused(ask(place, "SELECT count(*) AS n FROM scratch.north"))
    freezes.lift(place.store, Frozen.DATASET, subjects=["census"], by="desk", reason="right")
    assert rows(ask(place, "SELECT count(*)::INT AS n FROM scratch.north")) == [{"n": 25}]


def test_a_project_that_closes_meanwhile_keeps_nothing(place: Place) -> None:
    gateway, shelf = door(place), Shelf(place.folder / "projects")

    class Closing:
        engine = gateway.worker.engine

        def start(self, job: Job) -> Rows:
            shelf.destroy("P-1")
            return gateway.worker.start(job)

    said = refused(ask(place, NORTH, gateway=replace(gateway, worker=Closing())))
    assert "The rows could not be kept" in said
    assert not (place.folder / "projects" / "P-1" / "scratch").exists()


def test_the_doors_keep_list_and_read_tables(place: Place) -> None:
    furnish_person(place)
    with house(place) as made, open_http(made) as url, made.client(url) as ada:
        made.desk.site = replace(made.desk.site, gateway=door(place))
        kept = ada.post("/v1/queries", json={"sql": NORTH})
        assert kept.status_code == 200, kept.text
        assert kept.json()["rows"][0][:2] == ["scratch.north", 25]
        tables = {t["name"]: t for t in ada.get("/v1/tables").json()}
        assert [c["name"] for c in tables["scratch.north"]["columns"]] == ["person_key", "sex"]
        listed = wire.Command("CommandGetTables", {5: [1]})
        rows_listed = listing(listed, Asker(made.desk, "ada", "P-1")).to_pylist()
        assert [(r["db_schema_name"], r["table_name"]) for r in rows_listed] == [
            ("main", "census"), ("main", "pay"), ("scratch", "north"),
        ]  # fmt: skip
        count = ada.post("/v1/queries", json={"sql": "SELECT count(*)::INT AS n FROM scratch.north"})
        assert count.json()["rows"] == [[25]]
        again = ada.post("/v1/queries", json={"sql": NORTH})
        assert (again.status_code, "already" in again.text) == (422, True)


def furnish_person(place: Place) -> None:
    projects.add_person(place.store, accredit.read_person(ANALYST.format(id="ada")), by="desk")


def test_closing_leaves_nothing(place: Place) -> None:
    ask(place, NORTH)
    shelf = Shelf(place.folder / "projects")
    assert shelf.destroy("P-1") == 1
    assert not (place.folder / "projects" / "P-1" / "scratch").exists()
    with place.store.read() as connection:
        assert len(grants.active(connection, project="P-1")) == 2
