"""A batch whose loading processes are small real things: what one of them says of a delivery decides what follows."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integrated_data.control import jobs
from integrated_data.control.store import Store
from integrated_data.site.batching.plan import BUSY, Item
from integrated_data.site.batching.run import SETTLED, Batch

GOOD = {"state": "published", "reason": ""}
KEPT = {"state": BUSY, "reason": "Job load/d1 is being run by another process."}


@dataclass
class Told:
    """A loading process that says what it was told to, in order; the last again and again."""

    answers: list[dict[str, Any]]
    loaded: list[str] = field(default_factory=list)

    def start(self) -> "Told":
        return self

    def load(self, item: Item) -> dict[str, Any]:
        self.loaded.append(item.dataset)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self) -> None:
        pass

    end = close


@dataclass(frozen=True)
class Home:
    home: Path


@dataclass(frozen=True)
class Site:
    store: Store
    places: Home
    actor: str = "tester"


def _worked(store: Store, folder: Path, *, told: Told, patience: float) -> Batch:
    jobs.take(store, "batch/1", kind="batch", subject="batch/1", actor="tester")
    batch = Batch(Site(store, Home(folder)), told, "batch/1", 2, lambda _: None, patience=patience)  # type: ignore[arg-type]
    for dataset in ("rents", "wages"):
        batch.waiting.put(Item(dataset, ()))
    batch.work()
    return batch


def test_what_another_process_loads_is_put_off_and_tried_again(store: Store, tmp_path: Path) -> None:
    told = Told([KEPT, GOOD])
    batch = _worked(store, tmp_path, told=told, patience=60)
    assert told.loaded == ["rents", "wages", "rents"]
    assert {name: t["state"] for name, t in batch.told.items()} == {"rents": "published", "wages": "published"}


@pytest.mark.parametrize("state", [BUSY, "refused"])
def test_only_what_is_refused_is_settled(store: Store, tmp_path: Path, state: str) -> None:
    batch = _worked(store, tmp_path, told=Told([{"state": state, "reason": "why."}]), patience=0)
    assert {t["state"] for t in batch.told.values()} == {state}
    assert (state in SETTLED) == (state == "refused")
