"""Thousands of small tables, as a department that publishes counts by area hands them in; some of them broken.

Each is a file of its own, of some tens or hundreds of rows, in one of the forms that people write. Which are
broken and how is written apart, as truth.
"""

import gzip
import json
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.specimen.broken import BROKEN
from integrated_data.specimen.chance import stream
from integrated_data.specimen.writing import write_parquet

#: Share of files that are broken, and rows of a table: the median, and how far they spread (log-normal).
SHARE, MEDIAN, SPREAD, MOST_ROWS = 0.01, 150, 0.9, 5_000

_TOPICS = (
    "road_collisions", "school_absence", "benefit_claims", "crime_recorded", "house_sales", "births", "deaths",
    "gp_appointments", "recycling", "bus_journeys", "vacancies", "court_cases", "fire_calls", "library_loans",
    "energy_use", "rents", "apprenticeships", "dental_visits", "noise_complaints", "air_quality",
)  # fmt: skip
_AGES = ("0-15", "16-24", "25-49", "50-64", "65+")
_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%b-%Y")


def write_small_tables(folder: Path, *, count: int = 2_000, seed: int = 1, share: float = SHARE) -> pa.Table:
    """Write `folder/deliveries/…` and `folder/truth/small_tables.parquet`; returns that table.

    One row a file: dataset, file, rows, broken (how, or null). The same seed gives the same bytes. Raises
    ValueError for a share that is none, or no table.
    """
    if count < 1 or not 0.0 <= share <= 1.0:
        raise ValueError("There must be at least one table, and a share between 0 and 1.")
    rng, told = stream(seed, "small tables"), []
    deliveries = folder / "deliveries"
    for place in (deliveries, folder / "truth"):
        place.mkdir(parents=True, exist_ok=True)
    broken = set(rng.permutation(count)[: round(share * count)].tolist())
    ways = list(BROKEN)
    turn = 0
    for number in range(count):
        dataset = f"{_TOPICS[number % len(_TOPICS)]}_{number:05d}"
        table, day = _table(rng), _DAYS[int(rng.integers(len(_DAYS)))]
        way = None
        if number in broken:
            way = ways[turn % len(ways)]
            turn += 1
            ending, data = BROKEN[way](_csv(table, day, delimiter=",").encode())
        else:
            ending, data = _FORMS[int(rng.integers(len(_FORMS)))](table, day)
        file = f"{dataset}{ending}"
        (deliveries / file).write_bytes(data)
        told.append({"dataset": dataset, "file": file, "rows": table.num_rows, "broken": way})
    shape = pa.schema([("dataset", pa.string()), ("file", pa.string()), ("rows", pa.int64()), ("broken", pa.string())])
    truth = pa.Table.from_pylist(told, schema=shape)
    write_parquet(folder / "truth" / "small_tables.parquet", truth)
    return truth


def _table(rng: np.random.Generator) -> pa.Table:
    """Counts and rates by area, day and group."""
    rows = int(np.clip(MEDIAN * np.exp(SPREAD * rng.standard_normal()), 20, MOST_ROWS))
    days = np.datetime64("2015-01-01") + rng.integers(0, 3_600, rows)
    return pa.table({
        "area_code": [f"E0{n}" for n in (6_000_001 + rng.integers(0, 330, rows)).tolist()],
        "day": pa.array(days.astype("datetime64[D]")),
        "sex": np.array(("F", "M"))[rng.integers(0, 2, rows)],
        "age_band": np.array(_AGES)[rng.integers(0, len(_AGES), rows)],
        "count": rng.integers(0, 5_000, rows),
        "rate": np.round(rng.random(rows) * 100, 2),
        **{f"amount_{i}": np.round(rng.random(rows) * 1_000, 2) for i in range(int(rng.integers(0, 7)))},
    })  # fmt: skip


def _columns(table: pa.Table, day: str) -> list[list[str]]:
    return [
        [v.strftime(day) if hasattr(v, "strftime") else str(v) for v in column.to_pylist()] for column in table.columns
    ]


def _csv(table: pa.Table, day: str, *, delimiter: str) -> str:
    out = StringIO()
    out.write(delimiter.join(table.column_names) + "\n")
    for row in zip(*_columns(table, day), strict=True):
        out.write(delimiter.join(row) + "\n")
    return out.getvalue()


def _comma(table: pa.Table, day: str) -> tuple[str, bytes]:
    return ".csv", _csv(table, day, delimiter=",").encode()


def _tab(table: pa.Table, day: str) -> tuple[str, bytes]:
    return ".tsv", _csv(table, day, delimiter="\t").encode()


def _semicolon(table: pa.Table, day: str) -> tuple[str, bytes]:
    return ".csv", _csv(table, day, delimiter=";").encode("utf-8-sig")


def _wide(table: pa.Table, day: str) -> tuple[str, bytes]:
    return ".txt", _csv(table, day, delimiter="|").encode("utf-16")


def _packed(table: pa.Table, day: str) -> tuple[str, bytes]:
    return ".csv.gz", gzip.compress(_csv(table, day, delimiter=",").encode(), mtime=0)


def _lines(table: pa.Table, day: str) -> tuple[str, bytes]:
    rows = zip(*_columns(table, day), strict=True)
    lines = (json.dumps(dict(zip(table.column_names, row, strict=True))) for row in rows)
    return ".jsonl", ("\n".join(lines) + "\n").encode()


def _parquet(table: pa.Table, _day: str) -> tuple[str, bytes]:
    out = BytesIO()
    pq.write_table(table, out)
    return ".parquet", out.getvalue()


#: How files are written; plain commas are commonest.
_FORMS: tuple[Callable[[pa.Table, str], tuple[str, bytes]], ...] = (
    _comma, _comma, _comma, _comma, _tab, _semicolon, _wide, _packed, _lines, _parquet,
)  # fmt: skip
