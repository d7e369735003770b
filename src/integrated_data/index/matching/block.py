"""Blocking: which pairs are worth comparing, by integer keys that are kept with the index."""

from collections.abc import Collection

from integrated_data.engine import Engine
from integrated_data.index.matching.definition import Key, MatchDefinition
from integrated_data.vocabulary.sql import name

#: Keys are the engine's own hashes. A version remembers what the engine made of this; another
#: answer (a new release of the engine) means that its stored keys must be made again.
PROBE_SQL = "SELECT hash('key', 1, 'probe') >> 1 AS answer"


def keys_sql(
    definition: MatchDefinition,
    relation: str,
    *,
    number: str,
    where: str = "TRUE",
    kinds: Collection[int] | None = None,
) -> str:
    """Keys of a cleaned relation: `kind` (place in the definition), `key` (63 bits), `number` (of the record).

    One row per record and key it has; a record with a missing part has no key of that kind. `where`
    chooses records, `kinds` keys (None: all).
    """
    chosen = f"(SELECT * FROM {name(relation)} WHERE {where})"
    return " UNION ALL ".join(
        _key_sql(kind, key, chosen=chosen, number=number)
        for kind, key in enumerate(definition.keys)
        if kinds is None or kind in kinds
    )


def _key_sql(kind: int, key: Key, *, chosen: str, number: str) -> str:
    source = (
        f"SELECT {name(number)} AS number, {', '.join(f'{p} AS p{i}' for i, p in enumerate(key.parts))} FROM {chosen}"
    )
    columns = [f"p{i}" for i in range(len(key.parts))]
    if key.each:
        source = f"SELECT * REPLACE (unnest({columns[-1]}) AS {columns[-1]}) FROM ({source})"
    present = " AND ".join(f"{c} IS NOT NULL" for c in columns)
    hashed = f"(hash({kind}, {', '.join(columns)}) >> 1)::BIGINT"
    return f"SELECT {kind}::TINYINT AS kind, {hashed} AS key, number FROM ({source}) WHERE {present}"


def row_keys_sql(definition: MatchDefinition) -> str:
    """The same keys as an expression over one cleaned row: for every kind in turn the list of its keys."""
    return f"[{', '.join(_row_key_sql(kind, key) for kind, key in enumerate(definition.keys))}]"


def _row_key_sql(kind: int, key: Key) -> str:
    present = " AND ".join(f"({part}) IS NOT NULL" for part in key.parts)
    if key.each:
        own = ", ".join([str(kind), *key.parts[:-1], "part"])
        elements = f"list_filter({key.parts[-1]}, lambda part: part IS NOT NULL)"
        listed = f"list_transform({elements}, lambda part: (hash({own}) >> 1)::BIGINT)"
    else:
        listed = f"[(hash({kind}, {', '.join(key.parts)}) >> 1)::BIGINT]"
    return f"CASE WHEN {present} THEN {listed} ELSE []::BIGINT[] END"


def stored_keys_sql(definition: MatchDefinition, forms: str, *, kind: int) -> str:
    """Keys of one kind as an index keeps them: `kind`, `key`, `entity`, sorted; too common ones are cut.

    `forms`: cleaned relation with `form` and `entity`. Which keys are too common is counted first: few
    are, while ranking them all by a window would sort them once more.
    """
    keys = keys_sql(definition, forms, number="entity", kinds=(kind,))
    return (
        f"WITH keyed AS MATERIALIZED (SELECT DISTINCT key, number AS entity FROM ({keys})), "
        f"common AS (SELECT key FROM keyed GROUP BY key HAVING count(*) > {definition.keys[kind].size}) "
        f"SELECT {kind}::TINYINT AS kind, key, entity FROM keyed ANTI JOIN common USING (key) ORDER BY key, entity"
    )


def store_keys(engine: Engine, definition: MatchDefinition, *, forms: str, out: str) -> None:
    """Make view `out` of all keys of `forms` as an index keeps them, in order; a table for each kind in turn,
    so that no more than one kind's keys are sorted at a time (see `key_tables`)."""
    tables = key_tables(definition, out)
    for kind, table in enumerate(tables):
        engine.create(table, stored_keys_sql(definition, forms, kind=kind))
    engine.view(out, " UNION ALL ".join(f"SELECT kind, key, entity FROM {name(table)}" for table in tables))


