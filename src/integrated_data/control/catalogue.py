"""The catalogue as it is searched: words by rank, narrowed by facets. Full text is SQLite's (FTS5, BM25).

On another database every item is looked through for the words: right, but slower, and ranked more plainly.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from integrated_data.control.catalogue_tables import catalogue_facet as facet
from integrated_data.control.catalogue_tables import catalogue_item as item
from integrated_data.model.agreement import Agreement
from integrated_data.model.catalogue import MOST_WORDS, Facet, Wanted
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.meanings import Meaning

#: Values that are told of each facet, the commonest first.
MOST_VALUES = 20

#: What a word counts for in a dataset's name, its title, its owner, its variables.
_WEIGHTS = (10.0, 8.0, 3.0, 1.0)

#: Datasets whose facets are looked up one by one.
_FEW = 300

_FIRST, _LAST = "0001-01-01", "9999-12-31"
_WORDS = sa.table("catalogue_words", sa.column("rowid", sa.Integer))
_RANK: sa.ColumnElement[float] = sa.literal_column(f"bm25(catalogue_words, {', '.join(map(str, _WEIGHTS))})")
_PLAIN = (item.c.dataset, item.c.title, item.c.owner, item.c.variables)

#: Meanings whose least and greatest values tell what period a dataset is about.
_DATED = frozenset(
    {
        Meaning.EVENT_DATE, Meaning.EFFECTIVE_FROM, Meaning.EFFECTIVE_TO, Meaning.REGISTERED_FROM,
        Meaning.REGISTERED_TO, Meaning.MONTH, Meaning.QUARTER, Meaning.YEAR,
    }
)  # fmt: skip
_DAY = re.compile(r"((?:18|19|20|21)\d\d)(-\d\d-\d\d)?(?!\d)")


def put(connection: sa.Connection, release: int, *, entry: Mapping[str, Any], agreements: Iterable[Agreement]) -> None:
    """Make a release what is found of its dataset, in place of the one before."""
    dataset, variables = entry["dataset"], entry["variables"]
    before = sa.select(item.c.id).where(item.c.dataset == dataset)
    connection.execute(sa.delete(facet).where(facet.c.item.in_(before)))
    connection.execute(sa.delete(item).where(item.c.dataset == dataset))
    first, last = _period(variables)
    words = "\n".join(f"{v['name']} {v['title']} {v['meaning'].replace('_', ' ')}" for v in variables)
    connection.execute(
        sa.insert(item).values(
            id=release, dataset=dataset, title=entry["title"], owner=entry["owner"], variables=words,
            rows=entry["rows"], width=len(variables), indexes=sorted(entry["links"]), first=first, last=last,
        )
    )  # fmt: skip
    values = {(Facet.OWNER, entry["owner"][:256])} | {(Facet.INDEX, index) for index in entry["links"]}
    values |= {(Facet.MEANING, v["meaning"]) for v in variables if v["meaning"] != Meaning.UNKNOWN}
    values |= {(Facet.PERIOD, decade) for decade in _decades(first, last)}
    _add(connection, release, values=((f, v, _FIRST, _LAST) for f, v in values))
    _add(connection, release, values=_conditions(agreements))


def restate(connection: sa.Connection, dataset: str, *, agreements: Iterable[Agreement]) -> None:
    """Tell the conditions of a dataset anew from its agreements; nothing where nothing of it is published."""
    found = connection.execute(sa.select(item.c.id).where(item.c.dataset == dataset)).scalar()
    if found is not None:
        old = (facet.c.item == found) & (facet.c.facet == Facet.CONDITION)
        connection.execute(sa.delete(facet).where(old))
        _add(connection, found, values=_conditions(agreements))


def search(connection: sa.Connection, wanted: Wanted, *, day: date) -> list[dict[str, Any]]:
    """Datasets found, the best first: name, title, owner, rows, variables, indexes, first and last day.

    `day`: on which conditions of use are to hold. Refuses more than `MOST_WORDS` words.
    """
    words = _words(wanted.words)
    if words and _full_text(connection):
        query = sa.select(_WORDS.c.rowid).where(_match(words)).order_by(_RANK, _WORDS.c.rowid)
        query = _narrow(query, wanted, by=_WORDS.c.rowid, day=day)
    else:
        query = sa.select(item.c.id).where(_all(words)).order_by(_plain_rank(words).desc(), item.c.dataset)
        query = _narrow(query, wanted, by=item.c.id, day=day)
    ids = list(connection.execute(query.limit(wanted.most).offset(wanted.skip)).scalars())
    told = sa.select(
        item.c.id, item.c.dataset, item.c.title, item.c.owner, item.c.rows, item.c.width.label("variables"),
        item.c.indexes, item.c.first, item.c.last,
    )  # fmt: skip
    rows = {row["id"]: dict(row) for row in connection.execute(told.where(item.c.id.in_(ids))).mappings()}
    return [{k: v for k, v in rows[one].items() if k != "id"} for one in ids]


def facets(connection: sa.Connection, wanted: Wanted, *, day: date) -> dict[str, Any]:
    """How many datasets a search finds, and how many of them have each value of each facet, the commonest first."""
    words = _words(wanted.words)
    if words and _full_text(connection):
        found = _narrow(sa.select(_WORDS.c.rowid).where(_match(words)), wanted, by=_WORDS.c.rowid, day=day)
    else:
        found = _narrow(sa.select(item.c.id).where(_all(words)), wanted, by=item.c.id, day=day)
    ids = list(connection.execute(found).scalars())
    among: sa.ColumnElement[bool] = sa.true()
    if words or wanted.facets or wanted.since or wanted.until:
        among = _among(ids)
    lasting = facet.c.facet != Facet.CONDITION  # of the others, one dataset may have the same from two agreements
    counted: dict[str, list[tuple[int, str]]] = {name.value: [] for name in Facet}
    for part, number in ((lasting, sa.func.count()), (~lasting, sa.func.count(facet.c.item.distinct()))):
        query = sa.select(facet.c.facet, facet.c.value, number).where(part, _holds(day), among)
        for name, value, n in connection.execute(query.group_by(facet.c.facet, facet.c.value)):
            counted[name].append((-n, value))
    told = {name: {value: -n for n, value in sorted(of)[:MOST_VALUES]} for name, of in counted.items()}
    return {"datasets": len(ids), "facets": told}


def _among(ids: list[int]) -> sa.ColumnElement[bool]:
    """Whether a facet is of one of these: few are looked up; where they are many, facets are read in their order."""
    if len(ids) <= _FEW:
        return facet.c.item.in_(ids)
    return (facet.c.item + 0).in_(sa.bindparam("ids", ids, expanding=True, literal_execute=True))


def _narrow(query: sa.Select[int], wanted: Wanted, *, by: sa.ColumnElement[int], day: date) -> sa.Select[int]:
    for name, values in wanted.facets.items():
        having = (facet.c.facet == name.value) & facet.c.value.in_(values) & _holds(day)
        query = query.where(by.in_(sa.select(facet.c.item).where(having)))
    if wanted.since is not None:
        query = query.where(by.in_(sa.select(item.c.id).where(item.c.last >= wanted.since.isoformat())))
    if wanted.until is not None:
        query = query.where(by.in_(sa.select(item.c.id).where(item.c.first <= wanted.until.isoformat())))
    return query


def _holds(day: date) -> sa.ColumnElement[bool]:
    return (facet.c.starts <= day.isoformat()) & (facet.c.ends >= day.isoformat())


def _full_text(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _words(text: str) -> list[str]:
    found = list(dict.fromkeys(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())))
    if len(found) > MOST_WORDS:
        raise UsageRefusal("Too many words to look for", next_step=f"Use at most {MOST_WORDS}")
    return found


def _match(words: list[str]) -> sa.ColumnElement[bool]:
    """Every word, whole or as the beginning of one; quoted, so that none is an operator."""
    wanted = " ".join(f'"{word}"*' for word in words)
    return sa.literal_column("catalogue_words", sa.Text).op("MATCH", is_comparison=True)(wanted)


def _all(words: list[str]) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true(), *(sa.or_(*(_has(column, word) for column in _PLAIN)) for word in words))


def _plain_rank(words: list[str]) -> sa.ColumnElement[float]:
    weighted = zip(_PLAIN, _WEIGHTS, strict=True)
    parts = [sa.case((_has(c, word), weight), else_=0.0) for c, weight in weighted for word in words]
    return sum(parts, start=sa.literal(0.0))


def _has(column: sa.ColumnElement[str], word: str) -> sa.ColumnElement[bool]:
    return sa.func.lower(column).contains(word, autoescape=True)


def _add(connection: sa.Connection, release: int, *, values: Iterable[tuple[str, str, str, str]]) -> None:
    rows = [{"item": release, "facet": f, "value": v, "starts": s, "ends": e} for f, v, s, e in sorted(set(values))]
    if rows:
        connection.execute(sa.insert(facet), rows)


def _conditions(agreements: Iterable[Agreement]) -> Iterator[tuple[str, str, str, str]]:
    """What agreements ask, for the days on which each holds; a suspended one says nothing."""
    for one in agreements:
        if one.suspended:
            continue
        told = [f"purpose: {purpose}" for purpose in one.purposes] + [f"gateway: {one.gateway}"]
        told += ["commercial licence"] if one.licence else []
        told += [] if one.index_by_default else ["no keys"]
        told += [] if one.conditions.derived_products else ["no derived products"]
        told += [] if one.conditions.automatic else ["outputs reviewed by people"]
        yield from ((Facet.CONDITION, text, one.starts.isoformat(), one.ends.isoformat()) for text in told)


def _period(variables: Iterable[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """The first and last day that dated variables tell of; None where none does."""
    lows, highs = [], []
    for one in variables:
        if one["meaning"] in _DATED:
            low, high = (_DAY.match(str(one["profile"].get(end, ""))) for end in ("low", "high"))
            lows += [low[1] + (low[2] or "-01-01")] if low else []
            highs += [high[1] + (high[2] or "-12-31")] if high else []
    return min(lows, default=None), max(highs, default=None)


def _decades(first: str | None, last: str | None) -> list[str]:
    if first is None or last is None:
        return []
    return [f"{decade}s" for decade in range(int(first[:3]) * 10, int(last[:4]) + 1, 10)]
