"""Who objected or was erased, kept for good: by ids, row numbers and keyed hashes, never by name.

    keyring/rights/secret.key    what hashes and seals of the list are made with
    keyring/rights/<n>.json      one entry for each request that binds what is loaded or restored later

The list lies with the keys and is backed up with them, apart from the data: an older copy of the data is brought up
to it before anything is served.
"""

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from integrated_data.index.forget import Whom, mark
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.rights import Right, Scope
from integrated_data.site.places import Places
from integrated_data.site.subjects.somebody import Rows, Somebody

KEY_BYTES = 32


@dataclass(frozen=True)
class Entry:
    """One request that binds. `marks`: keyed hashes of the person's records; `held`: their rows, by delivery."""

    number: int
    right: Right
    index: str
    entities: tuple[int, ...]
    scope: Scope
    at: str
    marks: tuple[str, ...] = ()
    held: tuple[Rows, ...] = ()
    datasets: tuple[str, ...] = field(default=())


def entry(places: Places, who: Somebody, *, number: int, right: Right, scope: Scope, at: str) -> Entry:
    """The entry of a request about somebody."""
    salt = secret(places)
    marks = tuple(sorted(mark(salt, source=source, record_id=record) for source, record in who.records))
    datasets = tuple(sorted({held.dataset for held in who.held}))
    return Entry(number, right, who.index, who.entities, scope, at, marks, who.held, datasets)


def whom(places: Places, one: Entry) -> Whom:
    """Whose rows an entry is about, as an index takes them out."""
    return Whom(one.entities, frozenset(one.marks), secret(places))


def put(places: Places, one: Entry, *, datasets: tuple[str, ...] = ()) -> None:
    """Write an entry down, with the datasets that it reaches; the same entry again changes nothing."""
    one = replace(one, datasets=datasets or one.datasets)
    body = json.dumps(asdict(one), sort_keys=True)
    _write(places, f"{one.number:06d}.json", content=json.dumps({"entry": body, "seal": _seal(places, body)}).encode())


def entries(places: Places, *, right: Right | None = None) -> tuple[Entry, ...]:
    """What is kept, of one right or of all, in the order of asking; refuses a list that was changed."""
    found = []
    for place in sorted(places.rights.glob("*.json")) if places.rights.is_dir() else ():
        try:
            told = json.loads(place.read_text("utf-8"))
            body, seal = str(told["entry"]), str(told["seal"])
        except (ValueError, KeyError, TypeError):
            body, seal = "", ""
        if not hmac.compare_digest(seal, _seal(places, body)):
            raise InstallationRefusal(
                "The list of who objected or was erased was changed",
                why=f"{place.name} does not hold",
                next_step="Restore the folder rights of the keyring from the keys' own backup",
            )
        found.append(_read(json.loads(body)))
    return tuple(one for one in found if right is None or one.right is right)


def secret(places: Places) -> bytes:
    """The secret of the list, made when it is first asked for."""
    place = places.rights / "secret.key"
    if not place.exists():
        _write(places, place.name, content=secrets.token_bytes(KEY_BYTES))
    key = place.read_bytes()
    if len(key) != KEY_BYTES:
        raise InstallationRefusal("The secret of the list of rights is damaged", next_step="Restore it from its backup")
    return key


def _read(body: dict[str, Any]) -> Entry:
    held = tuple(
        Rows(h["delivery"], h["dataset"], *(tuple(h[rows]) for rows in ("rows", "doubtful", "lines")))
        for h in body["held"]
    )
    lists = {k: tuple(body[k]) for k in ("entities", "marks", "datasets")}
    return Entry(**{**body, **lists, "right": Right(body["right"]), "scope": Scope(**body["scope"]), "held": held})


def _seal(places: Places, body: str) -> str:
    return hmac.new(secret(places), body.encode(), hashlib.sha256).hexdigest()


def _write(places: Places, name: str, *, content: bytes) -> None:
    places.rights.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = places.rights / f".{name}.{os.getpid()}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(places.rights / name)
