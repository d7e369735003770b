"""Matching by likeness of words: what the Business and the Address Index share.

    forms     what the index knows, or what was delivered: one row per way an entity is described
    words     the words of each form, weighted by rarity (see `likeness`)
    pairs     forms worth comparing: they share a number, a postcode or rare words
    edges     per record and entity the best pair, with a level for each aspect

A definition gives the SQL of forms, words, candidates and levels; this module runs them through
the engine, learns the weights (see `weights`) and turns them into probabilities that the candidates
of a record share with "not in the index" (see `matching.decide`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine
from integrated_data.index.reference import likeness
from integrated_data.index.reference.assign import Floats, Ints, assign
from integrated_data.index.reference.ledger import Loading
from integrated_data.index.reference.weights import (
    Aspect,
    Edges,
    Others,
    Weights,
    assumed,
    learn,
    patterns,
    score,
)
from integrated_data.model.linkage import IndexDefinition

#: Ways of writing one entity that are looked at in one delivery.
FORMS = 20
#: Records beyond which weights are learned from a sample of them.
SAMPLE = 30_000
#: Weight (log2) of a record that the index was loaded from: nothing else competes.
IDENTICAL = 400.0


@dataclass(frozen=True)
class Implied:
    """Records that follow from others: the building that a source names flats of.

    `sql(forms)`: their `record_id` (it begins with `prefix`), fields, and columns of attributes.
    """

    sql: Callable[[str], str]
    prefix: str


@dataclass(frozen=True)
class Alike:
    """How one index compares. Every function returns SQL text.

    `forms(records, columns)`: rows of `record_id` and `fields`, several for a record with several
    names. `words(forms)`: `aspect`, `number`, `word`. `candidates(left, right)`: selects of
    `record` and `form` (numbers of forms) over two relations of forms, beside those that share
    rare words. `likes`: text to the likeness of two forms `l`, `r`, given that of their words,
    `worded`, the share of `l` that `r` holds, `within`, and the rarity they share, `told`. `levels`:
    aspect to an expression over `l`, `r` and `like_<text>`, -1 for missing. `texts`: texts compared
    by words, with how many candidates each may bring in.
    `known`: a further column of the index's forms that counts over all of them. `together`: levels
    over all pairs of forms (`number`, `form`) of a record and an entity at once. `rivals`: fields
    that entities share which resemble without being one. `mate`: a value over forms that new
    records of one source share when they are one entity. `group`: the same within one delivery,
    where it says so itself (NULL: it does not). `methods`: what a link rests on, an
    expression over the levels of an edge `e`. `bands(best, second)`: band of each best candidate.
    `enough`: condition over forms: two different entities of the index that both met it could be told
    apart.
    `keys`: fields that bring candidates in one by one, up to `crowded` of them. `implied`: records
    that follow from those of a source. `parents(forms)`: `entity_id`, `parent_id`. `unknown`: how
    much a word counts that no text of the index holds. `may`: condition over `l` and `r`; pairs that
    fail it are never one, so they are not compared. `also`: what else a load writes into the version's
    folder, each with counts for its report. `happened(engine, folder, entity_id=…, events=…)`: an entity's
    events with those among them.
    """

    index: IndexDefinition
    fields: tuple[str, ...]
    forms: Callable[[str, Mapping[str, str]], str]
    words: Callable[[str], str]
    candidates: Callable[[str, str], tuple[str, ...]]
    levels: Mapping[str, str]
    aspects: tuple[Aspect, ...]
    texts: Mapping[str, int]
    mate: str
    group: str
    methods: str
    bands: Callable[[Floats, Floats], npt.NDArray[np.str_]]
    likes: Mapping[str, str] = field(default_factory=dict)
    known: str = "0 AS namesakes"
    together: Mapping[str, str] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    crowded: int = 200
    implied: Implied | None = None
    parents: Callable[[str], str] | None = None
    common: int = 100
    enough: str = "FALSE"
    unknown: float = 1.0
    may: str = "TRUE"
    also: tuple[Callable[[Engine, Loading], Mapping[str, int]], ...] = ()
    happened: Callable[..., Sequence[Mapping[str, Any]]] | None = None


@dataclass(frozen=True)
class Known:
    """An index version in the engine: tables of forms (`number`, `entity_id`, fields), words, frequencies."""

    forms: str
    words: str
    frequencies: str
    size: int
    entities: int
    others: Others


@dataclass(frozen=True)
class Scored:
    """Edges with log2 weight and probability, the records that can match at all, and the weights used."""

    edges: Edges
    weight: Floats
    probability: Floats
    evidence: int
    weights: Weights


@dataclass(frozen=True)
class Choice:
    """Per record its best entity: row in the edges, probability, and that of the second best."""

    edge: Ints
    best: Floats
    second: Floats


def describe(engine: Engine, alike: Alike, *, forms: str, words: str, frequencies: str) -> int:
    """Make `words` and `frequencies` of the index's forms; returns the number of forms."""
    size = count(engine, forms)
    engine.create(f"{words}_bare", f"SELECT *, 1.0 AS trust FROM ({alike.words(forms)})")
    engine.create(frequencies, likeness.frequencies_sql(f"{words}_bare"))
    engine.create(words, likeness.weighted_sql(f"{words}_bare", frequencies, size=size))
    engine.drop(f"{words}_bare")
    return size


