"""Attacks by statements about scratch tables, and that those which pass mean to the engine what the service reads."""

from collections.abc import Iterator

import duckdb
import pytest

from integrated_data.access.gate import Checked, Objection, may_query
from integrated_data.access.scratch import check_wish, wish
from integrated_data.access.views import View
from integrated_data.model.errors import QueryRefusal
from integrated_data.site.parser import DuckDBParser
from tests.access_side import VIEWS, Golden, goldens

ATTACKS = list(goldens("scratch.txt"))
NAMEABLE = {**VIEWS, "scratch.mine": View("scratch.mine", "", ("a",), (), "P-1/scratch/mine-0.parquet")}


@pytest.fixture(scope="module")
def parser() -> Iterator[DuckDBParser]:
    made = DuckDBParser()
    yield made
    made.close()


def reason(statement: str, parser: DuckDBParser) -> str:
    """Why a statement is refused, or that it passes."""
    wished, select = wish(statement), statement
    if wished is not None:
        try:
            check_wish(wished, VIEWS, alone=True)
        except QueryRefusal:
            return "name"
        if wished.select is None:
            return "passes"
        select = wished.select
    answer = may_query(select, NAMEABLE, parser=parser)
    if isinstance(answer, Checked):
        return "passes"
    return f"{answer.gate.value}: {answer.named}" if answer.named and answer.named.isprintable() else answer.gate.value


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: repr(a.statement[:60]))
def test_an_attack_is_refused_for_its_reason(attack: Golden, parser: DuckDBParser) -> None:
    said = reason(attack.statement, parser)
    assert said == attack.expected or said.startswith(f"{attack.expected}: "), said


def test_there_are_attacks_enough() -> None:
    assert len({a.statement for a in ATTACKS}) == len(ATTACKS) >= 100


MEANT = [
    ("CREATE TABLE scratch.x AS SELECT 1 AS a", "x"),
    ("create table Scratch.X as (select 1 as a)", "x"),
    ("  CREATE\n TABLE\tSCRATCH.x_1 AS\nWITH c AS (SELECT 1 AS a) SELECT a FROM c;", "x_1"),
    ("CREATE TABLE scratch.x AS FROM scratch.mine", "x"),
    ("CREATE TABLE scratch.x AS WITH mine AS (SELECT 2 AS a) SELECT scratch.mine.a FROM scratch.mine", "x"),
    ("CREATE TABLE scratch.x AS VALUES (1)", "x"),
    ("CREATE TABLE scratch.x AS SELECT 1 AS a -- CREATE TABLE scratch.y", "x"),
]


@pytest.mark.parametrize(("statement", "name"), MEANT)
def test_what_passes_means_the_same_to_the_engine(statement: str, name: str, parser: DuckDBParser) -> None:
    wished = wish(statement)
    assert wished is not None
    assert wished.name == name
    assert wished.select is not None
    assert isinstance(may_query(wished.select, NAMEABLE, parser=parser), Checked)
    engine = duckdb.connect()
    engine.execute("CREATE SCHEMA scratch; CREATE TABLE scratch.mine AS SELECT 1 AS a")
    expected = engine.execute(wished.select).fetchall()
    engine.execute(statement)
    assert engine.execute(f"SELECT * FROM scratch.{name}").fetchall() == expected == [(1,)]


@pytest.mark.parametrize(
    "statement", ["DROP TABLE scratch.mine", "drop table SCRATCH.Mine ;", "\nDROP  TABLE scratch.mine"]
)
def test_dropping_means_the_same_to_the_engine(statement: str) -> None:
    wished = wish(statement)
    assert (wished and wished.name, wished and wished.select) == ("mine", None)
    engine = duckdb.connect()
    engine.execute("CREATE SCHEMA scratch; CREATE TABLE scratch.mine AS SELECT 1 AS a")
    engine.execute(statement)
    with pytest.raises(duckdb.CatalogException):
        engine.execute("SELECT * FROM scratch.mine")


def test_the_gate_reads_a_scratch_table_as_its_own(parser: DuckDBParser) -> None:
    answer = may_query("SELECT m.a, c.sex FROM SCRATCH.Mine m, census c", NAMEABLE, parser=parser)
    assert isinstance(answer, Checked)
    assert answer.columns == {"scratch.mine": ("a",), "census": ("sex",)}
    assert isinstance(may_query("SELECT * FROM scratch.mine", VIEWS, parser=parser), Objection)
