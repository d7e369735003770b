"""Metadata against a LinkML schema: what a document breaks, in a sentence each.

Reads the part of LinkML 1 that metadata models of DCAT use (classes with one parent, slots, `slot_usage`, enumerations,
`any_of`, patterns, type designators, imports beside the file), with the meaning of LinkML's own JSON Schema
generator: classes are closed, a `uriorcurie` is text without blanks, patterns are searched for. A schema that asks for
more is refused, never read in part.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from integrated_data.model.errors import UsageRefusal
from integrated_data.vocabulary.nested import load_yaml

Body = Mapping[str, Any]

#: The safe loader in C where the library has it: lists of organisations have ten thousand lines.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: What is looked at, and what of LinkML is not.
CHECKED = "fields, whether they must be there or may be several, types, enumerations, patterns and ranges"
UNCHECKED = "whether identifiers are unique, prefixes known, and addresses lead somewhere"

#: What a class or a slot may say that changes what is valid, and that is read here.
_CLASS = frozenset({"is_a", "abstract", "slots", "slot_usage", "class_uri"})
_SLOT = frozenset({"range", "required", "multivalued", "pattern", "minimum_value", "maximum_value", "any_of",
                   "identifier", "designates_type", "slot_uri"})  # fmt: skip
_CHOICE = frozenset({"range", "pattern", "minimum_value", "maximum_value"})
_ENUM = frozenset({"permissible_values", "enum_uri"})
#: What is for people, and changes nothing.
_SAID = frozenset({"description", "comments", "todos", "examples", "see_also", "recommended", "aliases", "title",
                   "notes", "deprecated", "in_subset", "rank", "annotations", "exact_mappings",
                   "close_mappings"})  # fmt: skip


def _day(value: Any) -> bool:
    try:
        return (isinstance(value, date) and not isinstance(value, datetime)) or bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _address(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", value) is not None


#: Types of `linkml:types`, and which values are of them.
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "date": _day,
    "uri": _address,
    "uriorcurie": lambda v: isinstance(v, str) and re.fullmatch(r"\S+", v) is not None,
}


@dataclass(frozen=True)
class Schema:
    """A LinkML schema with what it imports."""

    classes: Mapping[str, Body]
    slots: Mapping[str, Body]
    enums: Mapping[str, Body]
    prefixes: Mapping[str, str]
    home: str
    text: str

    def class_of(self, name: str) -> dict[str, Body]:
        """The slots of a class, its parents' among them, each as it is used there."""
        body = self.classes[name]
        slots = self.class_of(body["is_a"]) if "is_a" in body else {}
        slots |= {slot: self.slots[slot] for slot in body.get("slots", ())}
        for slot, used in (body.get("slot_usage") or {}).items():
            slots[slot] = {**slots[slot], **used}
        return slots

    def names_of(self, name: str) -> tuple[str, ...]:
        """What a type designator may say for a class: its CURIE, and that written out."""
        curie = self.classes[name].get("class_uri", f"{self.home}:{name}")
        prefix, _, rest = curie.partition(":")
        return (curie, self.prefixes.get(prefix, f"{prefix}:") + rest)

    def class_for(self, instance: Body) -> str | None:
        """The class that an instance says it is of, by its designator or by the class's bare name."""
        for name, body in self.classes.items():
            designator = [s for s, b in self.class_of(name).items() if b.get("designates_type")]
            told = instance.get(designator[0]) if designator else None
            if not body.get("abstract") and told in (*self.names_of(name), name):
                return name
        return None

    def problems(self, instance: object, *, of: str | None = None) -> list[str]:
        """What an instance breaks, by the place in it; empty when it is valid. `of`: its class, where it is known."""
        if not isinstance(instance, Mapping):
            return ["the document is not one resource"]
        name = of or self.class_for(instance)
        if name is None:
            return ["type: names no class of the schema"]
        return list(self._class(instance, name, at=""))

    def _class(self, instance: Body, name: str, *, at: str) -> Iterator[str]:
        slots = self.class_of(name)
        for unknown in sorted(map(str, set(instance) - set(slots))):
            yield f"{at}{unknown}: {name} has no such field"
        for slot, body in slots.items():
            value = instance.get(slot)
            if value in (None, [], ""):
                if body.get("required") or body.get("identifier"):
                    yield f"{at}{slot}: is missing"
            elif body.get("multivalued") != isinstance(value, list) and (
                body.get("multivalued") or type(value) is list
            ):
                yield f"{at}{slot}: must {'' if body.get('multivalued') else 'not '}be a list"
            elif body.get("designates_type") and value not in self.names_of(name):
                yield f"{at}{slot}: is not {' or '.join(self.names_of(name))}"
            else:
                for one in value if isinstance(value, list) else [value]:
                    yield from self._value(one, body, at=f"{at}{slot}")

    def _value(self, value: Any, body: Body, *, at: str) -> Iterator[str]:
        choices = body.get("any_of")
        if choices:
            if all(list(self._value(value, choice, at=at)) for choice in choices):
                yield f"{at}: is nothing that it may be"
            return
        kind = body.get("range", self.text)
        if kind in self.classes:
            if isinstance(value, Mapping):
                yield from self._class(value, kind, at=f"{at}.")
            else:
                yield f"{at}: must be a {kind}"
        elif kind in self.enums:
            if not isinstance(value, str) or value not in self.enums[kind]["permissible_values"]:
                yield f"{at}: is not one of {kind}"
        elif not TYPES[kind](value):
            yield f"{at}: is no {kind}"
        elif "pattern" in body and not re.search(body["pattern"], str(value)):
            yield f"{at}: is not written as it must be"
        elif not body.get("minimum_value", value) <= value <= body.get("maximum_value", value):
            yield f"{at}: is too small or too large"


