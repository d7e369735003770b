"""Tables that were published elsewhere: compared like those that left where a query gives the same, else for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from integrated_data.access.asked import Question
from integrated_data.control import tables
from integrated_data.control.ledgers import Import
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Lane
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.importing import Brought, bring
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places
from tests.output_world import LEDGER_KEY, World, repeated

PAY = repeated((41, ("N", 10)), (1, ("N", 99)), (30, ("S", 12)), (4, ("W", 9)), columns="region pay")
BY_REGION = "SELECT region, count(*) AS n FROM pay GROUP BY region"
ONE_LESS = "SELECT region, count(*) AS n FROM pay WHERE pay < 99 GROUP BY region"


@dataclass(frozen=True)
class Gate:
    """The gateway of a drawn world: it answers for the one project there is."""

    world: World

    def query(self, question: Question) -> pa.Table:
        return self.world.run(question.sql)


@pytest.fixture
def w(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    made = World(store, engine, parser, tmp_path / "outputs", {"pay": PAY})
    (tmp_path / "service-keys").mkdir()
    (tmp_path / "service-keys" / "ledger.key").write_bytes(LEDGER_KEY)
    release: dict[str, Any] = {c.name: 1 if c.type.python_type is int else "x" for c in tables.release.c}
    with store.engine.begin() as connection:
        connection.execute(
            sa.insert(tables.release).values(release | {"dataset": "pay", "entry": {}, "state": "standing"})
        )
    yield made
    parser.close()


def taken(w: World, file: str, *, query: str = "", rounding: int = 1, dataset: str = "pay") -> Import:
    site = AnalysisSite(Places(w.folder.parent), w.store, Gate(w))  # type: ignore[arg-type]
    asked = w.log(query) if query else ""
    brought = Brought(file.encode(), "Pay by region", "Yearbook 2019", (dataset,), asked, rounding)
    return bring(site, brought, by="rita")


@pytest.mark.parametrize(
    ("file", "rounding"),
    [
        pytest.param("region,n\nN,42\nS,30\nW,[c]\n", 1, id="as it is"),
        pytest.param("n,region\n30,S\n42,N\n", 1, id="in another order, rows left out"),
        pytest.param("region,n\nN,40\nS,30\nW,..\n", 5, id="rounded"),
    ],
)
def test_a_request_that_differs_by_one_person_from_a_table_elsewhere_is_refused(
    w: World, file: str, rounding: int
) -> None:
    made = taken(w, file, query=BY_REGION, rounding=rounding)
    assert (made.proven, made.why) == (True, "")
    report = w.checked(ONE_LESS)
    assert report.lane is Lane.REFUSED
    assert any(f"table {made.id}, published elsewhere" in f.reason for f in report.findings)
    assert w.checked(BY_REGION).lane is not Lane.REFUSED, "the same again"


@pytest.mark.parametrize(
    ("file", "query", "why"),
    [
        pytest.param("region,n\nN,42\n", "", "No query", id="no query"),
        pytest.param("region,n\nN,43\n", BY_REGION, "figure", id="another figure"),
        pytest.param("region,n\nE,42\n", BY_REGION, "row", id="another row"),
        pytest.param("region,n\nN,many\n", BY_REGION, "figure", id="no number"),
        pytest.param("region,people\nN,42\n", BY_REGION, "columns", id="other columns"),
        pytest.param("region,n\nN,42\n", "SELECT region, n FROM (SELECT region, count(*) AS n FROM pay GROUP BY region "
                     "LIMIT 1)", "proven", id="an unproven query"),
    ],
)  # fmt: skip
def test_a_table_of_which_nobody_knows_who_is_behind_it_sends_what_resembles_it_to_people(
    w: World, file: str, query: str, why: str
) -> None:
    made = taken(w, file, query=query)
    assert not made.proven
    assert why in made.why
    report = w.checked(BY_REGION)
    assert report.lane is Lane.REVIEW
    assert made.id in report.similar


@pytest.mark.parametrize("file", ["", "region\n", "a,a\n1,2\n", "a,b\n1\n", "PK\x03\x04\0", 'a,b\n"x,1\n'])
def test_a_file_that_is_no_table_is_refused(w: World, file: str) -> None:
    with pytest.raises(OutputRefusal, match="not a table in CSV"):
        taken(w, file)


def test_a_table_is_about_datasets_that_there_are(w: World) -> None:
    with pytest.raises(OutputRefusal, match="datasets of the service"):
        taken(w, "region,n\nN,42\n", dataset="tax")
