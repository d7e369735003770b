"""Presence: at which dates each person is known to be alive and resident, and by what evidence.

One row says of one person and a span of days:

    person_entity, person_link_probability, person_link_method
    valid_from, valid_to   first and last day; no end: until further notice
    alive, resident        true, false, or empty: the evidence does not say
    evidence               one of EVIDENCE

It rests on what sources of the Demographic Index say of a person's record (death, registration, last
contact) and on dated rows of published datasets that link to the person. No row: nothing was known yet.

The rule, strongest first, for each day:

- *died*: after a day of death (the earliest of those told). A sign of life more than POSTHUMOUS days after
  it contradicts it: then neither is said.
- *moved away*: after a registration's last day, until a sign of life or another registration begins. Where
  another source still lists the person, *contradicted*: they may live, and where is not said.
- *active*: within GRACE days after a sign of life.
- *on record*: a registration, or a spell such as a job, holds.
- *silent*: none of these; alive while a later sign of life proves it, and resident is not said.

Rules of this kind, activity within a year against list inflation, are what statistical offices without a
population register use: Tiit and Maasing, "Residency index and its applications in censuses and population
statistics", Eesti statistika kvartalikiri 3/2016; ONS, "Statistical population dataset", 2022.
"""

from dataclasses import dataclass
from datetime import date

from integrated_data.model import meanings
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.linkage import PRESENCE, PROVISIONAL
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.publish.associations import OWNER
from integrated_data.publish.periods import Dated
from integrated_data.vocabulary.sql import name, text

KEY = "person"
EVIDENCE = ("died", "moved away", "contradicted", "active", "on record", "silent")

#: Days for which a sign of life holds; days after a death in which the dead still appear in records.
GRACE, POSTHUMOUS = 365, 60

#: Meanings of columns by which rows say when something of a person was so.
TELLING = frozenset(
    {Meaning.EVENT_DATE, Meaning.EFFECTIVE_FROM, Meaning.EFFECTIVE_TO, Meaning.MONTH, *meanings.PRESENCE}
)

_DIED, _RECORD, _LEFT, _SIGN = "died", "record", "left", "sign"


@dataclass(frozen=True)
class Days:
    """Columns of a relation with days of a person's record, where it has them."""

    death: str | None = None
    registered_from: str | None = None
    registered_to: str | None = None
    contact: str | None = None


@dataclass(frozen=True)
class Witness:
    """A relation that says something of people: an entity, how likely the link is, its method, and days.

    `spoken`: SQL of the day on which it was said: nobody has been seen after it.
    """

    relation: str
    entity: str
    spoken: str
    days: Days
    dated: Dated | None = None
    probability: str = "1.0"
    method: str = "''"


def contract() -> Contract:
    """What the service promises of the dataset."""

    def column(called: str, kind: Kind, *, meaning: Meaning, title: str) -> Column:
        return Column(called, called, kind, meaning, Handling.PAYLOAD, title=title)

    return Contract(
        dataset=PRESENCE, owner=OWNER, layout=Layout(Format.PARQUET), title="Who is alive and resident, and when",
        columns=(
            column("valid_from", Kind.DATE, meaning=Meaning.EFFECTIVE_FROM, title="First day on which it holds"),
            column("valid_to", Kind.DATE, meaning=Meaning.EFFECTIVE_TO, title="Last day; empty: until further notice"),
            column("alive", Kind.BOOLEAN, meaning=Meaning.FLAG, title="Alive; empty: not known"),
            column("resident", Kind.BOOLEAN, meaning=Meaning.FLAG, title="Lives in the country; empty: not known"),
            column("evidence", Kind.STRING, meaning=Meaning.CODE, title=f"Why: {', '.join(EVIDENCE)}"),
        ),
    )  # fmt: skip


def published_days(contract: Contract, *, columns: set[str]) -> Days:
    """The columns of a published dataset that tell days of a person's record."""

    def found(meaning: Meaning) -> str | None:
        return next((c.name for c in contract.meaning(meaning) if c.name in columns), None)

    return Days(
        found(Meaning.DATE_OF_DEATH), found(Meaning.REGISTERED_FROM), found(Meaning.REGISTERED_TO),
        found(Meaning.LAST_CONTACT),
    )  # fmt: skip


def first_day(day: date) -> str:
    """SQL of the day of a delivery, for `Witness.spoken`."""
    return f"DATE {text(day.isoformat())}"


def evidence_sql(witness: Witness) -> str:
    """Rows of a relation as evidence: entity, kind, f, t, p, m. A day that cannot be read says nothing."""
    days, dated = witness.days, witness.dated or Dated()

    def rows(kind: str, first: str, *, last: str = "NULL::DATE", where: str = "TRUE") -> str:
        return (
            f"SELECT {name(witness.entity)} AS entity, {text(kind)} AS kind, {first} AS f, {last} AS t, "
            f"({witness.probability})::FLOAT AS p, {witness.method} AS m FROM {name(witness.relation)} "
            f"WHERE {name(witness.entity)} IS NOT NULL AND {first} <= {witness.spoken} AND {where}"
        )

    parts = []
    if days.death:
        parts.append(rows(_DIED, _day(days.death)))
    if days.registered_from:
        start, end = _day(days.registered_from), _day(days.registered_to)
        parts += [rows(_RECORD, start, last=end, where=f"({end} IS NULL OR {end} >= {start})"), rows(_SIGN, start)]
    if days.registered_to:
        parts.append(rows(_LEFT, _day(days.registered_to)))
    if days.contact:
        parts.append(rows(_SIGN, _day(days.contact)))
    if dated.own and not (days.registered_from or days.registered_to):
        start, end = dated.start or dated.end or "NULL::DATE", dated.end or "NULL::DATE"
        parts.append(rows(_SIGN, start))
        if not dated.moment:
            parts += [rows(_RECORD, start, last=end, where=f"({end} IS NULL OR {end} >= {start})"), rows(_SIGN, end)]
    return " UNION ALL ".join(parts)


