"""How the values of a variable become those of a concept, as SQL: an expression that any query may hold."""

from itertools import pairwise

from integrated_data.model.concepts import Concept, ConceptMapping
from integrated_data.vocabulary.sql import name, text


def recode_sql(mapping: ConceptMapping, concept: Concept) -> str:
    """An expression over the variable that gives the newest version's code, or the measure in its unit.

    What has no code there is NULL. Codes of an older version go on through every version since.
    """
    column = name(mapping.variable)
    if mapping.factor is not None:
        return column if mapping.factor == 1 else f"{column} * {mapping.factor!r}"
    if mapping.bands:
        bands = sorted(mapping.bands, key=lambda b: -b.least)
        told = [(f"{column} >= {band.least:g}", onward(concept, mapping.version, code=band.code)) for band in bands]
    else:
        held = next(v for v in concept.versions if v.version == mapping.version)
        codes = mapping.codes or {code: code for code in held.codes}
        told = [
            (f"{column}::VARCHAR = {text(own)}", onward(concept, mapping.version, code=code))
            for own, code in codes.items()
        ]
    cases = " ".join(f"WHEN {when} THEN {'NULL' if code is None else text(code)}" for when, code in told)
    return f"CASE {cases} END"


def onward(concept: Concept, version: str, *, code: str) -> str | None:
    """What a code of one version is in the newest; None where nothing stands for it."""
    since = [v.version for v in concept.versions].index(version)
    found: str | None = code or None
    for _, later in pairwise(concept.versions[since:]):
        if found is not None:
            found = later.before.get(found, found if found in later.codes else None)
    return found
