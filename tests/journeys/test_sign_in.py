"""Signing in through a real identity provider process, and on the command line in trial and production settings."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from integrated_data.approve import agree
from integrated_data.client import Client
from integrated_data.control import people, projects
from integrated_data.control.store import records
from integrated_data.model.access import Person
from integrated_data.model.errors import RoleRefusal, SignInRefusal
from integrated_data.model.people import Role
from integrated_data.model.signing_in import OperatingProcedures, SignInMethod
from integrated_data.site.installation import create
from integrated_data.site.oidc_flow import Begun
from integrated_data.site.places import Places, open_store
from integrated_data.site.signing_in import SignIn, open_sign_in
from tests.calling import ids
from tests.journeys.test_gateway import AGREEMENT
from tests.service import SETTINGS

ADA = Person("ada", "Ada Example", "University", roles=(Role.ANALYST,))
BACK = "http://127.0.0.1:1/signed-in"
PROVIDER = [sys.executable, "-m", "integrated_data.site.development_provider"]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    process = subprocess.Popen(PROVIDER, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return create(tmp_path / "home", actor="tester")


@pytest.fixture
def door(places: Places, issuer: str) -> SignIn:
    places.provider.write_text(f"issuer: {issuer}\nclient: ids\n")
    made = open_sign_in(places, SETTINGS)
    projects.add_person(made.store, ADA, by="desk")
    return made


def browser(begun: Begun, person: str) -> str:
    """Where a browser comes back to after somebody said who they are."""
    answer = httpx.get(f"{begun.address}&person={person}", follow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def refused(door: SignIn, begun: Begun, came: str) -> str:
    with pytest.raises(SignInRefusal):
        door.finish_oidc(begun, came)
    with door.store.read() as connection:
        return [r.facts["why"] for r in records(connection) if r.action == "sign_in.refused"][-1]


def test_a_browser_goes_to_the_provider_and_comes_back_signed_in(door: SignIn) -> None:
    begun = door.begin_oidc(BACK)
    assert parse_qs(urlsplit(begun.address).query)["code_challenge_method"] == ["S256"]
    assert begun.verifier not in begun.address
    signed_in = door.finish_oidc(begun, browser(begun, "ada"))
    assert (signed_in.person, signed_in.how) == ("ada", SignInMethod.OIDC)
    session = signed_in.until - door.store.now()
    assert timedelta(hours=7) < session <= timedelta(hours=8)
    assert door.by_token(door.open_session(signed_in)).person == "ada"


def test_a_code_counts_once(door: SignIn) -> None:
    begun = door.begin_oidc(BACK)
    came = browser(begun, "ada")
    door.finish_oidc(begun, came)
    assert refused(door, begun, came) == "the provider gave no token (HTTPStatusError)"


def test_a_code_is_of_its_own_sign_in_alone(door: SignIn) -> None:
    mine, theirs = door.begin_oidc(BACK), door.begin_oidc(BACK)
    stolen = browser(theirs, "ada")
    assert refused(door, mine, stolen) == "of another sign-in"
    injected = stolen.replace(theirs.state, mine.state)
    assert refused(door, mine, injected) == "the provider gave no token (HTTPStatusError)", "its proof is another's"
    late = replace(door.begin_oidc(BACK), until=door.store.now())
    assert refused(door, late, browser(late, "ada")) == "the browser came back too late"
    mixed = door.begin_oidc(BACK)
    came = browser(mixed, "ada").split("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
    assert refused(door, mixed, came) == "from another issuer"


def test_somebody_the_provider_knows_and_we_do_not_is_refused(door: SignIn) -> None:
    begun = door.begin_oidc(BACK)
    assert refused(door, begun, browser(begun, "eve@example.org")) == "not on record"
    with door.store.read() as connection:
        assert "eve@example.org" not in str(list(records(connection)))


def test_a_provider_that_made_a_new_key_is_believed_after_a_minute(door: SignIn, issuer: str) -> None:
    begun = door.begin_oidc(BACK)
    door.finish_oidc(begun, browser(begun, "ada"))
    httpx.post(f"{issuer}/rotate")
    fresh = SignIn(door.store, production=False, verifier=door.verifier)
    begun = fresh.begin_oidc(BACK)
    came = browser(begun, "ada")
    assert refused(fresh, begun, came) == "signed with a key that the provider does not publish"
    restarted = SignIn(
        door.store, production=False, verifier=type(door.verifier)(door.verifier.provider, production=False)
    )
    begun = restarted.begin_oidc(BACK)
    assert restarted.finish_oidc(begun, browser(begun, "ada")).person == "ada"


def test_production_refuses_the_development_provider(door: SignIn, places: Places) -> None:
    done = subprocess.run(
        PROVIDER, env={**os.environ, "IDS_PRODUCTION": "1"}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "The development provider believes anybody" in done.stderr
    with pytest.raises(Exception, match="one for trials only"):
        open_sign_in(places, replace(SETTINGS, production=True))


def test_the_command_line_signs_in_by_browser(door: SignIn, places: Places) -> None:
    run = "from integrated_data.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", run, "sign-in", "--json", "--home", str(places.home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    address = process.stderr.readline().removeprefix("Open in a browser: ").strip()
    assert httpx.get(f"{address}&person=ada", follow_redirects=True).status_code == 200
    out, _ = process.communicate(timeout=60)
    told = json.loads(out)
    assert told["person"] == "ada"
    assert door.by_token(told["secret"]).how is SignInMethod.OIDC


class Installation:
    """An installation with some people, called by its commands in production settings."""

    def __init__(self, folder: Path) -> None:
        self.home = create(folder / "home", actor="tester").home
        self.folder = folder
        self.store = open_store(Places(self.home))
        for name, roles in {"ada": "analyst", "pat": "approver", "aud": "auditor", "sue": "steward"}.items():
            text = f"{{id: {name}, name: Somebody, organisation: University, roles: [{roles}]}}"
            self.by_operator("person", "add", str(self.file(f"{name}.yaml", text)))
        self.by_operator("organisation", "add", "University")
        self.by_operator("procedures", "set", "2026-1", str(self.file("procedures.md", "Lock your screen.")))

    def file(self, name: str, text: str) -> Path:
        place = self.folder / name
        place.write_text(text)
        return place

    def by_operator(self, *words: str, given: str = "") -> dict[str, Any]:
        done = ids(self.home, *words, "--json", given=given, IDS_PRODUCTION="1")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def token(self, person: str) -> str:
        return str(self.by_operator("person", "token", "add", person)["secret"])

    def by(self, token: str, *words: str, **environment: str) -> str:
        """What a command says; its refusal, where it refuses."""
        done = ids(self.home, *words, IDS_PRODUCTION="1", IDS_TOKEN=token, **environment)
        return done.stdout if done.returncode == 0 else done.stderr


def test_in_production_a_person_acts_by_a_token_alone(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    ada, pat, aud = place.token("ada"), place.token("pat"), place.token("aud")
    assert "The operating procedures 2026-1 are not accepted yet" in place.by(ada, "catalogue", "search")
    for token in (ada, pat, aud):
        assert "2026-1" in place.by(token, "person", "accept-procedures", "2026-1")
    assert "Catalogue: none" in place.by(ada, "catalogue", "search")
    named = ids(place.home, "catalogue", "search", "--as", "pat", IDS_PRODUCTION="1")
    assert "A name on the command line is not believed" in named.stderr
    assert "not believed" in place.by(ada, "project", "list", "--as", "pat")
    told = place.by(ada, "project", "decide", "P-1")
    assert "ada may not decide projects. Roles that may: approver or steward" in told
    assert "There is no project P-1" in place.by(pat, "project", "decide", "P-1")
    assert "pat may not query" in place.by(pat, "query", "--project", "P-1", "SELECT 1")
    assert "Nobody writes their own record" in place.by(pat, "person", "add", str(place.folder / "pat.yaml"))
    assert "may not act for somebody else, nor change how they sign in" in place.by(
        pat, "person", "token", "add", "ada"
    )
    assert "Uses of census: none" in place.by(aud, "audit", "used", "census")
    assert "Sign-in was refused" in place.by("ids_" + "A" * 43, "catalogue", "search")
    alone = ids(place.home, "query", "--project", "P-1", "SELECT 1", IDS_PRODUCTION="1", IDS_ACTOR="ada")
    assert "The account of the service may not query" in alone.stderr
    with place.store.read() as connection:
        events = [(r.actor, r.action) for r in records(connection)]
    assert ("aud", "audit.asked") in events
    assert not any(actor == "ada" and action == "person.written" for actor, action in events)


def test_an_owner_sees_who_used_their_data_and_nobody_elses(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    sue = place.token("sue")
    place.by(sue, "person", "accept-procedures", "2026-1")
    law = agree.united_kingdom()
    for dataset, owner in (("census", "University"), ("pay", "Department")):
        agreement = AGREEMENT.format(dataset=dataset).replace("owner: Department", f"owner: {owner}")
        projects.add_agreement(place.store, agree.read_agreement(agreement, law), by="desk")
    assert "Uses of census: none" in place.by(sue, "audit", "used", "census")
    assert "What left: none" in place.by(sue, "audit", "left", "--dataset", "census")
    for words in (("used", "pay"), ("left",), ("left", "--dataset", "pay")):
        assert "may not see who used this dataset" in place.by(sue, "audit", *words)
    assert "sue may not ask who did what" in place.by(sue, "audit", "decision", "1")


def test_a_password_is_read_from_standard_input_and_never_shown(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.by_operator("person", "password", "ada", given="three random words\n")
    address = place.by_operator("person", "totp", "ada")["address"]
    code = pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0]).now()  # one for both: it counts once
    come = ("sign-in", "ada", "--accepting", "2026-1")
    done = ids(place.home, *come, given=f"three random words\n{code}\n", IDS_PRODUCTION="1")
    session = done.stdout.strip()
    assert "Catalogue: none" in place.by(session, "catalogue", "search")
    again = ids(place.home, *come, given=f"three random words\n{code}\n", IDS_PRODUCTION="1")
    assert "Sign-in was refused" in again.stderr
    assert "three random words" not in done.stdout + done.stderr + again.stderr


def test_the_python_client_asks_as_somebody_who_may_query(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with pytest.raises(SignInRefusal, match="not accepted yet"):
        Client(place.home, project="P-1", person="ada")
    people.accept(place.store, "pat", procedures=OperatingProcedures("2026-1", "", ""))
    with pytest.raises(RoleRefusal, match="pat may not query"):
        Client(place.home, project="P-1", person="pat")
