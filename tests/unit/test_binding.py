"""Binding: a file's headings in, the contract's columns with their values out, wherever the headings stand."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.acquire import contracts
from integrated_data.acquire.binding import headings, notices, spelled
from integrated_data.acquire.describe import describe
from integrated_data.acquire.drift import Drift, check_header, drift_of
from integrated_data.acquire.evolve import followed
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.vocabulary.sql import name
from tests.delivering import contract_of, delivered
from tests.unit.test_acquire_files import workbook


def promised(*names: str) -> Contract:
    """The contract of a first file with these headings, as it is kept: written and read again."""
    found = headings(names, None)
    columns = [Column(f"c{i}", heading.name) for i, heading in enumerate(found)]
    return contracts.parse(contracts.dump(spelled(contract_of(*columns), found)))


def read(engine: DuckDB, folder: Path, *file: tuple[str, bytes], contract: Contract) -> dict[str, Any]:
    """The first row of a delivery by the contract's own names."""
    found = delivered(folder, *file, contract=contract)
    assert drift_of(contract, found.columns).missing == ()
    engine.load("t", found.source())
    (row,) = engine.rows(
        f"SELECT {', '.join(f'{name(c.source)} AS {name(c.name)}' for c in contract.columns)} FROM t LIMIT 1"
    ).to_pylist()
    return dict(row)


def kept(contract: Contract) -> list[tuple[str, int]]:
    written = contracts.dump(contract)
    assert "VALUE_2" not in written
    return [(c.heading or c.source, c.occurrence) for c in contract.columns]


@pytest.mark.parametrize(
    "file", [b"ref,Value,VALUE\nR,1,2\n", b"ref,VALUE,Value\nR,2,1\n", b"VALUE,Value,ref\n2,1,R\n"]
)
def test_headings_that_differ_by_case_keep_their_values_in_every_order(
    engine: DuckDB, tmp_path: Path, file: bytes
) -> None:
    contract = promised("ref", "Value", "VALUE")
    assert kept(contract) == [("ref", 0), ("Value", 0), ("VALUE", 0)]
    assert read(engine, tmp_path, ("x.csv", file), contract=contract) == {"c0": "R", "c1": "1", "c2": "2"}


def test_a_contract_of_before_reads_the_heading_without_its_number(engine: DuckDB, tmp_path: Path) -> None:
    old = contract_of(Column("ref", "ref"), Column("value", "Value"), Column("value_2", "VALUE_2"))
    for place, file in (("a", b"ref,Value,VALUE\nR,1,2\n"), ("b", b"VALUE,ref,Value\n2,R,1\n")):
        got = read(engine, tmp_path / place, ("x.csv", file), contract=old)
        assert got == {"ref": "R", "value": "1", "value_2": "2"}
        (told,) = delivered(tmp_path / place / "n", ("x.csv", file), contract=old).notices
        assert "VALUE_2" in told
        assert "physicalName" in told
    own = read(engine, tmp_path / "c", ("x.csv", b"ref,VALUE_2,Value\nR,2,1\n"), contract=old)
    assert own == {"ref": "R", "value": "1", "value_2": "2"}


@pytest.mark.parametrize(
    "file",
    [
        ["ref", "value", "Value"],  # one fits two
        ["ref", "Value", "value", "vaLue"],  # two fit one
        ["ref", "Value", "Value", "VALUE"],  # twice
        ["ref", "Value", "VALUE", "value", "value"],  # twice, in a spelling of neither
    ],
)
def test_headings_that_fit_more_than_one_way_are_refused_by_name(file: list[str]) -> None:
    with pytest.raises(ContractRefusal) as refusal:
        headings(file, promised("ref", "Value", "VALUE"))
    assert "column" in str(refusal.value)
    assert "VALUE_2" not in str(refusal.value)


def test_one_column_in_another_spelling_is_told_as_before() -> None:
    contract = promised("ref", "Net Pay")
    found = headings(["NET_PAY", "ref"], contract)
    assert drift_of(contract, [h.name for h in found]) == Drift(respelled=(("Net Pay", "NET_PAY"),))


def test_repeated_headings_say_which_they_are_and_how_many() -> None:
    contract = promised("ref", "Value", "Value")
    assert [(c.heading or c.source, c.occurrence) for c in contract.columns] == [("ref", 0), ("Value", 1), ("Value", 2)]
    assert [h.name for h in headings(["Value", "ref", "Value"], contract)] == ["Value", "ref", "Value_2"]
    for other in (["ref", "Value"], ["ref", "Value", "Value", "Value"]):
        with pytest.raises(ContractRefusal, match="more or less often"):
            headings(other, contract)


