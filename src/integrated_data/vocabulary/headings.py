"""What a column's heading says it means: the words suppliers use, and how sure each makes one.

A heading is split into words (`PersonForename`, `dob_day`, `LSOA11CD`) and joined by single blanks
before the patterns of headings.txt are searched in it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.detect import MISSING_TOKENS, MISSING_WORDS
from integrated_data.vocabulary.names import nicknames
from integrated_data.vocabulary.postcodes import PATTERN as POSTCODE

#: Words of others than the record's own subject: their names and numbers are not the subject's.
OTHERS = re.compile(
    r"\b(spouse|partner|husband|wife|mother|mothers|father|fathers|maternal|paternal|parent|guardian|carer|nok|"
    r"next of kin|kin|child|dependent|dependant|gp|doctor|dr|clinician|consultant|referrer|referring|emergency|"
    r"contact|witness|landlord|manager|informant|interviewer|agent|previous|old|former|prev|alternative|second)\b"
)

#: Last words of a heading that says who did something, in English and Welsh: an officer, not the kind of one.
AT_WORK = re.compile(
    r"(\b|_)(officers?|workers?|caseworker|keyworker|nurses?|midwife|midwives|doctors?|gps?|clinicians?|consultants?|"
    r"surgeons?|therapists?|physios?|carers?|teachers?|tutors?|lecturers?|heads?|managers?|supervisors?|leads?|leaders?|"
    r"handlers?|agents?|advis[eo]rs?|assessors?|inspectors?|interviewers?|investigators?|reviewers?|registrars?|examiners?|"
    r"coroners?|drivers?|operators?|clerks?|secretary|secretaries|administrators?|assistants?|staff|employees?|authors?|"
    r"owners?|contacts?|persons?|referrers?|witness(es)?|buyers?|trainers?|coach(es)?|mentors?|by|who|swyddog(ion)?|"
    r"gweithiwr|gweithwraig|nyrs(ys)?|meddyg(on)?|athro|athrawes|athrawon|tiwtor|rheolwr|rheolwraig|arweinydd|pennaeth|"
    r"cynghorydd|aseswr|arolygydd|cyfwelydd|gyrrwr|clerc|ysgrifennydd|gofalwr|perchennog|cyswllt|staff|gan)$"
)

#: Words of an organisation: a name or address beside them is the organisation's.
ORGANISATIONS = re.compile(
    r"\b(employer|company|organisation|organization|org|business|firm|practice|surgery|hospital|school|trust|"
    r"provider|site|establishment|trading|legal|charity|supplier|premises|enterprise|workplace|shop|pharmacy|"
    r"institution|college|university|council|edubase|payer|paye)\b"
)


def _rules() -> tuple[tuple[Meaning, float, re.Pattern[str]], ...]:
    """The lines of headings.txt: meaning, strength, pattern."""
    text = resources.files("integrated_data.vocabulary").joinpath("headings.txt").read_text("utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            meaning, strength, pattern = line.split(" ", 2)
            found.append((Meaning(meaning), float(strength), re.compile(pattern)))
    return tuple(found)


RULES = _rules()

#: Letters that are no plain one with an accent, as they are written without them; the fold of cases sees to the rest.
_UNMARKED = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i"})
#: Share of a heading's letters and digits that must be left in a column's name for it to say the same.
KEPT = 0.75
#: Longest heading that is shown.
LONGEST = 60
#: Words that name people: a heading of such words alone may be somebody.
NAMES = frozenset(
    resources.files("integrated_data.vocabulary").joinpath("family_names.txt").read_text("utf-8").split()
) | {name for pair in nicknames() for name in pair}
#: How names of columns are made and few values are: words joined by underscores, letters with a short number.
_MADE = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)+|[A-Za-z]{1,12}[0-9]{1,2}[A-Za-z]{0,4}|[a-z]+([A-Z][a-z]+)+")
#: What values of people and places hold: a mail address, a run of digits longer than a year, a date, a postcode,
#: a National Insurance number, money.
_VALUES = tuple(
    re.compile(p) for p in ("@", r"[0-9]{5}", r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}", rf"^({POSTCODE})$",
                            r"^[A-Z]{2}[0-9]{6}[A-D]?$", r"[£$€]", r"^[+-]?[0-9.,]+$")
)  # fmt: skip

#: Words that say that there is no value.
NO_VALUE = frozenset((*MISSING_TOKENS, *MISSING_WORDS))
_PLAIN, _LOWER = re.compile(r"[^\W\d_][\w .()%/£-]*"), re.compile(r"[a-z][a-z0-9_]*")

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_BREAK = re.compile(r"[^0-9A-Za-z]+")


@dataclass(frozen=True)
class Hint:
    """What a heading suggests: a meaning and a strength from 0 to 1. `other`: not the record's subject."""

    meaning: Meaning
    strength: float
    other: bool
    organisation: bool


