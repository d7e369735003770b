"""The HTTP door under load and under abuse: fifty analysts at once, and requests that nobody should send."""

import asyncio
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.query import QueryLimits
from tests.journeys.test_gateway import new_place
from tests.served import JOINED, House, furnish, house, open_http

ANALYSTS = 50
EXAMPLES = 12  # of each operation
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place, limits=QueryLimits(seconds=10, memory=2**28, threads=1)) as it:
        yield it


@pytest.mark.long
def test_fifty_analysts_at_once(made: House) -> None:
    """Nobody is turned away, shares are fair, and the process does not grow with what it answers."""
    tokens = [made.token("ada") for _ in range(ANALYSTS)]
    questions = (JOINED, "SELECT count(*) FROM pay", "SELECT * FROM census ORDER BY region LIMIT 20")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def analyst(client: httpx.AsyncClient, number: int) -> float:
        headers = {"authorization": f"Bearer {tokens[number]}", "x-ids-project": "P-1"}
        begun = time.perf_counter()
        answer = await client.post("/v1/queries", json={"sql": questions[number % 3]}, headers=headers)
        assert answer.status_code in (200, 429), answer.text
        while answer.status_code == 429:
            await asyncio.sleep(0.5)
            answer = await client.post("/v1/queries", json={"sql": questions[number % 3]}, headers=headers)
        assert answer.status_code == 200, answer.text
        return time.perf_counter() - begun

    async def all_of_them(url: str) -> list[float]:
        limits = httpx.Limits(max_connections=ANALYSTS)
        async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
            return await asyncio.gather(*(analyst(client, number) for number in range(ANALYSTS)))

    with open_http(made) as url:
        seconds = asyncio.run(all_of_them(url))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(seconds) == ANALYSTS
    print(f"p50 {statistics.median(seconds):.2f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s, {grown} KiB")
    assert grown < 200 * 1024


@pytest.mark.long
def test_odd_requests_made_from_the_interfaces_own_description(made: House) -> None:
    """Schemathesis: no failure of the server, and nothing that the description does not tell."""
    with open_http(made) as url:
        token = made.token("ada")
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for operation in schema.get_all_operations():
            given(case=operation.ok().as_strategy())(sent_with(token))()


def sent_with(token: str) -> Callable[[schemathesis.Case], None]:
    """A check of generated requests, which holds for each answer."""
    chosen = [schemathesis.checks.CHECKS.get_one(name) for name in CHECKS]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def once(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=chosen, timeout=60)

    return once


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00" * 100,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/queries HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/queries HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\nx",
        b"POST /v1/queries HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/queries/..%2f..%2fetc HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\nx-ids-project: \xff\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_request_does_no_harm(made: House, said: bytes) -> None:
    with open_http(made) as url:
        place = httpx.URL(url)
        with socket.create_connection((place.host, place.port or 0), timeout=10) as line:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            told = line.recv(65_536)
        assert not told or told.split()[1][:1] in (b"2", b"4"), told
        assert httpx.get(f"{url}/health").status_code == 200
