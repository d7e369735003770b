"""What people decided about records: these two are one entity, those two are not.

A decision binds every version that holds both of its records, whatever a model says of them. Index
code is handed a relation of decisions:

    number, kind (`must` or `cannot`), left_source, left_record, right_source, right_record
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from integrated_data.model.linkage import LinkDecision
from integrated_data.vocabulary.sql import name

Record = tuple[str, str]  # source, record id

#: Decisions that a reason names.
NAMED = 5


@dataclass(frozen=True)
class Ruling:
    """One decision whose records are both there, with the entity (any number) each was put in."""

    number: int
    kind: LinkDecision
    left: Record
    right: Record
    entities: tuple[int, int]


@dataclass
class _Joined:
    """Things joined into sets."""

    parent: dict[object, object] = field(default_factory=dict)

    def of(self, one: object) -> object:
        """What stands for the set that holds `one`."""
        while (up := self.parent.get(one, one)) != one:
            self.parent[one] = self.parent.get(up, up)
            one = up
        return one

    def join(self, one: object, other: object) -> None:
        """Make one set of two."""
        self.parent[self.of(other)] = self.of(one)


def rulings_sql(decisions: str, members: str) -> str:
    """Decisions whose records are both in `members` (source, record_id, entity_id), with left_id and right_id."""
    return (
        f"SELECT d.*, l.entity_id AS left_id, r.entity_id AS right_id FROM {name(decisions)} AS d "
        f"JOIN {name(members)} AS l ON l.source = d.left_source AND l.record_id = d.left_record "
        f"JOIN {name(members)} AS r ON r.source = d.right_source AND r.record_id = d.right_record ORDER BY d.number"
    )


def rulings(rows: Iterable[Mapping[str, object]]) -> list[Ruling]:
    """Rows of `rulings_sql` as values."""
    return [
        Ruling(
            int(str(r["number"])), LinkDecision(str(r["kind"])), (str(r["left_source"]), str(r["left_record"])),
            (str(r["right_source"]), str(r["right_record"])), (int(str(r["left_id"])), int(str(r["right_id"]))),
        )
        for r in rows
    ]  # fmt: skip


def broken(found: Iterable[Ruling]) -> set[int]:
    """Entities whose records are not grouped as decided: all that must be grouped anew."""
    found = list(found)
    joined = _Joined()
    for ruling in found:
        if ruling.kind is LinkDecision.MUST:
            joined.join(*ruling.entities)
    wrong = {
        joined.of(r.entities[0])
        for r in found
        if (r.kind is LinkDecision.MUST and r.entities[0] != r.entities[1])
        or (r.kind is LinkDecision.CANNOT and joined.of(r.entities[0]) == joined.of(r.entities[1]))
    }
    return {e for r in found for e in r.entities if joined.of(e) in wrong}


def grouped(members: Mapping[Record, int], found: Iterable[Ruling]) -> dict[Record, int]:
    """The group (1, 2, …) of every record of the entities that `broken` named.

    Entities that must be one are pooled. In a pool, records that must be together stay together, and
    a record that is the right side of a cannot-link leaves whom it cannot be with; the others stay.
    """
    found = [r for r in found if r.left in members and r.right in members]
    pools, together = _Joined(), _Joined()
    for ruling in found:
        if ruling.kind is LinkDecision.MUST:
            pools.join(*ruling.entities)
            together.join(ruling.left, ruling.right)
    apart: dict[object, set[object]] = {}
    leaves: dict[object, int] = {}
    for ruling in found:
        if ruling.kind is LinkDecision.CANNOT:
            left, right = together.of(ruling.left), together.of(ruling.right)
            apart.setdefault(left, set()).add(right)
            apart.setdefault(right, set()).add(left)
            leaves.setdefault(right, ruling.number)
    held: dict[object, dict[object, list[Record]]] = {}
    for record, entity in sorted(members.items()):
        held.setdefault(pools.of(entity), {}).setdefault(together.of(record), []).append(record)
    made: dict[Record, int] = {}
    group = 0
    for pool in held.values():
        bins: list[set[object]] = []
        for cluster in sorted(pool, key=lambda c: (leaves.get(c, 0), pool[c][0])):
            fitting = next((i for i, b in enumerate(bins) if not b & apart.get(cluster, set())), len(bins))
            if fitting == len(bins):
                bins.append(set())
            bins[fitting].add(cluster)
            made |= dict.fromkeys(pool[cluster], group + fitting + 1)
        group += len(bins)
    return made


def because(found: Iterable[Ruling]) -> str:
    """Why records were grouped anew: the numbers of the decisions on entities that were not as decided."""
    found = list(found)
    wrong = broken(found)
    numbers = [str(r.number) for r in found if r.entities[0] in wrong or r.entities[1] in wrong]
    more = ", …" if len(numbers) > NAMED else ""
    return f"a person decided: {', '.join(numbers[:NAMED])}{more}"
