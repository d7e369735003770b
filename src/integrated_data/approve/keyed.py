"""Keyed: SELECTs of a release in which entity ids have become a project's own tokens.

Tokens are made outside SQL and joined as data, for the length of one copy. Where the rows of a release
come in one order, the tokens of every row lie beside it and are joined by position, which costs half of
a join; the entity goes with each token and is compared, so that a row can never be given another's.
Where they do not, or are too many to hold, each entity of the release stands once in a crosswalk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.approve import linked
from integrated_data.approve.answers import ENTITY, LINK, Answer, crosswalk_sql
from integrated_data.engine import Engine, Held
from integrated_data.vocabulary import sql

#: What a copy holds of a link beside its key.
SHOWN = tuple(suffix for suffix in LINK if suffix != ENTITY)

#: Most ids that are held in memory beside the rows of a release: 16 bytes each.
MOST_BESIDE = 50_000_000

BESIDE, SUCCESSION = "_tokens", "_succession"


class Tokens(Protocol):
    """Makes one project's tokens; the loading side hands it in, with the key inside."""

    def of(self, index: str, entities: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of entity ids of an index: same length, distinct ids to distinct tokens."""
        ...


@dataclass(frozen=True)
class Asked:
    """What is asked of `relation`, which is called r in SQL.

    `columns`: of each payload column, the SQL of its value. `answers`: of each key, see `answers.Answer`.
    `where`: the condition on rows, or nothing.
    """

    relation: str
    keys: Sequence[str]
    columns: Mapping[str, str]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    where: str = ""


def fits(engine: Engine, asked: Asked) -> bool:
    """Whether a token for each row and key can be held in memory."""
    rows = int(engine.rows(f"SELECT count(*) AS n FROM {sql.name(asked.relation)}")["n"][0].as_py())
    return rows * len(asked.keys) <= MOST_BESIDE


def by_position(engine: Engine, tokens: Tokens, *, asked: Asked, made: list[str]) -> str:
    """SELECT of a relation whose rows come in the same order each time; what is made is noted in `made`."""
    if not asked.keys:
        return _select(engine, asked, keys=[], joins="", made=made)
    entities = ", ".join(sql.name(key + ENTITY) for key in asked.keys)
    found = engine.rows(f"SELECT {entities} FROM {sql.name(asked.relation)}")
    beside: dict[str, pa.Array] = {}
    for number, key in enumerate(asked.keys):
        entity = found.column(number).combine_chunks().cast(pa.int64())
        beside |= {f"entity_{number}": entity, f"token_{number}": _tokens(tokens, key, entities=entity, asked=asked)}
    made.append(BESIDE)
    engine.load(BESIDE, Held(pa.table(beside)))
    told = "error('Tokens do not lie beside their rows')"
    keys = [
        f"CASE WHEN r.{sql.name(key + ENTITY)} IS NOT DISTINCT FROM b.entity_{number} THEN b.token_{number} "
        f"ELSE {told} END"
        for number, key in enumerate(asked.keys)
    ]
    return _select(engine, asked, keys=keys, joins=f"POSITIONAL JOIN {BESIDE} b", made=made)


def _tokens(tokens: Tokens, key: str, *, entities: pa.Array, asked: Asked) -> pa.Array:
    """The token of every row's entity, or of the one that stands for it in the version wanted; null without one."""
    absent = np.asarray(entities.is_null())
    ids = np.asarray(entities.fill_null(0))
    answer = asked.answers.get(key)
    if answer is not None and answer.succession is not None:
        ids = _succeeded(ids, answer.succession)
    return pa.array(tokens.of(key, ids), mask=absent)


def _succeeded(ids: NDArray[np.int64], succession: pa.Table) -> NDArray[np.int64]:
    old = np.asarray(succession.column("old_id").combine_chunks().cast(pa.int64()))
    new = np.asarray(succession.column("new_id").combine_chunks().cast(pa.int64()))
    order = np.argsort(old)
    old, new = old[order], new[order]
    at = np.minimum(np.searchsorted(old, ids), len(old) - 1)
    return np.where(old[at] == ids, new[at], ids)


def by_crosswalk(engine: Engine, tokens: Tokens, *, asked: Asked, made: list[str]) -> str:
    """SELECT of a relation in any order; what is made is noted in `made`."""
    keys, joins = [], []
    for number, key in enumerate(asked.keys):
        made.append(f"_crosswalk_{number}")
        engine.load(made[-1], Held(_crosswalk(engine, tokens, key=key, asked=asked)))
        keys.append(f"x{number}.token")
        joins.append(f"LEFT JOIN {made[-1]} x{number} ON x{number}.entity = r.{sql.name(key + ENTITY)}")
    return _select(engine, asked, keys=keys, joins=" ".join(joins), made=made)


def _crosswalk(engine: Engine, tokens: Tokens, *, key: str, asked: Asked) -> pa.Table:
    """Each entity id of the release, and the token of the entity that stands for it in the version wanted."""
    answer = asked.answers.get(key)
    succession = answer.succession if answer is not None else None
    if succession is not None:
        engine.load(SUCCESSION, Held(succession))
    try:
        named = SUCCESSION if succession is not None else None
        found = engine.rows(crosswalk_sql(asked.relation, key, succession=named))
    finally:
        engine.drop(SUCCESSION)
    current = found.column("current").cast(pa.int64()).to_numpy()
    return pa.table({"entity": found.column("entity"), "token": tokens.of(key, current)})


def _select(engine: Engine, asked: Asked, *, keys: Sequence[str], joins: str, made: list[str]) -> str:
    links, classes = linked.shown(engine, asked.relation, keys=asked.keys, where=asked.where, made=made)
    parts = []
    for number, (key, token) in enumerate(zip(asked.keys, keys, strict=True)):
        parts.append(f"{token} AS {sql.name(key + '_key')}")
        shown = zip(links[2 * number : 2 * number + 2], SHOWN, strict=True)
        parts += [f"{value} AS {sql.name(key + suffix)}" for value, suffix in shown]
    shared, weights = linked.weights(engine, asked.relation, columns=asked.columns, where=asked.where, made=made)
    parts += [f"{shared.get(column, value)} AS {sql.name(column)}" for column, value in asked.columns.items()]
    ordered = ", ".join([*(sql.name(key + "_key") for key in asked.keys), "random()"])
    source = f"{sql.name(asked.relation)} r {joins} {classes} {weights} {asked.where}"
    return f"SELECT {', '.join(parts)} FROM {source} ORDER BY {ordered}"
