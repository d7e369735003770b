"""An index whose records are matched by a trained model (`index/matching`), in its seat."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine, Stored
from integrated_data.index import life
from integrated_data.index.best import Trust, trust_of
from integrated_data.index.build import Source, add_source
from integrated_data.index.link import Request, match
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model
from integrated_data.index.past import TIMES, Laid, Remembering
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.index.store import open_version
from integrated_data.model.linkage import IndexDefinition
from integrated_data.vocabulary.sql import name, names


@dataclass(frozen=True)
class MatchedIndex(Remembering):
    """See `index.seat.Seat`. Models are kept per dataset and set of columns, and named by their hash.

    A model that was kept before it was known how far each source of the index can be relied on, or how often
    strangers resemble a record, judges without; the first delivery that shows it tells it, and it is kept so
    (`told_now` in the report).
    """

    matching: MatchDefinition

    @property
    def definition(self) -> IndexDefinition:
        """Name, title, key and attributes."""
        return self.matching.index

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """See `Seat.add`."""
        before = open_version(self.matching, previous) if previous else None
        source = Source(
            addition.source, addition.records, addition.recorded_at, addition.one_to_one, addition.decisions,
            basis=open_version(self.matching, addition.beside) if addition.beside else None,
            settled=addition.settled, status=addition.status, met=addition.met,
            numbered=addition.numbered,
        )  # fmt: skip
        _, report = add_source(
            tools.engine, tools.trainer, definition=self.matching, previous=before, source=source, folder=folder
        )
        return report.to_dict()

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`."""
        version = open_version(self.matching, folder)
        place = _model_place(tools.engine, matching, definition=self.matching)
        kept = Model.from_json(place.read_text()) if place is not None and place.exists() else None
        if matching.residual and kept is None:
            basis = version.basis()
            kept = basis.model(len(basis.sources) - 1, self.matching)
        request = Request(
            matching.records, matching.out, matching.one_to_one, model=kept, explain=matching.explain,
            telling=matching.telling, without=matching.without, learns=not matching.residual,
        )  # fmt: skip
        report = match(tools.engine, tools.trainer, version=version, request=request)
        told_now = kept is not None and report.model is not None and _knows_more(report.model, kept)
        if place is not None and report.model is not None and (kept is None or told_now):
            _keep(place, report.model)
        named = hashlib.sha256(report.model.to_json().encode()).hexdigest()[:12] if report.model else None
        return report.to_dict() | {
            "model": named,
            "trained_now": kept is None,
            "told_now": told_now,
            "explained": matching.explain is not None,
        }

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:  # noqa: ARG002 - the seat's shape
        """See `Seat.published`: keys alone."""
        return ()

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.members`."""
        version = open_version(self.matching, folder)
        version.load(engine, f"{relation}_of")
        engine.create(
            relation,
            f"SELECT r.source, r.record_id::VARCHAR AS record_id, e.entity_id FROM {name(f'{relation}_of_records')} r "
            f"JOIN {name(f'{relation}_of_entities')} e ON e.entity = r.entity",
        )
        version.unload(engine, f"{relation}_of")

    def trust(self, folder: Path) -> Trust:
        """See `Remembering.trust`: what the version learnt of its sources."""
        return trust_of(self.matching, open_version(self.matching, folder).basis())

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """See `Seat.laid`."""
        version = open_version(self.matching, folder)
        files = ("entities", "records", "attributes")
        for file in files:
            engine.load(f"{prefix}_of_{file}", Stored((folder / f"{file}.parquet",)))
        held = engine.columns(f"{prefix}_of_attributes")  # an older version may hold fewer
        attributes = tuple(str(m) for m in self.definition.attributes if m in held)
        ids = f"JOIN {name(f'{prefix}_of_entities')} AS e ON e.entity = o.entity"
        told = names(("source", "record_id", *attributes, *TIMES))
        selects = {
            "entities": f"SELECT entity_id, status, source, recorded_from FROM {name(f'{prefix}_of_entities')}",
            "records": f"SELECT o.source, o.record_id::VARCHAR AS record_id, e.entity_id FROM "
            f"{name(f'{prefix}_of_records')} AS o {ids}",
            "attributes": f"SELECT entity_id, {told} FROM (SELECT e.entity_id, o.* EXCLUDE (entity) FROM "
            f"{name(f'{prefix}_of_attributes')} AS o {ids})",
        }
        for relation, select in selects.items():
            engine.view(f"{prefix}_{relation}", select)
        life.load(engine, folder, relation=f"{prefix}_events")
        return Laid(prefix, attributes, version.about.moments, tuple(f"of_{file}" for file in files))


def _model_place(engine: Engine, matching: Matching, *, definition: MatchDefinition) -> Path | None:
    """Where the model is kept for these columns and this definition: weights of others do not apply."""
    if matching.models is None:
        return None
    return matching.models / model_name(definition, engine.columns(matching.records))


def model_name(definition: MatchDefinition, columns: Iterable[str]) -> str:
    """Name of the file of a model for records with those columns (`record_id` too) and that definition."""
    about = ",".join([*sorted(columns), repr(definition)])
    return f"{hashlib.sha256(about.encode()).hexdigest()[:12]}.json"


def _knows_more(model: Model, kept: Model) -> bool:
    """Whether a delivery told a kept model of its sources, or of strangers."""
    return (bool(model.told) and not kept.told) or (model.strangers is not None and kept.strangers is None)


def _keep(place: Path, model: Model) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    part.write_text(model.to_json())
    part.replace(place)
