"""The clerical sample: its frame, its allocation, its draw, and what judged cases say, by drawn tables."""

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.quality import design, estimate
from integrated_data.index.quality.design import Stratum
from integrated_data.model.review import Draw

ROWS = [
    # record, entity, candidate, probability, band, method, sex
    (0, 10, None, 1.0, "accept", "NHS number and date of birth", "F"),
    (1, 11, None, 0.9999, "accept", "model", "F"),
    (2, 12, None, 0.97, "accept", "model", "M"),
    (3, None, 13, 0.6, "clerical", "model", "M"),
    (4, None, None, 0.05, "none", "model", "M"),
    (5, None, None, 0.0, "none", "model", "F"),
    (6, 99, None, 1.0, "accept", "provisional: exact name", "F"),
    (7, None, None, 0.0, "none", "nothing to match on", None),
]


def drawn(engine: DuckDB) -> None:
    columns = ("record_id", "entity_id", "candidate_id", "probability", "band", "method", "sex")
    table = pa.table(dict(zip(columns, zip(*ROWS, strict=True), strict=True)))
    engine.load("links", Held(table.drop(["sex"])))
    engine.load("groups", Held(table.select(["record_id", "sex"]).rename_columns(["record", "sex"])))
    engine.create("frame", design.frame_sql("links", groups="groups", columns=("sex",)))
    engine.view("tested", "SELECT record, entity_id FROM frame WHERE linked")


def test_the_frame_holds_linked_and_unlinked_and_no_provisional_link(engine: DuckDB) -> None:
    drawn(engine)
    found = engine.rows("SELECT record, stratum, linked, entity_id, tenth FROM frame ORDER BY record").to_pylist()
    assert [(r["record"], r["stratum"], r["linked"]) for r in found] == [
        (0, "linked, 0.999 and more, NHS number and date of birth", True),
        (1, "linked, 0.999 and more, model", True),
        (2, "linked, 0.95 and more, model", True),
        (3, "clerical, 0.5 and more", False),
        (4, "unlinked, an unlikely candidate", False),
        (5, "unlinked, no candidate", False),
        (6, "unlinked, no candidate", False),
        (7, "nothing to match on", False),
    ]
    assert [r["tenth"] for r in found] == [9, 9, 9, 6, None, None, None, None]


def test_half_of_the_cases_look_for_what_was_missed_and_every_stratum_has_some() -> None:
    found = [
        Stratum("a", linked=True, units=90_000, expected=0.9999),
        Stratum("b", linked=True, units=900, expected=0.8),
        Stratum("c", linked=False, units=3, expected=0.5),
        Stratum("d", linked=False, units=5_000, expected=0.02),
    ]
    cases = design.allocate(found, 200)
    assert sum(cases.values()) == 200
    assert cases["a"] + cases["b"] == cases["c"] + cases["d"] == 100
    assert cases["c"] == 3
    assert cases["a"] > cases["b"] >= 16


@pytest.mark.parametrize(("linked", "unlinked", "expected"), [(30, 0, 30), (0, 30, 30), (10, 500, 100), (500, 10, 100)])
def test_a_side_that_is_short_gives_its_cases_to_the_other(linked: int, unlinked: int, expected: int) -> None:
    sides = [
        Stratum("l", linked=True, units=linked, expected=0.9),
        Stratum("u", linked=False, units=unlinked, expected=0),
    ]
    assert sum(design.allocate([s for s in sides if s.units], 100).values()) == expected


def test_the_seed_alone_decides_who_is_drawn(engine: DuckDB) -> None:
    drawn(engine)
    cases = {"unlinked, no candidate": 1, "linked, 0.999 and more, model": 1, "clerical, 0.5 and more": 1}
    seen = []
    for seed in (1, 1, *range(2, 12)):
        design.draw(engine, "frame", cases=cases, how=Draw(3, seed), out="drawn")
        rows = engine.rows("SELECT number, record, twice FROM drawn ORDER BY number").to_pylist()
        assert [r["number"] for r in rows] == [1, 2, 3]
        assert sum(r["twice"] for r in rows) == 1
        seen.append(tuple(r["record"] for r in rows))
    assert seen[0] == seen[1]
    assert len(set(seen)) > 2
    assert {record for each in seen for record in each} == {1, 3, 5, 6}


