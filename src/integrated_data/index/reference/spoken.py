"""Which classification, in which version, the columns of a source or delivery speak of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integrated_data.engine import Engine
from integrated_data.index.reference.schemes import FAMILIES, SCHEMES, Family, Scheme, told_by
from integrated_data.vocabulary import texts
from integrated_data.vocabulary.sql import name, text


@dataclass(frozen=True)
class Spoken:
    """Codes of one scheme in a column (None: words alone), and whether the heading said so."""

    scheme: Scheme
    column: str | None
    words: str | None
    told: bool = True


def spoken(
    engine: Engine, records: str, *, behind: Mapping[str, Sequence[str]], known: str, coded: Sequence[str] = ()
) -> list[Spoken]:
    """What the columns of `records` speak, in the order in which a record with several is placed.

    A heading with a year tells its version. Without one it is the version of which most of the codes are
    known (`known`: relation scheme, code), and before anything is known the newest. Words are coded in the
    version of the codes beside them where that has a coder (`coded`: schemes with one), else in the newest
    that has. `behind`: delivered columns by meaning.
    """
    held = engine.columns(records)
    found: list[Spoken] = []
    for family in FAMILIES:
        words = str(family.words) if family.words and str(family.words) in held else None
        codes = _codes(engine, records, behind=behind, family=family, known=known)
        found += [Spoken(scheme, column, words, told) for column, scheme, told in codes]
        if words:
            schemes = [s for _, s, _ in codes] + [s for s in SCHEMES if s.family == family]
            best = next((s for s in schemes if s.name in coded), schemes[0])
            if best not in [s for _, s, _ in codes]:
                found.append(Spoken(best, None, words))
    return found


def given_sql(parts: Sequence[Spoken], records: str) -> str:
    """record_id, place, family, scheme, code (written one way, or NULL), given, phrase; rows that say something."""
    if not parts:
        return (
            "SELECT NULL::VARCHAR AS record_id, 0 AS place, '' AS family, '' AS scheme, NULL::VARCHAR AS code, "
            "NULL::VARCHAR AS given, NULL::VARCHAR AS phrase WHERE FALSE"
        )
    each = []
    for place, part in enumerate(parts):
        code = f"nullif(trim({name(part.column)}::VARCHAR), '')" if part.column else "NULL::VARCHAR"
        words = f"nullif(trim({name(part.words)}::VARCHAR), '')" if part.words else "NULL::VARCHAR"
        each.append(
            f"SELECT record_id, {place} AS place, {text(part.scheme.family.key)} AS family, "
            f"{text(part.scheme.name)} AS scheme, {part.scheme.written('code')} AS code, code AS given, "
            f"{texts.phrase_sql('words')} AS phrase "
            f"FROM (SELECT record_id, {code} AS code, {words} AS words FROM {name(records)}) "
            "WHERE code IS NOT NULL OR words IS NOT NULL"
        )
    return " UNION ALL ".join(each)


def _codes(
    engine: Engine, records: str, *, behind: Mapping[str, Sequence[str]], family: Family, known: str
) -> list[tuple[str, Scheme, bool]]:
    """Columns with codes of a family, their scheme and whether the heading told it; each scheme once."""
    held = engine.columns(records)
    meaning = str(family.code)
    delivered = [c for c in behind.get(meaning, ()) if c in held]
    named = [c for c in held if c not in delivered and c != meaning and told_by(c, family)]
    told = {column: scheme for column in (*delivered, *named) if (scheme := told_by(column, family))}
    rest = [c for c in delivered if c not in told]
    if not delivered and meaning in held:
        heading = next(iter(behind.get(meaning, ())), meaning)
        scheme = told_by(heading, family)
        told |= {meaning: scheme} if scheme else {}
        rest = [] if scheme else [meaning]
    found = [(column, scheme, True) for column, scheme in told.items()]
    taken = {scheme.name for scheme in told.values()}
    for column in rest:
        scheme = _most_known(engine, records, column=column, family=family, known=known)
        if scheme.name not in taken:
            found.append((column, scheme, False))
            taken.add(scheme.name)
    found.sort(key=lambda f: SCHEMES.index(f[1]))
    return list({scheme.name: (column, scheme, said) for column, scheme, said in reversed(found)}.values())[::-1]


def _most_known(engine: Engine, records: str, *, column: str, family: Family, known: str) -> Scheme:
    """The version of which most of a column's different codes are known; the newest where none is better."""
    mine = [s for s in SCHEMES if s.family == family]
    if len(mine) == 1:
        return mine[0]
    counts = []
    for scheme in mine:
        codes = f"SELECT DISTINCT {scheme.written(name(column) + '::VARCHAR')} AS code FROM {name(records)}"
        row = engine.rows(
            f"SELECT count(*) AS n FROM ({codes}) SEMI JOIN (SELECT code FROM {name(known)} "
            f"WHERE scheme = {text(scheme.name)}) USING (code)"
        )
        counts.append(int(row["n"][0].as_py()))
    return mine[counts.index(max(counts))]
