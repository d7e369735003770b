"""Stores of feeds, opened: secrets are read here, from files that nobody but the service can read."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from integrated_data.acquire.feeds.folder import Folder
from integrated_data.acquire.feeds.store import Store
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.feed import Drop, StoreKind
from integrated_data.site import store_secrets
from integrated_data.site.places import Places


@contextmanager
def opened(drop: Drop, places: Places) -> Iterator[Store]:
    """The store that files are dropped into; raises StoreRefusal where it cannot be reached."""
    store = _open(drop, places)
    try:
        yield store
    finally:
        store.close()


def _open(drop: Drop, places: Places) -> Store:
    match drop.kind:
        case StoreKind.FOLDER:
            return Folder(check_folder(drop, places))
        case StoreKind.S3:
            from integrated_data.acquire.feeds import s3

            return s3.Bucket(drop, _secret(drop, places, fields=s3.SECRET))
        case StoreKind.SFTP:
            try:
                from integrated_data.acquire.feeds import sftp
            except ImportError:
                raise InstallationRefusal(
                    "SFTP is not part of this installation",
                    next_step='Install it: pip install "integrated-data-service[sftp]"',
                ) from None
            return sftp.Server(drop, _secret(drop, places, fields=sftp.SECRET))
        case StoreKind.POSTGRES:
            from integrated_data.site import databases

            return databases.opened(drop, password=_secret(drop, places, fields=("password",))["password"])


def check_folder(drop: Drop, places: Places) -> Path:
    """The folder that a feed watches; refuses one of the installation's own, or one that holds it."""
    place, home = Path(drop.place).resolve(), places.home.resolve()
    if place == home or home in place.parents or place in home.parents:
        raise InstallationRefusal(
            "The feed would watch a folder of the installation itself",
            next_step="Let files be dropped into a folder of their own, apart from the installation",
        )
    return place


def check_secret(drop: Drop, places: Places) -> None:
    """Refuse a definition whose secret is not there, or could be read by others."""
    if drop.secret:
        _read(drop, places)


def _secret(drop: Drop, places: Places, *, fields: tuple[str, ...]) -> Mapping[str, str]:
    found = _read(drop, places)
    if not found or not set(found) <= set(fields):
        why = f"It must hold some of {', '.join(fields)}, and nothing else"
        raise store_secrets.wrong(why, **_told(drop))
    return found


def _read(drop: Drop, places: Places) -> Mapping[str, str]:
    return store_secrets.read(places.feed_secrets / f"{drop.secret}.yaml", **_told(drop))


def _told(drop: Drop) -> dict[str, str]:
    shown = re.sub(r"[^A-Za-z0-9_-]", "", drop.secret)
    return {"of": f"{shown} of the feed", "named": f"keyring/feeds/{shown}.yaml"}
