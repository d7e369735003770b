"""Opening the doors: one process of the analyst's side, one desk, one certificate."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import structlog
import uvicorn

from integrated_data.control.store import Store
from integrated_data.model.errors import InstallationRefusal, Refusal
from integrated_data.model.query import QueryLimits
from integrated_data.serving.desk import Desk
from integrated_data.serving.flight import FlightDoor
from integrated_data.serving.http import make_app
from integrated_data.serving.turns import Turns
from integrated_data.site.analysis import open_analysis
from integrated_data.site.certificates import Certificate, certificate
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from integrated_data.site.signing_heads import sign_head
from integrated_data.site.signing_in import SignIn, open_sign_in

STARTS = 30.0  # seconds that a door may take to open
CONNECTIONS = 1000
SIGNED_EVERY = 60.0  # seconds


@dataclass(frozen=True)
class Doors:
    """Doors that are open, by their addresses, and the certificate that they show."""

    http: str
    flight: str
    certificate: Certificate


@contextmanager
def open_doors(places: Places, settings: Settings, *, door: SignIn | None = None) -> Iterator[Doors]:
    """Open both doors until the block ends. `door`: another sign-in than the installation's.

    Refuses, in production, plain text, a certificate of its own, and workers without a sandbox.
    """
    shown = certificate(places, settings)
    with open_analysis(places, settings) as site:
        turns = Turns(at_once(settings, site.gateway.limits))
        desk = Desk(site, door or open_sign_in(places, settings), turns=turns)
        try:
            with (
                http_door(desk, settings.http, shown=shown) as http,
                flight_door(desk, settings.flight, shown=shown) as flight,
                _signing(places, site.store),
            ):
                yield Doors(http, flight, shown)
        finally:
            desk.close()


@contextmanager
def _signing(places: Places, store: Store) -> Iterator[None]:
    """Sign the audit chain's head from time to time, and at the end."""
    over = threading.Event()

    def sign() -> None:
        while not over.wait(SIGNED_EVERY):
            try:
                sign_head(places, store)
            except Refusal as refusal:
                structlog.get_logger().error("the audit chain's head was not signed", why=str(refusal))

    thread = threading.Thread(target=sign, name="signing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=10)
        sign_head(places, store)


def at_once(settings: Settings, limits: QueryLimits) -> int:
    """How many queries run at once: as set, else as threads and memory allow."""
    number, unit = settings.memory[:-3], settings.memory[-3:]
    if unit not in ("MiB", "GiB"):
        number, unit = settings.memory[:-2], settings.memory[-2:]
    sizes = {"MiB": 2**20, "GiB": 2**30, "MB": 10**6, "GB": 10**9}
    memory = float(number) * sizes[unit] if unit in sizes and number.strip().isdigit() else limits.memory
    return settings.at_once or max(1, min(settings.threads, int(memory // limits.memory)))


@contextmanager
def http_door(desk: Desk, address: tuple[str, int], *, shown: Certificate | None) -> Iterator[str]:
    """The HTTP door at an address (port 0: any free one); gives its URL. `shown` None: plain text, for tests."""
    config = uvicorn.Config(
        make_app(desk), host=address[0], port=address[1], log_config=None, access_log=False, server_header=False,
        timeout_keep_alive=15, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=3, lifespan="off",
        h11_max_incomplete_event_size=2**16,
        ssl_certfile=str(shown.chain) if shown else None, ssl_keyfile=str(shown.key) if shown else None,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").disabled = True  # it writes errors with their text; see `problems.note`
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: _serve(server), name="http", daemon=True)
    thread.start()
    try:
        _wait_for(server, thread, address=address)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http{'s' if shown else ''}://{address[0]}:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@contextmanager
def flight_door(desk: Desk, address: tuple[str, int], *, shown: Certificate | None) -> Iterator[str]:
    """The Flight SQL door at an address, as `http_door`; gives its URI as ADBC takes it."""
    tls = None if shown is None else (shown.chain.read_bytes(), shown.key.read_bytes())
    try:
        server = FlightDoor(desk, address, tls=tls)
    except (pa.ArrowException, OSError):
        raise InstallationRefusal(
            f"The Flight SQL door cannot be opened at {address[0]}:{address[1]}",
            next_step="Free the port, or set IDS_FLIGHT to another",
        ) from None
    try:
        yield f"grpc+{'tls' if shown else 'tcp'}://{address[0]}:{server.port}"
    finally:
        server.shutdown()


def _serve(server: uvicorn.Server) -> None:
    with contextlib.suppress(SystemExit):  # how it says that it cannot listen
        server.run()


def _wait_for(server: uvicorn.Server, thread: threading.Thread, *, address: tuple[str, int]) -> None:
    until = time.monotonic() + STARTS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise InstallationRefusal(
                f"The HTTP door cannot be opened at {address[0]}:{address[1]}",
                next_step="Free the port, or set IDS_HTTP to another",
            )
        time.sleep(0.02)
