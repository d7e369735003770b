"""What Flight SQL clients ask about a service beside its rows: catalogues, schemas, tables, abilities.

A project is a catalogue with two schemas, `main` and `scratch`. Shapes of the tables: Apache Arrow, FlightSql.proto.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data import __version__
from integrated_data.access.views import View
from integrated_data.model.query import SCRATCH
from integrated_data.serving import wire
from integrated_data.serving.desk import Desk

SCHEMAS, KIND = ("main", SCRATCH), "TABLE"

Message = Mapping[int, list[wire.Value]]


@dataclass(frozen=True)
class Asker:
    """Who asks about what: a person in a project."""

    desk: Desk
    person: str
    project: str


def listing(command: wire.Command, asker: Asker) -> pa.Table:
    """The table that answers a command about the service: one of `LISTINGS`."""
    return LISTINGS[command.kind](command.fields, asker)


def _table(fields: Sequence[pa.Field], rows: Sequence[Mapping[str, Any]] = ()) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


def _field(name: str, kind: pa.DataType | None = None, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind or pa.string(), nullable=null)


def _catalogs(_: Message, asker: Asker) -> pa.Table:
    return _table([_field("catalog_name")], [{"catalog_name": asker.project}])


def _schemas(message: Message, asker: Asker) -> pa.Table:
    fits = wire.text(message, 1) in (None, asker.project)
    found = [schema for schema in SCHEMAS if fits and _like(wire.text(message, 2), schema)]
    rows = [{"catalog_name": asker.project, "db_schema_name": schema} for schema in found]
    return _table([_field("catalog_name", null=True), _field("db_schema_name")], rows)


def _tables(message: Message, asker: Asker) -> pa.Table:
    fits = wire.text(message, 1) in (None, asker.project)
    kinds, pattern = wire.texts(message, 4), wire.text(message, 3)
    fits = fits and (not kinds or KIND in kinds)
    views = asker.desk.site.gateway.tables(asker.person, asker.project) if fits else ()
    with_schema = bool(wire.numbers(message, 5)[-1:] == [1])
    rows = [
        {
            "catalog_name": asker.project, "db_schema_name": schema, "table_name": name, "table_type": KIND,
            **({"table_schema": _schema_of(asker.desk, view)} if with_schema else {}),
        }
        for view, schema, name in ((view, *_named(view)) for view in views)
        if _like(pattern, name) and _like(wire.text(message, 2), schema)
    ]  # fmt: skip
    fields = [_field("catalog_name", null=True), _field("db_schema_name", null=True), _field("table_name"),
              _field("table_type")]  # fmt: skip
    return _table([*fields, _field("table_schema", pa.binary())] if with_schema else fields, rows)


def _named(view: View) -> tuple[str, str]:
    """Schema and name of a view."""
    schema, dot, name = view.name.rpartition(".")
    return (schema, name) if dot and schema == SCRATCH else (SCHEMAS[0], view.name)


def _schema_of(desk: Desk, view: View) -> bytes:
    known = pq.read_schema(desk.site.places.projects / view.place)
    named = [known.field(column) for column in view.columns]
    return bytes(pa.schema(named).serialize())


def _kinds(_: Message, __: Asker) -> pa.Table:
    return _table([_field("table_type")], [{"table_type": KIND}])


def _primary_keys(_: Message, __: Asker) -> pa.Table:
    fields = [_field("catalog_name", null=True), _field("db_schema_name", null=True), _field("table_name"),
              _field("column_name"), _field("key_name", null=True), _field("key_sequence", pa.int32())]  # fmt: skip
    return _table(fields)


def _foreign_keys(_: Message, __: Asker) -> pa.Table:
    ends = [
        _field(f"{end}_{part}", null=part in ("catalog_name", "db_schema_name"))
        for end in ("pk", "fk")
        for part in ("catalog_name", "db_schema_name", "table_name", "column_name")
    ]
    rules = [_field("update_rule", pa.uint8()), _field("delete_rule", pa.uint8())]
    keys = [_field("fk_key_name", null=True), _field("pk_key_name", null=True)]
    return _table([*ends, _field("key_sequence", pa.int32()), *keys, *rules])


def _types(_: Message, __: Asker) -> pa.Table:
    whole, word = pa.int32(), pa.string()
    return _table([
        _field("type_name"), _field("data_type", whole), _field("column_size", whole, null=True),
        _field("literal_prefix", null=True), _field("literal_suffix", null=True),
        _field("create_params", pa.list_(pa.field("item", word, nullable=False)), null=True),
        _field("nullable", whole), _field("case_sensitive", pa.bool_()), _field("searchable", whole),
        _field("unsigned_attribute", pa.bool_(), null=True), _field("fixed_prec_scale", pa.bool_()),
        _field("auto_increment", pa.bool_(), null=True), _field("local_type_name", null=True),
        _field("minimum_scale", whole, null=True), _field("maximum_scale", whole, null=True),
        _field("sql_data_type", whole), _field("datetime_subcode", whole, null=True),
        _field("num_prec_radix", whole, null=True), _field("interval_precision", whole, null=True),
    ])  # fmt: skip


#: What the service says of itself: number in FlightSql.proto (SqlInfo), member of the union, value.
TEXT, FLAG, NUMBER = 0, 1, 3


def _abilities(desk: Desk) -> dict[int, tuple[int, Any]]:
    return {
        0: (TEXT, "Integrated Data Service"), 1: (TEXT, __version__), 2: (TEXT, pa.__version__), 3: (FLAG, True),
        4: (FLAG, True), 5: (FLAG, False), 8: (NUMBER, 0), 9: (FLAG, True),
        100: (NUMBER, int(desk.holding.seconds * 1000)), 500: (FLAG, False), 501: (FLAG, False), 502: (FLAG, False),
        503: (NUMBER, 1), 504: (TEXT, '"'), 505: (NUMBER, 1), 506: (FLAG, True), 507: (NUMBER, 3), 513: (TEXT, "\\"),
        515: (FLAG, True), 529: (TEXT, "schema"), 531: (TEXT, "project"), 532: (FLAG, True),
    }  # fmt: skip


def _information(message: Message, asker: Asker) -> pa.Table:
    known = _abilities(asker.desk)
    wanted = [n for n in wire.numbers(message, 1) or known if n in known]
    members = (
        ("string_value", pa.string()), ("bool_value", pa.bool_()), ("bigint_value", pa.int64()),
        ("int32_bitmask", pa.int32()), ("string_list", pa.list_(pa.string())),
        ("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    )  # fmt: skip
    values: list[list[Any]] = [[] for _ in members]
    places = []
    for number in wanted:
        member, value = known[number]
        places.append((member, len(values[member])))
        values[member].append(value)
    union = pa.UnionArray.from_dense(
        pa.array([m for m, _ in places], pa.int8()), pa.array([at for _, at in places], pa.int32()),
        [pa.array(v, kind) for v, (_, kind) in zip(values, members, strict=True)], [name for name, _ in members],
    )  # fmt: skip
    fields = [_field("info_name", pa.uint32()), pa.field("value", union.type)]
    return pa.Table.from_arrays([pa.array(wanted, pa.uint32()), union], schema=pa.schema(fields))


def _like(pattern: str | None, name: str) -> bool:
    """Whether a name fits an SQL pattern of % and _; every name fits none and the empty one."""
    if not pattern:
        return True
    parts = ({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern[:1000])
    return re.fullmatch(re.sub(r"(\.\*)+", ".*", "".join(parts)), name, re.IGNORECASE | re.DOTALL) is not None


LISTINGS: Mapping[str, Callable[[Message, Asker], pa.Table]] = {
    "CommandGetCatalogs": _catalogs, "CommandGetDbSchemas": _schemas, "CommandGetTables": _tables,
    "CommandGetTableTypes": _kinds, "CommandGetPrimaryKeys": _primary_keys, "CommandGetExportedKeys": _foreign_keys,
    "CommandGetImportedKeys": _foreign_keys, "CommandGetCrossReference": _foreign_keys,
    "CommandGetXdbcTypeInfo": _types, "CommandGetSqlInfo": _information,
}  # fmt: skip
