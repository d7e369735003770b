"""The catalogue at 7,000 datasets: searches and facets in the process and over HTTP with TLS, 95 of 100 in their mark.

Every dataset is registered as a load registers it: its contract is kept, its snapshot named with its entry, in a
transaction of its own with its record. Half have one of forty departments as owner, the others themselves, as where
nobody wrote a contract; every seventh has an agreement, from days of its own. The anchor is the plain way: the same
entries as JSON in the same SQLite file, each read and searched for the words.
"""

import json
import random
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bench import flight
from bench.report import marks, table
from integrated_data.acquire import contracts
from integrated_data.control import catalogue, deliveries, projects, releases
from integrated_data.control.store import Store
from integrated_data.model.catalogue import Facet, Wanted
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.delivery import Tally
from integrated_data.model.event import Event
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.publish.catalogue import Published, entry
from integrated_data.serving.desk import Desk
from integrated_data.serving.run import http_door
from integrated_data.serving.turns import Turns
from integrated_data.site.certificates import certificate
from integrated_data.site.settings import from_environment
from integrated_data.site.signing_in import SignIn, Wish

DATASETS, VARIABLES, SEED, RUNS = 7_000, 30, 5, 40
LONGEST = 50  # milliseconds for a search, and for its facets: 95 of 100 by the wall, at most
GROWS = 1.5  # times as long that one of the last is registered as one of the first, at most
DAY = date(2026, 1, 15)
_TEXT = """
income tax health hospital school pupil census household employment benefit pension crime court prison birth
death migration housing rent energy transport road rail farm trade business payroll vat region ward district
age sex ethnic disability diagnosis prescription dental maternity survey labour wealth consumer price earnings
hours
"""
WORDS = (*_TEXT.split(), *(f"{a}{b}" for a in _TEXT.split() for b in _TEXT.split()))  # 2,500 and more


