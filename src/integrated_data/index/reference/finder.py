"""One record matched in milliseconds, to an index that compares by likeness and is held open.

Bulk matching (see `registers`) joins whole tables; here the same candidates are looked up in sorted
arrays, and only they are compared, by the same levels, weights and bands. The engine is asked twice:
for the parts, keys and words of what was given, and for the levels of its few candidates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.link import NO_EVIDENCE
from integrated_data.index.reference import alike, ledger, likeness, registers, weights
from integrated_data.index.reference.alike import Alike
from integrated_data.index.reference.assign import Floats, Ints, assign
from integrated_data.index.reference.weights import Weights
from integrated_data.model.linkage import Band
from integrated_data.vocabulary.sql import name, text

#: Candidates named beside the best.
ALTERNATIVES = 5
#: Prefix of the relations made while one record is matched.
WORK = "finder"


@dataclass(frozen=True)
class Candidate:
    """An entity that may be meant, and how likely it is."""

    entity_id: int
    probability: float


@dataclass(frozen=True)
class Found:
    """What one record is: as a row of a link table says it, with the alternatives and the evidence.

    `evidence`: log2 weight by aspect of the best candidate against a stranger; empty without one.
    """

    entity_id: int | None
    candidate_id: int | None
    probability: float
    band: Band
    method: str | None
    alternatives: tuple[Candidate, ...]
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class Postings:
    """Sorted hashes, and what stands behind each: numbers of forms (or of words) and their weights."""

    keys: npt.NDArray[np.uint64]
    numbers: Ints
    weights: Floats

    def at(self, key: int) -> slice:
        """Where the numbers of a hash are; ascending within it."""
        sought = np.uint64(key)
        return slice(int(np.searchsorted(self.keys, sought, "left")), int(np.searchsorted(self.keys, sought, "right")))


@dataclass(frozen=True)
class Word:
    """A word of what was given: where its postings are, its weight in the text, and its rarity in the index."""

    place: slice
    weight: float
    rarity: float


@dataclass(frozen=True)
class Finder:
    """A version of an index held open for single records; `open_finder` makes one."""

    engine: Engine
    alike: Alike
    forms: pa.Table
    keys: Postings
    words: Postings
    spellings: Postings
    vocabulary: pa.Table
    weights: Weights
    entities: int
    planned: dict[tuple[str, ...], Callable[[Sequence[str | None]], pa.Table]]

    def find(self, record: Mapping[str, str | None]) -> Found:
        """The entity that a record means. `record`: values by meaning (`address`, `postcode`, `uprn` …)."""
        asked = self._asked(record)
        if asked is None:
            return Found(None, None, 0.0, Band.NONE, NO_EVIDENCE, (), {})
        words = {aspect: self._weighted(asked["words"], aspect) for aspect in self.alike.texts}
        numbers = self._candidates(asked["keys"], words)
        rows = self._compared(asked, words, numbers=numbers) if len(numbers) else []
        return self._decided(rows) if rows else Found(None, None, 0.0, Band.NONE, None, (), {})

    def _asked(self, record: Mapping[str, str | None]) -> dict[str, Any] | None:
        """Fields, keys and words of what was given; None where it holds nothing to match on."""
        columns = tuple(sorted(record))
        if columns not in self.planned:
            self.planned[columns] = self.engine.prepare(_asked_sql(self.alike, columns))
        rows = self.planned[columns]([record[column] for column in columns]).to_pylist()
        if not rows or not any(rows[0][field] is not None for field in self.alike.fields):
            return None
        return {**rows[0], "words": rows[0]["words"] or []}

    def _weighted(self, words: list[dict[str, Any]], aspect: str) -> list[Word]:
        """The words of one aspect with their weight (see `likeness`)."""
        found: dict[str, tuple[slice, float, float]] = {}
        for word in words:
            if word["aspect"] == aspect:
                place, known, trust = self._spelled(word)
                texts = place.stop - place.start
                heavy = trust * float(np.log((len(self.forms) + 2.0) / (texts + 1.0)))
                heavy *= 1.0 if texts else self.alike.unknown
                if heavy > found.get(known, (place, -1.0, 0.0))[1]:
                    rarity = float(np.log((len(self.forms) + 2.0) / (texts + 1.0)) / np.log(len(self.forms) + 2.0))
                    found[known] = place, heavy, rarity
        norm = float(np.sqrt(sum(heavy * heavy for _, heavy, _ in found.values()))) or 1.0
        return [Word(place, heavy / norm, rarity) for place, heavy, rarity in found.values()]

    def _spelled(self, word: Mapping[str, Any]) -> tuple[slice, str, float]:
        """A word's postings; those of the nearest known where it is not. Of a pair the second half is corrected."""
        place, spelled = self.words.at(word["key"]), str(word["word"])
        last = spelled.rsplit(" ", maxsplit=1)[-1]
        if place.stop > place.start or not likeness.may_be_misspelt(last):
            return place, spelled, 1.0
        near = {int(n) for key in word["near"] for n in self.spellings.numbers[self.spellings.at(key)]}
        options = []
        for row in self.vocabulary.take(sorted(near)).to_pylist():
            slips = likeness.slips(last, row["word"])
            if 0 < slips <= likeness.allowed(last):
                options.append((slips, -row["texts"], row["word"]))
        if not options:
            return place, spelled, 1.0
        slips, _, known = min(options)
        corrected = spelled[: len(spelled) - len(last)] + known
        return self.words.at(self._key(word["aspect"], corrected)), corrected, 1.0 - likeness.SLIP * slips

    def _key(self, aspect: str, word: str) -> int:
        """The hash under which a word's postings are."""
        return int(self.engine.rows(f"SELECT hash({text(aspect)}, {text(word)}) AS key")["key"][0].as_py())

    def _candidates(self, keys: list[int | None], words: Mapping[str, list[Word]]) -> Ints:
        """Numbers of forms that share a key or rare words with what was given."""
        found = [np.zeros(0, dtype=np.int64)]
        for key in keys:
            place = self.keys.at(key) if key is not None else slice(0, 0)
            if place.stop - place.start <= self.alike.crowded:
                found.append(self.keys.numbers[place])
        for aspect, top in self.alike.texts.items():
            rare = [word for word in words[aspect] if 1 <= word.place.stop - word.place.start <= self.alike.common]
            rare = sorted(rare, key=lambda word: -word.weight)[: likeness.RAREST]
            if rare:
                numbers = np.concatenate([self.words.numbers[word.place] for word in rare])
                shares = np.concatenate([word.weight * self.words.weights[word.place] for word in rare])
                those, of = np.unique(numbers, return_inverse=True)
                found.append(those[np.argsort(-np.bincount(of, shares), kind="stable")[:top]])
        return np.unique(np.concatenate(found))

    def _compared(
        self, asked: Mapping[str, Any], words: Mapping[str, list[Word]], *, numbers: Ints
    ) -> list[dict[str, Any]]:
        """The best form of each candidate entity: its levels, and what a link would rest on."""
        known = self.forms.take(numbers - 1)
        for aspect in self.alike.texts:
            measured = self._likeness(words[aspect], numbers)
            for measure, values in zip(("worded", "within", "told"), measured, strict=True):
                known = known.append_column(f"{measure}_{aspect}", pa.array(values))
        self.engine.load(f"{WORK}_known", Held(known))
        mine = pa.Table.from_pylist([{field: asked[field] for field in self.alike.fields}], self._schema())
        self.engine.load(f"{WORK}_mine", Held(mine))
        levels = ", ".join(f"({sql})::INTEGER AS level_{aspect}" for aspect, sql in self.alike.levels.items())
        edges = f"""
            SELECT 1 AS record, r.entity_id, r.number AS form, {levels}
            FROM {WORK}_mine AS l, (SELECT *, {alike.likes_sql(self.alike)} FROM {WORK}_known) AS r
            WHERE {self.alike.may}"""
        methods = f"SELECT e.*, {self.alike.methods} AS method FROM ({alike.best_sql(self.alike, edges)}) AS e"
        rows: list[dict[str, Any]] = self.engine.rows(methods).to_pylist()
        return rows

    def _schema(self) -> pa.Schema:
        return pa.schema([self.forms.schema.field(field) for field in self.alike.fields])

    def _likeness(self, words: list[Word], numbers: Ints) -> tuple[Floats, Floats, Floats]:
        """Likeness of the words of one aspect to those of each form, the share of them it holds, their rarity."""
        worded, within, told = (np.zeros(len(numbers)) for _ in range(3))
        for word in words:
            those = self.words.numbers[word.place]
            if len(those):
                at = np.minimum(np.searchsorted(those, numbers), len(those) - 1)
                shared = those[at] == numbers
                worded += np.where(shared, word.weight * self.words.weights[word.place][at], 0.0)
                within += np.where(shared, word.weight * word.weight, 0.0)
                told += np.where(shared, word.rarity, 0.0)
        return np.minimum(worded, 1.0), np.minimum(within, 1.0), told

    def _decided(self, rows: list[dict[str, Any]]) -> Found:
        """Probabilities, shared by the candidates with "not in the index", and the band of the best."""
        edges = alike.edges_of(pa.Table.from_pylist(rows), self.alike)
        weight = weights.score(self.weights, weights.patterns(edges.levels))
        sizes = (1, self.entities)
        chance = assign(edges.records, edges.entities, weight=weight, sizes=sizes, one_to_one=False).probability
        order = np.lexsort((edges.entities, -weight, -chance))
        best, second = float(chance[order[0]]), float(chance[order[1]]) if len(order) > 1 else 0.0
        band = Band(str(self.alike.bands(np.array([best]), np.array([second]))[0]))
        top, entity = rows[order[0]], int(edges.entities[order[0]])
        evidence = {
            aspect: by_level[top[f"level_{aspect}"]]
            for aspect, by_level in self.weights.by_aspect.items()
            if top[f"level_{aspect}"] >= 0
        }
        return Found(
            entity_id=entity if band is Band.ACCEPT else None,
            candidate_id=entity if band is Band.CLERICAL else None,
            probability=best,
            band=band,
            method=top["method"] if band is not Band.NONE else None,
            alternatives=tuple(
                Candidate(int(edges.entities[i]), float(chance[i])) for i in order[1 : ALTERNATIVES + 1]
            ),
            evidence=evidence if band is not Band.NONE else {},
        )


