"""What happened to businesses between two deliveries of a register: renamed, moved, taken over, ceased, revived.

A legal unit lives on through a new name or a new place, but not through a new number: a unit that stops
while another one starts under the same name at the same place was taken over by it (continuity by name,
place and controlling unit: Eurostat, *European business statistics methodological manual on statistical
business registers*, 2021, chapter on demographic events). Everything rests on two statements of one source
about one entity, or of two sources where both are dated; what two registers call a business at one time
is no rename. Names and places are compared as they are matched (see `business`), so another way of
writing the same words is told apart from another name.

    changes.parquet     entity_id, event, other_id, version, effective_at (NULL: some time between the statements),
                        recorded_at, source, record_id, said_at, source_before, record_before, said_before,
                        before, after, reason
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine, Stored
from integrated_data.index.life import Moment
from integrated_data.index.reference.ledger import Loading
from integrated_data.model.linkage import EntityEvent
from integrated_data.vocabulary import organisations
from integrated_data.vocabulary.sql import name, text

FILE = "changes"


class Change(StrEnum):
    """What can happen to a business, or be said of it."""

    RENAMED = "renamed"
    MOVED = "moved"
    TAKEN_OVER = "taken over"
    CEASED = "ceased"
    REVIVED = "revived"
    CONTRADICTED = "contradicted"


#: Columns of the file, in order, with their types.
COLUMNS = {
    "entity_id": "BIGINT", "event": "VARCHAR", "other_id": "BIGINT", "version": "INTEGER", "effective_at": "VARCHAR",
    "recorded_at": "VARCHAR", "source": "VARCHAR", "record_id": "VARCHAR", "said_at": "VARCHAR",
    "source_before": "VARCHAR", "record_before": "VARCHAR", "said_before": "VARCHAR", "before": "VARCHAR",
    "after": "VARCHAR", "reason": "VARCHAR",
}  # fmt: skip

#: Words that say in a register that a unit has stopped.
STOPPED = r"\b(CEASED|CLOSED|DISSOLVED|DEAD|INACTIVE|DEREGISTERED|REMOVED|STRUCK OFF|CONVERTED|TERMINATED)\b"
#: Two spellings are one name where fewer of its letters than this share differ.
SLIPS = 0.15


#: Reasons of events, as SQL literals.
SAID, TWO_NAMES = "'the source says so'", "'one company number, two names at one time'"

Describe = Callable[[str, Mapping[str, str]], str]


def load(engine: Engine, folder: Path | None, *, relation: str) -> None:
    """Make view `relation` of a version's events, from the first to its own; empty where it has none."""
    place = folder / f"{FILE}.parquet" if folder else None
    if place is not None and place.exists():
        engine.load(relation, Stored((place,)))
    else:
        nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in COLUMNS.items())
        engine.view(relation, f"SELECT {nothing} WHERE FALSE")


def record(engine: Engine, loading: Loading, *, describe: Describe, forms: str) -> dict[str, int]:
    """Write the events of a load beside those before it; returns how many of each kind there are new.

    `describe` turns records into forms (see `alike.Alike.forms`); `forms`: those of the new version.
    """
    work = loading.work
    past, found = f"{work}_past_changes", f"{work}_changes"
    load(engine, loading.previous.folder if loading.previous else None, relation=past)
    heard = Heard(loading.moment, f"{work}_told", f"{work}_said_before", forms=forms, describe=describe, past=past)
    counts = events(engine, heard, out=found)
    listed = ", ".join(COLUMNS)
    engine.save(
        f"SELECT {listed} FROM {past} UNION ALL SELECT {listed} FROM {found}",
        loading.folder / f"{FILE}.parquet",
        sealed=True,
    )
    engine.drop(past, found)
    return counts


