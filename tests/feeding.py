"""A service with feeds for tests: files dropped at chosen moments, looks at chosen moments."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.feeds.definition import read
from integrated_data.control import feeds, releases
from integrated_data.control.store import Store
from integrated_data.engine import Stored
from integrated_data.model.contract import Column, Contract, Format, Layout, Mode
from integrated_data.model.feed import FeedDefinition
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.site.feeding import keeping
from integrated_data.site.feeding.looking import Feeder
from integrated_data.site.loading import LoadingSite, open_loading
from tests.service import SETTINGS, Service

FLOWS = {
    "day": (Kind.DATE, Meaning.EVENT_DATE), "origin": (Kind.STRING, Meaning.CODE),
    "trips": (Kind.INTEGER, Meaning.COUNT),
}  # fmt: skip


def contract(dataset: str = "flows", mode: Mode = Mode.APPEND) -> Contract:
    columns = tuple(Column(n, n, kind, meaning, handling_of(meaning)) for n, (kind, meaning) in FLOWS.items())
    return Contract(dataset, "Department", Layout(Format.CSV), columns, mode=mode)


def flows(day: str, *trips: int) -> bytes:
    """A day's file: one row an origin."""
    return "".join(["day,origin,trips\n", *(f"{day},A{i},{n}\n" for i, n in enumerate(trips))]).encode()


class Fed(Service):
    """An installation with one feed, whose clock stands where it is put."""

    def __init__(self, folder: Path, definition: str, given: Contract) -> None:
        super().__init__(folder)
        self.now, self.drop = datetime(2024, 3, 1, tzinfo=UTC), folder / "drop"
        self.drop.mkdir()
        self.definition = replace(read(definition.replace("DROP", str(self.drop))), contract=contracts.dump(given))
        with self.opened() as site:
            self.store = site.store
            feeds.put(self.store, self.definition, by="tester")
        self.feeder = Feeder(self.places, self.store, self.opened, "tester")

    @contextmanager
    def opened(self) -> Iterator[LoadingSite]:
        with open_loading(self.places, SETTINGS) as site:
            yield replace(site, store=Store(site.store.engine, clock=lambda: self.now))

    def drops(self, name: str, data: bytes, *, at: str) -> Path:
        """Let a file be dropped at a moment."""
        place = self.drop / name
        place.write_bytes(data)
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
        os.utime(place, (moment, moment))
        return place

    def look(self, at: str) -> list[tuple[str, str]]:
        """One look at a moment: period and state of each file it took."""
        self.now = datetime.fromisoformat(at).replace(tzinfo=UTC)
        with self.store.read() as connection:
            looked = self.feeder.look(feeds.get(connection, self.definition.id))
        return [(row["period"], row["state"]) for row in looked["files"]] or [("", looked["state"])]

    def alerts(self) -> list[tuple[str, str]]:
        """Kind and period of the open alerts."""
        told = keeping.details(self.store, self.definition.id, by="tester")["open_alerts"]
        return sorted((a["kind"], a["period"]) for a in told)

    def table(self, columns: str, order: str) -> list[dict[str, Any]]:
        """What is published now."""
        with self.opened() as site, site.store.read() as connection:
            release = releases.get(connection, self.definition.dataset)
            site.engine.load("t", Stored(site.lake.files(release.dataset, release.snapshot), sealed=False))
            rows = site.engine.rows(f"SELECT {columns} FROM t ORDER BY {order}").to_pylist()
        assert release.rows == len(rows)
        return rows


def changed(definition: FeedDefinition, **values: Any) -> FeedDefinition:
    return replace(definition, **values)
