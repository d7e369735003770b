"""Short descriptions of work in people's own words: cleaned, split into words, cut to stems.

`Shops selling men's clothes (retail)` has the phrase `shops selling mens clothes (retail)`, the head
words `shop sell men cloth` and the qualifier `retail`. Qualifiers stand in brackets, as coding indexes
write them; a description without brackets has none.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from integrated_data.vocabulary.sql import text

#: Words that say nothing of what is done.
SILENT = frozenset(
    {
        "a", "an", "and", "as", "at", "by", "etc", "for", "from", "i", "in", "into", "is", "my", "nec", "not", "of",
        "on", "or", "other", "own", "than", "that", "the", "to", "we", "which", "with",
    }
)  # fmt: skip

#: Words written short, or otherwise than coding indexes write them.
WRITTEN_OUT = {
    "acct": "accounts", "accts": "accounts", "admin": "administration", "agric": "agricultural",
    "assoc": "association", "asst": "assistant", "auto": "automobile", "biz": "business",
    "cafe": "restaurant", "co": "company", "comms": "communications", "const": "construction",
    "dept": "department", "dev": "development", "dr": "doctor", "ed": "education", "edu": "education",
    "eng": "engineering", "engr": "engineer", "eqpt": "equipment", "equip": "equipment",
    "estab": "establishment", "exc": "excluding", "fin": "financial", "garment": "clothing",
    "garments": "clothing", "gov": "government", "govt": "government", "gp": "doctor",
    "hosp": "hospital", "hr": "personnel", "insce": "insurance", "lorry": "truck", "mach": "machinery",
    "maint": "maintenance", "maker": "manufacture", "making": "manufacture", "manf": "manufacture",
    "manuf": "manufacture", "manufacturer": "manufacture", "manufacturing": "manufacture",
    "mfg": "manufacture", "mfr": "manufacture", "mgr": "manager", "mgmt": "management",
    "mkt": "market", "pub": "public house", "retailer": "retail", "retailing": "retail",
    "sch": "school", "sec": "secondary", "selling": "sale", "sells": "sale", "shop": "retail shop",
    "snr": "senior", "supt": "superintendent", "svcs": "services", "tech": "technical",
    "transp": "transport", "uni": "university", "univ": "university", "veg": "vegetable",
    "wholesaler": "wholesale", "wholesaling": "wholesale", "wksp": "workshop",
}  # fmt: skip

#: Endings that a stem is without, longest first; a stem keeps four letters.
_ENDINGS = (
    "isations", "izations", "isation", "ization", "ations", "nesses", "ation", "ments", "ories", "ings", "ions", "ment",
    "ness", "ers", "ied", "ies", "ing", "ion", "ors", "ory", "al", "ed", "er", "es", "ic", "or", "e", "s", "y",
)  # fmt: skip
_LEAST = 4
_BRACKETS = re.compile(r"\(([^)]*)\)?")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Words:
    """Stems of a description: outside and inside brackets, in order."""

    head: tuple[str, ...]
    qualifier: tuple[str, ...]


def phrase_sql(column: str) -> str:
    """One way of writing a description: small letters, digits and brackets; NULL where nothing is left."""
    letters = f"replace(lower(strip_accents({column}::VARCHAR)), '&', ' and ')"
    closed = f"regexp_replace({letters}, {text('[' + chr(39) + '’`.]')}, '', 'g')"
    apart = f"regexp_replace({closed}, '[^a-z0-9()]+', ' ', 'g')"
    bare = f"regexp_replace(regexp_replace({apart}, ' *\\( *', ' (', 'g'), ' *\\) *', ') ', 'g')"
    return f"CASE WHEN regexp_matches({apart}, '[a-z0-9]') THEN trim({bare}) END"


def words(phrase: str) -> Words:
    """The stems of a phrase (see `phrase_sql`), without words that say nothing."""
    qualifier = " ".join(_BRACKETS.findall(phrase))
    return Words(_stems(_BRACKETS.sub(" ", phrase)), _stems(qualifier))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without its ending: `brewers` and `brewing` are `brew`; a stem keeps four letters."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST:
            return word[: -len(ending)]
    return word


def _stems(part: str) -> tuple[str, ...]:
    written = " ".join(WRITTEN_OUT.get(word, word) for word in _WORD.findall(part))
    return tuple(stem(word) for word in written.split() if word not in SILENT)
