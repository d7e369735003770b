"""The HTTP door on a real server: questions, formats, pages, progress, ends, and who may not."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from integrated_data.approve.provision import revoke
from integrated_data.control import queries
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.serving.desk import Holding
from integrated_data.site.signing_in import Wish
from tests.journeys.test_gateway import Place, new_place
from tests.served import JOINED, SLOW, House, furnish, house, open_http

ROWS = [["East", 25, 127500], ["North", 25, 122500], ["South", 25, 125000], ["West", 25, 130000]]
THOUSANDS = "SELECT range AS n, range::VARCHAR AS word FROM range(25000) ORDER BY n"


@pytest.fixture
def place(store: Store, engine: DuckDB, tmp_path: Path) -> Place:
    found = new_place(store, engine, folder=tmp_path)
    furnish(found)
    return found


@pytest.fixture
def made(place: Place) -> Iterator[House]:
    with house(place) as it:
        yield it


@pytest.fixture
def url(made: House) -> Iterator[str]:
    with open_http(made) as it:
        yield it


@pytest.fixture
def ada(made: House, url: str) -> Iterator[httpx.Client]:
    with made.client(url) as it:
        yield it


def take_back(made: House) -> None:
    folder = made.place.folder / "projects"
    revoke(made.place.store, "P-1", folder=folder, dataset="pay", by="owner", reason="asked back")


def test_a_question_and_its_answer(ada: httpx.Client) -> None:
    answer = ada.post("/v1/queries", json={"sql": JOINED})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert [c["name"] for c in said["columns"]] == ["region", "people", "income"]
    assert said["rows"] == ROWS
    assert answer.headers["x-ids-query"] == said["query"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "read"),
    [
        ("application/vnd.apache.arrow.stream", lambda b: pa.ipc.open_stream(b).read_all()),
        ("text/csv", lambda b: pa.csv.read_csv(io.BytesIO(b))),
        ("application/vnd.apache.parquet", lambda b: pq.read_table(io.BytesIO(b))),
    ],
)
def test_formats(ada: httpx.Client, accept: str, read: object) -> None:
    answer = ada.post("/v1/queries", json={"sql": THOUSANDS}, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(accept)
    table = read(answer.content)  # type: ignore[operator]
    assert table.num_rows == 25_000
    assert table["n"].to_pylist() == list(range(25_000))


def test_a_question_answered_later_page_by_page(ada: httpx.Client) -> None:
    taken = ada.post("/v1/queries", json={"sql": THOUSANDS}, headers={"prefer": "respond-async"})
    assert taken.status_code == 202
    where = taken.headers["location"]
    until = time.monotonic() + 20
    while (status := ada.get(where).json())["stage"] != "done" and time.monotonic() < until:
        time.sleep(0.05)
    assert (status["stage"], status["rows"], status["share"]) == ("done", 25_000, 1.0)
    assert status["receipt"]["told"]["person"] == "ada"
    seen: list[int] = []
    page: str | None = ""
    while page is not None:
        more = {"page": page} if page else {}
        answer = ada.get(f"{where}/rows", params=more, headers={"prefer": "maxpagesize=9000"})
        seen += [row[0] for row in answer.json()["rows"]]
        page = answer.headers.get("x-ids-next-page")
    assert seen == list(range(25_000))


def test_a_running_query_is_watched_and_cancelled(ada: httpx.Client, made: House) -> None:
    taken = ada.post("/v1/queries", json={"sql": SLOW}, headers={"prefer": "respond-async"}).json()
    where = f"/v1/queries/{taken['query']}"
    until = time.monotonic() + 20
    while ada.get(where).json()["stage"] != "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert ada.get(f"{where}/rows").status_code == 409
    assert ada.delete(where).status_code == 204
    while (status := ada.get(where).json())["stage"] == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert status["stage"] == "cancelled"  # its record is closed by then
    with made.place.store.read() as connection:
        assert queries.get(connection, taken["query"])["body"]["rule"] == "cancelled"
    assert list((made.place.folder / "scratch").iterdir()) == []


def test_who_goes_away_stops_their_query(ada: httpx.Client, made: House) -> None:
    with pytest.raises(httpx.ReadTimeout):
        ada.post("/v1/queries", json={"sql": SLOW}, timeout=2)
    until = time.monotonic() + 10
    while (made.place.folder / "scratch").exists() and any((made.place.folder / "scratch").iterdir()):
        assert time.monotonic() < until, "its worker was left running"
        time.sleep(0.1)


def test_access_withdrawn_stops_a_query_that_runs(ada: httpx.Client, made: House) -> None:
    sql = f"SELECT count(*) FROM pay, ({SLOW}) AS s"
    taken = ada.post("/v1/queries", json={"sql": sql}, headers={"prefer": "respond-async"}).json()
    where = f"/v1/queries/{taken['query']}"
    until = time.monotonic() + 20
    while ada.get(where).json()["stage"] != "running" and time.monotonic() < until:
        time.sleep(0.05)
    revoke(
        made.place.store, "P-1", folder=made.place.folder / "projects", dataset="pay", by="owner", reason="asked back"
    )
    while (status := ada.get(where).json())["stage"] == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert status["stage"] == "refused"
    assert "no table pay" in status["reason"]


def test_a_held_result_is_not_given_once_access_is_withdrawn(ada: httpx.Client, made: House) -> None:
    query = ada.post("/v1/queries", json={"sql": "SELECT income FROM pay"}).json()["query"]
    assert ada.get(f"/v1/queries/{query}/rows").status_code == 200
    revoke(
        made.place.store, "P-1", folder=made.place.folder / "projects", dataset="pay", by="owner", reason="asked back"
    )
    assert ada.get(f"/v1/queries/{query}/rows").status_code == 422


def test_refusals_are_problems_that_say_what_next(ada: httpx.Client, made: House, url: str) -> None:
    gate = ada.post("/v1/queries", json={"sql": "SELECT * FROM read_csv('/etc/passwd')"})
    assert (gate.status_code, gate.headers["content-type"]) == (422, "application/problem+json")
    assert gate.json()["detail"] == "The table function read_csv is not allowed"
    value = ada.post("/v1/queries", json={"sql": "SELECT region::INT FROM census"})
    assert "TRY_CAST" in value.json()["next_step"]
    assert "North" not in value.text
    with made.client(url, "ben") as ben:
        outside = ben.post("/v1/queries", json={"sql": "SELECT 1"})
    assert outside.status_code == 403
    assert "not on the team of project P-1" in outside.json()["why"]
    for status, sent in (
        (400, {"content": b"{", "headers": {"content-type": "application/json"}}),
        (422, {"json": {"sql": "SELECT 1", "secret": "Smith"}}),
        (413, {"json": {"sql": "x" * 2_000_000}}),
        (406, {"json": {"sql": "SELECT 1"}, "headers": {"accept": "image/png"}}),
    ):
        answer = ada.post("/v1/queries", **sent)  # type: ignore[arg-type]
        assert answer.status_code in {status, 422}
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Smith" not in answer.text


def test_who_did_not_sign_in_learns_nothing(made: House, url: str) -> None:
    ended = made.token("ada")
    made.door.end(made.door.by_token(ended))
    for header in ({}, {"authorization": "Bearer nonsense"}, {"authorization": f"Bearer {ended}"}):
        for method, path in (
            ("POST", "/v1/queries"),
            ("GET", "/v1/queries/abc"),
            ("GET", "/v1/me"),
            ("GET", "/v1/tables"),
        ):
            answer = httpx.request(
                method, f"{url}{path}", headers={"x-ids-project": "P-1", **header}, json={"sql": "SELECT 1"}
            )
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}


def test_nobody_sees_anothers_query(ada: httpx.Client, made: House, url: str) -> None:
    query = ada.post("/v1/queries", json={"sql": THOUSANDS}).json()["query"]
    page = ada.get(f"/v1/queries/{query}/rows", headers={"prefer": "maxpagesize=10"}).headers["x-ids-next-page"]
    with made.client(url, "ben", project="P-2") as ben:
        assert ben.get(f"/v1/queries/{query}").status_code == 404
        assert ben.get(f"/v1/queries/{query}/rows").status_code == 404
        assert ben.delete(f"/v1/queries/{query}").status_code == 404
        own = ben.post("/v1/queries", json={"sql": THOUSANDS}).json()["query"]
        assert ben.get(f"/v1/queries/{own}/rows", params={"page": page}).status_code == 422, "a page of ada's"
    for project in ("P-2", "P-9"):
        assert ada.get(f"/v1/queries/{query}", headers={"x-ids-project": project}).status_code == 404
    other = ada.post("/v1/queries", json={"sql": THOUSANDS}).json()["query"]
    assert ada.get(f"/v1/queries/{other}/rows", params={"page": page}).status_code == 404, "a page of another query"
    for wrong in (page[:-2], page[:-1] + ("A" if page[-1] != "A" else "B"), "", "x", "%%%", "é" * 40):
        assert ada.get(f"/v1/queries/{query}/rows", params={"page": wrong}).status_code == 422, wrong


def test_a_token_for_one_project_or_one_use_opens_nothing_else(made: House, url: str) -> None:
    token = made.token("ada", project="P-7")
    answer = httpx.post(
        f"{url}/v1/queries", json={"sql": "SELECT 1"},
        headers={"authorization": f"Bearer {token}", "x-ids-project": "P-1"},
    )  # fmt: skip
    assert answer.status_code == 403
    assert "for project P-7 alone" in answer.json()["detail"]


def test_what_there_is_to_ask(ada: httpx.Client) -> None:
    assert [p["project"] for p in ada.get("/v1/me").json()["projects"]] == ["P-1"]
    tables = ada.get("/v1/tables").json()
    assert [t["name"] for t in tables] == ["census", "pay"]
    assert {"name": "income", "type": "int64"} in tables[1]["columns"]
    assert ada.post("/v1/catalogue/search", json={"words": "nothing"}).json() == []
    narrowed = {"words": "nothing", "facets": {"index": ["demographic"]}, "since": "2020-01-01"}
    assert ada.post("/v1/catalogue/search", json=narrowed).json() == []
    assert ada.post("/v1/catalogue/facets", json=narrowed).json()["datasets"] == 0
    assert ada.post("/v1/catalogue/search", json={"facets": {"colour": ["red"]}}).status_code == 422
    assert ada.post("/v1/catalogue/search", json={"words": "w " + " ".join(map(str, range(70)))}).status_code == 400
    assert ada.get("/v1/catalogue/census").status_code == 404


def test_a_result_is_held_for_a_while_and_under_a_quota(place: Place) -> None:
    with house(place, holding=Holding(seconds=600, results=2)) as made, open_http(made) as url, made.client(url) as ada:
        asked = [ada.post("/v1/queries", json={"sql": "SELECT 1"}).json()["query"] for _ in range(3)]
        assert [ada.get(f"/v1/queries/{q}").status_code for q in asked] == [404, 200, 200]
    with house(place, holding=Holding(seconds=0.5)) as made, open_http(made) as url, made.client(url) as ada:
        query = ada.post("/v1/queries", json={"sql": "SELECT 1"}).json()["query"]
        time.sleep(2.5)
        assert ada.get(f"/v1/queries/{query}").status_code == 404


def test_sensitivity(ada: httpx.Client) -> None:
    answer = ada.post(
        "/v1/sensitivity", json={"sql": "SELECT region, count(person_key) AS n FROM census GROUP BY region", "draws": 2}
    )
    assert answer.status_code == 200, answer.text
    assert {"region", "n", "n_low", "n_high"} <= answer.json()["rows"][0].keys()


def test_a_sign_in_that_counts_no_more_stops_what_it_asked(made: House, url: str) -> None:
    secret, _ = made.door.make_token("ada", Wish("short"), by="desk")
    headers = {"authorization": f"Bearer {secret}", "x-ids-project": "P-1", "prefer": "respond-async"}
    taken = httpx.post(f"{url}/v1/queries", json={"sql": SLOW}, headers=headers).json()
    made.door.end(made.door.by_token(secret))
    with made.client(url) as again:
        until = time.monotonic() + 15
        while (status := again.get(f"/v1/queries/{taken['query']}").json())["stage"] in ("waiting", "running"):
            assert time.monotonic() < until
            time.sleep(0.1)
    assert "sign-in counts no more" in status["reason"]


def test_addresses_and_logs_hold_no_sql(ada: httpx.Client, made: House) -> None:
    ada.post("/v1/queries", json={"sql": "SELECT 'Marked Name' AS x"})
    with made.place.store.read() as connection:
        assert "Marked Name" not in json.dumps([r.facts for r in records(connection)])
