"""Areas: which level of geography a column or a code speaks of, and of which boundary year.

Offices write the headings in many ways (`LSOA11CD`, `lsoa11_code`, `lsoa_2011`, `ltla22nm`, `region`);
here each is a level and a year, and has one name: `lsoa_2011`, `district_2022`, `region`.
"""

import re

from integrated_data.vocabulary.sql import text as sql_text

#: Levels from the finest to the coarsest, with the short names that offices give them.
LEVELS: dict[str, tuple[str, ...]] = {
    "oa": ("oa", "output_area", "sa"),
    "lsoa": ("lsoa", "lower_super_output_area", "lower_layer_super_output_area", "dz", "data_zone", "datazone", "soa"),
    "msoa": ("msoa", "middle_super_output_area", "middle_layer_super_output_area", "iz", "intermediate_zone", "sdz"),
    "ward": ("ward", "wd", "electoral_ward"),
    "constituency": ("constituency", "pcon", "parliamentary_constituency"),
    "district": (
        "district", "lad", "ltla", "la", "laua", "oslaua", "lgd", "local_authority", "local_authority_district",
    ),
    "county": ("county", "utla", "cty", "oscty", "upper_tier_local_authority"),
    "icb": ("icb", "integrated_care_board", "stp", "ccg"),
    "region": ("region", "rgn", "gor", "eer"),
    "country": ("country", "ctry", "nation"),
}  # fmt: skip

#: Levels that may enter published tables: nothing finer than an LSOA.
PUBLISHED = tuple(level for level in LEVELS if level != "oa")

#: Words that may follow the level and the year without changing which areas are meant.
_TAILS = ("cd", "code", "codes", "gss", "ons", "derived", "id", "proposed", "nm", "nmw", "name", "names")

_ALIASES = {alias: level for level, aliases in LEVELS.items() for alias in aliases}
_HEADING = re.compile(
    rf"(?P<alias>{'|'.join(sorted(_ALIASES, key=len, reverse=True))})_?(?P<year>(?:19|20)?\d\d)?"
    rf"(?:_?(?:{'|'.join(_TAILS)}))*"
)

#: First three characters of codes of the Office for National Statistics, by level (ONS, register of
#: geographic codes); Scotland's and Northern Ireland's nearest levels stand beside those of England and Wales.
_PREFIXES: dict[str, tuple[str, ...]] = {
    "oa": ("E00", "W00", "S00", "N00"),
    "lsoa": ("E01", "W01", "S01", "95A"),
    "msoa": ("E02", "W02", "S02"),
    "ward": ("E05", "W05", "S13", "N08"),
    "constituency": ("E14", "W07", "S14", "N05", "N06"),
    "district": ("E06", "E07", "E08", "E09", "W06", "S12", "N09"),
    "county": ("E10", "E11"),
    "icb": ("E38", "E54"),
    "region": ("E12", "E15"),
    "country": ("E92", "W92", "S92", "N92"),
}


#: Residents that areas of a census level are drawn to hold at least, by the first characters of their codes
#: (ONS, Census 2021 geographies; National Records of Scotland, 2011 Data Zones).
_RESIDENTS: dict[str, int] = {
    "E00": 100, "W00": 100, "S00": 50, "N00": 100, "E01": 1_000, "W01": 1_000, "S01": 500, "95A": 1_000,
    "E02": 5_000, "W02": 5_000, "S02": 2_500,
}  # fmt: skip

_CODE = re.compile(r"[EWSN]\d{8}|95[A-Z]{2}\d{2}[SW]\d")


def residents(code: str) -> int | None:
    """The fewest residents that an area of this code's level is drawn to hold; None where that is not known."""
    return _RESIDENTS.get(code[:3]) if _CODE.fullmatch(code) else None


def level_and_year(heading: str) -> tuple[str | None, int | None]:
    """The level and boundary year that a heading names, of codes or names; (None, None) where it names no level."""
    found = _HEADING.fullmatch(re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_"))
    if found is None:
        return None, None
    year = found["year"]
    return _ALIASES[found["alias"]], None if year is None else int(year) + (2000 if len(year) == 2 else 0)


def column_name(level: str, year: int | None) -> str:
    """The one name of a level at a boundary year: `lsoa_2021`, or `district` where no year is told."""
    return level if year is None else f"{level}_{year}"


def level_sql(code: str) -> str:
    """SQL for the level of an area code by its first characters; NULL where they are not known."""
    cases = " ".join(
        f"WHEN left({code}, 3) IN ({', '.join(repr(p) for p in prefixes)}) THEN '{level}'"
        for level, prefixes in _PREFIXES.items()
    )
    return f"CASE {cases} END"


#: Words that say what kind of authority a name is of, and no more.
_KINDS = (
    "council", "borough", "city", "district", "metropolitan", "unitary", "authority", "royal", "county", "local", "the",
    "of", "and", "upon", "mbc", "bc", "dc", "cc",
)  # fmt: skip


def name_sql(value: str) -> str:
    """SQL for one way of writing the name of an area: `Bristol, City of` and `Bristol City Council` are `bristol`.

    Where nothing else is left (`City of London` keeps `london`) the kind is the name. NULL where no letter is left.
    """
    letters = f"replace(lower(strip_accents({value})), '&', ' and ')"
    closed = f"regexp_replace({letters}, {sql_text(chr(39) + '|’|[.]')}, '', 'g')"
    apart = f"regexp_replace(regexp_replace({closed}, '[^a-z0-9]+', ' ', 'g'), '(london|royal) borough', '', 'g')"
    words = f"list_filter(string_split(trim({apart}), ' '), w -> w <> '')"
    kept = f"list_filter({words}, w -> w NOT IN ({', '.join(repr(k) for k in _KINDS)}))"
    chosen = f"CASE WHEN len({kept}) > 0 THEN {kept} ELSE {words} END"
    return f"nullif(array_to_string(list_sort({chosen}), ' '), '')"
