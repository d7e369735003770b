"""The demo's question on a drawn country: which chronic conditions keep people out of work.

Weighted employment gaps with intervals, by condition, region and age band, from a labour force
survey joined to general practice, hospital and benefit records by the project's key.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import Lane
from integrated_data.site.parser import DuckDBParser
from integrated_data.vocabulary.survey import Design, weighted_gap_sql
from tests.output_world import World, key

REGIONS, BANDS, CONDITIONS = ("North", "South"), ("16-34", "35-64"), ("asthma", "back pain", "depression")
RARE = ("North", "16-34", "back pain")  # the one cell that must be held back: nine people
DESIGN = Design("person_weight", "stratum", "psu")


def drawn_country() -> dict[str, pa.Table]:
    """4,000 respondents in 40 clusters; illness lowers the odds of work; the rare cell has nine people."""
    random = np.random.default_rng(11)
    n = 4_000
    region, band = random.integers(0, 2, n), random.integers(0, 2, n)
    psu = region * 20 + random.integers(0, 20, n)
    ill = random.random((n, 3)) < np.array([0.15, 0.14, 0.18])
    rare = (region == 0) & (band == 0)
    ill[rare, 1] = False
    ill[np.flatnonzero(rare)[:9], 1] = True
    works = random.random(n) < 0.78 - ill @ np.array([0.06, 0.22, 0.30])
    works[np.flatnonzero(rare)[:9]] = [True, False] * 4 + [True]
    keys = pa.array([key(i) for i in range(n)])
    survey = pa.table(
        {
            "person_key": keys,
            "person_link_probability": pa.array(np.full(n, 0.99)),
            "person_link_method": pa.array(["exact"] * n),
            "region": np.array(REGIONS)[region],
            "age_band": np.array(BANDS)[band],
            "ilo_status": np.where(works, 1, 3),
            "stratum": psu // 5,
            "psu": psu,
            "person_weight": np.round(random.uniform(8, 14, n), 3),
        }
    )
    sick, condition = np.nonzero(ill)
    seen = random.random(len(sick)) < 0.6  # some are known to the practice, some to a hospital, some to both
    both = random.random(len(sick)) < 0.3

    def records(where: np.ndarray) -> pa.Table:
        twice = np.repeat(np.flatnonzero(where), 2)  # a person has several records of one condition
        named = np.array(CONDITIONS)[condition[twice]]
        return pa.table({"person_key": keys.take(sick[twice]), "condition": named})

    benefit = np.flatnonzero(~works & (random.random(n) < 0.5))
    return {
        "labour_force_survey": survey,
        "gp_diagnoses": records(seen | both),
        "hospital_episodes": records(~seen | both),
        "benefits": pa.table({"person_key": keys.take(benefit), "benefit": ["ESA"] * len(benefit)}),
    }


@pytest.fixture
def country(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", drawn_country())
    parser.close()


def gap_sql() -> str:
    named = ", ".join(f"('{c}')" for c in CONDITIONS)
    relation = f"""(
        SELECT s.person_key, s.region, s.age_band, c.condition, s.ilo_status, s.person_weight, s.stratum, s.psu,
               CASE WHEN i.person_key IS NULL THEN 0 ELSE 1 END AS ill
        FROM labour_force_survey AS s
        CROSS JOIN (VALUES {named}) AS c(condition)
        LEFT JOIN (
            SELECT person_key, condition FROM gp_diagnoses
            UNION SELECT person_key, condition FROM hospital_episodes
        ) AS i ON i.person_key = s.person_key AND i.condition = c.condition
    )"""
    return weighted_gap_sql(
        relation, group=["condition", "region", "age_band"], design=DESIGN, split="ill",
        indicator="CASE WHEN ilo_status = 1 THEN 1 ELSE 0 END",
    )  # fmt: skip


def test_the_gap_leaves_with_one_cell_held_back(country: World) -> None:
    report = country.checked(gap_sql())
    assert (report.lane, report.cells, report.withheld) == (Lane.AUTOMATIC, 12, 1)

    files = country.released(gap_sql())
    rows = {(r["condition"], r["region"], r["age_band"]): r for r in csv.DictReader(io.StringIO(files["table.csv"]))}
    held = rows.pop((RARE[2], RARE[0], RARE[1]))
    assert {held[f] for f in ("respondents_with", "gap", "gap_low", "gap_high", "estimate_without")} == {"[c]"}
    assert all(float(r["gap_low"]) < float(r["gap"]) < float(r["gap_high"]) for r in rows.values())
    by_condition = {c: np.mean([float(r["gap"]) for k, r in rows.items() if k[0] == c]) for c in CONDITIONS}
    assert by_condition["depression"] > by_condition["back pain"] > by_condition["asthma"] > 0


def test_what_leaves_is_a_table_a_chart_and_a_record(country: World) -> None:
    files = country.released(gap_sql())
    assert sorted(files) == [
        "README.txt", "chart.svg", "chart.vl.json", "config.json", "queries.sql", "record.json", "results.json",
        "table.csv",
    ]  # fmt: skip
    assert files["chart.svg"].startswith("<svg")
    assert "[c]" in files["chart.svg"]
    drawn = json.loads(files["chart.vl.json"])
    (values,) = drawn["datasets"].values()
    held = [row for row in values if row["mark"] == "[c]"]
    assert [(row["condition"], row["region"], row["age_band"]) for row in held] == [(RARE[2], RARE[0], RARE[1])]
    assert all(held[0][f] is None for f in ("gap", "gap_low", "respondents_with"))
    record = json.loads(files["record.json"])
    assert record["tables"][0]["proven"]
    assert record["tables"][0]["withheld"] == 1
    assert "nine" not in files["record.json"]
    assert '"people"' not in files["record.json"]


def test_benefit_receipt_is_a_share_of_those_out_of_work(country: World) -> None:
    """A second question over four sources, in plain SQL: proven and released without people."""
    report = country.checked("""
        WITH sick AS (SELECT DISTINCT person_key FROM hospital_episodes),
        paid AS (SELECT DISTINCT person_key, 1 AS paid FROM benefits)
        SELECT s.region, count(*) AS respondents,
               100.0 * sum(CASE WHEN p.paid = 1 THEN s.person_weight ELSE 0 END) / sum(s.person_weight) AS share
        FROM labour_force_survey AS s
        JOIN sick USING (person_key)
        LEFT JOIN paid AS p USING (person_key)
        WHERE s.ilo_status <> 1
        GROUP BY s.region
    """)
    assert (report.lane, report.cells, report.withheld) == (Lane.AUTOMATIC, 2, 0)
