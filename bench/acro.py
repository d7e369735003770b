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


def compared(tables: list[Rows], python: str) -> Counter[tuple[str, str]]:
    """How many cells of each rule agree, differ by design, or differ."""
    counts: Counter[tuple[str, str]] = Counter()
    engine = DuckDB(Limits())
    try:
        for rows, told in zip(tables, theirs(tables, python), strict=True):
            here = ours(engine, rows)
            names = [f"{r}|{k}" for r, k in zip(rows["region"], rows["kind"], strict=True)]
            nothing = {name for name, pay in zip(names, rows["pay"], strict=True) if pay == 0}
            below = {name for name, pay in zip(names, rows["pay"], strict=True) if pay < 0}
            something = {name for name, pay in zip(names, rows["pay"], strict=True) if pay != 0}
            for check, rule in RULES.items():
                undefined = bool(below) and rule != "minimum people"  # dominance below zero: people look
                said = f"{check} of amounts below zero" if undefined else check
                broken = here.get("negative amounts" if undefined else rule, set())
                apart = nothing if rule == "minimum people" else nothing - something if rule == "p-ratio" else set()
                for cell in dict.fromkeys(names):
                    same = (cell in broken) == (cell in told[check])
                    counts[said, "agree" if same else "by design" if cell in apart else "differ"] += 1
    finally:
        engine.close()
    return counts


def run() -> bool:
    """Compare and report."""
    python = os.environ.get("IDS_ACRO")
    if not python:
        print("Not compared: IDS_ACRO names no Python with ACRO", file=sys.stderr)
        return True
    counts = compared(list(drawn()), python)
    checks = list(dict.fromkeys(check for check, _ in counts))
    table(
        f"Cells of {TABLES:,} random tables",
        [{"rule": c} | {said: counts[c, said] for said in ("agree", "by design", "differ")} for c in checks],
    )
    return marks({"both say the same of every cell where both define the rule": not sum(
        count for (_, said), count in counts.items() if said == "differ"
    )})  # fmt: skip
