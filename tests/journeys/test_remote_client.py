"""The Python client and the shell over HTTP with TLS: an analyst's day against a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from integrated_data.cli.shell import Prompt
from integrated_data.client import Connection, connect
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import (
    AbsentRefusal,
    AgreementRefusal,
    InstallationRefusal,
    QueryRefusal,
    RoleRefusal,
    SignInRefusal,
)
from integrated_data.serving.run import http_door
from integrated_data.site.certificates import certificate
from integrated_data.site.settings import from_environment
from tests.journeys.test_gateway import new_place
from tests.served import JOINED, SLOW, House, furnish, house

NO_TOKEN = "ids_" + "x" * 43


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as it:
        yield it


@pytest.fixture
def door(made: House) -> Iterator[tuple[str, Path]]:
    shown = certificate(made.desk.site.places, from_environment({}))
    with http_door(made.desk, ("127.0.0.1", 0), shown=shown) as url:
        yield url, shown.chain


@pytest.fixture
def ada(made: House, door: tuple[str, Path]) -> Iterator[Connection]:
    with connect(door[0], token=made.token("ada"), project="P-1", certificate=door[1]) as it:
        yield it


def test_an_answer_in_the_analysts_own_library(ada: Connection) -> None:
    answer = ada.query(JOINED)
    assert isinstance(answer.table, pa.Table)
    assert answer.pandas()["people"].tolist() == [25] * 4
    assert answer.polars()["people"].to_list() == [25] * 4
    assert pl.DataFrame(answer).shape == (4, 3)
    assert isinstance(answer.pandas(), pd.DataFrame)


def test_a_long_answer_is_watched_and_read_by_pages(ada: Connection) -> None:
    running = ada.start("SELECT range AS n FROM range(2500000)")
    assert running.answer().table["n"].to_pylist()[-1] == 2_499_999
    slow = ada.start(SLOW)
    state = next(slow.updates())
    assert state["stage"] in ("waiting", "running")
    slow.cancel()
    with pytest.raises(QueryRefusal, match="cancelled"):
        slow.answer()


def test_a_question_as_at_a_day(ada: Connection) -> None:
    for ask in (ada.query, lambda sql, as_at: ada.start(sql, as_at=as_at).answer()):
        with pytest.raises(AgreementRefusal, match="Nothing of dataset pay was published by 2000-01-31"):
            ask("SELECT count(*) AS n FROM pay", as_at="2000-01-31")


def test_what_there_is(ada: Connection) -> None:
    assert ada.me()["person"] == "ada"
    assert [t["name"] for t in ada.tables()] == ["census", "pay"]
    assert ada.search("nothing at all", facets={"owner": ["nobody"]}, since="2020-01-01") == []
    assert ada.facets("nothing at all")["datasets"] == 0
    with pytest.raises(AbsentRefusal):
        ada.describe("census")
    found = ada.sensitivity("SELECT region, count(person_key) AS n FROM census GROUP BY region", draws=2)
    assert len(found["rows"]) == 4


def test_a_model_is_fitted_by_the_service(ada: Connection) -> None:
    data = "SELECT c.sex, p.income FROM census AS c JOIN pay AS p ON c.person_key = p.person_key"
    answer = ada.estimate("linear", "income ~ sex", data=data)
    assert answer.table["term"].to_pylist() == ["(Intercept)", "sex[M]"]
    assert answer.table["estimate"].to_pylist() == pytest.approx([5000, 100])
    assert set(answer.table["residual_freedom"].to_pylist()) == {98}
    mean = ada.estimate("mean", "income ~ sex", data=data, level=0.9)
    assert mean.table["estimate"].to_pylist() == pytest.approx([5000, 5100])
    for formula, said in (("income ~ exec(sex)", "formula cannot be read"), ("income ~ nobody", "names nobody")):
        with pytest.raises(QueryRefusal, match=said):
            ada.estimate("linear", formula, data=data)
    with pytest.raises(QueryRefusal, match="read_csv is not allowed"):
        ada.estimate("linear", "a ~ b", data="SELECT * FROM read_csv('x')")
    with pytest.raises(QueryRefusal, match="as the interface asks"):
        ada.estimate("forest", "income ~ sex", data=data)


@pytest.mark.long
def test_a_model_is_fitted_again_when_it_is_asked_to_leave(ada: Connection) -> None:
    data = "SELECT c.sex, c.region, p.income FROM census AS c JOIN pay AS p ON c.person_key = p.person_key"
    answer = ada.estimate("linear", "income ~ region", data=data)
    asked = ada.request_release(answer, title="Income by region")
    assert (asked["lane"], asked["cells"]) == ("review", 4), "keys of this house have no number in the ledger"
    assert {f["rule"] for f in asked["findings"]} == {"not in the ledger"}
    few = ada.estimate("linear", "income ~ odd", data=data.replace("c.region", "p.income < 500 AS odd"))
    refused = ada.request_release(few, title="Income of a few")
    assert refused["lane"] == "refused"
    assert "model of few people" in {f["rule"] for f in refused["findings"]}


def test_a_result_is_asked_to_leave(ada: Connection, tmp_path: Path) -> None:
    answer = ada.query("SELECT sex, count(*) AS people FROM census GROUP BY sex")
    asked = ada.request_release(answer, title="People by sex")
    assert asked["state"] != "draft"
    assert asked["sha256"]
    assert ada.release(asked["request"]) == asked
    with pytest.raises(AbsentRefusal):
        ada.release("R-0")
    (tmp_path / "own.csv").write_text("term,estimate\na,1.5\n")
    assert ada.request_release(answer, title="My own model", files=[tmp_path / "own.csv"])["lane"] == "review"
    (tmp_path / "own.csv").write_bytes(b"PK\x03\x04")
    with pytest.raises(AgreementRefusal, match="archive"):
        ada.request_release(answer, title="My own model", files=[tmp_path / "own.csv"])


def test_refusals_are_the_services_own(made: House, door: tuple[str, Path], ada: Connection) -> None:
    with pytest.raises(QueryRefusal, match="read_csv is not allowed"):
        ada.query("SELECT * FROM read_csv('x')")
    for token, why, said in (
        (NO_TOKEN, SignInRefusal, "refused"),
        (made.token("ben"), AgreementRefusal, "not on the team"),
        (made.token("ada", project="P-7"), RoleRefusal, "P-7"),
    ):
        someone = connect(door[0], token=token, project="P-1", certificate=door[1])
        with someone, pytest.raises(why, match=said):
            someone.query("SELECT 1")
    unsure = connect(door[0], token=made.token("ada"), project="P-1")
    with unsure, pytest.raises(InstallationRefusal, match="cannot be reached"):
        unsure.query("SELECT 1")


def test_the_prompt(ada: Connection, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "answer.csv"
    said = iter(["\\d", "\\d pay", "SELECT count(*) AS n", "FROM pay;", f"\\o {out}", "SELECT nothing;", "\\?", "\\q"])
    Prompt(ada, read=lambda _: next(said)).run()
    told = capsys.readouterr().out
    for word in ("census", "income", "100", "1 rows", "Written", "Refused: ", "a question ends".capitalize()):
        assert word in told, word
    assert out.read_text() == '"n"\n100\n'


@pytest.mark.long
def test_the_doors_open_by_command(made: House, tmp_path: Path) -> None:
    """`ids serve` on a real installation, in a process of its own, and a shell against it."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from integrated_data.cli import main; main()"]
    home = tmp_path / "real"
    subprocess.run([*command, "init", str(home)], env=environment, check=True, capture_output=True)
    doors = {"IDS_HTTP": "127.0.0.1:0", "IDS_FLIGHT": "127.0.0.1:0"}
    with subprocess.Popen(
        [*command, "serve", "gateway", "--home", str(home), "--json"], env={**environment, **doors},
        stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        try:
            told = json.loads(server.stdout.readline())
            nobody = connect(told["http"], token=NO_TOKEN, project="P", certificate=told["certificate"])
            with nobody, pytest.raises(SignInRefusal):
                nobody.me()
            assert told["flight"].startswith("grpc+tls://127.0.0.1:")
        finally:
            server.terminate()
        assert server.wait(timeout=20) == 0
    refused = subprocess.run(
        [*command, "serve", "portal", "--home", str(home)], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "not part of this version" in refused.stderr
    bare = subprocess.run(
        [*command, "serve", "--home", str(home)], env={**environment, "IDS_PRODUCTION": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bare.returncode == 1, "production shows no certificate of its own making"
