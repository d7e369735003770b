"""Names of organisations: cleaned, split into words, abbreviations written out, legal form set apart.

All functions return SQL text (DuckDB's dialect). `Smith & Sons (Engrg) Ltd. t/a Smith's` has the
registered name `SMITH AND SONS ENGRG LTD`, the trading style `SMITHS`, the words
`SMITH SON ENGINEERING` and the legal form `LIMITED`.
"""

from integrated_data.vocabulary.sql import text

#: Words that say the legal form, as they are written at the end of a name, to the form they mean.
LEGAL_FORMS: dict[str, str] = {
    "PUBLIC LIMITED COMPANY": "PLC", "PLC": "PLC", "P L C": "PLC",
    "CWMNI CYFYNGEDIG CYHOEDDUS": "PLC", "CCC": "PLC",
    "COMMUNITY INTEREST COMPANY": "CIC", "CIC": "CIC", "C I C": "CIC",
    "CWMNI BUDDIANT CYMUNEDOL": "CIC", "CBC": "CIC", "SEFYDLIAD CORFFOREDIG ELUSENNOL": "CIO",
    "CHARITABLE INCORPORATED ORGANISATION": "CIO", "CIO": "CIO", "SCIO": "CIO",
    "LIMITED LIABILITY PARTNERSHIP": "LLP", "LLP": "LLP", "L L P": "LLP",
    "PARTNERIAETH ATEBOLRWYDD CYFYNGEDIG": "LLP", "PAC": "LLP",
    "LIMITED PARTNERSHIP": "LP", "LP": "LP",
    "PRIVATE LIMITED COMPANY": "LIMITED", "COMPANY LIMITED": "LIMITED", "CO LIMITED": "LIMITED",
    "CO LTD": "LIMITED", "COMPANY LTD": "LIMITED", "LIMITED": "LIMITED", "LTD": "LIMITED",
    "LTD CO": "LIMITED", "CWMNI CYFYNGEDIG": "LIMITED", "CYFYNGEDIG": "LIMITED", "CYF": "LIMITED",
    "UNLIMITED": "UNLIMITED", "UNLTD": "UNLIMITED", "ANGHYFYNGEDIG": "UNLIMITED",
    "LIMITED BY GUARANTEE": "LIMITED", "LTD BY GUARANTEE": "LIMITED",
    "INCORPORATED": "INC", "INC": "INC", "CORPORATION": "CORP", "CORP": "CORP", "LLC": "LLC",
    "GMBH": "GMBH", "BV": "BV", "NV": "NV", "SARL": "SARL", "AG": "AG", "SA": "SA", "PTY LTD": "PTY",
    "LIMITE": "LIMITED", "LIMIT": "LIMITED", "LIMI": "LIMITED", "LIM": "LIMITED", "LT": "LIMITED",  # cut short
    "COMPANY": "", "CO": "",
}  # fmt: skip

