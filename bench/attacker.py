"""The attacker: a table of 40 areas by 60 ages with margins, checked against a hundred releases about the same people.

A survey of 100,000 people. A hundred tables by trade, status, tenure and the rest, of everybody or of some,
have left, each through the check. The large table is asked for and checked as any other; then one that with
two of the releases tells of one person, which must be refused, and the two named.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from tests.output_world import AUTHOR, KEY, World

from bench.report import marks, table
from integrated_data.control import outputs, tables
from integrated_data.control.store import Store, sqlite
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.output import CheckReport, Lane
from integrated_data.output import release
from integrated_data.site.parser import DuckDBParser

PEOPLE, RELEASES, REPEATS = 100_000, 100, 5

#: The mark: seconds for the check of the large table.
SECONDS = 5.0

#: What the releases are by, and how many values each has.
KEYS = {"sex": 2, "tenure": 3, "status": 5, "band": 6, "health": 5, "sector": 4, "travel": 4, "trade": 10}

LARGE = "SELECT area, age, count(*) AS n, avg(pay) AS pay FROM survey GROUP BY CUBE (area, age)"

#: Everybody by sex has left; so has everybody but the north; the north less one person is asked for.
PARTS = (
    "SELECT count(*) AS n FROM survey WHERE area >= 20",
    "SELECT count(*) AS n FROM survey WHERE area < 20 AND pay < 9000",
)


def run() -> bool:
    """Fill the ledger, check, and report."""
    with tempfile.TemporaryDirectory() as folder:
        world = _world(Path(folder))
        left = _left(world)
        seconds, cpu, report = [], [], None
        for _ in range(REPEATS):
            asked = world.ask(LARGE)
            began, spent = time.perf_counter(), time.process_time()
            report = world.check(asked)
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - spent)
        assert report is not None
        world.released(PARTS[0])
        with world.store.read() as connection:
            part = [r.request for r in outputs.releases(connection)][-1]
        given = world.checked(PARTS[1])
    spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
    told = {"people": PEOPLE, "releases": left, "seconds": median(seconds), "spread": spread, "cpu": median(cpu)}
    told |= {"lane": report.lane.value, "cells": report.cells, "withheld": report.withheld}
    table("A table of 40 by 60 with margins against the ledger", [told])
    for finding in (*report.findings, *given.findings):
        print(f"{finding.outcome.value}: {finding.rule}: {finding.reason}")
    return marks(
        {
            f"at most {SECONDS:g} s": median(seconds) <= SECONDS,
            "the table leaves at once": report.lane is Lane.AUTOMATIC,
            "three that tell of one person do not leave, and the release is named": _refused(given, part),
        }
    )


def _refused(given: CheckReport, part: str) -> bool:
    return given.lane is Lane.REFUSED and any(part in finding.reason for finding in given.findings)


def _left(world: World) -> int:
    """Release tables by one to three keys, of everybody or of some; returns how many have left."""
    left = 0
    for sql in _queries():
        report = world.checked(sql)
        if report.lane is Lane.AUTOMATIC:
            place = {"folder": world.folder, "ledger": world.ledger}
            release.release(world.store, request=report.request, actor=AUTHOR, **place)
            left += 1
        if left == RELEASES:
            break
    return left


def _queries() -> Iterator[str]:
    dice = np.random.default_rng(3)
    groups = [g for n in (1, 2) for g in combinations(KEYS, n)]
    while True:
        keys = groups[int(dice.integers(len(groups)))]
        other = sorted(set(KEYS) - set(keys))[int(dice.integers(len(KEYS) - len(keys)))]
        some = "" if dice.random() < 0.4 else f"WHERE {other} = {int(dice.integers(KEYS[other]))}"
        figure = "count(*) AS n" if dice.random() < 0.5 else "count(*) AS n, avg(pay) AS pay"
        yield f"SELECT {', '.join(keys)}, {figure} FROM survey {some} GROUP BY {', '.join(keys)}"


def _world(folder: Path) -> World:
    control = sqlite(folder / "control.sqlite")
    tables.METADATA.create_all(control)
    engine = DuckDB(Limits())
    return World(Store(control), engine, DuckDBParser(), folder / "outputs", {"survey": _survey()})


def _survey() -> pa.Table:
    """Everybody's row: areas and ages of unequal size, the rest by chance, one person paid most."""
    dice = np.random.default_rng(7)
    columns = {name: dice.integers(0, count, PEOPLE) for name, count in KEYS.items()}
    share = np.linspace(0.5, 1.5, 40)
    columns |= {"area": dice.choice(40, PEOPLE, p=share / share.sum()), "age": dice.integers(20, 80, PEOPLE)}
    pay = dice.integers(100, 900, PEOPLE)
    pay[int(np.flatnonzero(columns["area"] < 20)[0])] = 9_000
    keys = pa.array(KEY + np.arange(PEOPLE) * 7_919, pa.int64())
    return pa.table({"person_key": keys, **{n: pa.array(c) for n, c in columns.items()}, "pay": pa.array(pay)})
