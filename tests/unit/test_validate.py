"""Deliveries with something wrong in them: what is quarantined, counted, held, rejected or refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Rule, Thresholds
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.validate.expression import expression_sql
from integrated_data.validate.judge import UNSPLIT, facts, judge, sentence
from integrated_data.validate.profile import ColumnProfile, profile
from integrated_data.validate.reconcile import reconcile, rejects_sql
from integrated_data.validate.rules import LINE_ENDS
from integrated_data.validate.widen import widened
from tests.delivering import SEALER, checked, contract_of, delivered, inferred, table

ID = Column("id", "id", key=True)
AGE = Column("age", "age", kind=Kind.INTEGER, meaning=Meaning.MEASURE, handling=Handling.PAYLOAD)
NHS = Column("nhs", "nhs", meaning=Meaning.NHS_NUMBER, handling=Handling.IDENTIFIER)
BORN = Column("born", "born", kind=Kind.DATE, formats=("%d/%m/%Y",))


def test_rows_that_break_a_rule_are_quarantined_with_rule_and_raw(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(
        ID, AGE, Column("sex", "sex", meaning=Meaning.SEX), BORN, NHS,
        rules=(
            Rule("age is possible", Check.RANGE, "age", low="0", high="120"),
            Rule("sex is known", Check.ALLOWED, "sex", values=("M", "F")),
            Rule("id has its form", Check.PATTERN, "id", pattern="[A-Z][0-9]"),
            Rule("NHS number", Check.CHECK_DIGIT, "nhs"),
            Rule("old enough", Check.EXPRESSION, expression="age >= 16 OR sex = 'F'"),
        ),
    )  # fmt: skip
    rows = [
        "A1,34,M,01/02/1990,9434765919",
        "A2,x,F,31/02/1990,",
        "A3,200,male,,9434765919",
        "A4,20,Z,,",
        "99,20,F,,9434765918",
        ",20,F,,",
        "A5,12,M,,",
        "A6,12,F,,",
        "A1,40,F,,",
    ]
    found = checked(engine, tmp_path, data=table("id,age,sex,born,nhs", rows), contract=contract)
    assert [row["id"] for row in found.good] == ["A1", "A6"]
    assert found.quarantine == [
        (1, "age is an integer", "x"),
        (1, "born is a date", "31/02/1990"),
        (2, "age is possible", None),
        (3, "sex is known", None),
        (4, "NHS number", None),
        (4, "id has its form", None),
        (5, "id is there", None),
        (6, "old enough", None),
        (8, "id is unique", None),
    ]
    assert (found.tally.read, found.tally.good, found.tally.quarantined) == (9, 2, 7)
    assert dict(found.tally.by_rule)["id is unique"] == 1


def test_an_inferred_contract_quarantines_no_identifier_it_cannot_read(engine: DuckDB, tmp_path: Path) -> None:
    """The record can still be matched by its other identifiers; the raw value is kept sealed."""
    rows = [f"{i % 28 + 1:02d}/03/{1940 + i % 60},Ann,{i % 9}" for i in range(300)] + ["99/99/9999,Bob,1"]
    data = table("dob,forename,count", rows)
    contract = inferred(engine, tmp_path / "infer", ("x.csv", data))
    found = checked(engine, tmp_path, data=data, contract=contract)
    assert (found.tally.quarantined, found.tally.unread) == (0, (("dob", 1),))
    assert found.good[-1] == {"dob": None, "forename": "BOB", "count": 1}


def test_a_type_that_the_rest_of_the_file_disproves_is_widened(engine: DuckDB, tmp_path: Path) -> None:
    early = table("count,rate", [f"{i % 40},0.5" for i in range(400)])
    late = table("count,rate", [f"{i % 40},0.5" for i in range(400)] + ["3.5,0.5"] + ["2,high"] * 9)
    contract = inferred(engine, tmp_path / "infer", ("x.csv", early))
    found = checked(engine, tmp_path, data=late, contract=contract)
    wider = widened(engine, contract, checked="checked", counted=found.tally)
    assert wider is not None
    assert [(c.kind, c.handling) for c in wider.columns] == [
        (Kind.NUMBER, Handling.PAYLOAD), (Kind.STRING, Handling.WITHHELD),
    ]  # fmt: skip
    again = checked(engine, tmp_path / "again", data=late, contract=wider)
    assert (again.tally.quarantined, widened(engine, wider, checked="checked", counted=again.tally)) == (0, None)


@pytest.mark.parametrize(("slips", "quarantined"), [(11, 11), (2, 2)])
def test_numbers_that_a_sample_showed_to_be_few_slips_stay_numbers(
    engine: DuckDB, tmp_path: Path, slips: int, quarantined: int
) -> None:
    """3.7 % with a decimal comma: their rows are rejected with a reason, and the column is still one of numbers."""
    data = table("cost,n", [f"{i}.25,{i % 9}" for i in range(300 - slips)] + [f'"{i},25",1' for i in range(slips)])
    contract = inferred(engine, tmp_path / "infer", ("x.csv", data))
    found = checked(engine, tmp_path, data=data, contract=contract)
    assert (contract.columns[0].kind, found.tally.quarantined) == (Kind.NUMBER, quarantined)
    assert widened(engine, contract, checked="checked", counted=found.tally) is None


def test_a_column_of_whole_numbers_loses_no_digit_of_long_ones(engine: DuckDB, tmp_path: Path) -> None:
    early = table("figure,n", [f"{i % 40 * 7},1" for i in range(400)])
    late = table("figure,n", [f"{i % 40 * 7},1" for i in range(400)] + ["98765432109876543210,1"] * 9)
    contract = inferred(engine, tmp_path / "infer", ("x.csv", early))
    found = checked(engine, tmp_path, data=late, contract=contract)
    wider = widened(engine, contract, checked="checked", counted=found.tally)
    assert wider is not None
    assert wider.columns[0].kind is Kind.STRING


def test_a_promise_is_not_widened(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(AGE, ID)
    found = checked(engine, tmp_path, data=table("age,id", ["3.5,a"]), contract=contract)
    assert widened(engine, contract, checked="checked", counted=found.tally) is None


PAIR = contract_of(Column("a", "a"), Column("b", "b"))
BROKEN = [
    # lines of the file, good rows, rejected lines, lines inside values, blank lines
    (b"a,b\n1,2\n3,4\n", 2, 0, 0, 0),
    (b"a,b\n1,2\n3,4", 2, 0, 0, 0),
    (b"a,b\r\n1,2\r\n\r\n3,4\r\n", 2, 0, 0, 1),
    (b"a,b\n\n1,2\n\n\n3,4\n\n", 2, 0, 0, 4),
    (b"a,b\n1\n1,2,3\n3,4\n", 1, 2, 0, 0),
    (b'a,b\n1,"two\nlines"\n3,4\n', 2, 0, 1, 0),
    (b'a,b\n1,"two\n\nlines"\n\n3,4\n', 2, 0, 2, 1),
    (b'a,b\n1,2\n"x,3\n9,9\n8,8\n', 1, 3, 0, 0),
    (b'a,b\n1,2\n"x,3\n9,9\n"q",8\n7,7\n', 2, 3, 0, 0),
    (b'a,b\n1,5" pipe\n2,x"y"z\n', 2, 0, 0, 0),
    (b'a,b\n1,2\n"x,3\n9",9\n7,7\n', 2, 0, 1, 0),
    (b'a,b\r\n1,"x\ny"\r\n3,4\r\n', 2, 0, 1, 0),
]


RULED = contract_of(Column("a", "a"), Column("b", "b"), layout=Layout(Format.FIXED, widths=(3, 2)))
OBJECTS = contract_of(Column("a", "a"), Column("b", "b"), layout=Layout(Format.JSONL, header=False))
SPACED = [
    # good rows, blank lines
    (RULED, b"a  b\n1  2\n   \n3  4\n", 2, 1),
    (RULED, b"a  b \r\n\r\n1  2 \r\n     \r\n \t \r\n3  4 \r\n", 2, 3),
    (RULED, b'a  b\n5" 2\n\n3  4\n  ', 2, 2),
    (OBJECTS, b'{"a": 1, "b": 2}\n  \n\n{"a": 3}\n', 2, 2),
]


@pytest.mark.parametrize(("contract", "data", "good", "blank"), SPACED)
def test_lines_of_blanks_alone_are_passed_over(
    engine: DuckDB, tmp_path: Path, contract: Contract, data: bytes, good: int, blank: int
) -> None:
    """In text without delimiters they hold no record, whatever quotation marks stand about them."""
    found = checked(engine, tmp_path, data=data, contract=contract)
    account = found.account
    assert (len(found.good), found.tally.quarantined, account.blank) == (good, 0, blank)
    assert account.lines == account.header + account.rows + blank


@pytest.mark.parametrize(("data", "good", "rejected", "inside", "blank"), BROKEN)
def test_every_line_is_accounted_for(
    engine: DuckDB, tmp_path: Path, data: bytes, good: int, rejected: int, inside: int, blank: int
) -> None:
    found = checked(engine, tmp_path, data=data, contract=PAIR)
    account = found.account
    assert (account.rejected, account.inside, account.blank) == (rejected, inside, blank)
    assert len(found.good) == good
    assert account.lines == account.header + account.rows + inside + blank + rejected
    assert found.tally.read == found.tally.good + found.tally.quarantined


def test_rows_that_a_quotation_mark_swallowed_are_quarantined(engine: DuckDB, tmp_path: Path) -> None:
    """The second row opens a quotation mark that the fourth one closes: three lines become one row."""
    three = contract_of(Column("a", "a"), Column("b", "b"), Column("c", "c"))
    data = b'a,b,c\n1,ann,x\n2,"bob,x\n3,cy,x\n4,dee",x\n5,"eve\nlane",x\n'
    found = checked(engine, tmp_path, data=data, contract=three)
    assert [row["a"] for row in found.good] == ["1", "5"]
    assert found.quarantine == [(1, LINE_ENDS, None)]


def test_rows_swallowed_by_a_value_that_a_guess_lets_pass_are_quarantined(engine: DuckDB, tmp_path: Path) -> None:
    """The first row opens a quotation mark in a value that is no integer: so much an inferred contract forgives."""
    unsure = Column("c", "c", kind=Kind.INTEGER, confidence=0.5)
    guessed = replace(contract_of(Column("a", "a"), Column("b", "b"), unsure), inferred=True)
    data = b'a,b,c\n1,ann,"5\n2,bob,6\n3,cy,7"\n4,dee,"8"\n5,eve,"nine\n(or ten)"\n'
    found = checked(engine, tmp_path, data=data, contract=guessed)
    assert [row["a"] for row in found.good] == ["4", "5"]
    assert found.quarantine == [(0, LINE_ENDS, None)]


def test_an_unterminated_quote_is_told_in_one_sentence(engine: DuckDB, tmp_path: Path) -> None:
    rows = [f"{i},name {i}" for i in range(900)]
    rows[400] = '400,"name 400'
    rows[500] = '500,"name 500"'
    found = checked(engine, tmp_path, data=table("a,b", rows), contract=PAIR)
    assert found.account.rejected == 101
    assert dict(found.tally.by_rule) == {UNSPLIT: 101}
    assert judge(PAIR, found.tally) is LoadState.HELD
    told = sentence(PAIR, found.tally, account=found.account)
    assert "101 of 900 rows (11.2%)" in told
    assert "swallowed" in told
    assert "name 4" not in told
    engine.create("stands", "SELECT 0 AS file_id, 402 AS mark, 1 AS file, 402 AS line, 101 AS lines")
    assert engine.rows(rejects_sql("rejects", stands="stands")).select(["line", "reason"]).to_pylist() == [
        {"line": 402, "reason": "a quotation mark is not closed, or text follows a closed one"}
    ]


def test_lines_that_nothing_explains_are_refused(engine: DuckDB, tmp_path: Path) -> None:
    found = delivered(tmp_path, ("x.csv", b"a,b\n1,2\n3,4\n"), contract=PAIR)
    source = found.source(rejects="rejects")
    engine.load("landed", source)
    rows = engine.rows("SELECT * FROM landed").num_rows
    assert reconcile(engine, SEALER, source=source, lines=3, rows=rows).rows == 2
    with pytest.raises(DeliveryRefusal, match="2 lines of the delivery cannot be accounted for"):
        reconcile(engine, SEALER, source=source, lines=5, rows=rows)


def test_json_that_spans_lines_is_refused_without_its_values(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(Column("a", "a"), Column("b", "b"), layout=Layout(Format.JSONL))
    with pytest.raises(DeliveryRefusal, match="cannot be read as its layout says") as refusal:
        checked(engine, tmp_path, data=b'{"a": "Ann",\n"b": 2}\n{"a": 1, "b": 3}\n', contract=contract)
    assert "Ann" not in str(refusal.value)


def test_json_lines_that_are_no_object_are_quarantined(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(Column("a", "a"), Column("b", "b"), layout=Layout(Format.JSONL))
    data = b'{"a": 1, "b": "x"}\n{"a": 2,\n[1]\n{"c": 1}\n{"b": "y"}\n'
    found = checked(engine, tmp_path, data=data, contract=contract)
    assert [row["b"] for row in found.good] == ["x", "y"]
    assert [row for row, _, _ in found.quarantine] == [1, 2, 3]


@pytest.mark.parametrize(
    ("read", "good", "state"),
    [
        (100, 100, LoadState.PUBLISHED), (100, 98, LoadState.PUBLISHED), (100, 97, LoadState.HELD),
        (100, 80, LoadState.HELD), (100, 79, LoadState.REJECTED), (0, 0, LoadState.REJECTED),
        (100, 0, LoadState.REJECTED), (101, 101, LoadState.HELD), (9, 9, LoadState.HELD),
    ],
)  # fmt: skip
def test_thresholds_decide(read: int, good: int, state: LoadState) -> None:
    contract = contract_of(
        ID, thresholds=Thresholds(0.02, 0.20), rules=(Rule("size", Check.ROW_COUNT, low="10", high="100"),)
    )
    counted = Tally(read, good, read - good)
    assert judge(contract, counted) is state
    assert f"{read - good:,} of {read:,} rows" in sentence(contract, counted)
    assert facts(counted)["quarantined"] == read - good


@pytest.mark.parametrize(
    "expression",
    ["age > 3", "age BETWEEN 0 AND 120", "coalesce(age, 0) >= 0", "upper(id) = 'X' OR age IS NULL", "age IN (1, 2)",
     "length(id) = 3 AND NOT age = 5", "CASE WHEN age > 3 THEN id ELSE 'x' END = 'x'", "abs(age) < 10 * 2"],
)  # fmt: skip
def test_expressions_that_are_allowed(engine: DuckDB, expression: str) -> None:
    sql = expression_sql(expression, ["age", "id"], rule="r")
    assert engine.rows(f"SELECT ({sql}) AS ok FROM (SELECT 4 AS age, 'abc' AS id)").num_rows == 1


@pytest.mark.parametrize(
    "expression",
    ["other > 3", "age > (SELECT max(age) FROM t)", "age IN (SELECT 1)", "read_text('/etc/passwd') = 'x'",
     "getenv('HOME') = 'x'", "age > 3; DROP TABLE t", "age > 3 FROM t", "age > 3 -- x\n UNION SELECT 1", "t.age > 3",
     "age > 3, id", "*", "", "(age", "sum(age) > 3", "row_number() OVER () > 1", "query('select 1')", "age := 3"],
)  # fmt: skip
def test_expressions_that_are_refused(expression: str) -> None:
    with pytest.raises(ContractRefusal, match="rule r"):
        expression_sql(expression, ["age", "id"], rule="r")


def test_a_rule_that_cannot_be_tested_is_refused(engine: DuckDB, tmp_path: Path) -> None:
    for rule in (
        Rule("r", Check.CHECK_DIGIT, "age"), Rule("r", Check.RANGE, "age", low="a"), Rule("r", Check.ALLOWED, "b"),
    ):  # fmt: skip
        with pytest.raises(ContractRefusal):
            checked(engine, tmp_path, data=b"age,id\n1,2\n", contract=contract_of(AGE, ID, rules=(rule,)))


def test_the_profile_shows_no_value_of_an_identifier(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(
        ID, AGE, NHS, Column("sex", "sex", meaning=Meaning.SEX, handling=Handling.PAYLOAD),
        Column("held", "held", kind=Kind.INTEGER, handling=Handling.WITHHELD),
    )  # fmt: skip
    rows = [f"A{i},{i % 50},9434765919,{'M' if i % 4 else 'F'},7" for i in range(400)] + ["B,,,X,"]
    checked(engine, tmp_path, data=table("id,age,nhs,sex,held", rows), contract=contract)
    found = profile(engine, contract, relation="checked")
    assert found[1] == ColumnProfile("age", 401, 1, found[1].distinct, "0", "49")
    assert found[2] == ColumnProfile("nhs", 401, 1, 1)
    assert found[4] == ColumnProfile("held", 401, 1, 1)
    assert found[3].common == (("M", 0.748), ("F", 0.249))


def test_few_values_of_a_long_table_are_counted_and_many_estimated(engine: DuckDB) -> None:
    contract = contract_of(
        ID, AGE, Column("sex", "sex", meaning=Meaning.SEX, handling=Handling.PAYLOAD),
        Column("pay", "pay", kind=Kind.NUMBER, meaning=Meaning.MONEY, handling=Handling.PAYLOAD),
        Column("day", "day", kind=Kind.DATE, meaning=Meaning.EVENT_DATE, handling=Handling.PAYLOAD),
    )  # fmt: skip
    engine.create(
        "long",
        "SELECT i::VARCHAR AS id, CASE WHEN i % 7 > 0 THEN i % 90 END AS age, "
        "CASE WHEN i < 100 THEN 'X' WHEN i < 70000 THEN 'M' WHEN i < 209000 THEN 'F' END AS sex, "
        "CASE WHEN i > 0 THEN i / 2 END AS pay, DATE '2000-01-01' + (i % 5000)::INTEGER AS day FROM range(210000) t(i)",
    )
    numbers, ages, sexes, pay, days = profile(engine, contract, relation="long")
    assert (numbers.missing, numbers.low, numbers.common) == (0, None, ())
    assert numbers.distinct is not None
    assert days.distinct is not None
    assert abs(numbers.distinct - 210_000) < 20_000, "one in sixteen hashes or more"
    assert abs(days.distinct - 5_000) < 1_000
    assert (days.low, days.high) == ("2000-01-01", "2013-09-08")
    assert ages == ColumnProfile("age", 210_000, 30_000, 90, "0", "89")
    assert sexes == ColumnProfile("sex", 210_000, 1_000, 3, common=(("F", 0.662), ("M", 0.333))), "too few are X"
    assert pay == ColumnProfile("pay", 210_000, 1, None, "0.5", "104999.5")


def test_a_table_without_rows_or_values_has_a_profile(engine: DuckDB) -> None:
    contract = contract_of(ID, AGE, Column("sex", "sex", meaning=Meaning.SEX, handling=Handling.PAYLOAD))
    nothing = "SELECT NULL::VARCHAR AS id, NULL::BIGINT AS age, NULL::VARCHAR AS sex FROM range({}) t(i)"
    for rows in (0, 10, 30_000):
        engine.create("nothing", nothing.format(rows))
        found = profile(engine, contract, relation="nothing")
        assert [(c.rows, c.missing, c.distinct, c.low, c.common) for c in found] == [(rows, rows, 0, None, ())] * 3
