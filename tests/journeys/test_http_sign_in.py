"""Signing in through the serving doors: by password and one-time code, at a real identity provider, and out again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import adbc_driver_flightsql.dbapi as adbc
import argon2
import httpx
import pyotp
import pytest
from adbc_driver_flightsql import DatabaseOptions
from joserfc import jwt
from joserfc.jwk import ECKey

from integrated_data.control import people
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.site.oidc import Provider, Verifier
from integrated_data.site.passwords import Passwords
from tests.journeys.test_gateway import new_place
from tests.served import SLOW, House, furnish, house, open_flight, open_http

PASSWORD = "three random words"
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
BACK = "http://127.0.0.1:1/signed-in"


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as opened:
        opened.door.passwords = Passwords(b"k" * 32, QUICK)
        yield opened


@pytest.fixture
def url(made: House) -> Iterator[str]:
    with open_http(made) as address:
        yield address


@pytest.fixture
def codes(made: House) -> pyotp.TOTP:
    made.door.set_password("ada", PASSWORD, by="ada")
    address = made.door.set_code("ada", by="ada")
    return pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0])


def test_a_session_by_password_and_code_asks_until_it_is_ended(made: House, url: str, codes: pyotp.TOTP) -> None:
    said = {"person": "ada", "password": PASSWORD, "code": codes.at(made.place.now)}
    answer = httpx.post(f"{url}/v1/session", json=said)
    assert answer.status_code == 201, answer.text
    headers = {"authorization": f"Bearer {answer.json()['secret']}", "x-ids-project": "P-1"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as ada:
        assert ada.get("/v1/me").json()["person"] == "ada"
        taken = ada.post("/v1/queries", json={"sql": SLOW}, headers={"prefer": "respond-async"}).json()
        assert ada.delete("/v1/session").status_code == 204
        assert ada.get(f"/v1/queries/{taken['query']}").status_code == 401
    assert httpx.post(f"{url}/v1/session", json=said).status_code == 401, "a code is used once"


def test_every_refusal_is_the_same_answer(made: House, url: str, codes: pyotp.TOTP) -> None:
    right = {"person": "ada", "password": PASSWORD, "code": codes.at(made.place.now)}
    wrong = ({"password": "three other words"}, {"code": "000000"}, {"person": "eve"}, {"person": "\u0000"})
    answers = [httpx.post(f"{url}/v1/session", json=right | change) for change in wrong]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    assert len({tuple(sorted(a.headers)) for a in answers}) == 1
    long = httpx.post(f"{url}/v1/session", json=right | {"password": f"{PASSWORD} " * 100})
    assert long.status_code == 422
    assert PASSWORD not in long.text


def test_procedures_are_read_and_accepted_on_the_way_in(made: House, url: str, codes: pyotp.TOTP) -> None:
    people.put_procedures(made.place.store, "2026-1", text="Lock your screen.", by="desk")
    assert httpx.get(f"{url}/v1/session/procedures").json() == {"version": "2026-1", "text": "Lock your screen."}
    said = {"person": "ada", "password": PASSWORD, "code": codes.at(made.place.now)}
    refused = httpx.post(f"{url}/v1/session", json=said)
    assert (refused.status_code, "2026-1" in refused.text) == (401, True)
    assert httpx.post(f"{url}/v1/session", json=said | {"accepting": "2026-1"}).status_code == 201


def test_a_browser_signs_in_at_the_provider(made: House, url: str) -> None:
    run = [sys.executable, "-m", "integrated_data.site.development_provider"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        made.door.verifier = Verifier(Provider(issuer, "ids"), production=False)
        made.place.now = datetime.now(UTC)  # the provider lives today
        begun, other = (httpx.post(f"{url}/v1/session/begin", json={"redirect": BACK}).json() for _ in range(2))
        came = httpx.get(f"{begun['address']}&person=ada", follow_redirects=False).headers["Location"]

        def finish(ticket: str) -> httpx.Response:
            return httpx.post(f"{url}/v1/session/finish", json={"ticket": ticket, "came": came})

        wrong = [finish(other["ticket"]), finish("x"), finish(begun["ticket"][:-4] + "AAA=")]
        opened, again = finish(begun["ticket"]), finish(begun["ticket"])
        process.kill()
    assert {answer.status_code for answer in wrong} == {401}
    assert (opened.status_code, again.status_code) == (201, 401)
    me = httpx.get(f"{url}/v1/me", headers={"authorization": f"Bearer {opened.json()['secret']}"})
    assert me.json()["person"] == "ada"


def test_the_providers_own_token_is_believed_and_a_forged_one_is_not(made: House, url: str) -> None:
    key, forged = (ECKey.generate_key("P-256", {"kid": "e"}) for _ in range(2))
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    published = {"issuer": "https://login.example.org", "keys": [key.as_dict(private=False)]}
    published |= {name: f"https://login.example.org/{name}" for name in names}
    provider = Provider("https://login.example.org", "ids")
    made.door.verifier = Verifier(provider, fetch=lambda _: json.dumps(published).encode())
    now = int(made.place.now.timestamp())
    claims = {"iss": provider.issuer, "aud": "ids", "sub": "ada", "exp": now + 60}

    def me(token: str) -> int:
        return httpx.get(f"{url}/v1/me", headers={"authorization": f"Bearer {token}"}).status_code

    def signed(by: ECKey, **more: object) -> str:
        return jwt.encode({"alg": "ES256", "kid": "e"}, claims | more, by)

    assert me(signed(key)) == 200
    assert {me(signed(forged)), me(signed(key, exp=now - 61)), me(signed(key, aud="shop")), me("a.b.c")} == {401}


@pytest.mark.parametrize(
    "redirect",
    ["https://evil.example/back", "http://127.0.0.1:1@evil.example/", "http://127.0.0.1:1/../x", "file:///x"],
)
def test_a_browser_comes_back_to_the_clients_own_machine_alone(made: House, url: str, redirect: str) -> None:
    assert httpx.post(f"{url}/v1/session/begin", json={"redirect": redirect}).status_code == 422


def test_an_adbc_client_signs_in_by_password_and_code(made: House, codes: pyotp.TOTP) -> None:
    with open_flight(made) as (uri, certificate):
        options = {
            "username": "ada", "password": f"{PASSWORD} {codes.at(made.place.now)}",
            DatabaseOptions.TLS_ROOT_CERTS.value: certificate.read_text(),
            f"{DatabaseOptions.RPC_CALL_HEADER_PREFIX.value}x-ids-project": "P-1",
        }  # fmt: skip
        with adbc.connect(uri, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute("SELECT count(*)::INT AS n FROM census")
                assert cursor.fetchone() == (100,)
        with pytest.raises(adbc.Error, match="Sign-in was refused"):
            adbc.connect(uri, db_kwargs=options, autocommit=True).cursor()
