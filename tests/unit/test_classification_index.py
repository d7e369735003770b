"""The Classification Index: codes and phrases in, one link per record out, on the real engine."""

from pathlib import Path
from typing import Any

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.classification import CLASSIFICATION
from integrated_data.index.reference.correspondences import crosswalk
from integrated_data.index.reference.crosswalk import Crosswalk
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LINK_COLUMNS
from tests.drawn import NoTrainer, drawn

INDUSTRIES = """
    record_id | industry_code | industry_text
    1         | 01.11/0       | Growing of cereals
    2         | 01.11/0       | Arable farming
    3         | 47710         | Clothing shop (retail)
    4         | 47710         | Men's clothes (retail)
    5         | 86210         | Doctors' surgery
"""
OCCUPATIONS = """
    record_id | occupation_code | occupation_text
    1         | 7111            | Sales assistant
    2         | 2211            | General practitioner
"""
CONDITIONS = """
    record_id | condition_code
    1         | F32
    2         | K52
    3         | J44.0
"""


def add(engine: DuckDB, source: str, picture: str, *, folder: Path, previous: Path | None = None) -> dict[str, Any]:
    engine.load("delivered", Held(drawn(picture)))
    addition = Addition(source, "delivered", "2024-01-01T00:00:00Z")
    return CLASSIFICATION.add(Tools(engine, NoTrainer()), addition, previous=previous, folder=folder)


def matched(engine: DuckDB, picture: str, *, folder: Path) -> list[tuple[Any, ...]]:
    """Per record the accepted code, band and method."""
    engine.load("asked", Held(drawn(picture)))
    CLASSIFICATION.match(Tools(engine, NoTrainer()), Matching("asked", "links"), folder=folder)
    assert tuple(engine.columns("links")) == LINK_COLUMNS
    CLASSIFICATION.published(engine, folder=folder, relation="known")
    rows = engine.rows(
        "SELECT record_id, classification_code, band, method FROM links LEFT JOIN known USING (entity_id) "
        "ORDER BY record_id::INT"
    )
    return [tuple(row.values()) for row in rows.to_pylist()]


def codes(engine: DuckDB, folder: Path) -> dict[tuple[str, str], int]:
    CLASSIFICATION.published(engine, folder=folder, relation="known")
    rows = engine.rows("SELECT * FROM known").to_pylist()
    return {(r["classification_scheme"], r["classification_code"]): r["entity_id"] for r in rows}


@pytest.fixture
def three(engine: DuckDB, tmp_path: Path) -> Path:
    """A version that three sources made."""
    add(engine, "industries", INDUSTRIES, folder=tmp_path / "v1")
    add(engine, "occupations", OCCUPATIONS, folder=tmp_path / "v2", previous=tmp_path / "v1")
    add(engine, "conditions", CONDITIONS, folder=tmp_path / "v3", previous=tmp_path / "v2")
    return tmp_path / "v3"


def test_many_phrases_of_a_code_are_one_entity_below_its_parents(engine: DuckDB, tmp_path: Path) -> None:
    report = add(engine, "industries", INDUSTRIES, folder=tmp_path / "v1")
    assert (report["records"], report["unread"], report["created"]) == (5, 0, 15)
    assert sorted(code for _, code in codes(engine, tmp_path / "v1")) == [
        "01", "011", "0111", "01110", "47", "477", "4771", "47710", "86", "862", "8621", "86210", "A", "G", "Q",
    ]  # fmt: skip


def test_later_sources_keep_earlier_schemes_and_their_ids(engine: DuckDB, three: Path) -> None:
    first, last = codes(engine, three.with_name("v1")), codes(engine, three)
    assert {key: last[key] for key in first} == first
    assert {scheme for scheme, _ in last} == {"SIC 2007", "SOC 2020", "ICD-10"}
    assert {("ICD-10", c) for c in ("V", "F32", "XI", "K52", "X", "J44", "J440")} <= set(last)
    assert {("SOC 2020", c) for c in ("2", "22", "221", "2211")} <= set(last)


