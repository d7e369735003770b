"""Linked: the probability and method of links as a project sees them, made too coarse to know a record again by.

A model's probability has so many digits that it names its record: two projects' extracts could be joined on
it. So it is cut to two decimals, downwards, and every value of what the service adds to a row (probability
and method, of all its keys together) is shared by at least `FEWEST` rows of the copy. Rarer ones become one:
the least of their probabilities, which is still true of all, and the method `other`. What kind of link it
is, to an index or provisional, stays, for it decides who counts as a person.

A weight for missed links tells the cell of its record. Each is shared by `FEWEST` rows too: weights that
fewer rows have become one with the nearest, their mean, so that totals stay what they were.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.model.linkage import PROVISIONAL
from integrated_data.vocabulary import sql

#: Rows that must share what the service adds to them; as many as people must stand behind a released cell.
FEWEST = 10

OTHER = "other"

CLASSES, WEIGHT = "_link_classes", "_link_weight"


def probability_sql(key: str) -> str:
    """The probability of a link of relation `r`, cut to two decimals; what is stored as 0.99 stays 0.99."""
    return f"(floor(r.{sql.name(key + '_link_probability')} * 100 + 0.00001) / 100)::FLOAT"


def shown(engine: Engine, relation: str, *, keys: Sequence[str], where: str, made: list[str]) -> tuple[list[str], str]:
    """SELECT parts of every key's probability and method, and the join that they need; what is made is noted."""
    methods = [f"r.{sql.name(key + '_link_method')}" for key in keys]
    rare = _rare(engine, relation, keys=keys, where=where) if keys else []
    parts = [probability_sql(key) for key in keys]
    if not rare:
        return [p for pair in zip(parts, methods, strict=True) for p in pair], ""
    made.append(CLASSES)
    engine.load(CLASSES, Held(_table(rare, keys)))
    both = enumerate(zip(parts, methods, strict=True))
    on = [f"c.p{n} IS NOT DISTINCT FROM {p} AND c.m{n} IS NOT DISTINCT FROM {m}" for n, (p, m) in both]
    told = []
    for n, (part, method) in enumerate(zip(parts, methods, strict=True)):
        told.append(f"CASE WHEN c.rare THEN c.q{n} ELSE {part} END")
        told.append(f"CASE WHEN c.rare THEN c.o{n} ELSE {method} END")
    return told, f"LEFT JOIN {CLASSES} c ON {' AND '.join(on)}"


def _rare(engine: Engine, relation: str, *, keys: Sequence[str], where: str) -> list[dict[str, Any]]:
    """Classes of rows that must become one with others, with the probabilities that these then have (q0, q1 …)
    and methods (o0, o1 …).

    Classes of the same kinds of link are gone through from the rarest on, until those gathered are
    enough and the next one is enough by itself.
    """
    parts = [f"{probability_sql(k)} AS p{n}, r.{sql.name(k + '_link_method')} AS m{n}" for n, k in enumerate(keys)]
    found = engine.rows(
        f"SELECT {', '.join(parts)}, count(*) AS n FROM {sql.name(relation)} r {where} GROUP BY ALL"
    ).to_pylist()
    alike: dict[tuple[str | None, ...], list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        kinds = tuple(_kind(each[f"m{n}"]) for n in range(len(keys)))
        if any(kinds):
            alike[kinds].append(each | {f"o{n}": kind for n, kind in enumerate(kinds)})
    rare: list[dict[str, Any]] = []
    for classes in alike.values():
        gathered: list[dict[str, Any]] = []
        for each in sorted(classes, key=lambda c: int(c["n"])):
            enough = not gathered or sum(c["n"] for c in gathered) >= FEWEST
            if each["n"] >= FEWEST and enough:
                break
            gathered.append(each)
        for n in range(len(keys)):
            least = min((c[f"p{n}"] for c in gathered if c[f"p{n}"] is not None), default=None)
            gathered = [c | {f"q{n}": least} for c in gathered]
        rare += gathered
    return rare


def _kind(method: str | None) -> str | None:
    """What the method of a rare link becomes; None where there is no link."""
    if method is None:
        return None
    return f"{PROVISIONAL}{OTHER}" if method.startswith(PROVISIONAL) else OTHER


def _table(rare: Sequence[dict[str, Any]], keys: Sequence[str]) -> pa.Table:
    columns: dict[str, pa.Array] = {"rare": pa.array([True] * len(rare))}
    for n in range(len(keys)):
        for name, kind in (
            (f"p{n}", pa.float32()),
            (f"q{n}", pa.float32()),
            (f"m{n}", pa.string()),
            (f"o{n}", pa.string()),
        ):
            columns[name] = pa.array([each[name] for each in rare], kind)
    return pa.table(columns)


def weights(
    engine: Engine, relation: str, *, columns: Mapping[str, str], where: str, made: list[str]
) -> tuple[dict[str, str], str]:
    """SQL of every weight among the columns, and the joins that they need; what is made is noted."""
    told: dict[str, str] = {}
    joins: list[str] = []
    for column, value in columns.items():
        if not column.endswith(WEIGHT) or value != f"r.{sql.name(column)}":
            continue
        found = engine.rows(
            f"SELECT {value}::DOUBLE AS weight, count(*) AS n FROM {sql.name(relation)} r {where} GROUP BY 1 ORDER BY 1"
        ).to_pylist()
        shared = _shared([(float(each["weight"]), int(each["n"])) for each in found if each["weight"] is not None])
        if shared:
            made.append(f"_link_weights_{len(told)}")
            engine.load(made[-1], Held(pa.table({"weight": list(shared), "shown": list(shared.values())})))
            alias = f"w{len(told)}"
            joins.append(f"LEFT JOIN {made[-1]} {alias} ON {alias}.weight = {value}::DOUBLE")
            told[column] = f"coalesce({alias}.shown, {value}::DOUBLE)"
    return told, " ".join(joins)


def _shared(counted: Sequence[tuple[float, int]]) -> dict[float, float]:
    """Of weights in order, each with its rows: what those become that too few rows have, or that stand beside them."""
    groups: list[list[tuple[float, int]]] = []
    for each in counted:
        if not groups or sum(n for _, n in groups[-1]) >= FEWEST:
            groups.append([])
        groups[-1].append(each)
    if len(groups) > 1 and sum(n for _, n in groups[-1]) < FEWEST:
        last = groups.pop()
        groups[-1] += last
    means = [(group, sum(w * n for w, n in group) / sum(n for _, n in group)) for group in groups if len(group) > 1]
    return {weight: mean for group, mean in means for weight, _ in group}
