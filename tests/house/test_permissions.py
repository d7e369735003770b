"""Every command says what it does, so that who may call it is never left open."""

import pytest
from typer.main import get_command

from integrated_data.cli import permissions
from integrated_data.cli.app import app
from integrated_data.cli.call import permission
from integrated_data.model.errors import RoleRefusal
from tests.house.pages import walk
from tests.house.tree import holds


def test_every_command_is_placed_and_no_other() -> None:
    commands = {path.removeprefix("ids ") for path, _ in walk()}
    holds(sorted(f"{name}: not placed" for name in commands - set(permissions.ACTIONS)))
    holds(sorted(f"{name}: no command" for name in set(permissions.ACTIONS) - commands))


def test_every_command_of_an_installation_finds_out_who_acts() -> None:
    """A command whose caller is looked at takes `Call`: without it nobody would ask."""
    without = []
    for path, command in walk():
        placed = permissions.ACTIONS.get(path.removeprefix("ids "))
        if placed is not None and "--as" not in {o for p in command.params for o in p.opts}:
            without.append(path)
    holds(without)
    assert get_command(app).name == "ids"


def test_a_command_that_nobody_placed_is_refused() -> None:
    with pytest.raises(RoleRefusal, match="not said who may call"):
        permission("data destroy")
