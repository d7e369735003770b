"""Pages of the documentation that are generated from the code; `make docs` writes them."""

from collections.abc import Callable, Iterator

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from integrated_data.cli.app import app
from integrated_data.model.access import PROJECT_MOVES, ProjectState
from integrated_data.model.approval import DAYS, SCOPES
from integrated_data.model.delivery import LOAD_MOVES, LoadState
from integrated_data.model.diagram import state_diagram
from integrated_data.output import states as output_states
from tests.house.tree import ROOT

EVERYWHERE = {"--home", "--json", "--as"}
GENERATED = "<!-- Written by `make docs` from the code; a test compares the two. -->"


def states(title: str, told: str, diagram: str) -> str:
    """A page of one state diagram."""
    return f"# {title}\n\n{GENERATED}\n\n{told}\n\n```mermaid\n{diagram}\n```\n"


def load_states() -> str:
    """docs/load-states.md."""
    return states(
        "States of a delivery",
        "A delivery changes its state only along these arrows. A held delivery waits for a steward, who\n"
        "lets it go on, has it checked again, or rejects it. A rejected one is corrected by its supplier and\n"
        "delivered again; the same file comes back where another contract is given with it.",
        state_diagram(LOAD_MOVES, start=LoadState.LANDED),
    )


def project_states() -> str:
    """docs/project-states.md."""
    return (
        states(
            "States of a project",
            "A project changes its state only along these arrows. Every decision is on record with all its\nreasons.",
            state_diagram(PROJECT_MOVES, start=ProjectState.PROPOSED),
        )
        + approval_table()
    )


def approval_table() -> str:
    """What each approval is about, from the table that the code obeys."""
    told = (
        "\n## Approvals\n\n"
        "Which approvals an application needs follows from it, its agreements and the law. Each is a decision of its\n"
        "own, with the days it may take unless the law's file says otherwise. An amendment opens those again that are\n"
        "about a part it changes; the others stand. An owner's is about its own data alone, a panel's about datasets\n"
        "and keys and not about columns.\n\n"
    )
    rows = [
        f"| {stage.value} | {DAYS[stage]} | {', '.join(part.value for part in parts)} |"
        for stage, parts in SCOPES.items()
    ]
    return told + "\n".join(["| approval by | days | about |", "|---|---:|---|", *rows]) + "\n"


def commands() -> str:
    """docs/commands.md."""
    lines = [
        "# Commands", "", GENERATED, "",
        "Every command that works on an installation takes `--home DIR` (else the environment variable",
        "`IDS_HOME`). Who acts is who the token in `IDS_TOKEN` stands for; in trials also `--as PERSON` (else",
        "`IDS_ACTOR`). With `--json` it prints one JSON document on standard output instead of a table. Progress goes",
        "to standard error. Exit codes: 0 done; 1 refused or failed, with a reason; 2 usage.",
        "",
    ]  # fmt: skip
    for path, command in walk():
        context = typer.Context(command)
        given = [_argument(p) for p in command.params if isinstance(p, TyperArgument)]
        lines += [f"## `{' '.join([path, *given])}`", "", " ".join((command.help or "").split()), ""]
        own = [p for p in command.params if isinstance(p, TyperOption) and not set(p.opts) & EVERYWHERE]
        options = [option.get_help_record(context) for option in own]
        told = [f"- `{record[0]}`: {' '.join(record[1].split())}" for record in options if record]
        lines += [*told, ""] if told else []
    return "\n".join(lines)


def walk() -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, with the words that call it, in order of name."""

    def below(path: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
        if isinstance(command, TyperGroup):
            for name in sorted(command.commands):
                yield from below(f"{path} {name}", command.commands[name])
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield path, command

    yield from below("ids", typer.main.get_command(app))


def _argument(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper().removesuffix("_ID")
    more = "..." if argument.nargs == -1 and not name.endswith("...") else ""
    return f"{name}{more}" if argument.required else f"[{name}{more}]"


#: Page, and what writes it.
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "load-states.md": load_states,
    "output-states.md": output_states.page,
    "project-states.md": project_states,
}


def main() -> None:
    """Write every generated page."""
    for name, write in PAGES.items():
        (ROOT / "docs" / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
