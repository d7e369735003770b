"""Review of clusters: the records that an index takes for one entity, shown side by side, and what follows.

Files of a set, sealed, under `reviews/` of the identified zone: `cases.parquet` (see `index.quality.clusters`).
"""

from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Any

from integrated_data.control import indexes, reviews
from integrated_data.control.decisions import Side
from integrated_data.engine import Stored
from integrated_data.index.quality import clusters, shown
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LinkDecision
from integrated_data.model.review import Draw, ReviewKind, groups_of
from integrated_data.site.linked import reviewed
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rulings import seal

DRAWN, CASES = "cluster_drawn", "cluster_cases"


def sample(site: LoadingSite, index: str, *, draw: Draw) -> dict[str, Any]:
    """Draw clusters of an index and put them in the queue; returns what was drawn."""
    with site.store.read() as connection:
        newest = indexes.get(connection, index)
    opened = reviewed(site, index, version=newest.version)
    place = f"reviews/clusters-{index}-v{newest.version:04d}-{draw.seed}-{draw.size}-{draw.double:g}"
    laid = opened.seat.laid(site.engine, folder=opened.folder, prefix="cluster_index")
    try:
        found = clusters.draw(site.engine, laid, version=opened.version, how=draw, out=DRAWN)
    finally:
        laid.drop(site.engine)
    if not found.cases:
        raise IndexRefusal(
            f"The {index} index has no entity of several records to review",
            next_step="Load another source first: ids reference load INDEX FILE --source NAME",
        )
    folder = site.places.identified / place
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    site.engine.save(f"SELECT * FROM {DRAWN}", folder / "cases.parquet")
    body = {"size": draw.size, "seed": draw.seed, "double": draw.double, "clusters": found.clusters}
    about = {
        "kind": ReviewKind.CLUSTERS.value, "index": index, "dataset": None, "delivery": None,
        "index_version": newest.version, "place": place, "body": body,
    }  # fmt: skip
    rows = site.engine.rows(f"SELECT number, len(records) - 1 AS others, twice FROM {DRAWN} ORDER BY number")
    cases = [reviews.NewCase(**row) for row in rows.to_pylist()]
    known = reviews.add_set(site.store, about, cases=cases, by=site.actor)
    return {"set": known, "index": index, "version": newest.version, "cases": found.cases, **body}


def lines(
    site: LoadingSite, about: Mapping[str, Any], *, number: int
) -> tuple[list[tuple[str, str]], list[shown.Line]]:
    """The records of a case (source, record id) and what they say, in the order shown."""
    records = _records(site, about, number=number)
    opened = reviewed(site, about["index"], version=about["index_version"])
    laid = opened.seat.laid(site.engine, folder=opened.folder, prefix="cluster_index")
    try:
        said = shown.of_records(site.engine, laid, records=records, fields=opened.fields)
    finally:
        laid.drop(site.engine)
    return records, shown.together(said)


def consequences(
    site: LoadingSite, about: Mapping[str, Any], *, number: int, answer: str
) -> list[tuple[LinkDecision, tuple[Side, Side]]]:
    """What an answer says: records of one group are one, and no two groups are."""
    sides = [Side(source, seal(site.vault, record)) for source, record in _records(site, about, number=number)]
    groups = [[sides[n - 1] for n in group] for group in groups_of(answer, records=len(sides))]
    one = [(LinkDecision.MUST, pair) for group in groups for pair in pairwise(group)]
    return [*one, *((LinkDecision.CANNOT, (a[0], b[0])) for a, b in combinations(groups, 2))]


def _records(site: LoadingSite, about: Mapping[str, Any], *, number: int) -> list[tuple[str, str]]:
    site.engine.load(CASES, Stored((site.places.identified / about["place"] / "cases.parquet",)))
    rows = site.engine.rows(f"SELECT sources, records FROM {CASES} WHERE number = {int(number)}").to_pylist()
    site.engine.drop(CASES)
    if not rows:
        raise IndexRefusal("There is no such case", next_step="Use the id that was shown: ids review next")
    return list(zip(rows[0]["sources"], rows[0]["records"], strict=True))
