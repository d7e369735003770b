"""Where a request may go from where it stands: twin functions over `OUTPUT_MOVES`, and its diagram."""

from integrated_data.model.diagram import state_diagram
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import OUTPUT_MOVES, OutputState

MEANINGS = {
    OutputState.REQUESTED: "Asked for and stored by its hash; not checked yet",
    OutputState.RELEASABLE: "Proven shape, rules kept, nothing similar released before: may leave at once",
    OutputState.IN_REVIEW: "Waits for two reviewers, neither the author nor on the project's team",
    OutputState.DISPUTED: "One of the two approves and the other refuses: a third reviewer decides",
    OutputState.APPROVED: "Two reviewers approved the files with this hash",
    OutputState.RETURNED: "Back to the author with a question",
    OutputState.STOPPED: "Its files are not those that were checked: nothing leaves until it is asked for again",
    OutputState.REFUSED: "Does not leave; a new request may ask for something else",
    OutputState.WITHDRAWN: "Taken back by the author",
    OutputState.RELEASED: "Left, exactly the files that were checked or reviewed",
    OutputState.REVOKED: "Left, and withdrawn from use since",
}


def may_move(now: OutputState, to: OutputState) -> bool:
    """Whether a request may go from one state to another."""
    return to in OUTPUT_MOVES[now]


def check_move(request: str, now: OutputState, *, to: OutputState) -> None:
    """Refuse a move that the table does not hold."""
    if may_move(now, to):
        return
    end = f"It is that already: see it with: ids output show {request}" if now is to else "Make a new request"
    open_ = ", ".join(state.value.replace("_", " ") for state in OUTPUT_MOVES[now])
    raise OutputRefusal(
        f"Request {request} is {now.value.replace('_', ' ')} and cannot become {to.value.replace('_', ' ')}",
        next_step=f"From here it can become: {open_}" if open_ else end,
    )


def page() -> str:
    """The documentation page: what the states mean, who makes each move, the diagram."""
    lines = [
        "# Where an output request can go",
        "",
        "Generated from `OUTPUT_MOVES` (`model/output.py`) by `output/states.py`; a test compares the two.",
        "",
        "```mermaid",
        state_diagram(OUTPUT_MOVES, start=OutputState.REQUESTED),
    ]
    lines += ["```", "", "| state | what it means | next, and who decides |", "|---|---|---|"]
    for now, moves in OUTPUT_MOVES.items():
        following = "; ".join(f"{to.value} ({owner.value})" for to, owner in moves.items()) or "the end"
        lines.append(f"| {now.value} | {MEANINGS[now]} | {following} |")
    return "\n".join(lines) + "\n"
