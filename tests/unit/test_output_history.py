"""What two tables give away together: two queries in, the cells that come too near out, by ledger number."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import ReleaseLimits
from integrated_data.output.check import shape_of
from integrated_data.output.evidence import evidence
from integrated_data.output.following import Change, followed
from integrated_data.output.history import leaks
from integrated_data.output.ledger import Ledger
from integrated_data.output.members import members_sql, read
from integrated_data.output.remembered import NOBODY, Remembered, remember
from tests.output_world import people, repeated, views_of

BELOW = 10

#: The north has a man who earns most; in the south there are visits by the year, of one person two.
PAY = repeated(
    (40, ("N", "M", 10)), (1, ("N", "M", 99)), (30, ("N", "F", 12)), (35, ("S", "M", 9)), (5, ("S", "F", 9)),
    columns="region sex pay",
)  # fmt: skip
VISITS = people(
    *((n, 2020, 1) for n in range(60)), *((n, 2021, 1) for n in range(60)), (7, 2021, 2), columns="year kind"
)

#: Two in the north were born in the year itself, and do not work.
AGES = repeated(
    (25, ("N", "good", 30, 1)), (15, ("N", "bad", 61, 1)), (2, ("N", "good", 0, 0)), (20, ("N", "good", 44, 1)),
    (25, ("S", "good", 18, 1)), (12, ("S", "bad", 70, 1)), columns="region health age works",
)  # fmt: skip

STRANGERS = people(*((n, 1) for n in range(40)), (None, 1), (None, 9), columns="pay")


def table(engine: DuckDB, sql: str, *, project: int = 1) -> Remembered:
    """A query's table as the ledger remembers it, for a project whose keys are its own."""
    tables = {"pay": PAY, "visits": VISITS, "strangers": STRANGERS, "ages": AGES}
    for name, held in tables.items():
        keys = pa.array([k and k * project for k in held["person_key"].to_pylist()], pa.uint64()).cast(
            pa.int64(), safe=False
        )
        engine.load(name, Held(held.set_column(0, "person_key", keys)))
    views = views_of(tables)
    shape = shape_of(sql, views)
    members = read(engine.rows(members_sql(shape, unit=0, views=views)), shape)
    known = evidence(members, shape, limits=ReleaseLimits())
    every = {
        k: n
        for n, k in enumerate(
            sorted({int(k) for t in tables.values() for k in t["person_key"].drop_null().to_pylist()})
        )
    }
    of = {int(np.array(k * project, np.uint64).astype(np.int64)): n for k, n in every.items()}
    numbers = np.array([of[int(u)] if sure else NOBODY for u, sure in zip(members.unit, members.linked, strict=True)])
    published = frozenset(cell for cell, behind in known.items() if behind.people >= BELOW)
    return remember(members, shape, numbers=numbers.astype(np.uint32), people=len(every), published=published)


