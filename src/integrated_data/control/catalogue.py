"""The catalogue as it is searched: words by rank, narrowed by facets. Full text is SQLite's (FTS5, BM25).

On another database every item is looked through for the words: right, but slower, and ranked more plainly.
A value of a facet keeps the items that have it as bits, so that to narrow and to count is to combine numbers.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from heapq import nsmallest
from itertools import chain, islice
from operator import and_, or_
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

_FIRST, _LAST = "0001-01-01", "9999-12-31"
_KEY = ("facet", "value", "starts", "ends")
_ALL = sa.select(*(facet.c[name] for name in _KEY), facet.c["items"].label("items_"))
_HELD = sa.select(facet.c.facet, facet.c.value, facet.c["items"])
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
_ONE = ord("1")
#: Rows of facets that are held at a time: all of them at once have the collector of garbage walk through them.
_PART = 256
_DAY = re.compile(r"((?:18|19|20|21)\d\d)(-\d\d-\d\d)?(?!\d)")


def put(connection: sa.Connection, release: int, *, entry: Mapping[str, Any], agreements: Iterable[Agreement]) -> None:
    """Make a release what is found of its dataset, in place of the one before."""
    dataset, variables = entry["dataset"], entry["variables"]
    held = connection.execute(sa.select(item.c.id, item.c.owner).where(item.c.dataset == dataset)).first()
    connection.execute(sa.delete(item).where(item.c.dataset == dataset))
    first, last = _period(variables)
    words = " ".join(_tokens(" ".join(f"{v['name']} {v['title']} {v['meaning']}" for v in variables)))
    number = connection.execute(
        sa.insert(item).values(
            **({} if held is None else {"id": held.id}), release=release, dataset=dataset, title=entry["title"],
            owner=entry["owner"], variables=words, rows=entry["rows"], width=len(variables),
            indexes=sorted(entry["links"]), first=first, last=last,
        ).returning(item.c.id)
    ).scalar_one()  # fmt: skip
    values = {(Facet.OWNER, entry["owner"][:256])} | {(Facet.INDEX, index) for index in entry["links"]}
    values |= {(Facet.MEANING, v["meaning"]) for v in variables if v["meaning"] != Meaning.UNKNOWN}
    values |= {(Facet.PERIOD, decade) for decade in _decades(first, last)}
    told = {(f.value, v, _FIRST, _LAST) for f, v in values} | _conditions(agreements)
    if held is None:
        _tell(connection, number, told=told, among=_is_one_of(told))
    else:  # there are as many owners as datasets where nobody wrote a contract; conditions were told as they changed
        its = _is_one_of(told | {(Facet.OWNER.value, held.owner[:256], _FIRST, _LAST)})
        few = [name.value for name in (Facet.INDEX, Facet.MEANING, Facet.PERIOD)]
        _tell(connection, number, told=told, among=sa.or_(its, facet.c.facet.in_(few)))


def remove(connection: sa.Connection, dataset: str) -> None:
    """Take a dataset out of the catalogue, where it is in it."""
    number = connection.execute(sa.select(item.c.id).where(item.c.dataset == dataset)).scalar()
    if number is not None:
        _tell(connection, number, told=set(), among=sa.true())
        connection.execute(sa.delete(item).where(item.c.id == number))


def restate(connection: sa.Connection, dataset: str, *, agreements: Iterable[Agreement]) -> None:
    """Tell the conditions of a dataset anew from its agreements; nothing where nothing of it is published."""
    number = connection.execute(sa.select(item.c.id).where(item.c.dataset == dataset)).scalar()
    if number is not None:
        _tell(connection, number, told=_conditions(agreements), among=facet.c.facet == Facet.CONDITION.value)


def tell_concepts(connection: sa.Connection, dataset: str, *, concepts: Iterable[str]) -> None:
    """Tell which harmonised concepts a dataset's variables map to; it holds for its later releases too."""
    number = connection.execute(sa.select(item.c.id).where(item.c.dataset == dataset)).scalar()
    if number is not None:
        told = {(Facet.CONCEPT.value, concept, _FIRST, _LAST) for concept in concepts}
        _tell(connection, number, told=told, among=facet.c.facet == Facet.CONCEPT.value)


