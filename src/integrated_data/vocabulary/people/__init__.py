"""People: words that are names of people, and how many values of a column are made of them.

A column of few distinct values may be a code list or the few people who keep the records; only its words tell.
The lists hold given and family names of several traditions, typed in from general knowledge; names that are
ordinary words too (months, colours, trades, kinds of place) are no evidence by themselves.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from integrated_data.vocabulary.names import PARTICLES, TITLES, letters_sql, nicknames
from integrated_data.vocabulary.sql import name, texts

#: The table of known words that `people_sql` joins to.
WORDS = "_people"
#: Distinct values that share of which are names of people: surely names; perhaps names, by whole names and by one word.
SURELY, PERHAPS, PERHAPS_WORDS = 0.6, 0.2, 0.4
#: Longest value that is looked at, in characters and in words.
LONGEST, MOST_WORDS = 60, 5


def _lines() -> list[tuple[str, tuple[str, ...]]]:
    """The lines of all lists, `key: word word …`; `_` stands for a blank."""
    found = []
    for place in resources.files("integrated_data.vocabulary.people").iterdir():
        if place.name.endswith(".txt"):
            for line in place.read_text("utf-8").splitlines():
                key, colon, rest = line.partition(":")
                if colon and not line.startswith("#"):
                    found.append((key, tuple(rest.split())))
    return found


_LINES = _lines()
#: Names that are ordinary words too.
ORDINARY = frozenset(word for key, words in _LINES if key == "ordinary" for word in words)

#: Last words of what is no person: places, organisations, jobs and things that bear a person's name.
NOT_PEOPLE = frozenset(word for key, words in _LINES if key == "end" for word in words)


@dataclass(frozen=True)
class Named:
    """What share of a column's distinct values may be people, and how many they are.

    `whole`: two words or more, or initials and a word, all of them names; `half`: a name in its place beside an unknown
    word; `word`: one word that is a name, `plain`: one that is an ordinary word too. `values` are the distinct ones.
    """

    values: int = 0
    whole: float = 0.0
    half: float = 0.0
    word: float = 0.0
    plain: float = 0.0

    @property
    def surely(self) -> bool:
        """Whether the column holds people's names."""
        named = self.whole + self.half + self.word
        return named >= SURELY and (self.whole >= SURELY / 2 or self.values * self.word >= 2)

    @property
    def perhaps(self) -> bool:
        """Whether it may."""
        words = self.word >= PERHAPS_WORDS or (self.word >= PERHAPS and self.word + self.plain >= SURELY)
        return self.surely or self.whole + self.half >= PERHAPS or (words and self.values * self.word >= 2)

    def hides(self, *, code: bool) -> bool:
        """Whether the column is not published unasked: as a mere `code`, or as what its heading says it is."""
        return self.perhaps if code else self.surely and self.whole >= SURELY / 2


def folded_name(word: str) -> str:
    """A word of a name in capitals A–Z without accents, as `letters_sql` gives it."""
    plain = unicodedata.normalize("NFKD", word.upper().replace("Ł", "L").replace("Ø", "O").replace("'", ""))
    return "".join(letter for letter in plain if "A" <= letter <= "Z" or letter == " ")


@cache
def known() -> dict[str, list[str] | list[bool]]:
    """The columns of the table `WORDS`, each known word a row: `word`, `given`, `family`, `plain` (an ordinary one)."""
    found: dict[str, set[str]] = {"given": set(), "family": set()}
    for key, words in _LINES:
        if key in ("given", "family", "surnames", "women surnames") or key.startswith(("men", "women")):
            found["family" if key.endswith(("surnames", "family")) else "given"].update(_split(words))
    common = resources.files("integrated_data.vocabulary").joinpath("family_names.txt").read_text("utf-8")
    found["family"].update(_split(common.split()))
    found["given"].update(name for pair in nicknames() for name in pair)
    listed = sorted(w for w in found["given"] | found["family"] if len(w) > 1 and w not in (*TITLES, *PARTICLES))
    return {
        "word": listed, "given": [w in found["given"] for w in listed],
        "family": [w in found["family"] for w in listed], "plain": [w in ORDINARY for w in listed],
    }  # fmt: skip


def _split(names: Iterable[str]) -> set[str]:
    pieces = (piece for name in names for piece in name.replace("_", " ").replace("-", " ").split())
    return {folded_name(piece) for piece in pieces}


def people_sql(relation: str) -> str:
    """One row per `column_number` of a relation of distinct values (`column_number`, `v`): the fields of `Named`.

    A value is taken apart into its words; titles and particles count for nothing, single letters as initials.
    Columns with no value of letters alone have no row.
    """
    letters = letters_sql("translate(v, '''’`', '')")
    lettered = "regexp_full_match(v, '[A-Za-zÀ-ÖØ-öø-ÿĀ-žƀ-ɏḀ-ỿ'' .,’`-]+')"
    words = f"list_filter(string_split({letters}, ' '), w -> w NOT IN {texts((*TITLES, *PARTICLES))})"
    saint = f"regexp_matches({letters}, '(^| )(ST|SAINT|SANTA) ')"
    return (
        f"WITH apart AS (SELECT column_number, v, {words} AS words, contains(v, ',') AS comma "
        f"FROM {name(relation)} WHERE length(v) <= {LONGEST} AND {lettered} AND NOT {saint}), "
        "spread AS (SELECT column_number, v, comma, len(words) AS n, unnest(words) AS w, "
        "generate_subscripts(words, 1) AS i FROM apart "
        f"WHERE len(words) BETWEEN 1 AND {MOST_WORDS} AND words[-1] NOT IN {texts(sorted(NOT_PEOPLE))}), "
        "told AS (SELECT column_number, v, n, count(*) FILTER (WHERE length(w) > 1) AS fulls, "
        "count(k.word) FILTER (WHERE length(w) > 1) AS known, "
        "count(k.word) FILTER (WHERE NOT k.plain) AS strong, "
        "bool_or(coalesce(NOT k.plain AND CASE WHEN comma THEN i = 1 AND k.family "
        "ELSE (i = 1 AND k.given) OR (i = n AND k.family) END, false)) AS placed "
        f"FROM spread LEFT JOIN {WORDS} k ON k.word = w GROUP BY column_number, v, n), "
        "judged AS (SELECT column_number, CASE "
        "WHEN n > 1 AND fulls >= 1 AND known = fulls AND strong >= 1 THEN 'whole' "
        "WHEN n BETWEEN 2 AND 4 AND fulls >= 2 AND placed THEN 'half' "
        "WHEN n = 1 AND strong = 1 THEN 'word' WHEN n = 1 AND known = 1 THEN 'plain' END AS what "
        "FROM told), "
        f"looked AS (SELECT column_number, count(*) AS looked FROM {name(relation)} GROUP BY column_number) "
        "SELECT column_number, any_value(looked) AS looked, count(*) FILTER (WHERE what = 'whole') AS whole, "
        "count(*) FILTER (WHERE what = 'half') AS half, count(*) FILTER (WHERE what = 'word') AS word, "
        "count(*) FILTER (WHERE what = 'plain') AS plain "
        "FROM judged JOIN looked USING (column_number) GROUP BY column_number"
    )


def named_of(row: dict[str, int]) -> Named:
    """A row of `people_sql` as shares."""
    total = row["looked"]
    return Named(total, row["whole"] / total, row["half"] / total, row["word"] / total, row["plain"] / total)