#: Words written short, to the word they stand for (singular, as `_stem_sql` leaves it).
ABBREVIATIONS: dict[str, str] = {
    "ACAD": "ACADEMY", "ACC": "ACCOUNTANT", "ACCS": "ACCOUNTANT", "ADMIN": "ADMINISTRATION",
    "AGR": "AGRICULTURAL", "AGRIC": "AGRICULTURAL", "AND": "", "ASSN": "ASSOCIATION",
    "ASSO": "ASSOCIATION", "ASSOC": "ASSOCIATE", "ASSOCS": "ASSOCIATE", "ASSTS": "ASSOCIATE",
    "AVE": "AVENUE", "BLDG": "BUILDING", "BLDGS": "BUILDING", "BLDRS": "BUILDER", "BRO": "BROTHER",
    "BROS": "BROTHER", "CENT": "CENTRE", "CENTER": "CENTRE", "CHEM": "CHEMICAL", "CLIN": "CLINIC",
    "CLN": "CLINIC", "COLL": "COLLEGE", "COMM": "COMMUNITY", "CONST": "CONSTRUCTION",
    "CONSTR": "CONSTRUCTION", "CONS": "CONSULTANT", "CONTR": "CONTRACTOR", "CORPN": "CORPORATION",
    "CTR": "CENTRE", "CTRE": "CENTRE", "DEPT": "DEPARTMENT", "DERM": "DERMATOLOGY",
    "DEV": "DEVELOPMENT", "DEVS": "DEVELOPMENT", "DIST": "DISTRIBUTION", "DOCTOR": "DR",
    "DOCTORS": "DR", "DRS": "DR", "ED": "EDUCATION", "EDUC": "EDUCATION", "ELEC": "ELECTRICAL",
    "ENG": "ENGINEERING", "ENGRG": "ENGINEERING", "ENGR": "ENGINEER", "ENGRS": "ENGINEER",
    "ENT": "ENT", "ENTS": "ENTERPRISE", "EQPT": "EQUIPMENT", "EQUIP": "EQUIPMENT",
    "ESQ": "", "EST": "ESTATE", "FDN": "FOUNDATION", "FNDTN": "FOUNDATION", "GDN": "GARDEN",
    "GDNS": "GARDEN", "GEN": "GENERAL", "GOVT": "GOVERNMENT", "GP": "GP", "GRN": "GREEN",
    "GRP": "GROUP", "GT": "GREAT", "HC": "HEALTH CENTRE", "HLDGS": "HOLDING", "HLTH": "HEALTH",
    "HOSP": "HOSPITAL", "HSE": "HOUSE", "HTH": "HEALTH", "HTHCARE": "HEALTHCARE", "IND": "INDUSTRY",
    "INDS": "INDUSTRY", "INFO": "INFORMATION", "INS": "INSURANCE", "INST": "INSTITUTE",
    "INTL": "INTERNATIONAL", "INT": "INTERNATIONAL", "INV": "INVESTMENT", "INVS": "INVESTMENT",
    "JNR": "JUNIOR", "LA": "LANE", "LAB": "LABORATORY", "LABS": "LABORATORY", "LIB": "LIBRARY",
    "LN": "LANE", "LTL": "LITTLE", "MACH": "MACHINERY", "MAINT": "MAINTENANCE", "MAT": "ACADEMY TRUST",
    "MANUF": "MANUFACTURING", "MC": "MEDICAL CENTRE", "MED": "MEDICAL", "MEML": "MEMORIAL",
    "MFG": "MANUFACTURING", "MFRS": "MANUFACTURER", "MGMT": "MANAGEMENT", "MGT": "MANAGEMENT",
    "MKT": "MARKET", "MKTG": "MARKETING", "MR": "", "MRS": "", "MS": "", "MT": "MOUNT",
    "MTRS": "MOTOR", "MUN": "MUNICIPAL", "NAT": "NATIONAL", "NATL": "NATIONAL", "NTH": "NORTH",
    "OFF": "OFFICE", "ORG": "ORGANISATION", "ORGANIZATION": "ORGANISATION", "ORTHO": "ORTHOPAEDIC",
    "PHARM": "PHARMACY", "PK": "PARK", "PKWY": "PARKWAY", "PL": "PLACE", "PR": "PRACTICE",
    "PRAC": "PRACTICE", "PRACT": "PRACTICE", "PRCT": "PRACTICE", "PRI": "PRIMARY",
    "PRIM": "PRIMARY", "PROD": "PRODUCT", "PRODS": "PRODUCT", "PROP": "PROPERTY",
    "PROPS": "PROPERTY", "PTNR": "PARTNER", "PTNRS": "PARTNER", "PTNS": "PARTNER", "PTR": "PARTNER",
    "PTRS": "PARTNER", "RD": "ROAD", "RES": "RESEARCH", "REST": "RESTAURANT", "SAINT": "ST",
    "SCH": "SCHOOL", "SCHL": "SCHOOL", "SEC": "SECONDARY", "SERV": "SERVICE", "SERVS": "SERVICE",
    "SNR": "SENIOR", "SOC": "SOCIETY", "SOLS": "SOLUTION", "SOLRS": "SOLICITOR", "SQ": "SQUARE",
    "STH": "SOUTH", "STN": "STATION", "STR": "STREET", "SUP": "SUPPLY", "SURG": "SURGERY",
    "SURGY": "SURGERY", "SVC": "SERVICE", "SVCS": "SERVICE", "SVS": "SERVICE", "SYS": "SYSTEM",
    "TECH": "TECHNOLOGY", "TECHS": "TECHNOLOGY", "TEL": "TELEPHONE", "TER": "TERRACE", "THE": "",
    "TPT": "TRANSPORT", "TRANS": "TRANSPORT", "TRG": "TRAINING", "TST": "TRUST", "UNI": "UNIVERSITY",
    "UNIV": "UNIVERSITY", "VET": "VETERINARY", "VILL": "VILLAGE", "WHSE": "WAREHOUSE", "WKS": "WORK",
    "Y": "", "A": "", "OF": "", "IN": "", "AT": "", "FOR": "",
}  # fmt: skip

