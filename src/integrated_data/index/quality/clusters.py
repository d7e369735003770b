"""The clerical sample of clusters: entities of several records, those that hang together weakly before others.

How an entity hangs together is told by its weakest bridge: of the best pairs that join all of its records
(a maximum spanning tree), the weight of the worst (log2 of the odds). Records that one pair alone joins, and
that weakly, are where two people were taken for one (Randall, Boyd, Ferrante, Bauer and Semmens, "Use of
graph theory measures to identify errors in record linkage", Computer Methods and Programs in Biomedicine 115,
2014). Half of the cases are those, half are drawn from all others, in an order that tells nothing.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from integrated_data.engine import Engine, Held
from integrated_data.index.build import number_sql
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.index.past import Laid
from integrated_data.index.store import Version
from integrated_data.model.review import MOST_RECORDS, Draw
from integrated_data.vocabulary.sql import name, text


@dataclass(frozen=True)
class Sampled:
    """What was drawn: entities of several records, how many of the cases are weakly bridged, and all cases."""

    clusters: int
    weak: int
    cases: int


def draw(engine: Engine, laid: Laid, *, version: Version | None, how: Draw, out: str) -> Sampled:
    """Make table `out`: number (from 1), entity_id, sources, records (lists, in the order shown), bridge, twice.

    `version`: for an index that keeps the pairs of its records; without them all cases are drawn alike.
    A cluster of more than MOST_RECORDS shows as many, drawn by chance.
    """
    several = f"{out}_several"
    counted = f"SELECT entity_id, count(*) AS n FROM {laid.of('records')} GROUP BY entity_id HAVING count(*) > 1"
    engine.create(several, counted)
    if version is not None:
        _bridge(engine, version, several=several, out=f"{out}_bridges")
    else:
        engine.create(f"{out}_bridges", f"SELECT entity_id, NULL::DOUBLE AS bridge FROM {name(several)}")
    lot = f"md5({text(f'{how.seed}/cluster/')} || entity_id::VARCHAR)"
    ranked = (
        f"SELECT entity_id, bridge, row_number() OVER (ORDER BY bridge, {lot}) AS weakness, bridge IS NOT NULL AS told "
        f"FROM {name(f'{out}_bridges')}"
    )
    weak = how.size // 2
    chosen = (
        f"SELECT *, told AND weakness <= {weak} AS weak FROM ({ranked}) "
        f"QUALIFY weak OR row_number() OVER (PARTITION BY weak ORDER BY {lot}) <= {how.size - weak}"
        if version is not None
        else f"SELECT *, FALSE AS weak FROM ({ranked}) QUALIFY row_number() OVER (ORDER BY {lot}) <= {how.size}"
    )
    engine.create(
        f"{out}_chosen",
        f"SELECT row_number() OVER (ORDER BY {lot} DESC) AS number, entity_id, bridge, weak, "
        f"row_number() OVER (ORDER BY md5({text(f'{how.seed}/twice/')} || entity_id::VARCHAR)) "
        f"<= ceil({how.double!r} * count(*) OVER ()) AS twice FROM ({chosen})",
    )
    by_chance = f"md5({text(f'{how.seed}/record/')} || r.source || '/' || r.record_id)"
    shown = (
        f"SELECT c.*, r.source, r.record_id, {by_chance} AS lot FROM {name(f'{out}_chosen')} AS c "
        f"JOIN {laid.of('records')} AS r ON r.entity_id = c.entity_id "
        f"QUALIFY row_number() OVER (PARTITION BY c.number ORDER BY lot) <= {MOST_RECORDS}"
    )
    engine.create(
        out,
        "SELECT number, entity_id, list(source ORDER BY lot) AS sources, list(record_id ORDER BY lot) AS records, "
        f"any_value(bridge) AS bridge, any_value(weak) AS weak, any_value(twice) AS twice FROM ({shown}) "
        "GROUP BY number, entity_id ORDER BY number",
    )
    counts = engine.rows(
        f"SELECT (SELECT count(*) FROM {name(several)}) AS clusters, count(*) FILTER (weak) AS weak, "
        f"count(*) AS cases FROM {name(out)}"
    ).to_pylist()[0]
    engine.drop(several, f"{out}_bridges", f"{out}_chosen")
    return Sampled(counts["clusters"], counts["weak"], counts["cases"])


def _bridge(engine: Engine, version: Version, *, several: str, out: str) -> None:
    """Make table `out` (entity_id, bridge) of entities of several records; none of whom people decided that
    records of theirs are one."""
    work = f"{out}_of"
    version.load(engine, work)
    try:
        number = number_sql("r.source", "r.record_id::VARCHAR")
        engine.create(
            f"{out}_records",
            f"SELECT {number} AS record, s.entity_id, row_number() OVER () - 1 AS place FROM "
            f"{name(f'{work}_records')} AS r JOIN {name(f'{work}_entities')} AS e ON e.entity = r.entity "
            f"JOIN {name(several)} AS s ON s.entity_id = e.entity_id",
        )
        both = (
            f"JOIN {name(f'{out}_records')} AS l ON l.record = p.low JOIN {name(f'{out}_records')} AS r "
            "ON r.record = p.high AND r.entity_id = l.entity_id"
        )
        pairs = engine.rows(
            "SELECT l.place AS low, r.place AS high, max(p.weight) AS weight FROM "
            f"{name(f'{work}_edges')} AS p {both} WHERE l.place <> r.place GROUP BY ALL ORDER BY ALL"
        )
        people = engine.rows(f"SELECT entity_id FROM {name(f'{out}_records')} ORDER BY place")
        decided = engine.rows(f"SELECT DISTINCT l.entity_id FROM {name(f'{work}_decided')} AS p {both}")
    finally:
        version.unload(engine, work)
        engine.drop(f"{out}_records")
    entity: Ints = people.column("entity_id").to_numpy().astype(np.int64)
    low, high = (pairs.column(c).to_numpy().astype(np.int64) for c in ("low", "high"))
    engine.load(f"{out}_told", Held(bridges(entity, low, high=high, weight=pairs.column("weight").to_numpy())))
    engine.load(f"{out}_decided", Held(decided))
    engine.create(
        out, f"SELECT t.* FROM {name(f'{out}_told')} AS t ANTI JOIN {name(f'{out}_decided')} USING (entity_id)"
    )
    engine.drop(f"{out}_told", f"{out}_decided")


def bridges(entity: Ints, low: Ints, *, high: Ints, weight: Floats) -> pa.Table:
    """`entity_id` and `bridge` of entities whose records pairs join; `low` and `high` are places in `entity`.

    Records that no pair joins to the others are not told of: something else than resemblance made them one.
    """
    strongest = float(weight.max()) if len(weight) else 0.0
    cost = strongest - weight + 1.0  # a cost of nothing would be no edge
    tree = minimum_spanning_tree(coo_array((cost, (low, high)), shape=(len(entity), len(entity))).tocsr()).tocoo()
    ids, place = np.unique(entity, return_inverse=True)
    records = np.bincount(place, minlength=len(ids))
    joined = np.bincount(place[tree.row], minlength=len(ids))
    weakest = np.full(len(ids), np.inf)
    np.minimum.at(weakest, place[tree.row], strongest + 1.0 - tree.data)
    told = joined == records - 1
    return pa.table({"entity_id": ids[told], "bridge": weakest[told]})
