"""What leaves, read by the tools that other people read it with: ACRO's loader, RO-Crate's validator and reader."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import View
from integrated_data.output import bag, crates, requested
from integrated_data.output.told import UNREAD, told
from integrated_data.site.parser import DuckDBParser
from tests.elsewhere import told_by
from tests.output_world import World, repeated

GOLDEN = Path(__file__).parents[1] / "golden" / "output_acro" / "results.json"
COUNTS = "SELECT region, sex, count(*) AS people FROM lfs WHERE pay < 4711 GROUP BY region, sex"
SUMS = "SELECT region, sum(pay) AS pay, avg(pay) AS mean FROM lfs WHERE pay < 4711 GROUP BY ROLLUP (region)"
VIEWS = {"lfs": View(("person_key", "region", "sex", "pay"), "person_key")}


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    lfs = repeated(
        (20, ("N", "F", 100)), (25, ("N", "M", 90)), (9, ("S", "F", 70)), (40, ("S", "M", 120)), (25, ("S", "M", 20)),
        columns="region sex pay",
    )  # fmt: skip
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    parser.close()


def test_the_results_file_is_the_golden_one(world: World) -> None:
    made = json.loads((world.left(COUNTS, SUMS) / "results.json").read_text(encoding="utf-8"))
    for output in made["results"].values():
        output["timestamp"], output["properties"]["query"] = "2026-06-15T12:00:00+00:00", "q1"
    made["tool"]["version"] = "of the service"
    assert made == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_marked_places_are_those_of_withheld_figures(world: World) -> None:
    place = world.left(COUNTS, SUMS)
    results = json.loads((place / "results.json").read_text())["results"]
    for output, name in (("output_0", "table.csv"), ("output_1", "table-2.csv")):
        rows = list(csv.reader(io.StringIO((place / name).read_text())))[1:]
        marked = {(r, c - 1) for r, row in enumerate(rows) for c, held in enumerate(row) if held == "[c]"}
        (told_of,) = [f["sdc"] for f in results[output]["files"] if f["name"] == name]
        assert {tuple(cell) for cell in told_of["cells"]["WithheldCell"]} == marked


def test_acro_loads_it(world: World) -> None:
    (read,) = told_by("IDS_ACRO", "load_acro.py", str(world.left(COUNTS, SUMS)))
    counts, sums = read["output_0"], read["output_1"]
    assert counts["output"] == [{"region": ["N", "N", "S", "S"], "sex": ["F", "M", "F", "M"],
                                 "people": ["20", "25", "[c]", "[c]"]}]  # fmt: skip
    assert counts["sdc"] == {"summary": {"WithheldCell": 2}, "cells": {"WithheldCell": [[2, 1], [3, 1]]}}
    assert counts["outcome"] == {
        "people": {"0 | N | F": "ok", "1 | N | M": "ok", "2 | S | F": "withheld", "3 | S | M": "withheld"}
    }
    assert (counts["fair"]["statbarn"], sums["fair"]["statbarn"]) == ("Frequencies", "LinearAggregations")
    assert sums["fair"]["check_status"]["NKCheck"] == "pass"


def test_the_crate_is_valid_to_others(world: World, tmp_path: Path) -> None:
    place = world.left(COUNTS, SUMS)
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    packed = crates.crate(world.store, request=place.name, folder=world.folder, key=key).read_bytes()
    root, files = bag.opened(packed)
    requested.put_all(tmp_path / root / "data" / "workflow", {})
    for name, content in files.items():
        (tmp_path / root / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / root / name).write_bytes(content)
    crate = tmp_path / root / "data"
    whole, workflow = told_by(
        "IDS_ROCRATE", "validate_crates.py", str(tmp_path / "cache"), str(crate), "ro-crate-1.2",
        str(crate / "workflow"), "workflow-ro-crate-1.0",
    )  # fmt: skip
    assert (whole["issues"], whole["main"]) == ([], "workflow/")
    assert (workflow["issues"], workflow["main"]) == ([], "queries.sql")
    assert min(whole["checks"], workflow["checks"]) > 40


@pytest.mark.parametrize(
    ("sql", "leaves"),
    [
        ("SELECT region, count(*) AS people FROM lfs WHERE pay = 4711 GROUP BY 1 -- Anna",
         "SELECT region, COUNT(*) AS people FROM lfs WHERE pay = ? GROUP BY ?"),
        ("WITH anna_earns_4711 AS (SELECT * FROM lfs) SELECT count(*) AS people FROM anna_earns_4711 AS anna",
         "WITH name1 AS ( SELECT * FROM lfs ) SELECT COUNT(*) AS people FROM name1 AS name2"),
        ("SELECT sum(pay) FILTER (region IN ('N', 'anna')) AS people FROM lfs",
         "SELECT SUM(pay) FILTER(WHERE region IN (?, ?)) AS people FROM lfs"),
        ("SELECT region->'$.anna' AS people, $anna, DATE '2001-02-03', INTERVAL 3 DAY, CAST(pay AS DECIMAL(9, 2)) "
         "FROM lfs", None),
        ("SELECT 1; SELECT 2", UNREAD),
        ("SELEC region FROM lfs", UNREAD),
    ],
)  # fmt: skip
def test_the_text_of_a_query_leaves_without_what_was_written_into_it(sql: str, leaves: str | None) -> None:
    made = " ".join(told(sql, VIEWS, headings=["people"]).split())
    assert leaves is None or made == leaves
    assert not any(word in made.lower() for word in ("anna", "4711", "2001", "03", "9", "3 day"))
