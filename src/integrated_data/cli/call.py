"""Options that commands share, kept in dataclasses: a command declares one, its fields become options."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from integrated_data.site.settings import from_environment


@dataclass(frozen=True)
class Call:
    """How a command was called: the installation, the form of its answer, who acts."""

    home: Annotated[Path | None, typer.Option("--home", help="The installation's folder (else IDS_HOME).")] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False
    person: Annotated[str | None, typer.Option("--as", help="Who acts (else IDS_ACTOR).")] = None

    @property
    def actor(self) -> str:
        """Who acts: named on the command line, else by the environment."""
        return self.person or from_environment().actor


@dataclass(frozen=True)
class Reading:
    """How the records of a file are read."""

    id_column: Annotated[str | None, typer.Option("--id", help="The column that numbers the records.")] = None
    contract: Annotated[
        Path | None, typer.Option("--contract", help="A contract (Open Data Contract Standard 3.1).")
    ] = None


@dataclass(frozen=True)
class Matched:
    """Which version of an index a file is matched to, and what is written beside the links."""

    explain: Annotated[bool, typer.Option("--explain", help="Write every comparison beside the links too.")] = False
    index_version: Annotated[
        int | None, typer.Option("--index-version", min=1, help="The version to match to (else the newest).")
    ] = None
    as_at: Annotated[
        datetime | None,
        typer.Option("--as-at", formats=["%Y-%m-%d"], help="The version known when this day was over (UTC)."),
    ] = None
    secret: Annotated[
        Path | None, typer.Option("--secret", help="The shared secret: the file was made by ids encode.")
    ] = None


def taking(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are dataclasses of options are given on the command line one by one."""
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        p.name: p.annotation for p in signature.parameters.values() if dataclasses.is_dataclass(p.annotation)
    }
    own = [p for p in signature.parameters.values() if p.name not in groups]
    options = [option for group in groups.values() for option in _options(group)]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: group(**{f.name: given.pop(f.name) for f in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    parameters = [*own, *options]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in dataclasses.fields(group)
    ]
