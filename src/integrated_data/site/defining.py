"""Indexes of an installation's own: described by a file, kept with the installation."""

import hashlib
from pathlib import Path
from typing import Any

from integrated_data.control import indexes
from integrated_data.control.store import Store
from integrated_data.index.matching.configured import definition_of
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.registry import SEATS
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.event import Event
from integrated_data.site.places import Places


def read_definitions(places: Places) -> tuple[MatchDefinition, ...]:
    """The installation's own indexes, by name."""
    return tuple(definition_of(place.read_text("utf-8")) for place in sorted(places.definitions.glob("*.yaml")))


def define_index(places: Places, store: Store, *, file: Path, by: str) -> dict[str, Any]:
    """Check the description of an index and keep it; from then on the index is there.

    Refuses a name or a key that another index has, and another description of an index that holds
    something: its versions were made by the one before.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        step = "Name a text file in UTF-8"
        raise IndexRefusal("The description of the index cannot be read", next_step=step) from None
    definition = definition_of(text)
    index = definition.index
    others = [d.index for d in read_definitions(places) if d.index.name != index.name]
    framework = [seat.definition for seat in SEATS.values()]
    if any(index.name == other.name or index.key == other.key for other in (*framework, *others)):
        raise IndexRefusal(
            f"The index {index.name} cannot be defined",
            why="Another index has its name or its key",
            next_step="Choose another name and another key",
        )
    place = places.definitions / f"{index.name}.yaml"
    with store.read() as connection:
        loaded = indexes.current(connection, index.name)
    if loaded is not None and place.exists() and definition_of(place.read_text("utf-8")) != definition:
        raise IndexRefusal(
            f"The index {index.name} cannot be defined anew",
            why="It holds versions that were made as it was described before",
            next_step="Describe it under another name, and load its sources into that",
        )
    places.definitions.mkdir(mode=0o700, exist_ok=True)
    part = place.with_suffix(".part")
    part.write_text(text, "utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    store.record(Event("index.defined", by, f"index/{index.name}", {"sha256": digest}))
    part.replace(place)
    return {
        "index": index.name, "title": index.title, "key": index.key, "attributes": ", ".join(index.attributes),
        "blocking_keys": len(definition.keys), "comparisons": len(definition.comparisons),
        "provisional_entities": index.provisional, "one_to_one": index.one_to_one,
        "next": f"ids reference load {index.name} FILE --source NAME",
    }  # fmt: skip