def test_an_optional_column_with_a_number_of_its_own_may_stay_away() -> None:
    contract = contract_of(Column("ward", "ward"), Column("ward_2", "ward_2", optional=True))
    assert [h.name for h in headings(["ward"], contract)] == ["ward"]


def test_a_number_of_the_engine_is_not_taken_for_a_column() -> None:
    contract = contract_of(Column("value", "Value"), Column("other", "VALUE 2"))
    found = headings(["Value", "VALUE"], contract)
    assert drift_of(contract, [h.name for h in found]).missing == ("VALUE 2",)


def test_letters_of_other_alphabets_are_letters() -> None:
    contract = contract_of(Column("name", "имя"), Column("date", "дата"))
    with pytest.raises(ContractRefusal, match="without"):
        check_header(contract, [h.name for h in headings(["имя", "сумма"], contract)])


def test_a_new_column_is_kept_as_it_is_spelled() -> None:
    contract = contract_of(Column("ref", "ref"), Column("value", "Value"))
    found = headings(["ref", "VALUE", "Value"], contract)
    drift = drift_of(contract, [h.name for h in found])
    changed = spelled(followed(contract, drift, seen={n: Column(n, n) for n in drift.new}), found)
    again = contracts.parse(contracts.dump(changed))
    assert kept(again) == [("ref", 0), ("Value", 0), ("VALUE", 0)]


def test_people_see_headings_as_they_are_spelled() -> None:
    contract = promised("ref", "Value", "VALUE")
    assert [d.source for d in describe(contract)] == ["ref", "Value", "VALUE"]


def test_headings_that_look_alike_are_told() -> None:
    for other in ("p\u0430y", "P\u0410Y"):
        (told,) = notices(headings(["ref", "pay", other], None), None)
        assert "look alike" in told
    assert notices(headings(["ref", "pay", "Pay"], None), None) == ()


def parquet(*names: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["1"])] * len(names), names=list(names)), out)
    return out.getvalue()


@pytest.mark.parametrize(
    "file",
    [
        ("x.parquet", parquet("ref", "Value", "VALUE")),
        ("x.parquet", parquet("ref", "Value", "Value")),
        ("x.jsonl", b'{"ref": "R", "Value": 1, "VALUE": 2}\n'),
        ("x.jsonl", b'{"ref": "R", "Value": 1, "Value": 2}\n'),
        ("x.jsonl", b'{"ref": "R", "Value": 1}\n{"ref": "S", "VALUE": 2}\n'),
    ],
)
def test_files_that_name_their_columns_alike_are_refused(tmp_path: Path, file: tuple[str, bytes]) -> None:
    with pytest.raises(DeliveryRefusal, match="case alone"):
        delivered(tmp_path, file)


def test_a_workbook_and_fixed_width_are_bound_by_spelling(engine: DuckDB, tmp_path: Path) -> None:
    contract = promised("ref", "Value", "VALUE")
    book = workbook(("VALUE", "Value", "ref"), ("2", "1", "R"), ("4", "3", "S"))
    assert read(engine, tmp_path / "e", ("x.xlsx", book), contract=contract) == {"c0": "R", "c1": "1", "c2": "2"}
    fixed = contract_of(*contract.columns, layout=Layout(Format.FIXED, widths=(6, 6, 6)))
    lines = "".join(
        f"{a:<6}{b:<6}{c:<6}\n" for a, b, c in [("VALUE", "ref", "Value"), ("2", "R", "1"), ("4", "S", "3")]
    )
    got = read(engine, tmp_path / "f", ("x.txt", lines.encode()), contract=fixed)
    assert got == {"c0": "R", "c1": "1", "c2": "2"}


NAMES = st.lists(
    st.sampled_from(["a", "A", "a_2", "A_2", "a_3", "a 2", "A2", "ä", "Ä", "b", "B_2", "column_1", "имя", "Имя"]),
    min_size=1, max_size=8, unique=True,
)  # fmt: skip


@given(NAMES, st.data())
def test_the_order_of_columns_never_changes_what_is_read(names: list[str], data: st.DataObject) -> None:
    contract = promised(*names)
    assert contracts.parse(contracts.dump(contract)) == contract
    columns = {c.source: c.name for c in contract.columns}
    swapped = data.draw(st.permutations(names))
    got = {columns[h.name]: h.spelled for h in headings(swapped, contract)}
    assert got == {f"c{i}": spelled_ for i, spelled_ in enumerate(names)}
