"""Sign-in: who is there, shown by a token, by a password with a one-time code, or by an identity provider.

Outside, every refusal says the same and takes the same work; why goes to the audit chain. No secret is
kept, logged or written into an event: tokens by their SHA-256, passwords by argon2id.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integrated_data.approve import admit
from integrated_data.control import credentials, people, tokens
from integrated_data.control.credentials import Claimed, LockedOut
from integrated_data.control.store import Store
from integrated_data.model.access import Person
from integrated_data.model.errors import SignInRefusal, UsageRefusal
from integrated_data.model.people import Action
from integrated_data.model.signing_in import Admission, SignedIn, SignInMethod, Token
from integrated_data.site import oidc_flow
from integrated_data.site.oidc import Unverified, Verifier, read_provider
from integrated_data.site.passwords import Passwords
from integrated_data.site.places import Places, open_store
from integrated_data.site.refusing import Refusing
from integrated_data.site.service_keys import service_key
from integrated_data.site.settings import Settings

#: How a token begins, so that programs that look for leaked secrets know one.
PREFIX = "ids_"
PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SECRET = re.compile(r"ids_[A-Za-z0-9_-]{43}")

#: Longest life of a personal token, in days, and of a session, in hours.
TOKEN_DAYS = 90
SESSION_HOURS = 8


@dataclass(frozen=True)
class Wish:
    """What a token is asked for: its name, its life in days, and what it is limited to."""

    name: str
    days: int = 30
    project: str | None = None
    actions: tuple[Action, ...] | None = None


class SignIn:
    """The door of one installation. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        *,
        production: bool,
        passwords: Passwords | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self.store, self.production = store, production
        self.passwords, self.verifier = passwords, verifier
        self.refusing = Refusing(store)

    def by_token(self, secret: str, *, accepting: str | None = None) -> SignedIn:
        """Who holds a token or session; raises `SignInRefusal`. `accepting`: see `admitted`."""
        digest = hashlib.sha256(secret.encode(errors="replace")).hexdigest() if len(secret) <= 100 else ""
        with self.store.read() as connection:
            token = tokens.find(connection, digest)
            facts = None if token is None else people.admission(connection, token.person)
            now = self.store.present(connection)
        if token is None or facts is None or not SECRET.fullmatch(secret):
            raise self.refusing.refuse(SignInMethod.TOKEN, "no such token")
        if token.revoked or now >= token.expires:
            raise self.refusing.refuse(token.how, "revoked" if token.revoked else "expired", person=token.person)
        admitted = self._admit(token.person, facts, how=token.how, accepting=accepting)
        if token.last_used != now.date():
            tokens.used(self.store, token, day=now.date())
        return SignedIn(token.person, admitted.roles, token.how, token.expires, token.id, token.project, token.actions)

    def by_password(self, person: str, password: str, *, code: str, accepting: str | None = None) -> SignedIn:
        """Who knows a person's password and shows a fresh one-time code; raises `SignInRefusal`.

        Each attempt is counted before it is looked at; after five the wait doubles with each.
        """
        if self.passwords is None:
            raise self.refusing.refuse(SignInMethod.PASSWORD, "no passwords here")
        facts = self._facts(person)
        with self.store.read() as connection:
            known = credentials.get(connection, person if facts.person is not None else "")
        claimed = Claimed(self._passwords.subject(person), person if facts.person is not None else None)
        try:
            credentials.begin_attempt(self.store, claimed)
            open_to = True
        except LockedOut:
            open_to = False
        right = self._passwords.is_password(known, password)
        step = self._passwords.step_of(known, code, person=person, now=self._now())
        if not open_to:
            raise self.refusing.refuse(
                SignInMethod.PASSWORD, "locked out", person=claimed.person, counted=claimed.subject
            )
        if not right or step is None or claimed.person is None:
            why = "not on record" if claimed.person is None else "wrong code" if right else "wrong password"
            raise self.refusing.refuse(SignInMethod.PASSWORD, why, person=claimed.person, counted="")
        signed_in = self._admit(person, facts, how=SignInMethod.PASSWORD, accepting=accepting)
        if not credentials.succeed(self.store, claimed, step=step):
            raise self.refusing.refuse(SignInMethod.PASSWORD, "code used already", person=person, counted="")
        return signed_in

    def by_oidc(self, token: str, *, nonce: str | None = None, accepting: str | None = None) -> SignedIn:
        """Whom a signed token of the identity provider names; raises `SignInRefusal`.

        `nonce`: what the token must hold, where this service began the sign-in.
        """
        if self.verifier is None:
            raise self.refusing.refuse(SignInMethod.OIDC, "no identity provider here")
        try:
            person, until = self.verifier.person(token, now=self._now(), nonce=nonce)
        except Unverified as why:
            raise self.refusing.refuse(SignInMethod.OIDC, str(why)) from None
        signed_in = self.admitted(person, how=SignInMethod.OIDC, accepting=accepting)
        return replace(signed_in, until=min(signed_in.until, until))

    def begin_oidc(self, redirect: str) -> oidc_flow.Begun:
        """Begin a sign-in at the identity provider, whose browser comes back to the address `redirect`."""
        if self.verifier is None:
            raise self.refusing.refuse(SignInMethod.OIDC, "no identity provider here")
        now = self._now()
        until = now + timedelta(seconds=oidc_flow.PATIENCE)
        try:
            return oidc_flow.begin(self.verifier, redirect, now=now, until=until)
        except Unverified as why:
            raise self.refusing.refuse(SignInMethod.OIDC, str(why)) from None

    def finish_oidc(self, begun: oidc_flow.Begun, came: str, *, accepting: str | None = None) -> SignedIn:
        """Who signed in, from the address the browser came back to; forget `begun` before, it counts once."""
        if self.verifier is None:
            raise self.refusing.refuse(SignInMethod.OIDC, "no identity provider here")
        try:
            token, nonce = oidc_flow.finish(self.verifier, begun, came=came, now=self._now())
        except Unverified as why:
            raise self.refusing.refuse(SignInMethod.OIDC, str(why)) from None
        signed_in = self.by_oidc(token, nonce=nonce, accepting=accepting)
        return replace(signed_in, until=self._now() + timedelta(hours=SESSION_HOURS))

    def by_bearer(self, secret: str, *, accepting: str | None = None) -> SignedIn:
        """Who sends this after `Authorization: Bearer`: a token or session, or a token of the identity provider."""
        if secret.count(".") == 2 and not secret.startswith(PREFIX):
            return self.by_oidc(secret, accepting=accepting)
        return self.by_token(secret, accepting=accepting)

    def admitted(self, person: str, *, how: SignInMethod, accepting: str | None = None) -> SignedIn:
        """A person who showed who they are, if they may come in; else raises `SignInRefusal`.

        `accepting`: the version of the operating procedures that they accept with this sign-in.
        """
        return self._admit(person, self._facts(person), how=how, accepting=accepting)

    def _admit(self, person: str, facts: Admission, *, how: SignInMethod, accepting: str | None) -> SignedIn:
        why = admit.why_not(facts, production=self.production)
        if why or facts.person is None:
            raise self.refusing.refuse(how, why, person=None if facts.person is None else person)
        if admit.owes_procedures(facts, production=self.production):
            self._settle_procedures(person, accepting=accepting)
        return SignedIn(person, facts.person.roles, how, self._now() + timedelta(hours=SESSION_HOURS))

    def knows(self, person: str) -> bool:
        """Whether somebody is on record under that id."""
        return self._facts(person).person is not None

    def still_valid(self, signed_in: SignedIn) -> bool:
        """Whether what was shown at sign-in still counts: cheap enough to ask every second."""
        with self.store.read() as connection:
            facts = people.admission(connection, signed_in.person)
            token = tokens.get(connection, signed_in.token) if signed_in.token else None
            now = self.store.present(connection)
        if now >= signed_in.until or (signed_in.token and (token is None or token.revoked)):
            return False
        if admit.why_not(facts, production=self.production) or facts.person is None:
            return False
        return not admit.owes_procedures(facts, production=self.production) and set(signed_in.roles) <= set(
            facts.person.roles
        )

    def make_token(self, person: str, wish: Wish, *, by: str) -> tuple[str, Token]:
        """A new personal token: its secret, which is shown once, and what is on record of it."""
        if not 1 <= wish.days <= TOKEN_DAYS:
            raise UsageRefusal(
                "A token counts for 1 day or more", why=f"The most is {TOKEN_DAYS} days", next_step="Choose another end"
            )
        self._known(person)
        until = self.store.now() + timedelta(days=wish.days)
        return self._make(person, wish, how=SignInMethod.TOKEN, until=until, by=by)

    def set_password(self, person: str, password: str, *, by: str) -> None:
        """Set a person's password; their sessions end."""
        self._known(person)
        made = self._passwords.hash(password, person=person)
        credentials.set_password(self.store, person, hashed=made, by=by)
        self._end_sessions(person, by=by)

    def set_code(self, person: str, *, by: str) -> str:
        """Make a new secret of one-time codes; returns its address for an authenticator, which is shown once."""
        self._known(person)
        address, sealed = self._passwords.new_code(person)
        credentials.set_code(self.store, person, sealed=sealed, by=by)
        self._end_sessions(person, by=by)
        return address

    def open_session(self, signed_in: SignedIn) -> str:
        """A secret that stands for somebody who signed in just now, until `signed_in.until`; `by_token` takes it.

        A token opens no session: revoking it would not end what came from it.
        """
        if signed_in.token or signed_in.how is SignInMethod.TOKEN:
            raise UsageRefusal("A token opens no session", next_step="Use the token, or sign in")
        made = self._make(
            signed_in.person, Wish("session"), how=signed_in.how, until=signed_in.until, by=signed_in.person
        )
        return made[0]

    def end(self, signed_in: SignedIn) -> None:
        """Sign out: the token or session that a person came in with counts no more."""
        if signed_in.token:
            tokens.revoke(self.store, signed_in.token, by=signed_in.person)

    def _make(self, person: str, wish: Wish, *, how: SignInMethod, until: datetime, by: str) -> tuple[str, Token]:
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(secrets.token_hex(6), person, wish.name, how, until, wish.project, wish.actions)
        tokens.add(self.store, token, sha256=hashlib.sha256(secret.encode()).hexdigest(), by=by)
        return secret, token

    @property
    def _passwords(self) -> Passwords:
        assert self.passwords is not None, "the door was opened without the key of sign-in"
        return self.passwords

    def _end_sessions(self, person: str, *, by: str) -> None:
        with self.store.read() as connection:
            known = tokens.of(connection, person)
        for token in known:
            if token.how is not SignInMethod.TOKEN and not token.revoked:
                tokens.revoke(self.store, token.id, by=by)

    def _known(self, person: str) -> Person:
        facts = self._facts(person)
        if facts.person is None:
            raise SignInRefusal(f"There is no person {person}", next_step="List them with: ids person list")
        return facts.person

    def _facts(self, person: str) -> Admission:
        """What bears on somebody's coming in; nothing where the name could be nobody's."""
        with self.store.read() as connection:
            return people.admission(connection, person if PERSON.fullmatch(person) else "")

    def _now(self) -> datetime:
        with self.store.read() as connection:
            return self.store.present(connection)

    def _settle_procedures(self, person: str, *, accepting: str | None) -> None:
        with self.store.read() as connection:
            in_force = people.procedures(connection)
        if in_force is None:
            raise SignInRefusal(
                "No operating procedures are in force", next_step="Put them in force: ids procedures set VERSION FILE"
            )
        if accepting is None or not hmac.compare_digest(accepting.encode(), in_force.version.encode()):
            raise SignInRefusal(
                f"The operating procedures {in_force.version} are not accepted yet",
                why="Everybody accepts each version before they go on",
                next_step="Read them with ids procedures show, then: ids person accept-procedures VERSION",
            )
        people.accept(self.store, person, procedures=in_force)


def open_sign_in(places: Places, settings: Settings) -> SignIn:
    """The sign-in of an installation; with an identity provider where `sign-in.yaml` names one."""
    verifier = None
    if places.provider.exists():
        verifier = Verifier(read_provider(places.provider.read_text()), production=settings.production)
    passwords = Passwords(service_key(places, "sign-in"))
    return SignIn(open_store(places), production=settings.production, passwords=passwords, verifier=verifier)
