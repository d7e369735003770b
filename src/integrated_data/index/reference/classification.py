"""The Classification Index: codes of SIC 2007, SOC and ICD-10, what stands above them, and phrases for them.

An entity is a code of a scheme, at any level; phrases of one code share it. Which scheme a record speaks
of is told by the meaning of its columns: industry (SIC 2007), occupation (SOC), condition (ICD-10). A
record gets one entity: its industry's where it has an industry code or text, else its occupation's, else
its condition's. A code that is known decides; where none is given or known, the text is coded (see
`coder`): a phrase that the index has for one code alone is that code, others get the likeliest code.

A version holds, beside the files of the ledger and those of the coders (`coder_files`):

    codes.parquet    entity_id, scheme, code, parent (the code above)
    phrases.parquet  scheme, code, phrase, source
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
from integrated_data.index.reference import coder, coder_files, ledger
from integrated_data.index.reference.ledger import Edition, Loading
from integrated_data.index.reference.schemes import SCHEMES, Scheme, given_sql, lineage_sql
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import Band, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import texts
from integrated_data.vocabulary.sql import name, text

INDEX = IndexDefinition(
    name="classification",
    title="Classification Index",
    key="activity",
    attributes=(
        Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, Meaning.OCCUPATION_CODE, Meaning.OCCUPATION_TEXT,
        Meaning.CONDITION_CODE,
    ),
    publishes=("classification_scheme", "classification_code"),
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
}
_TABLES = (
    "told", "codes", "new", "phrases", "asked", "found", "unknown", "texts", "ranked", "saying", "coded", *ledger.MADE,
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
                engine.create(f"{_WORK}_told", _told_sql(engine, addition.records))
                _refuse_without_codes(engine, source)
            folder.mkdir(mode=0o700, parents=True)
            with clock.step("number"):
                created = _number(engine, loading)
            with clock.step("train"):
                coefficients = _train(engine, before, source=source, folder=folder)
            with clock.step("write"):
                written = ledger.write(engine, loading, also=_above_sql())
                for file in _OLD:
                    engine.save(f"SELECT * FROM {_WORK}_{file}", folder / f"{file}.parquet", sealed=True)
            ledger.finish(loading, {**written, "coefficients": coefficients})
            records, read = _count(engine, source.records), _count(engine, f"{_WORK}_map")
            report = {"source": source.name, "records": records, "unread": records - read, "created": created}
            return report | {"entities": written["entities"], "events": written["events"], "seconds": clock.seconds}
        finally:
            _drop(engine)

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`. Several records may be one code; `one_to_one` and `models` are not used."""
        edition, engine, clock = ledger.open_edition(INDEX, folder), tools.engine, Clock()
        try:
            with clock.step("codes"):
                edition.load(engine, f"{_WORK}_old", *_OLD)
                engine.create(f"{_WORK}_asked", _asked_sql(engine, matching.records))
                engine.create(f"{_WORK}_found", _found_sql())
            with clock.step("texts"):
                _code_texts(engine, edition)
            engine.create(matching.out, _links_sql())
        finally:
            _drop(engine)
        report: dict[str, Any] = engine.rows(
            f"SELECT count(*) AS records, count(*) FILTER (band = {text(Band.ACCEPT)}) AS accepted, "
            f"count(*) FILTER (band = {text(Band.CLERICAL)}) AS clerical FROM {name(matching.out)}"
        ).to_pylist()[0]
        methods = engine.rows(f"SELECT method, count(*) AS n FROM {name(matching.out)} GROUP BY method ORDER BY method")
        return {**report, "methods": {m["method"]: m["n"] for m in methods.to_pylist()}, "seconds": clock.seconds}

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:
        """See `Seat.published`: the scheme and the code of each entity."""
        ledger.open_edition(INDEX, folder).load(engine, relation, "codes")
        scheme, code = INDEX.publishes
        engine.view(relation, f"SELECT entity_id, scheme AS {scheme}, code AS {code} FROM {name(f'{relation}_codes')}")
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


