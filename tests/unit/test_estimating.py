"""Estimates against other computations: R's survey, survival, glm and lm where R has them, and numpy by hand."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from integrated_data.model.estimate import METADATA, Estimate, Estimator
from integrated_data.model.query import Failure
from integrated_data.site.estimating import Unfit, fit, influence
from tests.drawn_sample import drawn_sample

SAMPLE = drawn_sample()
DESIGN = {"weights": "weight", "stratum": "stratum", "cluster": "cluster"}
CLUSTERED = {"weights": "weight", "cluster": "cluster"}
R = shutil.which("Rscript")

#: The estimate, and the same in R: estimate and standard error, and of models both ends of the interval.
ORACLES = [
    ("mean", "income ~ region", DESIGN, "of(svyby(~income, ~region, des, svymean, na.rm = TRUE))"),
    ("mean", "income ~ 1", {}, "of(svymean(~income, plain, na.rm = TRUE))"),
    ("total", "income ~ region", DESIGN, "of(svyby(~income, ~region, des, svytotal, na.rm = TRUE))"),
    ("total", "visits ~ 1", {"weights": "weight"}, "of(svytotal(~visits, weighted))"),
    ("linear", "income ~ age + region * sex", {}, "model(lm(income ~ age + region * sex, d))"),
    ("linear", "log(income) ~ log(age) + C(wave)", DESIGN, "glm_(log(income) ~ log(age) + factor(wave), design = des)"),
    ("logistic", "works ~ age + region", {}, "glm_(works ~ age + region, binomial)"),
    ("logistic", "works ~ age + region", DESIGN, "glm_(works ~ age + region, quasibinomial, des)"),
    ("poisson", "visits ~ sex + offset(log(months))", {}, "glm_(visits ~ sex + offset(log(months)), poisson)"),
    ("poisson", "visits ~ C(wave)", CLUSTERED, "glm_(visits ~ factor(wave), quasipoisson, clustered)"),
    (
        "cox",
        "Surv(months, died) ~ age + region",
        {},
        "model(coxph(Surv(months, died) ~ age + region, d))",
    ),
]

SCRIPT = """
suppressPackageStartupMessages({library(survey); library(survival); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[[1]], stringsAsFactors = TRUE)
des <- svydesign(ids = ~cluster, strata = ~stratum, weights = ~weight, data = d, nest = TRUE)
plain <- svydesign(~1, weights = ~1, data = d)
weighted <- svydesign(~1, weights = ~weight, data = d)
clustered <- svydesign(~cluster, weights = ~weight, data = d)
tight <- glm.control(epsilon = 1e-15, maxit = 100)
of <- function(e) cbind(as.numeric(coef(e)), as.numeric(SE(e)))
model <- function(m, held = if (inherits(m, c("coxph", "lm"))) confint(m)) {
  cbind(coef(m), sqrt(diag(vcov(m))), held)
}
glm_ <- function(f, family = gaussian, design = NULL) {
  if (is.null(design)) return({m <- glm(f, family, d, control = tight); model(m, confint.default(m))})
  m <- svyglm(f, design, family = family(), control = tight)
  model(m, confint(m, ddf = m$df.residual))
}
curve <- function(s) {
  s <- summary(s, times = c(20, 40), extend = TRUE); cbind(s$surv, s$lower, s$upper)
}
"""


def by_r(folder: Path, *calls: str) -> list[np.ndarray]:
    """What R says of the sample, one matrix for each call; skips where R lacks a package."""
    if R is None:
        pytest.skip("R is not installed")
    lines = "\n".join(f'cat(toJSON(unname({call}), digits = NA), "\\n")' for call in calls)
    pyarrow.csv.write_csv(SAMPLE, folder / "sample.csv")
    (folder / "oracle.R").write_text(SCRIPT + lines)
    done = subprocess.run(
        [R, "--vanilla", str(folder / "oracle.R"), str(folder / "sample.csv")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if "there is no package called" in done.stderr:
        pytest.skip("R lacks survey, survival or jsonlite")
    assert done.returncode == 0, done.stderr
    return [np.array(json.loads(line)) for line in done.stdout.splitlines() if line.strip()]


def figures(table: pa.Table, *columns: str) -> np.ndarray:
    return np.column_stack([table.column(c).to_numpy() for c in columns])


def test_models_agree_with_r_to_a_millionth(tmp_path: Path) -> None:
    answers = by_r(tmp_path, *(oracle[-1] for oracle in ORACLES))
    for (estimator, formula, design, _), theirs in zip(ORACLES, answers, strict=True):
        columns = ("estimate", "std_error", "estimate_low", "estimate_high")[: theirs.shape[1]]
        ours = figures(fit(SAMPLE, Estimate(Estimator(estimator), formula, **design)), *columns)
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9), (estimator, formula)


def test_curves_agree_with_r_to_a_millionth(tmp_path: Path) -> None:
    estimate = Estimate(Estimator.KAPLAN_MEIER, "Surv(months, died) ~ sex", width=20)
    curve = fit(SAMPLE, estimate)
    times = curve["time"].to_pylist()
    assert times[:2] == [20, 40]
    (theirs,) = by_r(tmp_path, "curve(survfit(Surv(months, died) ~ sex, d))")
    places = [n for n, t in enumerate(times) if t in (20, 40)]
    ours = figures(curve, "survival", "survival_low", "survival_high")[places]
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_least_squares_by_normal_equations() -> None:
    held = SAMPLE.filter(pa.compute.is_valid(SAMPLE["income"]))
    age, north = held["age"].to_numpy(), np.array(held["region"].to_pylist())
    x = np.column_stack([np.ones(held.num_rows), age, north == "North", north == "South"])
    y = held["income"].to_numpy()
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    sigma = ((y - x @ beta) ** 2).sum() / (len(y) - 4)
    errors = np.sqrt(sigma * np.diag(np.linalg.inv(x.T @ x)))
    table = fit(SAMPLE, Estimate(Estimator.LINEAR, "income ~ age + region"))
    assert table["term"].to_pylist() == ["(Intercept)", "age", "region[North]", "region[South]"]
    assert table["estimate"].to_numpy() == pytest.approx(beta, rel=1e-9)
    assert table["std_error"].to_numpy() == pytest.approx(errors, rel=1e-9)
    assert set(table["n"].to_pylist()) == {len(y)}


def test_a_logistic_model_of_one_category_is_a_table_of_odds() -> None:
    table = fit(SAMPLE, Estimate(Estimator.LOGISTIC, "works ~ sex"))
    odds = {}
    for sex in ("F", "M"):
        works = [w for w, s in zip(SAMPLE["works"].to_pylist(), SAMPLE["sex"].to_pylist(), strict=True) if s == sex]
        odds[sex] = math.log(sum(works) / (len(works) - sum(works)))
    assert table["estimate"].to_pylist() == pytest.approx([odds["F"], odds["M"] - odds["F"]], rel=1e-9)
    assert json.loads(table.schema.metadata[METADATA])["saturated"]


def test_a_curve_by_hand() -> None:
    """Six people: deaths at 1, 3 and 4, one leaves at 2, two at 5. S: 5/6, then 3/4 and 2/3 of it."""
    rows = pa.table({"t": [1, 2, 3, 4, 5, 5], "d": [1, 0, 1, 1, 0, 0]})
    curve = fit(rows, Estimate(Estimator.KAPLAN_MEIER, "Surv(t, d) ~ 1", width=1, step=1)).to_pylist()
    steps = [(r["time"], r["at_risk"], r["events"], r["censored"]) for r in curve]
    assert steps == [(1, 6, 1, 0), (3, 5, 1, 1), (5, 3, 1, 2)]
    assert [r["survival"] for r in curve] == pytest.approx([5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 * 2 / 3])


def test_steps_end_at_round_times_and_hold_enough_events_in_every_group() -> None:
    curve = fit(SAMPLE, Estimate(Estimator.KAPLAN_MEIER, "Surv(months, died) ~ sex + region")).to_pylist()
    assert all(r["events"] >= 10 and (r["censored"] == 0 or r["censored"] >= 10) for r in curve)
    assert {r["time"] % 10 for r in curve} == {0}
    assert sum(r["events"] + r["censored"] for r in curve) == SAMPLE.num_rows


def test_influence_of_a_few() -> None:
    """A category of eight people among six hundred rests on eight people; each has a leverage of an eighth."""
    rare = np.where(np.arange(600) < 8, "rare", "usual")
    rows = SAMPLE.append_column("kind", pa.array(rare))
    told = influence(rows, Estimate(Estimator.LINEAR, "visits ~ kind"), unit="person", few=9).to_pylist()
    assert told == [{"leverage": pytest.approx(1 / 8), "share": pytest.approx(0.98667 + 1 / 592 / 74, rel=1e-3)}]
    one = SAMPLE.append_column("x", pa.array(np.where(np.arange(600) == 5, 1e6, np.arange(600) % 7)))
    assert influence(one, Estimate(Estimator.LINEAR, "visits ~ x"), unit="person", few=9)["leverage"][0].as_py() > 0.99


UNFIT = [
    ("linear", "income ~ nothing", Failure.NAME, "nothing"),
    ("linear", "region ~ age", Failure.KIND, "region"),
    ("linear", "income ~ log(region)", Failure.KIND, "region"),
    ("linear", "log(works) ~ age", Failure.VALUES, "works"),
    ("logistic", "visits ~ age", Failure.VALUES, "visits"),
    ("linear", "income ~ C(person)", Failure.CATEGORIES, "person"),
    ("linear", "income ~ age + twice", Failure.SINGULAR, ""),
    ("linear", "income ~ same", Failure.SINGULAR, ""),
    ("logistic", "works ~ copy", Failure.UNCONVERGED, ""),
    ("cox", "Surv(months, died) ~ 1", Failure.MODEL, ""),
    ("cox", "months ~ age", Failure.MODEL, ""),
    ("linear", "Surv(months, died) ~ age", Failure.MODEL, ""),
    ("linear", "income ~ age + offset(months)", Failure.MODEL, ""),
    ("mean", "income ~ log(age)", Failure.MODEL, ""),
    ("kaplan-meier", "Surv(died, works) ~ 1", Failure.VALUES, "died"),
    ("linear", "income ~ endless", Failure.VALUES, "endless"),
]


@pytest.mark.parametrize(("estimator", "formula", "failure", "named"), UNFIT, ids=[u[1] for u in UNFIT])
def test_what_cannot_be_fitted_says_why_without_a_value(
    estimator: str, formula: str, failure: Failure, named: str
) -> None:
    size = SAMPLE.num_rows
    more = {"twice": [2 * a for a in SAMPLE["age"].to_pylist()], "same": [1] * size, "endless": [float("inf")] * size,
            "copy": SAMPLE["works"].to_pylist()}  # fmt: skip
    rows = SAMPLE
    for name, values in more.items():
        rows = rows.append_column(name, pa.array(values))
    with pytest.raises(Unfit) as caught:
        fit(rows, Estimate(Estimator(estimator), formula))
    assert (caught.value.failure, caught.value.named) == (failure, named)
