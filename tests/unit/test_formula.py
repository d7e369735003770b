"""Formulas as goldens of two lines each: how one is read, and what is refused because it is no formula."""

import pytest

from integrated_data.model.errors import QueryRefusal
from integrated_data.vocabulary.formula import LONGEST, Formula, objection, read
from tests.access_side import Golden, goldens


def said(formula: Formula) -> str:
    outcome = ", ".join(map(str, formula.outcome))
    terms = " + ".join(":".join(map(str, term)) for term in formula.terms) or "1"
    offset = f"; offset {formula.offset}" if formula.offset else ""
    return f"{f'Surv({outcome})' if formula.survival else outcome} ~ {terms}{offset}"


@pytest.mark.parametrize("drawn", list(goldens("formulas.txt")), ids=lambda d: repr(d.statement))
def test_a_formula_is_read_like_this(drawn: Golden) -> None:
    if drawn.expected.startswith("refused: "):
        with pytest.raises(QueryRefusal, match=drawn.expected.removeprefix("refused: ")):
            read(drawn.statement)
    else:
        assert said(read(drawn.statement)) == drawn.expected


def test_a_formula_without_end_is_refused_at_once() -> None:
    assert objection("y ~ " + "+".join(f"a{n}" for n in range(70))) is not None
    assert objection("y ~ a" + " " * LONGEST) is not None
    assert objection("y ~ " + "(" * 500) is not None
    assert objection("y ~ a") is None
