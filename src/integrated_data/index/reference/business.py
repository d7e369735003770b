"""The Business Index: legal units and practices by number, name and place.

Names are compared by their words (see `likeness`): rare words count more, misspelled words count
as the word they are nearest to, legal forms and trading styles are set apart. A rename is held by
the place, a move by the name. Assumed shares are guesses; learning replaces them (see `weights`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from integrated_data.engine import Engine
from integrated_data.index.reference import continuity, likeness, units
from integrated_data.index.reference.alike import Alike
from integrated_data.index.reference.assign import Floats
from integrated_data.index.reference.ledger import Loading
from integrated_data.index.reference.registers import WORK, RegisterIndex
from integrated_data.index.reference.weights import Aspect
from integrated_data.model.linkage import Band, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import addresses, organisations
from integrated_data.vocabulary.sql import name

INDEX = IndexDefinition(
    name="business",
    title="Business Index",
    key="business",
    attributes=(
        Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME, Meaning.ORGANISATION_REFERENCE,
        Meaning.COMPANY_NUMBER, Meaning.INDUSTRY_CODE, Meaning.ORGANISATION_STATUS, Meaning.SUCCESSOR, Meaning.ADDRESS,
        Meaning.ADDRESS_LINE, Meaning.ADDRESS_FLAT, Meaning.ADDRESS_BUILDING, Meaning.ADDRESS_STREET,
        Meaning.ADDRESS_LOCALITY, Meaning.ADDRESS_TOWN, Meaning.POSTCODE,
    ),
    provisional=True,
)  # fmt: skip

#: Posterior probability from which a link is accepted (likelier than all else together, which is what
#: the highest expected F1 asks of calibrated probabilities), and from which a person looks.
ACCEPT, CLERICAL = 0.5, 0.1
#: A postcode, number or name that more forms share than this brings nobody in by itself.
CROWDED = 200

_NAME_STEPS = (0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05)
_PLACE_STEPS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.12, 0.06)
_FIELDS = ("company", "reference", "plain", "squashed", "legal", "place", "code", "sector", "district", "area")
_PARTS = ("address_line", "address_flat", "address_building", "address_street", "address_locality", "address_town")


_REGISTERED = organisations.registered_name_sql("title")
_STYLE = f"coalesce({organisations.plain_sql('style')}, {organisations.trading_style_sql('title')})"


def _forms_sql(records: str, columns: Mapping[str, str]) -> str:
    """One row per name of a record (registered, trading, former): `record_id` and the fields."""
    return _described_sql(records, columns, names=(_REGISTERED, _STYLE, organisations.former_name_sql("title")))


def _standing_forms_sql(records: str, columns: Mapping[str, str]) -> str:
    """The same without former names: what a business is called now."""
    return _described_sql(records, columns, names=(_REGISTERED, _STYLE))


def _described_sql(records: str, columns: Mapping[str, str], *, names: Sequence[str]) -> str:

    def given(column: str) -> str:
        return f"{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR"

    parts = ", ".join(given(c) for c in _PARTS)
    padded = organisations.company_number_sql("company")
    lines = f"coalesce({given('address')}, nullif(concat_ws(', ', {parts}), ''))"
    styles = f"[{', '.join(names)}]"
    shed = organisations.without_legal_form_sql("written")
    legal = organisations.legal_form_code_sql(organisations.legal_form_sql("written"))
    return f"""
        SELECT record_id, {padded} AS company, reference, {shed} AS plain, replace({shed}, ' ', '') AS squashed,
               {legal} AS legal,
               place, code, left(code, -2) AS sector, split_part(code, ' ', 1) AS district,
               regexp_extract(code, '^[A-Z]+') AS area
        FROM (SELECT record_id, company, reference, place, code,
                     unnest(CASE WHEN len(names) > 0 THEN names ELSE [NULL] END) AS written
              FROM (SELECT record_id, company, reference, {addresses.plain_sql("lines")} AS place,
                           {addresses.postcode_sql("postcode")} AS code,
                           list_distinct(list_filter({styles}, lambda n: n IS NOT NULL)) AS names
                    FROM (SELECT record_id, {given("organisation_name")} AS title, {given("trading_name")} AS style,
                                 {given("company_number")} AS company,
                                 nullif(upper(trim({given("organisation_reference")})), '') AS reference,
                                 {given("postcode")} AS postcode,
                                 {lines} AS lines
                          FROM {name(records)})))"""


def _words_sql(forms: str) -> str:
    """Words of names, and words of places with each number joined to the word after it."""
    named = organisations.words_sql(forms, keys="number", column="plain")
    return f"""
        SELECT 'name' AS aspect, number, word FROM ({named})
        UNION ALL SELECT 'place', number, word FROM ({_place_words_sql(forms)})"""


def _place_words_sql(forms: str) -> str:
    split = "string_split(replace(place, ' , ', ' '), ' ')"
    return f"""
        WITH spelled AS (
            SELECT number, position, coalesce(long, word) AS word
            FROM (SELECT number, unnest({split}) AS word, generate_subscripts({split}, 1) AS position FROM {forms})
            LEFT JOIN ({addresses.forms_sql()}) AS forms ON short = word WHERE word NOT IN ('', '-')),
        chained AS (
            SELECT number, word, lead(word) OVER (PARTITION BY number ORDER BY position) AS following FROM spelled)
        SELECT number, word FROM chained WHERE NOT {addresses.is_one_of_sql("word", addresses.COUNTIES)}
        UNION ALL SELECT number, word || ' ' || following FROM chained
        WHERE following IS NOT NULL AND regexp_matches(word, '^[0-9]')"""


#: Fields that bring candidates in.
_KEYS = (("company",), ("reference",), ("plain",), ("squashed",), ("code",))


def _candidates_sql(left: str, right: str) -> tuple[str, ...]:
    return tuple(likeness.by_key_sql(left, right, key=key, crowded=CROWDED) for key in _KEYS)


def _stepped(like: str, steps: tuple[float, ...], *, start: int) -> str:
    return " ".join(f"WHEN {like} >= {step} THEN {start + i}" for i, step in enumerate(steps))


#: Likeness of names: by words, by letters run together, or one cut short from the other.
_LIKE_NAME = """greatest(worded,
    CASE WHEN greatest(length(l.squashed), length(r.squashed)) < 6 THEN 0.0
         WHEN least(length(l.squashed), length(r.squashed)) >= 8
              AND (starts_with(l.squashed, r.squashed) OR starts_with(r.squashed, l.squashed)) THEN 0.86
         WHEN abs(length(l.squashed) - length(r.squashed)) > 5 THEN 0.0
         ELSE 1.8 * greatest(0.0, 0.95 - levenshtein(l.squashed, r.squashed)
                             / greatest(length(l.squashed), length(r.squashed))) - 0.8 END)"""

_LEVELS = {
    "both_names": "-1",
    "reference": "CASE WHEN l.reference IS NULL OR r.reference IS NULL THEN -1 "
                 "WHEN l.reference = r.reference THEN 0 ELSE 1 END",
    "company": "CASE WHEN l.company IS NULL OR r.company IS NULL THEN -1 WHEN l.company = r.company THEN 0 "
               "WHEN damerau_levenshtein(l.company, r.company) = 1 THEN 1 ELSE 2 END",
    "name": f"CASE WHEN l.plain IS NULL OR r.plain IS NULL THEN -1 WHEN l.plain = r.plain AND r.namesakes <= 2 THEN 0 "
            "WHEN l.plain = r.plain OR like_name > 0.995 THEN 1 "
            f"{_stepped('like_name', _NAME_STEPS, start=2)} ELSE 12 END",
    "legal": "CASE WHEN l.legal IS NULL OR r.legal IS NULL THEN -1 WHEN l.legal = r.legal THEN 0 ELSE 1 END",
    "place": "CASE WHEN l.place IS NULL OR r.place IS NULL THEN -1 WHEN l.place = r.place THEN 0 "
             f"{_stepped('like_place', _PLACE_STEPS, start=1)} ELSE 11 END",
    "code": "CASE WHEN l.code IS NULL OR r.code IS NULL THEN -1 WHEN l.code = r.code THEN 0 "
            "WHEN l.sector = r.sector THEN 1 WHEN l.district = r.district THEN 2 "
            "WHEN l.area = r.area THEN 3 ELSE 4 END",
}  # fmt: skip

#: Where a record has two names: whether both are the entity's.
_BOTH = """CASE WHEN count(DISTINCT number) OVER (PARTITION BY record) < 2 THEN -1
    WHEN count(DISTINCT CASE WHEN level_name BETWEEN 0 AND 2 THEN number END) OVER (PARTITION BY record, entity_id) > 1
    THEN 0 ELSE 1 END"""

_ASPECTS = (
    # offices number on their own: another number says little, the same one much
    Aspect("reference", (0.5, 0.5), (1e-5, 1.0), hard=(0, 1)),
    # same, a slip apart, another: hard rule, for another number is another legal unit, whatever it is called
    Aspect("company", (0.97, 0.03, 1e-18), (1e-6, 1e-5, 1.0), hard=(0, 1, 2)),
    Aspect(
        "name",
        (0.45, 0.2, 0.04, 0.04, 0.04, 0.03, 0.03, 0.03, 0.03, 0.02, 0.02, 0.02, 0.05),
        (1e-6, 1e-4, 1e-5, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 2e-3, 6e-3, 2e-2, 0.97),
    ),
    Aspect("both_names", (0.6, 0.4), (1e-3, 1.0), hard=(0, 1)),
    Aspect("legal", (0.95, 0.05), (0.8, 0.2)),
    Aspect(
        "place",
        (0.3, 0.15, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.03, 0.03, 0.06),
        (1e-5, 1e-5, 1e-5, 2e-5, 4e-5, 1e-4, 2e-4, 5e-4, 2e-3, 6e-3, 2e-2, 0.97),
    ),
    Aspect("code", (0.8, 0.05, 0.05, 0.05, 0.05), (1e-4, 3e-4, 2e-3, 2e-2, 0.98)),
)

#: Records of one source that are one legal unit: the same company number, else the same number that the
#: source itself gives, else the same name and place; one without a name stays alone.
_SAME = "CASE WHEN plain IS NOT NULL THEN md5(concat_ws('|', plain, code, coalesce(code, place))) END"
_ONE_NUMBER = f"min(company) OVER (PARTITION BY {_SAME}) = max(company) OVER (PARTITION BY {_SAME})"
_MATE = (
    f"coalesce(company, CASE WHEN plain IS NOT NULL AND {_ONE_NUMBER} THEN min(company) OVER (PARTITION BY {_SAME}) "
    f"END, 'by reference ' || reference, {_SAME})"
)

_METHODS = """CASE WHEN e.level_company = 0 THEN 'company number'
    WHEN e.level_reference = 0 THEN 'reference'
    WHEN e.level_name <= 1 AND e.level_name >= 0 AND e.level_code = 0 THEN 'name and postcode'
    WHEN e.level_name <= 1 AND e.level_name >= 0 AND e.level_place BETWEEN 0 AND 3 THEN 'name and address'
    WHEN e.level_name <= 1 AND e.level_name >= 0 AND e.level_place = -1 THEN 'name'
    WHEN e.level_name <= 1 AND e.level_name >= 0 THEN 'name, moved'
    WHEN e.level_name >= 9 AND e.level_place BETWEEN 0 AND 3 THEN 'address, renamed'
    WHEN e.level_name = -1 THEN 'address' WHEN e.level_place = -1 THEN 'similar name'
    ELSE 'similar name and place' END"""


def _bands(best: Floats, _second: Floats) -> npt.NDArray[np.str_]:
    return np.where(best >= ACCEPT, Band.ACCEPT, np.where(best >= CLERICAL, Band.CLERICAL, Band.NONE))


def _lived(engine: Engine, loading: Loading) -> dict[str, int]:
    """What the source's new word, held against its last, says happened to businesses."""
    return continuity.record(engine, loading, describe=_standing_forms_sql, forms=f"{WORK}_all_forms")


ALIKE = Alike(
    index=INDEX, fields=_FIELDS, forms=_forms_sql, words=_words_sql, candidates=_candidates_sql,
    levels=_LEVELS, aspects=_ASPECTS, texts={"name": 10, "place": 10}, mate=_MATE,
    group="'by reference ' || reference", methods=_METHODS,
    bands=_bands, likes={"name": _LIKE_NAME}, known="count(*) OVER (PARTITION BY plain) AS namesakes",
    together={"both_names": _BOTH}, rivals=("code", "sector", "district"),
    keys=_KEYS, crowded=CROWDED,
    # a name alone may be any firm's of that name
    enough="company IS NOT NULL OR reference IS NOT NULL OR (plain IS NOT NULL AND coalesce(code, place) IS NOT NULL)",
    also=(_lived, units.record), happened=continuity.among,
)  # fmt: skip


BUSINESS = RegisterIndex(ALIKE)
