"""Records whose entities are decided already: they join the entity they are said to be, or are new.

Provisional entities are built so. What an entity holds stays together; a new record joins the entity that
it was matched to, and only records that were matched to none are compared, with each other.
"""

import numpy as np

from integrated_data.engine import Engine
from integrated_data.index.matching.pairs import Compared
from integrated_data.model.linkage import LinkDecision
from integrated_data.vocabulary.sql import name, text


def among_new(engine: Engine, compared: Compared, *, settled: str, work: str) -> Compared:
    """The pairs of which both records are new: of no entity, by `settled` (record_id, entity_id)."""
    new = engine.rows(
        f"SELECT t.record FROM {name(f'{work}_told')} t JOIN {name(settled)} s ON s.record_id::VARCHAR = t.record_id "
        "WHERE s.entity_id IS NULL"
    )
    numbers = new.column("record").to_numpy().astype(np.int64)
    return compared.of(np.isin(compared.left, numbers) & np.isin(compared.right, numbers))


def bonds_sql(settled: str, *, work: str) -> str:
    """What must stay or come together: low, high (numbers of records), kind."""
    first = (
        f"SELECT entity, min(record) AS first FROM {name(f'{work}_stands')} WHERE entity IS NOT NULL GROUP BY entity"
    )
    held = (
        f"SELECT f.first, s.record FROM {name(f'{work}_stands')} s JOIN ({first}) f ON f.entity = s.entity "
        "WHERE s.record <> f.first"
    )
    joining = (
        f"SELECT f.first, t.record FROM {name(f'{work}_told')} t JOIN {name(settled)} s "
        f"ON s.record_id::VARCHAR = t.record_id JOIN {name(f'{work}_old_entities')} e ON e.entity_id = s.entity_id "
        f"JOIN ({first}) f ON f.entity = e.entity"
    )
    return (
        f"SELECT least(first, record) AS low, greatest(first, record) AS high, {text(LinkDecision.MUST)} AS kind "
        f"FROM ({held} UNION ALL {joining})"
    )
