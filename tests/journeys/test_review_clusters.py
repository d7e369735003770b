"""Clusters of an index in the queue: answered at a real terminal, judged twice, and fed back."""

import json
from pathlib import Path

import pytest

from integrated_data.control import reviews
from integrated_data.engine import Stored
from integrated_data.index.registry import SEATS
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.model.review import Draw
from integrated_data.site import clusters, measuring, reviewing
from integrated_data.site.loading import LoadingSite
from tests.journeys.installation import ids
from tests.journeys.terminal import Terminal
from tests.people import noisy
from tests.service import FIRMS, LISTED, PERSON, Service, named

pytestmark = pytest.mark.long


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Two registers of the same three hundred people."""
    made = Service(tmp_path)
    with made.open() as site:
        made.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        made.feed(site, "demographic", source="tax", rows=noisy(LISTED, prefix="T"), meanings=PERSON)
    return made


def entities(site: LoadingSite, version: int, *records: tuple[str, str]) -> set[int]:
    folder = version_folder(site.places.indexes, "demographic", version=version)
    SEATS.of("demographic").members(site.engine, folder=folder, relation="members")
    rows = site.engine.rows("SELECT source, record_id, entity_id FROM members").to_pylist()
    return {r["entity_id"] for r in rows if (r["source"], r["record_id"]) in records}


def test_clusters_at_a_terminal_by_two_people(service: Service) -> None:
    home = service.places.home
    drawn = ids(home, "review", "clusters", "demographic", "--size", "4", "--double", "1", "--json").json
    assert (drawn["cases"], drawn["version"]) == (4, 2)
    at = Terminal(home, "review", "next", "--set", drawn["set"], "--as", "ann", "--reason", "are these one person")
    first = at.until("q stop > ")
    assert "given name" in first
    assert not {"weight", "probability", "bridge", "score"} & set(first.lower().replace("|", " ").split())
    at.types("7")
    assert "does not say which records" in at.until("q stop > ")
    for answer in ("2", "a", "a"):
        at.types(answer)
        at.until("q stop > ")
    at.types("u")
    at.until("No case waits for you.")
    assert at.ends() == 0
    other = Terminal(home, "review", "next", "--set", drawn["set"], "--as", "ben", "--reason", "are these one person")
    for answer in ("2", "a", "2"):
        other.until("q stop > ")
        other.types(answer)
    other.until("q stop > ")
    other.types("q")
    assert other.ends() == 0

    (told,) = ids(home, "review", "progress", drawn["set"], "--json").json
    assert (told["kind"], told["decided"], told["disputed"], told["open"]) == ("clusters", 2, 1, 1)
    assert (told["reviewers"], told["judged_twice"]) == (2, 3)
    assert told["agree"] == pytest.approx(2 / 3, abs=1e-3)
    assert -1 <= told["kappa"] < 1
    decided = ids(home, "reference", "decisions", "demographic", "--json").json
    assert sorted(d["kind"] for d in decided) == ["cannot", "must"]
    assert all(d["reason"].startswith("clerical review") for d in decided)
    applied = ids(home, "reference", "apply", "demographic", "--json").json
    assert applied["events"] == {"split": 1}


def test_a_weak_cluster_is_drawn_and_its_answer_parts_it(service: Service) -> None:
    with service.open() as site:
        clusters.sample(site, "demographic", draw=Draw(20, 3, 0.0))
        site.engine.load("drawn", Stored(tuple((site.places.identified / "reviews").glob("clusters-*/cases.parquet"))))
        rows = site.engine.rows("SELECT weak, bridge, records FROM drawn ORDER BY bridge").to_pylist()
        assert [r["weak"] for r in rows] == [True] * 10 + [False] * 10
        assert {len(r["records"]) for r in rows} == {2}
        case = reviewing.next_case(site, "cem", reason="quality of the index")
        assert case is not None
        body = json.dumps(case.to_dict(), default=str)
        assert not {"bridge", "weak", "weight"} & set(body.split('"'))
        assert len(entities(site, 2, *case.records)) == 1
        assert reviewing.decide(site, reviews.Reply(case.case, "2", "cem")).answer == "1/2"
        applied = ids(service.places.home, "reference", "apply", "demographic", "--json").json
        assert len(entities(site, applied["version"], *case.records)) == 2
        assert measuring.progress(site)[0]["decided"] == 1


def test_clusters_of_a_register_like_index(service: Service) -> None:
    meanings = {"record_id": "record_id", "organisation_name": "organisation_name"}
    with service.open() as site:
        rows = [{k: firm[k] for k in meanings} for firm in FIRMS]
        with pytest.raises(IndexRefusal):
            clusters.sample(site, "business", draw=Draw(2, 1, 0.0))
        of = {k: Meaning(v) for k, v in meanings.items()}
        service.feed(site, "business", source="companies", rows=rows, meanings=of)
        service.feed(site, "business", source="traders", rows=named(rows, "T"), meanings=of)
        drawn = clusters.sample(site, "business", draw=Draw(2, 1, 0.0))
        assert drawn["cases"] == 2
        case = reviewing.next_case(site, "cem", reason="quality of the index")
        assert case is not None
        assert [line.field for line in case.lines] == ["organisation_name"]
