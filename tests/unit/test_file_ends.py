"""How files end, and keys that nobody agreed on: a file in, where its rows went and what is told out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrated_data.model.delivery import LoadState
from integrated_data.site.kit import checked_json, infer_delivered, look_at, open_kit
from integrated_data.site.settings import from_environment
from integrated_data.validate.judge import judge
from integrated_data.validate.rules import TOTALS


def looked(folder: Path, head: str, rows: list[str], *, last: str = "", agreed: bool = False) -> dict[str, Any]:
    """What the kit says of a file of these rows and, without a line end, a last one."""
    folder.mkdir(exist_ok=True)
    file = folder / "x.csv"
    file.write_text("".join(f"{row}\n" for row in [head, *rows]) + last, "utf-8")
    with open_kit(from_environment({})) as kit:
        delivered = kit.delivered([file], None)
        contract = infer_delivered(kit, delivered, dataset="d", owner="o")
        if agreed:
            contract = replace(contract, inferred=False)
        seen = look_at(kit, contract, delivered=delivered)
        assert judge(contract, seen.found.tally) is LoadState.PUBLISHED
        return checked_json(seen)


SITES = [f"{n},{'ABC'[n % 3]},{n * 7 % 50}.5" for n in range(1, 31)]
SUM = sum(n * 7 % 50 + 0.5 for n in range(1, 31))


@pytest.mark.parametrize(
    "last",
    ["Total,,99", ",Cyfanswm,99", "TOTAL:,,99", f",,{SUM}", f"Grand total,A,{SUM}"],
)
def test_a_total_goes_to_quarantine_and_counts_add_up(tmp_path: Path, last: str) -> None:
    told = looked(tmp_path, "id,site,amount", [*SITES, last])
    assert told["by_rule"] == {TOTALS: 1}
    assert (told["read"], told["good"], told["quarantined"]) == (31, 30, 1)
    assert [n for n in told["notices"] if "is a total" in n]


@pytest.mark.parametrize(
    "last",
    ["31,A,12", "31,,12.5", ",A,12.5", ",,", "31,Total,5", f"31,A,{SUM}", ",,0"],
)
def test_an_ordinary_last_row_is_no_total(tmp_path: Path, last: str) -> None:
    told = looked(tmp_path, "id,site,amount", [*SITES, last])
    assert TOTALS not in told["by_rule"]


def test_a_category_called_total_is_none(tmp_path: Path) -> None:
    rows = [f"W0{n},{sex},{n + 10}" for n in range(1, 9) for sex in ("male", "female", "total")]
    assert looked(tmp_path, "area,sex,persons", rows)["by_rule"] == {}


@pytest.mark.parametrize(
    ("last", "cut"),
    [
        ("101,19.50,02/03/2024", False),  # a line end is missing and nothing else
        ("101,19.50", True),
        ("101,19.50,02/0", True),
        ('101,19.50,"02/', True),
    ],
)
def test_a_file_that_ends_within_a_row_is_told(tmp_path: Path, last: str, cut: bool) -> None:
    rows = [f"{n},{n * 3}.50,{n % 28 + 1:02d}/03/2024" for n in range(1, 1_001)]
    told = looked(tmp_path, "id,cost,admission_date", rows, last=last)
    assert bool([n for n in told["notices"] if "cut off" in n]) is cut


def test_a_key_that_nobody_agreed_on_is_told_where_it_repeats(tmp_path: Path) -> None:
    rows = [f"R{n:03d},{'ABC'[n % 3]},{n}" for n in range(1, 101)]
    assert looked(tmp_path / "1", "record_id,site,amount", rows)["notices"] == []
    told = looked(tmp_path / "2", "record_id,site,amount", [*rows, "R007,A,9"])
    assert (told["quarantined"], [n for n in told["notices"] if "key repeats: 1 rows" in n]) != (0, [])
    agreed = looked(tmp_path / "3", "record_id,site,amount", [*rows, "R007,A,9"], agreed=True)
    assert (agreed["quarantined"], agreed["notices"]) == (1, [])
