"""The rules of a cell and the shapes of queries, as goldens of two lines each."""

import pytest

from integrated_data.model.evidence import CellEvidence, Close, MeasureEvidence, QuantileEvidence
from integrated_data.model.output import ReleaseLimits, View
from integrated_data.output.check import shape_of
from integrated_data.output.rules import broken
from integrated_data.output.tree import Unproven
from tests.access_side import VIEWS, Golden, goldens

CELLS = list(goldens("output_rules/*.txt"))
SHAPES = list(goldens("output_shapes/*.txt"))


def words(part: str) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in part.split())}


def measure(said: dict[str, str]) -> MeasureEvidence:
    people, others = int(said["people"]), int(said.get("others", 0))
    total = float(said.get("total", people))
    top = tuple(float(v) for v in said["top"].split(",")) if "top" in said else (1.0, 1.0)[: int(total > 0) * 2]
    return MeasureEvidence(
        people, others, int(said.get("counted", others)), total=total, net=total, top=top,
        lowest=float(said["low"]) if "low" in said else None,
        highest=float(said["high"]) if "high" in said else None, indicator="share" in said,
    )  # fmt: skip


def cell(statement: str) -> tuple[CellEvidence, int]:
    first, *rest = (words(part) for part in statement.split(";"))
    people = int(first["people"])
    measures = tuple(measure(said) for said in rest if "apart" not in said and "lower" not in said)
    ordered = tuple(QuantileEvidence(**{k: int(v) for k, v in said.items()}) for said in rest if "lower" in said)
    close = tuple(
        Close(0, 1, int(said["apart"]), int(said.get("counted", said["apart"]))) for said in rest if "apart" in said
    )
    contributors = int(first.get("contributors", people))
    known = CellEvidence(people, contributors, contributors, measures, close, quantiles=ordered)
    return known, int(first.get("parameters", 0))


@pytest.mark.parametrize("drawn", CELLS, ids=lambda d: d.statement)
def test_a_cell_breaks_these_rules(drawn: Golden) -> None:
    known, parameters = cell(drawn.statement)
    found = broken(known, ReleaseLimits(), parameters=parameters)
    assert (", ".join(rule.name for rule in found) or "pass") == drawn.expected


@pytest.mark.parametrize("drawn", SHAPES, ids=lambda d: d.statement[:70])
def test_a_query_has_this_shape(drawn: Golden) -> None:
    views = {name: View(view.columns, "person_key") for name, view in VIEWS.items()}
    assert made_of(drawn.statement, views) == drawn.expected


def made_of(sql: str, views: dict[str, View]) -> str:
    try:
        shape = shape_of(sql, views)
    except Unproven as unproven:
        return f"{unproven.outcome.value}: {unproven.rule}"
    said = f"keys {', '.join(shape.key_names) or 'none'}; {' + '.join(m.words for m in shape.measures)}"
    said += "".join(f"; quantile {q.share}{' discrete' if q.discrete else ''} of {q.sql}" for q in shape.quantiles)
    return said + (f"; levels {len(shape.sets)}" if len(shape.sets) > 1 else "")
