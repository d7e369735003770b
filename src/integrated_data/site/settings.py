"""Settings of one installation; the only module that reads the environment.

IDS_HOME         the installation's folder
IDS_THREADS      threads an engine may use           (default: all cores)
IDS_MEMORY       memory an engine may use            (default: 60 % of the machine's, 2GB on Windows)
IDS_PRODUCTION   1: refuse what is meant for trials  (no sandbox, development sign-in)
IDS_ACTOR        who acts, in trials                 (default: the system account)
IDS_TOKEN        the token or session of who acts    (default: none)
IDS_HTTP         host:port of the HTTP door          (default: 127.0.0.1:8443)
IDS_FLIGHT       host:port of the Flight SQL door    (default: 127.0.0.1:8444)
IDS_TLS          folder of tls.crt and tls.key, PEM  (default: a certificate of its own, for trials)
IDS_AT_ONCE      queries that run at once            (default: as threads and memory allow)
IDS_SCRATCH      bytes of a project's scratch tables (default: 10 GiB)
IDS_SCRATCH_DAYS days that a scratch table is kept   (default: 30)
IDS_SPARK        Spark Connect server, sc://host:port (default: none)
IDS_ALERTS_URL   URL that alerts are posted to        (default: none; IDS_ALERTS_TOKEN: its bearer token)
IDS_ALERTS_MAIL  mail server that they are sent by    (default: none; IDS_ALERTS_PASSWORD: its password)
IDS_LOADING      where loads run: duckdb or spark     (default: duckdb)
IDS_LOADING_TASKS  tasks that a statement is shared out to (default: as many as threads)
IDS_LOADING_MEMORY memory of one task              (default: 1GB)
IDS_LOADING_ROWS   rows of a relation from which on it is  (default: 1000000)
"""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from integrated_data.model.errors import UsageRefusal
from integrated_data.model.query import EngineName
from integrated_data.site import machine

#: Memory of an engine where the system does not tell how much there is, as on Windows; what is more goes to disk.
MODEST = "2GB"


@dataclass(frozen=True)
class Settings:
    """What the wiring needs to know. `memory` as DuckDB writes it, e.g. `8GB`."""

    home: Path | None
    threads: int
    memory: str
    production: bool
    actor: str
    token: str | None = field(default=None, repr=False)
    http: tuple[str, int] = ("127.0.0.1", 8443)
    flight: tuple[str, int] = ("127.0.0.1", 8444)
    tls: Path | None = None
    at_once: int | None = None
    scratch: int = 10 * 2**30
    scratch_days: int = 30
    spark: str | None = field(default=None, repr=False)
    alerts_url: str | None = None
    alerts_token: str | None = field(default=None, repr=False)
    alerts_mail: str | None = None
    alerts_password: str | None = field(default=None, repr=False)
    loading: EngineName = EngineName.DUCKDB
    tasks: int | None = None
    task_memory: str = "1GB"
    spread: int = 1_000_000


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; refuses a value that cannot be meant."""
    values = os.environ if environment is None else environment
    home = values.get("IDS_HOME")
    threads = values.get("IDS_THREADS") or str(os.cpu_count() or 1)
    if not threads.isdigit() or int(threads) < 1:
        raise UsageRefusal("IDS_THREADS is not a whole number of threads", next_step="Set it to 1 or more")
    production = values.get("IDS_PRODUCTION", "") in {"1", "true", "yes"}
    at_once = _number(values, "IDS_AT_ONCE", of="queries")
    tls = values.get("IDS_TLS")
    return Settings(
        home=Path(home) if home else None,
        threads=int(threads),
        memory=values.get("IDS_MEMORY") or _share_of_memory(),
        production=production,
        actor=(not production and values.get("IDS_ACTOR")) or f"system:{_account()}",
        token=values.get("IDS_TOKEN") or None,
        http=_address(values, "IDS_HTTP", otherwise="127.0.0.1:8443"),
        flight=_address(values, "IDS_FLIGHT", otherwise="127.0.0.1:8444"),
        tls=Path(tls) if tls else None,
        at_once=at_once,
        scratch=_number(values, "IDS_SCRATCH", of="bytes") or Settings.scratch,
        scratch_days=_number(values, "IDS_SCRATCH_DAYS", of="days") or Settings.scratch_days,
        spark=_spark(values),
        alerts_url=values.get("IDS_ALERTS_URL") or None,
        alerts_token=values.get("IDS_ALERTS_TOKEN") or None,
        alerts_mail=values.get("IDS_ALERTS_MAIL") or None,
        alerts_password=values.get("IDS_ALERTS_PASSWORD") or None,
        loading=_loading(values),
        tasks=_number(values, "IDS_LOADING_TASKS", of="tasks"),
        task_memory=values.get("IDS_LOADING_MEMORY") or Settings.task_memory,
        spread=_number(values, "IDS_LOADING_ROWS", of="rows") or Settings.spread,
    )


def _number(values: Mapping[str, str], name: str, *, of: str) -> int | None:
    given = values.get(name, "")
    if given and (not given.isdecimal() or int(given) < 1):
        raise UsageRefusal(f"{name} is not a whole number of {of}", next_step="Set it to 1 or more")
    return int(given) if given else None


def _spark(values: Mapping[str, str]) -> str | None:
    url = values.get("IDS_SPARK") or None
    if url is not None and not url.startswith("sc://"):
        raise UsageRefusal(
            "IDS_SPARK is not the address of a Spark Connect server",
            next_step="Set it to sc://host:port, for instance sc://127.0.0.1:15002",
        )
    return url


def _loading(values: Mapping[str, str]) -> EngineName:
    given = values.get("IDS_LOADING") or EngineName.DUCKDB
    if given not in tuple(EngineName):
        raise UsageRefusal("IDS_LOADING names no engine", next_step=f"Set it to {' or '.join(EngineName)}")
    return EngineName(given)


def _address(values: Mapping[str, str], name: str, *, otherwise: str) -> tuple[str, int]:
    host, _, port = (values.get(name) or otherwise).rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise UsageRefusal(f"{name} is not an address", next_step=f"Set it to host:port, for instance {otherwise}")
    return host.strip("[]"), int(port)


def home_of(settings: Settings, given: Path | None) -> Path:
    """The installation's folder: given on the command line, or set; refuses when neither is."""
    home = given or settings.home
    if home is None:
        raise UsageRefusal(
            "No installation is named",
            next_step="Give --home DIR, or set IDS_HOME; make one with: ids init DIR",
        )
    return home.resolve()


def _account() -> str:
    """The operating system's name for who runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # the last on Windows
        return str(os.getuid()) if hasattr(os, "getuid") else "unnamed"


def _share_of_memory() -> str:
    if not hasattr(os, "sysconf"):
        return MODEST
    return f"{int(machine.memory() * 0.6) // 2**20}MiB"
