"""How far an answer depends on the links: the query run again over other sets of them.

Runs at thresholds keep links of at least some probability. Draws keep each link with its own
probability, so that they are draws from what the linkage believes (multiple imputation of links:
Goldstein, Harron and Wade, "The analysis of record-linked data using multiple imputation with data
value priors", Statistics in Medicine 31, 2012). The query is the analyst's own, checked once, and its
text is not touched: what changes is which keys its views hold.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from integrated_data.access.asked import Question
from integrated_data.access.functions import AGGREGATES
from integrated_data.access.gate import Parser
from integrated_data.access.gateway import Answer, Gateway
from integrated_data.access.views import lower
from integrated_data.model.errors import QueryRefusal
from integrated_data.model.query import Kept

#: What no run can see; said with every answer.
UNSEEN = (
    "No run sees pairs that were never compared, nor candidates that were not accepted: records without a key stay "
    "without one, and a link that a run drops is not given to another entity. Errors of the probabilities "
    "themselves are not in the interval."
)

#: Share of draws that lies outside the interval, half at each end.
OUTSIDE = 0.05

MOST_DRAWS = 200


@dataclass(frozen=True)
class Runs:
    """Which runs are made. `measures`: result columns to compare; empty: those that aggregate."""

    thresholds: tuple[float, ...] = (0.8, 0.9, 0.95, 0.99, 0.999)
    draws: int = 20
    seed: int = 1
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sensitivity:
    """An answer and how far it moves.

    `table`: the labels of each cell; for each measure `m` its value as asked, `m_low` and `m_high` (95 %
    of the draws lie between), `m_least` and `m_most` over the thresholds; `draws` in which the cell was
    there. `by_threshold`: threshold, labels, measures.
    """

    answer: Answer
    table: pa.Table | None
    by_threshold: pa.Table | None
    unseen: str = UNSEEN


def sensitivity(gateway: Gateway, question: Question, *, runs: Runs | None = None) -> Sensitivity:
    """Answer a question and run it again over thresholds and draws.

    Refuses a result whose rows cannot be told apart by the columns that are not measures.
    """
    how = runs or Runs()
    if not 0 <= how.draws <= MOST_DRAWS or not all(0.0 <= t <= 1.0 for t in how.thresholds):
        raise QueryRefusal(
            "These runs cannot be made", next_step=f"Ask for up to {MOST_DRAWS} draws, thresholds from 0 to 1"
        )
    kept = [Kept(threshold=t) for t in how.thresholds]
    kept += [Kept(draw=number, seed=how.seed) for number in range(how.draws)]
    answer, tables = gateway.repeat(question, kept=kept)
    if answer.refusal is not None or answer.table is None:
        return Sensitivity(answer, None, None)
    measured = how.measures or _aggregates(question.sql, answer.table, parser=gateway.parser)
    _check_measures(answer.table, measured)
    labels = [c for c in answer.table.column_names if c not in measured]
    asked = _cells(answer.table, labels)
    others = [_cells(t, labels) for t in tables]
    at, drawn = others[: len(how.thresholds)], others[len(how.thresholds) :]
    rows = [_row(key, cells=(asked, at, drawn), labels=labels, measured=measured) for key in _keys(asked, *others)]
    steps = [
        {"threshold": t, **dict(zip(labels, key, strict=True)), **{m: cell[m] for m in measured}}
        for t, cells in zip(how.thresholds, at, strict=True)
        for key, cell in cells.items()
    ]
    return Sensitivity(answer, pa.Table.from_pylist(rows), pa.Table.from_pylist(steps) if steps else None)


def _aggregates(sql: str, table: pa.Table, *, parser: Parser) -> tuple[str, ...]:
    """Columns of the result that the outermost SELECT aggregates."""
    node = parser.parse(sql)["statements"][0]["node"]
    chosen: list[Any] = node.get("select_list", [])
    names = table.column_names
    if len(chosen) != len(names):
        return ()
    return tuple(n for n, part in zip(names, chosen, strict=True) if _holds_aggregate(part))


def _holds_aggregate(part: Any) -> bool:
    if isinstance(part, list):
        return any(_holds_aggregate(p) for p in part)
    if not isinstance(part, dict):
        return False
    if part.get("class") == "FUNCTION" and lower(str(part.get("function_name", ""))) in AGGREGATES:
        return True
    return any(_holds_aggregate(p) for p in part.values())


def _check_measures(table: pa.Table, measured: Sequence[str]) -> None:
    if not measured or not set(measured) <= set(table.column_names):
        raise QueryRefusal(
            "It is not clear which columns of the result are its figures",
            why="The outermost SELECT aggregates none, or a column was named that is not there",
            next_step="Name them: --measure COLUMN, once for each",
        )
    for column in measured:
        kind = table.schema.field(column).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise QueryRefusal(
                f"Column {column} is not a number, so it has no interval", next_step="Leave it out, or name the figures"
            )


_Cells = dict[tuple[Any, ...], dict[str, Any]]


def _cells(table: pa.Table, labels: Sequence[str]) -> _Cells:
    found: _Cells = {}
    for row in table.to_pylist():
        key = tuple(row[label] for label in labels)
        if key in found:
            raise QueryRefusal(
                "The rows of the result cannot be told apart from run to run",
                why="Two of them have the same labels",
                next_step="Group by what you select beside the figures",
            )
        found[key] = row
    return found


def _keys(*runs: _Cells) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(key for cells in runs for key in cells))


def _row(
    key: tuple[Any, ...], *, cells: tuple[_Cells, list[_Cells], list[_Cells]], labels: Sequence[str],
    measured: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    asked, at, drawn = cells
    row: dict[str, Any] = dict(zip(labels, key, strict=True))
    for measure in measured:
        draws, steps = _values(drawn, key, measure=measure), _values(at, key, measure=measure)
        own = asked.get(key, {}).get(measure)
        row |= {
            measure: float(own) if own is not None else None,
            f"{measure}_low": _quantile(draws, OUTSIDE / 2), f"{measure}_high": _quantile(draws, 1 - OUTSIDE / 2),
            f"{measure}_least": min(steps, default=None), f"{measure}_most": max(steps, default=None),
        }  # fmt: skip
    return row | {"draws": sum(key in cells for cells in drawn)}


def _values(runs: Sequence[_Cells], key: tuple[Any, ...], *, measure: str) -> list[float]:
    found: list[Mapping[str, Any]] = [cells[key] for cells in runs if key in cells]
    values = [float(cell[measure]) for cell in found if cell[measure] is not None]
    return sorted(v for v in values if not math.isnan(v))


def _quantile(values: Sequence[float], share: float) -> float | None:
    """By linear interpolation between the ordered values (Hyndman and Fan's seventh)."""
    if not values:
        return None
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
