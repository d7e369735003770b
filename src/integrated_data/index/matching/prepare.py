"""Cleaned columns: one row per record with the fields of a definition, as SQL."""

import re
from collections.abc import Collection, Sequence

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching.definition import Field, MatchDefinition
from integrated_data.vocabulary.sql import name, names

#: Types of the columns of a records relation that are not text.
TYPES = {"date_of_birth": "DATE", "birth_day": "INTEGER", "birth_month": "INTEGER", "birth_year": "INTEGER"}


def kept(definition: MatchDefinition) -> tuple[str, ...]:
    """Names of the fields that a cleaned relation holds, in order."""
    return tuple(f.name for f in definition.fields if f.keep)


def load_lookups(engine: Engine, definition: MatchDefinition) -> None:
    """Hand the definition's lookups to the engine; `cleaned_sql` reads them."""
    for lookup in definition.lookups:
        words, stands = zip(*lookup.pairs, strict=True)
        table = pa.table({"word": pa.array(words, pa.string()), "stands": pa.array(stands, pa.string())})
        engine.load(f"lookup_{lookup.name}", Held(table))


def cleaned_sql(
    definition: MatchDefinition, relation: str, *, columns: Collection[str], carried: Sequence[str] = ("record_id",)
) -> str:
    """One row per record, in any order: the columns `carried` as they are, and the kept fields.

    `columns` are those the records relation has; the rest of what the fields read is NULL. Fields
    that build on one another are nested, so that no expression is worked out twice, and fields of
    one value (a name, say) are worked out once for each distinct value. What was delivered is held
    first: a relation may be read by one thread alone, and what is held is worked on by all.
    """
    reads = dict.fromkeys(column for field in definition.fields for column in field.reads)
    delivered = ", ".join(_delivered(column, columns) for column in reads)
    early, late = _stages(definition.fields)
    read = f"SELECT {names(carried)}, {delivered} FROM {name(relation)}"
    base = _nested("SELECT * FROM delivered", early)
    sources = list(dict.fromkeys(field.of for field in definition.fields if field.of is not None))
    tables = "".join(f", {_values(of)} AS ({_per_value_sql(definition, of)})" for of in sources)
    joins = " ".join(f"LEFT JOIN {_values(of)} ON {_values(of)}.value = base.{name(of)}" for of in sources)
    valued = "".join(f", {_values(f.of)}.{name(f.name)}" for f in definition.fields if f.of is not None)
    whole = _nested(f"SELECT base.*{valued} FROM base {joins}", late)
    chosen = ", ".join(name(f) for f in kept(definition))
    held = f"delivered AS MATERIALIZED ({read}), base AS MATERIALIZED ({base})"
    return f"WITH {held}{tables} SELECT {names(carried)}, {chosen} FROM ({whole})"


def _per_value_sql(definition: MatchDefinition, of: str) -> str:
    fields = [f for f in definition.fields if f.of == of]
    values = f"SELECT DISTINCT {name(of)} AS value, {name(of)} FROM base WHERE {name(of)} IS NOT NULL"
    worked_out = _nested(values, [f for f in fields if f.lookup is None])
    looked_up = [f for f in fields if f.lookup is not None]
    columns = "".join(f", coalesce({_lookup(f)}.stands, {f.sql}) AS {name(f.name)}" for f in looked_up)
    joins = " ".join(f"LEFT JOIN {_lookup(f)} ON {_lookup(f)}.word = ({f.sql})" for f in looked_up)
    return f"SELECT v.* EXCLUDE ({name(of)}){columns} FROM ({worked_out}) v {joins}"


def _values(of: str) -> str:
    return name("values_of_" + of)


def _lookup(field: Field) -> str:
    return name(f"lookup_{field.lookup}")


def _stages(fields: Sequence[Field]) -> tuple[list[Field], list[Field]]:
    """Fields of a whole record: those that need no field of one value, and those that do."""
    waiting = {field.name for field in fields if field.of is not None}
    early: list[Field] = []
    late: list[Field] = []
    for field in fields:
        if field.of is not None:
            continue
        needs = waiting.intersection(_words(field))
        (late if needs else early).append(field)
        if needs:
            waiting.add(field.name)
    return early, late


def _nested(sql: str, fields: Sequence[Field]) -> str:
    """A SELECT with the fields added, those that build on others around them."""
    depth: dict[str, int] = {}
    layers: list[list[Field]] = []
    for field in fields:
        depth[field.name] = 1 + max((depth[w] for w in _words(field) if w in depth), default=-1)
        while len(layers) <= depth[field.name]:
            layers.append([])
        layers[depth[field.name]].append(field)
    for layer in layers:
        sql = f"SELECT *, {', '.join(f'{field.sql} AS {name(field.name)}' for field in layer)} FROM ({sql})"
    return sql


def _words(field: Field) -> set[str]:
    return set(re.findall(r"\w+", field.sql))


def _delivered(column: str, columns: Collection[str]) -> str:
    kind = TYPES.get(column, "VARCHAR")
    value = f"{name(column)}::{kind}" if column in columns else f"NULL::{kind}"
    return f"{value} AS {name('in_' + column)}"


def held(engine: Engine, definition: MatchDefinition, *, relation: str) -> frozenset[str]:
    """Kept fields of which a cleaned relation holds at least one value."""
    counts = ", ".join(f"count({name(f)}) AS {name(f)}" for f in kept(definition))
    found = engine.rows(f"SELECT {counts} FROM {name(relation)}").to_pylist()[0]
    return frozenset(f for f, n in found.items() if n > 0)


def has_evidence_sql(definition: MatchDefinition) -> str:
    """Condition over cleaned: the record holds anything at all to match on."""
    return "(" + " OR ".join(f"{name(f)} IS NOT NULL" for f in kept(definition)) + ")"


def print_sql(definition: MatchDefinition) -> str:
    """A hash over the kept fields of a cleaned relation: two records with one print say the same."""
    return f"(hash({', '.join(name(f) for f in kept(definition))}) >> 1)::BIGINT"


def with_frequencies_sql(definition: MatchDefinition, relation: str) -> str:
    """A cleaned relation with `tf_<field>`: the share of its rows with a value that have this one."""
    fields = [f.name for f in definition.fields if f.frequency]
    tables = ", ".join(
        f"{name('shares_' + f)} AS (SELECT {name(f)} AS value, count(*) / (SELECT count({name(f)}) FROM "
        f"{name(relation)}) "
        f"AS share FROM {name(relation)} WHERE {name(f)} IS NOT NULL GROUP BY {name(f)})"
        for f in fields
    )
    columns = "".join(f", {name('shares_' + f)}.share AS {name('tf_' + f)}" for f in fields)
    joins = " ".join(f"LEFT JOIN {name('shares_' + f)} ON {name('shares_' + f)}.value = c.{name(f)}" for f in fields)
    return f"{'WITH ' + tables if tables else ''} SELECT c.*{columns} FROM {name(relation)} c {joins}"
