"""How a command ends: a refusal becomes one sentence and an exit code, an unforeseen error tells no value."""

import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from integrated_data.cli.shown import ERRORS
from integrated_data.model.errors import Refusal, is_disk_full, is_interrupt

#: How a command ends that Ctrl-C stopped, as a shell tells it.
STOPPED = 130


def run(app: Callable[[], object]) -> None:
    """Run a command line to its exit code. Answers are UTF-8 whatever the console's own code page is."""
    os.umask(0o077)  # whatever this process writes is its owner's alone
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().startswith("cp"):
            stream.reconfigure(encoding="utf-8")
    try:
        app()
    except Refusal as refusal:
        ERRORS.print(f"Refused: {refusal}", style="red", markup=False, soft_wrap=True)
        sys.exit(refusal.exit_code)
    except Exception as error:
        if is_interrupt(error):
            _stopped()
            sys.exit(STOPPED)
        ERRORS.print(f"Failed: {failure(error)}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        _stopped()
        sys.exit(STOPPED)
    except SystemExit as ended:
        if ended.code == STOPPED:  # typer's word for it
            _stopped()
        raise


def _stopped() -> None:
    ERRORS.print("Stopped. What was finished is kept; run the same command again to go on.")


def failure(error: Exception) -> str:
    """An unforeseen error in one sentence: its kind and where it arose, never its text."""
    if is_disk_full(error):
        return "the disk is full. Nothing half-done was kept; make room and run the command again: it goes on."
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "integrated_data" in f.filename]
    where = f" at {Path(own[-1].filename).stem}:{own[-1].lineno}" if own else ""
    return (
        f"an unforeseen {type(error).__name__}{where}. Nothing half-done was kept; run the command again, "
        "and report this line if it comes back."
    )
