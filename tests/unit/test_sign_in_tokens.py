"""Personal tokens: what they open, until when, and that a refusal says nothing to whoever is refused."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data.approve import roles
from integrated_data.audit import chain
from integrated_data.control import people, projects, tokens
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.access import Person
from integrated_data.model.errors import RoleRefusal, SignInRefusal, UsageRefusal
from integrated_data.model.people import Action, Organisation, Role
from integrated_data.model.signing_in import SignInMethod
from integrated_data.site.signing_in import SignIn, Wish

ADA = Person("ada", "Ada Example", "University", roles=(Role.ANALYST,))
SAME = (
    "Sign-in was refused. What was shown does not let you in. "
    "Sign in again, or ask the desk that looks after people: they see why."
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(store: Store, clock: Clock) -> SignIn:
    kept = Store(store.engine, clock=clock)
    projects.add_person(kept, ADA, by="desk")
    return SignIn(kept, production=False)


def reasons(door: SignIn) -> list[str]:
    with door.store.read() as connection:
        return [r.facts["why"] for r in records(connection) if r.action == "sign_in.refused"]


def refused(door: SignIn, secret: str) -> None:
    with pytest.raises(SignInRefusal) as told:
        door.by_token(secret)
    assert str(told.value) == SAME


def test_a_token_says_who_is_there(door: SignIn) -> None:
    secret, made = door.make_token("ada", Wish("laptop"), by="ada")
    signed_in = door.by_token(secret)
    assert (signed_in.person, signed_in.roles, signed_in.how) == ("ada", (Role.ANALYST,), SignInMethod.TOKEN)
    assert signed_in.until == made.expires == datetime(2026, 7, 15, 12, tzinfo=UTC)
    assert door.still_valid(signed_in)


def test_the_secret_is_nowhere(door: SignIn, tmp_path: Path) -> None:
    secret, _ = door.make_token("ada", Wish("laptop"), by="ada")
    door.by_token(secret)
    refused(door, secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    held = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.is_file())
    assert b"ada" in held
    assert secret.encode() not in held
    assert secret.removeprefix("ids_").encode() not in held


@pytest.mark.parametrize(
    "secret",
    ["", "ids_", "ids_" + "A" * 43, "ids_" + "A" * 10_000, "Bearer x", "\0", "ids_\ud800" + "A" * 42, "' OR 1=1 --"],
)
def test_what_is_no_token_is_refused(door: SignIn, secret: str) -> None:
    refused(door, secret)
    assert reasons(door) == ["no such token"]


def test_a_token_ends(door: SignIn, clock: Clock) -> None:
    secret, _ = door.make_token("ada", Wish("laptop", days=1), by="ada")
    signed_in = door.by_token(secret)
    clock.now += timedelta(days=1)
    refused(door, secret)
    assert not door.still_valid(signed_in)
    assert reasons(door) == ["expired"]


def test_a_revoked_token_is_refused_at_once_by_every_process(door: SignIn, tmp_path: Path) -> None:
    secret, made = door.make_token("ada", Wish("laptop"), by="ada")
    signed_in = door.by_token(secret)
    other = Store(sqlite(tmp_path / "control.sqlite"), clock=door.store.now)
    tokens.revoke(other, made.id, by="desk")
    refused(door, secret)
    assert not door.still_valid(signed_in)
    assert reasons(door) == ["revoked"]


def test_people_who_may_not_come_in(door: SignIn) -> None:
    secret, _ = door.make_token("ada", Wish("laptop"), by="ada")
    signed_in = door.by_token(secret)
    for state, why in ((replace(ADA, suspended=True), "suspended"), (replace(ADA, roles=()), "no role")):
        projects.add_person(door.store, state, by="desk")
        refused(door, secret)
        assert not door.still_valid(signed_in)
        assert reasons(door)[-1] == why
    projects.add_person(door.store, ADA, by="desk")
    people.add_organisation(door.store, Organisation("University", suspended=True), by="desk")
    refused(door, secret)
    assert reasons(door)[-1] == "organisation suspended"
    assert not door.still_valid(signed_in)


def test_a_role_that_was_taken_back_ends_what_runs(door: SignIn) -> None:
    projects.add_person(door.store, replace(ADA, roles=(Role.ANALYST, Role.STEWARD)), by="desk")
    signed_in = door.by_token(door.make_token("ada", Wish("laptop"), by="ada")[0])
    assert door.still_valid(signed_in)
    projects.add_person(door.store, ADA, by="desk")
    assert not door.still_valid(signed_in)


def test_in_production_an_organisation_on_record_and_procedures_are_needed(door: SignIn) -> None:
    production = SignIn(door.store, production=True)
    secret, _ = production.make_token("ada", Wish("laptop"), by="ada")
    refused(production, secret)
    people.add_organisation(door.store, Organisation("University"), by="desk")
    with pytest.raises(SignInRefusal, match="No operating procedures are in force"):
        production.by_token(secret)


def test_procedures_are_accepted_before_somebody_goes_on_and_again_for_each_version(door: SignIn) -> None:
    secret, _ = door.make_token("ada", Wish("laptop"), by="ada")
    for version in ("2026-1", "2026-2"):
        before = door.by_token(secret)
        people.put_procedures(door.store, version, text=f"Lock your screen. {version}", by="desk")
        assert not door.still_valid(before)
        for given in (None, "2025-9"):
            with pytest.raises(SignInRefusal, match=f"The operating procedures {version} are not accepted yet"):
                door.by_token(secret, accepting=given)
        assert door.by_token(secret, accepting=version).person == "ada"
        assert door.still_valid(door.by_token(secret))
    with door.store.read() as connection:
        events = [r for r in records(connection) if r.action == "procedures.accepted"]
    assert [(e.actor, e.facts["version"]) for e in events] == [("ada", "2026-1"), ("ada", "2026-2")]


def test_a_session_stands_for_somebody_for_eight_hours(door: SignIn, clock: Clock) -> None:
    secret = door.open_session(door.admitted("ada", how=SignInMethod.PASSWORD))
    again = door.by_token(secret)
    assert (again.person, again.how) == ("ada", SignInMethod.PASSWORD)
    door.end(again)
    refused(door, secret)
    other = door.open_session(door.admitted("ada", how=SignInMethod.OIDC))
    clock.now += timedelta(hours=8)
    refused(door, other)


def test_a_token_is_limited_to_its_project_and_actions(door: SignIn) -> None:
    wish = Wish("nightly", project="P-1", actions=(Action.QUERY,))
    signed_in = door.by_token(door.make_token("ada", wish, by="ada")[0])
    roles.check_may(signed_in, Action.QUERY)
    roles.check_project(signed_in, "P-1")
    with pytest.raises(RoleRefusal, match="not for it: ask for outputs"):
        roles.check_may(signed_in, Action.REQUEST_OUTPUT)
    with pytest.raises(RoleRefusal, match="for project P-1 alone"):
        roles.check_project(signed_in, "P-2")
    with pytest.raises(UsageRefusal, match="A token opens no session"):
        door.open_session(signed_in)


def test_every_action_is_in_the_table_and_a_role_may_only_what_it_names(door: SignIn) -> None:
    assert set(roles.ROLES) == set(Action)
    ada = door.admitted("ada", how=SignInMethod.TOKEN)
    allowed = {a for a in Action if roles.may(ada, a)}
    assert allowed == {
        Action.LOOK, Action.APPLY, Action.SEE_PROJECTS, Action.QUERY, Action.REQUEST_OUTPUT, Action.SEE_OUTPUTS,
        Action.OWN_ACCOUNT,
    }  # fmt: skip
    with pytest.raises(RoleRefusal, match=r"ada may not decide projects\. Roles that may: approver or steward"):
        roles.check_may(ada, Action.DECIDE)


def test_a_token_for_nobody_or_for_ever_is_not_made(door: SignIn) -> None:
    with pytest.raises(SignInRefusal, match="There is no person eve"):
        door.make_token("eve", Wish("x"), by="desk")
    for days in (0, 91):
        with pytest.raises(UsageRefusal, match="The most is 90 days"):
            door.make_token("ada", Wish("x", days=days), by="ada")


def test_a_clock_that_goes_back_revives_nothing(door: SignIn, clock: Clock) -> None:
    secret, _ = door.make_token("ada", Wish("laptop", days=1), by="ada")
    signed_in = door.by_token(secret)
    clock.now += timedelta(days=1)
    refused(door, secret)
    clock.now -= timedelta(hours=3)
    refused(door, secret)
    assert not door.still_valid(signed_in)


def test_a_flood_of_wrong_tokens_does_not_flood_the_chain(door: SignIn) -> None:
    for number in range(50):
        refused(door, f"ids_{number:043d}")
    assert reasons(door) == ["no such token"]
    with door.store.read() as connection:
        chain.verify(records(connection))


def test_a_token_is_read_within_a_few_milliseconds_and_used_once_a_day_on_record(door: SignIn) -> None:
    secret, _ = door.make_token("ada", Wish("laptop"), by="ada")
    door.by_token(secret)
    begun = time.process_time()
    for _ in range(100):
        door.by_token(secret)
    assert (time.process_time() - begun) / 100 < 0.01
    with door.store.read() as connection:
        assert [r.action for r in records(connection)].count("token.used") == 1
