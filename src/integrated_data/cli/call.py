"""Options that commands share, kept in dataclasses: a command declares one, its fields become options."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from integrated_data.cli import permissions
from integrated_data.model.errors import RoleRefusal, UsageRefusal
from integrated_data.model.people import Action
from integrated_data.model.query import EngineName
from integrated_data.site.settings import from_environment, home_of

if TYPE_CHECKING:
    from integrated_data.site.acting import Acting

#: The parameter of every command that tells which it is.
CONTEXT = "typer_context"


@dataclass(frozen=True)
class Call:
    """How a command was called: the installation, the form of its answer, who acts."""

    home: Annotated[Path | None, typer.Option("--home", help="The installation's folder (else IDS_HOME).")] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False
    person: Annotated[str | None, typer.Option("--as", help="Who acts, in trials (else IDS_TOKEN says).")] = None

    @property
    def acting(self) -> "Acting":
        """Who acts, as it was found when the command began."""
        found = acting()
        return found if found is not None else self.act()

    @property
    def actor(self) -> str:
        """The id of who acts."""
        return self.acting.actor

    def act(self, *, accepting: str | None = None) -> "Acting":
        """Find out who acts, and keep it for the rest of the command; raises the refusal."""
        from integrated_data.site.acting import who_acts  # the kit acts for nobody and needs no installation
        from integrated_data.site.places import Places

        settings = from_environment()
        places = Places(home_of(settings, self.home))
        places.check()
        found = who_acts(places, settings, named=self.person, accepting=accepting)
        _ACTING.set(found)
        return found


#: Who acts in the command that runs, once that is known.
_ACTING: ContextVar["Acting | None"] = ContextVar("acting", default=None)


def acting() -> "Acting | None":
    """Who acts in the command that runs, once that is known."""
    return _ACTING.get()


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


@dataclass(frozen=True)
class Completing:
    """Which delivery the files complete, where they are mended rows of it."""

    completes: Annotated[
        str, typer.Option("--completes", metavar="DELIVERY", help="The delivery whose rejected rows these are, mended.")
    ] = ""
    withdraw_rest: Annotated[
        bool, typer.Option("--withdraw-rest", help="Rejected rows that are not among them are withdrawn.")
    ] = False


@dataclass(frozen=True)
class HowRun:
    """Where a query runs, as at when, whether it runs again over other sets of links, and what is compared."""

    engine: Annotated[
        EngineName, typer.Option(help="Where it runs; Spark answers what it is known to answer alike.")
    ] = EngineName.DUCKDB
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Run it again over other sets of links; an interval per figure.")
    ] = False
    measure: Annotated[
        list[str] | None, typer.Option(help="With --sensitivity: a column that is a figure; each that aggregates.")
    ] = None
    as_at: Annotated[
        str,
        typer.Option(metavar="DAY|RELEASE", help="Tables as they were read when this day was over, or this release."),
    ] = ""


@dataclass(frozen=True)
class Sampled:
    """How a model's sample was drawn, by columns of the query, and how its result is told."""

    weights: Annotated[str, typer.Option(help="The column of survey weights.")] = ""
    stratum: Annotated[str, typer.Option(help="The column of strata.")] = ""
    cluster: Annotated[str, typer.Option(help="The column of primary sampling units.")] = ""
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95
    width: Annotated[float, typer.Option(min=0, help="Of a survival curve's steps; 0: a twentieth.")] = 0.0
    step: Annotated[int, typer.Option(min=1, help="Fewest events of a survival curve's step.")] = 10


@dataclass(frozen=True)
class Wished:
    """What a request to leave is for, and what it holds beside queries' results."""

    purpose: Annotated[str, typer.Option(help="What it is for.")] = ""
    change: Annotated[str, typer.Option(help="The id of a request that this changes.")] = ""
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", help="A file that was made from the results outside: people decide. May be repeated."),
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
        _check_text(given)
        context: typer.Context | None = given.pop(CONTEXT, None)
        made = {
            name: group(**{f.name: given.pop(f.name) for f in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        for call in made.values():
            if isinstance(call, Call) and context is not None:
                _admit(call, _words(context), given=given)
        command(**given, **made)

    parameters = [*own, *options]
    if Call in groups.values():
        parameters.append(inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def _check_text(given: Mapping[str, Any]) -> None:
    """Refuse words of no known letters: the terminal wrote other bytes than UTF-8. Names of files may be any bytes."""
    said = [word for value in given.values() for word in (value if isinstance(value, list) else [value])]
    if any(isinstance(word, str) and any("\ud800" <= sign <= "\udfff" for sign in word) for word in said):
        raise UsageRefusal(
            "Something that was typed holds bytes that are no text",
            why="Commands are written in UTF-8",
            next_step="Set the terminal to UTF-8 and type it again",
        )


def _words(context: typer.Context) -> str:
    """The words that called a command, without the program's."""
    words, at = [], context
    while at.parent is not None:
        words.append(str(at.info_name))
        at = at.parent  # type: ignore[assignment] # the library's own kind of context
    return " ".join(reversed(words))


def _admit(call: Call, command: str, *, given: Mapping[str, Any]) -> None:
    """Find out who acts and refuse what they may not do, before anything is opened."""
    action = permission(command)
    if action is None:
        return
    found = call.act()
    if given.get("twin"):
        found.check(Action.LOOK)
        return
    found.check(action)
    if action in (Action.QUERY, Action.REQUEST_OUTPUT):
        found.check_project(given.get("project"))


def permission(command: str) -> Action | None:
    """What a command does; None where it sees to its caller by itself. Refuses one that nobody has placed."""
    if command not in permissions.ACTIONS:
        raise RoleRefusal("It is not said who may call this command", next_step="Report it to the maintainers")
    return permissions.ACTIONS[command]


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in dataclasses.fields(group)
    ]
