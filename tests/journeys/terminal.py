"""A command at a terminal of its own: a pseudo-terminal, with a person's keys."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.journeys.installation import COMMAND, environment


class Terminal:
    """`ids` at work in a pseudo-terminal; `screen` is what it wrote so far."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._own, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment(home) | {"TERM": "xterm"}, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.screen = ""

    def until(self, wanted: str, *, seconds: float = 60.0) -> str:
        """Read until the text appears after what was asked for before; returns what was read."""
        seen, last = "", time.monotonic() + seconds
        while wanted not in seen:
            ready, _, _ = select.select([self._own], [], [], max(last - time.monotonic(), 0))
            if not ready:
                raise TimeoutError(f"{wanted!r} did not appear in: {seen[-2000:]}")
            seen += os.read(self._own, 65_536).decode()
        self.screen += seen
        return seen

    def types(self, keys: str) -> None:
        """Type a line."""
        os.write(self._own, keys.encode() + b"\n")

    def ends(self) -> int:
        """Wait until the command ends; returns its exit code."""
        code = self._process.wait(timeout=60)
        os.close(self._own)
        return code
