"""Personal names as SQL text: letters, tokens, sounds and nicknames (DuckDB's dialect; pure functions).

Every function takes a SQL expression and gives one. Nothing here looks at data.
"""

from importlib import resources

#: Letters that do not decompose into a base letter and an accent, and what they are written as.
_UNDECOMPOSED = (("Ø", "O"), ("Ł", "L"), ("Đ", "D"), ("Æ", "AE"), ("Œ", "OE"), ("ß", "SS"), ("ẞ", "SS"))

#: Entries in a name field that say there is no name.
PLACEHOLDERS = (
    "UNKNOWN", "UNK", "NK", "NA", "NONE", "NULL", "NOTKNOWN", "NOTGIVEN", "NOTSTATED", "UNNAMED", "BABY", "INFANT",
    "BABYBOY", "BABYGIRL", "BOY", "GIRL", "MALE", "FEMALE", "TWIN", "TWINONE", "TWINTWO", "PERSON", "NONAME",
    "MISSING", "REFUSED", "TEST", "XXX", "XX", "ADULT", "CHILD",
)  # fmt: skip

#: Parts of a family name that do not tell families apart.
PARTICLES = (
    "DE", "DA", "DO", "DOS", "DAS", "DI", "DEL", "DELLA", "DER", "DEN", "DU", "LA", "LE", "LES", "LOS", "VAN",
    "VON", "TER", "TEN", "ZU", "EL", "AL", "BIN", "BINT", "IBN", "BEN", "ABU", "AP", "AB", "FERCH", "MAC", "MC",
    "O", "ST", "SAINT", "SANTA", "Y", "E", "AND",
)  # fmt: skip

#: Titles before a name and letters after it.
TITLES = (
    "MR", "MRS", "MS", "MISS", "MSTR", "MASTER", "MX", "DR", "PROF", "PROFESSOR", "REV", "REVD", "REVEREND", "SIR",
    "DAME", "LADY", "LORD", "FR", "FATHER", "SISTER", "BROTHER", "RABBI", "IMAM", "CAPT", "CAPTAIN", "COL", "MAJ",
    "SGT", "HON", "RT", "THE",
)  # fmt: skip

#: Groups of consonants that sound alike (Russell's Soundex, 1918), vowels and H, W, Y left out.
_SOUNDS = ("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R")

#: Letters that are taken for one another when handwriting or print is read by machine.
_SHAPES = tuple(zip("DGOQEJLMNWRSVY", "CCCCFIIHHHAZUU", strict=True))


def letters_sql(name: str) -> str:
    """Capitals A–Z and single blanks, accents off; NULL where nothing is left."""
    plain = f"upper(strip_accents({name}))"
    for letter, written in (*_UNDECOMPOSED, ("''", ""), ("’", "")):
        plain = f"replace({plain}, '{letter}', '{written}')"
    return f"nullif(trim(regexp_replace({plain}, '[^A-Z]+', ' ', 'g')), '')"


def solid_sql(letters: str) -> str:
    """Letters without blanks."""
    return f"replace({letters}, ' ', '')"


def named_sql(solid: str) -> str:
    """The same name; NULL where the entry says that there is no name."""
    return f"CASE WHEN {solid} NOT IN ({', '.join(repr(p) for p in PLACEHOLDERS)}) THEN {solid} END"


def tokens_sql(letters: str) -> str:
    """The words of a name as a list."""
    return f"string_split({letters}, ' ')"


def family_parts_sql(letters: str) -> str:
    """The words of a family name that tell families apart, as a list: no particles, at least two letters."""
    particles = ", ".join(repr(p) for p in PARTICLES)
    return f"list_filter({tokens_sql(letters)}, lambda w: length(w) > 1 AND NOT list_contains([{particles}], w))"


def mac_sql(solid: str) -> str:
    """MAC and MC written one way: MACDONALD becomes MCDONALD."""
    return f"regexp_replace({solid}, '^MAC([B-DF-HJ-NP-TV-Z][A-Z]{{2}})', 'MC\\1')"


def sound_sql(solid: str) -> str:
    """A code of up to four digits for how a name sounds: consonant groups, doubles once."""
    code = f"regexp_replace({solid}, '[^BCDFGJ-NP-TVXZ]+', '', 'g')"
    for digit, group in enumerate(_SOUNDS, start=1):
        code = f"regexp_replace({code}, '[{group}]+', '{digit}', 'g')"
    return f"left({code}, 4)"


def shape_sql(solid: str) -> str:
    """Letters that machine reading takes for one another made one: HILL and HIII agree."""
    code = solid
    for letter, shape in _SHAPES:
        code = f"replace({code}, '{letter}', '{shape}')"
    return code


def nicknames() -> tuple[tuple[str, str], ...]:
    """Pairs of a given name and the name that its nicknames share: (BOB, ROBERT), (ROBERT, ROBERT)."""
    pairs: dict[str, str] = {}
    text = resources.files("integrated_data.vocabulary").joinpath("nicknames.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        root, *others = line.upper().split()
        for given in (root, *others):
            pairs.setdefault(given, root)
    return tuple(pairs.items())
