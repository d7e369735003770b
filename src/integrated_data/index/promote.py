"""Provisional entities that a reference source brings: they go on in the index, or turn out to be another.

A provisional entity was made of records of deliveries, outside the index. When new records of a source are
found to be it (`met`: record_id, entity_id), a new entity of the index takes its id; where those records are
entities that the index has already, the provisional one is absorbed by the one that most of them are.
"""

from integrated_data.engine import Engine
from integrated_data.model.linkage import EntityEvent
from integrated_data.vocabulary.sql import name, text

FOUND = "a source brought what was known from deliveries only"

_VOTES = "count(*) DESC, min(m.entity_id)"


def promote(engine: Engine, *, groups: str, met: str, out: str) -> None:
    """Make `out` (grp, entity_id): the groups of new records that continue a provisional entity.

    `groups`: relation of `record_id` and `grp`. Each group continues one, and each goes on in one group:
    the one that most of its records are in, if it is the one most of that group's records are.
    """
    votes = (
        f"SELECT g.grp, m.entity_id, row_number() OVER (PARTITION BY g.grp ORDER BY {_VOTES}) AS of_group, "
        "row_number() OVER (PARTITION BY m.entity_id ORDER BY count(*) DESC, g.grp) AS of_entity "
        f"FROM {name(groups)} AS g JOIN {name(met)} AS m ON m.record_id = g.record_id GROUP BY g.grp, m.entity_id"
    )
    engine.create(out, f"SELECT grp, entity_id FROM ({votes}) WHERE of_group = 1 AND of_entity = 1")


def absorb(engine: Engine, *, members: str, met: str, out: str) -> None:
    """Make `out` (entity_id, other_id): provisional entities that go on in no group, and what absorbs each.

    `members`: relation of `record_id` and `entity_id`, all records of the source with their entities.
    """
    engine.create(
        out,
        f"SELECT m.entity_id, r.entity_id AS other_id FROM {name(met)} AS m JOIN {name(members)} AS r "
        f"ON r.record_id = m.record_id ANTI JOIN {name(members)} AS k ON k.entity_id = m.entity_id "
        "GROUP BY m.entity_id, r.entity_id "
        "QUALIFY row_number() OVER (PARTITION BY m.entity_id ORDER BY count(*) DESC, r.entity_id) = 1",
    )


def turns_sql(absorbed: str) -> str:
    """What became of the absorbed and of those that absorbed them, as turns (see `index.life`)."""
    gone = f"SELECT entity_id, {text(EntityEvent.ABSORBED)}, other_id FROM {name(absorbed)}"
    taken = f"SELECT other_id, {text(EntityEvent.MERGED)}, entity_id FROM {name(absorbed)}"
    return (
        f"SELECT *, NULL::VARCHAR AS effective_at, {text(FOUND)} AS reason FROM ({gone} UNION ALL {taken}) "
        "AS t(entity_id, event, other_id)"
    )
