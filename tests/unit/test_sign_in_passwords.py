"""Passwords with one-time codes: what lets somebody in, what brute force meets, what a refusal gives away."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import argon2
import pyotp
import pytest

from integrated_data.control import credentials, projects
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.access import Person
from integrated_data.model.errors import SignInRefusal, UsageRefusal
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.site.passwords import Passwords
from integrated_data.site.signing_in import SignIn

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
RIGHT, WRONG = "three random words", "three other words!"
ADA = Person("ada", "Ada Example", "University", roles=(Role.ANALYST,))


class Desk:
    """A door with one person behind it, and a clock that a test sets."""

    def __init__(self, store: Store, hasher: argon2.PasswordHasher = QUICK) -> None:
        self.now = datetime(2026, 6, 15, 12, tzinfo=UTC)
        kept = Store(store.engine, clock=lambda: self.now)
        self.door = SignIn(kept, production=False, passwords=Passwords(b"k" * 32, hasher))
        projects.add_person(kept, ADA, by="desk")
        self.door.set_password("ada", RIGHT, by="ada")
        address = self.door.set_code("ada", by="ada")
        self.codes = pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0])

    def code(self, *, off: int = 0) -> str:
        return self.codes.at(self.now, counter_offset=off)

    def comes(self, person: str = "ada", password: str = RIGHT, *, code: str | None = None) -> SignedIn:
        return self.door.by_password(person, password, code=self.code() if code is None else code)

    def refused(self, person: str = "ada", password: str = RIGHT, *, code: str | None = None) -> str:
        with pytest.raises(SignInRefusal) as told:
            self.comes(person, password, code=code)
        return str(told.value)

    def reasons(self) -> list[str]:
        with self.door.store.read() as connection:
            return [r.facts["why"] for r in records(connection) if r.action == "sign_in.refused"]


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def test_password_and_code_let_somebody_in(desk: Desk) -> None:
    signed_in = desk.comes()
    assert (signed_in.person, signed_in.how) == ("ada", SignInMethod.PASSWORD)
    assert desk.door.by_token(desk.door.open_session(signed_in)).person == "ada"


def test_a_code_is_used_once_and_only_near_its_time(desk: Desk) -> None:
    code = desk.code()
    desk.comes(code=code)
    desk.refused(code=code)
    desk.refused(code=desk.code(off=-1))  # an earlier one than the one that was used
    desk.now += timedelta(seconds=30)
    desk.comes()
    desk.refused(code=desk.code(off=3))
    desk.now += timedelta(minutes=5)
    desk.refused(code=desk.code(off=-3))
    assert desk.reasons() == ["wrong code"] * 4


def test_one_code_at_two_doors_at_once_lets_in_one(desk: Desk, tmp_path: Path) -> None:
    came: list[object] = []
    code = desk.code()

    def come() -> None:
        own = SignIn(
            Store(sqlite(tmp_path / "control.sqlite"), clock=lambda: desk.now), production=False,
            passwords=desk.door.passwords,
        )  # fmt: skip
        try:
            came.append(own.by_password("ada", RIGHT, code=code))
        except SignInRefusal:
            came.append(None)

    threads = [Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(c) for c in came].count(SignedIn) == 1


def test_every_refusal_says_the_same(desk: Desk) -> None:
    told = {
        desk.refused(password=WRONG),
        desk.refused(code="000000"),
        desk.refused(code=""),
        desk.refused("eve"),
        desk.refused("", ""),
        desk.refused("ada\0", "x" * 100_000, code="\ud800"),
    }
    assert len(told) == 1
    assert desk.reasons() == ["wrong password", "wrong code", "wrong code", "not on record", "not on record",
                              "not on record"]  # fmt: skip


def test_what_a_stranger_typed_is_kept_nowhere(desk: Desk, tmp_path: Path) -> None:
    desk.refused("my-password-in-the-wrong-field")
    desk.refused(password=WRONG)
    held = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.is_file())
    for secret in ("my-password-in-the-wrong-field", RIGHT, WRONG, desk.codes.secret):
        assert secret.encode() not in held


def test_brute_force_meets_a_wait_that_doubles_and_outlives_a_restart(desk: Desk, tmp_path: Path) -> None:
    for _ in range(credentials.FREE):
        desk.refused(password=WRONG)
    desk.refused()  # right, but too early
    desk.now += timedelta(seconds=59)
    restarted = SignIn(
        Store(sqlite(tmp_path / "control.sqlite"), clock=lambda: desk.now), production=False,
        passwords=desk.door.passwords,
    )  # fmt: skip
    with pytest.raises(SignInRefusal):
        restarted.by_password("ada", RIGHT, code=desk.code())
    desk.now += timedelta(seconds=2)
    desk.refused(password=WRONG)
    desk.now += timedelta(seconds=119)
    desk.refused()
    desk.now += timedelta(seconds=2)
    desk.comes()
    desk.now += timedelta(seconds=30)
    desk.refused(password=WRONG)
    desk.comes()  # a success forgot the failures before it
    assert "locked out" in desk.reasons()


def test_a_name_that_nobody_bears_is_locked_out_alike(desk: Desk) -> None:
    for _ in range(credentials.FREE + 1):
        desk.refused("eve")
    assert desk.reasons()[-1] == "locked out"
    assert desk.refused("eve") == desk.refused(password=WRONG)


def test_many_attempts_at_once_gain_nothing(desk: Desk, tmp_path: Path) -> None:
    looked: list[str] = []

    def guess(number: int) -> None:
        own = SignIn(
            Store(sqlite(tmp_path / "control.sqlite"), clock=lambda: desk.now), production=False,
            passwords=desk.door.passwords,
        )  # fmt: skip
        with pytest.raises(SignInRefusal):
            own.by_password("ada", f"guess number {number}", code="000000")
        looked.append("")

    threads = [Thread(target=guess, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked) == 20
    assert desk.reasons().count("wrong password") == credentials.FREE


def test_a_refusal_takes_as_long_for_a_name_that_nobody_bears(store: Store) -> None:
    desk = Desk(store, argon2.PasswordHasher(time_cost=2, memory_cost=16 * 1024, parallelism=1))

    def seconds(person: str) -> float:
        begun = time.process_time()
        desk.refused(person, WRONG)
        return time.process_time() - begun

    desk.refused("nobody")  # makes the hash that strangers are held against
    known, strange = [], []
    for _ in range(4):
        known.append(seconds("ada"))
        strange.append(seconds("eve"))
        desk.now += timedelta(days=1)
    assert 0.5 < min(known) / min(strange) < 2


def test_a_person_without_password_or_code_is_refused(desk: Desk) -> None:
    projects.add_person(desk.door.store, replace(ADA, id="ben"), by="desk")
    desk.refused("ben")
    desk.door.set_password("ben", RIGHT, by="ben")
    desk.refused("ben")
    assert desk.reasons() == ["wrong password", "wrong code"]


def test_the_code_of_another_person_is_refused_and_so_is_their_sealed_secret(desk: Desk) -> None:
    projects.add_person(desk.door.store, replace(ADA, id="ben"), by="desk")
    desk.door.set_password("ben", RIGHT, by="ben")
    with desk.door.store.read() as connection:
        stolen = credentials.get(connection, "ada").code
    assert stolen is not None
    credentials.set_code(desk.door.store, "ben", sealed=stolen, by="thief")
    desk.refused("ben")


def test_a_suspended_person_is_refused_like_anybody(desk: Desk) -> None:
    projects.add_person(desk.door.store, replace(ADA, suspended=True), by="desk")
    assert desk.refused() == desk.refused("eve")
    assert desk.reasons()[0] == "suspended"


@pytest.mark.parametrize("guessed", ["short", "aaaaaaaaaaaaaaaa", "my name is ada!!", "x" * 300])
def test_a_password_that_is_easily_guessed_is_not_taken(desk: Desk, guessed: str) -> None:
    with pytest.raises(UsageRefusal, match="too easily guessed") as told:
        desk.door.set_password("ada", guessed, by="ada")
    assert guessed not in str(told.value)


def test_a_new_password_ends_sessions(desk: Desk) -> None:
    session = desk.door.open_session(desk.comes())
    desk.door.set_password("ada", "three newer words", by="ada")
    with pytest.raises(SignInRefusal):
        desk.door.by_token(session)