def _is_one_of(keys: Iterable[tuple[str, str, str, str]]) -> sa.ColumnElement[bool]:
    """The rows with these keys; SQLite looks each up, where for a list of whole keys it would read every row."""
    by_days: dict[tuple[str, str, str], list[str]] = {}
    for name, value, starts, ends in sorted(keys):
        by_days.setdefault((name, starts, ends), []).append(value)
    f = facet.c
    return sa.or_(
        sa.false(),
        *(
            sa.and_(f.facet == name, f.value.in_(values), f.starts == starts, f.ends == ends)
            for (name, starts, ends), values in by_days.items()
        ),
    )


def search(connection: sa.Connection, wanted: Wanted, *, day: date) -> list[dict[str, Any]]:
    """Datasets found, the best first: name, title, owner, rows, variables, indexes, first and last day.

    `day`: on which conditions of use are to hold. Refuses more than `MOST_WORDS` words.
    """
    words, allowed = _words(wanted.words), _allowed(connection, wanted, day=day)
    query = _having(connection, words)
    if words and _full_text(connection):
        query = query.order_by(_RANK, _WORDS.c.rowid)
        if allowed is not None:  # so that the others are not ranked; their number plus nothing is no way to look up
            query = query.where((_WORDS.c.rowid + 0).in_(_numbers(allowed)))
    else:
        query = query.order_by(_plain_rank(words).desc(), item.c.dataset)
    if allowed is None:
        ids = list(connection.execute(query.limit(wanted.most).offset(wanted.skip)).scalars())
    else:
        among = (one for one in connection.execute(query).scalars() if allowed >> one & 1)
        ids = list(islice(among, wanted.skip, wanted.skip + wanted.most))
    told = sa.select(
        item.c.id, item.c.dataset, item.c.title, item.c.owner, item.c.rows, item.c.width.label("variables"),
        item.c.indexes, item.c.first, item.c.last,
    )  # fmt: skip
    rows = {row["id"]: dict(row) for row in connection.execute(told.where(item.c.id.in_(ids))).mappings()}
    return [{k: v for k, v in rows[one].items() if k != "id"} for one in ids]


def facets(connection: sa.Connection, wanted: Wanted, *, day: date) -> dict[str, Any]:
    """How many datasets a search finds, and how many of them have each value of each facet, the commonest first."""
    allowed = _allowed(connection, wanted, day=day)
    found = _bits(connection, _having(connection, _words(wanted.words)))
    found &= found if allowed is None else allowed
    having: dict[str, dict[str, int]] = {name.value: {} for name in Facet}
    held = connection.execute(_HELD.where(_holds(day))).partitions(_PART)
    for name, value, items in chain.from_iterable(held):
        if its := int.from_bytes(items, "little") & found:  # most owners have few datasets
            having[name][value] = having[name].get(value, 0) | its
    told = {}
    for name, of in having.items():
        commonest = nsmallest(MOST_VALUES, ((-its.bit_count(), value) for value, its in of.items()))
        told[name] = {value: -n for n, value in commonest}
    return {"datasets": found.bit_count(), "facets": told}


def _having(connection: sa.Connection, words: list[str]) -> sa.Select[int]:
    """The numbers of the items in which every word occurs."""
    if words and _full_text(connection):
        return sa.select(_WORDS.c.rowid).where(_match(words))
    return sa.select(item.c.id).where(_all(words))


