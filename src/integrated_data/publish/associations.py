"""Associations between indexes: who lived where, who worked for whom, what stands where, and when.

An association is a dataset that the service derives from published rows that link to two indexes.
Each row of it is a dated edge:

    <left>_entity, <right>_entity, and for each `_link_probability` and `_link_method`
    valid_from, valid_to   first and last day on which the source says so; no end: until further notice
    source                 the dataset whose rows say so
    row_count              how many of them
    probability            that both links are right, as a product: the highest of its rows'

What overlaps or follows day after day is one edge. Sources are kept apart, for they may contradict
each other.

Where an address lies changes with the boundaries too: its edges end with each edition of them that the Geography
Index holds and go on with the next, `boundary_year`. An edition holds from the first day of its year.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.linkage import ASSOCIATION, PROVISIONAL
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.publish.periods import Dated
from integrated_data.vocabulary.areas import level_and_year
from integrated_data.vocabulary.sql import name, text

OWNER = "Integrated Data Service"

#: How one edge stands at a date, for the catalogue.
AS_AT = "valid_from <= DATE '…' AND (valid_to IS NULL OR valid_to >= DATE '…')"

#: Stands for "no end" while periods are put together.
_NEVER = "DATE '9999-12-31'"


@dataclass(frozen=True)
class Association:
    """Edges between two indexes, by their keys. `single`: one right at a time: a new one ends the old one.

    `editions`: the right end's areas have boundary years, and edges are dated by them too.
    """

    dataset: str
    title: str
    keys: tuple[str, str]
    single: bool = False
    editions: bool = False


ASSOCIATIONS = (
    Association(f"{ASSOCIATION}person_address", "Who lives at which address, since when", ("person", "address"), True),
    Association(f"{ASSOCIATION}person_business", "Who works for which business, since when", ("person", "business")),
    Association(
        f"{ASSOCIATION}business_address", "Which business is at which address, since when", ("business", "address")
    ),
    Association(
        f"{ASSOCIATION}address_area", "Which address is in which area, since when", ("address", "area"), True, True
    ),
)


@dataclass(frozen=True)
class Observed:
    """One delivery's published rows: the relation, the dataset, how its rows are dated, and its own days.

    `first` is the day of the delivery; `last` the day before the next one that replaced it, if any.
    """

    relation: str
    source: str
    dated: Dated
    first: date
    last: date | None = None


def contract_of(association: Association) -> Contract:
    """What the service promises of an association."""

    def column(called: str, kind: Kind, *, meaning: Meaning, title: str) -> Column:
        return Column(called, called, kind, meaning, Handling.PAYLOAD, title=title)

    return Contract(
        dataset=association.dataset, owner=OWNER, layout=Layout(Format.PARQUET), title=association.title,
        columns=(
            column("valid_from", Kind.DATE, meaning=Meaning.EFFECTIVE_FROM, title="First day on which it holds"),
            column("valid_to", Kind.DATE, meaning=Meaning.EFFECTIVE_TO, title="Last day; empty: until further notice"),
            column("source", Kind.STRING, meaning=Meaning.CODE, title="Dataset whose rows say so"),
            column("row_count", Kind.INTEGER, meaning=Meaning.COUNT, title="How many rows say so"),
            column("probability", Kind.NUMBER, meaning=Meaning.MEASURE, title="That both links are right"),
        ),
    )  # fmt: skip


def rows_sql(association: Association, observed: Observed) -> str:
    """Rows of one delivery that link to both indexes, with the days between which each holds.

    Columns: source, l, r, lp, rp, lm, rm, f, t. A row whose last day lies before its first is in it.
    """
    (left, right), dated = association.keys, observed.dated
    first = f"DATE {text(observed.first.isoformat())}"
    last = f"DATE {text(observed.last.isoformat())}" if observed.last else "NULL::DATE"
    start, end = dated.start or "NULL::DATE", dated.end or "NULL::DATE"
    if not dated.own:
        end = last
    elif dated.moment and not association.single:
        end = start
    return (
        f"SELECT {text(observed.source)} AS source, {name(left + '_entity')} AS l, {name(right + '_entity')} AS r, "
        f"{name(left + '_link_probability')} AS lp, {name(right + '_link_probability')} AS rp, "
        f"{name(left + '_link_method')} AS lm, {name(right + '_link_method')} AS rm, "
        f"coalesce({start}, least({end}, {first})) AS f, {end} AS t FROM {name(observed.relation)} "
        f"WHERE {name(left + '_entity')} IS NOT NULL AND {name(right + '_entity')} IS NOT NULL"
    )


def contradictory_sql(rows: str) -> str:
    """How many rows end before they start (`n`): they are left out of the edges."""
    return f"SELECT count(*) AS n FROM {name(rows)} WHERE t < f"


def edges_sql(association: Association, rows: str, *, attributes: Sequence[str] = ()) -> str:
    """The edges of relation `rows` (see `rows_sql`).

    `attributes`: columns of a relation `attributes` (entity_id, …) that describe the right end.
    """
    left, right = association.keys
    until = f"coalesce(t, {_next_sql() if association.single else 'NULL'})"
    spans = f"SELECT * REPLACE ({until} AS t) FROM {name(rows)} WHERE t IS NULL OR t >= f"
    reach = (
        f"max(coalesce(t, {_NEVER})) OVER (PARTITION BY source, l, r ORDER BY f, t "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    )
    # the last day of all has no day after it
    apart = f"f > CASE WHEN reach < {_NEVER} THEN reach + 1 ELSE reach END"
    parts = f"SELECT *, coalesce({apart}, TRUE)::INTEGER AS fresh FROM (SELECT *, {reach} AS reach FROM ({spans}))"
    # over days, not rows: equal rows may come in another order here than above, and belong together all the same
    ordered = "PARTITION BY source, l, r ORDER BY f, t"
    numbered = f"SELECT *, sum(fresh) OVER ({ordered}) AS part FROM ({parts})"
    edges = (
        f"SELECT {_end_sql(left, 'l')}, {_end_sql(right, 'r')}, min(f) AS valid_from, "
        f"nullif(max(coalesce(t, {_NEVER})), {_NEVER}) AS valid_to, source, "
        f"count(*) AS row_count, max(lp * rp)::FLOAT AS probability FROM ({numbered}) GROUP BY source, l, r, part"
    )
    listed = "".join(f", a.{name(column)}" for column in attributes)
    joined = f" LEFT JOIN attributes AS a ON a.entity_id = e.{name(right + '_entity')}" if attributes else ""
    order = f"{name(left + '_entity')}, {name(right + '_entity')}, valid_from, source"
    whole = f"SELECT e.*{listed} FROM ({edges}) AS e{joined}"
    years = sorted({year for column in attributes if (year := level_and_year(column)[1]) is not None})
    if association.editions and years:
        whole = _by_edition_sql(whole, attributes, years=years)
    return f"SELECT * FROM ({whole}) ORDER BY {order}"


def _by_edition_sql(edges: str, attributes: Sequence[str], *, years: Sequence[int]) -> str:
    """Edges cut where boundaries change: `boundary_year` (none before the first edition) and, beside the codes of
    each edition, those in force: one column per level, of its newest edition by then.
    """
    starts = [None, *years]
    spans = ", ".join(
        f"({year or 'NULL'}, {_new_year(year)}, {_new_year(after)} - 1)"
        for year, after in zip(starts, [*years, None], strict=True)
    )
    told: dict[str, dict[int, str]] = {}
    for column in attributes:
        level, year = level_and_year(column)
        if level is not None and year is not None and level not in attributes:
            told.setdefault(level, {})[year] = column
    in_force = "".join(
        f", CASE {' '.join(f'WHEN b.boundary_year >= {y} THEN e.{name(held[y])}' for y in sorted(held, reverse=True))} "
        f"END AS {name(level)}"
        for level, held in told.items()
    )
    return (
        "SELECT e.* REPLACE (greatest(e.valid_from, b.starts) AS valid_from, least(e.valid_to, b.ends) AS valid_to), "
        f"b.boundary_year{in_force} FROM ({edges}) AS e JOIN (VALUES {spans}) AS b (boundary_year, starts, ends) "
        f"ON e.valid_from <= coalesce(b.ends, {_NEVER}) AND coalesce(e.valid_to, {_NEVER}) >= coalesce(b.starts, "
        "e.valid_from)"
    )


def _new_year(year: int | None) -> str:
    return "NULL::DATE" if year is None else f"DATE '{year}-01-01'"


def _next_sql() -> str:
    """The day before the same source next says where the left end is."""
    return (
        "min(f) OVER (PARTITION BY source, l ORDER BY f "
        "RANGE BETWEEN INTERVAL 1 DAY FOLLOWING AND UNBOUNDED FOLLOWING)::DATE - 1"
    )


def _end_sql(key: str, end: str) -> str:
    """The columns of one end; it is provisional where every link to it is."""
    method = (
        f"CASE WHEN bool_and(starts_with({end}m, {text(PROVISIONAL)})) THEN {text(PROVISIONAL + 'association')} "
        "ELSE 'association' END"
    )
    return (
        f"{end} AS {name(key + '_entity')}, max({end}p)::FLOAT AS {name(key + '_link_probability')}, "
        f"{method} AS {name(key + '_link_method')}"
    )
