"""The catalogue at 7,000 datasets: how long a search and its facets take, beside looking through every entry.

The anchor is the plain way: the same entries as JSON in the same SQLite file, each read and searched for the words.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.report import marks, table
from integrated_data.control import catalogue, migrate
from integrated_data.control import tables as t
from integrated_data.control.store import Store, sqlite
from integrated_data.model.catalogue import Facet, Wanted
from integrated_data.model.meanings import Meaning

DATASETS, VARIABLES, SEED, RUNS = 7_000, 30, 5, 9
LONGEST = 50  # milliseconds for a search, and for its facets: median by the wall, at most
DAY = date(2026, 1, 15)
_TEXT = """
income tax health hospital school pupil census household employment benefit pension crime court prison birth
death migration housing rent energy transport road rail farm trade business payroll vat region ward district
age sex ethnic disability diagnosis prescription dental maternity survey labour wealth consumer price earnings
hours
"""
WORDS = (*_TEXT.split(), *(f"{a}{b}" for a in _TEXT.split() for b in _TEXT.split()))  # 2,500 and more


def entries() -> list[dict[str, Any]]:
    """Generated catalogue entries, the same every time."""
    dice = random.Random(SEED)
    commoner = list(
        accumulate(1 / (rank + 1) for rank in range(len(WORDS)))
    )  # as words of a language are spread (Zipf's law)
    meanings = [m.value for m in Meaning]
    made = []
    for number in range(DATASETS):
        told = dice.choices(WORDS, cum_weights=commoner, k=4)
        variables = [
            {"name": "_".join(dice.choices(WORDS, cum_weights=commoner, k=2)),
             "title": " ".join(dice.choices(WORDS, cum_weights=commoner, k=3)), "meaning": dice.choice(meanings),
             "type": "VARCHAR", "profile": {}}
            for _ in range(VARIABLES)
        ]  # fmt: skip
        year = dice.randint(1995, 2020)
        profile = {"low": f"{year}-01-01", "high": f"{dice.randint(year, 2025)}-12-31"}
        variables[0] |= {"meaning": "event_date", "profile": profile}
        links = {index: {} for index in dice.sample(["demographic", "address", "business", "geography"], 2)}
        made.append({"dataset": f"{told[0]}_{number}", "title": " ".join(told), "owner": f"Department {number % 40}",
                     "rows": number, "variables": variables, "links": links})  # fmt: skip
    return made


def run() -> bool:
    """Measure; true when every search keeps its mark."""
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlite(Path(folder) / "control.sqlite")
        migrate.upgrade(engine)
        begun = time.perf_counter()
        _fill(engine)
        filled = time.perf_counter() - begun
        searches = {
            "a word of late years": Wanted("income", since=date(2024, 1, 1)),
            "three words": Wanted("hospital pupil health"), "a common word": Wanted("income"),
            "beginning of a word": Wanted("h"), "a facet": Wanted("", {Facet.INDEX: ("business",)}),
            "words and two facets": Wanted("tax", {Facet.OWNER: ("Department 7",), Facet.MEANING: ("money",)}),
            "everything": Wanted(),
        }  # fmt: skip
        store, rows = Store(engine), []
        with store.read() as connection:
            for what, wanted in searches.items():
                rows.append({"search": what, **_measured(connection, wanted)})
    table(f"Catalogue of {DATASETS:,} datasets with {VARIABLES} variables each; filled in {filled:.1f} s", rows)
    worst = {part: max(float(row[f"{part} ms"]) for row in rows) for part in ("search", "facets")}
    return marks({f"{part}: median at most {LONGEST} ms": most <= LONGEST for part, most in worst.items()})


def _fill(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN")
        for number, one in enumerate(entries(), 1):
            values = {"id": number, "dataset": one["dataset"], "delivery": str(number), "snapshot": 1, "rows": 1}
            connection.execute(sa.insert(t.release).values(**values, entry=one, at=""))
            catalogue.put(connection, number, entry=one, agreements=())


def _measured(connection: sa.Connection, wanted: Wanted) -> dict[str, Any]:
    return {
        "datasets": catalogue.facets(connection, wanted, day=DAY)["datasets"],
        "search ms": _median(lambda: catalogue.search(connection, wanted, day=DAY)),
        "facets ms": _median(lambda: catalogue.facets(connection, wanted, day=DAY)),
        "every entry read ms": _median(lambda: _looked_through(connection, wanted.words.split())),
    }


def _median(act: Callable[[], object]) -> float:
    """Median milliseconds by the wall."""
    walls = []
    for _ in range(RUNS):
        began = time.perf_counter()
        act()
        walls.append(1000 * (time.perf_counter() - began))
    return statistics.median(walls)


def _looked_through(connection: sa.Connection, words: list[str]) -> int:
    found = 0
    for (text,) in connection.exec_driver_sql("SELECT entry FROM release"):
        one = json.loads(text)
        whole = " ".join(
            [one["dataset"], one["title"], one["owner"], *(f"{v['name']} {v['title']}" for v in one["variables"])]
        )
        found += all(word in whole for word in words)
    return found
