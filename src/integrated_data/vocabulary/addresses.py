"""British addresses: abbreviations written out, Welsh forms, and the words that say what a part is.

All functions return SQL text (DuckDB's dialect). Words that are written in several ways get one
form, so that `Flat 2, 14 St. John's Rd` and `FLAT 2 14 SAINT JOHNS ROAD` become the same text.
"""

import re

from integrated_data.vocabulary import welsh
from integrated_data.vocabulary.sql import text, texts

#: Words that end the name of a street and hardly ever of a building.
STREETS = (
    "ROAD", "STREET", "AVENUE", "LANE", "DRIVE", "CLOSE", "CRESCENT", "TERRACE", "WAY", "HILL", "ROW",
    "GROVE", "MEWS", "PARADE", "EMBANKMENT", "ESPLANADE", "PROMENADE", "BOULEVARD", "BROADWAY",
    "CAUSEWAY", "CIRCUS", "HIGHWAY", "BYPASS", "PASSAGE", "ALLEY", "QUAY", "WHARF", "ROUNDABOUT",
    "TURNPIKE", "STRAND", "CUTTING", "APPROACH", "YARD", "WYND", "BRAE", "LOAN", "VENNEL", "DRIFT",
    "CHASE", "RISE", "VIEW", "WALK", "GARDENS", "PLACE", "SQUARE", "GREEN", "PARKWAY", "HIGHLANDS",
    "CIRCLE", "TRAIL", "COVE", "LOOP", "PIKE", "FREEWAY", "EXPRESSWAY", "ARCADE", "SIDE",
)  # fmt: skip

#: Words that end the name of a building, a site or an estate, and now and then of a street.
BUILDINGS = (
    "HOUSE", "COURT", "CENTRE", "BUILDING", "LODGE", "COTTAGE", "HOTEL", "HALL", "MILL", "FARM",
    "ESTATE", "SURGERY", "PRACTICE", "SCHOOL", "ACADEMY", "COLLEGE", "HOSPITAL", "CLINIC", "CHURCH",
    "CHAPEL", "PHARMACY", "LIBRARY", "TOWER", "MANSIONS", "CHAMBERS", "WORKS", "BARN", "VILLA",
    "BUNGALOW", "INN", "RESTAURANT", "CAFE", "NURSERY", "STUDIOS", "APARTMENTS", "OFFICES", "PRISON",
    "STATION", "UNIVERSITY", "SUPERMARKET", "DEPOT", "WAREHOUSE", "RECTORY", "VICARAGE", "MANOR",
)  # fmt: skip

#: Words before the number or letter of a part of a building.
FLATS = (
    "FLAT", "UNIT", "APARTMENT", "SUITE", "ROOM", "STUDIO", "MAISONETTE", "OFFICE", "SHOP", "PLOT",
    "BLOCK", "STALL", "CARAVAN", "BAY", "KIOSK", "PENTHOUSE",
)  # fmt: skip

