"""Why a description was coded so: ranked codes, the words that speak for each, the entries of the index nearest to it.

Words are those of the index's own vocabulary, so that nothing is shown of a description that no index holds.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.reference.coder import Coder, rank, reason
from integrated_data.vocabulary.sql import text

#: Codes of a description that are explained.
ALTERNATIVES = 3

_COLUMNS = {
    "scheme": pa.string(), "phrase": pa.string(), "code": pa.string(), "place": pa.int32(),
    "probability": pa.float64(), "step": pa.int32(), "comparison": pa.string(), "level": pa.string(),
    "weight": pa.float64(),
}  # fmt: skip


def explain(engine: Engine, coders: Mapping[str, Coder], *, work: str, out: str) -> None:
    """Make table `out`: record_id, candidate_id, place, probability, step, comparison, level, weight, scheme, code.

    Of every record and every classification it speaks of: the code as given (comparison `code`), or the
    likeliest codes of its text; for each the words (weight: share of the word's entries that have the code) and
    the nearest entries (weight: likeness). Reads `<work>_asked`, `<work>_found`, `<work>_texts`,
    `<work>_old_codes` and `<work>_old_phrases`.
    """
    rows: list[dict[str, Any]] = []
    for scheme, coder in coders.items():
        asked = engine.rows(f"SELECT phrase FROM {work}_texts WHERE scheme = {text(scheme)} ORDER BY phrase")
        rows += _rows(coder, asked["phrase"].to_pylist(), scheme=scheme)
    engine.load(f"{work}_reasons", Held(pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS))))
    told = (
        "SELECT a.record_id, f.entity_id AS candidate_id, 1 AS place, 1.0::DOUBLE AS probability, 0 AS step, "
        "'code' AS comparison, f.method AS level, 1.0::DOUBLE AS weight, a.scheme, c.code, a.place AS part "
        f"FROM {work}_asked AS a JOIN {work}_found AS f ON f.scheme = a.scheme AND f.given = a.given "
        f"JOIN {work}_old_codes AS c ON c.entity_id = f.entity_id"
    )
    ranked = (
        "SELECT a.record_id, c.entity_id, r.place, r.probability, r.step, r.comparison, r.level, r.weight, a.scheme, "
        f"r.code, a.place FROM {work}_asked AS a "
        f"JOIN {work}_reasons AS r ON r.scheme = a.scheme AND r.phrase = a.phrase "
        f"JOIN {work}_old_codes AS c ON c.scheme = r.scheme AND c.code = r.code "
        f"ANTI JOIN {work}_found AS f ON f.scheme = a.scheme AND f.given = a.given"
    )
    engine.create(
        out, f"SELECT * EXCLUDE (part) FROM ({told} UNION ALL {ranked}) ORDER BY record_id, part, place, step"
    )
    engine.drop(f"{work}_reasons")


def _rows(coder: Coder, phrases: list[str], *, scheme: str) -> list[dict[str, Any]]:
    ranking = rank(coder, phrases)
    rows: list[dict[str, Any]] = []
    for number, phrase in enumerate(phrases):
        for place in range(min(ALTERNATIVES, ranking.codes.shape[1])):
            code, chance = int(ranking.codes[number, place]), float(ranking.probability[number, place])
            if chance == 0:
                continue
            found = reason(coder, phrase, code=code)
            evidence = [("word", *w) for w in found.words] + [("entry", *e) for e in found.entries]
            about = {
                "scheme": scheme, "phrase": phrase, "code": coder.codes[code], "place": place + 1,
                "probability": chance,
            }  # fmt: skip
            rows += [
                {**about, "step": step, "comparison": kind, "level": said, "weight": weight}
                for step, (kind, said, weight) in enumerate(evidence, start=1)
            ]
    return rows
