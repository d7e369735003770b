"""HTTP: signing in by password and one-time code or at the identity provider, and signing out. Tokens need neither.

A session is a secret that the client sends like a token. Whoever is refused is told the same.
"""

import json
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from integrated_data.control import people
from integrated_data.model.errors import SignInRefusal
from integrated_data.model.signing_in import SignedIn
from integrated_data.serving.asking import REFUSALS, AtDesk, Who
from integrated_data.site.oidc_flow import Begun
from integrated_data.site.signing_in import SignIn

#: A browser comes back to the client's own machine alone (RFC 8252 §7.3), so that no code travels elsewhere.
LOOPBACK = r"^http://(127\.0\.0\.1|\[::1\]):[0-9]{1,5}/[A-Za-z0-9_-]{0,64}$"

VERSION = Field(None, max_length=64, description="The version of the operating procedures that is accepted with it.")

router = APIRouter(prefix="/v1/session", responses=REFUSALS, tags=["signing in"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PasswordBody(_Body):
    """Who somebody says they are, and what shows it."""

    person: str = Field(max_length=64)
    password: str = Field(max_length=256)
    code: str = Field(max_length=10, description="The one-time code of the moment.")
    accepting: str | None = VERSION


class BeginBody(_Body):
    """Where the browser comes back to."""

    redirect: str = Field(pattern=LOOPBACK, max_length=200)


class FinishBody(_Body):
    """Where the browser came back to, with what the provider gave it."""

    ticket: str = Field(max_length=4000)
    came: str = Field(max_length=8000)
    accepting: str | None = VERSION


class Session(BaseModel):
    """A secret that stands for a person until a moment; sent as `Authorization: Bearer`."""

    secret: str
    person: str
    until: str


class Begin(BaseModel):
    """What the browser opens, and the ticket that is given back when it has come back."""

    address: str
    ticket: str


class Procedures(BaseModel):
    """The operating procedures in force; empty while there are none."""

    version: str
    text: str


class Tickets:
    """What a client keeps while its browser is away: sealed, so that the service need remember nobody."""

    def __init__(self) -> None:
        self._seal = Fernet(Fernet.generate_key())

    def sealed(self, begun: Begun) -> str:
        """A sign-in on its way as a ticket; counts for this process."""
        body = {**vars(begun), "until": begun.until.isoformat()}
        return self._seal.encrypt(json.dumps(body).encode()).decode()

    def opened(self, ticket: str) -> Begun:
        """The sign-in on its way; refuses what is no ticket."""
        try:
            body = json.loads(self._seal.decrypt(ticket.encode(errors="replace")))
        except InvalidToken:
            raise SignInRefusal("This sign-in is not on its way here", next_step="Begin it again") from None
        return Begun(**{**body, "until": datetime.fromisoformat(body["until"])})


def tickets_of(request: Request) -> Tickets:
    """The application's tickets."""
    tickets: Tickets = request.app.state.tickets
    return tickets


ItsTickets = Annotated[Tickets, Depends(tickets_of)]


def _opened(door: SignIn, signed_in: SignedIn) -> dict[str, Any]:
    until = signed_in.until.isoformat(timespec="seconds")
    return {"secret": door.open_session(signed_in), "person": signed_in.person, "until": until}


@router.post("", response_model=Session, status_code=HTTPStatus.CREATED)
def sign_in(body: PasswordBody, desk: AtDesk) -> dict[str, Any]:
    """Sign in by password and one-time code."""
    signed_in = desk.door.by_password(body.person, body.password, code=body.code, accepting=body.accepting)
    return _opened(desk.door, signed_in)


@router.delete("", status_code=HTTPStatus.NO_CONTENT)
def sign_out(who: Who, desk: AtDesk) -> None:
    """Sign out: the session or token counts no more, and what runs for it is stopped."""
    desk.door.end(who)


@router.post("/begin", response_model=Begin)
def begin(body: BeginBody, desk: AtDesk, *, tickets: ItsTickets) -> dict[str, Any]:
    """Begin to sign in at the identity provider."""
    begun = desk.door.begin_oidc(body.redirect)
    return {"address": begun.address, "ticket": tickets.sealed(begun)}


@router.post("/finish", response_model=Session, status_code=HTTPStatus.CREATED)
def finish(body: FinishBody, desk: AtDesk, *, tickets: ItsTickets) -> dict[str, Any]:
    """Finish signing in, once the browser came back; the provider gives a token for its code once."""
    signed_in = desk.door.finish_oidc(tickets.opened(body.ticket), body.came, accepting=body.accepting)
    return _opened(desk.door, signed_in)


@router.get("/procedures", response_model=Procedures)
def procedures(desk: AtDesk) -> dict[str, Any]:
    """The operating procedures in force, which everybody accepts before they go on."""
    with desk.site.store.read() as connection:
        found = people.procedures(connection)
    return {"version": found.version, "text": found.text} if found else {"version": "", "text": ""}
