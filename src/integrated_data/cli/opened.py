"""Opening an installation for a command, and the options that every command takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from integrated_data.cli.call import acting
from integrated_data.control.store import Store
from integrated_data.model.query import EngineName
from integrated_data.site.acting import as_actor
from integrated_data.site.places import Places, open_store
from integrated_data.site.settings import Settings, from_environment, home_of
from integrated_data.site.signing_heads import sign_head

if TYPE_CHECKING:
    from integrated_data.access.running import Worker
    from integrated_data.site.analysis import AnalysisSite
    from integrated_data.site.loading import LoadingSite
    from integrated_data.site.signing_in import SignIn


def places_of(home: Path | None) -> Places:
    """The folders of the installation a command was pointed at; refuses what is none."""
    places = Places(home_of(from_environment(), home))
    places.check()
    return places


def settings() -> Settings:
    """The settings, under which what is done is done by who acts."""
    return as_actor(from_environment(), acting())


@contextmanager
def opened_store(home: Path | None) -> Iterator[tuple[Places, Store]]:
    """An installation's control store; the audit chain's head is signed when the command is done."""
    places = places_of(home)
    store = open_store(places)
    try:
        yield places, store
    finally:
        sign_head(places, store)


@contextmanager
def opened_sign_in(home: Path | None) -> "Iterator[SignIn]":
    """The sign-in of an installation; the audit chain's head is signed when the command is done."""
    from integrated_data.site.signing_in import open_sign_in

    places = places_of(home)
    door = open_sign_in(places, settings())
    try:
        yield door
    finally:
        sign_head(places, door.store)


@contextmanager
def opened_loading(home: Path | None, *, alone: bool = False, replaying: bool = False) -> "Iterator[LoadingSite]":
    """The loading side of an installation, `alone` where no load may run beside it; the audit chain's head is signed
    when the command is done. Refuses a copy of the data that does not know of somebody who was erased since."""
    from integrated_data.site.arrow_alone import keep_pandas_out
    from integrated_data.site.loading import open_loading
    from integrated_data.site.rights.replaying import check_replayed

    keep_pandas_out()
    places = places_of(home)
    with open_loading(places, settings(), alone=alone) as site:
        try:
            if not replaying:
                check_replayed(site)
            yield site
        finally:
            sign_head(places, site.store)


def _worker(places: Places, settled: Settings, *, engine: EngineName) -> "Worker | None":
    if engine is EngineName.DUCKDB:
        return None
    from integrated_data.site.spark_server import spark_worker

    return spark_worker(settled.spark, places.projects, production=settled.production)


@contextmanager
def opened_analysis(home: Path | None, *, engine: EngineName = EngineName.DUCKDB) -> "Iterator[AnalysisSite]":
    """The analyst's side of an installation; the audit chain's head is signed when the command is done."""
    from integrated_data.site.analysis import open_analysis

    places, settled = places_of(home), settings()
    with open_analysis(places, settled, worker=_worker(places, settled, engine=engine)) as site:
        try:
            yield site
        finally:
            sign_head(places, site.store)