def deliver(
    engine: Engine, alike: Alike, *, records: str, one_to_one: bool, work: str, said: str | None = None
) -> None:
    """Make `<work>_forms` (number, record, fields) and `<work>_records` (record_id, record, print).

    Records that say the same, or give the same number of the source's own (`group`), are one
    `record`, matched once by all their names, unless each must be an entity of its own. `print`: a
    hash over all that a record says. `said`: their forms, where they are known already.
    """
    fields = ", ".join(alike.fields)
    engine.create(f"{work}_said", said or alike.forms(records, engine.columns(records)))
    said = f"md5(list_sort(list(row({fields})::VARCHAR))::VARCHAR)"
    engine.create(
        f"{work}_prints",
        f"SELECT record_id, {said} AS print, coalesce(min({alike.group}), {said}) AS mates "
        f"FROM {work}_said GROUP BY record_id",
    )
    key = "record_id" if one_to_one else "mates"
    engine.create(
        f"{work}_firsts",
        f"SELECT {key} AS said, row_number() OVER (ORDER BY min(record_id)) AS record "
        f"FROM {work}_prints GROUP BY {key}",
    )
    engine.create(
        f"{work}_records",
        f"SELECT p.record_id, f.record, p.print FROM {work}_prints AS p JOIN {work}_firsts AS f ON f.said = p.{key}",
    )
    ordered = f"hash({fields})"
    engine.create(
        f"{work}_forms",
        f"SELECT row_number() OVER (ORDER BY record, {ordered}) AS number, record, {fields} FROM ("
        f"SELECT record, {fields} FROM {work}_said AS d JOIN {work}_records AS r ON r.record_id = d.record_id "
        f"GROUP BY record, {fields} "
        f"QUALIFY row_number() OVER (PARTITION BY record ORDER BY count(*) DESC, {ordered}) <= {FORMS})",
    )


