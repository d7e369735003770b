"""Parsing British addresses without a licensed product: one SELECT from free lines to parts.

The address is cut into segments, at its commas and after words that end a street or a building;
each segment is then a flat, a building, a street with its number, or a place. Where there are no
commas the words alone cut it, so `UNIT 7A RADFORD CRESCENT BILLERICAY` and
`Unit 7a, Radford Cres., Billericay` give the same parts.
"""

from integrated_data.vocabulary import addresses as words
from integrated_data.vocabulary.sql import text

#: What parsing adds to the key columns, in order.
PARTS = (
    "flat", "building", "number", "number_low", "number_high", "street", "locality", "town", "postcode", "written",
)  # fmt: skip

_NUMBER = r"[0-9]+[A-Z]?(?:-[0-9]+[A-Z]?)?"
_FLOORS = (
    r"\b((?:LOWER GROUND|UPPER GROUND|GROUND|FIRST|SECOND|THIRD|FOURTH|FIFTH|TOP) FLOOR|BASEMENT)"
    r"(?: (?:FLAT|OFFICE|REAR|FRONT))?\b"
)
_FLAT = r"\b(" + "|".join(words.FLATS) + r") (?:NUMBER |NO )?([0-9]+[A-Z]?(?:-[0-9]+[A-Z]?)?|[A-Z][0-9]{0,3})(?: |$)"
_COUNTY_END = r" (" + "|".join(words.COUNTIES) + r")$"
_STREET_END = r"\b(" + "|".join(words.STREETS) + r")(?: (?:" + "|".join(words.DIRECTIONS) + r"))?$"
_WELSH_START = r"^(?:" + _NUMBER + r" )?(" + "|".join(words.WELSH_STREETS) + r") "


def parsed_sql(relation: str, *, keys: str, lines: str, postcode: str = "NULL") -> str:
    """SELECT of `keys` (columns not named like PARTS) and PARTS for every row of `relation` that has an address.

    `lines` is an expression for the address, parts separated by commas or line ends; `postcode`
    one for the postcode, taken from the end of the lines where it is NULL. `flat` is the number
    or letter of the part of a building (`FLOOR GROUND` for a floor); `number` the number in the
    street with its suffix (12A) or range (12-14), `number_low` and `number_high` its bounds;
    `written` all words in their one form, without commas and postcode.
    """
    return f"""
        WITH plain AS ({_plain_sql(relation, keys, lines=lines, postcode=postcode)}),
        segments AS ({_segments_sql(keys)}),
        judged AS ({_judged_sql(keys)}),
        placed AS (
            SELECT *, coalesce(
                       min(CASE WHEN kind = 'street' AND (digits IS NOT NULL OR before = 'number') THEN place END)
                           OVER (PARTITION BY {keys}),
                       max(CASE WHEN kind = 'street' THEN place END) OVER (PARTITION BY {keys})) AS street_place,
                   min(CASE WHEN kind = 'numbered' THEN place END) OVER (PARTITION BY {keys}) AS numbered_place,
                   min(CASE WHEN kind = 'building' AND before = 'number' THEN place END) OVER (PARTITION BY {keys})
                       AS court_place,
                   max(CASE WHEN kind = 'place' THEN place END) OVER (PARTITION BY {keys}) AS last_place
            FROM (SELECT *, lag(kind) OVER (PARTITION BY {keys} ORDER BY place) AS before FROM judged)),
        anchored AS (SELECT *, coalesce(street_place, numbered_place, court_place) AS anchor FROM placed),
        parts AS ({_parts_sql(keys)})
        SELECT {keys}, flat, building, number,
               try_cast(regexp_extract(number, '^([0-9]+)', 1) AS INTEGER) AS number_low,
               try_cast(coalesce(nullif(regexp_extract(number, '-([0-9]+)', 1), ''),
                                 regexp_extract(number, '^([0-9]+)', 1)) AS INTEGER) AS number_high,
               street, locality, town, code AS postcode, written
        FROM parts"""


def _plain_sql(relation: str, keys: str, *, lines: str, postcode: str) -> str:
    at_end = rf"(?:^|[ ,]){words.POSTCODE}[ ,]*$"
    return f"""
        SELECT {keys}, coalesce(given, {words.postcode_sql("found")}) AS code,
               trim(CASE WHEN found IS NOT NULL THEN regexp_replace(line, {text(at_end)}, '') ELSE line END, ' ,')
                   AS line
        FROM (SELECT *, nullif(regexp_extract(line, {text(at_end)}, 1), '') || ' '
                     || regexp_extract(line, {text(at_end)}, 2) AS found
              FROM (SELECT {keys}, {words.english_sql("line")} AS line, given
                    FROM (SELECT {keys}, {words.plain_sql(lines)} AS line, {words.postcode_sql(postcode)} AS given
                          FROM {relation})))"""


