"""Stores of feeds, opened: secrets are read here, from files that nobody but the service can read."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from integrated_data.acquire.feeds.folder import Folder
from integrated_data.acquire.feeds.store import Store
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.feed import Drop, StoreKind
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
        raise _wrong(drop, f"It must hold some of {', '.join(fields)}, and nothing else")
    return found


def _read(drop: Drop, places: Places) -> Mapping[str, str]:
    place = places.feed_secrets / f"{drop.secret}.yaml"
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        raise _wrong(drop, "It is not there, or the service may not read it") from None
    with os.fdopen(descriptor, "r", encoding="utf-8") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise _wrong(drop, "Others than the service may read it")
        try:
            body = yaml.safe_load(file)
        except (yaml.YAMLError, ValueError):
            body = None
    if not isinstance(body, Mapping) or not all(isinstance(v, str) for v in body.values()):
        raise _wrong(drop, "It is no YAML of names and texts")
    return dict(body)


def _wrong(drop: Drop, why: str) -> InstallationRefusal:
    shown = re.sub(r"[^A-Za-z0-9_-]", "", drop.secret)
    return InstallationRefusal(
        f"The secret {shown} of the feed cannot be used",
        why=why,
        next_step=f"Write it to keyring/feeds/{shown}.yaml, mode 0600",
    )