def open_finder(engine: Engine, definition: Alike, *, folder: Path, known: Weights | None = None) -> Finder:
    """Hold the version in `folder` open; seconds and some hundred bytes for each form.

    `known`: weights that a delivery taught (see `registers.match`); without them matching pairs are
    as assumed, and pairs that are no match as the index itself shows them.
    """
    version, work = ledger.open_edition(definition.index, folder), f"{WORK}_version"
    version.load(engine, work, *registers.FILES)
    forms = engine.rows(f"SELECT * FROM {work}_forms ORDER BY number")
    vocabulary = engine.rows(
        f"SELECT word, max(texts) AS texts, row_number() OVER (ORDER BY word) - 1 AS number "
        f"FROM {work}_frequencies WHERE NOT contains(word, ' ') GROUP BY word ORDER BY number"
    )
    engine.load(f"{WORK}_vocabulary", Held(vocabulary))
    keys = " UNION ALL ".join(
        f"SELECT {_key_sql(i, key)} AS key, number, 0.0 AS weight FROM {work}_forms"
        for i, key in enumerate(definition.keys)
    )
    near = f"unnest({likeness.shortened_sql('word')})"
    spellings = (
        f"SELECT hash(short) AS key, number, 0.0 AS weight FROM (SELECT number, {near} AS short "
        f"FROM {WORK}_vocabulary WHERE {likeness.misspellable_sql('word', least=likeness.MISSPELLABLE - 1)})"
    )
    met = registers.met(version)
    finder = Finder(
        engine, definition, forms,
        keys=_postings(engine, f"SELECT * FROM ({keys}) WHERE key IS NOT NULL"),
        words=_postings(engine, f"SELECT hash(aspect, word) AS key, number, weight FROM {work}_words"),
        spellings=_postings(engine, spellings),
        vocabulary=vocabulary,
        weights=known or weights.unlearned(definition.aspects, others=met, size=version.about["entities"]),
        entities=version.about["entities"],
        planned={},
    )  # fmt: skip
    engine.drop(*(f"{work}_{file}" for file in registers.FILES), f"{WORK}_vocabulary")
    return finder


