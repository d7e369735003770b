"""Secrets of stores of files: read from files that nobody but the service can read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import yaml

from integrated_data.model.errors import InstallationRefusal


def read(place: Path, *, of: str, named: str) -> Mapping[str, str]:
    """What a file of secrets says, names and texts; refuses one that is missing, or that others may read.

    `of`: whose secret it is, `named`: the file as an operator knows it, both for the refusal.
    """
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        raise wrong("It is not there, or the service may not read it", of=of, named=named) from None
    with os.fdopen(descriptor, "r", encoding="utf-8") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise wrong("Others than the service may read it", of=of, named=named)
        try:
            body = yaml.safe_load(file)
        except (yaml.YAMLError, ValueError):
            body = None
    if not isinstance(body, Mapping) or not all(isinstance(v, str) for v in body.values()):
        raise wrong("It is no YAML of names and texts", of=of, named=named)
    return dict(body)


def wrong(why: str, *, of: str, named: str) -> InstallationRefusal:
    """The refusal of a secret that cannot be used."""
    return InstallationRefusal(
        f"The secret {of} cannot be used", why=why, next_step=f"Write it to {named}, mode 0600"
    )  # fmt: skip
