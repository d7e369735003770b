"""Clerical samples that show somebody: what they tell is emptied, and cases that wait are closed."""

from typing import Any

from integrated_data.control import reviews
from integrated_data.control.store import Change
from integrated_data.engine import Stored
from integrated_data.index.forget import Whom, mark
from integrated_data.journey.workshop import Facts
from integrated_data.model.review import ReviewKind
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import scrubbing
from integrated_data.site.stepping import Write
from integrated_data.site.subjects import kept

CASES = "right_cases"


def emptied(site: LoadingSite, *, one: kept.Entry, whom: Whom) -> tuple[Facts, Write]:
    """Step `reviews`: empty what samples tell of somebody; how many cases showed them."""
    with site.store.read() as connection:
        every = [s for s in reviews.sets(connection) if s["index"] == one.index]
    shown = {s["id"]: _shown(site, s, one=one, whom=whom) for s in every}
    for each in every:
        _empty(site, each, one=one, numbers=shown[each["id"]])

    def write(change: Change) -> None:
        for known, numbers in shown.items():
            reviews.close(change, known, numbers=numbers)

    return {"review_cases": sum(map(len, shown.values()))}, write


def cases(site: LoadingSite, about: dict[str, Any]) -> list[dict[str, Any]]:
    """What a sample keeps of its cases, a row each; none where it keeps nothing any more."""
    place = site.places.identified / about["place"] / "cases.parquet"
    if not place.exists():
        return []
    site.engine.load(CASES, Stored((place,)))
    try:
        rows: list[dict[str, Any]] = site.engine.rows(f"SELECT * FROM {CASES}").to_pylist()
        return rows
    finally:
        site.engine.drop(CASES)


def _shown(site: LoadingSite, about: dict[str, Any], *, one: kept.Entry, whom: Whom) -> list[int]:
    """The cases of a sample that show somebody."""
    rows = cases(site, about)
    if about["kind"] == ReviewKind.CLUSTERS:
        return [int(row["number"]) for row in rows if _theirs(row, whom)]
    theirs = {row for held in one.held if held.delivery == about["delivery"] for row in held.rows}
    return [int(row["number"]) for row in rows if row["record"] in theirs]


def _theirs(row: dict[str, Any], whom: Whom) -> bool:
    pairs = zip(row["sources"], row["records"], strict=True)
    return "" in row["records"] or any(
        mark(whom.salt, source=source, record_id=record) in whom.marks for source, record in pairs
    )


def _empty(site: LoadingSite, about: dict[str, Any], *, one: kept.Entry, numbers: list[int]) -> None:
    folder = site.places.identified / about["place"]
    if about["kind"] == ReviewKind.CLUSTERS:
        if numbers:
            scrubbing.clusters(site, folder / "cases.parquet", numbers=numbers)
        return
    for held in one.held:
        if held.delivery == about["delivery"]:
            scrubbing.reviewed(site, folder / "frame.parquet", rows=held.rows)
