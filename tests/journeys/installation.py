"""A real installation for journey tests, and the real command run in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    return {**os.environ, "IDS_HOME": str(home), "IDS_ACTOR": "tester", "IDS_MEMORY": "2GB", "COLUMNS": "200"}


def ids(home: Path, *arguments: str | Path) -> Ran:
    """Run `ids` to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def made(folder: Path) -> Path:
    """A new installation."""
    home = folder / "home"
    ran = ids(home, "init", home)
    assert ran.code == 0, ran.err
    return home
