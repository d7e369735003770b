"""The rules of fitted models, as goldens of two lines each."""

import pytest

from integrated_data.model.evidence import CellEvidence, MeasureEvidence
from integrated_data.model.output import Cell, Outcome, ReleaseLimits
from integrated_data.output.model_rules import MODEL_RULES, Model, model_findings
from tests.access_side import Golden, goldens

MODELS = list(goldens("output_model_rules/*.txt"))


def cell(said: dict[str, str]) -> CellEvidence:
    people = int(said["people"])
    adds, others = int(said.get("with", people)), int(said.get("others", 0))
    flag = "flag" in said
    outcome = MeasureEvidence(
        adds, others, others, total=float(adds), net=float(adds), top=(1.0, 1.0)[: min(adds, 2)],
        lowest=0.0 if others or not flag else 1.0, highest=1.0 if flag else 9.0, indicator=flag,
    )  # fmt: skip
    return CellEvidence(people, people, people, (MeasureEvidence(people, total=people, top=(1.0, 1.0)), outcome))


def model(statement: str) -> Model:
    parts = [{n: v for n, _, v in (w.partition("=") for w in part.split())} for part in statement.split(";")]
    first = parts[0]
    cells = {Cell((False,), (str(n),)): part for n, part in enumerate(parts[1:])}
    steps = {c: cell(part) for c, part in cells.items() if "step" in part}
    categories = {c: cell(part) for c, part in cells.items() if c not in steps}
    return Model(
        cell(first), categories, steps, outcomes=2, saturated="saturated" in first,
        parameters=int(first.get("parameters", 0)),
        freedom=int(first["freedom"]) if "freedom" in first else None, computed=int(first.get("computed", 0)),
        leverage=float(first.get("leverage", 0)), share=float(first.get("share", 0)),
    )  # fmt: skip


@pytest.mark.parametrize("drawn", MODELS, ids=lambda d: d.statement)
def test_a_model_breaks_these_rules(drawn: Golden) -> None:
    found = [f.rule for f in model_findings(model(drawn.statement), ReleaseLimits())]
    assert (", ".join(found) or "pass") == drawn.expected


def test_every_rule_of_a_model_has_a_picture_and_its_reason() -> None:
    assert {rule.name for rule in MODEL_RULES} == {w for d in MODELS for w in d.expected.split(", ")} - {"pass"}
    assert all(rule.argument and rule.source and rule.reason for rule in MODEL_RULES)
    assert {rule.outcome for rule in MODEL_RULES} == {Outcome.REFUSE, Outcome.REVIEW}
