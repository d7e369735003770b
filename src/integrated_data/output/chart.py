"""The chart of a released table: bars, lines for years and dates, points with intervals, or a heat map.

Drawn from the protected table alone: a withheld cell has no length, only its mark. The specification
is Vega-Lite 6 (Satyanarayan and others, IEEE TVCG 2017) written with Altair, and drawn to SVG without a
browser or network by vl-convert.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from integrated_data.model.output import Cell, Mark, ReleaseLimits, Role, Value
from integrated_data.output.table import Table, figure, key_text

#: Marks beyond which a drawing tells nothing.
MOST_MARKS = 2_000
MOST_COLOURS, MOST_PANELS = 8, 40

#: Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]

_ORDERED = re.compile(r"\d{4}(-\d\d){0,2}")


@dataclass(frozen=True)
class Plan:
    """Which column goes where. `place`: the groups; `ordered`: they are times, so they run across.

    `low`, `high`: the ends of an interval; `across`: the second key of a heat map.
    """

    place: str
    figure: str
    colour: str | None = None
    panel: str | None = None
    across: str | None = None
    low: str | None = None
    high: str | None = None
    ordered: bool = False


def specification(
    table: Table, *, withheld: frozenset[Cell], title: str, limits: ReleaseLimits
) -> dict[str, Any] | None:
    """The chart as a Vega-Lite specification, or None where no drawing would tell anything."""
    plan = plan_of(table)
    rows = _rows(table, withheld, limits=limits)
    if plan is None or not 1 <= len(rows) <= MOST_MARKS:
        return None
    said = _told(plan, table.names(Role.KEY), rows=rows)
    with debug_mode(False):  # each kind of chart is held against the schema in tests, not each chart as it is made
        drawn = _drawn(plan, rows).properties(title=title, description=said).configure_range(category=COLOURS)
        return dict(drawn.to_dict(validate=False))


def _drawn(plan: Plan, rows: list[dict[str, Any]]) -> Any:
    data = alt.InlineData(values=rows)
    layers = _heat(plan) if plan.across is not None else _marks(plan)
    chart: Any = alt.layer(*layers, data=data)
    if plan.panel is None:
        return chart
    panel = alt.Facet(f"{_field(plan.panel)}:N", title=_words(plan.panel), sort=None)
    return chart.facet(facet=panel, columns=3)


def svg(drawn: dict[str, Any]) -> bytes:
    """The chart as a drawing."""
    return str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[])).encode()


def plan_of(table: Table) -> Plan | None:
    """A sensible chart for the table's columns, or None."""
    sizes = {name: len(set(_spoken(table, name))) for name in table.names(Role.KEY)}
    keys = sorted((k for k in sizes if sizes[k] > 1), key=lambda k: (sizes[k], k))
    shown = _figure(table)
    if shown is None or not 1 <= len(keys) <= 3:
        return None
    interval = {f"{shown}_low", f"{shown}_high"} <= set(table.names(Role.FIGURE))
    ends = (f"{shown}_low", f"{shown}_high") if interval else (None, None)
    time = next((key for key in keys if _is_time(table, key)), None)
    place = time or keys[-1]
    rest = [key for key in keys if key != place]
    plan = Plan(place, shown, low=ends[0], high=ends[1], ordered=time is not None)
    if rest and sizes[rest[0]] <= MOST_COLOURS:
        plan = replace(plan, colour=rest.pop(0))
    elif len(rest) == 1 and not interval and time is None:
        return replace(plan, across=rest[0])
    if len(rest) > 1 or (rest and sizes[rest[0]] > MOST_PANELS):
        return None
    return replace(plan, panel=rest[0] if rest else None)


def _figure(table: Table) -> str | None:
    """The figure to draw: the first with an interval, else the first number."""
    figures = table.names(Role.FIGURE)
    numbers = [f for f in figures if any(isinstance(v, int | float) for v in table.column(f))]
    interval = next((f for f in numbers if {f"{f}_low", f"{f}_high"} <= set(figures)), None)
    return interval or next((f for f in numbers if not f.endswith(("_low", "_high"))), None)


def _spoken(table: Table, key: str) -> list[str]:
    column = next(c for c in table.columns if c.name == key)
    assert column.key is not None
    place = table.columns.index(column)
    return [key_text(r.cell, column.key, held=r.values[place]) for r in table.rows]


def _is_time(table: Table, key: str) -> bool:
    named = [v for v in table.column(key) if v is not None]
    return len(set(named)) > 2 and all(_ORDERED.fullmatch(str(v)) for v in named)