#: Words written short or in Welsh, to one form.
FORMS: dict[str, str] = {
    "RD": "ROAD", "STR": "STREET", "ST": "STREET", "AV": "AVENUE", "AVE": "AVENUE", "AVEN": "AVENUE",
    "LN": "LANE", "LA": "LANE", "DR": "DRIVE", "DRV": "DRIVE", "DVE": "DRIVE", "CL": "CLOSE",
    "CLS": "CLOSE", "CLO": "CLOSE", "CRES": "CRESCENT", "CRESENT": "CRESCENT", "CR": "CRESCENT",
    "TER": "TERRACE", "TERR": "TERRACE", "TCE": "TERRACE", "GRO": "GROVE", "GR": "GROVE",
    "GDNS": "GARDENS", "GDN": "GARDENS", "GARDEN": "GARDENS", "GNS": "GARDENS", "PL": "PLACE",
    "SQ": "SQUARE", "SQR": "SQUARE", "GRN": "GREEN", "PDE": "PARADE", "BLVD": "BOULEVARD",
    "BVD": "BOULEVARD", "BDWY": "BROADWAY", "BWAY": "BROADWAY", "WY": "WAY", "PK": "PARK",
    "PKWY": "PARKWAY", "CT": "COURT", "CRT": "COURT", "HSE": "HOUSE", "HO": "HOUSE", "BLDG": "BUILDING",
    "BLDGS": "BUILDING", "BUILDINGS": "BUILDING", "BLD": "BUILDING", "CTR": "CENTRE", "CTRE": "CENTRE",
    "CENTER": "CENTRE", "EST": "ESTATE", "IND": "INDUSTRIAL", "INDL": "INDUSTRIAL", "INDUST": "INDUSTRIAL",
    "TRAD": "TRADING", "BUS": "BUSINESS", "FM": "FARM", "COTT": "COTTAGE", "COTTS": "COTTAGE",
    "COTTAGES": "COTTAGE", "COT": "COTTAGE", "SCH": "SCHOOL", "SCHL": "SCHOOL", "HOSP": "HOSPITAL",
    "UNIV": "UNIVERSITY", "COLL": "COLLEGE", "SURG": "SURGERY", "PRAC": "PRACTICE", "PRACT": "PRACTICE",
    "MED": "MEDICAL", "HLTH": "HEALTH", "HTH": "HEALTH", "STN": "STATION", "STATN": "STATION",
    "MKT": "MARKET", "MANS": "MANSIONS", "CHMBRS": "CHAMBERS", "WKS": "WORKS", "WHF": "WHARF",
    "BR": "BRIDGE", "BRDG": "BRIDGE", "JCT": "JUNCTION", "RDBT": "ROUNDABOUT", "CH": "CHURCH",
    "UPR": "UPPER", "UPP": "UPPER", "LWR": "LOWER", "LR": "LOWER", "GT": "GREAT", "LT": "LITTLE",
    "LTL": "LITTLE", "NTH": "NORTH", "STH": "SOUTH", "N": "NORTH", "S": "SOUTH", "E": "EAST", "W": "WEST",
    "NR": "NEAR", "OPP": "OPPOSITE", "ADJ": "ADJACENT", "R O": "REAR", "MT": "MOUNT", "PT": "POINT",
    "FLT": "FLAT", "FL": "FLAT", "APT": "APARTMENT", "APPT": "APARTMENT", "APMT": "APARTMENT",
    "STE": "SUITE", "RM": "ROOM", "UNT": "UNIT", "MAIS": "MAISONETTE", "FLR": "FLOOR", "GRD": "GROUND",
    "GND": "GROUND", "1ST": "FIRST", "2ND": "SECOND", "3RD": "THIRD", "4TH": "FOURTH", "5TH": "FIFTH",
    "6TH": "SIXTH", "7TH": "SEVENTH", "8TH": "EIGHTH", "9TH": "NINTH", "10TH": "TENTH",
    "LOGDE": "LODGE", "LDG": "LODGE", "BUNG": "BUNGALOW", "VILL": "VILLAGE", "CP": "PARK",
    "UNITS": "UNIT", "FLATS": "FLAT", "SUITES": "SUITE", "ROOMS": "ROOM",
}  # fmt: skip

#: The same for Welsh words; those marked with `^` stand after a word for a street.
WELSH_FORMS: dict[str, str] = {
    **welsh.TOWNS, **welsh.PARTS, **welsh.PHRASES,
    **{f"^{word}": "^" + english.replace(" ", "_")
       for words in (welsh.STREET_NAMES, welsh.TOWNS, welsh.PHRASES) for word, english in words.items()},
}  # fmt: skip

#: Names after ST that make it SAINT and not STREET.
SAINTS = (
    "AGNES", "ALBAN", "ALDATE", "ANDREW", "ANN", "ANNE", "ANTHONY", "ASAPH", "AUGUSTINE", "AUSTELL",
    "BARNABAS", "BARTHOLOMEW", "BEDE", "BENEDICT", "BRIDES", "BRIDGET", "CATHERINE", "CHAD", "CLEMENT",
    "CLEARS", "COLUMBA", "CUTHBERT", "DAVID", "DOGMAELS", "DUNSTAN", "EDMUND", "EDWARD", "FRANCIS",
    "GEORGE", "GILES", "HELEN", "HELENS", "HELIER", "HILDA", "IVES", "JAMES", "JOHN", "JOSEPH", "JUDE",
    "KATHERINE", "LAWRENCE", "LEONARD", "LEONARDS", "LUKE", "MARGARET", "MARK", "MARTIN", "MARY",
    "MATTHEW", "MAWES", "MICHAEL", "NEOT", "NEOTS", "NICHOLAS", "OSWALD", "PANCRAS", "PATRICK", "PAUL",
    "PETER", "PETERSBURG", "PHILIP", "SAVIOUR", "STEPHEN", "SWITHIN", "THOMAS", "VINCENT", "WILFRID",
)  # fmt: skip