def among(
    engine: Engine, folder: Path, *, entity_id: int, events: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The events of an entity, oldest first, with those of a business among them, and of units that it took over.

    No names and no places. That a register lists a unit no more, or again, is not said twice where that
    already made the index retire or revive it.
    """
    load(engine, folder, relation="changes_of_entity")
    found = engine.rows(
        "SELECT event, other_id, version, recorded_at, effective_at, source, "
        "reason || coalesce(' (before: ' || source_before || ', ' || left(said_before, 10) || ')', '') AS reason "
        f"FROM changes_of_entity WHERE entity_id = {entity_id} UNION ALL "
        "SELECT 'took over', entity_id, version, recorded_at, effective_at, source, reason FROM changes_of_entity "
        f"WHERE other_id = {entity_id} AND event = {text(Change.TAKEN_OVER)} ORDER BY version, event, reason"
    ).to_pylist()
    engine.drop("changes_of_entity")
    stands_for = {Change.CEASED: EntityEvent.RETIRED, Change.REVIVED: EntityEvent.REVIVED}
    known = {(e["event"], e["version"]) for e in events}
    new = [e for e in found if e["effective_at"] or (stands_for.get(e["event"]), e["version"]) not in known]
    return sorted((*events, *new), key=lambda e: e["version"] or 0)


@dataclass(frozen=True)
class Heard:
    """Relations of one load that the events are read from, and its `moment`.

    `told`: what the source says now; `before`: what all sources said until then, both as rows of
    `attributes` (see `ledger`), `before` with `recorded_from` and `recorded_to`. `forms`: numbers and
    names of every entity (`entity_id`, `company`). `past`: the events until then. `describe`
    turns records into forms (see `alike.Alike.forms`).
    """

    moment: Moment
    told: str
    before: str
    forms: str
    describe: Describe
    past: str

    @property
    def source(self) -> str:
        """Who delivers."""
        return self.moment.source

    @property
    def recorded_at(self) -> str:
        """When the service came to know, ISO 8601."""
        return self.moment.recorded_at


def events(engine: Engine, heard: Heard, *, out: str) -> dict[str, int]:
    """Make table `out` of the events of a load, without those already known; returns how many of each kind."""
    now, then = f"{out}_now", f"{out}_then"
    _state(engine, heard, statements=_told_sql(heard), table=now)
    _state(engine, heard, statements=_before_sql(heard, now), table=then)
    engine.create(f"{out}_ceased", _ceased_sql(heard, now=now, then=then))
    found = " UNION ALL ".join(
        f"SELECT {', '.join(COLUMNS)} FROM ({select})"
        for select in (
            _renamed_sql(heard, now=now, then=then), _reformed_sql(heard, now=now, then=then),
            _moved_sql(heard, now=now, then=then), f"SELECT * FROM {out}_ceased",
            _revived_sql(heard, now=now, then=then),
            _taken_over_sql(heard, now=now, then=then, ceased=f"{out}_ceased"),
            _said_taken_over_sql(engine, heard, now=now), _contradicted_sql(heard, now=now),
        )
    )  # fmt: skip
    same = "p.entity_id = f.entity_id AND p.event = f.event AND p.before IS NOT DISTINCT FROM f.before"
    known = (
        f"f.event NOT IN ({text(Change.CONTRADICTED)}, {text(Change.TAKEN_OVER)}) OR NOT EXISTS "
        f"(SELECT 1 FROM {heard.past} AS p WHERE {same} AND p.after IS NOT DISTINCT FROM f.after "
        "AND p.other_id IS NOT DISTINCT FROM f.other_id)"
    )
    engine.create(out, f"SELECT * FROM ({found}) AS f WHERE {known} ORDER BY entity_id, event, before, after")
    counts = engine.rows(f"SELECT event, count(*) AS n FROM {out} GROUP BY event").to_pylist()
    engine.drop(*(f"{out}_{part}" for part in ("now", "now_numbered", "now_words", "then", "then_numbered",
                                               "then_words", "ceased")))  # fmt: skip
    met = {row["event"]: row["n"] for row in counts}
    return {str(kind).replace(" ", "_"): int(met.get(kind, 0)) for kind in Change}


def _given(engine_columns: Mapping[str, str], column: str) -> str:
    return f"{name(column)}::VARCHAR" if column in engine_columns else "NULL::VARCHAR"


def _told_sql(heard: Heard) -> str:
    said_at = f"coalesce(effective_from, {text(heard.recorded_at)}) AS said_at"
    return f"SELECT *, {said_at}, TRUE AS open FROM {name(heard.told)}"


def _before_sql(heard: Heard, now: str) -> str:
    """What each entity is held against: the source's own last statements, else dated ones of others."""
    own = f"source = {text(heard.source)}"
    said = "coalesce(effective_from, recorded_from) AS said_at, recorded_to IS NULL AS open"
    return f"""
        WITH ours AS (
            SELECT * EXCLUDE (recorded_from, recorded_to), {said} FROM {name(heard.before)} WHERE {own}
            QUALIFY coalesce(recorded_to, '9') = max(coalesce(recorded_to, '9')) OVER (PARTITION BY entity_id)),
        dated AS (
            SELECT entity_id, max(effective_from) AS since FROM {now} WHERE effective_from IS NOT NULL GROUP BY ALL)
        SELECT * FROM ours UNION ALL BY NAME
        SELECT o.* EXCLUDE (recorded_from, recorded_to), {said} FROM {name(heard.before)} AS o
        JOIN dated AS d ON d.entity_id = o.entity_id AND o.effective_from < d.since
        WHERE NOT ({own}) AND o.recorded_to IS NULL AND o.entity_id NOT IN (SELECT entity_id FROM ours)"""


def _state(engine: Engine, heard: Heard, *, statements: str, table: str) -> None:
    """Table `table`: statements with the forms of their names and places, one row per name."""
    numbered = f"{table}_numbered"
    engine.create(
        numbered,
        f"SELECT row_number() OVER () AS record_id, record_id AS record, * EXCLUDE (record_id) FROM ({statements})",
    )
    columns = engine.columns(numbered)
    ended = f"try_cast({_given(columns, 'effective_to')} AS TIMESTAMP) <= TIMESTAMP {text(heard.recorded_at[:19])}"
    status = _given(columns, "organisation_status")
    engine.create(
        f"{table}_words",
        f"SELECT row_number() OVER () AS number, t.entity_id, t.record, t.source, t.said_at, t.open, "
        f"t.effective_from, t.effective_to, {_given(columns, 'successor')} AS successor, "
        f"coalesce({ended}, FALSE) OR coalesce(regexp_matches(upper({status}), {text(STOPPED)}), FALSE) AS stopped, "
        f"f.* EXCLUDE (record_id), concat_ws(' ', f.plain, f.legal) AS title, "
        f"list_distinct(regexp_extract_all(f.place, '[0-9]+[A-Z]?')) AS doors "
        f"FROM {numbered} AS t JOIN ({heard.describe(numbered, columns)}) AS f ON f.record_id = t.record_id",
    )
    words = organisations.words_sql(f"{table}_words", keys="number", column="plain")
    engine.create(
        table,
        f"SELECT s.*, w.worded FROM {table}_words AS s LEFT JOIN "
        f"(SELECT number, string_agg(word, ' ' ORDER BY word) AS worded FROM ({words}) GROUP BY number) AS w "
        "ON w.number = s.number",
    )


def _event(heard: Heard, kind: Change, *, reason: str, **values: str) -> str:
    """The columns of an event; what is not named comes from statements `n` (now) and `t` (then)."""
    usual = {
        "entity_id": "n.entity_id", "event": text(kind), "other_id": "NULL", "version": str(heard.moment.version),
        "effective_at": "CASE WHEN n.effective_from IS DISTINCT FROM t.effective_from THEN n.effective_from END",
        "recorded_at": text(heard.recorded_at), "source": text(heard.source), "record_id": "n.record",
        "said_at": "n.said_at", "source_before": "t.source", "record_before": "t.record",
        "said_before": "t.said_at", "before": "t.title", "after": "n.title", "reason": reason,
    }  # fmt: skip
    return ", ".join(f"({values.get(c, usual[c])})::{kind_} AS {c}" for c, kind_ in COLUMNS.items())


def _unsaid(side: str, other: str, *, field: str) -> str:
    """That the other side never says this field's value of the entity."""
    return (
        f"NOT EXISTS (SELECT 1 FROM {other} AS x WHERE x.entity_id = {side}.entity_id AND x.{field} = {side}.{field})"
    )


def _renamed_sql(heard: Heard, *, now: str, then: str) -> str:
    """A name that is new stands for one that is no longer said."""
    apart = f"levenshtein(n.squashed, t.squashed) > {SLIPS} * greatest(length(n.squashed), length(t.squashed))"
    reason = (
        f"CASE WHEN n.worded = t.worded OR NOT ({apart}) THEN 'written otherwise' "
        "WHEN len(list_intersect(string_split(n.worded, ' '), string_split(t.worded, ' '))) > 0 "
        "THEN 'some words are others' ELSE 'another name' END"
    )
    return f"""
        SELECT {_event(heard, Change.RENAMED, reason=reason)}
        FROM {now} AS n JOIN {then} AS t ON t.entity_id = n.entity_id
        WHERE n.squashed <> t.squashed AND {_unsaid("n", then, field="squashed")}
              AND {_unsaid("t", now, field="squashed")}
        QUALIFY row_number() OVER (PARTITION BY n.entity_id, n.squashed
            ORDER BY n.record = t.record DESC, jaro_winkler_similarity(n.squashed, t.squashed) DESC, t.squashed,
                     n.record) = 1"""


def _reformed_sql(heard: Heard, *, now: str, then: str) -> str:
    """The same name with another legal form."""
    return f"""
        SELECT {_event(heard, Change.RENAMED, reason="'another legal form'")}
        FROM {now} AS n JOIN {then} AS t ON t.entity_id = n.entity_id AND t.squashed = n.squashed
        WHERE n.legal <> t.legal AND {_unsaid("n", then, field="title")} AND {_unsaid("t", now, field="title")}
        QUALIFY row_number() OVER (PARTITION BY n.entity_id, n.title ORDER BY n.record = t.record DESC, t.title,
                                   n.record) = 1"""


def _moved_sql(heard: Heard, *, now: str, then: str) -> str:
    """A postcode that is new stands for one that is no longer said; without one, another number in the street."""
    place = {side: f"concat_ws(', ', {side}.place, {side}.code)" for side in "nt"}
    reason = "CASE WHEN n.code = t.code OR n.code IS NULL OR t.code IS NULL THEN 'another number in the street' " \
             "WHEN n.place = t.place THEN 'the postcode alone' ELSE 'another postcode' END"  # fmt: skip
    elsewhere = f"n.code <> t.code AND {_unsaid('n', then, field='code')} AND {_unsaid('t', now, field='code')}"
    near = "(n.code = t.code OR n.code IS NULL OR t.code IS NULL)"
    next_door = (
        f"{near} AND len(n.doors) > 0 AND len(t.doors) > 0 AND NOT list_has_any(n.doors, t.doors) "
        f"AND NOT EXISTS (SELECT 1 FROM {then} AS x WHERE x.entity_id = n.entity_id "
        "AND list_has_any(x.doors, n.doors)) "
        f"AND NOT EXISTS (SELECT 1 FROM {now} AS x WHERE x.entity_id = t.entity_id AND list_has_any(x.doors, t.doors))"
    )
    said = {"before": place["t"], "after": place["n"]}
    return f"""
        SELECT {_event(heard, Change.MOVED, reason=reason, **said)}
        FROM {now} AS n JOIN {then} AS t ON t.entity_id = n.entity_id
        WHERE ({elsewhere}) OR ({next_door})
        QUALIFY row_number() OVER (PARTITION BY n.entity_id, coalesce(n.code, n.place)
            ORDER BY n.record = t.record DESC, levenshtein(coalesce(n.place, ''), coalesce(t.place, '')), t.code,
                     n.record) = 1"""


def _ceased_sql(heard: Heard, *, now: str, then: str) -> str:
    """Units that the source no longer lists, and units that it says have stopped."""
    gone = {
        "entity_id": "t.entity_id", "effective_at": "CASE WHEN t.stopped THEN t.effective_to END", "record_id": "NULL",
        "said_at": text(heard.recorded_at), "after": "NULL",
    }  # fmt: skip
    running = f"SELECT entity_id FROM {now} WHERE NOT stopped"
    return f"""
        SELECT {_event(heard, Change.CEASED, reason="'no longer listed by the source'", **gone)} FROM {then} AS t
        WHERE t.open AND NOT t.stopped AND t.source = {text(heard.source)}
              AND t.entity_id NOT IN (SELECT entity_id FROM {now})
        QUALIFY row_number() OVER (PARTITION BY t.entity_id ORDER BY t.number) = 1
        UNION ALL
        SELECT {_event(heard, Change.CEASED, reason=SAID, effective_at="n.effective_to", after="NULL")}
        FROM {now} AS n JOIN {then} AS t ON t.entity_id = n.entity_id
        WHERE n.stopped AND NOT t.stopped AND t.open AND n.entity_id NOT IN ({running})
        QUALIFY row_number() OVER (PARTITION BY n.entity_id ORDER BY n.number, t.number) = 1"""


def _revived_sql(heard: Heard, *, now: str, then: str) -> str:
    """Units that the source lists again, or says to be running after it said that they had stopped."""
    reason = "CASE WHEN t.open THEN 'the source says so' ELSE 'listed by the source again' END"
    return f"""
        SELECT {_event(heard, Change.REVIVED, reason=reason)}
        FROM {now} AS n JOIN {then} AS t ON t.entity_id = n.entity_id
        WHERE NOT n.stopped AND t.source = {text(heard.source)} AND (t.stopped OR NOT t.open)
              AND n.entity_id NOT IN (SELECT entity_id FROM {then} WHERE open AND NOT stopped)
        QUALIFY row_number() OVER (PARTITION BY n.entity_id ORDER BY n.number, t.number) = 1"""


def _taken_over_sql(heard: Heard, *, now: str, then: str, ceased: str) -> str:
    """A unit stops while one other, and no more, takes up its name at its place."""
    here = f"SELECT 1 FROM {then} AS x WHERE x.entity_id = n.entity_id AND x.squashed = t.squashed"
    values = {
        "entity_id": "t.entity_id",
        "other_id": "n.entity_id",
        "effective_at": "coalesce(t.effective_to, n.effective_from)",
    }
    return f"""
        SELECT {_event(heard, Change.TAKEN_OVER, reason="'its name at its place, under another unit'", **values)}
        FROM {then} AS t JOIN {now} AS n ON n.squashed = t.squashed AND (n.code = t.code OR n.place = t.place)
        WHERE t.entity_id IN (SELECT entity_id FROM {ceased}) AND n.entity_id <> t.entity_id AND NOT n.stopped
              AND NOT EXISTS ({here})
        QUALIFY count(DISTINCT n.entity_id) OVER (PARTITION BY t.entity_id) = 1
                AND row_number() OVER (PARTITION BY t.entity_id ORDER BY n.number, t.number) = 1"""


def _said_taken_over_sql(engine: Engine, heard: Heard, *, now: str) -> str:
    """What the source itself says of who took a unit over: by its own number, or a company number."""

    def bare(value: str) -> str:
        return f"ltrim(regexp_replace(upper({value}), '[^A-Z0-9]', '', 'g'), '0')"

    numbers = f"""
        SELECT {bare("record")} AS number, entity_id, 1 AS rank FROM {now}
        UNION SELECT {bare("company")}, entity_id, 2 FROM {heard.forms} WHERE company IS NOT NULL"""
    if "reference" in engine.columns(heard.forms):
        numbers += f" UNION SELECT {bare('reference')}, entity_id, 3 FROM {heard.forms} WHERE reference IS NOT NULL"
    values = {"other_id": "o.entity_id", "effective_at": "n.effective_to", "source_before": text(heard.source),
              "record_before": "NULL", "said_before": "NULL", "before": "n.title", "after": "NULL"}  # fmt: skip
    return f"""
        SELECT {_event(heard, Change.TAKEN_OVER, reason="'the source says so'", **values)} FROM {now} AS n
        JOIN ({numbers}) AS o ON o.number = {bare("n.successor")} AND o.number <> '' AND o.entity_id <> n.entity_id
        QUALIFY row_number() OVER (PARTITION BY n.entity_id ORDER BY o.rank, n.number) = 1"""


def _contradicted_sql(heard: Heard, *, now: str) -> str:
    """One company number with two names at one time, in one source: both are kept, and it is said."""
    apart = f"levenshtein(n.squashed, t.squashed) > {SLIPS} * greatest(length(n.squashed), length(t.squashed))"
    together = (
        "coalesce(n.effective_to, '9') >= coalesce(t.effective_from, '') "
        "AND coalesce(t.effective_to, '9') >= coalesce(n.effective_from, '')"
    )
    return f"""
        SELECT {_event(heard, Change.CONTRADICTED, reason=TWO_NAMES, effective_at="NULL")}
        FROM {now} AS n JOIN {now} AS t ON t.entity_id = n.entity_id AND t.company = n.company AND t.record < n.record
        WHERE n.worded <> t.worded AND {apart} AND {together}
              AND NOT EXISTS (SELECT 1 FROM {now} AS x JOIN {now} AS y ON y.squashed = x.squashed
                              WHERE x.record = n.record AND y.record = t.record)
        QUALIFY row_number() OVER (PARTITION BY n.entity_id ORDER BY n.number, t.number) = 1"""
