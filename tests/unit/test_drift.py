"""Drift drawn small: which names are one column's, how values are spread, and what a contract becomes."""

import random
from math import log

import pytest

from integrated_data.acquire.contracts import dump, parse
from integrated_data.acquire.drift import Drift
from integrated_data.acquire.evolve import followed, next_version
from integrated_data.acquire.renames import Candidate, likeness, paired
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Check, Column, Mode, Rule
from integrated_data.model.drift import DriftKind, Policy
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.validate.shape import (
    Recoded,
    Spread,
    alike,
    read,
    recoded,
    shape_sql,
    shaped,
    shifted,
    stability_index,
    stamped,
    unlisted,
)
from tests.delivering import contract_of
from tests.drawn import drawn


@pytest.mark.parametrize(
    ("one", "other", "alike_enough"),
    [
        ("gross_pay", "gross_pay_gbp", True), ("PostCode", "post code of home", True), ("DOB", "date_of_birth", True),
        ("region", "started_on", False), ("total_amount", "amount_total", True), ("sex", "age", False),
        ("Пол", "Возраст", False), ("Возраст", "возраст лет", True), ("£", "%", False),
    ],
)  # fmt: skip
def test_names_that_may_be_one_column(one: str, other: str, alike_enough: bool) -> None:
    assert (likeness(one, other) >= 0.75) is alike_enough


@pytest.mark.parametrize(
    ("candidates", "pairs"),
    [
        ([("pay", "pay_gbp", 0.8, None)], [("pay", "pay_gbp")]),
        ([("pay", "earnings", 0.2, True)], [("pay", "earnings")]),
        ([("pay", "earnings", 0.2, None)], []),  # neither names nor values say so
        ([("pay", "pay_gbp", 0.9, False)], []),  # the values contradict
        ([("pay", "sum_a", 0.3, True), ("pay", "sum_b", 0.3, True)], []),  # two would do
        ([("pay", "pay_a", 0.9, True), ("pay", "sum_b", 0.3, True), ("tax", "sum_b", 0.3, True)],
         [("pay", "pay_a"), ("tax", "sum_b")]),
    ],
)  # fmt: skip
def test_a_rename_needs_alike_names_or_values_and_no_rival(candidates: list[tuple], pairs: list[tuple]) -> None:  # type: ignore[type-arg]
    assert paired([Candidate(*c) for c in candidates]) == tuple(pairs)


REGION = Column("region", "region", handling=Handling.PAYLOAD, meaning=Meaning.CODE)
PAY = Column("pay", "pay", kind=Kind.NUMBER, handling=Handling.PAYLOAD)
SECRET = Column("born", "born", kind=Kind.INTEGER, meaning=Meaning.BIRTH_YEAR, handling=Handling.IDENTIFIER)


def test_a_shape_counts_published_columns_alone(engine: DuckDB) -> None:
    picture = "region | pay | born\n" + "\n".join(
        ["N | 100 | 1980", "S | 104 | 1981", "N | 0 | 1982", "S | -100 | 1983", "N | . | 1984"] * 2
    )
    engine.load("drawn", Held(drawn(picture)))
    engine.view("good", "SELECT region, pay::DOUBLE AS pay, born::BIGINT AS born FROM drawn")
    contract = contract_of(REGION, PAY, SECRET)
    found = read(engine.rows(shape_sql(shaped(contract), "good", rows=10)), contract)
    assert dict(found.spreads) == {
        "region": Spread(True, {"N": 6, "S": 4}),
        "pay": Spread(False, {"-1048": 2, "0": 2, "1048": 4}, empty=2),
    }


def spread(*values: float) -> Spread:
    counts: dict[str, int] = {}
    for value in values:
        counts[str(int(value))] = counts.get(str(int(value)), 0) + 1
    return Spread(False, counts)


def test_the_same_again_is_no_shift_and_another_unit_is() -> None:
    dice = random.Random(5)
    before, same, other = (spread(*(dice.gauss(mean, 8) for _ in range(400))) for mean in (1070, 1070, 1118))
    assert (shifted([before], same), alike([before], same)) == (None, True)
    assert (shifted([before], other) is not None, alike([before], other)) == (True, False)
    assert shifted([before, other], other) is None, "what one of those before explains"
    assert shifted([spread(*range(1000, 1020))], spread(*range(1100, 1120))) is None, "too few rows to say"


def test_the_index_is_that_of_the_book() -> None:
    before, now = Spread(True, {"a": 5000, "b": 5000}), Spread(True, {"a": 9000, "b": 1000})
    assert stability_index(before, now) == pytest.approx(0.4 * log(9 / 5) + 0.4 * log(5), abs=0.001)
    assert shifted([before], now) == pytest.approx(0.879, abs=0.001)


