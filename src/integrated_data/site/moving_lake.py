"""How an installation comes to keep its lake in an object store, and leaves it again."""

import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from integrated_data.acquire.feeds.s3 import LOOPBACK
from integrated_data.lake import Lake
from integrated_data.lake_files import NOTED
from integrated_data.model.errors import InstallationRefusal, StoreRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.site import tables
from integrated_data.site.loading import LoadingSite
from integrated_data.site.object_lake import keeping

if TYPE_CHECKING:
    from integrated_data.site.object_lake.bucket import Bucket

_ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<prefix>[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)/?"
)
#: The region where none is named.
REGION = "us-east-1"


@dataclass(frozen=True)
class Wish:
    """The store that is meant: s3://bucket/prefix, the URL of one that is not the cloud's own, its region.

    `take_over`: what another installation keeps there is destroyed.
    """

    address: str
    endpoint: str = ""
    region: str = REGION
    take_over: bool = False


def keep(site: LoadingSite, wish: Wish, *, by: str) -> dict[str, Any]:
    """Move every table of the lake into an object store; one that was cut short goes on. Returns what is there.

    Needs the loading side alone. Refuses a prefix that another installation has, or in which there is anything.
    """
    places, wanted = site.places, _wanted(wish)
    known = keeping.read(places)
    if known is not None and {k: v for k, v in known.items() if k != "token"} != wanted:
        raise InstallationRefusal(
            "The lake is kept in another object store", why="It is moved from one to another by way of this machine",
            next_step="Bring it back first: ids lake leave",
        )  # fmt: skip
    before = keeping.before_restore(places)
    token = known["token"] if known is not None and not wish.take_over else secrets.token_hex(16)
    store = keeping.bucket_of(places, wanted | {"token": token})
    site.lake.gather()
    _claim(store, token=token, take_over=wish.take_over)
    store.try_out()
    keeping.write(places, wanted | {"token": token})
    store.own()
    moved = tables.register(replace(site, lake=Lake(places.lake, store)))
    if before is not None and {k: v for k, v in before.items() if k != "token"} == wanted:
        places.lake_store_before.unlink()
    site.store.record(Event("lake.kept", by, "installation", {"address": store.root, "tables": moved}))
    return {"address": store.root, "tables": moved}


def leave(site: LoadingSite, *, theirs: bool, by: str) -> dict[str, Any]:
    """Bring every table back to this machine, and destroy what is in the store.

    `theirs`: what is in the store stays, for another installation goes on keeping it there: after a restore elsewhere,
    or where that one took it over; or nobody can reach it any more. Refused where it is this installation's own.
    """
    places = site.places
    body, before = keeping.read(places), keeping.before_restore(places)
    if body is None or (before is not None and theirs):
        if before is None or not theirs:
            raise _nothing_to_leave(before)
        places.lake_store_before.unlink()
        site.store.record(Event("lake.left", by, "installation", {"address": keeping.address(before), "theirs": True}))
        return {"address": keeping.address(before), "destroyed": 0}
    store = keeping.bucket_of(places, body)
    lost = theirs and _lost(store)
    if not theirs and store.held(""):
        store.check_own()
    site.lake.gather()
    moved = tables.register(replace(site, lake=Lake(places.lake)))
    gone = 0 if theirs else len(store.held(""))
    if not theirs:
        store.empty()
    if (places.lake / NOTED).exists():
        shutil.rmtree(places.lake / NOTED)
    if lost:
        places.lake_store.replace(places.lake_store_before)  # somebody decides about it before anybody is erased
    else:
        places.lake_store.unlink()
    facts = {"address": store.root, "tables": moved, "destroyed": gone, "theirs": theirs}
    site.store.record(Event("lake.left", by, "installation", facts))
    return {**facts, "next": keeping.DECIDE} if lost else facts


def _lost(store: "Bucket") -> bool:
    """Whether a store that is to be left as it is does not answer; refuses one that is this installation's own."""
    try:
        owner = store.owner()
    except StoreRefusal:
        return True
    if owner == store.kept.token:
        raise InstallationRefusal(
            f"What is in {store.root} is this installation's own",
            why="Left there, it would hold whoever is erased from now on", next_step="Destroy it there: ids lake leave",
        )  # fmt: skip
    return False


def _claim(store: "Bucket", *, token: str, take_over: bool) -> None:
    """Refuse a prefix that is somebody's, or lies in one that is; what is there is destroyed where it is taken over."""
    parts = store.kept.prefix.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts))]
    if any(store.owner(prefix) is not None for prefix in above):
        raise InstallationRefusal(
            f"{store.root} lies within what another installation keeps", next_step="Name a prefix beside it"
        )
    if take_over:
        store.empty()
    elif store.owner() not in (None, token):
        raise InstallationRefusal(
            f"Another installation keeps its lake at {store.root}",
            next_step="Name another prefix; where that installation is no more, this one takes over: --take-over",
        )
    elif store.owner() is None and not store.is_empty():
        raise InstallationRefusal(
            f"There is something at {store.root} already",
            why="What lies there is destroyed where the lake is written anew",
            next_step="Name an empty prefix; or have what is there destroyed: --take-over",
        )


def _wanted(wish: Wish) -> dict[str, str]:
    match, parts = _ADDRESS.fullmatch(wish.address), urlsplit(wish.endpoint or "https://")
    if match is None or {".", ".."} & set(match["prefix"].split("/")):
        raise UsageRefusal(
            "This is no place in an object store", next_step="Name a bucket and a prefix: s3://bucket/prefix"
        )
    if parts.scheme not in ("https", "http") or parts.username or parts.query:
        raise UsageRefusal("The endpoint is no address of a server", next_step="Give it as https://host[:port]")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise UsageRefusal(
            "The object store would be asked without encryption", why="Its endpoint does not begin with https",
            next_step="Give its https address; plain http is for this machine alone",
        )  # fmt: skip
    return {"bucket": match["bucket"], "prefix": match["prefix"], "endpoint": wish.endpoint, "region": wish.region}


def _nothing_to_leave(before: Mapping[str, str] | None) -> InstallationRefusal:
    if before is None:
        return InstallationRefusal(
            "The lake is kept on this machine already", next_step="See its tables: ids lake tables"
        )
    return InstallationRefusal(
        "This installation was restored, and does not know whose the tables in the store are by now",
        next_step=keeping.DECIDE,
    )