def run() -> bool:
    """Measure; true when every search keeps its mark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = flight.site(folder, flight.provisioned(folder, rows=1_000))
        settings = from_environment()
        seconds = _fill(site.store)
        part = DATASETS // 10
        first, last = (1000 * statistics.median(some) for some in (seconds[:part], seconds[-part:]))
        door, shown = SignIn(site.store, production=False), certificate(site.places, settings)
        token, *_ = door.make_token("ada", Wish("bench", days=1), by="desk")
        desk = Desk(site, door, turns=Turns(1))
        rows = []
        with http_door(desk, ("127.0.0.1", 0), shown=shown) as url, site.store.read() as connection:
            trusted = ssl.create_default_context(cafile=str(shown.chain))
            headers = {"authorization": f"Bearer {token}"}
            with httpx.Client(base_url=url, verify=trusted, headers=headers, timeout=60) as client:
                for what, wanted in _searches().items():
                    rows.append({"asked": what, **_measured(connection, wanted, client=client)})
        desk.close()
    table(f"Catalogue of {DATASETS:,} datasets with {VARIABLES} variables each, milliseconds", rows)
    table("Registering one, milliseconds of CPU", [{"the first tenth": first, "the last tenth": last}])
    parts = ("search p95", "HTTP search p95", "facets p95")
    worst = {what: max(float(row[what]) for row in rows) for what in parts}
    return marks(
        {f"{what} at most {LONGEST} ms": most <= LONGEST for what, most in worst.items()}
        | {f"registering the last takes at most {GROWS} times the first": last <= GROWS * first}
    )


def _searches() -> dict[str, Wanted]:
    return {
        "a word of late years": Wanted("income", since=date(2024, 1, 1)),
        "three words": Wanted("hospital pupil health"), "a common word": Wanted("income"),
        "beginning of a word": Wanted("h"), "a facet": Wanted("", {Facet.INDEX: ("business",)}),
        "words and two facets": Wanted("tax", {Facet.OWNER: ("Department 6",), Facet.MEANING: ("money",)}),
        "what may be used for research": Wanted("health", {Facet.CONDITION: ("purpose: research",)}),
        "everything": Wanted(),
    }  # fmt: skip


def _fill(store: Store) -> list[float]:
    """Register every dataset; returns CPU-seconds of each."""
    dice = random.Random(SEED)
    # as words of a language are spread (Zipf's law)
    commoner = list(accumulate(1 / (rank + 1) for rank in range(len(WORDS))))
    with store.read() as connection:
        (model,) = projects.agreements(connection)
    seconds = []
    for number in range(DATASETS):
        contract, published = _made(dice, commoner, number=number)
        if number % 7 == 0:
            since = timedelta(dice.randrange(1000))
            starts, ends = DAY - since, DAY + timedelta(2000) - since
            made = replace(model, id=f"A-{number}", dataset=contract.dataset, starts=starts, ends=ends)
            projects.add_agreement(store, made, by="desk")
        body, told = contracts.dump(contract), entry(contract, published)
        about = {"owner": contract.owner, "title": contract.title, "inferred": False}
        begun = time.thread_time()
        with store.change(Event("stage.done", "bench", f"dataset/{contract.dataset}")) as change:
            deliveries.save_contract(change, dataset=contract.dataset, version=contract.version, body=body, about=about)
            releases.name_snapshot(
                change, dataset=contract.dataset, delivery=str(number), snapshot=number, entry=told
            )  # fmt: skip
        seconds.append(time.thread_time() - begun)
    return seconds


def _made(dice: random.Random, commoner: list[float], *, number: int) -> tuple[Contract, Published]:
    """A contract, and what is known when its table is published; the same every time."""
    told = dice.choices(WORDS, cum_weights=commoner, k=4)
    meanings, columns = list(Meaning), dict[str, Column]()
    while len(columns) < VARIABLES:
        name = "_".join(dice.choices(WORDS, cum_weights=commoner, k=2))
        meaning = dice.choice(meanings) if columns else Meaning.EVENT_DATE
        title = " ".join(dice.choices(WORDS, cum_weights=commoner, k=3))
        columns[name] = Column(name, name, Kind.STRING, meaning, handling_of(meaning), title=title)
    dataset = f"{told[0]}_{number}"
    owner = f"Department {number % 40}" if number % 2 == 0 else dataset
    contract = Contract(dataset, owner, Layout(Format.CSV), tuple(columns.values()), title=" ".join(told))
    year = dice.randint(1995, 2020)
    profile = {next(iter(columns)): {"low": f"{year}-01-01", "high": f"{dice.randint(year, 2025)}-12-31"}}
    links = {index: {"linked": 90} for index in dice.sample(["demographic", "address", "business", "geography"], 2)}
    kinds = dict.fromkeys(columns, "VARCHAR") | {f"{index}_entity": "BIGINT" for index in links}
    return contract, Published(kinds, 100, Tally(100, 100, 0, ()), {}, links, profile)


def _measured(connection: sa.Connection, wanted: Wanted, *, client: httpx.Client) -> dict[str, Any]:
    body = {k: v for k, v in asdict(wanted).items() if v is not None}
    body |= {k: body[k].isoformat() for k in ("since", "until") if k in body}

    def over_http() -> None:
        client.post("/v1/catalogue/search", json=body).raise_for_status()

    ours = _walls(lambda: catalogue.search(connection, wanted, day=DAY))
    http, facets = _walls(over_http), _walls(lambda: catalogue.facets(connection, wanted, day=DAY))
    plain = _walls(lambda: _looked_through(connection, wanted.words.split()), runs=3)
    return {
        "datasets": catalogue.facets(connection, wanted, day=DAY)["datasets"],
        "search": statistics.median(ours), "search p95": _p95(ours),
        "HTTP search": statistics.median(http), "HTTP search p95": _p95(http),
        "facets": statistics.median(facets), "facets p95": _p95(facets),
        "every entry read": statistics.median(plain),
    }  # fmt: skip


def _p95(walls: list[float]) -> float:
    return statistics.quantiles(walls, n=20)[-1]


def _walls(act: Callable[[], object], *, runs: int = RUNS) -> list[float]:
    """Milliseconds by the wall of each run."""
    walls = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        walls.append(1000 * (time.perf_counter() - began))
    return walls


def _looked_through(connection: sa.Connection, words: list[str]) -> int:
    found = 0
    for (text,) in connection.exec_driver_sql("SELECT entry FROM release"):
        one = json.loads(text)
        whole = " ".join(
            [one["dataset"], one["title"], one["owner"], *(f"{v['name']} {v['title']}" for v in one["variables"])]
        )
        found += all(word in whole for word in words)
    return found
