"""Versions of an index on disk: immutable folders of sealed files in the identified zone.

    about.json          what the version is; holds no personal data
    entities.parquet    entity, entity_id, status, source, recorded_from
    records.parquet     source, record_id, entity, form: which entity each loaded record is
    attributes.parquet  entity, source, record_id, one column per meaning, effective_from,
                        effective_to (when it was true), recorded_from, recorded_to (when we knew)
    former.parquet      source, record_id, entity, form: what records said before
    forms.parquet       form, entity, sources (that say it now), former (none does), print, cleaned
                        fields, tf_<field>; sorted by entity
    keys.parquet        kind, key, entity; sorted
    edges.parquet       low, high, weight: pairs of records that may be one entity (see `entities`)
    decided.parquet     low, high, kind: what people had decided about pairs of records
    frequencies.parquet field, value, share: kept with the basis (see `matching.basis`)
    events.parquet      what became of entities (see `life`)
    basis.json          what the index judges its own records by; holds no personal data

`entity` and `form` are row numbers that hold within one version; `entity_id` is the opaque,
persistent id (63 bits, random, never reused). `print` is a hash over all cleaned fields.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine, Stored
from integrated_data.index.life import Moment
from integrated_data.index.matching import block, prepare
from integrated_data.index.matching.basis import Basis
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import RivalCounts
from integrated_data.model.errors import IndexRefusal
from integrated_data.vocabulary.sql import name

FILES = ("entities", "records", "former", "attributes", "forms", "keys", "edges", "decided")
FREQUENCIES, BASIS = "frequencies.parquet", "basis.json"
FORMAT = 2


@dataclass(frozen=True)
class About:
    """What a version is. `probe`: what the engine's hash made of a known value (see `block`)."""

    index: str
    entities: int
    forms: int
    sources: Mapping[str, int]  # records by source
    probe: int
    rivals: RivalCounts | None = None
    moments: tuple[Moment, ...] = ()
    format: int = FORMAT

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> "About":
        """From JSON text."""
        body: dict[str, Any] = json.loads(text)
        rivals = body.pop("rivals")
        counts = rivals and RivalCounts(rivals["per_entity"], {k: tuple(v) for k, v in rivals["levels"].items()})
        moments = tuple(Moment(**m) for m in body.pop("moments", ()))
        return About(**body, rivals=counts or None, moments=moments)


@dataclass(frozen=True)
class Version:
    """An index version that can be read: its definition, its folder, and what it is."""

    definition: MatchDefinition
    folder: Path
    about: About = field(compare=False)

    def basis(self) -> Basis:
        """What the index judges its own records by."""
        return Basis.from_json((self.folder / BASIS).read_text("utf-8"))

    def frequencies(self) -> Stored:
        """How common values were when the basis was last counted."""
        return Stored((self.folder / FREQUENCIES,))

    def load(self, engine: Engine, prefix: str, *, without: str | None = None) -> None:
        """Make views `<prefix>_<file>` of the version's files.

        Keys made by another release of the engine are made again, in memory. `without`: relation of
        `entity_id`s that are not to be found: they have no forms and no keys.
        """
        for file in FILES:
            engine.load(f"{prefix}_{file}", Stored((self.folder / f"{file}.parquet",)))
        self._fill_in(engine, prefix)
        if probe(engine) != self.about.probe:
            self._hash_again(engine, prefix)
        if without is not None:
            self._leave_out(engine, prefix, without=without)

    def _fill_in(self, engine: Engine, prefix: str) -> None:
        """What the index keeps of an entity now and did not when the version was made is empty in it."""
        relation = f"{prefix}_attributes"
        held = engine.columns(relation)
        lacking = [str(m) for m in self.definition.index.attributes if m not in held]
        if lacking:
            engine.load(f"{relation}_held", Stored((self.folder / "attributes.parquet",)))
            empty = "".join(f", NULL::VARCHAR AS {name(m)}" for m in lacking)
            engine.view(relation, f"SELECT *{empty} FROM {name(f'{relation}_held')}")

    def _hash_again(self, engine: Engine, prefix: str) -> None:
        forms, keys = f"{prefix}_forms", f"{prefix}_keys"
        block.store_keys(engine, self.definition, forms=forms, out=keys)
        engine.create(
            f"{prefix}_reprinted",
            f"SELECT * REPLACE ({prepare.print_sql(self.definition)} AS print) FROM {name(forms)}",
        )
        engine.view(forms, f"SELECT * FROM {name(f'{prefix}_reprinted')}")

    def _leave_out(self, engine: Engine, prefix: str, *, without: str) -> None:
        kept = f"SELECT entity FROM {name(f'{prefix}_entities')} e ANTI JOIN {name(without)} w USING (entity_id)"
        for file in ("forms", "keys"):
            left = f"SELECT f.* FROM {name(f'{prefix}_{file}')} f SEMI JOIN ({kept}) k USING (entity)"
            engine.create(f"{prefix}_{file}_left", left)
            engine.view(f"{prefix}_{file}", f"SELECT * FROM {name(f'{prefix}_{file}_left')}")

    def unload(self, engine: Engine, prefix: str) -> None:
        """Drop what `load` made."""
        made = [f"{prefix}_{f}" for f in (*FILES, "reprinted", "forms_left", "keys_left", "attributes_held")]
        engine.drop(*made, *block.key_tables(self.definition, f"{prefix}_keys"))


def open_version(definition: MatchDefinition, folder: Path) -> Version:
    """The index version in `folder`; refuses when there is none, or it is another index's."""
    try:
        about = About.from_json((folder / "about.json").read_text("utf-8"))
    except FileNotFoundError:
        raise IndexRefusal(
            f"A version of the {definition.index.name} index is not there",
            why="Its folder is missing or was never finished",
            next_step="Restore it from a backup, or load its sources again",
        ) from None
    if about.index != definition.index.name or about.format != FORMAT:
        raise IndexRefusal(
            f"A version of the {definition.index.name} index cannot be read",
            why="It belongs to another index or to another release of the service",
            next_step="Load its sources again",
        )
    return Version(definition, folder, about)


def probe(engine: Engine) -> int:
    """What this engine's hash makes of a known value."""
    return int(engine.rows(block.PROBE_SQL).column("answer")[0].as_py())
