"""Synthetic twins: what is counted of a table, and that a twin is nothing but a function of those counts."""

import ast
import inspect
import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.publish import twin
from integrated_data.publish.safe_counts import SafeCounts, count, of_told, rounded_edges

PEOPLE = 2_000


def published(people: int = PEOPLE, *, seed: int = 1, rare: bool = True, shuffled: bool = False) -> pa.Table:
    """A published table: one row of each person; `rare`: somebody stands out in every column."""
    rng = np.random.default_rng(seed)
    columns = {
        "sex": rng.choice(["F", "M", "N/K"], people, p=[0.5, 0.48, 0.02]),
        "region": rng.choice(["North", "South", None], people, p=[0.6, 0.3, 0.1]),
        "income": np.where(rng.random(people) < 0.1, 0.0, np.round(rng.lognormal(10, 0.5, people), 2)),
        "children": rng.poisson(1.5, people).astype(np.int32),
        "plot": [f"AB{n:05d}" for n in rng.integers(0, 99_999, people)],
        "born": [date(1950, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 15_000, people)],
        "off": rng.random(people) < 0.2,
    }
    if rare:
        odd = ("Zorp", "Nowhere", 98_765_432.1, 77, "only-one-wrote-this", date(1888, 8, 8), True)
        columns = {c: [odd[k], *np.asarray(v, object)[1:].tolist()] for k, (c, v) in enumerate(columns.items())}
    columns = {c: list(np.asarray(v, object)) for c, v in columns.items()}
    if shuffled:
        columns = {c: [v[k] for k in np.random.default_rng(9 + n).permutation(people)]
                   for n, (c, v) in enumerate(columns.items())}  # fmt: skip
    types = [pa.string(), pa.string(), pa.float64(), pa.int32(), pa.string(), pa.date32(), pa.bool_()]
    link = {
        "person_entity": pa.array(range(1, people + 1), pa.int64()),
        "person_link_probability": pa.array([0.99] * people),
        "person_link_method": pa.array(["exact"] * people),
    }
    payload = {c: pa.array(v, kind) for (c, v), kind in zip(columns.items(), types, strict=True)}
    return pa.table({**link, **payload})


def counted(engine: DuckDB, table: pa.Table, *, dataset: str = "pay", **shared: int) -> SafeCounts:
    engine.load("published", Held(table))
    return count(engine, "published", dataset=dataset, minimum=10, overlaps={"person": shared})


@pytest.fixture(scope="module")
def counts() -> Iterator[SafeCounts]:
    engine = DuckDB(Limits(threads=1, memory="512MB"))
    yield counted(engine, published())
    engine.close()


def test_no_count_is_about_few_and_all_are_rounded(counts: SafeCounts) -> None:
    numbers = [n for c in counts.columns for _, n in (*c.values, *c.shapes, *c.years)]
    numbers += [c.missing for c in counts.columns] + [c.banded for c in counts.columns]
    assert numbers
    assert all(n % 10 == 0 for n in numbers)
    assert min(n for n in numbers if n) >= 10
    told = json.dumps(counts.told())
    for odd in ("Zorp", "Nowhere", "98765", '"77"', "only-one", "aaaa-aaa", "1888"):
        assert odd not in told
    held = {c.name: c for c in counts.columns}
    assert {v for v, _ in held["sex"].values} == {"F", "M", "N/K"}
    assert held["plot"].shapes == (("AA99999", 2000),)
    assert held["income"].values == (("0.0", held["income"].values[0][1]),)
    assert max(held["income"].edges) < 100_000


def test_a_twin_looks_like_its_table(counts: SafeCounts) -> None:
    made = twin.build(counts, seed=1)
    assert made.column_names[:4] == ["person_key", "person_link_probability", "person_link_method", "sex"]
    real = published()
    assert [made.schema.field(c).type for c in real.column_names[3:]] == real.schema.types[3:]
    assert made.num_rows == PEOPLE
    assert len(made["person_key"].unique()) == PEOPLE
    shares = {c: pc.mean(pc.equal(made["sex"], c)).as_py() for c in ("F", "N/K")}
    assert abs(shares["F"] - 0.5) < 0.05
    assert abs(shares["N/K"] - 0.02) < 0.015
    assert abs(made["region"].null_count / PEOPLE - 0.1) < 0.03
    assert abs(pc.quantile(made["income"], 0.5)[0].as_py() / 20_000 - 1) < 0.15
    assert set(pc.utf8_length(made["plot"]).to_pylist()) == {7}


def test_tables_with_the_same_safe_counts_have_the_same_twin(engine: DuckDB) -> None:
    """Which values stand together in a row is not in the counts, so it cannot be in the twin."""
    one, other = counted(engine, published()), counted(engine, published(shuffled=True))
    real, mixed = published(), published(shuffled=True)
    assert real.slice(5, 3).to_pylist() != mixed.slice(5, 3).to_pylist()
    assert one == other
    assert twin.build(one, seed=7).equals(twin.build(other, seed=7))


def test_one_person_more_or_other_changes_nothing_but_counts(engine: DuckDB) -> None:
    with_odd, without = counted(engine, published()), counted(engine, published(rare=False))
    for one, other in zip(with_odd.columns, without.columns, strict=True):
        assert {v for v, _ in one.values} == {v for v, _ in other.values} or one.name in ("children", "income")
        assert one.edges == other.edges or one.name in ("children", "income")