def key_tables(definition: MatchDefinition, out: str) -> tuple[str, ...]:
    """Tables that view `out` of `store_keys` reads."""
    return tuple(f"{out}_{kind}" for kind in range(len(definition.keys)))


def candidates_sql(
    definition: MatchDefinition, relation: str, *, index_keys: str, where: str = "TRUE", apart: str | None = None
) -> str:
    """Pairs worth comparing of a cleaned relation with `record`: `record`, `entity`, each once.

    A pair shares a key. A record is settled when one of its candidates shares all first keys, or as many
    as the policy says: further keys are then not made, and candidates that share half as many or fewer
    (of first keys: fewer than half), which most do, are left out because they cannot compete. `where`
    chooses records. `apart`: relation of pairs (`record`, `entity`) that are left out, as if the index did not
    hold the entity.
    """
    first, narrow, wide = turns(definition)
    held = f"SELECT * FROM {name(relation)} WHERE {where}"
    others = _sharing_sql(definition, "asked", kinds=narrow, index_keys=index_keys, apart=apart)
    found = f"SELECT record, entity, 1 AS shares FROM ({others})"
    steps = [f"asked AS ({held})"]
    chosen = []
    if first:
        sharing = _sharing_sql(definition, relation, kinds=first, index_keys=index_keys, where=where, apart=apart)
        steps = [
            f"first AS MATERIALIZED (SELECT record, entity, count(*) AS shares FROM ({sharing}) GROUP BY ALL)",
            f"plain AS MATERIALIZED (SELECT DISTINCT record FROM first WHERE shares = {len(first)})",
            f"asked AS MATERIALIZED (SELECT * FROM ({held}) ANTI JOIN plain USING (record))",
        ]
        chosen = [f"SELECT record, entity FROM first SEMI JOIN plain USING (record) WHERE 2 * shares >= {len(first)}"]
        found = f"SELECT * FROM first ANTI JOIN plain USING (record) UNION ALL {found}"
    steps += [
        f"narrow AS MATERIALIZED (SELECT record, entity, sum(shares) AS shares FROM ({found}) GROUP BY record, entity)",
        "settled AS MATERIALIZED (SELECT record, max(shares) AS most FROM narrow "
        f"GROUP BY record HAVING max(shares) >= {definition.policy.settled})",
        "unsettled AS MATERIALIZED (SELECT * FROM asked ANTI JOIN settled USING (record))",
    ]
    near = (
        "SELECT n.record, n.entity FROM narrow n LEFT JOIN settled s ON s.record = n.record "
        "WHERE s.most IS NULL OR 2 * n.shares > s.most"
    )
    if wide:
        near += f" UNION {_sharing_sql(definition, 'unsettled', kinds=wide, index_keys=index_keys, apart=apart)}"
    return f"WITH {', '.join(steps)} {' UNION ALL '.join([*chosen, f'({near})'])}"


def turns(definition: MatchDefinition) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Places of the first keys, of the other narrow ones, and of the wide ones."""
    places = tuple(enumerate(definition.keys))
    return (
        tuple(i for i, key in places if key.first),
        tuple(i for i, key in places if not key.first and not key.wide),
        tuple(i for i, key in places if key.wide),
    )


def _sharing_sql(
    definition: MatchDefinition,
    relation: str,
    *,
    kinds: Collection[int],
    index_keys: str,
    where: str = "TRUE",
    apart: str | None = None,
) -> str:
    """`record` and `entity`, once for every key of those kinds that they share."""
    keys = keys_sql(definition, relation, number="record", where=where, kinds=kinds)
    left = f"ANTI JOIN {name(apart)} a ON a.record = d.number AND a.entity = i.entity " if apart else ""
    return (
        f"SELECT d.number AS record, i.entity FROM ({keys}) d JOIN {name(index_keys)} i ON i.key = d.key "
        f"{left}WHERE i.kind IN ({', '.join(map(str, kinds))})"
    )
