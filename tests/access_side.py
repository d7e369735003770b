"""The analyst's side in small for tests: views of one project, and goldens of two lines each."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.access.views import View
from integrated_data.model.query import QueryLimits

GOLDEN = Path(__file__).parent / "golden"

KEYS = ("person_key", "person_link_probability", "person_link_method")
VIEWS = {
    name: View(name, name, (*KEYS, *columns), ("person",), f"P-1/{name}-1/x.parquet")
    for name, columns in {
        "census": ("sex", "age_band", "birth_year", "region", "weight"),
        "gp": ("condition", "diagnosed", "codes"),
        "lfs": ("status", "income", "hours", "wave", "stratum", "cluster", "weight"),
    }.items()
}


@dataclass(frozen=True)
class Golden:
    """A statement and what is expected of it. ⏎ stands for a new line, ␀ for the character nought."""

    file: str
    statement: str
    expected: str


def goldens(pattern: str) -> Iterator[Golden]:
    """Every two-line golden of the files that match, in order."""
    for place in sorted(GOLDEN.glob(pattern)):
        lines = [x for x in place.read_text(encoding="utf-8").split("\n") if x and not x.startswith("# ")]
        assert len(lines) % 2 == 0, f"{place.name}: a statement without its second line"
        for statement, expected in zip(lines[::2], lines[1::2], strict=True):
            yield Golden(place.stem, statement.replace("⏎", "\n").replace("␀", "\0"), expected)


def write_views(folder: Path) -> None:
    """Small files for every view, under `folder` at the views' places."""
    people = list(range(1, 9))
    probability, method = [0.99] * 8, ["exact"] * 8
    link = dict(zip(KEYS, (people, probability, method), strict=True))
    tables = {
        "census": {
            "sex": ["F", "M"] * 4, "age_band": ["16-24", "25-49", "50-64", "65+"] * 2,
            "birth_year": [1950 + 7 * p for p in people], "region": ["North", "South"] * 4,
            "weight": [1.5] * 8,
        },
        "gp": {
            "condition": ["asthma", "copd"] * 4, "diagnosed": [date(2020, 1, p) for p in people],
            "codes": [["J45", "E11"], ["J44"]] * 4,
        },
        "lfs": {
            "status": ["employed", "inactive"] * 4, "income": [1000.0 * p for p in people],
            "hours": [37.0] * 8, "wave": [1, 2] * 4, "stratum": ["a"] * 8, "cluster": people,
            "weight": [10.0] * 8,
        },
    }  # fmt: skip
    for name, columns in tables.items():
        place = folder / VIEWS[name].place
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({**link, **columns}), place)


def job(sql: str, folder: Path, *, limits: QueryLimits | None = None) -> dict[str, Any]:
    """A job as a worker reads it, over the views' files."""
    views = [{"name": v.name, "columns": list(v.columns), "files": [str(folder / v.place)]} for v in VIEWS.values()]
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return {"sql": sql, "views": views, "limits": asdict(limits or QueryLimits()), "scratch": str(scratch)}
