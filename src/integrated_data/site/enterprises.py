"""Statistical units, on the loading side: which enterprise and group each legal unit belongs to, and when."""

from pathlib import Path
from typing import Any

from integrated_data.control import indexes
from integrated_data.index.reference import units
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.event import Event
from integrated_data.site.loading import LoadingSite
from integrated_data.vocabulary import quarters

INDEX, UNITS = "business", "statistical_units"


def as_at(site: LoadingSite, written: str, *, out: Path | None = None) -> dict[str, Any]:
    """Count legal units, enterprises and groups at the end of a quarter (`2024 Q3`) or on a day, as known now.

    `out`: Parquet file to write, of the identified zone: the columns of `units.as_at`. Writing it is an
    audit event.
    """
    days = quarters.days_of(written)
    if days is None:
        raise UsageRefusal("The quarter or day cannot be read", next_step="Write it as 2024 Q3, or as 2024-09-30")
    with site.store.read() as connection:
        version = indexes.get(connection, INDEX)
    folder = version_folder(site.places.indexes, INDEX, version=version.version)
    units.as_at(site.engine, folder, day=days[1], relation=UNITS)
    try:
        counted = site.engine.rows(
            "SELECT count(DISTINCT entity_id) AS legal_units, count(DISTINCT enterprise_id) AS enterprises, "
            "count(DISTINCT group_id) AS enterprise_groups, "
            f"count(DISTINCT entity_id) FILTER (enterprises > 1) AS in_two_enterprises FROM {UNITS}"
        ).to_pylist()[0]
        facts = {"index_version": version.version, "as_at": days[1].isoformat(), **counted}
        if out is None:
            return facts
        rows = site.engine.save(f"SELECT * FROM {UNITS}", out, sealed=False)
    finally:
        site.engine.drop(UNITS)
    site.store.record(Event("units.written", site.actor, f"index/{INDEX}", {**facts, "rows": rows}))
    return {**facts, "units": str(out), "note": "a file of the identified zone: keep it there"}
