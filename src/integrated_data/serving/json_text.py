"""Columns as JSON text, a column at a time: no value passes through Python but nested and binary ones.

Numbers stand in full (keys are integers of 63 bits: read them with a reader that keeps them); NaN and
the infinities are strings, as in the JSON mapping of Protocol Buffers; dates and times are ISO 8601.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

#: Characters that JSON writes by an escape (RFC 8259, section 7), the backslash first.
ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t",
    **{chr(c): f"\\u{c:04x}" for c in range(32) if chr(c) not in "\n\r\t"},
}  # fmt: skip
ESCAPED = r'[\x00-\x1f"\\]'


def value_text(column: pa.Array) -> pa.Array:
    """JSON text of each value, as strings without null."""
    return pc.coalesce(_plain(column), pa.scalar("null"))


def row_text(batch: pa.RecordBatch) -> pa.Array:
    """Each row as a JSON array, in the order of the columns."""
    if not batch.num_columns:
        return pa.array(["[]"] * batch.num_rows, pa.string())
    parts: list[Any] = ["["]
    for column in batch.columns:
        parts += [value_text(column), ","]
    parts[-1] = "]"
    return pc.binary_join_element_wise(*parts, "")


def joined(texts: pa.Array) -> bytes:
    """Texts with commas between them."""
    rows = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    return bytes(pc.binary_join(rows, ",")[0].as_buffer())


def flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with nested and binary columns, and spans of time, as text."""
    columns = [_spoken(c) if _odd(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _odd(kind: pa.DataType) -> bool:
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return bool(pa.types.is_nested(kind) or binary or pa.types.is_interval(kind) or pa.types.is_duration(kind))


def _spoken(column: pa.Array) -> pa.Array:
    return pa.array([None if v is None else _in_python(v) for v in column.to_pylist()], pa.string())


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _quoted(_escaped(column.cast(pa.string())))
    if pa.types.is_temporal(kind) and not _odd(kind):
        return _quoted(pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1))
    return pa.array([None if v is None else json.dumps(v, default=_in_python) for v in column.to_pylist()], pa.string())


def _floats(column: pa.Array) -> pa.Array:
    text = column.cast(pa.string())
    odd = pc.invert(pc.is_finite(column))
    if not pc.any(odd).as_py():
        return text
    names = pc.case_when(
        pc.make_struct(pc.is_nan(column), pc.greater(column, 0.0)), '"NaN"', '"Infinity"', '"-Infinity"'
    )
    return pc.if_else(odd, names, text)


def _escaped(text: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(text, ESCAPED)).as_py():
        for character, escape in ESCAPES.items():
            text = pc.replace_substring(text, character, escape)
    return text


def _quoted(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', text, '"', "")


def _in_python(value: Any) -> Any:
    """A value that JSON has no word for, as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Iterable):
        return json.dumps(value, default=_in_python, ensure_ascii=False)
    return str(value)
