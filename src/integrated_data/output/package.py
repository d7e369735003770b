"""The package of a release: what leaves, as bytes that depend on nothing but the request and its tables.

    table.csv                      the protected table (table-2.csv … where there are several)
    chart.vl.json, chart.svg       its chart as a Vega-Lite specification and as a drawing
    queries.sql                    what each table was computed by, without values and its author's names
    record.json                    every check that was applied, for machines
    results.json, config.json      the same as ACRO writes it
    README.txt                     the same for people

The record states rules and thresholds, and how many cells are withheld; never which rule withheld
which cell, and no count of a withheld cell, since either would narrow down what it hides.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integrated_data import __version__
from integrated_data.model.output import (
    Finding,
    Lane,
    Mark,
    Outcome,
    OutputRequest,
)
from integrated_data.output import acro, chart
from integrated_data.output.check import Checked
from integrated_data.output.limits import HeldTo
from integrated_data.output.model_rules import MODEL_RULES
from integrated_data.output.requested import as_json
from integrated_data.output.rulebook import limit_rows, rule_rows
from integrated_data.output.rules import CELL_RULES, DEGREES_OF_FREEDOM
from integrated_data.output.table import TOTAL, UNNAMED, to_csv

#: Findings about the query or the request, not about single cells, that may be told outside.
TOLD = (Outcome.NOTE, Outcome.REVIEW)

#: Given the files of tables and charts, the files that lie beside them.
Beside = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]

PASSES = "what leaves keeps it"
ROUNDED = "what leaves keeps it, or is rounded so that what breaks it cannot be told"

#: Rules that are about the rows behind a table, which are known only of a query whose shape is proven.
OF_CELLS = frozenset(rule.name for rule in (*CELL_RULES, DEGREES_OF_FREEDOM))
NEED_A_SHAPE = OF_CELLS | {"secondary suppression"}

#: Rules of fitted models alone.
OF_MODELS = frozenset(rule.name for rule in MODEL_RULES) - OF_CELLS

#: Files that say how the others came about.
QUERIES, RECORD, README, RESULTS, CONFIG = "queries.sql", "record.json", "README.txt", "results.json", "config.json"


def build(
    request: OutputRequest,
    tables: Sequence[tuple[str, Checked]],
    *,
    limits: HeldTo,
    findings: Sequence[Finding],
    compared: int,
    beside: Beside | None = None,
) -> dict[str, bytes]:
    """The files of a release by their paths. `tables`: each with its query's text as it may leave.

    `compared`: how many earlier releases it was compared with; `beside`: more files, from the tables and charts.
    """
    files: dict[str, bytes] = {QUERIES: _queries(tables)}
    outputs = []
    for number, (text, checked) in enumerate(tables, start=1):
        made = _table_files(request, checked, limits=limits, mark="" if number == 1 else f"-{number}")
        files |= made
        outputs.append((acro.Told(number, text, tuple(made)), checked))
    checked_tables = [checked for _, checked in tables]
    files |= beside(files) if beside is not None else {}
    files[README] = _readme(request, checked_tables, files=files)
    files[CONFIG] = as_json(acro.config(limits))
    files[RESULTS] = as_json(acro.results(request, outputs, findings=findings))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    record = _record(request, checked_tables, limits=limits, findings=findings)
    return files | {RECORD: as_json(record | {"compared_with_releases": compared, "files": hashes})}


def _table_files(request: OutputRequest, checked: Checked, *, limits: HeldTo, mark: str) -> dict[str, bytes]:
    files = {f"table{mark}.csv": to_csv(checked.table, withheld=checked.withheld, limits=limits)}
    drawn = chart.specification(checked.table, withheld=checked.withheld, title=request.title, limits=limits)
    if checked.shape is not None and drawn is not None:
        files[f"chart{mark}.vl.json"] = as_json(drawn)
        files[f"chart{mark}.svg"] = chart.svg(drawn)
    return files


def _queries(tables: Sequence[tuple[str, Checked]]) -> bytes:
    """Every query after a line that says which table it made."""
    parts = [f"-- {n}: query {checked.query}\n{text};\n" for n, (text, checked) in enumerate(tables, start=1)]
    return "\n".join(parts).encode()


def _record(
    request: OutputRequest, tables: Sequence[Checked], *, limits: HeldTo, findings: Sequence[Finding]
) -> dict[str, Any]:
    doubts = [f for f in findings if f.outcome in TOLD]
    lane = Lane.REVIEW if any(f.outcome is Outcome.REVIEW for f in findings) else Lane.AUTOMATIC
    return {
        "request": request.id,
        "asked": request.asked,
        "project": request.project,
        "title": request.title,
        "datasets": list(request.datasets),
        "tool": {"name": "Integrated Data Service", "version": __version__},
        "limits": limit_rows(limits),
        "lane": lane.value,
        "tables": [_table_record(checked, limits=limits, findings=findings) for checked in tables],
        "for_reviewers": [{"rule": f.rule, "outcome": f.outcome.value, "reason": f.reason} for f in doubts],
    }


def _table_record(checked: Checked, *, limits: HeldTo, findings: Sequence[Finding]) -> dict[str, Any]:
    shape = checked.shape
    record: dict[str, Any] = {
        "query": checked.query,
        "proven": shape is not None,
        "cells": len(checked.table.rows),
        "withheld": len(checked.withheld),
        "rounding": max(limits.rounding, checked.rounded),
    }
    other = OF_CELLS if checked.told else OF_MODELS
    rows = [row for row in rule_rows(limits) if row["rule"] not in other]
    record["checks"] = [row | {"result": _result(row["rule"], checked, findings=findings)} for row in rows]
    if shape is None:
        return record | {"note": "The shape of the query is not proven: two reviewers decided"}
    if checked.estimate is not None:
        record["model"] = checked.estimate.told()
    return record | {
        "keys": list(shape.key_names),
        "figures": [c.name for c in shape.columns if c.measures],
        "rows_sha256": shape.base,
    }


def _result(rule: str, checked: Checked, *, findings: Sequence[Finding]) -> str:
    """What a rule came to for what leaves of a table."""
    if any(f.rule == rule and f.outcome in TOLD for f in findings):
        return "see for_reviewers"
    if checked.shape is None and rule in NEED_A_SHAPE:
        return "not computed: two reviewers decided"
    if rule == DEGREES_OF_FREEDOM.name and not (checked.shape and checked.shape.parameters):
        return "does not apply: no estimate"
    return ROUNDED if checked.rounded else PASSES


def _readme(request: OutputRequest, tables: Sequence[Checked], *, files: dict[str, bytes]) -> bytes:
    withheld = sum(len(c.withheld) for c in tables)
    cells = sum(len(c.table.rows) for c in tables)
    lines = [
        request.title,
        "=" * len(request.title),
        "",
        f"Output {request.id} of project {request.project}, from: {', '.join(request.datasets)}.",
        f"{cells} cells, {withheld} of them withheld.",
        "",
        f"{Mark.WITHHELD.value} withheld to protect people's confidentiality",
        f"{Mark.MISSING.value} not available",
        f"{Mark.LOW.value} rounds to 0 and is not 0",
        "0   zero; a combination of groups that is not listed has nobody in it, or the query left it out",
        f"{TOTAL} is a total; {UNNAMED} is a group without a value.",
        "",
        "Files: " + ", ".join(sorted([*files, README, RECORD])) + ".",
        "record.json states every check that was applied and the hash of each file; results.json says it to the tools",
        "of output checkers (ACRO). queries.sql is what was computed, with ? in the place of each value.",
        "",
    ]
    return "\n".join(lines).encode()
