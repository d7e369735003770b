"""A progress line on standard error for long work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from integrated_data.cli.shown import ERRORS


@contextmanager
def steps(what: str = "Starting") -> Iterator[Callable[[str], None]]:
    """A spinner that names the step under way; silent where standard error is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda step: progress.update(task, description=step)