#: Marks between a registered name and the style it trades under, before a name it had, and before somebody
#: else who takes its post.
TRADING_MARK = (
    r"(?:^|[\s(,;])(?:T\s?/\s?AS?|T\.\s?A\.?|TRADING\s+(?:AS|STYLE|UNDER(?:\s+THE\s+NAME(?:\s+OF)?)?)|TRADINGAS|"
    r"YN\s+MASNACHU\s+FEL|D\s?/\s?B\s?/\s?A|DBA|A\s?/\s?K\s?/\s?A|ALSO\s+KNOWN\s+AS)[\s:]+"
)
FORMER_MARK = (
    r"(?:^|[\s(,;-])(?:F\s?/\s?K\s?/\s?A|(?:FORMERLY|PREVIOUSLY|GYNT)(?:\s+(?:KNOWN\s+AS|TRADING\s+AS))?)[\s:]+"
)
CARE_MARK = r"(?:^|[\s(,;-])(?:C\s?/\s?O|CARE\s+OF)[\s:.]+"

#: What is written behind a name and is no part of it.
STANDING = r"(IN (LIQUIDATION|ADMINISTRATION|RECEIVERSHIP)|DISSOLVED|CLOSED|CEASED TRADING|CEASED)"

_ENDINGS = "|".join(sorted(LEGAL_FORMS, key=len, reverse=True))
_MARKS = f"{TRADING_MARK}|{FORMER_MARK}|{CARE_MARK}"


def letters_sql(column: str) -> str:
    """Capitals without accents; letters that are no accented form of another are spelled (Ł is L, Ø is O, ß is SS)."""
    capitals = f"translate(upper(strip_accents({column})), 'ŁØĐÐ', 'LODD')"
    return f"replace(replace(replace(replace({capitals}, 'Æ', 'AE'), 'Œ', 'OE'), 'ẞ', 'SS'), 'Þ', 'TH')"


def plain_sql(column: str) -> str:
    """Capitals without accents or marks; NULL if empty.

    `&` is AND; initials and single figures close up, however they are written (`B.B.C.`, `B B C`).
    """
    letters = letters_sql(column)
    joined = f"replace(replace(replace({letters}, '&', ' AND '), '''', ''), '’', '')"
    parted = f"regexp_replace({joined}, '\\.([A-Z]{{2,}})', '. \\1', 'g')"
    initials = f"regexp_replace({parted}, '\\b([A-Z])\\.', '\\1', 'g')"
    words = f"regexp_replace({initials}, '[^A-Z0-9]+', ' ', 'g')"
    single = f"regexp_replace({words}, '\\b([A-Z0-9])\\b', '<\\1>', 'g')"
    closed = f"replace(replace(replace({single}, '> <', ''), '<', ''), '>', '')"
    return f"nullif(trim(regexp_replace({closed}, '\\b24 7\\b', '247', 'g')), '')"


def registered_name_sql(column: str) -> str:
    """What stands before a mark of trading, of a former name or of care, plain; the whole where there is none."""
    return plain_sql(f"regexp_extract({column}, {text('(?is)^(.*?)(?:(?:' + _MARKS + ').*)?$')}, 1)")


def trading_style_sql(column: str) -> str:
    """What stands after a trading mark, plain; NULL where there is no mark."""
    return _after_sql(column, TRADING_MARK)


def former_name_sql(column: str) -> str:
    """What stands after `formerly` or the like, plain; NULL where there is no such mark."""
    return _after_sql(column, FORMER_MARK)


