"""Addresses while they are typed: a few letters in, ranked candidates out, on a version held open.

Every spelling that a source gave is a line; its words, as written and in their one form, stand in
sorted arrays. What was typed is cut into words of which the last may be unfinished; a line must hold
them all. Where none does, words the index does not know stand for the nearest it knows, and where
that fails too the lines that hold most come first.
"""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine
from integrated_data.index.reference import address, address_parse, ledger, likeness
from integrated_data.index.reference.assign import Floats, Ints
from integrated_data.vocabulary import addresses

Bools = npt.NDArray[np.bool_]

#: Candidates shown unless more are asked for.
SHOWN = 10
#: Characters of what was typed that are read.
LONGEST = 200
#: How much a word counts that was typed in part, or with slips.
UNFINISHED, SLIPPED = 0.8, 0.6
WORK = "typeahead"


@dataclass(frozen=True)
class Suggestion:
    """An address of the index. `address`: as a source writes it; `parent_id`: the building it is in, if any."""

    entity_id: int
    address: str
    parent_id: int | None


@dataclass(frozen=True)
class Typeahead:
    """A version of the Address Index held open for typing; `open_typeahead` makes one.

    `lines`: entity_id, line, parent_id, in the order of street and number; `vocabulary`: all words,
    sorted; `starts`: where the places of each word begin in `places`, which are numbers of lines.
    """

    lines: pa.Table
    vocabulary: list[str]
    starts: Ints
    places: npt.NDArray[np.int32]

    def suggest(self, typed: str, *, limit: int = SHOWN) -> list[Suggestion]:
        """The likeliest addresses, best first; none for what holds no letter or digit."""
        words = _words(typed)
        if not words or not self.vocabulary:
            return []
        unfinished = not typed[:LONGEST].endswith((" ", ","))
        scores = [self._score(word, part=unfinished and i == len(words) - 1) for i, word in enumerate(words)]
        total, held = np.zeros(len(self.lines)), np.zeros(len(self.lines), dtype=np.int64)
        for score in scores:
            total += score
            held += score > 0
        wanted = int(held.max())
        if wanted == 0:
            return []
        return self._best(np.where(held == wanted, total, 0.0), limit)

    def _score(self, word: str, *, part: bool) -> Floats:
        """How much each line gains by holding a word."""
        score = np.zeros(len(self.lines))
        for form in _forms(word):
            at = bisect_left(self.vocabulary, form)
            if at < len(self.vocabulary) and self.vocabulary[at] == form:
                self._add(score, range(at, at + 1), weight=1.0)
        if part:
            first, after = bisect_left(self.vocabulary, word), bisect_left(self.vocabulary, word + "\U0010ffff")
            self._add(score, range(first, after), weight=UNFINISHED)
        if not score.any() and likeness.may_be_misspelt(word):
            for at in self._near(word, part=part):
                self._add(score, range(at, at + 1), weight=SLIPPED)
        return score

    def _add(self, score: Floats, words: range, *, weight: float) -> None:
        """Give the lines of some words their weight: the rarer, the more."""
        places = self.places[self.starts[words.start] : self.starts[words.stop]]
        rarity = float(np.log((len(self.lines) + 2.0) / (len(places) + 1.0)) + 0.1)
        score[places] = np.maximum(score[places], weight * rarity)

    def _near(self, word: str, *, part: bool) -> list[int]:
        """Known words with the same first letter within the slips allowed; by their beginning, for a part of one."""
        first, last = bisect_left(self.vocabulary, word[0]), bisect_left(self.vocabulary, chr(ord(word[0]) + 1))
        most, near = likeness.allowed(word), []
        for at in range(first, last):
            known = self.vocabulary[at][: len(word)] if part else self.vocabulary[at]
            if abs(len(known) - len(word)) <= most and likeness.slips(word, known) <= most:
                near.append(at)
        return near

    def _best(self, total: Floats, limit: int) -> list[Suggestion]:
        """The best lines, one for each entity; of equals the one that comes first in its street."""
        found: dict[int, Suggestion] = {}
        candidates = np.flatnonzero(total > 0)
        order = candidates[np.argsort(-total[candidates], kind="stable")[: 20 * limit]]
        for row in self.lines.take(order).to_pylist():
            found.setdefault(row["entity_id"], Suggestion(row["entity_id"], row["line"], row["parent_id"]))
            if len(found) == limit:
                break
        return list(found.values())


def open_typeahead(engine: Engine, *, folder: Path) -> Typeahead:
    """Hold the version in `folder` open for typing; seconds for each hundred thousand addresses."""
    version = ledger.open_edition(address.INDEX, folder)
    version.load(engine, WORK, "attributes")
    address.ADDRESS.parents(engine, folder=folder, relation=f"{WORK}_parents")
    engine.create(
        f"{WORK}_said",
        f"SELECT entity_id, line, {addresses.plain_sql('line')} AS plain FROM ("
        f"SELECT entity_id, {address.line_sql(engine.columns(f'{WORK}_attributes'))} AS line "
        f"FROM {WORK}_attributes WHERE recorded_to IS NULL) WHERE line IS NOT NULL "
        "GROUP BY entity_id, line",
    )
    engine.create(
        f"{WORK}_parsed",
        address_parse.parsed_sql(f"{WORK}_said", keys="entity_id, line, plain", lines="line"),
    )
    engine.create(
        f"{WORK}_lines",
        f"SELECT row_number() OVER (ORDER BY town, street, number_low, number, building, "
        f"try_cast(regexp_extract(flat, '[0-9]+') AS INTEGER), flat, line) - 1 AS place, p.entity_id, line, parent_id, "
        f"plain || ' ' || written || coalesce(' ' || postcode || ' ' || replace(postcode, ' ', ''), '') AS told "
        f"FROM {WORK}_parsed AS p LEFT JOIN {WORK}_parents AS b ON b.entity_id = p.entity_id",
    )
    words = engine.rows(
        f"SELECT word, place FROM (SELECT place, unnest(list_distinct(string_split(regexp_replace(told, "
        f"'[^A-Z0-9]+', ' ', 'g'), ' '))) AS word FROM {WORK}_lines) WHERE word <> '' ORDER BY word, place"
    )
    lines = engine.rows(f"SELECT entity_id, line, parent_id FROM {WORK}_lines ORDER BY place")
    engine.drop(*(f"{WORK}_{made}" for made in ("attributes", "parents", "said", "parsed", "lines")))
    return _held(lines, words)


def _held(lines: pa.Table, words: pa.Table) -> Typeahead:
    encoded: Any = words["word"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    starts = np.searchsorted(codes, np.arange(len(encoded.dictionary) + 1)).astype(np.int64)
    return Typeahead(lines, encoded.dictionary.to_pylist(), starts, words["place"].to_numpy().astype(np.int32))


def _words(typed: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", typed[:LONGEST]).upper()
    plain = "".join(c for c in letters if not unicodedata.combining(c) and c not in "'’")
    return re.findall("[A-Z0-9]+", plain)


def _forms(word: str) -> tuple[str, ...]:
    """A word and what it may stand for."""
    long = addresses.FORMS.get(word) or addresses.WELSH_FORMS.get(word)
    return tuple(
        dict.fromkeys((word, *((long,) if long and " " not in long else ()), *(("SAINT",) if word == "ST" else ())))
    )
