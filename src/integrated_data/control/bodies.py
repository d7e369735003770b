"""Words of the model to JSON values and back, by their type hints.

The same reading serves the control store's JSON bodies and the YAML that people write, so a
mistake in either is refused by the name of its field and never by its value.
"""

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from integrated_data.model.errors import AgreementRefusal

T = TypeVar("T")

CORRECT = "Correct the file; examples are in examples/"


def write(value: Any) -> Any:
    """A dataclass, named tuple, enum, date, tuple or plain value as JSON values."""
    match value:
        case StrEnum():
            return value.value
        case date():
            return value.isoformat()
        case tuple() if hasattr(value, "_fields"):
            return {name: write(held) for name, held in zip(value._fields, value, strict=True)}
        case tuple() | list():
            return [write(v) for v in value]
        case Mapping():
            return {k: write(v) for k, v in value.items()}
        case _ if is_dataclass(value):
            return {f.name: write(getattr(value, f.name)) for f in fields(value)}
        case _:
            return value


def digest(body: Any) -> str:
    """SHA-256 over JSON values, whatever the order of their names."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def read(kind: type[T], body: object, *, what: str) -> T:
    """A dataclass from JSON or YAML values; `what` names the whole in a refusal, e.g. `agreement`."""
    made: T = _dataclass(kind, body, at=_Place(f"the {what}", ""))
    return made


class _Place(NamedTuple):
    """Where in a document a value stands."""

    whole: str
    path: str

    def field(self, name: str) -> "_Place":
        return self._replace(path=f"{self.path}.{name}" if self.path else name)

    def item(self, number: int) -> "_Place":
        return self._replace(path=f"{self.path}[{number}]")

    def shown(self) -> str:
        return f"Field {self.path} of {self.whole}" if self.path else self.whole[0].upper() + self.whole[1:]

    def must_be(self, wanted: str) -> AgreementRefusal:
        return AgreementRefusal(f"{self.shown()} must be {wanted}", next_step=CORRECT)


def _dataclass(kind: Any, body: object, *, at: _Place) -> Any:
    if not isinstance(body, Mapping):
        raise at.must_be("a set of named fields")
    hints, known = _hints(kind), _fields(kind)
    for name in body:
        if name not in known:
            plain = isinstance(name, str) and name.isidentifier() and len(name) <= 40
            raise AgreementRefusal(
                f"{at.shown()} has no field {name if plain else 'of another name'}",
                next_step=f"Its fields are: {', '.join(known)}",
            )
    values = {}
    for name, needed in known.items():
        if name in body:
            values[name] = _value(hints[name], body[name], at=at.field(name))
        elif needed:
            missing = at.field(name).shown()
            raise AgreementRefusal(f"{missing} is missing", next_step="Add it; examples are in examples/")
    return kind(**values)


@cache
def _fields(kind: Any) -> dict[str, bool]:
    """Fields of a dataclass or named tuple, and whether each must be given."""
    if not is_dataclass(kind):
        return {name: name not in kind._field_defaults for name in kind._fields}
    return {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(kind)}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, value: object, *, at: _Place) -> Any:
    if hasattr(kind, "_fields"):
        return _dataclass(kind, value, at=at)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _value(next(k for k in get_args(kind) if k is not types.NoneType), value, at=at)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise at.must_be("a list")
        return tuple(_value(get_args(kind)[0], v, at=at.item(i)) for i, v in enumerate(value))
    if origin is Mapping:
        return _named(get_args(kind)[1], value, at=at)
    if is_dataclass(kind):
        return _dataclass(kind, value, at=at)
    return _plain(kind, value, at=at)


def _named(kind: Any, value: object, *, at: _Place) -> dict[str, Any]:
    """Values by name, such as a number for each index."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise at.must_be("a set of named values")
    plain = {name: name if name.isidentifier() and len(name) <= 40 else "of another name" for name in value}
    return {name: _value(kind, one, at=at.field(plain[name])) for name, one in value.items()}


_SHOWN = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _plain(kind: Any, value: object, *, at: _Place) -> Any:
    if issubclass(kind, StrEnum):
        choices = [str(m.value) for m in kind]
        if value not in choices:
            raise at.must_be(f"one of {', '.join(choices)}")
        return kind(value)
    if kind is datetime:
        return _moment(value, at)
    if kind is date:
        return _day(value, at)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise at.must_be(_SHOWN[kind])
    return value


def _day(value: object, at: _Place) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise at.must_be("a date written as 2026-03-31") from None


def _moment(value: object, at: _Place) -> datetime:
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise at.must_be("a moment written as 2026-03-31T09:00:00+00:00") from None
