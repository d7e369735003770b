"""The results file of ACRO, so that the tools of people who check outputs today can read a package.

`results.json`, `config.json` and `checksums/` are laid out as ACRO writes them when it finalises a
session (Smith and others, ACRO, a tool for semi-automated checking of outputs, version 1.0.2), which is what
the SACRO viewer opens. One output for each table; a cell that does not leave is marked as such and nothing says
which rule holds it back, so ACRO's rules are told as the checks of the cells that do leave.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrated_data import __version__
from integrated_data.model.output import Finding, Outcome, OutputRequest, ReleaseLimits, Role
from integrated_data.output.check import Checked
from integrated_data.output.table import Table, key_text

#: The version of ACRO whose files these are; its loader reads no other.
VERSION = "1.0.2"

#: Under which name a cell that does not leave is marked.
WITHHELD = "WithheldCell"

#: The folder of checksums, beside the files that they are of.
CHECKSUMS = "checksums/"

#: The vocabulary that ACRO describes analyses and checks in.
VOCABULARY = "https://w3id.org/statbarnsdc#"


@dataclass(frozen=True)
class Told:
    """What is said of one table: its number from 1, the query as it may leave, the files that show it."""

    number: int
    command: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Barn:
    """A kind of statistic: what can go wrong with it, what is checked, and what helps, in ACRO's words."""

    name: str
    risks: tuple[str, ...]
    checks: tuple[str, ...]


_FREQUENCIES = _Barn(
    "Frequencies", ("ClassDisclosure", "Differencing", "LowCount"),
    ("RequiredZeroCheck", "PresenceOfZeroCheck", "PresenceOfLinkedTableCheck", "MinimumThresholdCheck"),
)  # fmt: skip
_SUMS = _Barn(
    "LinearAggregations", ("Dominance", "Differencing", "LowCount"),
    ("NKCheck", "PPercentCheck", "PresenceOfLinkedTableCheck", "MinimumThresholdCheck"),
)  # fmt: skip


def results(
    request: OutputRequest, tables: Sequence[tuple[Told, Checked]], *, findings: Sequence[Finding]
) -> dict[str, Any]:
    """The content of `results.json`: outputs `output_0`, `output_1`… in the order of the queries."""
    doubts = [f.reason for f in findings if f.outcome is Outcome.REVIEW]
    outputs = {
        f"output_{told.number - 1}": _output(request, told, checked=checked, doubts=doubts) for told, checked in tables
    }
    tool = {"@type": "SoftwareApplication", "name": "Integrated Data Service", "version": __version__}
    return {"version": VERSION, "tool": tool, "results": outputs}


def config(limits: ReleaseLimits) -> dict[str, Any]:
    """The content of `config.json`: the limits under ACRO's names."""
    return {
        "safe_threshold": limits.minimum_people, "safe_dof_threshold": limits.degrees_of_freedom,
        "safe_nk_n": limits.dominance_people, "safe_nk_k": limits.dominance_share, "safe_pratio_p": limits.p_ratio,
        "safe_round_base": limits.rounding, "check_missing_values": False, "zeros_are_disclosive": True,
        "suppress": True,
    }  # fmt: skip


def checksums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`checksums/<name>.txt` for each file: its SHA-256 in hexadecimal."""
    return {f"{CHECKSUMS}{name}.txt": hashlib.sha256(content).hexdigest().encode() for name, content in files.items()}


def _output(request: OutputRequest, told: Told, *, checked: Checked, doubts: Sequence[str]) -> dict[str, Any]:
    barn = _barn(checked)
    status = "review" if doubts else "pass"
    sdc = _sdc(checked)
    held = len(checked.withheld)
    return {
        "uid": f"output_{told.number - 1}",
        "status": status,
        "type": "table",
        "properties": {"method": "sql", "mitigation": _mitigation(checked), "query": checked.query},
        "files": [
            {"name": name, "sdc": sdc if name.endswith(".csv") else {"summary": {}, "cells": {}}} for name in told.files
        ],
        "outcome": _outcome(checked),
        "command": told.command,
        "summary": f"{status}; {held} of {len(checked.table.rows)} cells withheld",
        "timestamp": request.at.isoformat(),
        "comments": list(doubts),
        "exception": "Leaves only if two output checkers approve these files" if doubts else "",
        "fair": {
            "context": VOCABULARY, "statbarn": barn.name, "risks": list(barn.risks),
            "checks_needed": list(barn.checks), "common_mitigations": ["Noise", "Suppression"],
            "check_status": dict.fromkeys(barn.checks, "pass") if checked.shape else {},
            "dependent": ", ".join(checked.table.names(Role.FIGURE)),
            "independent": list(checked.table.names(Role.KEY)),
        },
    }  # fmt: skip


def _mitigation(checked: Checked) -> str:
    return "suppress" if checked.withheld else "round" if checked.rounded else "none"


def _barn(checked: Checked) -> _Barn:
    sums = checked.shape is not None and any(not measure.counts for measure in checked.shape.measures)
    return _SUMS if sums else _FREQUENCIES


def _sdc(checked: Checked) -> dict[str, Any]:
    """Places of withheld figures, row and column of the table without its heading and its first column."""
    figures = [place - 1 for place, column in enumerate(checked.table.columns) if column.role is Role.FIGURE]
    rows = [number for number, row in enumerate(checked.table.rows) if row.cell in checked.withheld]
    cells = [[row, place] for row in rows for place in figures]
    return {"summary": {WITHHELD: len(rows)}, "cells": {WITHHELD: cells}}


def _outcome(checked: Checked) -> dict[str, dict[str, str]]:
    said = ["withheld" if row.cell in checked.withheld else "ok" for row in checked.table.rows]
    rows = dict(zip(_labels(checked.table), said, strict=True))
    return {name: dict(rows) for name in checked.table.names(Role.FIGURE)}


def _labels(table: Table) -> list[str]:
    """What each row is called: its keys, and its number, so that no two are called the same."""
    keys = [(place, column.key) for place, column in enumerate(table.columns) if column.key is not None]
    return [
        " | ".join([str(number), *(key_text(row.cell, key, held=row.values[place]) for place, key in keys)])
        for number, row in enumerate(table.rows)
    ]
