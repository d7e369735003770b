"""Somebody who may no longer while a long query of theirs runs in a real worker: it stops in seconds, on record."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from integrated_data.control import people, projects, queries, tokens
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.people import Organisation, Role
from tests.journeys.test_gateway import new_place
from tests.served import SLOW, House, furnish, house, open_http

LONG = f"SELECT count(*) FROM pay, ({SLOW}) AS s"


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as opened:
        yield opened


def changed(made: House, **change: object) -> None:
    with made.place.store.read() as connection:
        ada = projects.get_person(connection, "ada")
    projects.add_person(made.place.store, replace(ada, **change), by="desk")  # type: ignore[arg-type]


def token_revoked(made: House) -> None:
    with made.place.store.read() as connection:
        mine = tokens.of(connection, "ada")
    for token in mine:
        tokens.revoke(made.place.store, token.id, by="desk")


def procedures_renewed(made: House) -> None:
    people.put_procedures(made.place.store, "2026-2", text="Lock your screen.", by="desk")


LOST: dict[str, tuple[Callable[[House], None], str]] = {
    "accreditation": (
        lambda made: changed(made, accreditation=None),
        "asks for provisional accreditation, the person has none",
    ),
    "training": (lambda made: changed(made, trained_until=date(2026, 6, 14)), "training is missing or out of date"),
    "suspended": (lambda made: changed(made, suspended=True), ""),
    "role": (lambda made: changed(made, roles=(Role.STEWARD,)), "sign-in counts no more"),
    "token": (token_revoked, "sign-in counts no more"),
    "procedures": (procedures_renewed, "sign-in counts no more"),
    "organisation": (
        lambda made: people.add_organisation(made.place.store, Organisation("University", suspended=True), by="desk"),
        "sign-in counts no more",
    ),
}


@pytest.mark.parametrize("lost", LOST)
def test_what_runs_is_stopped_when_its_person_may_no_longer(made: House, lost: str) -> None:
    lose, why = LOST[lost]
    with open_http(made) as url, made.client(url) as ada:
        query = ada.post("/v1/queries", json={"sql": LONG}, headers={"prefer": "respond-async"}).json()["query"]
        scratch = made.place.folder / "scratch"
        until = time.monotonic() + 20
        while not (scratch.exists() and any(scratch.iterdir())):
            assert time.monotonic() < until
            time.sleep(0.02)
        lose(made)
        begun = time.monotonic()
        while any(scratch.iterdir()):
            assert time.monotonic() < begun + 10, "its worker was left running"
            time.sleep(0.02)
    while True:
        with made.place.store.read() as connection:
            kept = queries.get(connection, query)
        if kept["state"] != "running":
            break
        assert time.monotonic() < begun + 10
        time.sleep(0.02)
    assert kept["state"] == "failed"
    assert why in kept["body"]["reason"]
