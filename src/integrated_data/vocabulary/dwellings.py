"""Postcodes and the parts of an address that tell dwellings apart, as SQL text (DuckDB's dialect).

Enough to compare where two people live; the Address Index parses in full.
"""

#: Kinds of street; they and what follows them (locality, town) are left off a street's name.
_KINDS = (
    "ROAD", "RD", "STREET", "STR", "ST", "AVENUE", "AVE", "AV", "LANE", "LN", "DRIVE", "DRV", "DR", "CLOSE", "CL",
    "CRESCENT", "CRES", "CRESC", "COURT", "CT", "PLACE", "PL", "GARDENS", "GDNS", "GROVE", "GR", "GRV", "WAY",
    "WALK", "TERRACE", "TERR", "TER", "PARADE", "SQUARE", "SQ", "HILL", "RISE", "ROW", "MEWS", "PARK", "VIEW",
    "CIRCUIT", "BOULEVARD", "BLVD", "HIGHWAY", "HWY", "CIRCLE",
)  # fmt: skip

#: Postcodes that mean "no fixed abode", "unknown" or "abroad" in administrative records.
_NO_PLACE = ("ZZ993VZ", "ZZ993WZ", "ZZ993CZ", "ZZ999ZZ", "ZZ999UZ", "XX11XX", "AA11AA", "N11AA0", "NFA", "UNKNOWN")


def solid_postcode_sql(postcode: str) -> str:
    """Capitals and digits without blanks."""
    return f"nullif(regexp_replace(upper({postcode}), '[^A-Z0-9]', '', 'g'), '')"


def postcode_sql(solid: str) -> str:
    """The same postcode; NULL where it stands for no place."""
    return f"CASE WHEN {solid} NOT IN ({', '.join(repr(p) for p in _NO_PLACE)}) THEN {solid} END"


def sector_sql(postcode: str) -> str:
    """Postcode sector of a solid postcode: SW122AB gives SW122."""
    return f"left({postcode}, greatest(length({postcode}) - 2, 3))"


def district_sql(postcode: str) -> str:
    """Postcode district of a solid postcode: SW122AB gives SW12."""
    return f"left({postcode}, greatest(length({postcode}) - 3, 2))"


def house_sql(capitals: str) -> str:
    """What tells a dwelling apart in its street: up to two numbers in order, else the house's name."""
    numbers = f"list_sort(regexp_extract_all({capitals}, '\\b[0-9]+[A-Z]?\\b'))[1:2]"
    called = f"nullif(left(regexp_replace(split_part({capitals}, ',', 1), '[^A-Z]+', '', 'g'), 12), '')"
    numbered = f"regexp_matches({capitals}, '\\b[0-9]+[A-Z]?\\b')"
    return f"CASE WHEN {numbered} THEN array_to_string({numbers}, ' ') ELSE {called} END"


def street_sql(capitals: str) -> str:
    """The street's own name without its kind: `12 HIGH STREET, LEEDS` and `12 HIGH ST` give HIGH."""
    numbered = f"nullif(regexp_extract({capitals}, '[0-9]+[A-Z]?[ ,]+([A-Z][A-Z '']+)', 1), '')"
    called = f"nullif(trim(split_part({capitals}, ',', 2)), '')"
    line = f"coalesce({numbered}, {called}, {capitals})"
    solid = f"regexp_replace({line}, ' ({'|'.join(_KINDS)})( .*)?$', '')"
    for mark in (" ", "''", ",", "-", "."):  # much cheaper than one pattern for all but letters
        solid = f"replace({solid}, '{mark}', '')"
    return f"nullif(left({solid}, 14), '')"
