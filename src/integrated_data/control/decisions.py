"""What people decided about links, on record: two records are one entity, or cannot be.

Record ids may identify people, so that they stand here sealed by whoever decides on the loading side
(see `site.identity`): equal ids have equal seals, which is all that is needed to see a contradiction.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import LinkDecision


@dataclass(frozen=True)
class Side:
    """One side of a decision: a record (its source or dataset, its sealed id), and the entity it was then.

    `record` may be empty where only an entity is meant.
    """

    source: str
    record: str
    entity: int | None = None

    @property
    def node(self) -> tuple[str, str]:
        """What two sides share when they mean the same."""
        return (self.source, self.record) if self.record else ("", str(self.entity))


@dataclass(frozen=True)
class Decided:
    """One decision that stands."""

    number: int
    index: str
    kind: LinkDecision
    left: Side
    right: Side
    by: str
    reason: str
    at: str


def of_index(connection: sa.Connection, index: str) -> list[Decided]:
    """Decisions on an index that were not withdrawn, oldest first."""
    d = t.link_decision
    query = sa.select(d).where(d.c.index == index, d.c.withdrawn_at.is_(None)).order_by(d.c.number)
    return [
        Decided(
            r["number"], r["index"], LinkDecision(r["kind"]),
            Side(r["left_source"], r["left_record"], r["left_entity"]),
            Side(r["right_source"], r["right_record"], r["right_entity"]), r["by"], r["reason"], r["at"],
        )
        for r in connection.execute(query).mappings()
    ]  # fmt: skip


def forget_side(change: Change, number: int, *, side: str) -> None:
    """Take the record and entity of one side (`left`, `right`) out of a decision, inside a change: it binds no more."""
    d = t.link_decision
    change.connection.execute(
        sa.update(d).where(d.c.number == number).values(**{f"{side}_record": "", f"{side}_entity": None})
    )


def reseal(change: Change, number: int, *, sides: Mapping[str, str]) -> None:
    """Put other seals on the records of a decision, by side (`left`, `right`), inside a change."""
    d = t.link_decision
    values = {f"{side}_record": sealed for side, sealed in sides.items()}
    change.connection.execute(sa.update(d).where(d.c.number == number).values(**values))


def every(connection: sa.Connection) -> list[sa.RowMapping]:
    """Every decision, withdrawn ones too, as it is on record."""
    return list(connection.execute(sa.select(t.link_decision).order_by(t.link_decision.c.number)).mappings())


def decide(store: Store, index: str, *, kind: LinkDecision, sides: tuple[Side, Side], by: str, reason: str) -> int:
    """Write a decision down and return its number; the number of the same decision where it stands already.

    Refuses one that contradicts others: whatever is joined by must-links, directly or through others,
    cannot be kept apart, and what is kept apart cannot be joined.
    """
    if not reason.strip():
        raise IndexRefusal("No reason was given for the decision", next_step="Add --reason TEXT")
    with store.read() as connection:
        same = _same(of_index(connection, index), kind=kind, sides=sides)
    if same is not None:
        return same
    facts = {"kind": kind.value, "reason": reason}
    with store.change(Event("link.decided", by, f"index/{index}", facts)) as change:
        number = add(change, index, kind=kind, sides=sides, by=by, reason=reason)
        change.note(number=number)
    return number


def add(change: Change, index: str, *, kind: LinkDecision, sides: tuple[Side, Side], by: str, reason: str) -> int:
    """The same inside a change, whose event tells of it."""
    left, right = sides
    known = of_index(change.connection, index)
    same = _same(known, kind=kind, sides=sides)
    if same is not None:
        return same
    _check(known, kind=kind, sides=sides)
    made = change.connection.execute(
        sa.insert(t.link_decision)
        .values(
            index=index, kind=kind.value, left_source=left.source, left_record=left.record,
            left_entity=left.entity, right_source=right.source, right_record=right.record,
            right_entity=right.entity, by=by, reason=reason, at=change.at,
        )
        .returning(t.link_decision.c.number)
    )  # fmt: skip
    return int(made.scalar_one())


def withdraw(store: Store, index: str, *, number: int, by: str, reason: str) -> None:
    """Withdraw a decision: it binds no later version. Refuses one that is not there."""
    if not reason.strip():
        raise IndexRefusal("No reason was given for the withdrawal", next_step="Add --reason TEXT")
    facts = {"number": number, "reason": reason}
    with store.change(Event("link.decision_withdrawn", by, f"index/{index}", facts)) as change:
        if number not in {d.number for d in of_index(change.connection, index)}:
            raise IndexRefusal(
                f"There is no decision {number} on the {index} index",
                next_step=f"List them with: ids reference decisions {index}",
            )
        change.connection.execute(
            sa.update(t.link_decision)
            .where(t.link_decision.c.number == number)
            .values(withdrawn_by=by, withdrawn_at=change.at)
        )


def _same(known: Iterable[Decided], *, kind: LinkDecision, sides: tuple[Side, Side]) -> int | None:
    wanted = {side.node for side in sides}
    return next((d.number for d in known if d.kind is kind and {d.left.node, d.right.node} == wanted), None)


def _check(known: Iterable[Decided], *, kind: LinkDecision, sides: tuple[Side, Side]) -> None:
    known, (left, right) = list(known), (side.node for side in sides)
    if left == right:
        raise IndexRefusal("Both sides of the decision are the same", next_step="Name two records")
    if kind is LinkDecision.CANNOT:
        joining = path(known, left, to=right)
        if joining is not None:
            raise _contradiction(joining)
        return
    for other in known:
        if other.kind is LinkDecision.CANNOT:
            for a, b in ((left, right), (right, left)):
                first, second = path(known, a, to=other.left.node), path(known, b, to=other.right.node)
                if first is not None and second is not None:
                    raise _contradiction([other.number, *first, *second])


def path(known: Iterable[Decided], start: tuple[str, str], *, to: tuple[str, str]) -> list[int] | None:
    """Numbers of the must-links that join two sides, fewest first; empty for the same side, None for none."""
    beside: dict[tuple[str, str], list[tuple[int, tuple[str, str]]]] = {}
    for d in known:
        if d.kind is LinkDecision.MUST:
            beside.setdefault(d.left.node, []).append((d.number, d.right.node))
            beside.setdefault(d.right.node, []).append((d.number, d.left.node))
    seen: dict[tuple[str, str], list[int]] = {start: []}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if here == to:
            return seen[here]
        for number, there in beside.get(here, ()):
            if there not in seen:
                seen[there] = [*seen[here], number]
                waiting.append(there)
    return None


def _contradiction(numbers: list[int]) -> IndexRefusal:
    named = ", ".join(str(n) for n in sorted(set(numbers)))
    return IndexRefusal(
        "The decision was not taken",
        why=f"It contradicts decision{'s' if len(set(numbers)) > 1 else ''} {named}",
        next_step="If that was wrong, withdraw it: ids reference decide INDEX --withdraw NUMBER --reason TEXT",
    )
