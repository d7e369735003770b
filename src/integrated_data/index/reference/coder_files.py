"""Trained coders as files of an index version, one set of rows for each classification scheme.

    entries.parquet   scheme, number, phrase, code: what was learned from, in order
    features.parquet  scheme, part, number, feature: what was seen in it, by words and by letters
    weights.parquet   scheme, part, feature, column, weight: regressions, and then how often an entry has a feature

What else a coder holds is counted again from these. Coefficients are numbers without personal data; they stand
in `about.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.reference.coder import PARTS, Coder, restored
from integrated_data.index.reference.phrases import Counts
from integrated_data.index.reference.schemes import line_sql
from integrated_data.vocabulary.sql import name, text, texts

_SCHEME = ("scheme", pa.string())
_FILES = {
    "entries": pa.schema([_SCHEME, ("number", pa.int32()), ("phrase", pa.string()), ("code", pa.string())]),
    "features": pa.schema([_SCHEME, ("part", pa.int32()), ("number", pa.int32()), ("feature", pa.string())]),
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
            order = " ORDER BY number" if file != "weights" else ""
            found[file] = engine.rows(
                f"SELECT * EXCLUDE (scheme) FROM {name('coder_file')} WHERE scheme = {text(scheme)}{order}"
            )
        engine.drop("coder_file")
    entries, features, weights = found["entries"], found["features"], _matrices(found["weights"])
    pairs = list(zip(entries["phrase"].to_pylist(), entries["code"].to_pylist(), strict=True))
    part = features["part"].to_numpy()
    counted = []
    for number, matrix in enumerate(weights[PARTS:]):
        listed = features["feature"].filter(pa.array(part == number)).to_pylist()
        shape = (len(pairs), len(listed))
        entry_counts = sparse.csr_matrix((matrix.data, (matrix.col, matrix.row)), shape)
        counted.append(Counts({feature: place for place, feature in enumerate(listed)}, entry_counts))
    return restored(pairs, counted, weights=weights[:PARTS], lines=above, coefficients=coefficients)


def lines(engine: Engine, codes: str, *, scheme: str) -> Mapping[str, Sequence[str]]:
    """Of each code of a scheme those above it, the nearest first. `codes`: entity_id, scheme, code, parent."""
    rows = engine.rows(f"SELECT code, line FROM ({line_sql(codes)}) WHERE scheme = {text(scheme)}").to_pylist()
    return {row["code"]: row["line"][-2::-1] for row in rows}


def _rows(scheme: str, coder: Coder) -> dict[str, pa.Table]:
    learned = coder.learned
    codes = [coder.codes[label] for label in learned.labels.tolist()]
    parts = [m.tocoo() for m in (*learned.weights, *(counted.matrix.T for counted in coder.counts))]
    features = [(list(counted.places), part) for part, counted in enumerate(coder.counts)]
    held: dict[str, tuple[Sequence[Any] | np.ndarray[Any, Any], ...]] = {
        "entries": (np.arange(len(codes)), coder.entries, codes),
        "features": (
            np.concatenate([np.full(len(listed), part) for listed, part in features]),
            np.concatenate([np.arange(len(listed)) for listed, _ in features]),
            [feature for listed, _ in features for feature in listed],
        ),
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
    """The regressions, then the counts, turned, in order; each gets its shape where it is used."""
    part = weights["part"].to_numpy()
    columns = [weights[c].to_numpy() for c in ("weight", "feature", "column")]
    found = []
    for number in range(2 * PARTS):
        value, feature, column = (c[part == number] for c in columns)
        size = (int(feature.max(initial=0)) + 1, int(column.max(initial=0)) + 1)
        found.append(sparse.coo_matrix((value, (feature, column)), size))
    return found
