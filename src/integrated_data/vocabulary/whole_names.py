"""A person's name in one column, taken apart: `SURNAME, Forename Middle` or `Mr Forename Middle Surname`."""

from integrated_data.vocabulary.names import PARTICLES, TITLES

_TITLED = r"^\s*(?:(?:" + "|".join(TITLES) + r")\b\.?\s+)+"
_FAMILY_LAST = r"((?:\b(?:" + "|".join(PARTICLES) + r")\s+)*\S+)\s*$"


def parts_sql(whole: str) -> tuple[str, str, str]:
    """SQL of given name, middle names and family name of a whole name; NULL where there is none.

    With a comma the family name stands before it. Without one, titles are dropped, the first word is
    the given name and the last, with the particles before it, the family name; a single word is a
    family name.
    """
    plain = f"trim(regexp_replace(regexp_replace({whole}, '\\s+', ' ', 'g'), '{_TITLED}', '', 'i'))"
    comma = f"contains({plain}, ',')"
    after = f"trim(regexp_replace(split_part({plain}, ',', 2), '{_TITLED}', '', 'i'))"
    last = f"regexp_extract({plain}, '{_FAMILY_LAST}', 1, 'i')"
    before = f"trim(left({plain}, greatest(length({plain}) - length({last}), 0)))"
    first_names = f"CASE WHEN {comma} THEN {after} ELSE {before} END"
    given = f"nullif(split_part({first_names}, ' ', 1), '')"
    middle = f"nullif(trim(substring({first_names}, length(split_part({first_names}, ' ', 1)) + 1)), '')"
    family = f"nullif(CASE WHEN {comma} THEN trim(split_part({plain}, ',', 1)) ELSE {last} END, '')"
    return given, middle, family