def test_a_source_that_comes_again_changes_no_id(engine: DuckDB, three: Path) -> None:
    report = add(engine, "industries", INDUSTRIES, folder=three.with_name("v4"), previous=three)
    assert report["created"] == 0
    assert codes(engine, three.with_name("v4")) == codes(engine, three)


def test_industry_goes_before_occupation_and_condition(engine: DuckDB, three: Path) -> None:
    delivery = """
        record_id | industry_code | industry_text          | occupation_code | occupation_text | condition_code
        1         | 01110         | .                      | .               | .               | .
        2         | 86.21         | .                      | 7111            | .               | .
        3         | 1110          | .                      | .               | .               | .
        4         | 99999         | .                      | 7111            | .               | .
        5         | .             | CLOTHING SHOP (RETAIL) | 2211            | .               | .
        6         | .             | .                      | 2211            | .               | F32
        7         | .             | .                      | .               | sales assistant | .
        8         | .             | .                      | .               | .               | K52.9
        9         | .             | .                      | .               | .               | Z99
        10        | .             | .                      | .               | .               | .
        11        | .             | zzz qqq                | .               | .               | .
    """
    assert matched(engine, delivery, folder=three) == [
        ("1", "01110", "accept", "code"),
        ("2", "8621", "accept", "code"),
        ("3", "01110", "accept", "code, leading zero restored"),
        ("4", None, "none", "code not known"),
        ("5", "47710", "accept", "known phrase"),
        ("6", "2211", "accept", "code"),
        ("7", "7111", "accept", "known phrase"),
        ("8", "K52", "accept", "category of the code"),
        ("9", None, "none", "code not known"),
        ("10", None, "none", "nothing to match on"),
        ("11", None, "none", "text"),
    ]


def test_a_text_that_is_nearly_a_phrase_gets_its_code_as_candidate(engine: DuckDB, three: Path) -> None:
    delivery = """
        record_id | industry_text
        1         | shop for mens clothing (retail)
        2         | growing cereal
    """
    matched(engine, delivery, folder=three)
    rows = engine.rows(
        "SELECT classification_code FROM links JOIN known ON known.entity_id = candidate_id ORDER BY record_id"
    )
    assert rows["classification_code"].to_pylist() == ["47710", "01110"]


def test_zeros_that_a_spreadsheet_took_come_back(engine: DuckDB, tmp_path: Path) -> None:
    source = """
        record_id | industry_code
        1         | 1110
        2         | 4771
        3         | 47710
    """
    add(engine, "industries", source, folder=tmp_path / "v1")
    assert {code for _, code in codes(engine, tmp_path / "v1")} >= {"01110", "4771", "47710"}


def test_a_source_without_codes_is_refused(engine: DuckDB, tmp_path: Path) -> None:
    with pytest.raises(IndexRefusal, match="No record holds a code"):
        add(engine, "words", "record_id | industry_text\n1 | Farming", folder=tmp_path / "v1")
    assert not (tmp_path / "v1").exists()


def test_a_version_that_is_not_there_is_refused(engine: DuckDB, tmp_path: Path) -> None:
    with pytest.raises(IndexRefusal, match="not there"):
        CLASSIFICATION.published(engine, folder=tmp_path / "none", relation="known")


VERSIONS = """
    record_id | soc2010 | soc2020 | occupation_text
    1         | 2136    | 2134    | Programmer
    2         | 2136    | 2134    | Software developer
    3         | 2136    | 2133    | Systems designer
    4         | 7111    | 7111    | Sales assistant
"""


def weights(engine: DuckDB, folder: Path, source: str, target: str) -> list[tuple[str, str, float]]:
    crosswalk(engine, folder, asked=Crosswalk(source, target), relation="weights")
    rows = engine.rows("SELECT * FROM weights ORDER BY from_code, to_code").to_pylist()
    return [(r["from_code"], r["to_code"], round(r["weight"], 3)) for r in rows]


