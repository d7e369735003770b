"""Primary rules beside ACRO's over a thousand random tables, cell by cell: threshold, dominance (n, k), p-ratio.

One row a person, as ACRO counts. Where both define a rule they must agree on every cell; where they differ by
design (decision 29) the cells are counted apart, told by what is in them and not by what either said: somebody
in the cell adds nothing to its sum, or nobody adds anything. Needs ACRO 1.0.2 in an environment of its own: name
its Python in IDS_ACRO.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.report import marks, table
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.output import ReleaseLimits, View
from integrated_data.output.check import check_table, shape_of

TABLES = 1_000
ELSEWHERE = Path(__file__).parents[1] / "tests" / "elsewhere" / "check_acro.py"
QUERY = "SELECT region, kind, sum(pay) AS pay FROM survey GROUP BY region, kind"

#: Our rules by the names of ACRO's checks.
RULES = {"MinimumThresholdCheck": "minimum people", "NKCheck": "dominance (n, k)", "PPercentCheck": "p-ratio"}

Rows = dict[str, np.ndarray]


def drawn(count: int = TABLES) -> Iterator[Rows]:
    """Random tables: of few and of many people, even and uneven; some with zeros, some with amounts below zero."""
    for number in range(count):
        dice = np.random.default_rng(number)
        rows = int(dice.integers(20, 500))
        pay = [
            dice.gamma(2, 100, rows).round(2), dice.lognormal(0, 3, rows).round(3), dice.integers(1, 4, rows) * 1.0,
            dice.pareto(0.7, rows).round(2) + 1, np.where(dice.random(rows) < 0.1, 9.0, 0.125),
        ][number % 5]  # fmt: skip
        if number % 10 == 3:
            pay = np.where(dice.random(rows) < 0.2, 0.0, pay)
        if number % 10 == 7:
            pay = np.where(dice.random(rows) < 0.02, -pay, pay)
        shares = dice.dirichlet(np.ones(int(dice.integers(2, 7))))
        yield {
            "region": np.array([f"r{n}" for n in range(len(shares))])[dice.choice(len(shares), rows, p=shares)],
            "kind": np.array([f"k{n}" for n in range(4)])[dice.integers(0, int(dice.integers(2, 5)), rows)],
            "pay": pay,
        }  # fmt: skip


def ours(engine: DuckDB, rows: Rows) -> dict[str, set[str]]:
    """Cells that break each rule, by the rule's name."""
    views = {"survey": View(("person_key", "region", "kind", "pay"), "person_key")}
    engine.load("survey", Held(pa.table({"person_key": np.arange(len(rows["pay"])) + 2**60, **rows})))
    result = engine.rows(shape_of(QUERY, views).result)
    checked = check_table("q", QUERY, result=result, views=views, run=engine.rows, limits=ReleaseLimits())
    found: dict[str, set[str]] = {}
    for cell, rules in (checked.broken or {}).items():
        for rule in rules:
            found.setdefault(rule.name, set()).add("|".join(str(value) for value in cell.values))
    return found


def theirs(tables: list[Rows], python: str) -> list[dict[str, list[str]]]:
    """The same of ACRO, for each table."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tables.npz"
        np.savez(place, **{f"{n}-{name}": held for n, rows in enumerate(tables) for name, held in rows.items()})
        command = [python, str(ELSEWHERE), str(place), str(len(tables))]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class Difference:
    """One cell that one of both marks and the other does not. `why`: what is in it, where that is by design."""

    number: int
    check: str
    ours: bool
    why: str


def compared(tables: list[Rows], python: str) -> tuple[Counter[str], list[Difference]]:
    """How many cells of each check were compared, and every one in which the two differ."""
    counts: Counter[str] = Counter()
    found: list[Difference] = []
    engine = DuckDB(Limits())
    try:
        for number, (rows, told) in enumerate(zip(tables, theirs(tables, python), strict=True)):
            here, amounts = ours(engine, rows), amounts_of(rows)
            below = bool((rows["pay"] < 0).any())
            for check, rule in RULES.items():
                undefined = below and rule != "minimum people"  # dominance below zero: people look
                said = f"{check} of amounts below zero" if undefined else check
                broken = here.get("negative amounts" if undefined else rule, set())
                counts[said] += len(amounts)
                differ = [cell for cell in amounts if (cell in broken) != (cell in told[check])]
                found += [Difference(number, said, cell in broken, why(rule, amounts[cell])) for cell in differ]
    finally:
        engine.close()
    return counts, found


def amounts_of(rows: Rows) -> dict[str, np.ndarray]:
    """The amounts of each cell."""
    names = np.array([f"{r}|{k}" for r, k in zip(rows["region"], rows["kind"], strict=True)])
    return {str(name): rows["pay"][names == name] for name in dict.fromkeys(names)}


def why(rule: str, amounts: np.ndarray) -> str:
    """Why the two differ by design about a cell, told by what is in it; empty where they should not."""
    if rule == "minimum people" and (amounts == 0).any():
        return "somebody adds nothing: we count those who add too"
    if rule == "p-ratio" and not amounts.any():
        return "nobody adds anything: a ratio of nought, and for us class disclosure"
    return ""


def run() -> bool:
    """Compare and report."""
    python = os.environ.get("IDS_ACRO")
    if not python:
        print("Not compared: IDS_ACRO names no Python with ACRO", file=sys.stderr)
        return True
    counts, found = compared(list(drawn()), python)
    rows = []
    for check, cells in counts.items():
        of_check = [d for d in found if d.check == check]
        design = sum(1 for d in of_check if d.why)
        rows.append(
            {"rule": check, "agree": cells - len(of_check), "by design": design, "differ": len(of_check) - design}
        )
    table(f"Cells of {TABLES:,} random tables", rows)
    groups = dict.fromkeys((d.check, d.ours, d.why) for d in found)
    told = []
    for check, here, reason in groups:
        of_group = [d.number for d in found if (d.check, d.ours, d.why) == (check, here, reason)]
        told.append(
            {"rule": check, "marked by": "ours" if here else "ACRO", "why": reason or "not known",
             "cells": len(of_group), "tables": ", ".join(map(str, sorted(set(of_group))))}
        )  # fmt: skip
    table("Every difference, with the tables that it is in", told)
    differ = len({d.number for d in found})
    print(f"{differ} of {TABLES:,} tables have a cell in which the two differ; the others agree in every cell")
    return marks(
        {"both say the same of every cell where both define the rule": all(difference.why for difference in found)}
    )
