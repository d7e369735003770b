"""Models asked to leave: what leaves at once, what people look at, what is refused, and what the ledger remembers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from integrated_data.control import queries
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import QueryState
from integrated_data.model.errors import OutputRefusal, QueryRefusal
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.output import Ask, CheckReport, Lane, Outcome
from integrated_data.output import request
from integrated_data.site import estimating
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, key

SIZE = 600
LINEAR = Estimate(Estimator.LINEAR, "pay ~ age + region")
COLUMNS = "SELECT pay, age, region, sex, works, visits, months, died, weight, rare FROM survey"


def survey() -> pa.Table:
    random = np.random.default_rng(7)
    return pa.table(
        {
            "person_key": pa.array([key(n) for n in range(SIZE)], pa.int64()),
            "region": random.choice(["North", "South", "East"], SIZE),
            "sex": random.choice(["F", "M"], SIZE),
            "age": random.integers(16, 80, SIZE),
            "pay": np.exp(random.normal(10, 0.4, SIZE)),
            "works": (random.uniform(size=SIZE) < 0.6).astype(int),
            "visits": random.poisson(2, SIZE),
            "months": np.round(random.exponential(30, SIZE) + 0.5, 1),
            "died": (random.uniform(size=SIZE) < 0.7).astype(int),
            "weight": random.uniform(0.5, 4.0, SIZE),
            "rare": np.where(np.arange(SIZE) < 8, "rare", "usual"),
            "skewed": np.where(np.arange(SIZE) < 8, random.normal(0, 1000, SIZE), random.normal(0, 1, SIZE)),
        }
    )


@dataclass
class Modelling(World):
    """A drawn project whose queries can be fitted, by the worker's own functions."""

    def run(self, sql: str, fit: Fit | None = None) -> pa.Table:
        rows = super().run(sql)
        if fit is None:
            return rows
        if fit.unit:
            return estimating.influence(rows, fit.estimate, unit=fit.unit, few=fit.few)
        try:
            return estimating.fit(rows, fit.estimate)
        except estimating.Unfit as unfit:
            raise QueryRefusal(unfit.failure.value) from None

    def log_model(self, estimate: Estimate, sql: str) -> str:
        number = f"m{len(self.ran)}-{abs(hash((sql, estimate))) % 10**8}"
        body = {"sql": sql, "estimate": estimate.told()}
        queries.begin(self.store, number, project="P-1", person=AUTHOR, state=QueryState.DONE, body=body)
        return number

    def model(self, estimate: Estimate, sql: str = COLUMNS) -> CheckReport:
        ask = Ask("P-1", AUTHOR, (self.log_model(estimate, sql),), "Pay")
        return self.check(request.request(self.store, self.run, ask=ask, folder=self.folder))


@pytest.fixture
def world(store: Store, engine: DuckDB, tmp_path: Path) -> Modelling:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return Modelling(store, engine, DuckDBParser(), folder, {"survey": survey()})


def rules(report: CheckReport) -> set[str]:
    return {f.rule for f in report.findings if f.outcome is not Outcome.NOTE}


SAFE = [
    Estimate(Estimator.MEAN, "pay ~ region"),
    Estimate(Estimator.MEAN, "pay ~ region + sex", weights="weight"),
    Estimate(Estimator.TOTAL, "visits ~ 1", weights="weight"),
    LINEAR,
    Estimate(Estimator.LINEAR, "log(pay) ~ log(age) + region * sex", weights="weight"),
    Estimate(Estimator.LOGISTIC, "works ~ age + C(sex)"),
    Estimate(Estimator.POISSON, "visits ~ region + offset(log(months))"),
    Estimate(Estimator.KAPLAN_MEIER, "Surv(months, died) ~ sex"),
    Estimate(Estimator.COX, "Surv(months, died) ~ age + region"),
]


@pytest.mark.parametrize("estimate", SAFE, ids=lambda e: f"{e.estimator} {e.formula}")
def test_an_ordinary_model_leaves_at_once(estimate: Estimate, world: Modelling) -> None:
    report = world.model(estimate)
    assert (report.lane, rules(report), report.withheld) == (Lane.AUTOMATIC, set(), 0)
    files = {file.name: file.read_text(encoding="utf-8") for file in world.leave(report).iterdir()}
    assert estimate.formula in files["record.json"]
    assert files["table.csv"].count("\n") == report.cells + 1


def named(value: object) -> str:
    """A parameter in a test's name, the same in every process."""
    return " ".join(sorted(value)) if isinstance(value, set) else str(value)[:40]


#: A category of few people who mostly work, made in the query.
ODD = "CASE WHEN rare = 'rare' OR (age > 70 AND works = 1) THEN 'a' ELSE 'b' END AS odd"
WIDE = "CASE WHEN age > 40 THEN age ELSE 0 END + age AS wide"
FEW, A_FEW = "model of few people", "coefficient mostly of a few"

