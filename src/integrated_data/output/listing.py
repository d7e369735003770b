"""Rows for people: requests, and the cells that are held back and why.

For inside the service only: which rule holds a cell back narrows down what it hides.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from integrated_data.model.output import OutputRequest
from integrated_data.output import requested
from integrated_data.output.table import TOTAL, UNNAMED


def request_rows(requests: Iterable[OutputRequest], *, due: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One row a request: where it stands and what its check said. `due`: of those in review, when that is."""
    return [
        {
            "request": r.id, "project": r.project, "author": r.person, "state": r.state.value.replace("_", " "),
            "lane": r.lane.value if r.lane else "", "review_due": (due or {}).get(r.id, ""), "cells": r.cells,
            "withheld": r.withheld, "title": r.title,
        }
        for r in requests
    ]  # fmt: skip


def withheld_rows(folder: Path, request: str) -> list[dict[str, Any]]:
    """One row a withheld cell of a checked request: its query, its keys, and the rules it breaks.

    `folder` is the outputs folder. A cell that breaks no rule is withheld to hide another.
    """
    place = requested.place(folder, request) / "evidence.json"
    if not place.exists():
        return []
    rows = []
    for table in json.loads(place.read_bytes()):
        for cell in table["cells"]:
            if cell["withheld"]:
                held = zip(table["keys"], cell["cell"]["values"], cell["cell"]["total"], strict=True)
                keys = {name: TOTAL if total else value or UNNAMED for name, value, total in held}
                why = ", ".join(cell["broken"]) or "hides another cell"
                rows.append({"query": table["query"], **keys, "why": why})
    return rows
