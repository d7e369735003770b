"""Safe counts of a published table: all that is ever known of it by whoever makes its synthetic twin.

No count is about fewer than a minimum of people (or businesses, each by itself, where rows are of both);
where nobody is behind the rows, about fewer than FEWEST_ROWS rows for each of those people. Counts are
rounded to BASE. Values that fewer have are not among them: texts are then counted by their shape (letters
and digits made alike), numbers by bands between rounded quantiles over people, dates by year. The least
and the greatest value of anybody are in none of them.

Columns are counted one by one, so that no count tells which values stand together. Of keys, how many rows
are linked and to how many entities; how many of those another dataset has too is what the catalogue tells of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from integrated_data.engine import Engine
from integrated_data.model.linkage import PROVISIONAL
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name, text, texts

#: Counts are rounded to this; rows that stand for one person where nobody is behind rows.
BASE, FEWEST_ROWS = 10, 5

#: Most values, shapes and bands of one column; rows that are looked at, the longest value that is one.
VALUES, SHAPES, BANDS, SAMPLE, LONGEST = 500, 50, 20, 200_000, 60

#: Who a count must be about enough of, by index.
PROTECTED = ("person", "business")

SAMPLED = "_sampled"

WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})
_BROKEN = frozenset({"FLOAT", "DOUBLE"})


@dataclass(frozen=True)
class ColumnCounts:
    """Rows of one column by what they hold. `type`: the engine's.

    `values`, `shapes` and `years`: what is held and by how many rows; `edges`: of bands that hold `banded`
    rows between them, evenly.
    """

    name: str
    type: str
    missing: int = 0
    values: tuple[tuple[str, int], ...] = ()
    shapes: tuple[tuple[str, int], ...] = ()
    years: tuple[tuple[str, int], ...] = ()
    edges: tuple[float, ...] = ()
    banded: int = 0


@dataclass(frozen=True)
class LinkCounts:
    """Rows that are linked to an index, entities that they are linked to, how many of these each dataset has too."""

    index: str
    linked: int
    entities: int
    overlaps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SafeCounts:
    """Everything that is known of a table. `minimum`: of people behind each count."""

    dataset: str
    rows: int
    minimum: int
    columns: tuple[ColumnCounts, ...]
    links: tuple[LinkCounts, ...]

    def told(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def of_told(told: Mapping[str, Any]) -> SafeCounts:
    """Counts from plain values, as `SafeCounts.told` gives them."""

    def pairs(given: Sequence[Sequence[Any]]) -> tuple[tuple[str, int], ...]:
        return tuple((str(value), int(rows)) for value, rows in given)

    columns = tuple(
        ColumnCounts(
            c["name"], c["type"], c["missing"], pairs(c["values"]), pairs(c["shapes"]), pairs(c["years"]),
            tuple(c["edges"]), c["banded"],
        )
        for c in told["columns"]
    )  # fmt: skip
    return SafeCounts(
        told["dataset"], told["rows"], told["minimum"], columns, tuple(LinkCounts(**link) for link in told["links"])
    )


@dataclass(frozen=True)
class _Table:
    """A relation that is counted: its types, who is behind its rows, and how many rows of the whole each stands for."""

    engine: Engine
    relation: str
    units: tuple[str, ...]
    minimum: int
    scale: float

    @property
    def people(self) -> str:
        """SQL of how many are behind rows, of each unit the fewest."""
        counted = [f"count(DISTINCT {unit})" for unit in self.units] or [f"(count(*) // {FEWEST_ROWS})"]
        return f"least({', '.join(counted)})" if len(counted) > 1 else counted[0]

    def by(self, value: str, *, where: str, most: int) -> tuple[tuple[tuple[str, int], ...], int]:
        """How many rows have each value that enough people have, commonest first; and how many rows that is here."""
        found = self.engine.rows(
            f"SELECT CAST({value} AS VARCHAR) AS _value, count(*) AS _rows FROM {self.relation} WHERE {where} "
            f"GROUP BY {value} HAVING {self.people} >= {self.minimum} ORDER BY _rows DESC, _value LIMIT {most}"
        )
        rows = found["_rows"].to_pylist()
        pairs = zip(found["_value"].to_pylist(), rows, strict=True)
        return tuple((value, self.rounded(n)) for value, n in pairs), sum(rows)

    def missing(self, columns: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Of each column, rows without a value, rounded, 0 where too few people are behind; and rows with one here."""
        parts = []
        for k, column in enumerate(columns):
            absent = f"{name(column)} IS NULL"
            people = [f"count(DISTINCT {unit}) FILTER ({absent})" for unit in self.units]
            people.append(f"count(*) FILTER ({absent}) // {1 if people else FEWEST_ROWS}")
            parts += [f"count(*) FILTER ({absent}) AS n{k}", f"count({name(column)}) AS c{k}"]
            parts.append(f"least({', '.join(people)}) AS p{k}")
        [row] = self.engine.rows(f"SELECT {', '.join(parts)} FROM {self.relation}").to_pylist() if parts else [{}]
        return {
            column: (self.rounded(row[f"n{k}"]) if row[f"p{k}"] >= self.minimum else 0, row[f"c{k}"])
            for k, column in enumerate(columns)
        }

    def many(self, where: str) -> int:
        """How many rows meet a condition; 0 where too few people are behind them."""
        sql = f"SELECT count(*) AS n, {self.people} AS people FROM {self.relation} WHERE {where}"
        [row] = self.engine.rows(sql).to_pylist()
        return self.rounded(row["n"]) if row["people"] >= self.minimum else 0

    def rounded(self, rows: float) -> int:
        """Rows of the whole, rounded."""
        return rounded(rows * self.scale)


