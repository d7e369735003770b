"""Trained coders as files of an index version, one set of rows for each classification scheme.

    features.parquet  scheme, feature, place, rarity
    weights.parquet   scheme, feature (place), code, weight
    vectors.parquet   scheme, phrase (number), code, feature (place), value

Coefficients are numbers without personal data; they stand in `about.json`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.reference.coder import Coder, Floats
from integrated_data.vocabulary.sql import name, text, texts

FILES = ("features", "weights", "vectors")
_SCHEME, _PLACE = ("scheme", pa.string()), ("feature", pa.int32())
_EMPTY = {
    "features": pa.schema([_SCHEME, ("feature", pa.string()), ("place", pa.int32()), ("rarity", pa.float32())]),
    "weights": pa.schema([_SCHEME, _PLACE, ("code", pa.string()), ("weight", pa.float32())]),
    "vectors": pa.schema([_SCHEME, ("phrase", pa.int32()), ("code", pa.string()), _PLACE, ("value", pa.float32())]),
}


def save(engine: Engine, coders: dict[str, Coder], *, old: Path | None, changed: Sequence[str], folder: Path) -> None:
    """Write the coders of the schemes that changed, and carry those of the others over from `old`."""
    for file in FILES:
        fresh = [_rows(scheme, coder)[file] for scheme, coder in coders.items()]
        engine.load("coder_fresh", Held(pa.concat_tables([_EMPTY[file].empty_table(), *fresh])))
        rows = "SELECT * FROM coder_fresh"
        if old is not None:
            engine.load("coder_old", Stored((old / f"{file}.parquet",)))
            rows += f" UNION ALL SELECT * FROM coder_old WHERE scheme NOT IN {texts(changed)}"
        engine.save(f"SELECT * FROM ({rows}) ORDER BY scheme", folder / f"{file}.parquet", sealed=True)
        engine.drop("coder_fresh", "coder_old")


def load(engine: Engine, folder: Path, *, scheme: str, coefficients: Sequence[float]) -> Coder:
    """The coder of one scheme."""
    found: dict[str, pa.Table] = {}
    for file in FILES:
        engine.load("coder_file", Stored((folder / f"{file}.parquet",)))
        found[file] = engine.rows(f"SELECT * EXCLUDE (scheme) FROM {name('coder_file')} WHERE scheme = {text(scheme)}")
        engine.drop("coder_file")
    features, weights, vectors = (found[file] for file in FILES)
    places = features["place"].to_numpy()
    rarity = np.zeros(len(places), dtype=np.float32)
    rarity[places] = features["rarity"].to_numpy()
    number, first = np.unique(vectors["phrase"].to_numpy(), return_index=True)
    named = np.array(vectors["code"].to_pylist(), dtype=str)[first]
    codes, labels = np.unique(named, return_inverse=True)
    columns = np.searchsorted(codes, np.array(weights["code"].to_pylist(), dtype=str))
    size = (len(rarity), len(codes))
    row = np.searchsorted(number, vectors["phrase"].to_numpy())
    return Coder(
        features=dict(zip(features["feature"].to_pylist(), places.tolist(), strict=True)),
        rarity=rarity,
        codes=tuple(codes.tolist()),
        weights=sparse.csr_matrix((weights["weight"].to_numpy(), (weights["feature"].to_numpy(), columns)), size),
        phrases=sparse.csr_matrix(
            (vectors["value"].to_numpy(), (row, vectors["feature"].to_numpy())), (len(number), len(rarity))
        ),
        labels=labels.astype(np.int64),
        coefficients=tuple(coefficients),
    )


def _rows(scheme: str, coder: Coder) -> dict[str, pa.Table]:
    codes = np.array(coder.codes)
    weights, vectors = coder.weights.tocoo(), coder.phrases.tocoo()
    columns = {
        "features": (list(coder.features), np.fromiter(coder.features.values(), dtype=np.int32), _places(coder)),
        "weights": (weights.row, codes[weights.col], weights.data),
        "vectors": (vectors.row, codes[coder.labels[vectors.row]], vectors.col, vectors.data),
    }
    return {
        file: pa.table(
            [pa.array([scheme] * len(held[0]), pa.string()), *(
                pa.array(values).cast(field.type) for values, field in zip(held, list(_EMPTY[file])[1:], strict=True)
            )],
            schema=_EMPTY[file],
        )
        for file, held in columns.items()
    }  # fmt: skip


def _places(coder: Coder) -> Floats:
    return coder.rarity[np.fromiter(coder.features.values(), dtype=np.int64)]
