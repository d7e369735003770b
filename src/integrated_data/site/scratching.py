"""Scratch tables of an installation: who may see them, and what takes them away."""

from typing import Any

from integrated_data.access.shelf import Shelf
from integrated_data.control import grants
from integrated_data.control.store import Store
from integrated_data.model.event import Event
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings


def shelf_of(places: Places, settings: Settings) -> Shelf:
    """The shelf of scratch tables, with the quota and the days that are set."""
    return Shelf(places.projects, settings.scratch, settings.scratch_days)


def sweep(places: Places, store: Store, *, by: str) -> list[dict[str, Any]]:
    """Delete scratch tables that are past their day, or that rest on copies which are no longer opened.

    Such a table can be read by nobody already; this takes its rows away. Returns project and table of each.
    """
    shelf, swept = Shelf(places.projects), []
    for project in shelf.having():
        with store.read() as connection:
            held = {g.view.lower(): g.place for g in grants.active(connection, project=project)}
        gone = shelf.sweep(project, at=store.now(), held=held)
        if gone:
            store.record(Event("scratch.swept", by, f"project/{project}", {"scratch": list(gone)}))
        swept += [{"project": project, "table": name} for name in gone]
    return swept