UNSAFE = [
    ("linear", "pay ~ rare", COLUMNS, {FEW, A_FEW}, Lane.REFUSED),
    ("linear", "pay ~ age + region", f"{COLUMNS} WHERE age IN (33, 34)", {FEW}, Lane.REFUSED),
    ("linear", "pay ~ age + region + rare", COLUMNS, {FEW}, Lane.REFUSED),
    ("linear", "pay ~ skewed", "SELECT pay, skewed FROM survey", {"leverage", "coefficient of a few"}, Lane.REFUSED),
    ("logistic", "works ~ age + odd", f"SELECT works, age, {ODD} FROM survey", {"outcome of a few"}, Lane.REVIEW),
    ("logistic", "works ~ odd", f"SELECT works, {ODD} FROM survey", {"saturated model"}, Lane.REFUSED),
    ("cox", "Surv(months, died) ~ rare", COLUMNS, {FEW}, Lane.REFUSED),
    ("kaplan-meier", "Surv(months, died) ~ rare", COLUMNS, {FEW, "survival steps"}, Lane.REFUSED),
    ("linear", "pay ~ wide", f"SELECT pay, {WIDE} FROM survey", {"shape"}, Lane.REVIEW),
    ("linear", "pay ~ age", f"{COLUMNS} LIMIT 300", {"shape"}, Lane.REVIEW),
]


@pytest.mark.parametrize(("estimator", "formula", "sql", "expected", "lane"), UNSAFE, ids=named)
def test_a_model_about_a_few_does_not(
    estimator: str, formula: str, sql: str, expected: set[str], lane: Lane, world: Modelling
) -> None:
    report = world.model(Estimate(Estimator(estimator), formula), sql)
    assert expected <= rules(report), rules(report)
    assert report.lane is lane


def test_a_curve_of_short_steps_is_refused(world: Modelling) -> None:
    short = world.model(Estimate(Estimator.KAPLAN_MEIER, "Surv(months, died) ~ sex", step=3, width=1))
    assert (short.lane, rules(short)) == (Lane.REFUSED, {"survival steps"})


DESIGNS = [
    ("weight", "", COLUMNS, Lane.AUTOMATIC, set()),
    ("weight", "", "SELECT works = 1 AS pay, region, weight FROM survey", Lane.AUTOMATIC, set()),
    ("weight", "age", f"WITH s AS ({COLUMNS}) SELECT s.pay, s.region, s.weight, s.age FROM s", Lane.AUTOMATIC, set()),
    ("", "unit", "SELECT pay, region, age = 47 AS unit FROM survey", Lane.REVIEW,
     {"few sampling units", "computed design"}),
    ("", "unit", "SELECT pay, region, age + visits AS unit FROM survey", Lane.REVIEW, {"computed design"}),
]  # fmt: skip


@pytest.mark.parametrize("estimator", ["mean", "linear"])
@pytest.mark.parametrize(("weights", "cluster", "sql", "lane", "expected"), DESIGNS, ids=named)
def test_sampling_units_are_many_and_a_datasets_own(
    estimator: str, weights: str, cluster: str, sql: str, lane: Lane, expected: set[str], world: Modelling
) -> None:
    estimate = Estimate(Estimator(estimator), "pay ~ region", weights=weights, cluster=cluster)
    report = world.model(estimate, sql)
    assert (report.lane, rules(report)) == (lane, expected)


def test_two_models_that_differ_by_a_few_people_do_not_both_leave(world: Modelling) -> None:
    world.leave(world.model(LINEAR))
    oldest = f"{COLUMNS} WHERE age < 79 OR region <> 'North'"
    second = world.model(LINEAR, oldest)
    assert second.lane is Lane.REFUSED
    assert "difference between releases" in rules(second)
    assert world.model(LINEAR).lane is Lane.AUTOMATIC, "the very same says nothing new"


def test_a_table_and_a_model_that_differ_by_a_few_people_do_not_both_leave(world: Modelling) -> None:
    world.released("SELECT region, count(*) AS people FROM survey GROUP BY region")
    second = world.model(LINEAR, f"{COLUMNS} WHERE age < 79 OR region <> 'North'")
    assert "difference between releases" in rules(second)


def test_means_of_small_groups_are_withheld_like_cells_of_a_table(world: Modelling) -> None:
    report = world.model(Estimate(Estimator.MEAN, "pay ~ rare"))
    assert "minimum people" in rules(report)
    assert report.withheld


def test_names_that_the_check_keeps_for_itself_are_for_people(world: Modelling) -> None:
    curve = Estimate(Estimator.KAPLAN_MEIER, "Surv(months, died) ~ estimate_step", step=1, width=1)
    assert world.model(curve, "SELECT months, died, sex AS estimate_step FROM survey").lane is Lane.REVIEW
    unit = 'SELECT pay, age, age AS "__unit_0" FROM survey'
    assert world.model(Estimate(Estimator.LINEAR, "pay ~ age"), unit).lane is Lane.REVIEW


def test_names_are_compared_as_the_engine_does(world: Modelling) -> None:
    report = world.model(Estimate(Estimator.LINEAR, "Pay ~ Age"), "SELECT pay AS Pay, age AS Age FROM survey")
    assert (report.lane, rules(report)) == (Lane.AUTOMATIC, set())


def test_what_leaves_is_recomputed(world: Modelling) -> None:
    """The data behind a model changed after it was asked for: the check sees it by the people behind it."""
    ask = Ask("P-1", AUTHOR, (world.log_model(LINEAR, COLUMNS),), "Pay")
    asked = request.request(world.store, world.run, ask=ask, folder=world.folder)
    world.provision("survey", survey().slice(0, 500), release=2)
    with pytest.raises(OutputRefusal, match="have changed"):
        world.check(asked)
