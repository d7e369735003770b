"""The package of a release: what leaves, as bytes that depend on nothing but the request and its tables.

    table.csv                      the protected table (table-2.csv … where there are several)
    chart.vl.json, chart.svg       its chart as a Vega-Lite specification and as a drawing
    record.json                    every check that was applied, for machines
    README.txt                     the same for people

The record states rules and thresholds, and how many cells are withheld; never which rule withheld
which cell, and no count of a withheld cell, since either would narrow down what it hides.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from integrated_data import __version__
from integrated_data.model.output import (
    Finding,
    Lane,
    Mark,
    Outcome,
    OutputRequest,
)
from integrated_data.output import chart
from integrated_data.output.check import Checked
from integrated_data.output.limits import HeldTo
from integrated_data.output.model_rules import MODEL_RULES, ModelRule
from integrated_data.output.requested import as_json
from integrated_data.output.rules import CELL_RULES, DEGREES_OF_FREEDOM, Rule
from integrated_data.output.table import TOTAL, UNNAMED, to_csv

#: Findings about the query or the request, not about single cells, that may be told outside.
TOLD = (Outcome.NOTE, Outcome.REVIEW)

PASSES = "every published cell passes"
ROUNDED = "every published cell passes, or is rounded so that what breaks it cannot be told"


def build(
    request: OutputRequest,
    tables: Sequence[Checked],
    *,
    limits: HeldTo,
    findings: Sequence[Finding],
) -> dict[str, bytes]:
    """The files of a release by name."""
    files: dict[str, bytes] = {}
    for number, checked in enumerate(tables, start=1):
        mark = "" if number == 1 else f"-{number}"
        files[f"table{mark}.csv"] = to_csv(checked.table, withheld=checked.withheld, limits=limits)
        drawn = chart.specification(checked.table, withheld=checked.withheld, title=request.title, limits=limits)
        if checked.shape is not None and drawn is not None:
            files[f"chart{mark}.vl.json"] = as_json(drawn)
            files[f"chart{mark}.svg"] = chart.svg(drawn)
    files["README.txt"] = _readme(request, tables, files=files)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    files["record.json"] = as_json(_record(request, tables, limits=limits, findings=findings) | {"files": hashes})
    return files


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
        "lane": lane.value,
        "tables": [_table_record(checked, limits) for checked in tables],
        "for_reviewers": [{"rule": f.rule, "outcome": f.outcome.value, "reason": f.reason} for f in doubts],
    }


def _table_record(checked: Checked, limits: HeldTo) -> dict[str, Any]:
    shape = checked.shape
    record: dict[str, Any] = {
        "query": checked.query,
        "proven": shape is not None,
        "cells": len(checked.table.rows),
        "withheld": len(checked.withheld),
        "rounding": max(limits.rounding, checked.rounded),
    }
    if shape is None:
        return record | {"checks": [], "note": "The shape of the query is not proven: two reviewers decided"}
    if checked.estimate is not None:
        record["model"] = checked.estimate.told()
    passes = ROUNDED if checked.rounded else PASSES
    rules: Sequence[Rule | ModelRule] = [*CELL_RULES, *([DEGREES_OF_FREEDOM] if shape.parameters else [])]
    if checked.told:
        rules = MODEL_RULES
    checks = [
        {
            "rule": rule.name, "threshold": rule.threshold(limits), "set_by": limits.sources(rule.limits),
            "argument": rule.argument, "source": rule.source,
            "result": passes if rule.outcome in (Outcome.WITHHOLD, Outcome.REFUSE) else "see for_reviewers",
        }
        for rule in rules
    ]  # fmt: skip
    attacker = {
        "rule": "secondary suppression",
        "threshold": f"no withheld count confined to within {limits.minimum_people}, "
        f"no amount to within {limits.p_ratio:.0%}",
        "argument": "Withheld cells must not follow from totals", "source": "Fischetti and Salazar (2001)",
        "result": "holds over the tables of this request",
    }  # fmt: skip
    return record | {
        "keys": list(shape.key_names),
        "figures": [c.name for c in shape.columns if c.measures],
        "rows_sha256": shape.base,
        "checks": [*checks, attacker],
    }


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
        "0   zero; a combination of groups that is not listed has nobody in it, or the query left it out",
        f"{TOTAL} is a total; {UNNAMED} is a group without a value.",
        "",
        "Files: " + ", ".join(sorted([*files, "README.txt", "record.json"])) + ".",
        "record.json states every check that was applied and the hash of each file.",
        "",
    ]
    return "\n".join(lines).encode()
