"""The matching service for single records: an index held open, on the loading side; nothing is written.

with open_loading(places, settings) as site:
    matcher = open_index(site, settings, index="demographic")
    answer = matcher.match({"given_name": "…", "family_name": "…", "date_of_birth": "…", "postcode": "…"})
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from integrated_data.control import indexes
from integrated_data.engine import Engine
from integrated_data.index.matched import MatchedIndex, model_name
from integrated_data.index.matching.model import Model, assumed
from integrated_data.index.reference.finder import open_finder
from integrated_data.index.reference.registers import RegisterIndex
from integrated_data.index.single import Answering, Matcher, Weighing, open_matcher
from integrated_data.index.store import Version, open_version
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import IndexRefusal
from integrated_data.site.loading import LoadingSite, open_engine
from integrated_data.site.settings import Settings


@contextmanager
def open_index(
    site: LoadingSite, settings: Settings, *, index: str, version: int | None = None, dataset: str | None = None
) -> Iterator[Answering]:
    """Hold a version of an index open (the newest, unless told) for one record after another.

    `dataset`: whose stored model decides, for records with the columns it was trained on. Otherwise the
    model that the index judges its own newest source by decides, or the weights its definition assumes; every
    answer says which. Businesses and addresses are weighed as their index assumes. Refuses an index that holds
    nothing, and one of codes or areas.
    """
    seat = site.seats.of(index)
    if not isinstance(seat, MatchedIndex | RegisterIndex):
        raise IndexRefusal(
            f"The {index} index is not held open for single records here",
            why="It is a list of codes or areas, which name themselves",
            next_step=f"Match a file of one row: ids match {index} FILE",
        )
    with site.store.read() as connection:
        found = indexes.get(connection, index, version=version)
    folder = version_folder(site.places.indexes, index, version=found.version)
    models = site.places.indexes / index / "models" / dataset if dataset else None
    alone = replace(settings, threads=1)
    engine = open_engine(alone, site.places, sealer=site.sealer, parquet_key=site.vault.parquet_key())
    try:
        if isinstance(seat, RegisterIndex):
            yield open_finder(engine, seat.alike, folder=folder)
        else:
            yield _trained(engine, open_version(seat.matching, folder), models=models)
    finally:
        engine.close()


def _trained(engine: Engine, opened: Version, *, models: Path | None) -> Matcher:
    return open_matcher(engine, opened, weighing=partial(_of_columns, version=opened, models=models), work="held")


def weighing_of(version: Version) -> Callable[[frozenset[str]], Weighing]:
    """Which model a version decides with by itself, for records with some columns."""
    return partial(_of_columns, version=version, models=None)


def _of_columns(columns: frozenset[str], *, version: Version, models: Path | None) -> Weighing:
    return _weighing(version, models, columns=columns)


def _weighing(version: Version, models: Path | None, *, columns: frozenset[str]) -> Weighing:
    definition, basis = version.definition, version.basis()
    place = models / model_name(definition, columns | {"record_id"}) if models else None
    if place is not None and place.exists():
        return Weighing(Model.from_json(place.read_text("utf-8")), "the dataset's stored model")
    kept = basis.model(len(basis.sources) - 1, definition)
    if kept.origin == "trained":
        return Weighing(kept, "the model kept with the index version, trained on its newest source")
    return Weighing(assumed(definition), "assumed by the index's definition: nothing was trained")