def _segments_sql(keys: str) -> str:
    ends = words.is_one_of_sql("word", (*words.STREETS, *words.BUILDINGS))
    goes_on = words.is_one_of_sql("following", (*words.STREETS, *words.BUILDINGS, *words.DIRECTIONS))
    directed = f"{words.is_one_of_sql('word', words.DIRECTIONS)} AND {words.is_one_of_sql('preceding', words.STREETS)}"
    marked = words.is_one_of_sql("preceding", (*words.FLATS, "BOX", "ROUTE", "AND"))
    flat = (
        f"{words.is_one_of_sql('word', words.FLATS)} AND coalesce(preceding <> 'FLOOR', TRUE) "
        "AND coalesce(regexp_matches(following, '^([0-9]|[A-Z]$)'), FALSE)"
    )
    return f"""
        SELECT {keys}, code, segment, row_number() OVER (PARTITION BY {keys} ORDER BY part) AS place
        FROM (SELECT {keys}, code, part, string_agg(word, ' ' ORDER BY position) AS segment
              FROM (SELECT {keys}, code, position, word,
                           sum(CASE WHEN begins OR coalesce(ended, FALSE) THEN 1 ELSE 0 END) OVER (
                               PARTITION BY {keys} ORDER BY position ROWS UNBOUNDED PRECEDING) AS part
                    FROM (SELECT *, {flat} OR regexp_matches(word, '^[0-9]') AND NOT {marked} AS begins,
                                 lag(word = ',' OR {ends} AND NOT {goes_on} OR {directed}
                                     OR {marked} AND regexp_matches(word, '^[0-9]'))
                                     OVER (PARTITION BY {keys} ORDER BY position) AS ended
                          FROM (SELECT {keys}, code, position, coalesce(long, word) AS word,
                                       lag(coalesce(long, word)) OVER spot AS preceding,
                                       lead(coalesce(long, word)) OVER spot AS following
                                FROM (SELECT {keys}, code, unnest(string_split(line, ' ')) AS word,
                                             generate_subscripts(string_split(line, ' '), 1) AS position
                                      FROM plain)
                                LEFT JOIN ({words.forms_sql()}) AS forms ON short = word
                                WINDOW spot AS (PARTITION BY {keys} ORDER BY position))))
              WHERE word NOT IN (',', '', '-') GROUP BY {keys}, code, part)"""


def _judged_sql(keys: str) -> str:
    return f"""
        SELECT {keys}, code, segment, place, flat_word, flat_mark, floor, bare,
               nullif(regexp_extract(bare, '^({_NUMBER})(?: |$)', 1), '') AS digits,
               nullif(regexp_replace(bare, '^{_NUMBER}(?: |$)', ''), '') AS named,
               CASE WHEN bare = '' THEN 'flat'
                    WHEN {words.is_one_of_sql("bare", words.COUNTIES)} THEN 'county'
                    WHEN regexp_matches(bare, {text(_STREET_END)}) OR regexp_matches(bare, {text(_WELSH_START)})
                        THEN 'street'
                    WHEN regexp_matches(bare, '^{_NUMBER}$') THEN 'number'
                    WHEN regexp_matches(bare, '\\b({"|".join(words.BUILDINGS)})$')
                         AND NOT regexp_matches(bare, '^{_NUMBER} [A-Z]+ COURT$') THEN 'building'
                    WHEN regexp_matches(bare, '^{_NUMBER} ') THEN 'numbered'
                    ELSE 'place' END AS kind
        FROM (SELECT *, regexp_replace(
                     trim(regexp_replace(regexp_replace(segment, {text(_FLAT)}, ''), {text(_FLOORS)}, '')),
                     {text(_COUNTY_END)}, '') AS bare
              FROM (SELECT *, nullif(regexp_extract(segment, {text(_FLAT)}, 1), '') AS flat_word,
                           nullif(regexp_extract(segment, {text(_FLAT)}, 2), '') AS flat_mark,
                           nullif(regexp_extract(segment, {text(_FLOORS)}, 1), '') AS floor
                    FROM segments))"""


def _parts_sql(keys: str) -> str:
    before = "(anchor IS NULL OR place < anchor) AND kind <> 'county'"
    after = "place > coalesce(anchor, 0) AND kind <> 'county'"
    return f"""
        SELECT {keys}, code,
               coalesce(min_by(flat_mark, place) FILTER (flat_mark IS NOT NULL),
                        'FLOOR ' || replace(min_by(floor, place) FILTER (floor IS NOT NULL), ' FLOOR', ''),
                        min(digits) FILTER ({before} AND kind IN ('building', 'number', 'numbered')
                                            AND anchored_number IS NOT NULL)) AS flat,
               string_agg(CASE WHEN anchored_number IS NOT NULL THEN named ELSE coalesce(named, '') END, ' '
                          ORDER BY place) FILTER ({before} AND anchor IS NOT NULL AND named IS NOT NULL
                                                  OR anchor IS NULL AND place = 1) AS building,
               coalesce(any_value(anchored_number),
                        max_by(digits, place) FILTER ({before} AND digits IS NOT NULL)) AS number,
               any_value(named) FILTER (place = anchor) AS street,
               string_agg(bare, ' ' ORDER BY place)
                   FILTER ({after} AND place < last_place AND (anchor IS NOT NULL OR place > 1)) AS locality,
               any_value(bare) FILTER (place = last_place AND place > coalesce(anchor, 1)) AS town,
               string_agg(segment, ' ' ORDER BY place) AS written
        FROM (SELECT *, max(CASE WHEN place = anchor THEN digits END) OVER (PARTITION BY {keys}) AS anchored_number
              FROM anchored)
        GROUP BY {keys}, code"""
