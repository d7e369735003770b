"""Reading fields of a contract's YAML: every complaint names the field, what it must be, and nothing more."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from integrated_data.model.errors import ContractRefusal

E = TypeVar("E", bound=StrEnum)


def wrong(field: str, why: str, *, next_step: str) -> ContractRefusal:
    """A refusal that names the field."""
    return ContractRefusal(f"The contract's field {field} is wrong", why=why, next_step=next_step)


@dataclass(frozen=True)
class Fields:
    """One mapping of the document and where it stands; values are text, lists and mappings."""

    at: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, at: str, value: object) -> "Fields":
        """A mapping; refuses anything else."""
        if not isinstance(value, Mapping):
            raise wrong(at, "It must be a mapping of names to values", next_step="Write it as lines of name: value")
        return cls(at, value)

    def path(self, key: str) -> str:
        """Where a key stands, for people: `schema[0].properties[2].name`."""
        return f"{self.at}.{key}" if self.at else key

    def known(self, names: Iterable[str]) -> None:
        """Refuse keys that are none of these names."""
        allowed = sorted(names)
        for key in self.values:
            if key not in allowed:
                near = difflib.get_close_matches(str(key), allowed, n=1)
                step = f"Write {near[0]}" if near else f"Use one of {', '.join(allowed)}"
                raise wrong(self.path(str(key)), "The standard has no such field", next_step=step)

    def text(self, key: str, default: str | None = None) -> str:
        """Text that must be there unless there is a default."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise wrong(self.path(key), "It must be text and not empty", next_step=f"Write {key}: followed by its text")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        value = self.values.get(key, "false")
        if not isinstance(value, str) or value.lower() not in ("true", "false"):
            raise wrong(self.path(key), "It must be true or false", next_step=f"Write {key}: true or leave it out")
        return value.lower() == "true"

    def share(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.values.get(key, repr(default))
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0.0 <= number <= 1.0:
            raise wrong(self.path(key), "It must be a number from 0 to 1", next_step=f"Write {key}: {default}")
        return number

    def choice(self, key: str, kind: type[E], *, default: E | None = None) -> E:
        """One of an enumeration's values."""
        value = self.values.get(key, default)
        try:
            return kind(value)
        except ValueError:
            names = [member.value for member in kind]
            near = difflib.get_close_matches(str(value).lower(), names, n=1)
            step = f"Write {near[0]}" if near else f"Use one of {', '.join(names)}"
            raise wrong(self.path(key), "It is none of the values that are known", next_step=step) from None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when absent."""
        value = self.values.get(key, ())
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            raise wrong(self.path(key), "It must be a list of texts", next_step=f"Write {key}: [first, second]")
        return tuple(value)

    def list(self, key: str) -> tuple["Fields", ...]:
        """A list of mappings; empty when absent."""
        value = self.values.get(key, ())
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise wrong(self.path(key), "It must be a list", next_step=f"Write each entry of {key} under a dash")
        return tuple(Fields.of(f"{self.path(key)}[{i}]", v) for i, v in enumerate(value))

    def custom(self, names: Iterable[str]) -> "Fields":
        """The custom properties, by name.

        Those of other tools are passed over; a name that only just misses one of `names` is refused.
        """
        found: dict[str, Any] = {}
        allowed = sorted(names)
        for entry in self.list("customProperties"):
            entry.known(("property", "value", "description", "id"))
            name = entry.text("property")
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.8)
                if near:
                    raise wrong(entry.path("property"), "It is not known, but nearly", next_step=f"Write {near[0]}")
            found[name] = entry.values.get("value")
        return Fields(self.path("customProperties"), found)
