"""The Classification Index: codes of SIC, SOC and ICD-10, each version for itself, what stands above, phrases.

An entity is a code of a scheme, at any level; phrases of one code share it. Which scheme a record speaks
of is told by the meaning and the heading of its columns (`spoken`): industry (SIC), occupation (SOC),
condition (ICD-10). A record gets one entity: its industry's where it has an industry code or text, else its
occupation's, else its condition's; what it says in the others is in its explanation. A code that is known
decides; where none is given or known, the text is coded (see `coder`): a phrase that the index has for one
code alone is that code, others get the likeliest code.

A version holds, beside the files of the ledger and those of the coders (`coder_files`):

    codes.parquet            entity_id, scheme, code, parent (the code above)
    phrases.parquet          scheme, code, phrase, source
    correspondences.parquet  from_scheme, from_code, to_scheme, to_code, weight, counted, source
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index import life
from integrated_data.index.build import Source
from integrated_data.index.link import NO_EVIDENCE, Clock
from integrated_data.index.past import Laid, Remembering
from integrated_data.index.reference import coder, coder_files, correspondences, ledger
from integrated_data.index.reference.coding_reasons import explain
from integrated_data.index.reference.ledger import Edition, Loading
from integrated_data.index.reference.schemes import LEVELS, SCHEMES, Scheme, line_sql, lineage_sql
from integrated_data.index.reference.spoken import Spoken, given_sql, spoken
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import Band, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.sql import name, text
from integrated_data.vocabulary.sql import texts as sql_texts

INDEX = IndexDefinition(
    name="classification",
    title="Classification Index",
    key="activity",
    attributes=(
        Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, Meaning.OCCUPATION_CODE, Meaning.OCCUPATION_TEXT,
        Meaning.CONDITION_CODE,
    ),
    publishes=(
        "classification_scheme", "classification_code", *(f"classification_level_{n}" for n in range(1, LEVELS + 1)),
    ),
    coded=True,
)  # fmt: skip

#: Probability from which a code is accepted, and from which a person looks.
ACCEPT, CLERICAL = 0.80, 0.30
#: Probability of a phrase that the index has, for one code alone. Assumed.
KNOWN_PHRASE = 0.99

BY_CODE, BY_ZERO, BY_CATEGORY = "code", "code, leading zero restored", "category of the code"
BY_PHRASE, BY_TEXT = "known phrase", "text"
NOT_KNOWN, NOT_FOUND = "code not known", "not found"

_WORK = "classification"
_OLD = {
    "codes": "0::BIGINT AS entity_id, '' AS scheme, '' AS code, '' AS parent",
    "phrases": "'' AS scheme, '' AS code, '' AS phrase, '' AS source",
    "correspondences": correspondences.EMPTY,
}
#: Schemes whose codes begin with zeros that get lost, and those where a category stands for its codes.
_ZEROS, _GENERAL = (tuple(s.name for s in SCHEMES if s.zeros), tuple(s.name for s in SCHEMES if s.general))
_TABLES = (
    "told", "codes", "new", "phrases", "correspondences", "asked", "found", "unknown", "texts", "ranked", "saying",
    "coded", *ledger.MADE,
)  # fmt: skip


@dataclass(frozen=True)
class ClassificationIndex(Remembering):
    """See `index.seat.Seat`."""

    definition: IndexDefinition = INDEX

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """See `Seat.add`. A record gives a code and perhaps a phrase for it; `unread` counts records
        without a code of its scheme's form. A source that comes again replaces what it said before.
        """
        before = ledger.open_edition(INDEX, previous) if previous else None
        engine, clock = tools.engine, Clock()
        source = Source(addition.source, addition.records, addition.recorded_at)
        loading = Loading(INDEX, before, source, folder, _WORK)
        try:
            with clock.step("read"):
                ledger.refuse_repeated_ids(engine, source)
                _load(engine, before)
                parts = spoken(engine, addition.records, behind=addition.columns, known=f"{_WORK}_old_codes")
                engine.create(f"{_WORK}_told", _told_sql(engine, addition.records, parts=parts))
                _refuse_without_codes(engine, source)
            folder.mkdir(mode=0o700, parents=True)
            with clock.step("number"):
                created = _number(engine, loading)
                engine.create(f"{_WORK}_correspondences", correspondences.said_sql(engine, addition, work=_WORK))
            with clock.step("train"):
                coefficients = _train(engine, before, source=source, folder=folder)
            with clock.step("write"):
                written = ledger.write(engine, loading, also=_above_sql())
                for file in _OLD:
                    engine.save(f"SELECT * FROM {_WORK}_{file}", folder / f"{file}.parquet", sealed=True)
            ledger.finish(loading, {**written, "coefficients": coefficients})
            records, read = _count(engine, source.records), _count(engine, f"{_WORK}_map")
            report = {"source": source.name, "records": records, "unread": records - read, "created": created}
            report |= {"schemes": [f"{p.scheme.name}{'' if p.told else ' (by its codes)'}" for p in parts if p.column]}
            return report | {"entities": written["entities"], "events": written["events"], "seconds": clock.seconds}
        finally:
            _drop(engine)

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`. Several records may be one code; `one_to_one` and `models` are not used."""
        edition, engine, clock = ledger.open_edition(INDEX, folder), tools.engine, Clock()
        try:
            with clock.step("codes"):
                edition.load(engine, f"{_WORK}_old", *_OLD)
                engine.create(f"{_WORK}_asked", _asked_sql(engine, edition, matching=matching))
                engine.create(f"{_WORK}_found", _found_sql())
            with clock.step("texts"):
                coders = _code_texts(engine, edition)
            engine.create(matching.out, _links_sql())
            if matching.explain is not None:
                explain(engine, coders, work=_WORK, out=matching.explain)
        finally:
            _drop(engine)
        report: dict[str, Any] = engine.rows(
            f"SELECT count(*) AS records, count(*) FILTER (band = {text(Band.ACCEPT)}) AS accepted, "
            f"count(*) FILTER (band = {text(Band.CLERICAL)}) AS clerical FROM {name(matching.out)}"
        ).to_pylist()[0]
        methods = engine.rows(f"SELECT method, count(*) AS n FROM {name(matching.out)} GROUP BY method ORDER BY method")
        report["explained"] = matching.explain is not None
        return {**report, "methods": {m["method"]: m["n"] for m in methods.to_pylist()}, "seconds": clock.seconds}

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:
        """See `Seat.published`: the scheme and the code of each entity, and the code at each level from the top."""
        ledger.open_edition(INDEX, folder).load(engine, relation, "codes")
        scheme, code, *levels = INDEX.publishes
        listed = ", ".join(f"line[{number}] AS {level}" for number, level in enumerate(levels, start=1))
        engine.create(f"{relation}_lines", line_sql(f"{relation}_codes"))
        engine.view(
            relation, f"SELECT entity_id, scheme AS {scheme}, code AS {code}, {listed} FROM {name(f'{relation}_lines')}"
        )
        return INDEX.publishes

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.members`."""
        ledger.members(engine, INDEX, folder=folder, relation=relation)

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """See `Seat.laid`."""
        return ledger.laid(engine, INDEX, folder=folder, prefix=prefix)


CLASSIFICATION = ClassificationIndex()


def _load(engine: Engine, before: Edition | None) -> None:
    ledger.load_previous(engine, before, work=_WORK)
    if before is not None:
        before.load(engine, f"{_WORK}_old", *_OLD)
        return
    for file, columns in _OLD.items():
        engine.view(f"{_WORK}_old_{file}", f"SELECT {columns} WHERE FALSE")


def _told_sql(engine: Engine, records: str, *, parts: list[Spoken]) -> str:
    """One row per record and scheme it has a code of: record_id, place, family, scheme, code, phrase, parent.

    A spreadsheet takes the zero off `01110`. Where a source has five-digit industry codes but none that
    begins with zero, a code of four digits that no longer code begins with gets it back.
    """
    columns = engine.columns(records)
    above = next((c for c in columns if c.lower() in ("parent_code", "parent")), None)
    cases = " ".join(
        f"WHEN scheme = {text(s.name)} THEN {s.written(name(above) + '::VARCHAR') if above else 'NULL'}"
        for s in SCHEMES
    )
    parents = f"SELECT *, {name(above)} FROM given JOIN {name(records)} USING (record_id)" if above else "FROM given"
    zeros = f"scheme IN {sql_texts(_ZEROS)} AND regexp_full_match(given, '[0-9]{{"
    return f"""
        WITH given AS MATERIALIZED (
            SELECT DISTINCT ON (record_id, scheme) * FROM ({given_sql(parts, records)}) WHERE code IS NOT NULL
            ORDER BY record_id, scheme, place),
        whole AS (SELECT scheme, code FROM given WHERE {zeros}5}}')),
        lost AS (SELECT scheme FROM whole GROUP BY scheme HAVING NOT bool_or(code[1] = '0'))
        SELECT record_id, place, family, scheme, phrase, nullif(CASE {cases} END, code)::VARCHAR AS parent, CASE
            WHEN {zeros}4}}') AND scheme IN (FROM lost)
                 AND (scheme, code) NOT IN (SELECT (scheme, left(code, 4)) FROM whole) THEN '0' || code
            ELSE code END AS code
        FROM ({parents})"""


def _refuse_without_codes(engine: Engine, source: Source) -> None:
    if _count(engine, f"{_WORK}_told") == 0:
        raise IndexRefusal(
            f"Source {source.name} was not loaded",
            why="No record holds a code of SIC, SOC or ICD-10",
            next_step="Say in its contract which column means industry_code, occupation_code or condition_code",
        )


def _number(engine: Engine, loading: Loading) -> int:
    """Tables of codes, and those of `ledger.enter`; known codes keep their id, the others get one: returns how many."""
    lines = " UNION ALL ".join(
        f"SELECT {text(s.name)} AS scheme, * FROM ({lineage_sql(s, _codes_told_sql(s))})" for s in SCHEMES
    )
    engine.create(
        f"{_WORK}_new",
        f"SELECT row_number() OVER (ORDER BY scheme, code) AS place, * FROM ({lines}) AS l "
        f"WHERE NOT EXISTS (SELECT 1 FROM {_WORK}_old_codes AS o WHERE o.scheme = l.scheme AND o.code = l.code)",
    )
    created = life.draw(engine, f"{_WORK}_new", entities=f"{_WORK}_old_entities", out=f"{_WORK}_fresh")
    engine.create(
        f"{_WORK}_codes",
        f"SELECT entity_id, scheme, code, parent FROM {_WORK}_old_codes UNION ALL "
        f"SELECT entity_id, scheme, code, parent FROM {_WORK}_new JOIN {_WORK}_fresh USING (place)",
    )
    ledger.enter_known(
        engine,
        loading,
        records="SELECT DISTINCT ON (t.record_id) t.record_id, c.entity_id, "
        "md5(row(t.scheme, t.code, t.phrase)::VARCHAR) AS print "
        f"FROM {_WORK}_told AS t JOIN {_WORK}_codes AS c ON c.scheme = t.scheme AND c.code = t.code "
        "ORDER BY t.record_id, t.place",
    )
    return created


def _above_sql() -> str:
    """Entities of the codes above those that some record says, and of codes that correspond to others."""
    return f"""
        WITH RECURSIVE said AS (
            SELECT c.scheme, c.parent, c.code FROM {_WORK}_codes AS c SEMI JOIN {_WORK}_attributes AS a
            ON a.entity_id = c.entity_id AND a.recorded_to IS NULL
            UNION SELECT c.scheme, c.parent, c.code FROM {_WORK}_codes AS c JOIN {_WORK}_correspondences AS o
            ON (c.scheme = o.from_scheme AND c.code = o.from_code) OR (c.scheme = o.to_scheme AND c.code = o.to_code)),
        up AS (
            SELECT scheme, unnest([code, parent]) AS code FROM said
            UNION SELECT c.scheme, c.parent FROM {_WORK}_codes AS c JOIN up USING (scheme, code))
        SELECT c.entity_id FROM {_WORK}_codes AS c SEMI JOIN up USING (scheme, code)"""


def _codes_told_sql(scheme: Scheme) -> str:
    return f"(SELECT code, parent FROM {_WORK}_told WHERE scheme = {text(scheme.name)})"


def _train(engine: Engine, before: Edition | None, *, source: Source, folder: Path) -> dict[str, tuple[float, ...]]:
    """Table of phrases, and coders of the schemes whose phrases changed; returns all coefficients.

    Only phrases of codes that no other code stands below are learned from.
    """
    told = (
        f"SELECT DISTINCT scheme, code, phrase, {text(source.name)} AS source FROM {_WORK}_told "
        "WHERE phrase IS NOT NULL"
    )
    engine.create(
        f"{_WORK}_phrases",
        f"{told} UNION ALL SELECT scheme, code, phrase, source FROM {_WORK}_old_phrases "
        f"WHERE source <> {text(source.name)}",
    )
    changed = [
        row["scheme"]
        for row in engine.rows(
            f"SELECT DISTINCT scheme FROM (({told} EXCEPT FROM {_WORK}_old_phrases) UNION ALL "
            f"(SELECT * FROM {_WORK}_old_phrases WHERE source = {text(source.name)} EXCEPT ({told}))) ORDER BY scheme"
        ).to_pylist()
    ]
    coders: dict[str, coder.Coder] = {}
    for scheme in changed:
        learned = engine.rows(
            f"SELECT DISTINCT phrase, code FROM {_WORK}_phrases AS p WHERE scheme = {text(scheme)} AND NOT EXISTS "
            f"(SELECT 1 FROM {_WORK}_codes AS c WHERE c.scheme = p.scheme AND c.parent = p.code) ORDER BY code, phrase"
        )
        if learned.num_rows:
            lines = coder_files.lines(engine, f"{_WORK}_codes", scheme=scheme)
            coders[scheme] = coder.train(learned["phrase"].to_pylist(), learned["code"].to_pylist(), lines=lines)
    coder_files.save(engine, coders, old=before.folder if before else None, changed=changed, folder=folder)
    kept: Mapping[str, Any] = before.about["coefficients"] if before else {}
    return {s: tuple(c) for s, c in kept.items() if s not in changed} | {s: c.coefficients for s, c in coders.items()}


def _asked_sql(engine: Engine, edition: Edition, *, matching: Matching) -> str:
    """One row per record and family: record_id, place, family, scheme, code, given, phrase.

    Of a record that says nothing one row, with all but the first NULL.
    """
    parts = spoken(
        engine,
        matching.records,
        behind=matching.columns,
        known=f"{_WORK}_old_codes",
        coded=list(edition.about["coefficients"]),
    )
    return (
        "SELECT r.record_id, g.place, g.family, g.scheme, g.code, g.given, g.phrase "
        f"FROM {name(matching.records)} AS r LEFT JOIN ("
        f"SELECT DISTINCT ON (record_id, family) * FROM ({given_sql(parts, matching.records)}) "
        "ORDER BY record_id, family, code IS NULL, place) AS g ON g.record_id = r.record_id"
    )


def _found_sql() -> str:
    """Codes given that are known: scheme, given, entity_id, method; the first way that finds one counts."""
    zeros, general = sql_texts(_ZEROS), sql_texts(_GENERAL)
    ways = (
        (BY_CODE, "code", "TRUE"),
        (BY_ZERO, "'0' || code", f"scheme IN {zeros} AND regexp_full_match(given, '[0-9]{{4}}')"),
        (BY_CATEGORY, "left(code, 3)", f"scheme IN {general} AND length(code) > 3"),
    )
    tried = " UNION ALL ".join(
        f"SELECT scheme, given, {way} AS way, {text(method)} AS method, {code} AS code FROM asked WHERE {where}"
        for way, (method, code, where) in enumerate(ways)
    )
    return f"""
        WITH asked AS (SELECT DISTINCT scheme, given, code FROM {_WORK}_asked WHERE code IS NOT NULL)
        SELECT DISTINCT ON (t.scheme, t.given) t.scheme, t.given, c.entity_id, t.method FROM ({tried}) AS t
        JOIN {_WORK}_old_codes AS c ON c.scheme = t.scheme AND c.code = t.code ORDER BY t.scheme, t.given, t.way"""


def _code_texts(engine: Engine, edition: Edition) -> dict[str, coder.Coder]:
    """Table `coded`: scheme, phrase, entity_id, probability, method, of phrases whose code is not known.

    Returns the coders that were asked.
    """
    coders: dict[str, coder.Coder] = {}
    engine.create(
        f"{_WORK}_texts",
        f"SELECT DISTINCT a.scheme, a.phrase FROM {_WORK}_asked AS a LEFT JOIN {_WORK}_found AS f "
        "ON f.scheme = a.scheme AND f.given = a.given WHERE a.phrase IS NOT NULL AND f.entity_id IS NULL",
    )
    engine.create(
        f"{_WORK}_saying",
        f"SELECT scheme, phrase, any_value(code) AS code FROM {_WORK}_old_phrases GROUP BY ALL "
        "HAVING count(DISTINCT code) = 1",
    )
    unknown = f"SELECT * FROM {_WORK}_texts ANTI JOIN {_WORK}_saying USING (scheme, phrase) ORDER BY scheme, phrase"
    asked = engine.rows(unknown).to_pylist()
    rows: list[dict[str, Any]] = []
    for scheme, coefficients in edition.about["coefficients"].items():
        phrases = [row["phrase"] for row in asked if row["scheme"] == scheme]
        if phrases:
            coders[scheme] = coder_files.load(engine, edition.folder, scheme=scheme, coefficients=coefficients)
            rows += _best(coders[scheme], phrases, scheme=scheme)
    held = [("scheme", pa.string()), ("phrase", pa.string()), ("code", pa.string()), ("probability", pa.float64())]
    engine.load(f"{_WORK}_ranked", Held(pa.Table.from_pylist(rows, schema=pa.schema(held))))
    engine.create(
        f"{_WORK}_coded",
        f"SELECT s.scheme, s.phrase, c.entity_id, s.probability, s.method FROM (SELECT *, {text(BY_TEXT)} AS method "
        f"FROM {_WORK}_ranked UNION ALL SELECT scheme, phrase, code, {KNOWN_PHRASE}, {text(BY_PHRASE)} "
        f"FROM {_WORK}_texts JOIN {_WORK}_saying USING (scheme, phrase)) AS s "
        f"JOIN {_WORK}_old_codes AS c ON c.scheme = s.scheme AND c.code = s.code",
    )
    return coders


def _best(trained: coder.Coder, phrases: list[str], *, scheme: str) -> list[dict[str, Any]]:
    ranking = coder.rank(trained, phrases)
    return [
        {"scheme": scheme, "phrase": phrase, "code": trained.codes[code], "probability": chance}
        for phrase, code, chance in zip(
            phrases, ranking.codes[:, 0].tolist(), ranking.probability[:, 0].tolist(), strict=True
        )
    ]


def _links_sql() -> str:
    accept, clerical, none = text(Band.ACCEPT), text(Band.CLERICAL), text(Band.NONE)
    return f"""
        SELECT record_id, CASE WHEN band = {accept} THEN entity_id END AS entity_id,
               CASE WHEN band <> {none} THEN entity_id END AS candidate_id, probability, band, method
        FROM (SELECT DISTINCT ON (record_id) *, CASE WHEN probability >= {ACCEPT} THEN {accept}
                          WHEN probability >= {CLERICAL} THEN {clerical}
                             ELSE {none} END AS band
              FROM (SELECT a.record_id, a.place, coalesce(f.entity_id, c.entity_id) AS entity_id,
                           CASE WHEN f.entity_id IS NOT NULL THEN 1.0::DOUBLE ELSE coalesce(c.probability, 0.0)::DOUBLE
                           END AS probability,
                           CASE WHEN f.entity_id IS NOT NULL THEN f.method WHEN c.entity_id IS NOT NULL THEN c.method
                                WHEN a.phrase IS NOT NULL THEN {text(NOT_FOUND)}
                                WHEN a.given IS NOT NULL THEN {text(NOT_KNOWN)}
                                ELSE {text(NO_EVIDENCE)} END AS method
                    FROM {_WORK}_asked AS a
                    LEFT JOIN {_WORK}_found AS f ON f.scheme = a.scheme AND f.given = a.given
                    LEFT JOIN {_WORK}_coded AS c ON c.scheme = a.scheme AND c.phrase = a.phrase)
              ORDER BY record_id, place)"""


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)}")["n"][0].as_py())


def _drop(engine: Engine) -> None:
    engine.drop(*(f"{_WORK}_{t}" for t in _TABLES), *(f"{_WORK}_old_{file}" for file in _OLD))
