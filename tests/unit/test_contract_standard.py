"""Contracts conform to the Open Data Contract Standard 3.1: its own schema and its own library read them."""

from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.acquire import contracts
from integrated_data.acquire.questions import answered
from integrated_data.model.contract import (
    Changes,
    Check,
    Column,
    Contract,
    Format,
    IndexUse,
    Layout,
    Mode,
    Rule,
    Thresholds,
)
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.settings import from_environment
from tests.expected_columns import expected, without_truth
from tests.real_data import FOLDER, real_data
from tests.standard import complaints

RULES = tuple(
    Rule(f"rule {i}", check, column, **rest)  # type: ignore[arg-type]
    for i, (check, column, rest) in enumerate(
        [
            (Check.REQUIRED, "ref", {}), (Check.UNIQUE, "ref", {}), (Check.UNIQUE, None, {"columns": ("ref", "paid")}),
            (Check.ALLOWED, "paid", {"values": ("1", "2"), "reason": "agreed"}),
            (Check.RANGE, "paid", {"low": "0", "high": "9"}), (Check.PATTERN, "ref", {"pattern": "[A-Z]+"}),
            (Check.CHECK_DIGIT, "ref", {}), (Check.EXPRESSION, None, {"expression": "paid > 0"}),
            (Check.ROW_COUNT, None, {"low": "1", "high": "9"}), (Check.ROW_COUNT, None, {"low": "1"}),
            (Check.TABLE, None, {"expression": "count(*) > 0"}),
            (Check.REFERENCE, None, {"columns": ("ref",), "dataset": "register", "others": ("id",)}),
            (Check.COVERS, None, {"columns": ("ref",), "dataset": "register", "others": ("id",)}),
        ]
    )
)  # fmt: skip

FULL = Contract(
    dataset="pay", owner="Pay Office", title="Pay", layout=Layout(Format.FIXED, widths=(3, 4), member="pay_*.txt"),
    columns=(
        Column("ref", "Ref: no", meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER, key=True, required=True,
               unique=True, missing=("NO", "-9"), title="Reference"),
        Column("paid", "paid", Kind.NUMBER, Meaning.MONEY, Handling.PAYLOAD, decimal=",", confidence=0.5,
               codes=(("1", "one"),)),
        Column("day", "day", Kind.TIMESTAMP, Meaning.EVENT_DATE, Handling.PAYLOAD, formats=("%d/%m/%Y",)),
        Column("seen", "seen", Kind.BOOLEAN), Column("n", "n", Kind.INTEGER), Column("d", "d", Kind.DATE),
    ),
    rules=RULES, indexes=(IndexUse("demographic", ("ref",), one_to_one=True),), thresholds=Thresholds(0.1, 0.3),
    mode=Mode.CHANGES, inferred=True, changes=Changes("paid", ("D", "X"), "day"),
)  # fmt: skip


@pytest.mark.parametrize("mode", Mode)
def test_whatever_a_contract_can_say_is_said_by_the_standard(mode: Mode) -> None:
    held = replace(FULL, mode=mode, changes=FULL.changes if mode is Mode.CHANGES else None)
    text = contracts.dump(held)
    assert complaints(text) == []
    assert contracts.parse(text) == held


def test_a_contract_with_answers_conforms() -> None:
    told = answered(FULL, {"agreed": "yes"})
    text = contracts.dump(told)
    assert (complaints(text), contracts.parse(text)) == ([], told)


def test_the_lint_finds_what_is_wrong() -> None:
    text = contracts.dump(FULL).replace("logicalType: number", "logicalType: figure")
    assert [c for c in complaints(text) if "logicalType" in c]


@pytest.mark.long
def test_contracts_inferred_for_real_files_conform(tmp_path: Path) -> None:
    """Every fourth of the real files; `ids bench inference` asks it of all of them."""
    real_data("geography")
    wrong = {}
    for file in list(expected())[::4]:
        folder = tmp_path / file.replace("/", "_")
        folder.mkdir()
        with open_kit(from_environment()) as kit:
            place = without_truth(FOLDER / file, folder)
            found = infer_contract(kit, [place], dataset="example", owner="department")
        wrong[file] = complaints(contracts.dump(found))
    assert len(wrong) > 30
    assert {file: said for file, said in wrong.items() if said} == {}
