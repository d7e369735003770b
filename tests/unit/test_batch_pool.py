"""A batch whose loading processes are small real things: what one of them says of a delivery decides what follows."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integrated_data.acquire.land import land
from integrated_data.control import jobs
from integrated_data.control.store import Store
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.site.batching.plan import BUSY, ELSEWHERE, Item, Own, items
from integrated_data.site.batching.run import SETTLED, Batch
from tests.delivering import SEALER

GOOD = {"state": "published", "reason": ""}
KEPT = {"state": BUSY, "reason": "Job load/d1 is being run by another process."}


@dataclass
class Told:
    """A loading process that says what it was told to, in order; the last again and again."""

    answers: list[dict[str, Any]]
    loaded: list[str] = field(default_factory=list)
    starts: int = 0

    def start(self) -> "Told":
        self.starts += 1
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


def _worked(
    store: Store, folder: Path, *, told: Told, patience: float = 60, datasets: tuple[str, ...] = ("rents", "wages")
) -> Batch:
    jobs.take(store, "batch/1", kind="batch", subject="batch/1", actor="tester")
    batch = Batch(Site(store, Home(folder)), told, "batch/1", 2, lambda _: None, patience=patience)  # type: ignore[arg-type]
    for dataset in datasets:
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


def test_a_process_is_started_only_where_something_waits(store: Store, tmp_path: Path) -> None:
    idle, busy = Told([GOOD]), Told([GOOD])
    _worked(store, tmp_path, told=idle, datasets=())
    assert idle.starts == 0
    _worked(store, tmp_path, told=busy)
    assert (busy.starts, busy.loaded) == (1, ["rents", "wages"])


def test_what_leads_out_of_the_folder_is_named_and_never_opened(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for place in (outside, folder / "whole", folder / "parts"):
        place.mkdir(parents=True)
    for place in (outside / "secret.csv", folder / "rents.csv", folder / "whole" / "1.csv"):
        place.write_text("a,b\n1,2\n")
    (folder / "wages.csv").symlink_to(outside / "secret.csv")
    (folder / "parts" / "1.csv").symlink_to(outside / "secret.csv")
    (folder / "behind").symlink_to(outside)
    (folder / "rents.contract.yaml").symlink_to(outside / "nothing.yaml")
    os.mkfifo(folder / "pipe.csv")
    found = {item.dataset: item.wrong for item in items(folder)}
    assert found == dict.fromkeys(("wages", "parts", "behind", "rents", "pipe"), ELSEWHERE) | {"whole": ""}
    assert b"1,2" in Own(folder, "whole/1.csv").open().read()
    for name in ("wages.csv", "parts/1.csv", "behind/secret.csv", "pipe.csv", "gone.csv"):
        with pytest.raises(DeliveryRefusal, match="cannot be opened"):
            land([Own(folder, name)], tmp_path / "landed", sealer=SEALER)
