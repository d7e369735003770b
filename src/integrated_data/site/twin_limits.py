"""Synthetic twins whose counts are about fewer people than agreements ask for now: they go."""

from collections.abc import Collection

from integrated_data.access.twins import Twins
from integrated_data.control import releases
from integrated_data.control.store import Store
from integrated_data.model.event import Event
from integrated_data.output.limits import held_to
from integrated_data.site.places import Places


def withdraw_looser(places: Places, store: Store, *, by: str, of: Collection[str] | None = None) -> list[str]:
    """Delete the twins that are looser than the agreements on their datasets, or on what those derive from, are now.

    `of`: datasets whose agreements changed (None: any). Returns whose twins went; publishing makes them anew.
    """
    twins, gone = Twins(places.twins), []
    with store.read() as connection:
        touched = None if of is None else releases.derived_from(connection, of)
    for facts in twins.facts():
        dataset = str(facts["dataset"])
        if touched is not None and dataset not in touched:
            continue
        if held_to(store, (dataset,)).minimum_people > facts["minimum"]:
            twins.delete(dataset)
            store.record(Event("twin.withdrawn", by, f"dataset/{dataset}", {"minimum": facts["minimum"]}))
            gone.append(dataset)
    return gone
