"""The synthetic twin of a table: rows drawn from its safe counts, each column by itself.

A function of counts, a seed and the keys of other twins: it is never given the table. Whatever two tables
have the same safe counts have the same twin. Values that few have are replaced by others of the column;
values stand together by chance alone. Keys stand for synthetic entities which twins share about as
often as the counts say that their tables do.
"""

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.publish.safe_counts import WHOLE, ColumnCounts, LinkCounts, SafeCounts

#: Most rows of a twin.
MOST = 10_000

Keys = NDArray[np.int64]

_TYPES = {
    "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INTEGER": pa.int32(), "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(), "USMALLINT": pa.uint16(), "UINTEGER": pa.uint32(), "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(), "DATE": pa.date32(), "VARCHAR[]": pa.list_(pa.string()),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}  # fmt: skip

#: Characters that stand for those of a shape; the letters are few, so that no word comes of them.
_DRAWN = {"A": "BCDFGHJKLMNPQRSTVWXZ", "a": "bcdfghjklmnpqrstvwxz", "9": "0123456789"}


def build(counts: SafeCounts, *, seed: int, others: Mapping[str, Mapping[str, Keys]] | None = None) -> pa.Table:
    """The twin: for each index `<index>_key`, its probability and method, then the other columns.

    `others`: keys of other datasets' twins, by index and dataset. At most `MOST` rows.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{seed}/{counts.dataset}".encode()).digest()[:8]))
    rows = min(MOST, counts.rows)
    known = {column.name: column for column in counts.columns}
    made: dict[str, pa.Array] = {}
    for link in counts.links:
        keys, linked = _keys(link, counts, rows=rows, rng=rng, others=(others or {}).get(link.index, {}))
        made[f"{link.index}_key"] = keys
        for suffix in ("_link_probability", "_link_method"):
            column = known.pop(f"{link.index}{suffix}", None)
            if column is not None:
                made[column.name] = _values(column, linked=linked, rows=rows, rng=rng)
    for column in known.values():
        made[column.name] = _values(column, linked=None, rows=rows, rng=rng)
    return pa.table(made)


def _keys(
    link: LinkCounts, counts: SafeCounts, *, rows: int, rng: np.random.Generator, others: Mapping[str, Keys]
) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Keys of the rows, and which rows have one."""
    share = min(1.0, link.linked / counts.rows)
    wanted = round(rows * share)
    many = min(wanted, round(wanted * link.entities / max(1, link.linked)))
    if not many:
        return pa.nulls(rows, pa.int64()), np.zeros(rows, bool)
    entities = _entities(link, many, rng=rng, others=others)
    given = np.concatenate([entities, rng.choice(entities, wanted - many)])
    linked = np.zeros(rows, bool)
    linked[rng.permutation(rows)[:wanted]] = True
    column = np.zeros(rows, np.int64)
    column[linked] = rng.permutation(given)
    return pa.array(column, mask=~linked), linked


def _entities(link: LinkCounts, many: int, *, rng: np.random.Generator, others: Mapping[str, Keys]) -> Keys:
    """Keys of this table's entities: of each other twin's about the share that the counts say, the rest new."""
    chosen: Keys = np.empty(0, np.int64)
    for dataset, shared in sorted(link.overlaps.items(), key=lambda item: (-item[1], item[0])):
        theirs = others.get(dataset)
        if theirs is None or not shared:
            continue
        aim = min(many, round(many * min(1.0, shared / link.entities)))
        free = np.setdiff1d(theirs, chosen)
        need = min(aim - int(np.isin(chosen, theirs).sum()), many - len(chosen), len(free))
        if need > 0:
            chosen = np.concatenate([chosen, rng.choice(free, need, replace=False)])
    taken = np.unique(np.concatenate([chosen, *others.values()])) if others else chosen
    fresh: Keys = np.empty(0, np.int64)
    while len(fresh) < many - len(chosen):
        drawn = np.unique(rng.integers(1, 2**62, many))
        fresh = rng.permutation(np.setdiff1d(drawn, taken))[: many - len(chosen)]
    return np.concatenate([chosen, fresh])


