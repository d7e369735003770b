"""The Address Index: addresses by property number, parts, words and postcode.

Numbers are hard rules: 12 is not 12A, not 21, and flat 1 is not flat 2, however alike the rest.
Everything else is likeness of words (see `likeness`) and of postcodes, so that a missing town,
a misspelt street or a wrong postcode is forgiven as far as nothing else in the index fits as well.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from integrated_data.index.reference import address_parse, likeness
from integrated_data.index.reference.alike import Alike, Implied
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

#: Begins the record id of a building that a source does not list but names flats of.
BUILDING = "building of "

_STEPS = (0.95, 0.88, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
#: Parts of an address in the order they are written; where a record has none, its `address` counts.
_PARTS = ("address_flat", "address_building", "address_street", "address_locality", "address_town")
_FIELDS = (
    "uprn", "flat", "building", "house", "house_low", "house_high", "street", "locality", "town",
    "code", "sector", "district", "area", "written", "shell",
)  # fmt: skip


_PARSED = (
    "flat", "building", "house", "house_low", "house_high", "street", "locality", "town", "code", "written",
)  # fmt: skip


def line_sql(columns: Mapping[str, str]) -> str:
    """An address in one line as it was written, with who is there and the postcode; NULL where there is none."""
    lines = _lines_sql(columns)
    return f"nullif(concat_ws(', ', {lines}, CASE WHEN {lines} IS NOT NULL THEN {_given('postcode', columns)} END), '')"


def _given(column: str, columns: Mapping[str, str]) -> str:
    return f"nullif(trim({name(column)}::VARCHAR), '')" if column in columns else "NULL::VARCHAR"


def _lines_sql(columns: Mapping[str, str]) -> str:
    flat = _given("address_flat", columns)
    marked = f"CASE WHEN regexp_full_match({flat}, '[0-9]+[A-Za-z]?|[A-Za-z]') THEN 'FLAT ' ELSE '' END || {flat}"
    parts = ", ".join(marked if c == "address_flat" else _given(c, columns) for c in _PARTS)
    whole = (
        f"coalesce(nullif(concat_ws(', ', {parts}), ''), "
        f"{_given('address', columns)}, {_given('address_line', columns)})"
    )
    return f"nullif(concat_ws(', ', {_given('organisation_name', columns)}, {whole}), '')"


def _forms_sql(records: str, columns: Mapping[str, str]) -> str:
    """One row per record: `record_id` and the fields."""
    told = ", ".join(f"CASE WHEN told THEN {f} END AS {f}" for f in _PARSED)  # a town alone is no address
    uprn = f"nullif(ltrim(regexp_replace({_given('uprn', columns)}, '[^0-9]', '', 'g'), '0'), '')"
    return f"""
        WITH taken AS MATERIALIZED (
            SELECT record_id, {uprn} AS uprn,
                   {_lines_sql(columns)} AS lines,
                   {addresses.postcode_sql(_given("postcode", columns))} AS given_code FROM {name(records)}),
        parsed AS ({address_parse.parsed_sql("taken", keys="record_id", lines="lines", postcode="given_code")})
        SELECT *, left(code, -2) AS sector, split_part(code, ' ', 1) AS district,
               regexp_extract(code, '^[A-Z]+') AS area, {_SHELL} AS shell
        FROM (SELECT record_id, uprn, {told}
              FROM (SELECT t.record_id, t.uprn, coalesce(t.given_code, p.postcode) AS code, p.number AS house,
                           p.number_low AS house_low, p.number_high AS house_high,
                           p.* EXCLUDE (record_id, postcode, number, number_low, number_high),
                           coalesce(t.uprn, p.number, p.building, p.flat, p.street) IS NOT NULL AS told
                    FROM taken AS t LEFT JOIN parsed AS p ON p.record_id = t.record_id))"""


def _words_sql(forms: str) -> str:
    """Words of the building's name, of the whole line, and doors: the number with each word that may be its street.

    Which words are building, street or place is easily mistaken, so the line holds them all. Numbers,
    counties and FLAT and its like are left out.
    """
    silent = (*addresses.COUNTIES, *addresses.FLATS)
    line = "concat_ws(' ', building, street, locality, town)"
    words = "string_split(concat_ws(' ', building, street), ' ')"
    return f"""
        SELECT aspect, number, {organisations.singular_sql("word")} AS word
        FROM (SELECT aspect, number, unnest(string_split(part, ' ')) AS word
              FROM (SELECT 'building' AS aspect, number, building AS part FROM {forms} WHERE building IS NOT NULL
                    UNION ALL SELECT 'line', number, {line} FROM {forms}))
        WHERE word <> '' AND NOT regexp_matches(word, '^[0-9]') AND NOT {addresses.is_one_of_sql("word", silent)}
        UNION ALL
        SELECT 'door', number, house || ' ' || {organisations.singular_sql("word")}
        FROM (SELECT number, house, unnest({words}) AS word
              FROM (SELECT *, unnest(list_distinct([house_low, house_high])) AS house
                    FROM (SELECT * EXCLUDE (house) FROM {forms}) WHERE house_low IS NOT NULL))
        WHERE regexp_full_match(word, '[A-Z]{{3,}}')
          AND NOT {addresses.is_one_of_sql("word", (*addresses.STREETS, *silent))}"""


#: What brings an address in, besides its rare words.
_KEYS = (
    ("uprn",), ("code",), ("house_low", "street"), ("house_low", "sector"),
    ("building", "flat"), ("building", "street"), ("building", "town"),
)  # fmt: skip

#: Whether two numbers may be one; pairs that may not are never accepted, so they are not compared.
_ONE_HOUSE = (
    "(l.house IS NULL OR r.house IS NULL OR l.house = r.house OR "
    "(l.house_low < l.house_high OR r.house_low < r.house_high) "
    "AND l.house_low <= r.house_high AND r.house_low <= l.house_high)"
)
_ONE_FLAT = "(l.flat IS NULL OR r.flat IS NULL OR l.flat = r.flat)"


#: A building is none of its flats, where the index knows both; a street is none of its houses; a box no house.
_PART_OF = (
    "((l.flat IS NULL) <> (r.flat IS NULL) AND r.related OR (l.house IS NULL) <> (r.house IS NULL) "
    "AND coalesce(l.building, r.building, l.flat, r.flat) IS NULL AND l.street IS NOT NULL AND r.street IS NOT NULL "
    "OR coalesce(starts_with(l.building, 'PO BOX '), FALSE) <> coalesce(starts_with(r.building, 'PO BOX '), FALSE))"
)


#: Pairs that may be one; for the others no likeness of words makes up.
_MAY = f"(l.uprn = r.uprn OR coalesce({_ONE_HOUSE} AND {_ONE_FLAT} AND NOT {_PART_OF}, FALSE))"


def _candidates_sql(left: str, right: str) -> tuple[str, ...]:
    # most that share a postcode are neighbours
    apart = f"{_ONE_HOUSE} AND {_ONE_FLAT}"
    return tuple(
        likeness.by_key_sql(left, right, key=key, crowded=CROWDED, also="TRUE" if key == ("uprn",) else apart)
        for key in _KEYS
    )


#: Likeness of the whole lines letter by letter (Winkler, 1990): of two ways to write one address it tells the nearer.
#: It is asked only of lines that share this much: of others it says what their words said already.
ALIKE_ENOUGH = 1.0
_SPELLED = (0.985, 0.97, 0.95, 0.92, 0.88, 0.83, 0.77, 0.7)


def _stepped(like: str, steps: tuple[float, ...] = _STEPS) -> str:
    return " ".join(f"WHEN {like} >= {step} THEN {i}" for i, step in enumerate(steps, 1))


#: How much two lines share, in words that hardly any other has, less what only one of them holds; leaving out
#: the town or the locality costs a tenth. As much as `12 High Street` shares with its neighbours is not enough.
_LIKE_LINE = "greatest(worded, 0.9 * within) * told"
_MERITS = (2.4, 2.1, 1.8, 1.6, 1.4, 1.2, 1.0, 0.8, 0.6, 0.4, 0.2)

#: A house that its name alone tells apart; elsewhere many dwellings share the building's name.
_NAMED = "coalesce(l.house, r.house, l.flat, r.flat) IS NULL"

_LEVELS = {
    "uprn": "CASE WHEN l.uprn IS NULL OR r.uprn IS NULL THEN -1 WHEN l.uprn = r.uprn THEN 0 ELSE 1 END",
    "unit": f"CASE WHEN coalesce(l.house, r.house, l.flat, r.flat) IS NULL THEN -1 "
            f"WHEN NOT {_ONE_HOUSE} OR NOT {_ONE_FLAT} OR {_PART_OF} THEN 8 "
            "WHEN l.house = r.house THEN CASE WHEN l.flat = r.flat THEN 0 WHEN coalesce(l.flat, r.flat) IS NULL THEN 1 "
            "ELSE 4 END WHEN coalesce(l.house, r.house) IS NULL THEN CASE WHEN l.flat = r.flat THEN 2 ELSE 7 END "
            "WHEN l.house IS NULL OR r.house IS NULL THEN CASE WHEN l.flat = r.flat THEN 5 ELSE 6 END ELSE 3 END",
    "named": f"CASE WHEN l.building IS NULL OR r.building IS NULL OR NOT ({_NAMED}) THEN -1 "
             f"WHEN l.building = r.building THEN 0 {_stepped('like_building')} ELSE 11 END",
    "building": f"CASE WHEN l.building IS NULL OR r.building IS NULL OR {_NAMED} THEN -1 "
                f"WHEN l.building = r.building THEN 0 {_stepped('like_building')} ELSE 11 END",
    "line": f"CASE WHEN l.written IS NULL OR r.written IS NULL THEN -1 WHEN l.written = r.written THEN 0 "
            f"{_stepped('like_line', _MERITS)} ELSE {len(_MERITS) + 1} END",
    "spelling": f"CASE WHEN l.written IS NULL OR r.written IS NULL OR like_line < {ALIKE_ENOUGH} THEN -1 ELSE CASE "
                f"{' '.join(f'WHEN alike >= {step} THEN {i}' for i, step in enumerate(_SPELLED))} "
                f"ELSE {len(_SPELLED)} END END".replace("alike", "jaro_winkler_similarity(l.written, r.written)"),
    "code": "CASE WHEN l.code IS NULL OR r.code IS NULL THEN -1 WHEN l.code = r.code THEN 0 "
            "WHEN damerau_levenshtein(l.code, r.code) = 1 THEN 1 WHEN l.sector = r.sector THEN 2 "
            "WHEN l.district = r.district THEN 3 WHEN l.area = r.area THEN 4 ELSE 5 END",
}  # fmt: skip

_ASPECTS = (
    Aspect("uprn", (0.99, 0.01), (1e-7, 1.0), hard=(0, 1)),
    # number and flat at once, because neighbours share either: number and flat, number alone, flat alone, in a range,
    # number and one flat, flat and one number, one number, one flat; another number or flat is a hard rule
    Aspect(
        "unit",
        (0.25, 0.45, 0.1, 0.02, 0.06, 0.03, 0.06, 0.03, 1e-7),
        (5e-4, 5e-3, 2e-3, 5e-3, 0.01, 0.01, 0.3, 0.05, 0.62),
        hard=(8,),
        apart=8,
    ),
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
        (0.3, *(0.08 for _ in _MERITS[:7]), *(0.02 for _ in _MERITS[7:]), 0.01),
        (1e-6, *(3e-6 * 2.6**step for step in range(len(_MERITS))), 0.96),
    ),
    Aspect(
        "spelling",
        (0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.03),
        (0.02, 0.03, 0.05, 0.08, 0.12, 0.15, 0.15, 0.15, 0.25),
    ),
    Aspect("code", (0.9, 0.03, 0.03, 0.02, 0.01, 0.01), (1e-4, 1e-4, 3e-4, 2e-3, 2e-2, 0.98)),
)

#: Records of one source that are one address: the same UPRN, else the same number, flat and words at the same
#: postcode, in whatever order and however often; a numbered house is known by its street.
_SAID_WORDS = (
    "list_sort(list_distinct(string_split(CASE WHEN house IS NOT NULL AND street IS NOT NULL THEN street "
    "ELSE concat_ws(' ', building, street) END, ' ')))"
)
_SAME = (
    f"md5(concat_ws('|', coalesce(code, town), flat, house, array_to_string({_SAID_WORDS}, ' '), "
    "CASE WHEN coalesce(street, building) IS NULL THEN written END))"
)
_MATE = (
    f"coalesce(uprn, CASE WHEN min(uprn) OVER (PARTITION BY {_SAME}) = max(uprn) OVER (PARTITION BY {_SAME}) "
    f"THEN min(uprn) OVER (PARTITION BY {_SAME}) END, {_SAME})"
)

#: A building: the properties that a number in a street, or a name in a place, stands for together.
_SHELL = (
    "CASE WHEN coalesce(house, building) IS NOT NULL THEN md5(concat_ws('|', coalesce(code, town), house, "
    "CASE WHEN house IS NULL THEN building END, street)) END"
)
#: Whether the index knows the building of a flat, or flats of a building.
_RELATED = (
    "CASE WHEN shell IS NULL THEN FALSE WHEN flat IS NULL THEN bool_or(flat IS NOT NULL) OVER (PARTITION BY shell) "
    "ELSE bool_or(flat IS NULL) OVER (PARTITION BY shell) END AS related"
)


def _buildings_sql(forms: str) -> str:
    """The buildings of which `forms` name flats only: `record_id`, the fields, and what their attributes are."""
    said = ", ".join(
        f"min({field}) AS {field}" for field in _FIELDS if field not in ("uprn", "flat", "written", "shell")
    )
    return f"""
        SELECT '{BUILDING}' || shell AS record_id, NULL::VARCHAR AS uprn, NULL::VARCHAR AS flat, shell, {said},
               concat_ws(' ', min(building), min(house), min(street), min(locality), min(town)) AS written,
               nullif(concat_ws(', ', min(building), min(house)), '') AS address_building,
               min(street) AS address_street, min(locality) AS address_locality, min(town) AS address_town,
               min(code) AS postcode
        FROM (SELECT *, bool_or(flat IS NULL) OVER (PARTITION BY shell) AS told FROM {forms} WHERE shell IS NOT NULL)
        WHERE NOT told GROUP BY shell"""


def _parents_sql(forms: str) -> str:
    """Flats and the building they are in: `entity_id`, `parent_id`."""
    return f"""
        SELECT f.entity_id, min(b.entity_id) AS parent_id FROM {forms} AS f
        JOIN {forms} AS b ON b.shell = f.shell AND b.flat IS NULL AND b.entity_id <> f.entity_id
        WHERE f.flat IS NOT NULL GROUP BY f.entity_id"""


_METHODS = """CASE WHEN e.level_uprn = 0 THEN 'UPRN'
    WHEN e.level_line = 0 AND e.level_code = 0 THEN 'same address'
    WHEN e.level_unit IN (0, 1) AND e.level_code = 0 THEN 'number and postcode'
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
    levels=_LEVELS, aspects=_ASPECTS, texts={"building": 10, "line": 15, "door": 10},
    likes={"line": _LIKE_LINE}, mate=_MATE, group="NULL", methods=_METHODS,
    bands=_bands, rivals=("code", "sector", "district"), keys=_KEYS, crowded=CROWDED, unknown=0.5,
    known=_RELATED, may=_MAY,
    implied=Implied(_buildings_sql, BUILDING), parents=_parents_sql,
    # a number or name within a postcode, or within a street of a town
    enough="uprn IS NOT NULL OR (coalesce(house, building) IS NOT NULL AND (code IS NOT NULL OR "
           "(street IS NOT NULL AND town IS NOT NULL)))",
)  # fmt: skip


ADDRESS = RegisterIndex(ALIKE)
