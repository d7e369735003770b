"""The security measures of an installation as they are configured: looked at, never assumed."""

import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from integrated_data.access import functions
from integrated_data.approve.holdings import Measure
from integrated_data.control import freezes, heads, lanes, people, projects
from integrated_data.control.store import Store
from integrated_data.engines.sealed import MAGIC
from integrated_data.model.errors import Refusal
from integrated_data.site import signing_heads
from integrated_data.site.places import Places
from integrated_data.site.sandbox import choose
from integrated_data.site.settings import Settings

#: The end of an encrypted Parquet file, and of files that describe others and hold no row.
ENCRYPTED, DESCRIPTIONS = b"PARE", frozenset({".json"})


def measures(places: Places, store: Store, *, settings: Settings) -> tuple[Measure, ...]:
    """What protects the data of an installation now, one after another."""
    return (
        _sealed(places), _modes(places), _keys(places), _sandbox(settings), _doors(settings),
        *_people(places, store), *_outputs(store), _chain(places, store), _production(settings),
    )  # fmt: skip


def _files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _is_sealed(place: Path) -> bool:
    with place.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return True
        file.seek(-min(4, place.stat().st_size), 2)
        return file.read(4) == ENCRYPTED


def _sealed(places: Places) -> Measure:
    rows = [p for p in _files(places.identified) if p.suffix not in DESCRIPTIONS]
    bare = sum(not _is_sealed(p) for p in rows)
    state = f"{len(rows) - bare} of {len(rows)} files with rows of people are encrypted (AES-256-GCM)"
    return Measure("Encryption of the identified zone at rest", state, good=bare == 0)


def _modes(places: Places) -> Measure:
    shared = stat.S_IRWXG | stat.S_IRWXO
    open_to = sum(bool(p.stat().st_mode & shared) for p in _files(places.identified, places.keyring))
    state = f"{open_to} files of the identified zone and the keyring can be opened by other accounts"
    return Measure("Files for the service's own account alone", state, good=open_to == 0)


def _keys(places: Places) -> Measure:
    if not places.keyring.exists():
        return Measure("Keys apart from the data", "the keyring is not mounted")
    apart = places.keyring.resolve().stat().st_dev != places.home.stat().st_dev
    state = "the keyring is on another file system than the data" if apart else (
        "the keyring is a folder beside the data: it must be backed up, and can be mounted, apart"
    )  # fmt: skip
    return Measure("Keys apart from the data", state, good=apart)


def _sandbox(settings: Settings) -> Measure:
    with structlog.testing.capture_logs():  # a weaker way is told here, not in a log
        try:
            name = choose(production=settings.production).name
        except Refusal:
            name = "nothing: queries are refused"
    allowed = len(functions.FUNCTIONS)
    state = f"queries run under {name}, without a network, and may call {allowed} functions"
    return Measure("Queries in a sandbox", state, good=name == "bubblewrap")


def _doors(settings: Settings) -> Measure:
    own = settings.tls is not None
    state = "the certificate that was given" if own else "a certificate that the service made itself, for trials"
    return Measure("Encrypted connections (TLS)", state, good=own)


def _people(places: Places, store: Store) -> Iterator[Measure]:
    with store.read() as connection:
        known = projects.people(connection)
        procedures = people.procedures(connection)
        accepted = sum(people.admission(connection, p.id).accepted for p in known)
        frozen = len(freezes.standing(connection))
    state = (
        "at an identity provider"
        if places.provider.exists()
        else "by password with one-time code, or by token; no identity provider"
    )
    yield Measure("Sign-in", state)
    told = (
        f"version {procedures.version}, accepted by {accepted} of {len(known)} people"
        if procedures
        else "none in force"
    )
    yield Measure("Operating procedures", told, good=procedures is not None)
    yield Measure("Freezes in force", f"{frozen}")


def _outputs(store: Store) -> Iterator[Measure]:
    with store.read() as connection:
        rule = lanes.rule(connection).rule
        out = len(lanes.opted_out(connection))
    open_now = "open" if rule.open else "stopped"
    state = f"{open_now}; people check {rule.share:.0%} of its releases afterwards; {out} datasets opted out"
    yield Measure("Automatic release of outputs", state, good=not rule.open or rule.share > 0)


def _chain(places: Places, store: Store) -> Measure:
    with store.read() as connection:
        last = heads.last_record(connection)
    try:
        head = signing_heads.kept_head(places)
    except Refusal:
        return Measure("Audit chain", "its signed head does not hold", good=False)
    signed = head.number if head else 0
    return Measure("Audit chain", f"{last[0] if last else 0} records, signed up to {signed}", good=signed > 0)


def _production(settings: Settings) -> Measure:
    state = "production settings: what is meant for trials is refused" if settings.production else "settings of a trial"
    return Measure("Settings", state, good=settings.production)