def compare(engine: Engine, alike: Alike, *, known: Known, work: str, settled: str) -> None:
    """Make `<work>_edges`: record, entity_id, form, one level per aspect, and whether it is `settled`.

    `settled`: relation of `record_id`, `record` and `entity_id` that are known to belong together. A record of
    which all is settled is compared with nothing (table `<work>_closed`): it has that edge alone, without levels.
    """
    forms, words = f"{work}_open", f"{work}_words"
    engine.create(
        f"{work}_closed",
        f"SELECT record FROM {work}_records GROUP BY record "
        f"HAVING bool_and(record_id IN (SELECT record_id FROM {settled}))",
    )
    engine.create(forms, f"SELECT * FROM {work}_forms ANTI JOIN {work}_closed USING (record)")
    engine.create(f"{work}_bare", alike.words(forms))
    engine.create(f"{work}_corrected", likeness.corrected_sql(f"{work}_bare", known.frequencies))
    engine.create(
        words, likeness.weighted_sql(f"{work}_corrected", known.frequencies, size=known.size, unknown=alike.unknown)
    )
    selects = list(alike.candidates(forms, known.forms))
    selects += [
        likeness.by_words_sql(words, known.words, aspect=text, common=alike.common, top=top)
        for text, top in alike.texts.items()
    ]
    found = " UNION ".join(f"SELECT record, form FROM ({select})" for select in selects)
    engine.create(
        f"{work}_pairs",
        f"SELECT p.record, p.form FROM ({found}) AS p JOIN {forms} AS l ON l.number = p.record "
        f"JOIN {known.forms} AS r ON r.number = p.form WHERE {alike.may} "
        f"UNION SELECT l.number AS record, r.number AS form FROM {settled} AS k "
        f"JOIN {forms} AS l ON l.record = k.record JOIN {known.forms} AS r ON r.entity_id = k.entity_id",
    )
    levels = levels_sql(alike, known, pairs=f"{work}_pairs", forms=forms, words=words)
    nothing = ", ".join(f"-1 AS level_{aspect.name}" for aspect in alike.aspects)
    engine.create(
        f"{work}_edges",
        f"SELECT *, (record, entity_id) IN (SELECT (record, entity_id) FROM {settled}) AS settled "
        f"FROM ({best_sql(alike, levels)}) UNION ALL BY NAME "
        f"SELECT DISTINCT record, entity_id, {nothing}, TRUE AS settled FROM {settled} SEMI JOIN {work}_closed "
        "USING (record)",
    )


def best_sql(alike: Alike, levels: str) -> str:
    """The best pair of forms for each record and entity."""
    together = ", ".join(f"({sql})::INTEGER AS level_{aspect}" for aspect, sql in alike.together.items())
    return (
        f"SELECT *{f' REPLACE ({together})' if together else ''} FROM ({levels}) "
        f"QUALIFY row_number() OVER (PARTITION BY record, entity_id ORDER BY {_assumed_sql(alike)} DESC, form) = 1"
    )


def levels_sql(alike: Alike, known: Known, *, pairs: str, forms: str, words: str) -> str:
    """Levels of pairs (`record`: a number in `forms`, `form`: one in the index)."""
    record = "l.number AS record" if forms == known.forms else "l.record"
    worded = ", ".join(
        f"max(CASE WHEN aspect = '{text}' THEN likeness END) AS worded_{text}, "
        f"max(CASE WHEN aspect = '{text}' THEN within END) AS within_{text}, "
        f"max(CASE WHEN aspect = '{text}' THEN told END) AS told_{text}"
        for text in alike.texts
    )
    levels = ", ".join(f"({sql})::INTEGER AS level_{aspect}" for aspect, sql in alike.levels.items())
    shared = likeness.likeness_sql(pairs, left=words, right=known.words)
    return f"""
        SELECT {record}, r.entity_id, l.number, r.number AS form, {levels}
        FROM (SELECT p.record AS l_number, p.form AS r_number, {likes_sql(alike)}
              FROM {pairs} AS p JOIN {forms} AS l ON l.number = p.record JOIN {known.forms} AS r ON r.number = p.form
              LEFT JOIN (SELECT record, form, {worded} FROM ({shared}) GROUP BY record, form) AS s
                ON s.record = p.record AND s.form = p.form) AS likes
        JOIN {forms} AS l ON l.number = l_number JOIN {known.forms} AS r ON r.number = r_number"""


def likes_sql(alike: Alike) -> str:
    """Columns `like_<text>` from `worded_<text>` and `within_<text>`, over forms `l` and `r`."""
    return ", ".join(f"{_named(alike.likes.get(text, 'worded'), text)} AS like_{text}" for text in alike.texts)


def _named(like: str, text: str) -> str:
    for measure in ("worded", "within", "told"):
        like = like.replace(measure, f"coalesce({measure}_{text}, 0.0)")
    return like


def _assumed_sql(alike: Alike) -> str:
    weights = assumed(alike.aspects).by_aspect
    return " + ".join(
        f"CASE level_{name} {' '.join(f'WHEN {i} THEN {w:.4f}' for i, w in enumerate(by_level))} ELSE 0.0 END"
        for name, by_level in weights.items()
    )


