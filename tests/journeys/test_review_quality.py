"""From a delivery to judged links: a blind sample, reviewers at the command line, and quality with intervals."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.control import decisions, releases, reviews
from integrated_data.control.store import records
from integrated_data.engine import Stored
from integrated_data.index.registry import SEATS
from integrated_data.journey.binding import METHOD
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.review import Draw
from integrated_data.site import linked, measuring, reviewing
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings
from tests.journeys.installation import ids
from tests.people import Row, noisy, people

pytestmark = pytest.mark.long

HEADINGS = {
    "record_id": "resident_id", "given_name": "first_name", "family_name": "last_name", "date_of_birth": "dob",
    "sex": "sex", "address": "full_address", "postcode": "postcode",
}  # fmt: skip


def write(place: Path, rows: list[Row]) -> Path:
    with place.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(HEADINGS.values())
        out.writerows([row[c] for c in HEADINGS] for row in rows)
    return place


def census(everyone: list[Row]) -> list[Row]:
    """People as a census writes them: one in four with an error, and of one in twelve little but the name."""
    little = {"date_of_birth": None, "address": "1 Far Street", "postcode": "ZE1 0AA"}
    return [row | little if i % 12 == 0 else row for i, row in enumerate(noisy(everyone[60:]))]


@contextmanager
def opened(home: Path) -> Iterator[LoadingSite]:
    with open_loading(Places(home), Settings(home, threads=2, memory="2GB", production=False, actor="lead")) as site:
        yield site


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register of 500 people of 600, and a census of all of them but some."""
    folder = tmp_path_factory.mktemp("review")
    made = folder / "home"
    create(made, actor="lead")
    everyone = people(600)
    with opened(made) as site:
        register = write(folder / "register.csv", everyone[:500])
        load_reference(site, SourceOrder("demographic", (register,), "register", "resident_id"))
        deliver_and_refresh(site, "census", files=[write(folder / "census.csv", census(everyone))])
    return made


@pytest.fixture(scope="module")
def truth(home: Path) -> dict[int, int | None]:
    """Row of the census to the entity it truly is; None where the register does not hold the person."""
    with opened(home) as site:
        links = linked.link_set(site, "census", index="demographic")
        folder = version_folder(site.places.indexes, "demographic", version=links.index_version)
        SEATS.of("demographic").members(site.engine, folder=folder, relation="members")
        own = {r["record_id"]: r["entity_id"] for r in site.engine.rows("SELECT * FROM members").to_pylist()}
        site.engine.load(
            "rows", Stored((site.places.deliveries / links.delivery / "checked.parquet",), row_column="_row")
        )
        rows = site.engine.rows("SELECT _row, resident_id FROM rows").to_pylist()
    return {r["_row"]: own.get(f"P{r['resident_id'][1:]}") for r in rows}


def oracle(case: dict[str, Any], truth: dict[int, int | None]) -> str:
    """The answer of a reviewer who is always right: entities are named beside the values."""
    own = truth[case["record"]]
    return str(case["options"].index(own) + 1) if own in case["options"] else "none"


@pytest.fixture(scope="module")
def judged(home: Path, truth: dict[int, int | None]) -> str:
    """The census's review set, every case answered by reviewers who are always right."""
    with opened(home) as site:
        drawn = reviewing.sample(site, reviewing.SampleOrder("census", draw=Draw(90, 5, 0.1)))
        for person in ("ann", "ben"):
            case = reviewing.next_case(site, person, reason="sample of the census")
            while case is not None:
                reviewing.decide(site, reviews.Reply(case.case, oracle(case.to_dict(), truth), person))
                case = reviewing.next_case(site, person)
    assert isinstance(drawn["set"], str)
    return drawn["set"]


