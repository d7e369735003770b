"""Trained coders as files of an index version, one set of rows for each classification scheme.

    entries.parquet  scheme, number, phrase, code: what was learned from, in order
    weights.parquet  scheme, part, feature, column, weight: regressions, by words, letters and levels above

What else a coder holds is counted again from its entries. Coefficients are numbers without personal data;
they stand in `about.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.reference.coder import PARTS, Coder, restored
from integrated_data.index.reference.schemes import line_sql
from integrated_data.vocabulary.sql import name, text, texts

_SCHEME = ("scheme", pa.string())
_FILES = {
    "entries": pa.schema([_SCHEME, ("number", pa.int32()), ("phrase", pa.string()), ("code", pa.string())]),
    "weights": pa.schema(
        [_SCHEME, ("part", pa.int32()), ("feature", pa.int32()), ("column", pa.int32()), ("weight", pa.float32())]
    ),
}


def save(engine: Engine, coders: dict[str, Coder], *, old: Path | None, changed: Sequence[str], folder: Path) -> None:
    """Write the coders of the schemes that changed, and carry those of the others over from `old`."""
    for file, schema in _FILES.items():
        fresh = [_rows(scheme, coder)[file] for scheme, coder in coders.items()]
        engine.load("coder_fresh", Held(pa.concat_tables([schema.empty_table(), *fresh])))
        rows = "SELECT * FROM coder_fresh"
        if old is not None:
            engine.load("coder_old", Stored((old / f"{file}.parquet",)))
            rows += f" UNION ALL SELECT * FROM coder_old WHERE scheme NOT IN {texts(changed)}"
        engine.save(f"SELECT * FROM ({rows}) ORDER BY scheme", folder / f"{file}.parquet", sealed=True)
        engine.drop("coder_fresh", "coder_old")


def load(engine: Engine, folder: Path, *, scheme: str, coefficients: Sequence[float]) -> Coder:
    """The coder of one scheme."""
    found: dict[str, pa.Table] = {}
    for file in (*_FILES, "codes"):
        engine.load("coder_file", Stored((folder / f"{file}.parquet",)))
        if file == "codes":
            above = lines(engine, "coder_file", scheme=scheme)
        else:
            order = " ORDER BY number" if file == "entries" else ""
            found[file] = engine.rows(
                f"SELECT * EXCLUDE (scheme) FROM {name('coder_file')} WHERE scheme = {text(scheme)}{order}"
            )
        engine.drop("coder_file")
    entries, weights = found["entries"], found["weights"]
    pairs = list(zip(entries["phrase"].to_pylist(), entries["code"].to_pylist(), strict=True))
    return restored(pairs, _matrices(weights), lines=above, coefficients=coefficients)


def lines(engine: Engine, codes: str, *, scheme: str) -> Mapping[str, Sequence[str]]:
    """Of each code of a scheme those above it, the nearest first. `codes`: entity_id, scheme, code, parent."""
    rows = engine.rows(f"SELECT code, line FROM ({line_sql(codes)}) WHERE scheme = {text(scheme)}").to_pylist()
    return {row["code"]: row["line"][-2::-1] for row in rows}


def _rows(scheme: str, coder: Coder) -> dict[str, pa.Table]:
    learned = coder.learned
    codes = [coder.codes[label] for label in learned.labels.tolist()]
    parts = [m.tocoo() for m in (*learned.weights, *learned.above)]
    held = {
        "entries": (np.arange(len(codes)), coder.entries, codes),
        "weights": (
            np.concatenate([np.full(len(m.data), part) for part, m in enumerate(parts)]),
            np.concatenate([m.row for m in parts]),
            np.concatenate([m.col for m in parts]),
            np.concatenate([m.data for m in parts]),
        ),
    }
    return {
        file: pa.table(
            [pa.array([scheme] * len(values[0]), pa.string()), *(
                pa.array(value).cast(field.type) for value, field in zip(values, list(_FILES[file])[1:], strict=True)
            )],
            schema=_FILES[file],
        )
        for file, values in held.items()
    }  # fmt: skip


def _matrices(weights: pa.Table) -> list[sparse.coo_matrix]:
    """The regressions in order; `restored` gives each its shape."""
    part = weights["part"].to_numpy()
    columns = [weights[c].to_numpy() for c in ("weight", "feature", "column")]
    found = []
    for number in range(PARTS):
        value, feature, column = (c[part == number] for c in columns)
        size = (int(feature.max(initial=0)) + 1, int(column.max(initial=0)) + 1)
        found.append(sparse.coo_matrix((value, (feature, column)), size))
    return found
