"""Laws of supply: what is written is read again; what is tidy stays tidy; no line of a broken file is lost."""

import csv
import io
import string
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.acquire.contracts import dump, parse
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.engines.sealed import CHUNK, plain_size
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
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.standardise.sql import standardised_sql
from tests.delivering import SEALER, checked, contract_of

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
words = texts.filter(lambda t: bool(t.strip()))
plain = st.text(string.ascii_lowercase, min_size=1, max_size=8)
numbers = st.integers(0, 10**6).map(str)


def columns(name: str) -> st.SearchStrategy[Column]:
    return st.builds(
        Column, st.just(name), words, st.sampled_from(Kind), st.sampled_from(Meaning), st.sampled_from(Handling),
        formats=st.lists(words, max_size=2).map(tuple), missing=st.lists(texts, max_size=3).map(tuple),
        decimal=st.sampled_from(".,"), required=st.booleans(), unique=st.booleans(), key=st.booleans(),
        confidence=st.floats(0, 1), title=texts, codes=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    )  # fmt: skip


def rules(name: str, column: str) -> st.SearchStrategy[Rule]:
    ends = st.sampled_from([("low",), ("high",), ("low", "high")])
    return st.one_of(
        st.builds(Rule, st.just(name), st.sampled_from([Check.REQUIRED, Check.UNIQUE]), st.just(column), reason=texts),
        st.builds(Rule, st.just(name), st.just(Check.ALLOWED), st.just(column),
                  values=st.lists(texts, max_size=3).map(tuple), reason=texts),
        st.builds(Rule, st.just(name), st.just(Check.PATTERN), st.just(column), pattern=words, reason=texts),
        ends.flatmap(lambda e: st.builds(Rule, st.just(name), st.just(Check.RANGE), st.just(column),
                                         **dict.fromkeys(e, words))),
        ends.flatmap(lambda e: st.builds(Rule, st.just(name), st.just(Check.ROW_COUNT), **dict.fromkeys(e, numbers))),
        st.builds(Rule, st.just(name), st.just(Check.EXPRESSION), expression=words),
    )  # fmt: skip


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    names = draw(st.lists(plain, min_size=1, max_size=4, unique=True))
    ruled = draw(st.lists(st.tuples(plain, st.sampled_from(names)), max_size=4, unique_by=lambda pair: pair[0]))
    low, mode = draw(st.floats(0, 1)), draw(st.sampled_from(Mode))
    held = tuple(draw(columns(name)) for name in names)
    changes = None
    if mode is Mode.CHANGES:
        held = (replace(held[0], key=True), *held[1:])
        changes = Changes(names[-1], tuple(draw(st.lists(words, min_size=1, max_size=2))), names[0])
    return Contract(
        dataset=draw(plain), owner=draw(words), title=draw(texts), version=draw(words),
        layout=Layout(
            draw(st.sampled_from(Format)), draw(st.sampled_from(",;|\t~")), draw(st.sampled_from("\"'")), "utf-8",
            draw(st.booleans()), draw(st.none() | words), tuple(draw(st.lists(st.integers(1, 99), max_size=3))),
        ),
        columns=held,
        rules=tuple(draw(rules(name, column)) for name, column in ruled),
        indexes=tuple(draw(st.lists(
            st.builds(IndexUse, plain, st.lists(st.sampled_from(names), max_size=2).map(tuple), st.booleans()),
            max_size=2))),
        thresholds=Thresholds(low, draw(st.floats(low, 1))), mode=mode,
        inferred=draw(st.booleans()), changes=changes,
    )  # fmt: skip


@FEW
@given(contracts())
def test_a_contract_comes_back_as_it_was(contract: Contract) -> None:
    assert parse(dump(contract)) == contract


@FEW
@given(st.lists(st.integers(0, CHUNK + 3), max_size=4), st.randoms(use_true_random=False))
def test_sealed_bytes_come_back_from_any_position(sizes: list[int], random: object) -> None:
    pieces = [bytes([i % 251]) * size for i, size in enumerate(sizes)]
    whole = b"".join(pieces)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x.sealed"
        with SEALER.write(place) as file:
            for piece in pieces:
                file.write(piece)
        assert plain_size(place) == len(whole)
        with SEALER.read(place) as file:
            assert file.read() == whole
            for _ in range(5):
                start = random.randint(0, len(whole))  # type: ignore[attr-defined]
                file.seek(start)
                assert file.read(99) == whole[start : start + 99]


MEANINGS = [Meaning.POSTCODE, Meaning.SEX, Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.UPRN,
            Meaning.COMPANY_NUMBER, Meaning.INDUSTRY_CODE, Meaning.CONDITION_CODE, Meaning.FULL_NAME, Meaning.EMAIL,
            Meaning.CODE]  # fmt: skip
likely = st.sampled_from(["sw1a1aa", " F ", "943 476 5919", "23.64/0", "I10X", "1", "SC 123", "0012.0", "a  b", "''"])


@FEW
@given(st.lists(likely | st.text(string.printable, max_size=10), min_size=1, max_size=8))
def test_tidying_twice_changes_nothing(engine: DuckDB, values: list[str]) -> None:
    contract = contract_of(*(Column(m.value, m.value, meaning=m) for m in MEANINGS))
    engine.load("landed", Held(pa.table({m.value: pa.array(values, pa.string()) for m in MEANINGS})))
    once = engine.rows(standardised_sql(contract, "landed")).select([m.value for m in MEANINGS])
    engine.load("again", Held(once))
    assert engine.rows(standardised_sql(contract, "again")).select(once.column_names).to_pylist() == once.to_pylist()


cells = st.sampled_from(["1", "ann", "", 'say "hi"', "a,b", "two\nlines", " x ", "é"])


@FEW
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=3, max_size=12),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["", '"', "\n", ",", '"\n', "x"])), max_size=3),
)
def test_no_line_of_a_broken_file_is_lost(
    engine: DuckDB, rows: list[tuple[str, str, str]], cuts: list[tuple[int, str]]
) -> None:
    """Characters are knocked out of, or into, a good file: every line is a row, rejected, or the load is refused."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    body = written.getvalue()
    for place, put in cuts:
        at = place % len(body)
        body = body[:at] + put + body[at + (put == "") :]
    contract = contract_of(Column("a", "a"), Column("b", "b"), Column("c", "c"))
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = checked(engine, Path(folder), data=f"a,b,c\n{body}".encode(), contract=contract)
        except DeliveryRefusal:
            return
        account = found.account
        told = account.header + account.rows + account.inside + account.blank + account.rejected
        assert told == account.lines
        assert account.rows == len(found.good) + found.tally.quarantined - account.rejected
        if not cuts:
            assert [tuple((r[k] or "") for k in "abc") for r in found.good] == [
                tuple(cell.strip(" ") for cell in row) for row in rows
            ]
