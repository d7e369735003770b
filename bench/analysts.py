"""Fifty analysts at once on one machine, over HTTP with TLS: mixed short queries, each through gate and worker.

One of them asks twenty questions in one go, the others four one after another. There is no anchor: what is
held is that nobody is turned away, that nobody waits for the one who asks much, and that memory is bounded.
"""

import asyncio
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.flight import provisioned, site
from bench.report import marks, table
from integrated_data.serving.desk import Desk
from integrated_data.serving.run import at_once, http_door
from integrated_data.serving.turns import EACH_WAITS, Turns
from integrated_data.site.certificates import certificate
from integrated_data.site.settings import from_environment
from integrated_data.site.signing_in import SignIn, Wish

PEOPLE, EACH, ROWS = 50, 4, 1_000_000
GREEDY = "person0"
SQL = (
    "SELECT age, count(*) AS n FROM census GROUP BY age ORDER BY age",
    "SELECT count(DISTINCT person_key) AS n FROM census WHERE day < 1000",
    "SELECT person_key, income FROM census ORDER BY income DESC LIMIT 100",
    "SELECT round(avg(income)) AS mean, median(age) AS middle FROM census",
)
MEMORY = 300  # MiB that the process may grow by


async def one(client: httpx.AsyncClient, token: str, sql: str) -> float:
    """Seconds of one question, once it is taken."""
    headers = {"authorization": f"Bearer {token}", "x-ids-project": "P-1"}
    begun = time.perf_counter()
    while (answer := await client.post("/v1/queries", json={"sql": sql}, headers=headers)).status_code == 429:
        await asyncio.sleep(1)
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - begun


async def analyst(client: httpx.AsyncClient, token: str, number: int) -> list[float]:
    """Seconds of each of somebody's questions, one after another."""
    return [await one(client, token, SQL[(number + k) % len(SQL)]) for k in range(EACH)]


async def everybody(url: str, tokens: dict[str, str], trusted: ssl.SSLContext) -> dict[str, list[float]]:
    """Seconds of everybody's questions, by person."""
    limits = httpx.Limits(max_connections=PEOPLE + EACH_WAITS)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits, verify=trusted) as client:
        greedy = [one(client, tokens[GREEDY], SQL[k % len(SQL)]) for k in range(EACH_WAITS)]
        others = [analyst(client, token, n) for n, (person, token) in enumerate(tokens.items()) if person != GREEDY]
        *seconds, much = await asyncio.gather(*others, asyncio.gather(*greedy))
        return dict(zip([p for p in tokens if p != GREEDY] + [GREEDY], [*seconds, list(much)], strict=True))


def resident() -> int:
    """Memory of this process that no file backs, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("RssAnon"))


def run() -> bool:
    """Print what everybody waited; whether it was fair and bounded."""
    people = tuple(f"person{n}" for n in range(PEOPLE))
    settings = from_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = site(folder, provisioned(folder, rows=ROWS), people=people)
        door, shown = SignIn(made.store, production=False), certificate(made.places, settings)
        tokens = {p: door.make_token(p, Wish("bench", days=1), by="desk")[0] for p in people}
        desk = Desk(made, door, turns=Turns(at_once(settings, made.gateway.limits)))
        before = resident()
        begun = time.perf_counter()
        with http_door(desk, ("127.0.0.1", 0), shown=shown) as url:
            trusted = ssl.create_default_context(cafile=str(shown.chain))
            seconds = asyncio.run(everybody(url, tokens, trusted))
        wall, grown = time.perf_counter() - begun, resident() - before
        desk.close()
    modest = {person: found for person, found in seconds.items() if person != GREEDY}
    found = [s for one in modest.values() for s in one]
    waits = {p: sum(one) for p, one in modest.items()}
    p95 = statistics.quantiles(found, n=20)[-1]
    asked = len(found) + len(seconds[GREEDY])
    table(
        f"{PEOPLE} analysts, {asked} questions, {desk.turns.most} at once",
        [
            {
                "questions a second": asked / wall, "p50 s": statistics.median(found), "p95 s": p95,
                "least whole wait s": min(waits.values()), "most whole wait s": max(waits.values()), "MiB": grown,
            }
        ],
    )  # fmt: skip
    return marks(
        {
            "nobody is turned away or failed": all(len(one) == EACH for one in modest.values()),
            "everybody's four questions take about as long (most ≤ 1.5 × least)":
                max(waits.values()) <= 1.5 * min(waits.values()),
            f"the process grows by less than {MEMORY} MiB": grown < MEMORY,
        }
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(not run())
