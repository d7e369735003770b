"""The analyst's Python client over the network: a gateway's URL and a personal token, nothing else.

    with connect("https://ids.example:8443", token=token, project="P-2026-work") as service:
        service.search("diagnoses")
        answer = service.query("SELECT region, count(DISTINCT person_key) AS n FROM census GROUP BY region")
        answer.pandas()
        service.request_release(answer, title="People by region")

Results come as Arrow. Refusals are those of the service, raised as what they are there.
"""

import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pyarrow as pa

from integrated_data.model.errors import (
    AbsentRefusal,
    AgreementRefusal,
    BusyRefusal,
    InstallationRefusal,
    QueryRefusal,
    Refusal,
    RoleRefusal,
    SignInRefusal,
    UsageRefusal,
)

ARROW = "application/vnd.apache.arrow.stream"
WAITS = 600.0  # seconds for an answer
LOOKS = (0.05, 2.0)  # seconds between looks at a running query: the first, and the longest

REFUSALS: Mapping[int, type[Refusal]] = {
    400: UsageRefusal, 401: SignInRefusal, 403: AgreementRefusal, 404: AbsentRefusal, 422: QueryRefusal,
    429: BusyRefusal, 500: InstallationRefusal, 503: InstallationRefusal,
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Rows of one question, and its id at the service. Anything that reads Arrow takes it as it is."""

    query: str
    table: pa.Table = field(repr=False)

    def pandas(self) -> Any:
        """The rows as a pandas DataFrame."""
        _library("pandas")
        return self.table.to_pandas()

    def polars(self) -> Any:
        """The rows as a polars DataFrame."""
        return _library("polars").from_arrow(self.table)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


@dataclass(frozen=True)
class Running:
    """A question that was taken and is answered later."""

    query: str
    service: "Connection" = field(repr=False)

    def progress(self) -> dict[str, Any]:
        """How far it is: `stage`, `share` of its work, `bytes` so far, `before` it in the queue."""
        return dict(self.service.get(f"queries/{self.query}"))

    def cancel(self) -> None:
        """Stop it, waiting or running, or let go of its rows."""
        self.service.send("DELETE", f"queries/{self.query}")

    def updates(self) -> Iterator[dict[str, Any]]:
        """Its progress from time to time, until it has ended."""
        pause, longest = LOOKS
        while (state := self.progress())["stage"] in ("waiting", "running"):
            yield state
            time.sleep(pause)
            pause = min(longest, pause * 1.5)

    def answer(self) -> Answer:
        """Wait for its rows, and read them page by page; raises the refusal."""
        for _ in self.updates():
            pass
        parts, page = [], ""
        while page is not None:
            more = {"page": page} if page else {}
            got = self.service.send(
                "GET", f"queries/{self.query}/rows", params=more, accept=ARROW, prefer="maxpagesize=1000000"
            )
            parts.append(_rows(got))
            page = got.headers.get("x-ids-next-page")
        return Answer(self.query, pa.concat_tables(parts))


class Connection:
    """One person's access to one project over HTTP. A context manager: leaving it closes it."""

    def __init__(self, url: str, *, token: str, project: str, certificate: Path | str | None = None) -> None:
        trusted = ssl.create_default_context(cafile=None if certificate is None else str(certificate))
        headers = {"authorization": f"Bearer {token}", "x-ids-project": project}
        self.project = project
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/v1/", headers=headers, verify=trusted, timeout=WAITS)

    def query(self, sql: str, *, as_at: str = "") -> Answer:
        """The rows a question asks for; raises the refusal. `as_at`: the tables as at a day, or a release's number."""
        got = self.send("POST", "queries", json={"sql": sql, "as_at": as_at}, accept=ARROW)
        return Answer(got.headers["x-ids-query"], _rows(got))

    def start(self, sql: str, *, as_at: str = "") -> Running:
        """The same, without waiting: to watch it, to cancel it, and to read its rows by pages."""
        got = self.send("POST", "queries", json={"sql": sql, "as_at": as_at}, prefer="respond-async")
        return Running(got.json()["query"], self)

    def estimate(self, estimator: str, formula: str, *, data: str, **how: Any) -> Answer:
        """A model fitted by the service over the rows of a question: its table; raises the refusal.

        `estimator`: mean, total, linear, logistic, poisson, kaplan-meier or cox; `how`: weights, stratum,
        cluster, level, width, step (see `model/estimate.py`).
        """
        asked = {"estimator": estimator, "formula": formula, "sql": data, **how}
        got = self.send("POST", "estimates", json=asked, accept=ARROW)
        return Answer(got.headers["x-ids-query"], _rows(got))

    def sensitivity(self, sql: str, **runs: Any) -> dict[str, Any]:
        """How far an answer depends on links: `rows`, `by_threshold`, `unseen`. `runs`: thresholds, draws, measures."""
        found: dict[str, Any] = self.send("POST", "sensitivity", json={"sql": sql, **runs}).json()
        return found

    def federated(self, sql: str, **how: Any) -> dict[str, Any]:
        """One question of keys and named aggregates, to this and other installations; see `label` for what it covers.

        `how`: only (names of installations), disjoint (you vouch that nobody is at two), seconds.
        """
        return dict(self.send("POST", "federation/questions", json={"sql": sql, **how}).json())

    def tables(self) -> list[dict[str, Any]]:
        """What the project's questions may name, with columns and types."""
        return list(self.get("tables"))

    def search(self, words: str = "", **narrowed: Any) -> list[dict[str, Any]]:
        """Published datasets in which every word occurs, the best first.

        `narrowed`: `facets` as {"index": ["demographic"]}, `since` and `until` as ISO days, `most`, `skip`.
        """
        return list(self.send("POST", "catalogue/search", json={"words": words, **narrowed}).json())

    def facets(self, words: str = "", **narrowed: Any) -> dict[str, Any]:
        """How many datasets a search finds, and how many of them have each value of each facet."""
        return dict(self.send("POST", "catalogue/facets", json={"words": words, **narrowed}).json())

    def describe(self, dataset: str) -> dict[str, Any]:
        """The catalogue's entry of a dataset."""
        return dict(self.get(f"catalogue/{dataset}"))

    def me(self) -> dict[str, Any]:
        """Who is signed in, and their projects."""
        return dict(self.get("me"))

    def request_release(
        self, *answers: Answer | str, title: str, purpose: str = "", files: Sequence[Path | str] = ()
    ) -> dict[str, Any]:
        """Ask for results to leave: they are run again by the service and checked; where that stands.

        `files`: tables, pictures or texts that you made from those results yourself, asked for instead; two
        reviewers decide about them.
        """
        queries = [a if isinstance(a, str) else a.query for a in answers]
        brought = [{"name": Path(f).name, "content": b64encode(Path(f).read_bytes()).decode()} for f in files]
        body = {"queries": queries, "title": title, "purpose": purpose, "files": brought}
        return dict(self.send("POST", "outputs", json=body).json())

    def release(self, request: str) -> dict[str, Any]:
        """Where a request to leave stands, with the findings of its check."""
        return dict(self.get(f"outputs/{request}"))

    def get(self, path: str) -> Any:
        """What an address of the service says, as plain values."""
        return self.send("GET", path).json()

    def send(
        self, method: str, path: str, *, accept: str = "application/json", prefer: str | None = None, **more: Any
    ) -> httpx.Response:
        """One request; raises the service's refusal."""
        headers = {"accept": accept} | ({"prefer": prefer} if prefer else {})
        try:
            got = self._http.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            raise InstallationRefusal(
                "The service cannot be reached", why=f"The connection failed: {type(error).__name__}",
                next_step="Check its address and certificate, and that it is served: ids serve",
            ) from None  # fmt: skip
        if got.is_error:
            raise refusal_of(got)
        return got

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def connect(url: str, *, token: str, project: str, certificate: Path | str | None = None) -> Connection:
    """Connect to a gateway. `certificate`: what it shows, where no known authority vouches for it."""
    return Connection(url, token=token, project=project, certificate=certificate)


def refusal_of(answer: httpx.Response) -> Refusal:
    """The refusal that a problem document tells."""
    kind = REFUSALS.get(answer.status_code, QueryRefusal)
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return InstallationRefusal("This is not the service", next_step="Check its address")
    told = answer.json()
    if kind is AgreementRefusal and not told.get("why"):
        kind = RoleRefusal
    return kind(told["detail"], why=told.get("why", ""), next_step=told.get("next_step", ""))


def _rows(answer: httpx.Response) -> pa.Table:
    return pa.ipc.open_stream(answer.content).read_all()


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise UsageRefusal(f"{name} is not installed", next_step=f"pip install {name}, or use .table") from None