def _asked_sql(definition: Alike, columns: tuple[str, ...]) -> str:
    """One row for one record whose values are `$1`, `$2` …: its fields, `keys` and `words`."""
    given = ", ".join(f"${i}::VARCHAR AS {name(column)}" for i, column in enumerate(columns, 1))
    near = likeness.shortened_sql("split_part(word, ' ', -1)")
    forms = definition.forms(f"{WORK}_asked", dict.fromkeys(columns, "VARCHAR"))
    return f"""
        WITH {WORK}_asked AS (SELECT '1' AS record_id, {given}),
        found AS MATERIALIZED (SELECT 1 AS number, * FROM ({forms})),
        spelled AS (SELECT DISTINCT aspect, word FROM ({definition.words("found")}))
        SELECT *, [{", ".join(_key_sql(i, key) for i, key in enumerate(definition.keys))}] AS keys,
               (SELECT list({{'aspect': aspect, 'word': word, 'key': hash(aspect, word),
                              'near': list_transform({near}, lambda short: hash(short))}})
                FROM spelled) AS words
        FROM found LIMIT 1"""


def _key_sql(place: int, fields: tuple[str, ...]) -> str:
    """A hash over the fields, NULL where one of them is; `place` keeps the kinds of key apart."""
    present = " AND ".join(f"{name(field)} IS NOT NULL" for field in fields)
    return f"CASE WHEN {present} THEN hash({place}, {', '.join(name(f) for f in fields)}) END"


def _postings(engine: Engine, sql: str) -> Postings:
    table = engine.rows(f"SELECT key, number, weight FROM ({sql}) ORDER BY key, number")
    return Postings(
        table["key"].to_numpy().astype(np.uint64), table["number"].to_numpy().astype(np.int64),
        table["weight"].to_numpy().astype(np.float64),
    )  # fmt: skip