@pytest.mark.parametrize(
    ("column", "before", "now", "found"),
    [
        (REGION, {"N": 50, "S": 50}, {"N": 40, "S": 60}, None),
        (REGION, {"N": 50, "S": 50}, {"N": 60, "S": 60, "W": 30}, (1, 0)),
        (REGION, {"N": 50, "S": 50}, {"1": 50, "2": 50}, (2, 2)),
        (REGION, {"N": 98, "X": 2}, {"N": 99, "Y": 1}, None),  # rare ones come and go
        (Column("c", "c", codes=(("N", "north"),)), {}, {"N": 99, "S": 1}, (1, 0)),
        (Column("c", "c", codes=(("N", "north"),)), {}, {"N": 999, "?": 1}, None),  # a slip
    ],
)
def test_code_lists(column: Column, before: dict[str, int], now: dict[str, int], found: tuple[int, int] | None) -> None:
    got = recoded(column, [Spread(True, before)] if before else [], now=Spread(True, now))
    assert (got and (got.new, got.gone)) == found
    assert "codes" not in repr(Recoded(1, 0, ("value",)))


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({"N": 50, "S": 50}, {"Ann": 1, "Tom": 1, "Mary": 1}, True),
        ({"N": 50, "S": 50}, {"N": 1, "S": 1}, False),  # few rows of the same list
        ({"N": 50, "S": 50}, {"N": 3, "Ann": 1}, False),
        ({"N": 5, "S": 5}, {"Ann": 1, "Tom": 1}, False),  # too few before to say
        ({}, {"Ann": 1, "Tom": 1}, False),
    ],
)
def test_a_list_of_codes_that_is_text_now(before: dict[str, int], now: dict[str, int], found: bool) -> None:
    assert unlisted(REGION, [Spread(True, before)] if before else [], now=Spread(True, now)) is found
    assert not unlisted(REGION, [Spread(True, before)], now=None)
    assert unlisted(Column("c", "c", codes=(("N", ""),)), [], now=Spread(True, {"Ann": 1}))


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (["2025-Q1"], "2025-Q2", True),
        (["2025-Q1", "2025-Q1"], "2025-Q2", True),
        (["spring", "summer"], "autumn", True),
        (["GBP"], "EUR", True),  # one delivery before does not say that it stays
        (["GBP", "GBP"], "EUR", False),
    ],
)
def test_a_value_that_is_of_the_delivery_is_no_code(before: list[str], now: str, found: bool) -> None:
    spreads = [Spread(True, {value: 90}) for value in before]
    assert stamped(REGION, spreads, now=Spread(True, {now: 90})) is found
    assert not stamped(REGION, spreads, now=Spread(True, {now: 90, "N": 9}))


def test_a_contract_that_follows_publishes_nothing_more() -> None:
    contract = contract_of(
        Column("nhs", "NHS"), Column("pay", "Pay", required=True),
        rules=(Rule("there", Check.REQUIRED, "pay"), Rule("nhs", Check.REQUIRED, "nhs")),
    )  # fmt: skip
    drift = Drift(missing=("Pay",), respelled=(("NHS", "nhs no"),), new=("pay",))
    made = followed(contract, drift, seen={"pay": Column("pay", "pay", handling=Handling.PAYLOAD)})
    assert [(c.name, c.source, c.optional, c.required, c.handling) for c in made.columns] == [
        ("nhs", "nhs no", False, False, Handling.WITHHELD), ("pay", "Pay", True, False, Handling.WITHHELD),
        ("pay_2", "pay", True, False, Handling.WITHHELD),
    ]  # fmt: skip
    assert [r.name for r in made.rules] == ["nhs"]


@pytest.mark.parametrize(
    ("version", "breaking", "after"),
    [("1.0.0", False, "1.2.0"), ("1.0.0", True, "2.0.0"), ("2026", False, "2026.1"), ("v7.9", False, "v7.10")],
)
def test_versions_go_on(version: str, breaking: bool, after: str) -> None:
    assert next_version(version, kept={"1.0.0", "1.1.0"}, breaking=breaking) == after


def test_a_contract_says_what_becomes_of_drift() -> None:
    said = contract_of(REGION, drift=((DriftKind.NEW, Policy.REFUSE), (DriftKind.CODES, Policy.EVOLVE)), follows="1.0")
    assert parse(dump(said)) == said
    assert (said.policy(DriftKind.NEW), said.policy(DriftKind.RENAMED)) == (Policy.REFUSE, Policy.HOLD)
    assert contract_of(REGION, mode=Mode.APPEND).policy(DriftKind.SHIFTED) is Policy.EVOLVE
    with pytest.raises(ContractRefusal, match=r"drift.retyped is wrong.*Write hold"):
        parse(dump(said).replace("codes: evolve", "retyped: holt"))


def test_a_sample_of_a_sorted_file_misses_no_code(engine: DuckDB) -> None:
    sorted_rows = "SELECT range AS _row, chr((65 + range // 40000)::INTEGER) AS region FROM range(1000000)"
    for row in ("_row", ""):
        engine.view("good", sorted_rows)
        contract = contract_of(REGION)
        found = read(engine.rows(shape_sql(shaped(contract), "good", rows=1_000_000, row=row)), contract)
        counts = found.spreads["region"].counts
        assert (len(counts), sum(counts.values())) == (25, pytest.approx(50_000, rel=0.05))
        assert min(counts.values()) > 1_700
