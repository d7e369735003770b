"""Synthetic twins of published tables, as anybody who is signed in may query them.

They are asked about under the name of a project that is none, `twins`: the same doors, gate and worker, and no
decision, for nothing in them is about anybody. Every answer says that it is synthetic, and nothing of it
can be asked to leave as a result.

    twins/<dataset>.json      what it is       <dataset>.parquet   its rows
          <dataset>.counts.json                all that it was made from
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from integrated_data.access.gate import Gate, Objection, shown
from integrated_data.access.views import View, lower
from integrated_data.control import freezes
from integrated_data.control.store import Store
from integrated_data.model.errors import AgreementRefusal, QueryRefusal
from integrated_data.model.twins import LABEL, TWINS

#: Name of the label among the metadata of a result's schema.
MARK = b"ids.synthetic"


@dataclass(frozen=True)
class Twins:
    """The twins under one folder."""

    folder: Path

    def facts(self) -> list[dict[str, Any]]:
        """What each twin is: dataset, release, rows, columns, keys, when it was made; by dataset."""
        places = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        return [json.loads(p.read_text(encoding="utf-8")) for p in places if not p.name.endswith(".counts.json")]

    def told(self, dataset: str) -> dict[str, Any] | None:
        """What the catalogue says of a dataset's twin; None where there is none."""
        place = self.folder / f"{dataset}.json"
        if not place.is_file():
            return None
        found = json.loads(place.read_text(encoding="utf-8"))
        return {"what": LABEL, "project": TWINS, **{k: found[k] for k in ("release", "rows", "minimum", "at")}}

    def views(self) -> Mapping[str, View]:
        """The twins as a query may name them, by lower-case name."""
        made = (
            View(f["dataset"], f["dataset"], tuple(f["columns"]), tuple(f["keys"]), str(self.folder / f["file"]))
            for f in self.facts()
        )
        return MappingProxyType({lower(view.name): view for view in made})

    def delete(self, dataset: str) -> None:
        """Delete a twin, its counts with it."""
        for place in (self.folder / f"{dataset}.json", self.folder / f"{dataset}.counts.json"):
            place.unlink(missing_ok=True)
        for place in self.folder.glob(f"{dataset}-*.parquet"):
            place.unlink(missing_ok=True)

    def open_to(self, store: Store, person: str) -> Mapping[str, View]:
        """The twins that a person may name now: none while they are frozen, none of a frozen dataset."""
        with store.read() as connection:
            frozen = freezes.against(connection, people=[person])
            if frozen is not None:
                raise AgreementRefusal(frozen.told, next_step=frozen.change)
            if not freezes.standing(connection):
                return self.views()
            every = self.views().items()
            return {n: v for n, v in every if freezes.against(connection, datasets=[v.dataset]) is None}


def objection(found: Objection, views: Mapping[str, View]) -> QueryRefusal:
    """Why a query over twins may not run; a table that is asked for and is no twin is told as such."""
    if found.gate is not Gate.TABLE:
        return found.refusal()
    return QueryRefusal(
        f"There is no synthetic twin {shown(found.named)}",
        why="No dataset of that name is published, or it is frozen, or its twin was not made",
        next_step=f"Those that there are: {', '.join(v.name for v in views.values()) or 'none'}",
    )


def labelled(table: pa.Table) -> pa.Table:
    """A result over twins, which says so."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: LABEL.encode()})


def is_synthetic(table: pa.Table) -> bool:
    """Whether a result is over twins."""
    return MARK in (table.schema.metadata or {})
