"""Signing in through a real identity provider process, and on the command line in trial and production settings."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from integrated_data.control import projects
from integrated_data.control.store import records
from integrated_data.model.access import Person
from integrated_data.model.errors import SignInRefusal
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignInMethod
from integrated_data.site.installation import create
from integrated_data.site.oidc_flow import Begun
from integrated_data.site.places import Places
from integrated_data.site.signing_in import SignIn, open_sign_in
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
    assert signed_in.until - door.store.now() <= timedelta(minutes=5), "no longer than the provider's word"
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
    assert refused(door, begun, browser(begun, "eve")) == "not on record"


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


def ids(home: Path, *words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    run = "from integrated_data.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", run, *words, "--home", str(home)], input=given, capture_output=True, text=True,
        timeout=120, check=False, env={**os.environ, **environment},
    )  # fmt: skip


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