@pytest.mark.parametrize(
    ("earlier", "new", "given"),
    [
        pytest.param("SELECT region, count(*) FROM pay GROUP BY region",
                     "SELECT region, count(*) FROM pay GROUP BY region", set(), id="the same"),
        pytest.param("SELECT region, count(*) FROM pay GROUP BY region",
                     "SELECT sex, count(*) FROM pay WHERE region = 'N' GROUP BY sex", set(), id="finer, many people"),
        pytest.param("SELECT region, count(*) FROM pay GROUP BY region",
                     "SELECT region, count(*) FROM pay WHERE pay < 99 GROUP BY region", {"N"}, id="one person less"),
        pytest.param("SELECT region, sex, count(*) FROM pay GROUP BY region, sex",
                     "SELECT region, count(*) FROM pay GROUP BY region", {"S"}, id="the total of a withheld cell"),
        pytest.param("SELECT count(*) FROM pay WHERE pay < 99",
                     "SELECT region, count(*) FROM pay GROUP BY region", {()}, id="finer, one person more"),
        pytest.param("SELECT sum(pay) FROM pay WHERE region = 'N' AND sex = 'M'",
                     "SELECT sum(CASE WHEN pay < 99 THEN pay ELSE 0 END) FROM pay WHERE region = 'N' AND sex = 'M'",
                     {()}, id="an amount without one person's"),
        pytest.param("SELECT count(*) FILTER (WHERE region = 'N') FROM pay",
                     "SELECT count(*) FROM pay WHERE region = 'N' AND pay < 99", {()}, id="a condition for a filter"),
        pytest.param("SELECT count(*) FROM visits WHERE kind = 1",
                     "SELECT count(*) FROM visits", {()}, id="the same people, one visit more"),
        pytest.param("SELECT count(*) FROM visits WHERE year = 2020",
                     "SELECT count(*) FROM visits WHERE year = 2021", {()}, id="a window, one visit more"),
        pytest.param("SELECT sum(kind * 0.000001) FROM visits",
                     "SELECT sum(kind * 0.000001) FROM visits WHERE kind = 1", {()}, id="amounts however small"),
        pytest.param("SELECT avg(pay) FROM strangers",
                     "SELECT count(*) FROM strangers WHERE pay < 9", {()}, id="a row linked to nobody less"),
        pytest.param("SELECT avg(pay) FROM pay WHERE region = 'N'",
                     "SELECT count(*) FROM pay WHERE region = 'N'", set(), id="other figures of the same people"),
        pytest.param("SELECT region, health, count(*) FROM ages GROUP BY region, health",
                     "SELECT region, avg(age) FROM ages GROUP BY region", set(), id="ages of 0, and a count"),
        pytest.param("SELECT region, count(*), sum(2021 - age) FROM ages GROUP BY region",
                     "SELECT region, sum(CASE WHEN works = 1 THEN age END) FROM ages GROUP BY region", {"N"},
                     id="a sum of some, and what is left of a number over all"),
        pytest.param("SELECT region, avg(age) FROM ages GROUP BY region",
                     "SELECT region, health, count(*) FROM ages GROUP BY region, health", set(),
                     id="a count, and ages of 0"),
        pytest.param("SELECT region, count(*) FROM ages GROUP BY region",
                     "SELECT region, sum(works) FROM ages GROUP BY region", {"N"}, id="a sum that is a count"),
        pytest.param("SELECT region, count(*) FROM ages WHERE age > 0 GROUP BY region",
                     "SELECT region, avg(age) FROM ages GROUP BY region", {"N"}, id="a count without those of 0"),
    ],
)  # fmt: skip
def test_what_two_tables_give_away_together(engine: DuckDB, earlier: str, new: str, given: set[object]) -> None:
    one, other = table(engine, new), table(engine, earlier, project=3)
    mine, theirs = leaks(one, other, below=BELOW)
    cells = [one.figures[leak.mine].cells[leak.cell] for leak in mine]
    cells += [other.figures[leak.mine].cells[leak.cell] for leak in theirs]
    assert {cell.values[0] if cell.values else () for cell in cells} == given


def test_a_table_comes_back_from_the_ledger_as_it_was(engine: DuckDB, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", b"a key of thirty-two bytes, no more"[:32])
    kept = table(engine, "SELECT region, avg(pay) FROM pay GROUP BY ROLLUP (region)")
    ledger.write(tmp_path / "O-1.0-0", kept)
    ledger.adopt(tmp_path / "O-1.0-0", index="person", name="O-1.0-0")
    (found,) = ledger.tables("person", of={"O-1"})
    assert (found.request, found.table.figures, found.table.words) == ("O-1", kept.figures, kept.words)
    new = table(engine, "SELECT region, count(*) FROM pay WHERE pay < 99 GROUP BY region")
    assert leaks(new, found.table, below=BELOW) == leaks(new, kept, below=BELOW) != ([], [])


def test_merged_people_count_once_and_split_ones_for_nobody(engine: DuckDB) -> None:
    south = table(engine, "SELECT count(*) FROM pay WHERE region = 'S'")
    first, second, third = (int(n) for n in south.added().number[:3])
    now, split = np.arange(south.membership.numbers, dtype=np.uint32), np.zeros(south.membership.numbers, bool)
    assert followed(south, Change(now, split)) is None
    now[first], split[third] = second, True
    after = followed(south, Change(now, split))
    assert after is not None
    assert (south.membership.people.tolist(), after.membership.people.tolist()) == ([40], [38])
    (mine, theirs) = leaks(after, table(engine, "SELECT count(*) FROM pay WHERE region = 'S'", project=3), below=BELOW)
    assert [(leak.apart, leak.contributors) for leak in (*mine, *theirs)] == [(2, 2), (2, 2)], "the two who are one"
