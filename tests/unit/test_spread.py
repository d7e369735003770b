"""Which statements are spread over a relation's rows, and that shares of them put together give the whole."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from integrated_data.engine import Held, Stored
from integrated_data.engines.binder import Binder
from integrated_data.engines.cluster import Cluster, Spreading
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.shares import KEPT, Engines, Share, Written, work
from integrated_data.engines.spread import Spread, spreads
from integrated_data.model.errors import InstallationRefusal
from tests.conftest import identified_engine

ROWS = pa.table({"k": [1, 1, 2, 2, 3, None, 7], "a": list("abcabca"), "x": [5, 6, 7, None, 9, 1, 2]})
FEW = pa.table({"a": ["a", "b", "b"], "y": [10, 20, 21]})

#: A statement, and the relation (with its columns) over which it is spread; none where it must stay whole.
DRAWN = {
    "SELECT k + 1 AS k, upper(a) AS a FROM t WHERE x > 1": Spread("t"),
    "SELECT t.*, f.y FROM t LEFT JOIN f USING (a)": Spread("t"),
    "SELECT a, CASE WHEN NOT EXISTS (SELECT 1 FROM f WHERE f.a = t.a) THEN 1 ELSE 0 END AS none FROM t": Spread("t"),
    "SELECT k FROM t WHERE x NOT IN (SELECT y - 4 FROM f)": Spread("t"),
    "SELECT k, unnest([a, 'z']) AS v FROM t": Spread("t"),
    "SELECT k, max(x) AS m FROM t GROUP BY k": Spread("t", ("k",)),
    "SELECT k, a, max(y) AS m FROM (SELECT k, t.a, y FROM t JOIN f USING (a)) WHERE y > 1 GROUP BY k, a":
        Spread("t", ("a", "k")),
    "SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY a, x) = 1": Spread("t", ("k",)),
    "SELECT DISTINCT a, x FROM t": Spread("t", ("a", "x")),
    "SELECT DISTINCT a || k::VARCHAR FROM t": None,
    "SELECT max(x) FROM t": None,
    "SELECT row_number() OVER () AS n, a FROM t": None,
    "SELECT a FROM t ORDER BY x": None,
    "SELECT a FROM t LIMIT 2": None,
    "SELECT u.a FROM t u JOIN t v USING (a)": None,
    "SELECT f.y FROM f FULL JOIN t USING (a)": None,
    "SELECT a FROM t UNION SELECT a FROM f": None,
}  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), DRAWN.items())
def test_what_is_spread(sql: str, expected: Spread | None) -> None:
    binder = Binder()
    for table, held in (("t", ROWS), ("f", FEW)):
        binder.hold(table, held)
    found = {s.base: s for s in spreads(binder.plan(sql))}
    assert found.get("t") == expected


class Here:
    """Does shares in this process, one after the other."""

    at_once = 3

    def __init__(self, folder: Path) -> None:
        self.opener, self.session, self.done = partial(identified_engine, folder), str(folder), 0

    def run(self, shares: Sequence[Share]) -> list[Written]:
        self.done += len(shares)
        return [work(share, n, opener=self.opener, session=self.session) for n, share in enumerate(shares)]

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def cluster(engine: DuckDB, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(engine, Spreading(Here(tmp_path), tmp_path / "scratch", 5))
    yield made
    made.close()


def log(cluster: Cluster) -> list[str]:
    return [done.base for done in cluster.spreading.log]


@pytest.mark.parametrize("sql", DRAWN)
def test_shares_put_together_give_the_whole(sql: str, cluster: Cluster, engine: DuckDB) -> None:
    cluster.load("t", Held(ROWS))
    cluster.load("f", Held(FEW))
    by = sorted if "LIMIT" not in sql else list
    found, expected = (by(map(repr, e.rows(sql).to_pylist())) for e in (cluster, engine))
    assert found == expected
    assert log(cluster) == (["t"] if DRAWN[sql] else [])


def test_views_above_files_are_made_in_the_shares_and_rows_keep_their_order(cluster: Cluster, tmp_path: Path) -> None:
    cluster.load("held", Held(ROWS))
    assert cluster.save("FROM held", tmp_path / "0.parquet") == 7
    cluster.load("stored", Stored((tmp_path / "0.parquet",), row_column="_row"))
    cluster.view("seen", "SELECT *, _row * 10 AS ten FROM stored WHERE a <> 'b'")
    cluster.load("few", Held(FEW))
    cluster.view("most", "SELECT a, max(y) AS y FROM few GROUP BY a")
    cluster.save("SELECT ten, y FROM seen LEFT JOIN most USING (a)", tmp_path / "1.parquet")
    cluster.load("written", Stored((tmp_path / "1.parquet",)))
    assert log(cluster) == ["held", "stored"]
    assert cluster.rows("SELECT ten FROM written")["ten"].to_pylist() == [0, 20, 30, 50, 60]
    assert cluster.rows("SELECT y FROM written")["y"].to_pylist() == [10, None, 10, None, 10]


def test_files_that_differ_in_their_columns_are_one_relation_in_every_share(
    cluster: Cluster, engine: DuckDB, tmp_path: Path
) -> None:
    places = tuple(tmp_path / f"{n}.parquet" for n in range(2))
    engine.save("SELECT k, 'a' AS a FROM range(4) t(k)", places[0], sealed=False)
    engine.save("SELECT k + 4 AS k, 'b' AS b FROM range(4) t(k)", places[1], sealed=False)
    for order in (places, places[::-1]):
        cluster.load("t", Stored(order, sealed=False))
        found = cluster.rows("SELECT k, a, b FROM t").to_pylist()
        expected = [{"k": k, "a": "a" if k < 4 else None, "b": "b" if k >= 4 else None} for k in range(8)]
        assert sorted(found, key=lambda row: row["k"]) == expected
    assert log(cluster) == ["t", "t"]


def test_a_share_that_fails_tells_no_value_and_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.load("t", Held(ROWS))
    with pytest.raises(InstallationRefusal, match="ConversionException") as caught:
        cluster.rows("SELECT CAST('marked' || a AS INTEGER) AS n FROM t")
    assert "marked" not in str(caught.value)
    assert list((tmp_path / "scratch").glob("spread-*")) == []


def test_engines_wait_for_shares_of_their_session_and_the_oldest_are_closed() -> None:
    opened: list[DuckDB] = []

    def opener() -> DuckDB:
        opened.append(DuckDB(Limits(threads=1, memory="100MB")))
        return opened[-1]

    engines = Engines()
    first, second = engines.take("ours", opener), engines.take("ours", opener)
    assert first is not second
    engines.give_back("ours", first)
    theirs = engines.take("theirs", opener)
    assert theirs is not first
    assert engines.take("ours", opener) is first
    for engine in (first, second, theirs):
        engines.give_back("ours", engine)
    for _ in range(KEPT):
        engines.give_back("theirs", opener())
    with pytest.raises(duckdb.ConnectionException):
        first.rows("SELECT 1")
    assert opened[-1].rows("SELECT 1").num_rows == 1
    for engine in opened:
        engine.close()


def test_what_a_process_that_is_gone_left_is_removed(engine: DuckDB, tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "spread-999999999-0"
    left.mkdir(parents=True)
    Cluster(engine, Spreading(Here(tmp_path), tmp_path / "scratch", 5)).close()
    assert not left.exists()
