"""The object store that an installation keeps its lake in: written down with it, and opened with its keys.

The store is written down (`lake/store.json`), not set in the environment: a command that ran without the setting would
erase somebody here and not there.
"""

import json
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from integrated_data.acquire.feeds.s3 import SECRET
from integrated_data.lake_files import NOTED
from integrated_data.model.errors import InstallationRefusal
from integrated_data.site import store_secrets
from integrated_data.site.places import Places

if TYPE_CHECKING:
    from integrated_data.site.object_lake.bucket import Bucket

_NAMED = "keyring/lake.yaml"
#: What an operator does about a store that was kept before a restore.
DECIDE = (
    "Take what is there over: ids lake store ADDRESS --take-over; or leave it to another installation that goes on "
    "keeping it: ids lake leave --theirs"
)


def opened(places: Places) -> "Bucket | None":
    """The object store of an installation's lake; None where it is kept here alone."""
    body = read(places)
    return None if body is None else bucket_of(places, body)


def detach(places: Places) -> str | None:
    """Let a restored copy keep its lake here, and remember where it was kept; returns that address."""
    body = read(places)
    if body is None:
        return None
    places.lake_store.replace(places.lake_store_before)
    (places.lake / "catalogue.sqlite").unlink(missing_ok=True)  # it names snapshots in the store
    if (places.lake / NOTED).exists():
        shutil.rmtree(places.lake / NOTED)
    return address(body)


def check_followed(places: Places) -> None:
    """Refuse to erase from a restored copy whose tables may still be in an object store that it does not follow."""
    before = before_restore(places)
    if before is not None:
        raise InstallationRefusal(
            f"Tables of this installation may still be in {address(before)}",
            why="They were kept there before it was restored, and what is erased here would stay there",
            next_step=DECIDE,
        )


def bucket_of(places: Places, body: Mapping[str, str]) -> "Bucket":
    """The store that is written down so; refuses one whose keys are not there, or cannot be used."""
    try:
        from integrated_data.site.object_lake import bucket
    except ImportError:
        raise InstallationRefusal(
            "Object stores are not part of this installation",
            next_step='Install it: pip install "integrated-data-service[s3]"',
        ) from None
    of = "of the lake's object store"
    secret = store_secrets.read(places.lake_secret, of=of, named=_NAMED)
    if not {"access_key", "secret_key"} <= set(secret) <= set(SECRET):
        why = "It must hold access_key and secret_key, perhaps session_token, and nothing else"
        raise store_secrets.wrong(why, of=of, named=_NAMED)
    return bucket.Bucket(bucket.Kept(**body), secret)


def read(places: Places) -> dict[str, str] | None:
    """What is written down of the store; None where the lake is kept here alone."""
    return json.loads(places.lake_store.read_text("utf-8")) if places.lake_store.exists() else None


def before_restore(places: Places) -> dict[str, str] | None:
    """The store that the lake was kept in before the installation was restored, while nobody decided about it."""
    place = places.lake_store_before
    return json.loads(place.read_text("utf-8")) if place.exists() else None


def write(places: Places, body: Mapping[str, str]) -> None:
    """Write the store down."""
    part = places.lake_store.with_suffix(".part")
    part.write_text(json.dumps(body, sort_keys=True), encoding="utf-8")
    part.chmod(0o600)
    part.replace(places.lake_store)


def address(body: Mapping[str, str]) -> str:
    """Its address as a URL."""
    return f"s3://{body['bucket']}/{body['prefix']}"