def read(place: Path) -> Schema:
    """A schema and the files it imports, which lie beside it; refuses what is none, or asks for what is not read."""
    parts = list(_files(place, set()))
    whole = parts[0]
    merged: dict[str, dict[str, Any]] = {"classes": {}, "slots": {}, "enums": {}}
    for part in parts:
        for kind, held in merged.items():
            held |= {name: body or {} for name, body in (part.get(kind) or {}).items()}
    made = Schema(**merged, prefixes=whole.get("prefixes", {}), home=whole.get("default_prefix", ""),
                  text=whole.get("default_range", "string"))  # fmt: skip
    beyond = sorted(set(_beyond(made)))
    if beyond:
        raise UsageRefusal(
            f"The schema asks for what is not read here: {', '.join(beyond)}",
            next_step="Validate with LinkML's own linkml-validate",
        )
    return made


def _files(place: Path, seen: set[str]) -> Iterator[dict[str, Any]]:
    try:
        body = load_yaml(place.read_text(encoding="utf-8"), loader=_LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        body = None
    if not isinstance(body, dict) or not {"classes", "enums", "slots"} & set(body):
        raise UsageRefusal(f"{place.name} is no LinkML schema", next_step="Give the schema's YAML file")
    yield body
    for name in body.get("imports", ()):
        if name != "linkml:types" and name not in seen:
            seen.add(name)
            yield from _files(place.parent / f"{name}.yaml", seen)


def _beyond(schema: Schema) -> Iterator[str]:
    for body in schema.classes.values():
        yield from set(body) - _CLASS - _SAID
        yield from (s for s in body.get("slots", ()) if s not in schema.slots)
        yield from (c for c in [body.get("is_a")] if c and c not in schema.classes)
    used = [b for c in schema.classes.values() for b in (c.get("slot_usage") or {}).values()]
    for body in (*schema.slots.values(), *used):
        yield from set(body) - _SLOT - _SAID
        choices = body.get("any_of", ())
        yield from ({"any_of beside " + each for each in _CHOICE - {"range"} & set(body)} if choices else ())
        for choice in choices:
            yield from set(choice) - _CHOICE - _SAID
        for choice in (body, *choices):
            kind = choice.get("range", schema.text)
            if not any(kind in known for known in (TYPES, schema.classes, schema.enums)):
                yield str(kind)
    for enum, body in schema.enums.items():
        yield from set(body) - _ENUM - _SAID
        yield from [] if body.get("permissible_values") else [enum]