def _given_sql(engine: Engine, records: str) -> str:
    """record_id, place (of the scheme), scheme, code (written one way, or NULL), given, phrase."""
    columns = engine.columns(records)
    return " UNION ALL ".join(
        f"SELECT record_id, {place} AS place, {text(scheme.name)} AS scheme, {scheme.written('code')} AS code, "
        f"code AS given, {texts.phrase_sql('words')} AS phrase FROM ({given_sql(scheme, records, columns=columns)}) "
        "WHERE code IS NOT NULL OR words IS NOT NULL"
        for place, scheme in enumerate(SCHEMES)
    )


def _told_sql(engine: Engine, records: str) -> str:
    """One row per record with a code: record_id, scheme, code, phrase.

    A spreadsheet takes the zero off `01110`. Where a source has five-digit industry codes but none that
    begins with zero, a code of four digits that no longer code begins with gets it back.
    """
    industry = f"scheme = {text(SCHEMES[0].name)} AND regexp_full_match(given, '[0-9]{{"
    return f"""
        WITH given AS MATERIALIZED (
            SELECT DISTINCT ON (record_id) * FROM ({_given_sql(engine, records)}) WHERE code IS NOT NULL
            ORDER BY record_id, place),
        whole AS (SELECT code FROM given WHERE {industry}5}}'))
        SELECT record_id, scheme, phrase, CASE
            WHEN {industry}4}}')
                 AND EXISTS (FROM whole) AND NOT EXISTS (FROM whole WHERE code[1] = '0')
                 AND code NOT IN (SELECT left(code, 4) FROM whole) THEN '0' || code ELSE code END AS code
        FROM given"""


def _refuse_without_codes(engine: Engine, source: Source) -> None:
    if _count(engine, f"{_WORK}_told") == 0:
        raise IndexRefusal(
            f"Source {source.name} was not loaded",
            why="No record holds a code of SIC 2007, SOC or ICD-10",
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
        records=f"SELECT t.record_id, c.entity_id, md5(row(t.scheme, t.code, t.phrase)::VARCHAR) AS print "
        f"FROM {_WORK}_told AS t JOIN {_WORK}_codes AS c ON c.scheme = t.scheme AND c.code = t.code",
    )
    return created


def _above_sql() -> str:
    """Entities of the codes above those that some record says."""
    return f"""
        WITH RECURSIVE up AS (
            SELECT c.scheme, c.parent AS code FROM {_WORK}_codes AS c SEMI JOIN {_WORK}_attributes AS a
            ON a.entity_id = c.entity_id AND a.recorded_to IS NULL
            UNION SELECT c.scheme, c.parent FROM {_WORK}_codes AS c JOIN up USING (scheme, code))
        SELECT c.entity_id FROM {_WORK}_codes AS c SEMI JOIN up USING (scheme, code)"""


def _codes_told_sql(scheme: Scheme) -> str:
    return f"(SELECT code FROM {_WORK}_told WHERE scheme = {text(scheme.name)})"


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
            coders[scheme] = coder.train(learned["phrase"].to_pylist(), learned["code"].to_pylist())
    coder_files.save(engine, coders, old=before.folder if before else None, changed=changed, folder=folder)
    kept: Mapping[str, Any] = before.about["coefficients"] if before else {}
    return {s: tuple(c) for s, c in kept.items() if s not in changed} | {s: c.coefficients for s, c in coders.items()}


def _asked_sql(engine: Engine, records: str) -> str:
    """One row per record: record_id, scheme, code, given, phrase (all but the first NULL where it says nothing)."""
    return (
        f"SELECT r.record_id, g.scheme, g.code, g.given, g.phrase FROM {name(records)} AS r LEFT JOIN "
        f"(SELECT DISTINCT ON (record_id) * FROM ({_given_sql(engine, records)}) ORDER BY record_id, place) AS g "
        "ON g.record_id = r.record_id"
    )


