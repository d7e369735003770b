"""The quality statement of an edition: how well its data are linked, and how far that moves its figures.

Shares of linked records are those of the catalogue, which everybody may read. The range from link
uncertainty comes from runs over other sets of links (`access/sensitivity.py`); it is told once for each
figure, over the published cells alone and rounded up, because an interval for each cell would be another
table of almost the same people.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from integrated_data.control import releases
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Edition
from integrated_data.model.output import Cell, OutputColumn, Value
from integrated_data.output import requested
from integrated_data.output.check import Checked
from integrated_data.output.evidence import cell_of
from integrated_data.output.formats.publication import Grid
from integrated_data.output.shape import LEVEL, Shape

#: Shares that a range is rounded up to, in per cent; beyond the last it is told as more than that.
STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100)

FILE = "uncertainty.json"

HEADINGS = ("What", "Of what", "Value")


def keep(folder: Path, told: Mapping[str, Any]) -> str:
    """Write down what the runs over other sets of links gave, beside the request; returns its hash."""
    content = requested.as_json(told)
    requested.put(folder / FILE, content)
    return hashlib.sha256(content).hexdigest()


def figures(shape: Shape) -> tuple[str, ...]:
    """Columns of a proven query's result that have a range."""
    return tuple(c.name for c in shape.columns if c.measures)


def ranges(rows: Iterable[Mapping[str, Any]], shape: Shape) -> list[dict[str, Any]]:
    """Cells with the ends of their figures' intervals, from the rows of a sensitivity analysis."""
    found = []
    for row in rows:
        cell = cell_of(row, shape.key_names, prefix=LEVEL)
        ends = {name: [row.get(f"{name}_low"), row.get(f"{name}_high")] for name in figures(shape)}
        found.append({"total": list(cell.total), "values": list(cell.values), "ends": ends})
    return found


def statement(store: Store, edition: Edition, *, tables: Sequence[Checked], place: Path) -> Grid:
    """The quality of an edition's links, and the ranges of its figures; `place`: the request's folder."""
    told = [*_linked(store, edition), *_ranges(edition, tables, place=place)]
    return Grid("Quality of the links behind the figures", HEADINGS, tuple(told))


def _linked(store: Store, edition: Edition) -> list[tuple[str, str, str]]:
    rows = []
    for dataset, number in sorted(edition.releases.items()):
        with store.read() as connection:
            found = next((r for r in releases.of_dataset(connection, dataset) if r.id == number), None)
        for index, report in (found.entry.get("links", {}) if found else {}).items():
            of = f"{dataset} to the {index} index"
            records, accepted = report.get("records"), report.get("accepted")
            if records:
                rows.append(("Link rate", of, _share((accepted or 0) / records)))
            for name in ("expected_precision", "expected_recall"):
                if report.get(name) is not None:
                    rows.append((name.replace("_", " ").capitalize(), of, _share(report[name])))
    return rows


def _share(share: float) -> str:
    """A share in per cent that is never told as all or nothing where it is not."""
    if 0.9995 <= share < 1:
        return "more than 99.9%"
    return "less than 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _ranges(edition: Edition, tables: Sequence[Checked], *, place: Path) -> list[tuple[str, str, str]]:
    file = place / FILE
    content = file.read_bytes() if edition.uncertainty and file.is_file() else b""
    if not content or hashlib.sha256(content).hexdigest() != edition.uncertainty:
        return []
    told = json.loads(content)
    rows = []
    for number, (checked, runs) in enumerate(zip(tables, told["tables"], strict=True), start=1):
        if runs["reason"]:
            rows.append(("Range from link uncertainty", f"Table {number}", f"Not computed: {runs['reason']}"))
            continue
        ends = {Cell(tuple(r["total"]), tuple(r["values"])): r["ends"] for r in runs["cells"]}
        for column in checked.table.columns:
            if column.measures and (reach := _reach(checked, column, ends=ends)) is not None:
                rows.append(("Range from link uncertainty", f"Table {number}, {column.name}", _told(*reach)))
    return [*rows, ("What the range leaves out", "All tables", told["unseen"])] if rows else rows


def _reach(
    checked: Checked, column: OutputColumn, *, ends: Mapping[Cell, Mapping[str, Sequence[float | None]]]
) -> tuple[float, float] | None:
    """How far below and above the published figures the ends lie at most, in shares of them."""
    place = [c.name for c in checked.table.columns].index(column.name)
    below, above = [], []
    for row in checked.table.rows:
        held: Value = row.values[place]
        low, high = ends.get(row.cell, {}).get(column.name, (None, None))
        if row.cell in checked.withheld or isinstance(held, str) or not held or low is None or high is None:
            continue
        below.append((held - low) / abs(held))
        above.append((high - held) / abs(held))
    return (max(*below, 0.0), max(*above, 0.0)) if below else None


def _told(below: float, above: float) -> str:
    return (
        f"With links drawn anew, 95% of runs lie from {_step(below)} below to {_step(above)} above the published "
        "figure, or nearer, in every cell"
    )


def _step(share: float) -> str:
    if share <= 0:
        return "0%"
    step = next((s for s in STEPS if share * 100 <= s), None)
    return f"{step:g}%" if step is not None else f"more than {STEPS[-1]}%"
