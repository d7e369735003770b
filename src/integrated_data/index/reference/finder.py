"""One record matched in milliseconds, to an index that compares by likeness and is held open.

Bulk matching (see `registers`) joins whole tables; here the same candidates are looked up in sorted
arrays, and only they are compared, by the same levels, weights and bands. The engine is asked twice:
for the parts, keys and words of what was given, and for the levels of its few candidates.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index import explain, link, single
from integrated_data.index.link import NO_EVIDENCE
from integrated_data.index.reference import alike, ledger, likeness, registers, weights
from integrated_data.index.reference.alike import Alike
from integrated_data.index.reference.assign import Floats, Ints, assign
from integrated_data.index.reference.weights import Weights
from integrated_data.index.single import Answer
from integrated_data.model.errors import IndexRefusal
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
    origin: str
    planned: dict[tuple[str, ...], Callable[[Sequence[str | None]], pa.Table]]

    def find(self, record: Mapping[str, str | None]) -> Found:
        """The entity that a record means. `record`: values by meaning (`address`, `postcode`, `uprn` …)."""
        weighed = self._weighed(record)
        if weighed is None:
            return Found(None, None, 0.0, Band.NONE, NO_EVIDENCE, (), {})
        return self._found(weighed) if weighed.rows else Found(None, None, 0.0, Band.NONE, None, (), {})

    def match(self, record: Mapping[str, object], *, alternatives: int = ALTERNATIVES) -> Answer:
        """The same with what speaks for every candidate (see `index.single`); None and '' are missing.

        Refuses columns that the index does not read.
        """
        self._check_columns(frozenset(record))
        weighed = self._weighed({column: _written(value) for column, value in record.items()})
        if weighed is None:
            return Answer(Band.NONE, None, 0.0, NO_EVIDENCE, (), self.origin)
        if not weighed.rows:
            return Answer(Band.NONE, None, 0.0, link.BY_MODEL, (), self.origin)
        candidates = tuple(self._reasoned(weighed, place) for place in weighed.order[:alternatives].tolist())
        best, entity_id = candidates[0], candidates[0].entity_id if weighed.band is Band.ACCEPT else None
        return Answer(weighed.band, entity_id, best.probability, best.method, candidates, self.origin)

    def close(self) -> None:
        """Let go of what was asked before."""
        self.planned.clear()

    def _check_columns(self, columns: frozenset[str]) -> None:
        known = [str(attribute) for attribute in self.alike.index.attributes]
        if not columns <= set(known):
            raise IndexRefusal(
                f"The record cannot be matched to the {self.alike.index.name} index",
                why="It has a column that the index does not read",
                next_step=f"Name its values by what they mean: {', '.join(sorted(known))}",
            )

    def _weighed(self, record: Mapping[str, str | None]) -> "_Weighed | None":
        """Candidates compared and weighed; None where the record holds nothing to match on."""
        asked = self._asked(record)
        if not asked:
            return None
        known = []
        for form in asked:
            words = {aspect: self._weighted(form["words"] or [], aspect) for aspect in self.alike.texts}
            numbers = self._candidates(form["keys"], words)
            if len(numbers):
                known.append(self._measured(words, numbers=numbers, form=form["number"]))
        rows = self._compared(asked, pa.concat_tables(known)) if known else []
        return self._decided(rows)

    def _asked(self, record: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """Number, fields, keys and words of every form of what was given; none where it holds nothing to match on."""
        columns = tuple(sorted(record))
        if columns not in self.planned:
            self.planned[columns] = self.engine.prepare(_asked_sql(self.alike, columns), ["VARCHAR"] * len(columns))
        rows = self.planned[columns]([record[column] for column in columns]).to_pylist()
        return [row for row in rows if any(row[field] is not None for field in self.alike.fields)]

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
        for row in self.vocabulary.take(pa.array(sorted(near), pa.int64())).to_pylist():
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

    def _measured(self, words: Mapping[str, list[Word]], *, numbers: Ints, form: int) -> pa.Table:
        """Forms of the index with how like they are to a form asked for, which is named by column `asked`."""
        known = self.forms.take(numbers - 1).append_column("asked", pa.array(np.full(len(numbers), form)))
        for aspect in self.alike.texts:
            measured = self._likeness(words[aspect], numbers)
            for measure, values in zip(("worded", "within", "told"), measured, strict=True):
                known = known.append_column(f"{measure}_{aspect}", pa.array(values))
        return known

    def _compared(self, asked: list[dict[str, Any]], known: pa.Table) -> list[dict[str, Any]]:
        """The best form of each candidate entity: its levels, and what a link would rest on."""
        self.engine.load(f"{WORK}_known", Held(known))
        mine = [{"number": form["number"]} | {field: form[field] for field in self.alike.fields} for form in asked]
        self.engine.load(f"{WORK}_mine", Held(pa.Table.from_pylist(mine, self._schema())))
        levels = ", ".join(f"({sql})::INTEGER AS level_{aspect}" for aspect, sql in self.alike.levels.items())
        likes = (
            f"SELECT r.asked AS l_number, r.number AS r_number, {alike.likes_sql(self.alike)} "
            f"FROM {WORK}_known AS r JOIN {WORK}_mine AS l ON l.number = r.asked"
        )
        edges = f"""
            SELECT 1 AS record, r.entity_id, l.number, r.number AS form, {levels}
            FROM ({likes}) AS likes JOIN {WORK}_mine AS l ON l.number = l_number
            JOIN {WORK}_known AS r ON r.asked = l_number AND r.number = r_number WHERE {self.alike.may}"""
        methods = f"SELECT e.*, {self.alike.methods} AS method FROM ({alike.best_sql(self.alike, edges)}) AS e"
        rows: list[dict[str, Any]] = self.engine.rows(methods).to_pylist()
        return rows

    def _schema(self) -> pa.Schema:
        return pa.schema([self.forms.schema.field(field) for field in ("number", *self.alike.fields)])

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

    def _decided(self, rows: list[dict[str, Any]]) -> "_Weighed":
        """Probabilities, shared by the candidates with "not in the index", and the band of the best."""
        if not rows:
            return _Weighed([], np.zeros(0), np.zeros(0, dtype=np.int64), 0.0, Band.NONE)
        edges = alike.edges_of(pa.Table.from_pylist(rows), self.alike)
        weight = weights.score(self.weights, weights.patterns(edges.levels))
        sizes = (1, self.entities)
        found = assign(edges.records, edges.entities, weight=weight, sizes=sizes, one_to_one=False)
        chance = found.probability
        order = np.lexsort((edges.entities, -weight, -chance)).astype(np.int64)
        best, second = float(chance[order[0]]), float(chance[order[1]]) if len(order) > 1 else 0.0
        band = Band(str(self.alike.bands(np.array([best]), np.array([second]))[0]))
        before = math.log2(found.present / (1.0 - found.present) / max(self.entities, 1))
        return _Weighed(rows, chance, order, before, band)

    def _found(self, weighed: "_Weighed") -> Found:
        rows, chance, order, band = weighed.rows, weighed.chance, weighed.order, weighed.band
        top, entity = rows[order[0]], int(rows[order[0]]["entity_id"])
        return Found(
            entity_id=entity if band is Band.ACCEPT else None,
            candidate_id=entity if band is Band.CLERICAL else None,
            probability=float(chance[order[0]]),
            band=band,
            method=top["method"] if band is not Band.NONE else None,
            alternatives=tuple(
                Candidate(int(rows[i]["entity_id"]), float(chance[i])) for i in order[1 : ALTERNATIVES + 1].tolist()
            ),
            evidence=dict(self._told(top)) if band is not Band.NONE else {},
        )

    def _reasoned(self, weighed: "_Weighed", place: int) -> single.Candidate:
        """A candidate with its reasons: what was known before, every aspect, and rivals that look like it."""
        row = weighed.rows[place]
        reasons = [single.Reason(explain.PRIOR, "", weighed.before)]
        reasons += [
            single.Reason(aspect, f"level {row[f'level_{aspect}']}", weight) for aspect, weight in self._told(row)
        ]
        levels = {aspect: np.array([row[f"level_{aspect}"]]) for aspect in self.weights.by_aspect}
        whole = float(weights.score(self.weights, weights.patterns(levels))[0])
        reasons.append(single.Reason(explain.GUARD, "", whole - sum(weight for _, weight in self._told(row))))
        return single.Candidate(
            int(row["entity_id"]), float(weighed.chance[place]), row["method"] or link.BY_MODEL, tuple(reasons)
        )

    def _told(self, row: Mapping[str, Any]) -> list[tuple[str, float]]:
        """The log2 weight of every aspect of which something can be said."""
        return [
            (aspect, by_level[row[f"level_{aspect}"]])
            for aspect, by_level in self.weights.by_aspect.items()
            if row[f"level_{aspect}"] >= 0
        ]


@dataclass(frozen=True)
class _Weighed:
    """Candidates with their chances, the likeliest first by `order`; `before`: log2 odds before looking."""

    rows: list[dict[str, Any]]
    chance: Floats
    order: Ints
    before: float
    band: Band


def _written(value: object) -> str | None:
    text_ = str(value).strip() if value is not None else ""
    return text_ or None


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
        origin="weights that a delivery taught" if known else "assumed for matches; as the index shows for the rest",
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
        found AS MATERIALIZED (SELECT row_number() OVER () AS number, * FROM ({forms}) LIMIT {alike.FORMS}),
        spelled AS (SELECT DISTINCT number, aspect, word FROM ({definition.words("found")}))
        SELECT found.*, [{", ".join(_key_sql(i, key) for i, key in enumerate(definition.keys))}] AS keys,
               (SELECT list({{'aspect': aspect, 'word': word, 'key': hash(aspect, word),
                              'near': list_transform({near}, lambda short: hash(short))}})
                FROM spelled WHERE spelled.number = found.number) AS words
        FROM found ORDER BY number"""


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