def test_a_reviewer_at_the_command_line(home: Path, judged: str, truth: dict[int, int | None]) -> None:
    drawn = ids(home, "review", "sample", "census", "--size", "6", "--seed", "9", "--double", "0", "--json").json
    assert drawn["cases"] == sum(s["cases"] for s in drawn["strata"]) >= 6
    assert all(s["cases"] >= 1 for s in drawn["strata"])
    seen = ids(home, "review", "next", "--reason", "a trial", "--as", "cem", "--set", drawn["set"], "--json")
    case = seen.json
    assert not {"probability", "weight", "score", "method", "band"} & set(json.dumps(case).lower().split('"'))
    answer = oracle(case, truth)
    told = ids(home, "review", "decide", case["case"], answer, "--as", "cem", "--json")
    assert told.json == {"case": case["case"], "state": "decided", "answer": answer}
    table = ids(home, "review", "next", "--as", "cem", "--set", drawn["set"])
    assert "family name" in table.out
    with (
        opened(home) as site,
        pytest.raises(IndexRefusal, match=f"contradicts the one cem gave about case {case['case']}"),
    ):
        reviewing.decide(site, reviews.Reply(case["case"], "unsure", "cem"))


def test_the_same_seed_draws_the_same_cases(home: Path, judged: str) -> None:
    with opened(home) as site:
        order = reviewing.SampleOrder("census", draw=Draw(90, 5, 0.1))
        assert reviewing.sample(site, order)["set"] == judged


def test_every_record_shown_is_an_audit_event(home: Path, judged: str) -> None:
    with opened(home) as site, site.store.read() as connection:
        looks = [r for r in records(connection) if r.action == "review.shown" and r.actor in ("ann", "ben")]
        cases = reviews.cases(connection, judged)
    asked = sum(1 + c["twice"] for c in cases if c["others"])
    assert len(looks) == asked
    assert {r.facts["reason"] for r in looks} == {"sample of the census"}


def test_quality_comes_with_intervals_that_hold_the_truth(
    home: Path, judged: str, truth: dict[int, int | None]
) -> None:
    with opened(home) as site:
        told = measuring.details(site, "census")[0]
        links = linked.link_set(site, "census", index="demographic")
        site.engine.load("l", Stored((links.place,)))
        rows = site.engine.rows(
            "SELECT record_id, entity_id FROM l WHERE band = 'accept' AND method NOT LIKE 'provisional%'"
        ).to_pylist()
    right = sum(truth[r["record_id"]] == r["entity_id"] for r in rows)
    present = sum(e is not None for e in truth.values())
    assert told["precision"]["low"] <= right / len(rows) <= told["precision"]["high"]
    assert told["recall"]["low"] <= right / present <= told["recall"]["high"]
    assert told["rate"] == pytest.approx(len(rows) / len(truth), abs=1e-4)
    assert {g["group"] for g in told["groups"]} >= {"sex", "age_band"}
    assert told["review"]["agreement"]["kappa"] == 1.0
    assert sum(r["links"] for r in told["calibration"]) >= len(rows)
    assert "wider search" in told["unseen"]


def test_the_wider_search_finds_what_the_links_missed(home: Path, judged: str, truth: dict[int, int | None]) -> None:
    """Of sampled records that are in the register, linked or not, nearly all are shown their own entity."""
    with opened(home) as site:
        with site.store.read() as connection:
            place = reviews.get_set(connection, judged)["place"]
        site.engine.load("c", Stored((site.places.identified / place / "cases.parquet",)))
        rows = site.engine.rows("SELECT record, options FROM c").to_pylist()
    present = [r for r in rows if truth[r["record"]] is not None]
    assert sum(truth[r["record"]] in r["options"] for r in present) >= 0.9 * len(present)
    assert max(len(r["options"]) for r in rows) == 3


