"""Parsing British addresses without a licensed product: one SELECT from free lines to parts.

The address is cut into segments, at its commas and after words that end a street or a building;
each segment is then a flat, a building, a street with its number, or a place. Where there are no
commas the words alone cut it, so `UNIT 7A RADFORD CRESCENT BILLERICAY` and
`Unit 7a, Radford Cres., Billericay` give the same parts. All is said of one row by functions of
that row: nothing is unnested, sorted or grouped, which is what parsing cost most of.
"""

from integrated_data.vocabulary import addresses as words
from integrated_data.vocabulary import welsh
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
_STREETS, _BUILDINGS, _DIRECTIONS = ("|".join(w) for w in (words.STREETS, words.BUILDINGS, words.DIRECTIONS))
_FLATS = "|".join(words.FLATS)
_COUNTIES = "|".join(words.COUNTIES)
_STREET_END = rf"\b({_STREETS})(?: (?:{_DIRECTIONS}))?$"
_BUILDING_END = rf"\b({_BUILDINGS})$"
_WELSH_STREET = rf"^(?:{_NUMBER} )?({'|'.join(welsh.STREETS)}) "
_WELSH_BUILDING = rf"^({'|'.join(welsh.BUILDINGS)}) "

#: How a line without commas gets them: pattern and what it becomes. `~` joins what must not be parted.
_CUTS = (
    (r"\bFLOOR (?:FLAT|OFFICE)\b", "FLOOR"),
    (r"\bPO BOX ([0-9]+)\b", r" , PO~BOX~\1 , "),
    (r"\bROUTE ([0-9]+)\b", r"ROUTE~\1 , "),
    (
        rf"\b({_FLATS}) (?:NUMBER |NO )?([0-9]+[A-Z]?(?:-[0-9]+[A-Z]?)?|[A-Z][0-9]{{0,3}})(?: |$)",
        r" , \1~\2 , ",
    ),
    (" ([0-9])", r" , \1"),
    (
        rf"\b((?:(?:{_STREETS}|{_BUILDINGS}) )*(?:(?:{_STREETS})(?: (?:{_DIRECTIONS})\b)?|{_BUILDINGS}))(?: |$)",
        r"\1 , ",
    ),
)

#: One letter for the kind of a segment: Flat, County, Addressed street, Street, Number, Building, numbereD, Place.
_KIND = f"""CASE WHEN bare = '' THEN 'F'
    WHEN regexp_full_match(bare, {text(_COUNTIES)}) THEN 'C'
    WHEN regexp_matches(bare, {text(_STREET_END)}) OR regexp_matches(bare, {text(_WELSH_STREET)})
        THEN CASE WHEN regexp_matches(bare, '^{_NUMBER} ') THEN 'A' ELSE 'S' END
    WHEN regexp_full_match(bare, '{_NUMBER}') THEN 'N'
    WHEN regexp_matches(bare, {text(_BUILDING_END)}) AND NOT regexp_full_match(bare, '{_NUMBER} [A-Z]+ COURT')
        OR regexp_matches(bare, {text(_WELSH_BUILDING)}) OR starts_with(bare, 'PO BOX ') THEN 'B'
    WHEN regexp_matches(bare, '^{_NUMBER} ') THEN 'D'
    ELSE 'P' END"""


def parsed_sql(relation: str, *, keys: str, lines: str, postcode: str = "NULL") -> str:
    """SELECT of `keys` (columns not named like PARTS) and PARTS for every row of `relation` that has an address.

    `lines` is an expression for the address, parts separated by commas or line ends; `postcode`
    one for the postcode, taken from the lines where it is NULL and they hold one, and not two that
    differ. `flat` is the number or letter of the part of a building (`FLOOR GROUND` for a floor,
    `4/7` for suite 7 of unit 4); `number` the number in the street with its suffix (12A) or range
    (12-14), `number_low` and `number_high` its bounds; `written` all words in their one form,
    without commas and postcode.
    """
    low = "try_cast(regexp_extract(number, '^([0-9]+)', 1) AS INTEGER)"
    high = "try_cast(nullif(regexp_extract(number, '-([0-9]+)', 1), '') AS INTEGER)"
    pieces = _pieces_sql(relation, keys, lines=lines, postcode=postcode)
    return f"""
        SELECT {keys}, flat, building, number, {low} AS number_low, coalesce({high}, {low}) AS number_high,
               street, locality, town, code AS postcode, written
        FROM ({_parts_sql(keys, _anchored_sql(keys, _segments_sql(keys, pieces)))})"""


def _pieces_sql(relation: str, keys: str, *, lines: str, postcode: str) -> str:
    """`keys`, `code` and `pieces`: the lines cut where a part ends."""
    cut = "spelled"
    for pattern, becomes in _CUTS:
        cut = f"regexp_replace({cut}, {text(pattern)}, {text(becomes)}, 'g')"
    pieces = f"list_transform(string_split({cut}, ','), lambda piece: trim(piece))"
    return f"""
        SELECT {keys}, code, list_filter(pieces, lambda piece, i: i = 1 OR piece <> pieces[i - 1]) AS pieces
        FROM (SELECT {keys}, code, list_filter({pieces}, lambda piece: piece <> '' AND piece <> '-') AS pieces
              FROM ({_spelled_sql(relation, keys, lines=lines, postcode=postcode)}))"""


