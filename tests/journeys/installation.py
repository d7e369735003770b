"""A real installation for journey tests, and the real command run in a process of its own."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import calling

#: A command that begins with nothing imported, as a person's does; `ids` below is many times faster.
COMMAND = [sys.executable, "-c", "from integrated_data.cli import main; main()"]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(home: Path) -> dict[str, str]:
    """The environment a command gets."""
    return {**os.environ, **_settings(home)}


def _settings(home: Path) -> dict[str, str]:
    return {"IDS_HOME": str(home), "IDS_ACTOR": "tester", "IDS_MEMORY": "2GB", "COLUMNS": "200"}


def ids(home: Path, *arguments: str | Path) -> Ran:
    """Run `ids` to its end."""
    called = calling.call(*map(str, arguments), **_settings(home))
    return Ran(called.returncode, called.stdout, called.stderr)


def made(folder: Path) -> Path:
    """A new installation."""
    home = folder / "home"
    ran = ids(home, "init", home)
    assert ran.code == 0, ran.err
    return home
