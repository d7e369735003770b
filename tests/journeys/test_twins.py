"""A synthetic twin is made when a table is published; anybody signed in asks it, and nothing of it is a result."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from integrated_data.access.asked import Question
from integrated_data.access.twins import MARK, Twins
from integrated_data.approve import accredit, apply
from integrated_data.control import freezes, projects
from integrated_data.control.store import records
from integrated_data.model.errors import AgreementRefusal, OutputRefusal, QueryRefusal, Refusal, RoleRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.output import Ask
from integrated_data.model.query import Kept
from integrated_data.model.twins import LABEL, TWINS
from integrated_data.serving.desk import Desk
from integrated_data.serving.turns import Turns
from integrated_data.site import agreeing, loads, outputs, twinning
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.installation import create
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from integrated_data.site.signing_in import SignIn, Wish
from tests.calling import ids
from tests.journeys.test_gateway import AGREEMENT, PROJECT
from tests.served import House, open_http

SETTINGS = Settings(home=None, threads=1, memory="1GB", production=False, actor="system:test")
CHECKER = """
id: {id}
name: Somebody
organisation: Elsewhere
roles: [{role}]
"""
REGIONS = "SELECT region, count(*)::INT AS n FROM jobs GROUP BY region ORDER BY n DESC"


def jobs(rows: int = 900) -> pa.Table:
    rng = np.random.default_rng(5)
    return pa.table({
        "job_number": [f"J{n}" for n in range(rows)],
        "region": ["Xanadu", *rng.choice(["North", "South"], rows - 1, p=[0.8, 0.2]).tolist()],
        "salary": [31_415_926, *rng.integers(20_000, 60_000, rows - 1).tolist()],
    })  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("twins")
    made = create(folder / "home", actor="test")
    pa.csv.write_csv(jobs(), folder / "jobs.csv")
    with open_loading(made, SETTINGS) as site:
        told = loads.deliver_and_refresh(site, "jobs", files=[folder / "jobs.csv"])
        assert told["state"] == "published", told
        for person, role in (("kim", "steward"), ("ann", "analyst")):
            projects.add_person(site.store, accredit.read_person(CHECKER.format(id=person, role=role)), by="desk")
    return made


@pytest.fixture(scope="module")
def site(places: Places) -> Iterator[AnalysisSite]:
    with open_analysis(places, SETTINGS) as made:
        yield made


def test_publishing_makes_a_twin_that_anybody_may_ask(site: AnalysisSite) -> None:
    """Nobody decided anything: there is no project, and kim is no analyst."""
    answer = site.gateway.ask(Question("kim", TWINS, REGIONS))
    assert answer.table is not None, answer.refusal
    assert answer.table["region"].to_pylist()[:2] == ["North", "South"]
    assert abs(answer.table["n"][0].as_py() / 900 - 0.8) < 0.1
    assert answer.table.schema.metadata[MARK] == LABEL.encode()
    assert answer.told["synthetic"] == LABEL
    assert answer.decisions == ()
    everything = site.gateway.query(Question("kim", TWINS, "SELECT * FROM jobs"))
    assert everything.num_rows == 900
    assert "Xanadu" not in json.dumps(everything.to_pylist(), default=str)
    assert "31415926" not in json.dumps(everything.to_pylist(), default=str)
    written = "".join(p.read_text() for p in site.places.twins.glob("*.json"))
    assert "Xanadu" not in written
    assert "31415926" not in written


def test_the_catalogue_says_that_it_is_synthetic(site: AnalysisSite) -> None:
    told = Twins(site.places.twins).told("jobs")
    assert told is not None
    assert (told["what"], told["project"], told["rows"]) == (LABEL, TWINS, 900)
    with site.store.read() as connection:
        made = [r for r in records(connection) if r.action.startswith("twin.")]
    assert [(r.action, r.subject) for r in made] == [("twin.made", "dataset/jobs")]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM '/etc/passwd'", "no synthetic twin of that name"),
        ("SELECT * FROM pay", "no synthetic twin pay.*Those that there are: jobs"),
        ("SELECT getenv('HOME')", "not allowed"),
        ("CREATE TABLE scratch.x AS SELECT * FROM jobs", "Only SELECT"),
        ("SELECT * FROM scratch.x", "no synthetic twin scratch.x"),
    ],
)
def test_the_gate_is_the_same(site: AnalysisSite, sql: str, said: str) -> None:
    with pytest.raises(QueryRefusal, match=said):
        site.gateway.query(Question("kim", TWINS, sql))


def test_made_up_links_say_nothing(site: AnalysisSite) -> None:
    answer, _ = site.gateway.repeat(Question("kim", TWINS, REGIONS), kept=[Kept(0.9)])
    assert "made up" in str(answer.refusal)


def test_what_and_who_is_frozen_has_no_twin(site: AnalysisSite) -> None:
    for kind, name, said in ((Frozen.DATASET, "jobs", "twin jobs.*frozen"), (Frozen.PERSON, "kim", "frozen since")):
        freezes.put(site.store, kind, subjects=[name], by="desk", reason="wrong", affected=lambda _: {})
        with pytest.raises(Refusal, match=said):
            site.gateway.query(Question("kim", TWINS, REGIONS))
        freezes.lift(site.store, kind, subjects=[name], by="desk", reason="right")
    assert site.gateway.query(Question("kim", TWINS, REGIONS)).num_rows


def test_nothing_of_it_leaves_as_a_result(site: AnalysisSite) -> None:
    answer = site.gateway.ask(Question("ann", TWINS, REGIONS))
    with pytest.raises(OutputRefusal, match="Nothing made from synthetic twins"):
        outputs.ask(site, Ask(TWINS, "ann", (answer.query,), "Jobs"))
    with pytest.raises(OutputRefusal, match="not of project P-9"):
        outputs.ask(site, Ask("P-9", "ann", (answer.query,), "Jobs"))
    with pytest.raises(AgreementRefusal, match="synthetic twins"):
        apply.read_project(PROJECT.format(id=TWINS))
    with site.store.read() as connection:
        uses = [r.facts for r in records(connection) if r.action == "query.done"]
    assert uses
    assert not [facts for facts in uses if facts.get("tables") or facts.get("columns")], "no use of anybody's data"


def test_the_http_door_takes_everybody_and_labels_what_it_gives(site: AnalysisSite) -> None:
    door = SignIn(site.store, production=False)
    desk = Desk(site, door, turns=Turns(1))
    try:
        house = House(None, door, desk)  # type: ignore[arg-type]
        with open_http(house) as url, house.client(url, "kim", project=TWINS) as kim:
            answer = kim.post("/v1/queries", json={"sql": REGIONS})
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-ids-synthetic"] == LABEL
            assert [t["name"] for t in kim.get("/v1/tables").json()] == ["jobs"]
            assert kim.get("/v1/catalogue/jobs").json()["synthetic_twin"]["what"] == LABEL
            assert kim.post("/v1/queries", json={"sql": REGIONS}, headers={"x-ids-project": "P-1"}).status_code == 403
        with pytest.raises(RoleRefusal):
            desk.ask(Question("kim", "P-1", REGIONS), door.by_bearer(door.make_token("kim", Wish("x"), by="desk")[0]))
    finally:
        desk.close()


def test_the_command_line(places: Places) -> None:
    ran = ids(places.home, "query", "--twin", "--as", "kim", "--json", REGIONS)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["synthetic"] == LABEL


def test_a_twin_goes_when_agreements_ask_for_more_people_behind_a_count(places: Places, site: AnalysisSite) -> None:
    twins = Twins(places.twins)
    text = AGREEMENT.format(dataset="jobs").replace("Department", "Elsewhere")
    agreeing.add(places, site.store, text=text, by="kim")
    assert twins.told("jobs") is not None
    agreeing.add(places, site.store, text=f"{text}conditions: {{minimum_people: 30}}\n", by="kim")
    assert (twins.told("jobs"), list(places.twins.iterdir())) == (None, [])
    with open_loading(places, SETTINGS) as loading:
        assert twinning.make(loading, "jobs", by="kim")["minimum"] == 30


def test_a_twin_is_made_anew_and_one_file_stays(places: Places, site: AnalysisSite) -> None:
    before = site.gateway.query(Question("kim", TWINS, "SELECT * FROM jobs"))
    with open_loading(places, SETTINGS) as loading:
        told = twinning.make(loading, "jobs", by="kim")
        twinning.make_all(loading, ["nothing_published"], by="kim")
    assert len(list(places.twins.glob("jobs-*.parquet"))) == 1
    assert told["keys"] == []
    assert site.gateway.query(Question("kim", TWINS, "SELECT * FROM jobs")).equals(before), "same counts, same seed"
    none = replace(site.gateway, twins=None)
    with pytest.raises(AgreementRefusal, match="no project twins"):
        none.query(Question("kim", TWINS, REGIONS))