def test_versions_are_schemes_of_their_own_with_weights_between_them(engine: DuckDB, tmp_path: Path) -> None:
    report = add(engine, "both", VERSIONS, folder=tmp_path / "v1")
    assert report["schemes"] == ["SOC 2020", "SOC 2010"]
    known = codes(engine, tmp_path / "v1")
    assert known["SOC 2010", "7111"] != known["SOC 2020", "7111"]
    assert ("SOC 2010", "2134") not in known
    assert weights(engine, tmp_path / "v1", "SOC 2010", "SOC 2020") == [
        ("2136", "2133", 0.333), ("2136", "2134", 0.667), ("7111", "7111", 1.0),
    ]  # fmt: skip
    assert weights(engine, tmp_path / "v1", "soc2020", "soc2010")[0] == ("2133", "2136", 1.0)
    asked = "record_id | soc2010 | occupation_text\n1 | 2136 | .\n2 | . | programmer\n3 | 2134 | ."
    assert matched(engine, asked, folder=tmp_path / "v1") == [
        ("1", "2136", "accept", "code"), ("2", "2136", "accept", "known phrase"), ("3", None, "none", "code not known"),
    ]  # fmt: skip


def test_without_a_heading_the_codes_tell_the_version(engine: DuckDB, tmp_path: Path) -> None:
    add(engine, "both", VERSIONS, folder=tmp_path / "v1")
    report = add(
        engine, "older", "record_id | occupation_code\n1 | 2136", folder=tmp_path / "v2", previous=tmp_path / "v1"
    )
    assert report["schemes"] == ["SOC 2010 (by its codes)"]


def test_a_crosswalk_that_nobody_delivered_is_refused(engine: DuckDB, three: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexRefusal, match="no crosswalk from SIC 2003 to SIC 2007"):
        weights(engine, three, "SIC 2003", "SIC 2007")
    with pytest.raises(IndexRefusal, match="no classification the index knows"):
        weights(engine, three, "SOC 1990", "SOC 2020")
    shares = "record_id | soc2010 | soc2020 | weight\n1 | 2136 | 2134 | 0.7\n2 | 2136 | 2133 | 0.3"
    add(engine, "shares", shares, folder=tmp_path / "v9")
    assert weights(engine, tmp_path / "v9", "SOC 2010", "SOC 2020") == [("2136", "2133", 0.3), ("2136", "2134", 0.7)]


def test_the_line_of_each_code_is_published_level_by_level(engine: DuckDB, three: Path) -> None:
    CLASSIFICATION.published(engine, folder=three, relation="known")
    rows = engine.rows("SELECT COLUMNS('level') FROM known WHERE classification_code IN ('01110', 'J440') ORDER BY ALL")
    assert [list(row.values()) for row in rows.to_pylist()] == [
        ["A", "01", "011", "0111", "01110", None], ["X", "J44", "J440", None, None, None],
    ]  # fmt: skip


def test_every_classification_of_a_record_is_explained(engine: DuckDB, three: Path) -> None:
    asked = """
        record_id | industry_text    | occupation_code | condition_code
        1         | growing cereal   | 7111            | K52.9
    """
    engine.load("asked", Held(drawn(asked)))
    report = CLASSIFICATION.match(Tools(engine, NoTrainer()), Matching("asked", "links", explain="why"), folder=three)
    assert report["explained"]
    rows = engine.rows("SELECT scheme, code, comparison, level FROM why WHERE place = 1").to_pylist()
    assert {(r["scheme"], r["code"], r["comparison"]) for r in rows} >= {
        ("SIC 2007", "01110", "word"), ("SIC 2007", "01110", "entry"), ("SOC 2020", "7111", "code"),
        ("ICD-10", "K52", "code"),
    }  # fmt: skip
    assert "growing of cereals" in {r["level"] for r in rows if r["comparison"] == "entry"}
