"""What a dataset is joinable with, as it was counted when it or the other was last released, and may be told."""

import json
from collections.abc import Mapping
from typing import Any

from integrated_data.control import bodies, releases
from integrated_data.control.store import Store
from integrated_data.model.catalogue import Shared
from integrated_data.output.limits import held_to
from integrated_data.site.places import Places


def joinable(places: Places, store: Store, *, dataset: str) -> list[dict[str, Any]]:
    """The datasets that share an index with one, most entities shared first: dataset, title, owner, index, shared.

    `shared` is a sentence such as "about 1,300"; never an exact count.
    """
    with store.read() as connection:
        current = {r.dataset: r.entry for r in releases.all_current(connection)}
    rows = []
    for other, by_index in kept(places, dataset).items():
        if other in current:
            least = minimum_of(store, dataset, other=other)
            for body in by_index.values():
                one = bodies.read(Shared, body, what="count")
                seen = None if one.about is None or one.about < least else one.about
                rows.append((seen or 0, other, one.index, max((one.about or 0) + one.base, least)))
    return [
        {"dataset": other, "title": current[other]["title"], "owner": current[other]["owner"], "index": index,
         "shared": f"about {about:,}" if about else f"fewer than {base:,}"}
        for about, other, index, base in sorted(rows, key=lambda row: (-row[0], *row[1:]))
    ]  # fmt: skip


def minimum_of(store: Store, dataset: str, *, other: str) -> int:
    """The fewest people behind a count of two datasets: the service's, or more where an agreement asks for more."""
    return held_to(store, (dataset, other)).minimum_people


def kept(places: Places, dataset: str) -> dict[str, dict[str, Any]]:
    """What is kept of a dataset: by other dataset and index, the values of a `Shared`."""
    place = places.joinable / f"{dataset}.json"
    return dict(json.loads(place.read_text(encoding="utf-8"))) if place.exists() else {}


def keep(places: Places, dataset: str, *, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what was found in place of what was kept of the same pairs and indexes."""
    held = kept(places, dataset)
    for other, by_index in found.items():
        held[other] = {**held.get(other, {}), **by_index}
    places.joinable.mkdir(exist_ok=True)
    part = places.joinable / f"{dataset}.part"
    part.write_text(json.dumps(held, sort_keys=True), encoding="utf-8")
    part.replace(places.joinable / f"{dataset}.json")