def rounded(count: float) -> int:
    """A count to the nearest BASE, at least one BASE."""
    return max(BASE, BASE * round(count / BASE))


def count(
    engine: Engine,
    relation: str,
    *,
    dataset: str,
    minimum: int,
    overlaps: Mapping[str, Mapping[str, int]] | None = None,
) -> SafeCounts:
    """Count a published table. `overlaps`: by index and dataset, about how many entities are shared, as it may be told.

    A long table is counted from a sample of its rows, keys from all of them.
    """
    types = {column: kind for column, kind in engine.columns(relation).items() if column != ROW}
    indexes = [c.removesuffix("_entity") for c in types if c.endswith("_entity") and f"{c[:-7]}_link_method" in types]
    units = tuple(_unit(index) for index in indexes if index in PROTECTED)
    [rows] = engine.rows(f"SELECT count(*) AS n FROM {name(relation)}")["n"].to_pylist()
    sample = f" USING SAMPLE {100 * SAMPLE / rows:.6f} PERCENT (system, 42)" if rows > SAMPLE else ""
    engine.create(SAMPLED, f"SELECT * FROM {name(relation)}{sample}")
    try:
        [seen] = engine.rows(f"SELECT count(*) AS n FROM {SAMPLED}")["n"].to_pylist()
        table = _Table(engine, SAMPLED, units, minimum, rows / max(1, seen))
        payload = {c: kind for c, kind in types.items() if c not in {f"{index}_entity" for index in indexes}}
        missing = table.missing(list(payload))
        columns = tuple(_column(table, column, kind=kind, there=missing[column]) for column, kind in payload.items())
    finally:
        engine.drop(SAMPLED)
    links = tuple(
        _link(_Table(engine, name(relation), units, minimum, 1.0), index, overlaps=(overlaps or {}).get(index, {}))
        for index in indexes
    )
    return SafeCounts(dataset, rounded(rows), minimum, columns, links)


def _unit(index: str) -> str:
    """SQL of the entity of a row that adds to people: one that only deliveries know does not."""
    method = f"starts_with({name(f'{index}_link_method')}, {text(PROVISIONAL)})"
    return f"CASE WHEN NOT {method} THEN {name(f'{index}_entity')} END"