def _allowed(connection: sa.Connection, wanted: Wanted, *, day: date) -> int | None:
    """The items that facets and days allow, a bit for each; None where they narrow nothing."""
    found: list[int] = []
    for name, values in wanted.facets.items():
        rows = connection.execute(_ALL.where(_holds(day), facet.c.facet == name.value, facet.c.value.in_(values)))
        found.append(reduce(or_, (int.from_bytes(row.items_, "little") for row in rows), 0))
    if wanted.since is not None:
        found.append(_bits(connection, sa.select(item.c.id).where(item.c.last >= str(wanted.since))))
    if wanted.until is not None:
        found.append(_bits(connection, sa.select(item.c.id).where(item.c.first <= str(wanted.until))))
    return reduce(and_, found) if found else None


def _numbers(items: int) -> sa.Select[int]:
    held = [number for number, bit in enumerate(reversed(f"{items:b}")) if bit == "1"]
    return sa.select(sa.func.json_each(json.dumps(held)).table_valued("value").c.value)


def _bits(connection: sa.Connection, numbers: sa.Select[int]) -> int:
    """A number with the bits that a query finds: its digits are put down, for that takes a tenth of setting each.

    The database tells them as one text: a row for each would be thousands of objects for the collector of garbage.
    """
    (number,) = numbers.subquery().c
    told = connection.execute(sa.select(sa.func.aggregate_strings(sa.cast(number, sa.Text), ","))).scalar()
    held = [int(one) for one in told.split(",")] if told else []
    most = max(held, default=0)
    digits = bytearray(b"0") * (most + 1)
    for one in held:
        digits[most - one] = _ONE
    return int(digits, 2)


def _holds(day: date) -> sa.ColumnElement[bool]:
    return (facet.c.starts <= day.isoformat()) & (facet.c.ends >= day.isoformat())


def _full_text(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _words(text: str) -> list[str]:
    found = _tokens(text)
    if len(found) > MOST_WORDS:
        raise UsageRefusal("Too many words to look for", next_step=f"Use at most {MOST_WORDS}")
    return found


def _tokens(text: str) -> list[str]:
    """The words of a text, each once."""
    return list(dict.fromkeys(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())))


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


def _tell(
    connection: sa.Connection, number: int, *, told: set[tuple[str, str, str, str]], among: sa.ColumnElement[bool]
) -> None:
    """Let an item have these values of facets, and no others `among` those that are there."""
    f, bit = facet.c, 1 << number
    here = [f[name] == sa.bindparam(f"its_{name}") for name in _KEY]
    known = {
        (row.facet, row.value, row.starts, row.ends): int.from_bytes(row.items_, "little")
        for row in connection.execute(_ALL.where(among))
    }
    new, more, empty = [], [], []
    for key in known.keys() | told:
        items = known.get(key, 0)
        now = items | bit if key in told else items & ~bit
        packed = now.to_bytes(now.bit_length() // 8 + 1, "little")
        its = {f"its_{name}": value for name, value in zip(_KEY, key, strict=True)}
        if now and not items:
            new.append(dict(zip(_KEY, key, strict=True), items=packed))
        elif not now:
            empty.append(its)
        elif now != items:
            more.append(its | {"packed": packed})
    for change, rows in (
        (sa.insert(facet), new),
        (sa.update(facet).where(*here).values(items=sa.bindparam("packed")), more),
        (sa.delete(facet).where(*here), empty),
    ):
        if rows:
            connection.execute(change, rows)


def _conditions(agreements: Iterable[Agreement]) -> set[tuple[str, str, str, str]]:
    """What agreements ask, for the days on which each holds; a suspended one says nothing."""
    found = set()
    for one in agreements:
        if one.suspended:
            continue
        told = [f"purpose: {purpose}" for purpose in one.purposes] + [f"gateway: {one.gateway}"]
        told += ["commercial licence"] if one.licence else []
        told += [] if one.index_by_default else ["no keys"]
        told += [] if one.conditions.derived_products else ["no derived products"]
        told += [] if one.conditions.automatic else ["outputs reviewed by people"]
        found |= {(Facet.CONDITION.value, text, one.starts.isoformat(), one.ends.isoformat()) for text in told}
    return found


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
