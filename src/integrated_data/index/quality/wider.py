"""A search for the entities of sampled records that goes wider than matching did.

Of an index with a model: every blocking key is loosened: of its parts, each in turn may differ. What a loosened key
finds is compared as in matching, with the weights that the definition assumes and not with those of
the model under test, and only to choose which entities a person is shown. Of any other index: entities that
share words with the record, whatever field they stand in, rare words counting more.
"""

from collections.abc import Sequence
from dataclasses import replace

from integrated_data.engine import Engine
from integrated_data.index import link
from integrated_data.index.matching import block, score
from integrated_data.index.matching.definition import Key, MatchDefinition
from integrated_data.index.matching.model import assumed
from integrated_data.index.past import Laid
from integrated_data.index.store import Version
from integrated_data.vocabulary.sql import name

#: Entities that share the value of a loosened key, at most: beyond it the value tells too little.
WIDEST = 3_000

#: Weights (log2) below this are no resemblance; nobody is shown such an entity. Unlikely ones are shown: a case
#: with one entity only would tell that it is the linked one.
FAINT = -8.0


def loosened(keys: Sequence[Key]) -> tuple[Key, ...]:
    """The keys, and each of them with one part left out; no key twice."""
    found: dict[tuple[str, ...], Key] = {}
    for key in keys:
        options = [(key.parts, key.each)]
        if len(key.parts) > 1:
            last = len(key.parts) - 1
            options += [(key.parts[:i] + key.parts[i + 1 :], key.each and i != last) for i in range(len(key.parts))]
        for parts, each in options:
            found.setdefault((*parts, str(each)), Key(" and ".join(parts), parts, each=each, size=WIDEST))
    return tuple(found.values())


def search(engine: Engine, version: Version, *, records: str, out: str) -> None:
    """Make table `out`: `record_id`, `entity_id`, `weight` of every entity that resembles a record at all.

    `records`: relation with `record_id` and meaning columns, of the sample alone.
    """
    work, definition = f"{out}_work", _wide(version.definition)
    made = [f"{work}_{t}" for t in ("records", "loose_keys", "keys", "pairs")]
    version.load(engine, f"{work}_index")
    try:
        link.clean(engine, definition, records=records, out=f"{work}_records")
        engine.create(f"{work}_keys", block.keys_sql(definition, f"{work}_records", number="record"))
        of_index = block.keys_sql(definition, f"{work}_index_forms", number="entity")
        engine.create(
            f"{work}_loose_keys",
            f"SELECT DISTINCT key, number AS entity FROM ({of_index}) WHERE key IN (SELECT key FROM "
            f"{name(f'{work}_keys')}) QUALIFY count(*) OVER (PARTITION BY key) <= {WIDEST}",
        )
        engine.create(
            f"{work}_pairs",
            f"SELECT DISTINCT k.number AS record, i.entity FROM {name(f'{work}_keys')} k "
            f"JOIN {name(f'{work}_loose_keys')} i ON i.key = k.key",
        )
        model = replace(assumed(version.definition), rivals=0.0)  # members of a household are shown too
        relations = score.Relations(f"{work}_pairs", f"{work}_records", f"{work}_index_forms")
        scored = score.scored_sql(
            version.definition, model, compared=score.compared_sql(version.definition, relations, tellers=model.told),
            among=version.about.entities, floor=FAINT,
        )  # fmt: skip
        engine.create(
            out,
            f"SELECT r.record_id, e.entity_id, s.weight FROM ({scored}) s "
            f"JOIN {name(f'{work}_records')} r ON r.record = s.record "
            f"JOIN {name(f'{work}_index_entities')} e ON e.entity = s.entity",
        )
    finally:
        engine.drop(*made)
        version.unload(engine, f"{work}_index")


def by_words(engine: Engine, laid: Laid, *, records: str, out: str) -> None:
    """Make table `out` like `search`, of an index without a model: by the words that records and entities share.

    A word of more than WIDEST entities tells nothing. `weight` is the sum of log2 of how rare the words are.
    """
    held = [c for c in engine.columns(records) if c in laid.attributes]
    work = [f"{out}_{t}" for t in ("asked", "known")]
    said = ", ".join(f"{name(c)}::VARCHAR" for c in held) or "''"
    words = f"unnest(list_distinct(regexp_extract_all(upper(strip_accents(concat_ws(' ', {said}))), '[A-Z0-9]+')))"
    engine.create(work[0], f"SELECT record_id, {words} AS word FROM {name(records)}")
    engine.create(
        work[1],
        f"SELECT DISTINCT entity_id, word FROM (SELECT entity_id, {words} AS word FROM {laid.of('attributes')} "
        f"WHERE recorded_to IS NULL) SEMI JOIN {name(work[0])} USING (word)",
    )
    every = f"(SELECT count(*) FROM {laid.of('entities')})"
    engine.create(
        out,
        f"SELECT a.record_id, k.entity_id, sum(log2({every} / f.entities + 1)) AS weight FROM {name(work[0])} AS a "
        f"JOIN (SELECT word, count(*) AS entities FROM {name(work[1])} GROUP BY word HAVING count(*) <= {WIDEST}) AS f "
        f"ON f.word = a.word JOIN {name(work[1])} AS k ON k.word = a.word GROUP BY a.record_id, k.entity_id",
    )
    engine.drop(*work)


def _wide(definition: MatchDefinition) -> MatchDefinition:
    return replace(definition, keys=loosened(definition.keys))
