"""Protocol Buffers on the wire, as far as Flight SQL needs them: fields by number, read with bounds.

Source: the encoding page of protobuf.dev (varints, tags, length-delimited values). What is not well
formed is refused; unknown fields are kept and ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_FIELDS = 10_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}

Value = int | bytes
ANY_PREFIX = "type.googleapis.com/"


class MalformedError(ValueError):
    """Bytes that are no message."""


def read(data: bytes) -> dict[int, list[Value]]:
    """Values of a message by field number, in order; numbers of 32 and 64 fixed bits as their bytes."""
    found: dict[int, list[Value]] = {}
    at = count = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: Value
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind == BYTES or kind in FIXED:
            length, at = _varint(data, at) if kind == BYTES else (FIXED[kind], at)
            value, at = data[at : at + length], at + length
        else:
            raise MalformedError
        count += 1
        if not number or at > len(data) or count > MOST_FIELDS:
            raise MalformedError
        found.setdefault(number, []).append(value)
    return found


def text(message: Mapping[int, list[Value]], number: int) -> str | None:
    """The last value of a text field, or None where there is none."""
    value = raw(message, number)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise MalformedError from None


def raw(message: Mapping[int, list[Value]], number: int) -> bytes | None:
    """The last value of a field of bytes, or None where there is none."""
    values = message.get(number)
    if not values:
        return None
    if not isinstance(values[-1], bytes):
        raise MalformedError
    return values[-1]


def texts(message: Mapping[int, list[Value]], number: int) -> list[str]:
    """Every value of a repeated text field."""
    return [text({number: [value]}, number) or "" for value in message.get(number, [])]


def numbers(message: Mapping[int, list[Value]], number: int) -> list[int]:
    """Every value of a repeated whole-number field, packed or not."""
    found: list[int] = []
    for value in message.get(number, []):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            found.append(one)
    return found


def write(fields: Mapping[int, Value | str]) -> bytes:
    """A message of these fields, in order; nothing for empty ones, as proto3 has it."""
    out = bytearray()
    for number, value in fields.items():
        if not value:
            continue
        if isinstance(value, int):
            out += _number(number << 3 | VARINT) + _number(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _number(number << 3 | BYTES) + _number(len(data)) + data
    return bytes(out)


@dataclass(frozen=True)
class Command:
    """A message from inside an Any: the short name of its type, and its fields."""

    kind: str
    fields: Mapping[int, list[Value]]


def unpack(data: bytes) -> Command:
    """The message inside an Any."""
    outer = read(data)
    kind = text(outer, 1) or ""
    if not kind.startswith(ANY_PREFIX):
        raise MalformedError
    return Command(kind.removeprefix(ANY_PREFIX).rpartition(".")[2], read(raw(outer, 2) or b""))


def pack(kind: str, fields: Mapping[int, Value | str]) -> bytes:
    """A Flight SQL message inside an Any."""
    return write({1: f"{ANY_PREFIX}arrow.flight.protocol.sql.{kind}", 2: write(fields)})


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise MalformedError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise MalformedError


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