def weigh(
    engine: Engine, alike: Alike, *, known: Known, work: str, one_to_one: bool, weights: Weights | None = None
) -> Scored:
    """Probabilities of the pairs in `<work>_edges`; weights are learned from them unless given.

    Records of which all is settled teach nothing. Rivals are reckoned with where entities may be shared. Where they
    may not, the records compete for them, and that keeps the neighbours out without holding every rename to be a
    neighbour.
    """
    evidence, asked = (
        count(engine, f"(SELECT DISTINCT record FROM {forms} WHERE {_has_evidence(alike)})")
        for forms in (f"{work}_forms", f"{work}_open")
    )
    if weights is None:
        sampled = f"WHERE NOT settled AND hash(record) % {max(1, -(-asked // SAMPLE))} = 0"
        sample = edges_of(engine.rows(f"SELECT * FROM {work}_edges {sampled}"), alike)
        seen = max(asked // max(1, -(-asked // SAMPLE)), len(np.unique(sample.records)), 1)
        met = known.others if not one_to_one else Others(known.others.strangers)
        weights = learn(sample, alike.aspects, others=met, sizes=(seen, known.entities), one_to_one=one_to_one)
    table = engine.rows(f"SELECT * FROM {work}_edges ORDER BY record, entity_id")
    edges = edges_of(table, alike)
    weight = score(weights, patterns(edges.levels))
    weight = np.where(table["settled"].to_numpy(zero_copy_only=False), IDENTICAL, weight)
    sizes = (max(evidence, 1), known.entities)
    found = assign(edges.records, edges.entities, weight=weight, sizes=sizes, one_to_one=one_to_one)
    return Scored(edges, weight, found.probability, evidence, weights)


def _has_evidence(alike: Alike) -> str:
    return "(" + " OR ".join(f"{field_} IS NOT NULL" for field_ in alike.fields) + ")"


def edges_of(table: pa.Table, alike: Alike) -> Edges:
    """Columns `record`, `entity_id` and `level_…` of a table, as arrays."""

    def numbers(column: str) -> Ints:
        values: Ints = table[column].to_numpy().astype(np.int64)
        return values

    levels = {aspect.name: numbers("level_" + aspect.name) for aspect in alike.aspects}
    return Edges(numbers("record"), numbers("entity_id"), levels)


def choose(scored: Scored, *, one_to_one: bool) -> Choice:
    """The best candidate of each record; with `one_to_one` no entity is given twice.

    Where entities may not be shared the likeliest pair of all is taken first, and so on; done in
    rounds of pairs that are best for both sides, which gives the same.
    """
    records = np.unique(scored.edges.records, return_inverse=True)[1]
    entities = np.unique(scored.edges.entities, return_inverse=True)[1]
    merit = np.lexsort((scored.weight, scored.probability)).argsort().astype(np.int64)
    left = np.arange(len(merit))
    taken: list[Ints] = []
    while len(left):
        best = _is_top(records[left], merit[left])
        if one_to_one:
            best &= _is_top(entities[left], merit[left])
        picked = left[best]
        taken.append(picked)
        left = left[~np.isin(records[left], records[picked])]
        if one_to_one:
            left = left[~np.isin(entities[left], entities[picked])]
    edge = np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)
    rest = scored.probability.copy()
    rest[edge] = 0.0
    second = np.zeros(int(records.max()) + 1 if len(records) else 0)
    np.maximum.at(second, records, rest)
    return Choice(edge, scored.probability[edge], second[records[edge]])


def _is_top(group: Ints, merit: Ints) -> npt.NDArray[np.bool_]:
    top = np.full(int(group.max()) + 1, -1, dtype=np.int64)
    np.maximum.at(top, group, merit)
    return np.asarray(merit == top[group])


def count(engine: Engine, relation: str) -> int:
    """Rows of a relation."""
    return int(engine.rows(f"SELECT count(*) AS n FROM {relation}")["n"][0].as_py())