def words_of(heading: str) -> str:
    """The heading's words in lower case, joined by single blanks."""
    return _BREAK.sub(" ", _CAMEL.sub(" ", heading)).strip().lower()


def hints(heading: str) -> tuple[Hint, ...]:
    """Every meaning a heading suggests, strongest first, each once."""
    words = words_of(heading)
    other, organisation = bool(OTHERS.search(words)), bool(ORGANISATIONS.search(words))
    found: dict[Meaning, float] = {}
    for meaning, strength, pattern in RULES:
        if pattern.search(words):
            found[meaning] = max(strength, found.get(meaning, 0.0))
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return tuple(Hint(meaning, strength, other, organisation) for meaning, strength in ordered)


def at_work(heading: str) -> bool:
    """Whether a heading says who did something (`case officer`, `swyddog`, `seen by`)."""
    return bool(AT_WORK.search(words_of(heading)))


def is_known_heading(cell: str) -> bool:
    """Whether a cell of a first row can only be a heading."""
    words = words_of(cell)
    return bool(words) and len(words) <= 60 and any(h.strength >= 0.9 for h in hints(cell)) and "@" not in cell


def showable(headings: Sequence[str], *, names: bool = False) -> tuple[str, ...]:
    """Headings as they may be shown outside: what may be a value is called by its place, `column 3`.

    The first row of a file without a header can pass for one. A heading is shown where it is a known one or is made
    as names of columns are (`ward_2`, `q14`, `LSOA11CD`), and, beside a known one, where it does not look like a value.
    `names`: something else shows that they are names (`is_above_numbers`), as a known one does.
    """
    known = names or any(is_known_heading(h) for h in headings)
    return tuple(
        heading if is_known_heading(heading) or _is_made(heading, known=known, names=names) else f"column {number}"
        for number, heading in enumerate(headings, 1)
    )


def _is_made(heading: str, *, known: bool, names: bool) -> bool:
    """Whether a heading is made as names of columns are; among those that surely are, small letters are enough."""
    if names and _LOWER.fullmatch(heading) and len(heading) <= LONGEST:
        return True
    return (known or bool(_MADE.fullmatch(heading))) and not _like_a_value(heading)


def is_above_numbers(headings: Sequence[str], *, numbers: Sequence[bool]) -> bool:
    """Whether headings can be no values, for plain words stand above numbers and dates (`numbers`, by column).

    A row of values may lack one and say so in words; two such words, none of which says that, are names, and so is one
    among words that are all written as names of columns are.
    """
    above = [h.strip() for h, number in zip(headings, numbers, strict=True) if number]
    words = all(_PLAIN.fullmatch(h) and h.upper() not in NO_VALUE for h in above)
    return words and (len(set(above)) > 1 or (len(above) == 1 and all(_LOWER.fullmatch(h) for h in headings)))


def _like_a_value(heading: str) -> bool:
    bare = heading.replace(" ", "").upper()
    if len(heading) > LONGEST or any(pattern.search(bare) for pattern in _VALUES):
        return True
    words = _BREAK.sub(" ", heading).strip().upper().split()
    return bool(words) and all(word in NAMES for word in words)


def column_name(source: str, taken: set[str]) -> str:
    """A plain name for a delivered column: lower case, words joined by underscores, not in `taken`.

    Letters lose their accents. A heading of which less than `KEPT` would be left, as of another script or of symbols,
    is called by its position: one after those that are `taken`.
    """
    spelled = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", source).casefold().translate(_UNMARKED))
    letters = "".join(c for c in spelled if not unicodedata.combining(c))
    base = re.sub(r"[^0-9a-z]+", "_", letters).strip("_")
    left, told = len(base.replace("_", "")), sum(map(str.isalnum, letters))
    base = base if base and left >= KEPT * told else f"column_{len(taken) + 1}"
    base = f"c_{base}" if base[0].isdigit() else base
    name, n = base, 1
    while name in taken:
        n += 1
        name = f"{base}_{n}"
    taken.add(name)
    return name


def folded(heading: str) -> str:
    """A heading without case, blanks and punctuation: what stays the same when it is written otherwise."""
    return re.sub(r"[^0-9a-z]+", "", heading.lower())


def respelled_as(heading: str) -> str:
    """A heading without case, blanks and punctuation, with the letters of every alphabet; itself where none is left."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", heading).casefold()) or heading
