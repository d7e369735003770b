"""What a stage works with: the workshop handed in by the wiring, the load, and what a stage leaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from integrated_data.acquire.prepare import Foreign
from integrated_data.control.store import Change, Store
from integrated_data.engine import Engine, Sealer
from integrated_data.index.matching.train import Trainer
from integrated_data.index.registry import Seats
from integrated_data.lake import Lake
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import Completes, Delivery, Promised

Facts = dict[str, Any]


class Folders(Protocol):
    """Where the loading side keeps things (see `site.places.Places`)."""

    @property
    def landed(self) -> Path:
        """Deliveries as they came, sealed."""
        ...

    @property
    def deliveries(self) -> Path:
        """Checked rows, quarantine and links, by delivery."""
        ...

    @property
    def indexes(self) -> Path:
        """Index versions."""
        ...

    @property
    def scratch(self) -> Path:
        """Work in progress."""
        ...


class Rulings(Protocol):
    """What people decided about links, opened."""

    def __call__(self, *, index: str) -> pa.Table:
        """Decisions on an index, as index code takes them (see `index.decisions`); identified values."""
        ...


@dataclass(frozen=True)
class Workshop:
    """What the wiring hands to every stage. `linker` trains match models (see `index`); `rulings` gives what
    people decided about an index (see `index.decisions`); `seats` are the installation's indexes; `foreign` reads
    workbooks and files of statistical packages."""

    places: Folders
    store: Store
    engine: Engine
    sealer: Sealer
    lake: Lake
    linker: Trainer
    actor: str
    rulings: Rulings
    seats: Seats
    foreign: Foreign


@dataclass(frozen=True)
class Feed:
    """That a delivery is a reference source: the index it feeds, and the column that numbers its records."""

    index: str
    id_column: str | None = None


@dataclass(frozen=True)
class Handed:
    """What came with the files of a delivery: the contract, if any, what a manifest promises of the files, and which
    delivery they complete."""

    contract: Contract | None = None
    manifest: tuple[Promised, ...] = ()
    completes: Completes | None = None


@dataclass(frozen=True)
class Load:
    """One delivery on its way.

    `given`: the contract it came with, if any; `feed`: set for a reference source; `done`: facts of
    the finished stages, by stage name; `completes`: set where it completes an earlier delivery. `vouched`: a manifest
    says that its files are whole.
    """

    delivery: Delivery
    given: Contract | None = None
    feed: Feed | None = None
    done: Mapping[str, Facts] = field(default_factory=dict)
    completes: Completes | None = None
    vouched: bool = False

    @property
    def job(self) -> str:
        """The job that runs this load."""
        return f"load/{self.delivery.id}"


@dataclass(frozen=True)
class Done:
    """What a stage leaves: facts, what it read and made (for lineage), and what to write with them.

    `ends` stops the journey here: the reason, for a delivery that is held or rejected. `entry`: the catalogue entry
    of what was published.
    """

    facts: Facts
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    write: Callable[[Change], None] | None = None
    ends: str | None = None
    entry: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One stage: its name and its work."""

    name: str
    run: Callable[[Workshop, Load], Done]
