"""The loading process: the side of the wall that sees identifiers and holds the keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from integrated_data.control.store import Store
from integrated_data.engine import Engine
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from integrated_data.index.matching.train import Trainer
from integrated_data.index.registry import SEATS, Seats
from integrated_data.journey import branching
from integrated_data.journey.workshop import Workshop
from integrated_data.lake import Lake
from integrated_data.site import foreign, locking
from integrated_data.site.cluster_tasks import loads_on
from integrated_data.site.defining import read_definitions
from integrated_data.site.object_lake import keeping
from integrated_data.site.places import Places, open_store
from integrated_data.site.rulings import rulings
from integrated_data.site.settings import Settings
from integrated_data.site.splink_training import SplinkTrainer
from integrated_data.vault import Vault


@dataclass(frozen=True)
class LoadingSite:
    """Everything the loading side works with. `loads`: the engine of its journeys, `engine` or a cluster behind it."""

    places: Places
    store: Store
    engine: DuckDB
    loads: Engine
    sealer: FileSealer
    lake: Lake
    vault: Vault
    linker: Trainer
    actor: str
    seats: Seats

    @property
    def workshop(self) -> Workshop:
        """What the stages of a journey work with."""
        decided = partial(rulings, self.vault, self.store)
        return Workshop(
            self.places, self.store, self.loads, self.sealer, self.lake, self.linker, self.actor, decided, self.seats,
            foreign,
        )  # fmt: skip


@contextmanager
def open_loading(
    places: Places, settings: Settings, *, alone: bool = False, restoring: bool = False
) -> Iterator[LoadingSite]:
    """Open the loading side of an installation; closes the engine at the end.

    `alone`: while no load runs, and none begins, to change what was written. `restoring`: to bring a restored copy
    up to what was erased since.
    """
    places.check(restoring=restoring)
    vault = Vault(places.keyring)
    vault.check_settled()
    sealer = FileSealer(vault.derive("landed"))
    with locking.held(places, alone=alone):
        engine = open_engine(settings, places, sealer=sealer, parquet_key=vault.parquet_key())
        try:
            seats = SEATS.joined_by(read_definitions(places))
            store, trainer = open_store(places), SplinkTrainer(limits_of(settings, places))
            lake, actor = Lake(places.lake, keeping.opened(places)), settings.actor
            with loads_on(engine, settings, places=places) as loads:
                site = LoadingSite(places, store, engine, loads, sealer, lake, vault, trainer, actor, seats)
                if not restoring:
                    branching.make_up(site.workshop)
                yield site
        finally:
            engine.close()


def open_engine(settings: Settings, places: Places, *, sealer: FileSealer, parquet_key: str) -> DuckDB:
    """An engine for the identified zone; it spills, encrypted, to the scratch folder."""
    return DuckDB(limits_of(settings, places), sealer=sealer, parquet_key=parquet_key)


def limits_of(settings: Settings, places: Places) -> Limits:
    """What one engine of the loading side may use."""
    return Limits(threads=settings.threads, memory=settings.memory, scratch=places.scratch)
