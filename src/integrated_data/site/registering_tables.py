"""The lake's Iceberg tables as another engine is pointed at them."""

from typing import Any

from integrated_data.control import releases
from integrated_data.site.loading import LoadingSite


def tables(site: LoadingSite) -> list[dict[str, Any]]:
    """Of every dataset with a release that stands: where its table lies, and the snapshot that the release names.

    The table's newest snapshot may be one that no release names, which a load that was killed left: read the named one.
    """
    with site.store.read() as connection:
        standing = releases.all_current(connection)
    return [
        {
            "dataset": release.dataset, "release": release.id, "snapshot": release.snapshot,
            **vars(site.lake.located(release.dataset)),
        }
        for release in standing
    ]  # fmt: skip
