"""Attacks on the gate and ordinary queries through it, as goldens of two lines each."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

from integrated_data.access.functions import FUNCTIONS, WINDOWS
from integrated_data.access.gate import Checked, Objection, check_query, may_query
from integrated_data.model.errors import QueryRefusal
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.worker import connect, spatial
from tests.access_side import VIEWS, Golden, goldens, job, write_views

ATTACKS = list(goldens("attacks/*.txt"))
ORDINARY = list(goldens("ordinary.txt"))


@pytest.fixture(scope="module")
def parser() -> Iterator[DuckDBParser]:
    made = DuckDBParser()
    yield made
    made.close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A worker's connection over the project's files."""
    folder = tmp_path_factory.mktemp("project")
    write_views(folder)
    return connect(job("", folder))


def read(columns: Mapping[str, tuple[str, ...]]) -> str:
    """What a query may read, as the goldens write it; `*` for every column of a view."""
    parts = [f"{name}({'*' if cs == VIEWS[name].columns else ', '.join(cs)})" for name, cs in sorted(columns.items())]
    return " ".join(parts) or "nothing"


def test_there_are_attacks_enough() -> None:
    assert len({a.statement for a in ATTACKS}) == len(ATTACKS) >= 300


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.file}-{a.statement[:60]!r}")
def test_an_attack_is_refused_for_its_reason(attack: Golden, parser: DuckDBParser) -> None:
    answer = may_query(attack.statement, VIEWS, parser=parser)
    assert isinstance(answer, Objection), f"passed, reading {answer.columns}"
    said = f"{answer.gate.value}: {answer.named}" if answer.named else answer.gate.value
    assert said == attack.expected
    with pytest.raises(QueryRefusal):
        check_query(attack.statement, VIEWS, parser=parser)


def test_there_are_ordinary_queries_enough() -> None:
    assert len({q.statement for q in ORDINARY}) == len(ORDINARY) >= 200


@pytest.mark.parametrize("query", ORDINARY, ids=lambda q: repr(q.statement[:60]))
def test_an_ordinary_query_passes_and_runs(
    query: Golden, parser: DuckDBParser, locked: duckdb.DuckDBPyConnection
) -> None:
    answer = may_query(query.statement, VIEWS, parser=parser)
    assert isinstance(answer, Checked), answer
    assert read(answer.columns) == query.expected
    assert set(answer.tables) == set(answer.columns)
    locked.execute(query.statement).to_arrow_table()


BIG = [
    ("length", "SELECT '" + "x" * 200_001 + "'"),
    ("depth", "SELECT " + "abs(" * 5_000 + "1" + ")" * 5_000),
    ("depth", "SELECT " + "+".join(["1"] * 20_000)),
    ("depth", "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "census" + ")" * 2_000),
    ("depth", "SELECT " + "CASE WHEN true THEN " * 3_000 + "1" + " END" * 3_000),
    ("depth", "SELECT " + "[" * 90_000),
    ("syntax", "SELECT " + "(" * 5_000),
    ("syntax", "SELECT '\ud800'"),
]


@pytest.mark.parametrize(("said", "statement"), BIG, ids=[f"{s}-{len(t)}" for s, t in BIG])
def test_size_and_depth_stop_at_the_gate(said: str, statement: str, parser: DuckDBParser) -> None:
    answer = may_query(statement, VIEWS, parser=parser)
    assert isinstance(answer, Objection)
    assert answer.gate.value == said


def test_a_long_list_is_ordinary(parser: DuckDBParser) -> None:
    statement = f"SELECT count(*) FROM census WHERE birth_year IN ({', '.join(map(str, range(20_000)))})"
    assert isinstance(may_query(statement, VIEWS, parser=parser), Checked)


def test_a_refusal_names_the_tables_there_are_and_never_a_literal(parser: DuckDBParser) -> None:
    with pytest.raises(QueryRefusal) as caught:
        check_query("SELECT * FROM pay WHERE name = 'marked-value'", VIEWS, parser=parser)
    assert "This project has no table pay" in str(caught.value)
    assert "census, gp, lfs" in str(caught.value)
    assert "marked-value" not in str(caught.value)
    with pytest.raises(QueryRefusal) as caught:
        check_query("SELECT 'marked value' FROM FROM census", VIEWS, parser=parser)
    assert "character 28, near FROM" in str(caught.value)
    assert "marked" not in str(caught.value)


def test_nothing_provisioned_means_nothing_to_read(parser: DuckDBParser) -> None:
    assert isinstance(may_query("SELECT * FROM census", {}, parser=parser), Objection)
    assert isinstance(may_query("SELECT 1", {}, parser=parser), Checked)


def test_every_function_the_gate_allows_is_one_the_engine_has() -> None:
    """A list that names what is not there hides what it means; these are the parser's own words."""
    connection = duckdb.connect()
    connection.execute(f"LOAD '{spatial()}'")
    names = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    known = {row[0].lower() for row in names}
    assert (FUNCTIONS | WINDOWS) - known <= {"coalesce", "if", "ifnull", "overlay", "rank_dense", "unnest"}


def test_golden_files_hold_nothing_else() -> None:
    assert {p.name for p in (Path(__file__).parent / "attacks").iterdir()} == {
        f"{family}.txt" for family in ("catalogue", "constructs", "files", "functions", "names", "statements", "text")
    }