def judged(engine: DuckDB, rows: dict[int, tuple[list[int], list[int]]]) -> None:
    ids = pa.list_(pa.int64())
    engine.load("judged", Held(pa.table({
        "record": pa.array(list(rows), pa.int64()), "same": pa.array([s for s, _ in rows.values()], ids),
        "options": pa.array([o for _, o in rows.values()], ids),
    })))  # fmt: skip


EVERYTHING = {
    0: ([10], [10, 20]), 1: ([], [11]), 2: ([20], [12, 20]),
    3: ([13], [13]), 4: ([21], [21]), 5: ([], []), 6: ([], [22]),
}  # fmt: skip


def test_a_census_of_the_frame_gives_the_truth(engine: DuckDB) -> None:
    """Three links, one right, one of nobody, one of another; two more were missed: precision 1/3, recall 1/4."""
    drawn(engine)
    judged(engine, EVERYTHING)
    found = {(q.group, q.value): q for q in estimate.quality(
        engine, frame="frame", tested="tested", judged="judged", by=("sex",)
    )}  # fmt: skip
    whole = found["", ""]
    assert (whole.records, whole.linked) == (8, 3)
    assert whole.precision is not None
    assert whole.recall is not None
    assert (whole.precision.value, whole.recall.value) == (pytest.approx(1 / 3), pytest.approx(1 / 4))
    assert (whole.recall.low, whole.recall.high) == (pytest.approx(1 / 4), pytest.approx(1 / 4))
    assert {value for group, value in found if group} == {"F", "M", "missing"}
    men = found["sex", "M"]
    assert men.precision is not None
    assert men.precision.value == 0.0


def test_rival_links_are_judged_on_the_same_sample(engine: DuckDB) -> None:
    """A rival that finds 20 for record 2 and 13 for record 3; its link to an entity nobody was shown is not judged."""
    drawn(engine)
    judged(engine, EVERYTHING)
    engine.load("rival", Held(pa.table({"record": [0, 2, 3, 6], "entity_id": [10, 20, 13, 77]})))
    whole = estimate.quality(engine, frame="frame", tested="rival", judged="judged")[0]
    assert whole.precision is not None
    assert whole.recall is not None
    assert (whole.precision.judged, whole.precision.of) == (3, 4)
    assert whole.recall.value > 0.75


def test_a_group_with_nothing_judged_has_no_estimate(engine: DuckDB) -> None:
    drawn(engine)
    judged(engine, {0: ([10], [10]), 5: ([], [])})
    found = {q.value: q for q in estimate.quality(engine, frame="frame", tested="tested", judged="judged", by=("sex",))}
    assert found["F"].precision is not None
    assert found["M"].precision is None
    assert found["M"].recall is None


def test_calibration_sets_the_expected_beside_the_judged(engine: DuckDB) -> None:
    drawn(engine)
    judged(engine, EVERYTHING)
    found = estimate.calibration(engine, frame="frame", judged="judged")
    assert [(r["from"], r["links"]) for r in found] == [(0.6, 1), (0.9, 3)]
    assert found[0]["judged"]["value"] == 1.0
    assert found[1]["expected"] == pytest.approx((1 + 0.9999 + 0.97) / 3, abs=1e-4)
    assert found[1]["judged"]["value"] == pytest.approx(1 / 3, abs=1e-4)


def test_a_group_that_falls_behind_is_told(engine: DuckDB) -> None:
    engine.create(
        "frame",
        "SELECT i AS record, 'linked, 0 and more, model' AS stratum, linked, CASE WHEN linked THEN i END AS entity_id, "
        "sex FROM (SELECT i, CASE WHEN i % 2 = 0 THEN 'F' ELSE 'M' END AS sex, i % 2 = 0 OR i % 10 > 3 AS linked "
        "FROM range(1000) t(i))",
    )
    engine.view("tested", "SELECT record, entity_id FROM frame")
    found = estimate.quality(engine, frame="frame", tested="tested", by=("sex",))
    assert estimate.warnings(found) == ["sex M: 60.0% linked, 20.0 points behind everybody"]
    parts = {r["value"]: r for r in estimate.profile(found)}
    assert (parts["M"]["share_of_linked"], parts["M"]["share_of_unlinked"]) == (0.375, 1.0)