def _rows(table: Table, withheld: frozenset[Cell], *, limits: ReleaseLimits) -> list[dict[str, Any]]:
    """The table as the chart's data: no figure of a withheld cell is in it."""
    spoken = {name: _spoken(table, name) for name in table.names(Role.KEY)}
    rows = []
    for number, row in enumerate(table.rows):
        hidden = row.cell in withheld
        held: dict[str, Any] = {name: values[number] for name, values in spoken.items()}
        for column, value in zip(table.columns, row.values, strict=True):
            if column.role is Role.FIGURE:
                written = figure(value, rounding=limits.rounding if column.count else 1)
                held[column.name] = None if hidden else _as_number(written, value)
        held["mark"] = Mark.WITHHELD.value if hidden else None
        rows.append(held)
    return rows


def _told(plan: Plan, keys: Sequence[str], *, rows: Sequence[Mapping[str, Any]]) -> str:
    """The chart in words, for who does not see it: what is drawn, its highest and lowest figure, what is withheld."""
    kind = "Heat map" if plan.across else "Line chart" if plan.ordered else "Points with intervals" if plan.low else ""
    parts = [f"{kind or 'Bar chart'} of {_words(plan.figure)} by {', '.join(map(_words, keys))}."]
    known = [row for row in rows if row[plan.figure] is not None]
    for extreme, choose in (("highest", max), ("lowest", min)) if known else ():
        row = choose(known, key=lambda r: r[plan.figure])
        parts.append(f"The {extreme} is {row[plan.figure]} ({', '.join(str(row[k]) for k in keys)}).")
    hidden = sum(1 for row in rows if row["mark"])
    return " ".join([*parts, f"{hidden} of {len(rows)} cells are withheld, marked {Mark.WITHHELD.value}."])


def _as_number(written: str, value: Value) -> float | int | None:
    if value is None or isinstance(value, str):
        return None
    number = 0.0 if written == Mark.LOW.value else float(written)
    return int(number) if number == int(number) else number


def _words(name: str | None) -> str:
    return (name or "").replace("_", " ")


def _field(name: str) -> str:
    """A column's name as Vega-Lite reads it: dots, brackets and colons are its own signs."""
    return re.sub(r"([.\[\]:\\])", r"\\\1", name)


def _marks(plan: Plan) -> list[Any]:
    """Bars, lines or points with their intervals, and a mark where a cell is withheld."""
    place, value = ("x", "y") if plan.ordered else ("y", "x")
    kind = "O" if plan.ordered else "N"
    shared: dict[str, Any] = {
        place: _CHANNEL[place](f"{_field(plan.place)}:{kind}", title=_words(plan.place), sort=None)
    }
    if plan.colour is not None:
        shared["color"] = alt.Color(f"{_field(plan.colour)}:N", title=_words(plan.colour), sort=None)
        if not plan.ordered:
            shared["yOffset"] = alt.YOffset(f"{_field(plan.colour)}:N", sort=None)

    def measured(column: str) -> dict[str, Any]:
        return {value: _CHANNEL[value](f"{_field(column)}:Q", title=_words(plan.figure))}

    layers: list[Any] = []
    if plan.low is not None and plan.high is not None:
        to = {f"{value}2": _CHANNEL[f"{value}2"](f"{_field(plan.high)}:Q")}
        layers.append(alt.Chart().mark_rule().encode(**shared, **measured(plan.low), **to))
        layers.append(alt.Chart().mark_point(filled=True, size=40).encode(**shared, **measured(plan.figure)))
    elif plan.ordered:
        layers.append(alt.Chart().mark_line(point=True).encode(**shared, **measured(plan.figure)))
    else:
        layers.append(alt.Chart().mark_bar().encode(**shared, **measured(plan.figure)))
    hidden = alt.Chart().mark_text(align="left", dx=3, fontSize=9)
    at_zero = {value: alt.datum(0)}
    layers.append(
        hidden.encode(text=alt.Text("mark:N"), **shared, **at_zero).transform_filter(
            alt.datum.mark == Mark.WITHHELD.value
        )
    )
    return layers


_CHANNEL: dict[str, Any] = {"x": alt.X, "y": alt.Y, "x2": alt.X2, "y2": alt.Y2}


def _heat(plan: Plan) -> list[Any]:
    places = {
        "x": alt.X(f"{_field(plan.across or '')}:N", title=_words(plan.across), sort=None),
        "y": alt.Y(f"{_field(plan.place)}:N", title=_words(plan.place), sort=None),
    }
    shade = alt.Color(f"{_field(plan.figure)}:Q", title=_words(plan.figure))
    return [
        alt.Chart().mark_rect().encode(**places, color=shade),
        alt.Chart().mark_text(fontSize=9).encode(**places, text=alt.Text("mark:N")),
    ]