def _segments_sql(keys: str, pieces: str) -> str:
    """`keys`, `code`, `written` and `segments`: a list of bare, mark and floor."""
    is_flat = f"regexp_matches(piece, '^({_FLATS})~')"
    storeys = f"regexp_replace(piece, {text(_FLOORS)}, '')"
    inside = f"CASE WHEN contains(piece, 'FLOOR') OR contains(piece, 'BASEMENT') THEN {storeys} ELSE piece END"
    outside = f"regexp_replace(trim({inside}), {text(f' ({_COUNTIES})$')}, '')"
    struct = f"""{{
        'bare': CASE WHEN {is_flat} THEN '' ELSE replace({outside}, '~', ' ') END,
        'mark': CASE WHEN {is_flat} THEN regexp_extract(piece, '~(.*)$', 1) END,
        'floor': nullif(regexp_extract(piece, {text(_FLOORS)}, 1), '')}}"""
    return f"""
        SELECT {keys}, code, nullif(replace(array_to_string(pieces, ' '), '~', ' '), '') AS written,
               list_transform(pieces, lambda piece: {struct}) AS segments
        FROM ({pieces})"""


def _spelled_sql(relation: str, keys: str, *, lines: str, postcode: str) -> str:
    # rows are left out here: a filter further up would be pushed down with all that it stands on, and done twice
    return f"""
        SELECT {keys}, coalesce(given, CASE WHEN len(codes) = 1 THEN codes[1] END) AS code,
               {words.spelled_sql("line")} AS spelled
        FROM (SELECT {keys}, given, {words.postcodes_sql("line")} AS codes,
                     {words.without_postcodes_sql("line")} AS line
              FROM (SELECT {keys}, {words.plain_sql(lines)} AS line, {words.postcode_sql(postcode)} AS given
                    FROM {relation} WHERE regexp_matches({lines}, '[\\pL\\pN]')))"""


def _anchored_sql(keys: str, segments: str) -> str:
    """Adds to the segments kind, digits and name; `anchor`: which of them is the street, `last`: the last place."""
    kind = _KIND.replace("bare", "s.bare")
    struct = f"""{{
        'bare': s.bare, 'mark': s.mark, 'floor': s.floor, 'kind': {kind},
        'digits': nullif(regexp_extract(s.bare, '^(?:PO BOX )?({_NUMBER})(?: |$)', 1), ''),
        'named': nullif(regexp_replace(s.bare, '^{_NUMBER}(?: |$)', ''), '')}}"""

    def at(letters: str) -> str:
        return f"nullif(instr(kinds, '{letters}'), 0)"

    return f"""
        SELECT *, coalesce(least({at("A")}, {at("NS")} + 1), length(kinds) + 1 - nullif(instr(reverse(kinds), 'S'), 0),
                           {at("D")}, {at("NB")} + 1) AS anchor,
               length(kinds) + 1 - nullif(instr(reverse(kinds), 'P'), 0) AS last
        FROM (SELECT *, array_to_string(list_transform(parts, lambda s: s.kind), '') AS kinds
              FROM (SELECT {keys}, code, written, list_transform(segments, lambda s: {struct}) AS parts
                    FROM ({segments})))"""


def _parts_sql(keys: str, anchored: str) -> str:
    """The segments before the anchor are flat and building, those after it places."""
    marks = "list_filter(list_transform(parts, lambda s: s.mark), lambda mark: mark IS NOT NULL)"
    floors = "list_filter(list_transform(parts, lambda s: s.floor), lambda floor: floor IS NOT NULL)"
    numbered = "list_filter(early, lambda s: s.kind IN ('B', 'N', 'D') AND s.digits IS NOT NULL)"
    after = "CASE WHEN parts[anchor + 1].kind = 'N' THEN parts[anchor + 1].digits END"
    places = "list_filter(parts, lambda s, i: i > coalesce(anchor, 1) AND i < last AND s.kind NOT IN ('C', 'F', 'N'))"
    called = "list_transform(list_filter(early, lambda s, i: s.named IS NOT NULL AND i < court), lambda s: s.named)"
    along = "list_transform(list_filter(early, lambda s, i: s.named IS NOT NULL AND i >= court), lambda s: s.named)"
    # `2 Roman Court, Hurricane Way`: the number is the court's, and the court a street off the street
    numbers = "list_transform(early, lambda s: s.digits IS NOT NULL AND s.named IS NOT NULL)"
    alone = "kinds = 'P' AND code IS NULL"  # a name and nothing else is a town
    court = f"len(early) + 1 - nullif(list_position(list_reverse({numbers}), TRUE), 0)"
    return f"""
        SELECT {keys}, code, written,
               coalesce(nullif(array_to_string(list_sort(list_distinct({marks})), '/'), ''),
                        'FLOOR ' || replace({floors}[1], ' FLOOR', ''),
                        CASE WHEN parts[anchor].digits IS NOT NULL THEN {numbered}[1].digits END) AS flat,
               CASE WHEN {alone} THEN NULL WHEN anchor IS NULL THEN early[1].named
                    ELSE nullif(array_to_string({called}, ' '), '') END AS building,
               coalesce(parts[anchor].digits, list_filter(early, lambda s: s.digits IS NOT NULL)[-1].digits, {after})
                   AS number,
               nullif(concat_ws(' ', nullif(array_to_string({along}, ' '), ''), parts[anchor].named), '') AS street,
               nullif(array_to_string(list_transform({places}, lambda s: s.bare), ' '), '') AS locality,
               CASE WHEN last > coalesce(anchor, 1) OR {alone} THEN parts[last].bare END AS town
        FROM (SELECT *, CASE WHEN parts[anchor].digits IS NULL AND anchor IS NOT NULL THEN coalesce({court}, 99)
                             ELSE 99 END AS court
              FROM (SELECT *, list_filter(parts, lambda s, i: i < coalesce(anchor, 99) AND s.kind <> 'C') AS early
                    FROM ({anchored})))"""
