"""State diagrams, drawn from the tables of allowed moves that the code obeys."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)


def state_diagram(moves: Mapping[State, Sequence[State] | Mapping[State, StrEnum]], *, start: State) -> str:
    """A Mermaid state diagram of `moves`: every allowed change is one arrow, no other is drawn.

    Where a state's moves are a mapping, its values say on the arrow who makes the move. A state
    without moves ends the diagram.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {start.value}"]
    for state, following in moves.items():
        for after in following:
            told = f": {following[after].value}" if isinstance(following, Mapping) else ""
            lines.append(f"    {state.value} --> {after.value}{told}")
        if not following:
            lines.append(f"    {state.value} --> [*]")
    return "\n".join(lines)