def _column(table: _Table, column: str, *, kind: str, there: tuple[int, int]) -> ColumnCounts:
    """The counts of a column. `there`: rows without a value, as they are told, and with one."""
    value, (missing, held) = name(column), there
    if kind.startswith(("DATE", "TIMESTAMP")):
        years, _ = table.by(f"year({value})", where=f"year({value}) BETWEEN 1 AND 9999", most=VALUES)
        return ColumnCounts(column, kind, missing, years=years)
    if kind == "VARCHAR[]":
        return ColumnCounts(column, kind, missing, _items(table, value))
    number = kind in WHOLE | _BROKEN or kind.startswith("DECIMAL")
    if not number and kind not in ("VARCHAR", "BOOLEAN") and not kind.startswith("ENUM"):
        return ColumnCounts(column, kind, missing)
    short = f"{value} IS NOT NULL" if number else f"length(CAST({value} AS VARCHAR)) <= {LONGEST}"
    values, counted = table.by(value, where=short, most=VALUES)
    if counted == held:
        return ColumnCounts(column, kind, missing, values)
    rest = f"{short} AND CAST({value} AS VARCHAR) NOT IN {texts(v for v, _ in values)}" if values else short
    if number:
        edges, banded = _bands(table, value, where=rest, whole=kind in WHOLE)
        return ColumnCounts(column, kind, missing, values, edges=edges, banded=banded)
    shapes, _ = table.by(_shape(value), where=rest, most=SHAPES)
    return ColumnCounts(column, kind, missing, values, shapes)


def _items(table: _Table, value: str) -> tuple[tuple[str, int], ...]:
    """Items of lists that enough people have."""
    units = "".join(f", {unit} AS _unit_{n}" for n, unit in enumerate(table.units))
    items = f"(SELECT unnest({value}) AS _item{units} FROM {table.relation})"
    inside = tuple(f"_unit_{n}" for n in range(len(table.units)))
    listed = _Table(table.engine, items, inside, table.minimum, table.scale)
    return listed.by("_item", where=f"length(_item) <= {LONGEST}", most=VALUES)[0]


def _shape(value: str) -> str:
    """SQL of a text's shape: capitals as A, small letters as a, digits as 9."""
    shape = f"CAST({value} AS VARCHAR)"
    for pattern, mark in (("[0-9]", "9"), ("\\p{Lu}", "A"), ("\\p{Ll}", "a")):
        shape = f"regexp_replace({shape}, {text(pattern)}, {text(mark)}, 'g')"
    return shape


def _bands(table: _Table, value: str, *, where: str, whole: bool) -> tuple[tuple[float, ...], int]:
    """Edges of bands with enough people in each, one value of each person counted, and the rows between them."""
    number = f"CAST({value} AS DOUBLE)"
    unit = table.units[0] if table.units else None
    source = f"SELECT {number} AS _v{f', {unit} AS _u' if unit else ''} FROM {table.relation} WHERE {where}"
    each = f"SELECT max_by(_v, hash(_v)) AS _v FROM ({source}) WHERE _u IS NOT NULL GROUP BY _u" if unit else source
    counted = f"SELECT {table.people} AS people, count(*) AS n FROM {table.relation} WHERE {where}"
    [row] = table.engine.rows(counted).to_pylist()
    bands = min(BANDS, row["people"] // (2 * table.minimum))
    if bands < 1:
        return (), 0
    at = sorted({0.5 / bands, *(k / bands for k in range(1, bands)), 1 - 0.5 / bands})
    found = table.engine.rows(f"SELECT quantile_cont(_v, {at}) AS edges FROM ({each}) WHERE isfinite(_v)")
    edges = rounded_edges(found["edges"][0].as_py() or [], whole=whole)
    return (edges, table.rounded(row["n"])) if len(edges) > 1 else ((), 0)


def rounded_edges(edges: Sequence[float], *, whole: bool) -> tuple[float, ...]:
    """Edges to two digits of what they span, so that none is the value of anybody."""
    if not edges or edges[-1] <= edges[0]:
        return ()
    step = 10.0 ** (math.floor(math.log10(edges[-1] - edges[0])) - 1)
    step = max(1.0, step) if whole else step
    return tuple(sorted({round(round(e / step) * step, 10) for e in edges}))


def _link(table: _Table, index: str, *, overlaps: Mapping[str, int]) -> LinkCounts:
    entity = name(f"{index}_entity")
    linked = table.many(f"{entity} IS NOT NULL")
    if not linked:
        return LinkCounts(index, 0, 0)
    mine = f"SELECT {entity} FROM {table.relation} WHERE {entity} IS NOT NULL"
    [entities] = table.engine.rows(f"SELECT count(DISTINCT {entity}) AS n FROM ({mine})")["n"].to_pylist()
    return LinkCounts(index, linked, rounded(entities) if entities >= table.minimum else 0, overlaps)
