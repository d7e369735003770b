"""The Address Index: addresses by property number, parts, words and postcode.

Numbers are hard rules: 12 is not 12A, not 21, and flat 1 is not flat 2, however alike the rest.
Everything else is likeness of words (see `likeness`) and of postcodes, so that a missing town,
a misspelt street or a wrong postcode is forgiven as far as nothing else in the index fits as well.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from integrated_data.index.reference import address_parse
from integrated_data.index.reference.alike import Alike
from integrated_data.index.reference.assign import Floats
from integrated_data.index.reference.registers import RegisterIndex
from integrated_data.index.reference.weights import Aspect
from integrated_data.model.linkage import Band, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import addresses, organisations
from integrated_data.vocabulary.sql import name

INDEX = IndexDefinition(
    name="address",
    title="Address Index",
    key="address",
    attributes=(
        Meaning.UPRN, Meaning.ADDRESS, Meaning.ADDRESS_LINE, Meaning.ADDRESS_FLAT, Meaning.ADDRESS_BUILDING,
        Meaning.ADDRESS_STREET, Meaning.ADDRESS_LOCALITY, Meaning.ADDRESS_TOWN, Meaning.POSTCODE,
        Meaning.ORGANISATION_NAME, Meaning.LATITUDE, Meaning.LONGITUDE,
    ),
    provisional=True,
)  # fmt: skip

#: Zones of confidence and of unambiguity (best minus second), in per cent, as the national address
#: service draws them: accept when (high and not low) or (medium and high), else a person looks.
CONFIDENCE_HIGH, CONFIDENCE_MEDIUM = 66.0, 50.0
UNAMBIGUOUS_HIGH, UNAMBIGUOUS_MEDIUM = 40.0, 20.0
#: Confidence, in per cent, below which a person's look is not worth the time.
HOPELESS = 5.0

#: A postcode or a numbered street that more forms share than this brings nobody in by itself.
CROWDED = 200

_STEPS = (0.95, 0.88, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
#: Parts of an address in the order they are written; where a record has none, its `address` counts.
_PARTS = ("address_flat", "address_building", "address_street", "address_locality", "address_town")
_FIELDS = (
    "uprn", "flat", "building", "house", "house_low", "house_high", "street", "locality", "town",
    "code", "sector", "district", "area", "written",
)  # fmt: skip


def _forms_sql(records: str, columns: Mapping[str, str]) -> str:
    """One row per record: `record_id` and the fields."""

    def given(column: str) -> str:
        return f"nullif(trim({name(column)}::VARCHAR), '')" if column in columns else "NULL::VARCHAR"

    bare = f"regexp_full_match({given('address_flat')}, '[0-9]+[A-Za-z]?|[A-Za-z]')"
    flat = f"CASE WHEN {bare} THEN 'FLAT ' ELSE '' END || {given('address_flat')}"
    parts = ", ".join(flat if c == "address_flat" else given(c) for c in _PARTS)
    whole = f"coalesce(nullif(concat_ws(', ', {parts}), ''), {given('address')}, {given('address_line')})"
    uprn = f"nullif(ltrim(regexp_replace({given('uprn')}, '[^0-9]', '', 'g'), '0'), '')"
    return f"""
        WITH taken AS MATERIALIZED (
            SELECT record_id, {uprn} AS uprn,
                   nullif(concat_ws(', ', {given("organisation_name")}, {whole}), '') AS lines,
                   {addresses.postcode_sql(given("postcode"))} AS given_code FROM {name(records)}),
        parsed AS ({address_parse.parsed_sql("taken", keys="record_id", lines="lines", postcode="given_code")})
        SELECT record_id, uprn, flat, building, number AS house, number_low AS house_low, number_high AS house_high,
               street, locality, town, code, left(code, -2) AS sector, split_part(code, ' ', 1) AS district,
               regexp_extract(code, '^[A-Z]+') AS area, written
        FROM (SELECT t.record_id, t.uprn, coalesce(t.given_code, p.postcode) AS code, p.* EXCLUDE (record_id, postcode)
              FROM taken AS t LEFT JOIN parsed AS p ON p.record_id = t.record_id)"""


def _words_sql(forms: str) -> str:
    """Words of the building's name, and of the rest; the number is joined to the street's first word.

    Numbers, counties and FLAT and its like are left out.
    """
    silent = (*addresses.COUNTIES, *addresses.FLATS)
    rest = "concat_ws(' ', street, locality, town)"
    return f"""
        SELECT aspect, number, {organisations.singular_sql("word")} AS word
        FROM (SELECT aspect, number, unnest(string_split(part, ' ')) AS word
              FROM (SELECT 'building' AS aspect, number, building AS part FROM {forms} WHERE building IS NOT NULL
                    UNION ALL SELECT 'line', number, {rest} FROM {forms}))
        WHERE word <> '' AND NOT regexp_matches(word, '^[0-9]') AND NOT {addresses.is_one_of_sql("word", silent)}
        UNION ALL
        SELECT 'line', number, house || ' ' || split_part(street, ' ', 1)
        FROM (SELECT number, street, unnest(list_distinct([house_low, house_high])) AS house FROM {forms}
              WHERE street IS NOT NULL AND house_low IS NOT NULL)"""


def _candidates_sql(left: str, right: str) -> tuple[str, ...]:
    def same(*fields: str) -> str:
        keys = ", ".join(fields)
        present = " AND ".join(f"{field} IS NOT NULL" for field in fields)
        equal = " AND ".join(f"r.{field} = l.{field}" for field in fields)
        return f"""
            SELECT l.number AS record, r.number AS form FROM {left} AS l
            JOIN (SELECT *, count(*) OVER (PARTITION BY {keys}) AS crowd FROM {right} WHERE {present}) AS r
              ON {equal} WHERE r.crowd <= {CROWDED}"""

    return (
        same("uprn"), same("code"), same("house_low", "street"), same("house_low", "sector"),
        same("building", "flat"), same("building", "street"), same("building", "town"),
    )  # fmt: skip


def _stepped(like: str) -> str:
    return " ".join(f"WHEN {like} >= {step} THEN {i}" for i, step in enumerate(_STEPS, 1))


#: A line that leaves out the town or the locality is as like as one that has all in this measure.
_LIKE_LINE = "greatest(worded, 0.9 * within)"

#: A house that its name alone tells apart; elsewhere many dwellings share the building's name.
_NAMED = "coalesce(l.house, r.house, l.flat, r.flat) IS NULL"

_LEVELS = {
    "uprn": "CASE WHEN l.uprn IS NULL OR r.uprn IS NULL THEN -1 WHEN l.uprn = r.uprn THEN 0 ELSE 1 END",
    "house": "CASE WHEN l.house IS NULL AND r.house IS NULL THEN -1 WHEN l.house IS NULL OR r.house IS NULL THEN 2 "
             "WHEN l.house = r.house THEN 0 "
             "WHEN (l.house_low < l.house_high OR r.house_low < r.house_high) "
             "AND l.house_low <= r.house_high AND r.house_low <= l.house_high THEN 1 ELSE 3 END",
    "flat": "CASE WHEN l.flat IS NULL AND r.flat IS NULL THEN -1 WHEN l.flat IS NULL OR r.flat IS NULL THEN 1 "
            "WHEN l.flat = r.flat THEN 0 ELSE 2 END",
    "named": f"CASE WHEN l.building IS NULL OR r.building IS NULL OR NOT ({_NAMED}) THEN -1 "
             f"WHEN l.building = r.building THEN 0 {_stepped('like_building')} ELSE 11 END",
    "building": f"CASE WHEN l.building IS NULL OR r.building IS NULL OR {_NAMED} THEN -1 "
                f"WHEN l.building = r.building THEN 0 {_stepped('like_building')} ELSE 11 END",
    "line": f"CASE WHEN l.written IS NULL OR r.written IS NULL THEN -1 WHEN l.written = r.written THEN 0 "
            f"{_stepped('like_line')} ELSE 11 END",
    "code": "CASE WHEN l.code IS NULL OR r.code IS NULL THEN -1 WHEN l.code = r.code THEN 0 "
            "WHEN damerau_levenshtein(l.code, r.code) = 1 THEN 1 WHEN l.sector = r.sector THEN 2 "
            "WHEN l.district = r.district THEN 3 WHEN l.area = r.area THEN 4 ELSE 5 END",
}  # fmt: skip

_ASPECTS = (
    Aspect("uprn", (0.99, 0.01), (1e-7, 1.0), hard=(0, 1)),
    # same, within a range, written on one side only, another number: hard rule
    Aspect("house", (0.93, 0.02, 0.05, 1e-7), (0.02, 0.005, 0.2, 0.775), hard=(3,)),
    Aspect("flat", (0.85, 0.15, 1e-7), (0.05, 0.55, 0.4), hard=(2,)),
    Aspect(
        "named",
        (0.7, 0.08, 0.06, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01),
        (1e-4, 1e-5, 1e-5, 2e-5, 5e-5, 2e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2, 0.9),
    ),
    Aspect(
        "building",
        (0.5, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02, 0.02, 0.05),
        (1e-4, 1e-5, 1e-5, 2e-5, 5e-5, 2e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2, 0.9),
    ),
    Aspect(
        "line",
        (0.3, 0.15, 0.12, 0.1, 0.08, 0.07, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02),
        (1e-6, 1e-6, 2e-6, 5e-6, 1e-5, 3e-5, 1e-4, 4e-4, 2e-3, 7e-3, 3e-2, 0.96),
    ),
    Aspect("code", (0.9, 0.03, 0.03, 0.02, 0.01, 0.01), (1e-4, 1e-4, 3e-4, 2e-3, 2e-2, 0.98)),
)

#: Records of one source that are one address: the same UPRN, else the same parts at the same postcode.
_SAME = (
    "md5(concat_ws('|', coalesce(code, town), flat, house, CASE WHEN house IS NULL THEN building END, "
    "street, CASE WHEN street IS NULL THEN written END))"
)
_MATE = (
    f"coalesce(uprn, CASE WHEN min(uprn) OVER (PARTITION BY {_SAME}) = max(uprn) OVER (PARTITION BY {_SAME}) "
    f"THEN min(uprn) OVER (PARTITION BY {_SAME}) END, {_SAME})"
)

_METHODS = """CASE WHEN e.level_uprn = 0 THEN 'UPRN'
    WHEN e.level_line = 0 AND e.level_code = 0 THEN 'same address'
    WHEN e.level_house = 0 AND e.level_code = 0 THEN 'number and postcode'
    WHEN e.level_building = 0 AND e.level_code = 0 THEN 'building and postcode'
    WHEN e.level_code = -1 THEN 'similar address, no postcode'
    WHEN e.level_code > 0 THEN 'similar address, other postcode' ELSE 'similar address' END"""


def _bands(best: Floats, second: Floats) -> npt.NDArray[np.str_]:
    """Band of each best candidate by the zones of confidence and unambiguity."""
    confidence, unambiguity = 100 * best, 100 * (best - second)
    sure = (confidence > CONFIDENCE_HIGH) & (unambiguity >= UNAMBIGUOUS_MEDIUM)
    fair = (confidence >= CONFIDENCE_MEDIUM) & (unambiguity > UNAMBIGUOUS_HIGH)
    return np.where(sure | fair, Band.ACCEPT, np.where(confidence >= HOPELESS, Band.CLERICAL, Band.NONE))


ALIKE = Alike(
    index=INDEX, fields=_FIELDS, forms=_forms_sql, words=_words_sql, candidates=_candidates_sql,
    levels=_LEVELS, aspects=_ASPECTS, texts={"building": 10, "line": 15},
    likes={"line": _LIKE_LINE}, mate=_MATE, group="NULL", methods=_METHODS,
    bands=_bands, rivals=("code", "sector", "district"),
    # a number or name within a postcode, or within a street of a town
    enough="uprn IS NOT NULL OR (coalesce(house, building) IS NOT NULL AND (code IS NOT NULL OR "
           "(street IS NOT NULL AND town IS NOT NULL)))",
)  # fmt: skip


ADDRESS = RegisterIndex(ALIKE)