#: The same of nobody.
NO_EVIDENCE = (
    "SELECT 0::BIGINT AS entity, '' AS kind, NULL::DATE AS f, NULL::DATE AS t, 0::FLOAT AS p, '' AS m WHERE FALSE"
)


def _day(column: str | None) -> str:
    return f"try_cast({name(column)} AS DATE)" if column else "NULL::DATE"


def presence_sql(evidence: str) -> str:
    """The dataset, from relation `evidence` (see `evidence_sql`): spans of days, in order."""
    over = "PARTITION BY entity ORDER BY day"
    so_far = f"OVER ({over} ROWS UNBOUNDED PRECEDING)"
    turns = f"""
        SELECT entity, f AS day, 1 AS record, 0 AS sign, f AS shown, NULL::DATE AS gone, NULL::DATE AS died, p, m
        FROM {name(evidence)} WHERE kind = '{_RECORD}'
        UNION ALL SELECT entity, t + 1, -1, 0, NULL, NULL, NULL, p, m FROM {name(evidence)}
        WHERE kind = '{_RECORD}' AND t IS NOT NULL
        UNION ALL SELECT entity, f, 0, 1, f, NULL, NULL, p, m FROM {name(evidence)} WHERE kind = '{_SIGN}'
        UNION ALL SELECT entity, f + {GRACE + 1}, 0, -1, NULL, NULL, NULL, p, m FROM {name(evidence)}
        WHERE kind = '{_SIGN}'
        UNION ALL SELECT entity, f + 1, 0, 0, NULL, f + 1, NULL, p, m FROM {name(evidence)} WHERE kind = '{_LEFT}'
        UNION ALL SELECT entity, f + 1, 0, 0, NULL, NULL, f + 1, p, m FROM {name(evidence)} WHERE kind = '{_DIED}'"""
    days = f"""
        SELECT entity, day, sum(record) AS record, sum(sign) AS sign, max(shown) AS shown, max(gone) AS gone,
               min(died) AS died, max(p) FILTER (gone IS NOT NULL OR died IS NOT NULL) AS end_p, max(p) AS any_p,
               bool_and(starts_with(m, {text(PROVISIONAL)})) AS provisional FROM ({turns}) GROUP BY entity, day"""
    running = f"""
        SELECT entity, day, sum(record) {so_far} AS record, sum(sign) {so_far} AS sign, max(shown) {so_far} AS shown,
               max(gone) {so_far} AS gone, min(died) {so_far} AS died, last_value(end_p IGNORE NULLS) {so_far} AS end_p,
               max(shown) OVER everything AS seen_last, min(died) OVER everything AS death,
               max(any_p) OVER everything AS any_p, bool_and(provisional) OVER everything AS provisional
        FROM ({days}) WINDOW everything AS (PARTITION BY entity)"""
    stated = f"""
        SELECT *, CASE WHEN died IS NOT NULL AND seen_last > death - 1 + {POSTHUMOUS} THEN 'contradicted'
                       WHEN died IS NOT NULL THEN 'died'
                       WHEN gone IS NOT NULL AND (shown IS NULL OR shown < gone)
                       THEN CASE WHEN record > 0 THEN 'contradicted' ELSE 'moved away' END
                       WHEN sign > 0 THEN 'active' WHEN record > 0 THEN 'on record' ELSE 'silent' END AS evidence
        FROM ({running})"""
    flagged = f"""
        SELECT entity, day, evidence, provisional,
               CASE WHEN evidence = 'died' THEN FALSE WHEN died IS NULL AND day <= seen_last THEN TRUE
                    WHEN evidence IN ('active', 'on record') THEN TRUE END AS alive,
               CASE WHEN evidence IN ('died', 'moved away') THEN FALSE
                    WHEN evidence IN ('active', 'on record') THEN TRUE END AS resident,
               CASE WHEN evidence IN ('died', 'moved away') THEN end_p ELSE any_p END AS p
        FROM ({stated})"""
    told = "row(evidence, alive, resident, p)"
    changes = f"SELECT *, lag({told}) OVER ({over}) IS DISTINCT FROM {told} AS changed FROM ({flagged})"
    method = f"CASE WHEN provisional THEN {text(PROVISIONAL + 'presence')} ELSE 'presence' END"
    return f"""
        SELECT entity AS {KEY}_entity, p::FLOAT AS {KEY}_link_probability, {method} AS {KEY}_link_method,
               day AS valid_from, lead(day) OVER ({over}) - 1 AS valid_to, alive, resident, evidence
        FROM ({changes}) WHERE changed ORDER BY 1, day"""
