"""Areas by code or by name: a record that gives an area, and perhaps no place in it.

`Bristol, City of`, `City of Bristol` and `Bristol City Council` are one name: words that say what kind of
authority it is are left out, with accents and marks, and the rest is put in the order of the alphabet.
"""

from collections.abc import Mapping, Sequence

from integrated_data.engine import Engine
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.sql import name, text

BY_CODE, BY_NAME, BY_OTHER_CODE = "area code", "area name", "code of another register"
#: Probability of an area whose name is its own at the level asked for. Assumed.
BY_NAME_ALONE = 0.98


def area_of_sql(engine: Engine, records: str, *, index: str, columns: Mapping[str, Sequence[str]]) -> str:
    """SELECT record_id, entity_id, probability, method of records that name an area the index knows.

    The finest area given counts; of one level a code before a name. A name that several areas have, at
    the level of its heading, is nobody's. `columns`: delivered columns by meaning; `index`: prefix of views.
    """
    held = engine.columns(records)
    ways = []
    for column in columns.get("area_code", ()):
        if column in held and not column.lower().startswith("parent"):
            ways.append(_code_sql(records, index, column=column))
    for column in columns.get("area_name", ()):
        if column in held:
            ways.append(_name_sql(records, index, column=column))
    if not ways:
        return (
            f"SELECT record_id, 0::BIGINT AS entity_id, 0.0::DOUBLE AS probability, '' AS method FROM {name(records)} "
            "WHERE FALSE"
        )
    order = ", ".join(f"{text(level)}: {place}" for place, level in enumerate(areas.LEVELS))
    return (
        "SELECT DISTINCT ON (record_id) record_id, entity_id, probability, method FROM ("
        f"{' UNION ALL '.join(ways)}) ORDER BY record_id, coalesce(MAP {{{order}}}[level], 99), way, entity_id"
    )


def _code_sql(records: str, index: str, *, column: str) -> str:
    code = f"upper(trim(r.{name(column)}::VARCHAR))"
    return (
        f"SELECT r.record_id, a.entity_id, 1.0::DOUBLE AS probability, {text(BY_CODE)} AS method, a.level, 1 AS way "
        f"FROM {name(records)} AS r JOIN {index}_areas AS a ON a.area_code = {code} UNION ALL "
        f"SELECT r.record_id, a.entity_id, 1.0::DOUBLE, {text(BY_OTHER_CODE)}, a.level, 2 "
        f"FROM {name(records)} AS r JOIN ({_aliases_sql(index)}) AS o ON o.alias = {code} "
        f"JOIN {index}_areas AS a ON a.area_code = o.area_code"
    )


def _aliases_sql(index: str) -> str:
    """Codes of other registers that stand for one area alone."""
    return (
        f"SELECT upper(alias) AS alias, any_value(area_code) AS area_code FROM {index}_aliases GROUP BY 1 "
        "HAVING count(DISTINCT area_code) = 1"
    )


def _name_sql(records: str, index: str, *, column: str) -> str:
    level, year = areas.level_and_year(column)
    asked = [f"level = {text(level)}"] if level else []
    if year is not None:
        asked.append(f"coalesce(boundary_year, {year}) = {year}")
    return (
        f"SELECT r.record_id, k.entity_id, {BY_NAME_ALONE}::DOUBLE AS probability, {text(BY_NAME)} AS method, k.level, "
        f"3 AS way FROM {name(records)} AS r JOIN ({_known_sql(index, where=' AND '.join(asked) or 'TRUE')}) AS k "
        f"ON k.written = {areas.name_sql(f'r.{name(column)}::VARCHAR')}"
    )


def _known_sql(index: str, *, where: str) -> str:
    """Names, written one way, of one area alone: written, entity_id, level.

    An area that took over another's name with its code in a later year is the same by its newest year.
    """
    return (
        f"SELECT written, any_value(entity_id) AS entity_id, any_value(level) AS level FROM ("
        f"SELECT {areas.name_sql('n.area_name')} AS written, a.entity_id, a.level, n.boundary_year FROM ("
        f"SELECT area_name, coalesce(o.area_code, n.area_code) AS area_code, level, boundary_year "
        f"FROM {index}_names AS n LEFT JOIN ({_aliases_sql(index)}) AS o ON o.alias = upper(n.area_code) WHERE {where}"
        f") AS n JOIN {index}_areas AS a ON a.area_code = n.area_code) WHERE written IS NOT NULL "
        "GROUP BY written HAVING count(DISTINCT entity_id) = 1"
    )