#: Counties and countries: written or left out at will, so they say nothing.
COUNTIES = (
    "AVON", "BEDFORDSHIRE", "BERKSHIRE", "BUCKINGHAMSHIRE", "CAMBRIDGESHIRE", "CHESHIRE", "CLEVELAND",
    "CLWYD", "CORNWALL", "CUMBRIA", "DERBYSHIRE", "DEVON", "DORSET", "DYFED", "EAST SUSSEX",
    "EAST YORKSHIRE", "ENGLAND", "ESSEX", "GLOUCESTERSHIRE", "GREATER LONDON", "GREATER MANCHESTER",
    "GWENT", "GWYNEDD", "HAMPSHIRE", "HEREFORDSHIRE", "HERTFORDSHIRE", "HERTS", "HUMBERSIDE",
    "ISLE OF WIGHT", "KENT", "LANCASHIRE", "LANCS", "LEICESTERSHIRE", "LINCOLNSHIRE", "LINCS",
    "MERSEYSIDE", "MID GLAMORGAN", "MIDDLESEX", "MIDDX", "NORFOLK", "NORTH HUMBERSIDE",
    "NORTH YORKSHIRE", "NORTHAMPTONSHIRE", "NORTHANTS", "NORTHUMBERLAND", "NOTTINGHAMSHIRE", "NOTTS",
    "OXFORDSHIRE", "OXON", "POWYS", "RUTLAND", "SHROPSHIRE", "SALOP", "SOMERSET", "SOUTH GLAMORGAN",
    "SOUTH HUMBERSIDE", "SOUTH YORKSHIRE", "STAFFORDSHIRE", "STAFFS", "SUFFOLK", "SURREY", "SUSSEX",
    "TYNE AND WEAR", "UK", "UNITED KINGDOM", "WALES", "WARWICKSHIRE", "WARKS", "WEST GLAMORGAN",
    "WEST MIDLANDS", "WEST SUSSEX", "WEST YORKSHIRE", "WILTSHIRE", "WILTS", "WORCESTERSHIRE", "WORCS",
    "ANGLESEY", "CARMARTHENSHIRE", "CEREDIGION", "DENBIGHSHIRE", "FLINTSHIRE", "MONMOUTHSHIRE",
    "PEMBROKESHIRE", "VALE OF GLAMORGAN", "YORKSHIRE", "BEDS",
    "BERKS", "BUCKS", "CAMBS", "HANTS", "LEICS", "GLOS", "GREAT BRITAIN",
)  # fmt: skip

DIRECTIONS = ("NORTH", "SOUTH", "EAST", "WEST", "UPPER", "LOWER")

POSTCODE = r"([A-Z]{1,2}[0-9][A-Z0-9]?)\s*([0-9][ABD-HJLNP-UW-Z]{2})"

#: Characters of an address that are read; what is longer is no address.
LONGEST = 500

_COUNTRY = "(?: (?:UK|GB|UNITED KINGDOM|GREAT BRITAIN|ENGLAND|WALES|SCOTLAND|NORTHERN IRELAND))?"
_POSTCODES = rf"(?:^|[ ,])({POSTCODE.replace('(', '').replace(')', '')}){_COUNTRY}(?: ?,|$)"
_PHRASE, _JOINED = r"\1<\2>\3", r"<\1_\2>"
_WELSH_SIGN = r"\b(" + "|".join(welsh.SIGNS) + r")\b"


def postcode_sql(column: str) -> str:
    """A postcode in capitals with one blank before its last three characters; NULL where it is none."""
    bare = f"regexp_replace(upper({column}), '[^A-Z0-9]', '', 'g')"
    return (
        f"CASE WHEN regexp_full_match({bare}, '[A-Z]{{1,2}}[0-9][A-Z0-9]?[0-9][A-Z]{{2}}') "
        f"THEN {bare}[:-4] || ' ' || {bare}[-3:] END"
    )


def postcodes_sql(plain: str) -> str:
    """A list of the different postcodes that end a part of a plain address."""
    found = f"regexp_extract_all({plain}, {text(_POSTCODES)}, 1)"
    return f"list_distinct(list_transform({found}, lambda found: {postcode_sql('found')}))"


def without_postcodes_sql(plain: str) -> str:
    """A plain address without the postcodes (and the country behind one) that end its parts."""
    return f"trim(regexp_replace({plain}, {text(_POSTCODES)}, ' , ', 'g'), ' ,')"