def _values(column: ColumnCounts, *, linked: NDArray[np.bool_] | None, rows: int, rng: np.random.Generator) -> pa.Array:
    """A column. `linked`: the rows that have a value; None: as the counts say of missing ones."""
    kind = arrow_type(column.type)
    bands = max(0, len(column.edges) - 1)
    weights: list[float] = [n for _, n in (*column.values, *column.shapes, *column.years)]
    weights += [column.banded / bands] * bands if bands else []
    total = sum(weights)
    if not total:
        return pa.nulls(rows, kind)
    there = rng.random(rows) >= column.missing / (column.missing + total) if linked is None else linked
    drawn = np.sort(rng.choice(len(weights), int(there.sum()), p=np.array(weights) / total))
    whole = pa.concat_arrays(_parts(column, drawn, kind=kind, rng=rng))
    if pa.types.is_list(kind):
        whole = _lists(whole, rng=rng)
    place = np.zeros(rows, np.int64)
    place[there] = rng.permutation(len(whole))
    return whole.take(pa.array(place, mask=~there))


def _parts(
    column: ColumnCounts, drawn: NDArray[np.int64], *, kind: pa.DataType, rng: np.random.Generator
) -> list[pa.Array]:
    """Values for the numbers that were drawn, which are in order: first values, then shapes, years and bands."""
    inner = kind.value_type if pa.types.is_list(kind) else kind
    ends = np.cumsum([0, len(column.values), len(column.shapes), len(column.years), max(0, len(column.edges) - 1)])
    cut = [drawn[(drawn >= low) & (drawn < high)] - low for low, high in pairwise(ends.tolist())]
    values = pa.array([v for v, _ in column.values], pa.string()).cast(inner)
    numbers, many = np.unique(cut[1], return_counts=True)
    shapes = [
        drawn_text
        for n, times in zip(numbers.tolist(), many.tolist(), strict=True)
        for drawn_text in _of_shape(column.shapes[n][0], times, rng=rng)
    ]
    return [
        values.take(pa.array(cut[0])),
        pa.array(shapes, pa.string()).cast(inner),
        _days([column.years[n][0] for n in cut[2].tolist()], inner, rng=rng),
        _between(column, cut[3], kind=inner, rng=rng),
    ]


def _of_shape(shape: str, many: int, *, rng: np.random.Generator) -> list[str]:
    """So many texts of a shape, a character of all of them at a time."""
    drawn = [rng.choice(list(_DRAWN[c]), many).tolist() if c in _DRAWN else [c] * many for c in shape]
    return ["".join(text) for text in zip(*drawn, strict=True)] if drawn else [""] * many


def _days(years: list[str], kind: pa.DataType, *, rng: np.random.Generator) -> pa.Array:
    if not years:
        return pa.nulls(0, kind)
    first = np.array([f"{int(year):04d}-01-01" for year in years], "datetime64[D]")
    days = first + rng.integers(0, 365, len(years))
    if kind == pa.date32():
        return pa.array(days, pa.date32())
    moments = days.astype("datetime64[s]") + rng.integers(0, 86_400, len(years))
    return pa.array(moments.astype("datetime64[us]")).cast(kind)


def _between(
    column: ColumnCounts, bands: NDArray[np.int64], *, kind: pa.DataType, rng: np.random.Generator
) -> pa.Array:
    if not len(bands):
        return pa.nulls(0, kind)
    edges = np.array(column.edges)
    numbers = rng.uniform(edges[bands], edges[bands + 1])
    if column.type in WHOLE:
        return pa.array(np.rint(numbers).astype(np.int64)).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        return pa.array([f"{n:.{kind.scale}f}" for n in numbers.tolist()], pa.string()).cast(kind)
    return pa.array(numbers).cast(kind)


def _lists(items: pa.Array, *, rng: np.random.Generator) -> pa.Array:
    """One to three items in each row."""
    lengths = rng.integers(1, 4, len(items))
    picked = items.take(pa.array(rng.integers(0, len(items), int(lengths.sum()))))
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()), picked)


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of an engine's type; text where there is none."""
    if kind.startswith("DECIMAL"):
        digits, scale = kind.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return pa.decimal128(int(digits), int(scale))
    if kind.startswith("TIMESTAMP") and kind not in _TYPES:
        return pa.timestamp("us")
    found: Any = _TYPES.get(kind, pa.string())
    return found
