"""Calls of the command line, each in a process of its own that begins with what it imports already there."""

import contextlib
import multiprocessing
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What nearly every command imports, or it would take most of a call's time: `ids deliver` needs all of it.
from integrated_data.cli.app import main

#: Seconds that a call may take.
SECONDS = 600

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.calling"])


@dataclass(frozen=True)
class Called:
    """What a call said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def ids(home: Path, *words: str, given: str = "", **environment: str) -> Called:
    """Call `ids` on an installation, with text on standard input and more in the environment."""
    return call(*words, "--home", str(home), given=given, **environment)


def call(*words: str, given: str = "", **environment: str) -> Called:
    """Call `ids` with these words, text on standard input and more in the environment."""
    with tempfile.TemporaryDirectory() as folder:
        files = tuple(Path(folder) / name for name in ("in", "out", "err"))
        files[0].write_text(given)
        process = SERVER.Process(target=_call, args=(words, {**os.environ, **environment}, files))
        process.start()
        process.join(SECONDS)
        process.kill()
        assert process.exitcode is not None
        return Called(process.exitcode, *(f.read_text() if f.exists() else "" for f in files[1:]))


def _call(words: tuple[str, ...], environment: dict[str, str], files: tuple[Path, ...]) -> None:
    os.environ.clear()  # the server's, which is of the time when it began
    os.environ.update(environment)
    tempfile.tempdir = None  # found anew from the environment
    sys.argv = ["ids", *words]
    with contextlib.ExitStack() as opened:
        for number, (file, mode) in enumerate(zip(files, ("r", "w", "w"), strict=True)):
            os.dup2(opened.enter_context(file.open(mode)).fileno(), number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(n, m, closefd=False) for n, m in enumerate(("r", "w", "w"))
        )  # fmt: skip
        try:
            main()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