def _found_sql() -> str:
    """Codes given that are known: scheme, given, entity_id, method; the first way that finds one counts."""
    industry, general = text(SCHEMES[0].name), ", ".join(text(s.name) for s in SCHEMES if s.general)
    ways = (
        (BY_CODE, "code", "TRUE"),
        (BY_ZERO, "'0' || code", f"scheme = {industry} AND regexp_full_match(given, '[0-9]{{4}}')"),
        (BY_CATEGORY, "left(code, 3)", f"scheme IN ({general}) AND length(code) > 3"),
    )
    tried = " UNION ALL ".join(
        f"SELECT scheme, given, {way} AS way, {text(method)} AS method, {code} AS code FROM asked WHERE {where}"
        for way, (method, code, where) in enumerate(ways)
    )
    return f"""
        WITH asked AS (SELECT DISTINCT scheme, given, code FROM {_WORK}_asked WHERE code IS NOT NULL)
        SELECT DISTINCT ON (t.scheme, t.given) t.scheme, t.given, c.entity_id, t.method FROM ({tried}) AS t
        JOIN {_WORK}_old_codes AS c ON c.scheme = t.scheme AND c.code = t.code ORDER BY t.scheme, t.given, t.way"""


def _code_texts(engine: Engine, edition: Edition) -> None:
    """Table `coded`: scheme, phrase, entity_id, probability, method, of phrases whose code is not known."""
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
            trained = coder_files.load(engine, edition.folder, scheme=scheme, coefficients=coefficients)
            rows += _best(trained, phrases, scheme=scheme)
    held = [("scheme", pa.string()), ("phrase", pa.string()), ("code", pa.string()), ("probability", pa.float64())]
    engine.load(f"{_WORK}_ranked", Held(pa.Table.from_pylist(rows, schema=pa.schema(held))))
    engine.create(
        f"{_WORK}_coded",
        f"SELECT s.scheme, s.phrase, c.entity_id, s.probability, s.method FROM (SELECT *, {text(BY_TEXT)} AS method "
        f"FROM {_WORK}_ranked UNION ALL SELECT scheme, phrase, code, {KNOWN_PHRASE}, {text(BY_PHRASE)} "
        f"FROM {_WORK}_texts JOIN {_WORK}_saying USING (scheme, phrase)) AS s "
        f"JOIN {_WORK}_old_codes AS c ON c.scheme = s.scheme AND c.code = s.code",
    )


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
        FROM (SELECT *, CASE WHEN probability >= {ACCEPT} THEN {accept} WHEN probability >= {CLERICAL} THEN {clerical}
                             ELSE {none} END AS band
              FROM (SELECT a.record_id, coalesce(f.entity_id, c.entity_id) AS entity_id,
                           CASE WHEN f.entity_id IS NOT NULL THEN 1.0::DOUBLE ELSE coalesce(c.probability, 0.0)::DOUBLE
                           END AS probability,
                           CASE WHEN f.entity_id IS NOT NULL THEN f.method WHEN c.entity_id IS NOT NULL THEN c.method
                                WHEN a.phrase IS NOT NULL THEN {text(NOT_FOUND)}
                                WHEN a.given IS NOT NULL THEN {text(NOT_KNOWN)}
                                ELSE {text(NO_EVIDENCE)} END AS method
                    FROM {_WORK}_asked AS a
                    LEFT JOIN {_WORK}_found AS f ON f.scheme = a.scheme AND f.given = a.given
                    LEFT JOIN {_WORK}_coded AS c ON c.scheme = a.scheme AND c.phrase = a.phrase))"""


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)}")["n"][0].as_py())


def _drop(engine: Engine) -> None:
    engine.drop(*(f"{_WORK}_{t}" for t in _TABLES), *(f"{_WORK}_old_{file}" for file in _OLD))