def _after_sql(column: str, mark: str) -> str:
    found = f"regexp_extract({column}, {text('(?is)' + mark + '(.*)$')}, 1)"
    return plain_sql(f"nullif(regexp_extract({found}, {text('(?is)^(.*?)(?:(?:' + _MARKS + ').*)?$')}, 1), '')")


def legal_form_sql(plain: str) -> str:
    """The words of the legal form at the end of a plain name, e.g. `LTD`; NULL where there are none."""
    return f"nullif(regexp_extract({_standing_left_out(plain)}, '\\s({_ENDINGS})$', 1), '')"


def without_legal_form_sql(plain: str) -> str:
    """A plain name without THE before it and its legal form behind it (`AND CO` too).

    A name that is all legal form stays.
    """
    shed = f"regexp_replace({_standing_left_out(plain)}, '(\\s(AND )?({_ENDINGS}))+$', '')"
    return f"regexp_replace({shed}, '^THE (.)|(.) THE$', '\\1\\2')"


def _standing_left_out(plain: str) -> str:
    return f"regexp_replace({plain}, '\\s{STANDING}$', '')"


def legal_form_code_sql(words: str) -> str:
    """The legal form that the words at the end of a name mean, e.g. `LTD` is LIMITED."""
    cases = " ".join(f"WHEN {text(written)} THEN {text(form)}" for written, form in LEGAL_FORMS.items() if form)
    return f"CASE {words} {cases} END"


def company_number_sql(column: str) -> str:
    """A company number in eight characters, `01234567` or `SC001234`, or `GB-COH-` before it."""
    bare = f"regexp_replace(regexp_replace(upper({column}), '[^A-Z0-9]', '', 'g'), '^GBCOH', '')"
    letters = f"regexp_extract({bare}, '^([A-Z]{{0,2}})', 1)"
    digits = f"regexp_extract({bare}, '([0-9]+)$', 1)"
    return (
        f"CASE WHEN regexp_full_match({bare}, '[A-Z]{{0,2}}[0-9]{{1,8}}') "
        f"THEN {letters} || lpad({digits}, greatest(8 - length({letters}), length({digits}))::INTEGER, '0') "
        f"ELSE nullif({bare}, '') END"
    )


def singular_sql(word: str) -> str:
    """A word without its plural S: SERVICES is SERVICE, INDUSTRIES is INDUSTRY, GLASS stays."""
    return (
        f"CASE WHEN regexp_matches({word}, '^[A-Z]{{3,}}IES$') THEN {word}[:-4] || 'Y' "
        f"WHEN regexp_matches({word}, '^[A-Z]{{2,}}[A-RTV-Z]S$') AND length({word}) > 3 "
        f"AND NOT regexp_matches({word}, '(IS|SS)$') THEN {word}[:-2] ELSE {word} END"
    )


def words_sql(relation: str, *, keys: str, column: str) -> str:
    """One row per word of a plain name: the `keys` columns, `position` (from 1) and `word`.

    Abbreviations are written out, plurals made singular, and words that carry no identity
    (THE, AND, OF) left out; a name made of such words alone keeps them.
    """
    known = ", ".join(f"({text(short)}, {text(long)})" for short, long in ABBREVIATIONS.items())
    single = singular_sql("coalesce(long, spelled)")
    return f"""
        WITH split AS (
            SELECT {keys}, unnest(string_split(plain, ' ')) AS spelled,
                   generate_subscripts(string_split(plain, ' '), 1) AS place
            FROM (SELECT {keys}, {without_legal_form_sql(column)} AS plain FROM {relation}
                  WHERE {column} IS NOT NULL)),
        written AS (
            SELECT {keys}, place, spelled, unnest(string_split({single}, ' ')) AS word
            FROM split LEFT JOIN (VALUES {known}) AS known(short, long) ON short = spelled),
        bare AS (SELECT {keys} FROM written GROUP BY ALL HAVING max(word) = '')
        SELECT {keys}, row_number() OVER (PARTITION BY {keys} ORDER BY place) AS position, word
        FROM (SELECT {keys}, place, word FROM written WHERE word <> ''
              UNION ALL SELECT {keys}, place, spelled FROM written SEMI JOIN bare USING ({keys}))"""