def test_rival_links_on_the_same_sample(home: Path, judged: str, truth: dict[int, int | None], tmp_path: Path) -> None:
    """A rival that knows the truth about the first half of the records and nothing of the rest."""
    half = len(truth) // 2
    with opened(home) as site:
        known = {
            r["_row"]: r["resident_id"]
            for r in (linked.frame(site, linked.link_set(site, "census", index="demographic")), site.engine.rows(
                "SELECT _row, resident_id FROM good"
            ).to_pylist())[1]
        }  # fmt: skip
    rival = {"record_id": [known[r] for r in known], "entity_id": [truth[r] if r < half else None for r in known]}
    pq.write_table(pa.table(rival), tmp_path / "rival.parquet")
    with opened(home) as site:
        compared = measuring.details(site, "census", compare=tmp_path / "rival.parquet")[0]["compared"]
    assert compared["precision"]["value"] == 1.0
    assert 0.35 < compared["recall"]["value"] < 0.65
    assert compared["against_ours"]["ours_only"] > 100


def test_published_weights_add_up_to_everybody(home: Path) -> None:
    with opened(home) as site:
        with site.store.read() as connection:
            release = releases.get(connection, "census")
        site.engine.load("t", Stored(site.lake.files("census", release.snapshot), sealed=False))
        sums = site.engine.rows(
            "SELECT sex, count(*) AS n, sum(person_link_weight) AS w FROM t GROUP BY sex ORDER BY sex"
        ).to_pylist()
        unlinked = site.engine.rows(
            "SELECT count(person_link_weight) AS n FROM t "
            "WHERE person_entity IS NULL OR person_link_method LIKE 'provisional%'"
        ).to_pylist()
    assert [r["w"] for r in sums] == [pytest.approx(r["n"], rel=0.01) for r in sums]
    assert unlinked == [{"n": 0}]
    assert release.entry["links"]["demographic"]["weights"]["groups"] == ["sex", "age_band", "area"]
    assert {"name": "person_link_weight", "meaning": "link weight"}.items() <= next(
        v.items() for v in release.entry["variables"] if v["name"] == "person_link_weight"
    )


def test_overview_and_export(home: Path, judged: str, tmp_path: Path) -> None:
    with opened(home) as site:
        rows = measuring.overview(site, index="demographic")
    assert [(r["dataset"], r["index"], r["records"]) for r in rows] == [("census", "demographic", 540)]
    assert rows[0]["precision"].startswith(("0.9", "1.0"))
    out = tmp_path / "cases.parquet"
    with opened(home) as site:
        reviewing.export(site, judged, out=out)
    table = pq.read_table(out)
    assert table.column_names == ["number", "record", "stratum", "options", "state", "answer", "answers"]
    assert table.num_rows == 90
    assert "Calibration" in ids(home, "reference", "quality", "census").out


@pytest.mark.parametrize(
    ("dataset", "index", "why"),
    [("nosuch", "demographic", "no links"), ("census", "geography", "no links"), ("census", "nosuch", "no links")],
)
def test_what_cannot_be_sampled_is_refused(home: Path, dataset: str, index: str, why: str) -> None:
    with opened(home) as site, pytest.raises(IndexRefusal, match=why):
        reviewing.sample(site, reviewing.SampleOrder(dataset, index))


def test_decisions_bind_the_next_delivery(home: Path, judged: str, truth: dict[int, int | None]) -> None:
    """Delivered again, every judged record has the entity a reviewer named, or none of those shown."""
    with opened(home) as site:
        with site.store.read() as connection:
            decided = decisions.of_index(connection, "demographic")
        before = linked.link_set(site, "census", index="demographic")
        rows = census(people(600))
        told = deliver_and_refresh(site, "census", files=[write(home.parent / "again.csv", rows[::-1])])
        after = linked.link_set(site, "census", index="demographic")
        assert after.delivery == told["delivery"] != before.delivery
        site.engine.load("l", Stored((after.place,)))
        links = {r["record_id"]: r for r in site.engine.rows("SELECT * FROM l").to_pylist()}
    assert {d.by for d in decided} >= {"ann", "ben"}
    by_person = [len(rows) - 1 - r for r, link in links.items() if link["method"] == METHOD]
    assert told["links"]["demographic"]["decided"] == len(by_person) > 5
    assert any(links[len(rows) - 1 - r]["entity_id"] is not None for r in by_person)
    assert all(links[len(rows) - 1 - r]["entity_id"] in (truth[r], None) for r in by_person)
