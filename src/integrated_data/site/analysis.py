"""The analysis process: the analyst's side of the wall. It holds no identity key and opens no identified file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from integrated_data.access.gateway import Gateway
from integrated_data.access.running import Worker
from integrated_data.access.twins import Twins
from integrated_data.approve.decide import decide
from integrated_data.control.store import Store
from integrated_data.site.agreeing import law_of
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places, open_store, signing_key
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose
from integrated_data.site.scratching import shelf_of
from integrated_data.site.settings import Settings


@dataclass(frozen=True)
class AnalysisSite:
    """Everything the analyst's side works with."""

    places: Places
    store: Store
    gateway: Gateway


@contextmanager
def open_analysis(places: Places, settings: Settings, *, worker: Worker | None = None) -> Iterator[AnalysisSite]:
    """Open the analyst's side of an installation. `worker`: what runs queries instead of sandboxed processes."""
    places.check()
    store = open_store(places)
    parser = DuckDBParser()
    worker = worker or ProcessWorker(choose(production=settings.production), places.projects, places.scratch)
    shelf = shelf_of(places, settings)
    gateway = Gateway(store, law_of(places), decide, parser, worker, signing_key(places), shelf=shelf)
    gateway = replace(gateway, twins=Twins(places.twins))
    try:
        yield AnalysisSite(places, store, gateway)
    finally:
        parser.close()