def test_the_maker_is_given_counts_alone(counts: SafeCounts) -> None:
    again = of_told(json.loads(json.dumps(counts.told())))
    assert again == counts
    assert twin.build(again, seed=3).equals(twin.build(counts, seed=3))
    assert not twin.build(counts, seed=3).equals(twin.build(counts, seed=4))
    tree = ast.parse(inspect.getsource(twin))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {
        "collections.abc", "itertools", "typing", "hashlib", "numpy", "pyarrow", "numpy.typing",
        "integrated_data.publish.safe_counts",
    }  # fmt: skip


def test_no_combination_of_one_person_comes_over(counts: SafeCounts) -> None:
    """Of pairs that one person alone has, no more are in the twin than columns drawn apart give."""
    real, made = published(), twin.build(counts, seed=2)
    pairs = [list(zip(t["born"].to_pylist(), t["children"].to_pylist(), strict=True)) for t in (real, made)]
    seen: dict[object, int] = {}
    for pair in pairs[0]:
        seen[pair] = seen.get(pair, 0) + 1
    alone = {pair for pair, n in seen.items() if n == 1}
    met = sum(pair in alone for pair in pairs[1])
    chance = np.random.default_rng(1)
    by_chance = []
    for _ in range(20):
        apart = zip(chance.permutation(np.array(pairs[1], object)[:, 0]), [p[1] for p in pairs[1]], strict=True)
        by_chance.append(sum(pair in alone for pair in apart))
    assert met <= np.mean(by_chance) + 4 * max(1.0, float(np.std(by_chance)))


def test_keys_join_about_as_often(engine: DuckDB) -> None:
    census, pay = published(), published(800, seed=3)
    first = counted(engine, census, dataset="census")
    second = counted(engine, pay, census=800)
    [link] = second.links
    assert link.overlaps == {"census": 800}
    one = twin.build(first, seed=1)
    keys = {"person": {"census": one["person_key"].combine_chunks().unique().to_numpy()}}
    other = twin.build(second, seed=1, others=keys)
    shared = np.isin(other["person_key"].to_numpy(), one["person_key"].to_numpy())
    assert shared.all()
    apart = published(300, seed=4).set_column(0, "person_entity", pa.array(range(9_000, 9_300), pa.int64()))
    third = twin.build(counted(engine, apart, dataset="apart", census=0), seed=1, others=keys)
    assert not np.isin(third["person_key"].to_numpy(), one["person_key"].to_numpy()).any()


def test_a_small_table_tells_nothing(engine: DuckDB) -> None:
    few = counted(engine, published(9))
    assert all(not (c.values or c.shapes or c.years or c.edges or c.missing) for c in few.columns)
    made = twin.build(few, seed=1)
    assert made.num_rows == 10
    assert all(column.null_count == 10 for column in made.columns)


def test_every_type_of_column_has_a_twin(engine: DuckDB) -> None:
    """Odd values, too: what is no number, years that are none, lists, bytes."""
    engine.create(
        "published",
        """SELECT i AS person_entity, 0.9::FLOAT AS person_link_probability, 'exact' AS person_link_method,
        (i % 3)::TINYINT AS tiny, i::UBIGINT AS wide, (i / 7)::DECIMAL(9, 3) AS price, CASE WHEN i % 4 = 0 THEN
        'nan'::DOUBLE WHEN i % 4 = 1 THEN 'inf'::DOUBLE ELSE i END AS odd, (i % 100)::FLOAT / 3 AS part,
        DATE '2020-01-01' + (i % 700)::INT AS day, CASE WHEN i % 2 = 0 THEN DATE '12021-01-01' ELSE DATE
        '0044-03-15 (BC)' END AS far, TIMESTAMP '2020-01-01' + INTERVAL (i) HOUR AS moment, (TIMESTAMP '2021-06-01' +
        INTERVAL (i) MINUTE)::TIMESTAMPTZ AS zoned, [['a', 'b'][1 + i % 2], 'c'] AS codes, 'x'::BLOB AS bytes,
        ('e' || i % 2)::ENUM ('e0', 'e1') AS choice, i % 2 = 0 AS flag, INTERVAL 1 DAY AS span, NULL::VARCHAR AS never
        FROM range(1, 601) t(i)""",
    )
    made = twin.build(count(engine, "published", dataset="odd", minimum=10), seed=1)
    types = {field.name: str(field.type) for field in made.schema}
    assert (types["tiny"], types["wide"], types["price"], types["part"]) == (
        "int8",
        "uint64",
        "decimal128(9, 3)",
        "float",
    )
    assert (types["day"], types["moment"]) == ("date32[day]", "timestamp[us]")
    assert (types["zoned"], types["codes"]) == (
        "timestamp[us, tz=UTC]",
        "list<item: string>",
    )
    assert {v for codes in made["codes"].to_pylist() for v in codes} == {"a", "b", "c"}
    empty = {c for c in made.column_names if made[c].null_count == made.num_rows}
    assert empty == {"far", "bytes", "span", "never"}
    assert set(made["choice"].to_pylist()) == {"e0", "e1"}


def test_edges_are_no_values() -> None:
    assert rounded_edges([10.37, 20.11, 950.02], whole=False) == (10.0, 20.0, 950.0)
    assert rounded_edges([3.0, 3.0], whole=False) == ()
    assert rounded_edges([1.0, 2.0, 4.0], whole=True) == (1.0, 2.0, 4.0)
