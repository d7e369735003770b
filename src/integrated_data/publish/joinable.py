"""How many entities two datasets share, as the catalogue may tell it: roughly, or that they are few.

A count is told as a multiple of a fixed base, with an offset that a key gives each pair for good. So nobody knows
where the next multiple begins: that a figure moves between two releases does not tell how many there are, and that
it stays tells nothing. Fewer than the minimum are always told as fewer than the base, as are many a number above.
"""

import hashlib
import hmac
from collections.abc import Sequence

from integrated_data.model.linkage import PROVISIONAL
from integrated_data.vocabulary.sql import name, text

#: The least base. Where more people must be behind a count, it is the next power of ten times this.
BASE = 100


def told(count: int, *, minimum: int, key: bytes, index: str, datasets: Sequence[str]) -> tuple[int | None, int]:
    """What is told of an exact count, and the base. The same pair has the same offset, whichever comes first."""
    base = BASE
    while base < 2 * minimum:
        base *= 10
    pair = "\n".join([index, str(base), *sorted(datasets)]).encode()
    drawn = int.from_bytes(hmac.digest(key, pair, hashlib.sha256)[:8], "big")
    offset = drawn % (base - minimum + 1)  # never so large that fewer than the minimum would reach the base
    about = (count + offset) // base * base
    return (about or None), base


def entities_sql(relation: str, key: str, *, heirs: str | None) -> str:
    """The entities (`e`) that accepted links of a published table are to, each once; `heirs`: old_id, new_id.

    Provisional entities are left out: no source of the index knows them.
    """
    entity, method = f"r.{name(f'{key}_entity')}", f"r.{name(f'{key}_link_method')}"
    now = f"coalesce(h.new_id, {entity})" if heirs else entity
    joined = f" LEFT JOIN {name(heirs)} AS h ON h.old_id = {entity}" if heirs else ""
    return (
        f"SELECT DISTINCT {now} AS e FROM {name(relation)} AS r{joined} "
        f"WHERE {entity} IS NOT NULL AND NOT coalesce(starts_with({method}, {text(PROVISIONAL)}), FALSE)"
    )


def shared_sql(one: str, other: str) -> str:
    """How many entities (`n`) two relations of entities share."""
    return f"SELECT count(*) AS n FROM {name(one)} SEMI JOIN {name(other)} USING (e)"