def plain_sql(column: str) -> str:
    """An address in capitals, parts between ` , `: line ends are commas, accents and marks go, ranges are `12-14`."""
    steps = (
        (r"[\n\r;|]+", ","),
        (r"&", " AND "),
        (r"\b(NO|NUMBER|RHIF)[. ]+([0-9])", r"\2"),
        (r"#\s*([0-9])", r"FLAT \1"),
        (r"([0-9])[OQ]\b", r"\10"),  # a letter O read for a nought
        (r"\b([0-9]+[A-Z]?)\s*(?:[-–/]|\bTO\b|\bAND\b)\s*([0-9]+[A-Z]?)\b", r"\1-\2"),
        (r"([A-Z]{3,}) ?/ ?([A-Z]{3,})", r"\1 , \2"),  # a place of two names
        (r"[^A-Z0-9,-]+", " "),
        (r"\b([0-9]+) ([A-D])\b", r"\1\2"),
        (r"([^0-9])-|-([^0-9])", r"\1 \2"),
        (r"\s*,[\s,]*", " , "),
        (r"(^| , |[0-9][A-Z]? )ST ([A-Z])", r"\1SAINT \2"),
        (r"\bST (" + "|".join(SAINTS) + r")(S?)\b", r"SAINT \1\2"),
    )
    capitals = f"replace(upper(strip_accents(left({column}, {LONGEST}))), '’', '''')"
    written = f"replace(replace({capitals}, '''R ', ' YR '), '''', '')"  # RHODFA'R is RHODFA YR
    for pattern, becomes in steps:
        written = f"regexp_replace({written}, {text(pattern)}, {text(becomes)}, 'g')"
    return f"nullif(trim({written}, ' ,'), '')"


def spelled_sql(plain: str) -> str:
    """A plain address with every word in its one form, and Welsh names of streets, towns and parts in English."""
    word = _one_form_sql("word")
    line = f"array_to_string(list_transform(string_split({_marked_sql(plain)}, ' '), lambda word: {word}), ' ')"
    return f"replace({_turned_sql(line)}, '_', ' ')"


def _one_form_sql(word: str) -> str:
    """A word's one form. Most words have none, and one pattern says so at a third of the cost of looking."""
    forms = {short: long for short, long in {**FORMS, **WELSH_FORMS}.items() if short != long}
    initials = {short[0]: {s: long for s, long in forms.items() if s[0] == short[0]} for short in forms}
    branches = " ".join(
        f"WHEN {text(initial)} THEN CASE {word} "
        + " ".join(f"WHEN {text(short)} THEN {text(long)}" for short, long in known.items())
        + f" ELSE {word} END"
        for initial, known in initials.items()
    )
    known = text("|".join(re.escape(short) for short in forms))
    return f"CASE WHEN regexp_full_match({word}, {known}) THEN CASE left({word}, 1) {branches} END ELSE {word} END"


def _marked_sql(plain: str) -> str:
    """Welsh phrases joined by `_`, and words behind one for a street marked by `^`; other addresses as they are."""
    phrases = "|".join(sorted((p.replace("_", " ") for p in welsh.PHRASES), key=len, reverse=True))
    written = f"regexp_replace({plain}, {text(rf'(^| )({phrases})( |$)')}, {text(_PHRASE)}, 'g')"
    for _ in range(max(phrase.count("_") for phrase in welsh.PHRASES)):
        written = f"regexp_replace({written}, '<([A-Z_]+) ([A-Z_ ]+)>', {text(_JOINED)}, 'g')"
    written = f"translate({written}, '<>', '')"
    translated = [street for street, english in welsh.STREETS.items() if english]
    known = sorted((*welsh.STREET_NAMES, *welsh.TOWNS, *welsh.PHRASES), key=len, reverse=True)
    pattern, becomes = rf"\b({'|'.join(translated)}) (?:YR? )?({'|'.join(known)})\b", r"\1 ^\2"
    marked = f"regexp_replace({written}, {text(pattern)}, {text(becomes)}, 'g')"
    return f"CASE WHEN regexp_matches({plain}, {text(_WELSH_SIGN)}) THEN {marked} ELSE {plain} END"


def _turned_sql(line: str) -> str:
    """`HEOL ^STATION` as `STATION ROAD`."""
    written = line
    for street, english in welsh.STREETS.items():
        if english:
            pattern, becomes = rf"\b{street} \^([A-Z_]+)", rf"\1 {english}"
            written = f"regexp_replace({written}, {text(pattern)}, {text(becomes)}, 'g')"
    return f"CASE WHEN contains({line}, '^') THEN {written} ELSE {line} END"


def forms_sql() -> str:
    """A relation of two columns, `short` and `long`: every word of `FORMS` with its one form."""
    pairs = ", ".join(f"({text(short)}, {text(long)})" for short, long in FORMS.items() if short != long)
    return f"SELECT * FROM (VALUES {pairs}) AS forms(short, long)"


def is_one_of_sql(word: str, words: tuple[str, ...]) -> str:
    """Whether a word is one of these; false where there is no word."""
    return f"coalesce({word} IN {texts(words)}, FALSE)"
