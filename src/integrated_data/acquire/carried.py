"""Labels that a Parquet file carries in the metadata of its columns, as those do that are read from a database."""

import json
from dataclasses import asdict

import pyarrow as pa

from integrated_data.acquire.labels import Label
from integrated_data.model.meanings import Kind

#: The name under which a column's label stands.
KEY = b"ids:label"


def metadata(label: Label) -> dict[bytes, bytes]:
    """A label as the metadata of a column."""
    return {KEY: json.dumps(asdict(label)).encode()}


def carried(schema: pa.Schema) -> dict[str, Label]:
    """By column, the label that it carries; one that is not as we write it is passed over."""
    found = {}
    for column in schema:
        text = (column.metadata or {}).get(KEY)
        label = _read(text) if text else None
        if label is not None:
            found[column.name] = label
    return found


def _read(text: bytes) -> Label | None:
    try:
        body = json.loads(text)
        kind = Kind(body["kind"]) if body["kind"] else None
        codes = tuple((str(code), str(words)) for code, words in body["codes"])
        return Label(str(body["title"]), codes, body["whole"] is True, kind)
    except (ValueError, KeyError, TypeError):
        return None


def field(name: str, label: Label) -> pa.Field:
    """A column of text with its label."""
    return pa.field(name, pa.string(), metadata=metadata(label))
