"""A feed's definition as people write it: YAML, and what it may not say."""

import re
from pathlib import Path

import yaml

from integrated_data.acquire import contracts
from integrated_data.acquire.feeds.names import pattern
from integrated_data.control import bodies
from integrated_data.model.errors import AgreementRefusal, ContractRefusal
from integrated_data.model.feed import Drop, Every, FeedDefinition, StoreKind
from integrated_data.vocabulary.nested import load_yaml

#: Longest definition, in characters.
LONGEST = 100_000

_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read(text: str) -> FeedDefinition:
    """A feed from YAML; refuses by the field that is wrong, and never by its value: it may be a secret put there."""
    if len(text) > LONGEST:
        raise _wrong("", "It is too long to be one")
    try:
        body = load_yaml(text)
    except (yaml.YAMLError, ValueError):
        raise _wrong("", "It is not valid YAML") from None
    try:
        found = bodies.read(FeedDefinition, body, what="feed")
    except AgreementRefusal as refusal:
        raise ContractRefusal(refusal.what, why=refusal.why, next_step=refusal.next_step) from None
    _check(found)
    return found


def _check(feed: FeedDefinition) -> None:
    if not _ID.fullmatch(feed.id):
        raise _wrong("id", "It is made of small letters, digits, hyphens and underscores, a letter first")
    if not contracts.DATASET.fullmatch(feed.dataset):
        raise _wrong("dataset", "It is made of small letters, digits and underscores, a letter first")
    pattern(feed.files, feed.schedule.every)
    schedule = feed.schedule
    if schedule.every is not Every.ANY and schedule.first is None:
        raise _wrong("schedule.first", "A feed with periods has a first one")
    if schedule.due < 0 or schedule.missing_after < 0:
        raise _wrong("schedule.due", "Hours are counted from the end of the period, and are not negative")
    if feed.retry.most < 1 or not 0 < feed.retry.first <= feed.retry.longest:
        raise _wrong("retry", "It is tried once at least, and the first wait is no longer than the longest")
    _check_drop(feed.drop)


def _check_drop(drop: Drop) -> None:
    if drop.secret and not _SECRET.fullmatch(drop.secret):
        raise _wrong("drop.secret", "It is the name of a secret and not the secret: letters, digits, hyphens")
    if "@" in drop.endpoint or "@" in drop.host:
        raise _wrong("drop", "An address holds no user and no password: name a secret")
    if drop.quiet < 0:
        raise _wrong("drop.quiet", "It is a number of seconds")
    match drop.kind:
        case StoreKind.FOLDER if not Path(drop.place).is_absolute() or ".." in Path(drop.place).parts:
            raise _wrong("drop.place", "A watched folder is written from the root, without a way up")
        case StoreKind.S3 if not drop.place.strip("/") or not drop.secret:
            raise _wrong("drop", "A store needs its place, as bucket/prefix, and the name of a secret")
        case StoreKind.SFTP if not (drop.host and drop.user and drop.host_key and drop.secret):
            raise _wrong("drop", "A server needs host, user, host_key and the name of a secret")
        case StoreKind.POSTGRES if not (drop.place and drop.user and drop.secret):
            raise _wrong("drop", "A database needs place (database/schema.table), user and the name of a secret")
        case _:
            pass


def _wrong(field: str, why: str) -> ContractRefusal:
    what = f"Field {field} of the feed is wrong" if field else "The feed's definition cannot be read"
    return ContractRefusal(what, why=why, next_step="Correct the file; examples/feed.yaml is one")
