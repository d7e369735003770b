"""The Flight SQL door: commands and actions of Apache Arrow's FlightSql.proto over the desk.

A question runs when it is prepared or when its flight is asked for; its ticket is a signed handle,
good for one person and a short time. Sign-in: `authorization: Bearer TOKEN` on each call, or Basic with
the person's id and the token as the password, which is answered with the bearer header.
"""

import base64
import binascii
import concurrent.futures
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.flight as fl

from integrated_data.access.asked import Question
from integrated_data.approve.roles import check_asks
from integrated_data.control import projects
from integrated_data.model.errors import (
    AbsentRefusal,
    AgreementRefusal,
    BusyRefusal,
    QueryRefusal,
    Refusal,
    RoleRefusal,
    SignInRefusal,
    UsageRefusal,
)
from integrated_data.model.signing_in import SignedIn
from integrated_data.serving import wire
from integrated_data.serving.desk import Desk, Stage, Visit, table_of
from integrated_data.serving.handles import Handles
from integrated_data.serving.listings import LISTINGS, Asker, listing
from integrated_data.serving.problems import failed, note
from integrated_data.site.signing_in import SignIn

F = TypeVar("F", bound=Callable[..., Any])

LOOK_EVERY = 0.25  # seconds between looks whether somebody still waits for an answer
LONGEST = 2**20  # bytes of a command
PROJECT = "x-ids-project"
AS_AT = "x-ids-as-at"  # a day, or a release: the tables of every question of the call as they were then
CANCELLED, NOT_CANCELLABLE = 1, 3  # of CancelStatus
WAYS = ("CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "CancelQuery")

#: First match wins.
ERRORS: tuple[tuple[type[Refusal], type[Exception]], ...] = (
    (SignInRefusal, fl.FlightUnauthenticatedError),
    (RoleRefusal, fl.FlightUnauthorizedError),
    (AgreementRefusal, fl.FlightUnauthorizedError),
    (BusyRefusal, fl.FlightUnavailableError),
    (Refusal, pa.ArrowInvalid),
)


def told(refusal: Refusal) -> Exception:
    """A refusal as Flight says it; nothing but its own text."""
    return next(error for kind, error in ERRORS if isinstance(refusal, kind))(str(refusal))


def safe(method: F) -> F:
    """Let every failure of a method leave as a refusal, never with an error's own text."""

    @functools.wraps(method)
    def called(*given: Any, **named: Any) -> Any:
        try:
            return method(*given, **named)
        except Refusal as refusal:
            raise told(refusal) from None
        except wire.MalformedError:
            raise pa.ArrowInvalid("The message is not one of Flight SQL.") from None
        except (fl.FlightError, pa.ArrowInvalid):
            raise
        except Exception as error:
            note(error, door="flight")
            raise fl.FlightInternalError(failed(error)) from None

    return called  # type: ignore[return-value]


class Guest(fl.ServerMiddleware):  # type: ignore[misc]
    """Who makes a call, by its headers too. `bearer`: the token to answer a Basic sign-in with."""

    def __init__(self, who: SignedIn, given: Mapping[str, str], *, bearer: str | None) -> None:
        self.who, self.project, self._bearer = who, given.get(PROJECT), bearer
        self.as_at = given.get(AS_AT, "")

    def sending_headers(self) -> dict[str, str]:
        """Headers of the answer."""
        return {} if self._bearer is None else {"authorization": f"Bearer {self._bearer}"}


class Porter(fl.ServerMiddlewareFactory):  # type: ignore[misc]
    """Stands before every call and lets in only who signed in."""

    def __init__(self, door: SignIn) -> None:
        self._door = door

    @safe
    def start_call(self, info: Any, headers: dict[str, list[Any]]) -> Guest:
        """Who calls; refuses a call without a token that counts."""
        given = {str(k).lower(): v[0] for k, v in headers.items() if v and isinstance(v[0], str)}
        way, _, secret = given.get("authorization", "").partition(" ")
        if way.lower() == "bearer":
            return Guest(self._door.by_bearer(secret.strip()), given, bearer=None)
        if way.lower() != "basic" or info.method != fl.FlightMethod.HANDSHAKE:
            raise SignInRefusal("Sign in", next_step="Give a personal token, as a bearer or as the password")
        who, bearer = self._shown(*_pair(secret))
        return Guest(who, given, bearer=bearer)

    def _shown(self, person: str, secret: str) -> tuple[SignedIn, str]:
        """Who gives this name and secret, and what they send from then on; a password is followed by its code."""
        password, _, code = secret.rpartition(" ")
        if password:
            who = self._door.by_password(person, password, code=code)
            return who, self._door.open_session(who)
        who = self._door.by_bearer(secret)
        if who.person != person:
            raise SignInRefusal("Sign in", next_step="Give your own id as the name, and a token of yours")
        return who, secret


def _pair(secret: str) -> tuple[str, str]:
    padded = secret.rstrip("=") + "=" * (-len(secret.rstrip("=")) % 4)  # Go's clients leave the padding out
    try:
        person, _, token = base64.b64decode(padded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return person, token


class _Handshake(fl.ServerAuthHandler):  # type: ignore[misc]
    """Lets the handshake itself pass: the porter has looked at its headers."""

    def authenticate(self, _outgoing: Any, _incoming: Any) -> None:
        pass

    def is_valid(self, _token: bytes) -> bytes:
        return b""


class FlightDoor(fl.FlightServerBase):  # type: ignore[misc]
    """The server; it serves from when it is made. `tls`: PEM of certificate and key, None for plain text in tests."""

    def __init__(self, desk: Desk, address: tuple[str, int], *, tls: tuple[bytes, bytes] | None) -> None:
        self._desk, self._handles = desk, Handles(desk.holding.seconds)
        scheme = "grpc+tcp" if tls is None else "grpc+tls"
        super().__init__(
            f"{scheme}://{address[0]}:{address[1]}", auth_handler=_Handshake(),
            middleware={"porter": Porter(desk.door)}, tls_certificates=None if tls is None else [tls],
        )  # fmt: skip

    @safe
    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """Run a question, or a command about the service; where its rows are."""
        command = _command(descriptor.command)
        if command.kind in LISTINGS:
            return _info(self._listed(command, context), descriptor, ticket=descriptor.command)
        visit = self._asked(command, context)
        table = table_of(visit)
        handle = self._handles.make("ticket", visit.query, person=visit.who.person)
        return _info(table, descriptor, ticket=wire.pack("TicketStatementQuery", {1: handle}))

    @safe
    def get_schema(self, context: Any, descriptor: Any) -> Any:
        """Columns of a question's answer, or of a command about the service."""
        command = _command(descriptor.command)
        if command.kind in LISTINGS:
            return fl.SchemaResult(self._listed(command, context).schema)
        return fl.SchemaResult(table_of(self._asked(command, context)).schema)

    @safe
    def do_get(self, context: Any, ticket: Any) -> Any:
        """Rows of an answered question, mapped where they lie, or what a command about the service gives."""
        command = _command(ticket.ticket)
        if command.kind in LISTINGS:
            return fl.RecordBatchStream(self._listed(command, context))
        if command.kind != "TicketStatementQuery":
            raise UsageRefusal("This is no ticket of a question's rows", next_step="Ask for the flight first")
        visit = self._opened(command, context, use="ticket")
        return fl.RecordBatchStream(self._desk.table(visit))

    @safe
    def do_action(self, context: Any, action: Any) -> Iterator[Any]:
        """Prepare a question, let go of it, or stop it."""
        body = action.body.to_pybytes()
        if len(body) > LONGEST:
            raise wire.MalformedError
        match action.type:
            case "CreatePreparedStatement":
                asked = wire.Command("CommandStatementQuery", wire.unpack(body).fields)
                visit = self._asked(asked, context)
                handle = self._handles.make("prepared", visit.query, person=visit.who.person)
                schema = bytes(table_of(visit).schema.serialize())
                made = wire.pack("ActionCreatePreparedStatementResult", {1: handle, 2: schema})
                return iter([fl.Result(made)])
            case "ClosePreparedStatement":
                self._desk.cancel(self._opened(wire.unpack(body), context, use="prepared"))
                return iter([])
            case "CancelFlightInfo":
                return iter([fl.Result(wire.write({1: self._cancel(wire.raw(wire.read(body), 1), context)}))])
            case "CancelQuery":
                status = self._cancel(wire.raw(wire.unpack(body).fields, 1), context)
                return iter([fl.Result(wire.pack("ActionCancelQueryResult", {1: status}))])
        raise UsageRefusal("There is no such action", next_step=f"Actions: {', '.join(WAYS)}")

    @safe
    def list_actions(self, _context: Any) -> list[tuple[str, str]]:
        """What can be done beside asking."""
        return [(way, "See FlightSql.proto of Apache Arrow") for way in WAYS]

    @safe
    def do_put(self, *_given: Any) -> None:
        """Refuses: nothing is written here, and questions take no parameters."""
        raise QueryRefusal("Only SELECT statements may run", next_step="Write the values into the SELECT itself")

    @safe
    def do_exchange(self, *_given: Any) -> None:
        """Refuses."""
        raise UsageRefusal("There is no exchange here", next_step="Ask with a SELECT")

    @safe
    def list_flights(self, _context: Any, _criteria: bytes) -> Iterator[Any]:
        """Nothing: what others asked is nobody's to see."""
        return iter([])

    def _asked(self, command: wire.Command, context: Any) -> Visit:
        """A question that was answered: a new one, or one that was prepared and not run again yet."""
        guest = _guest(context)
        if command.kind == "CommandStatementQuery":
            sql = wire.text(command.fields, 1) or ""
        elif command.kind == "CommandPreparedStatementQuery":
            visit = self._opened(command, context, use="prepared")
            if not visit.taken:
                visit.taken = True
                return visit
            sql = visit.question.sql
        else:
            raise UsageRefusal("There is no such command", next_step="Ask with one SELECT")
        question = Question(guest.who.person, self._project(guest), sql, as_at=guest.as_at)
        visit = self._desk.ask(question, guest.who)
        self._wait(visit, context)
        table_of(visit)
        return visit

    def _wait(self, visit: Visit, context: Any) -> None:
        """Wait for an answer, as long as somebody waits for it."""
        while True:
            done, _ = concurrent.futures.wait([visit.ended], timeout=LOOK_EVERY)
            if done:
                return
            if context.is_cancelled():
                self._desk.cancel(visit)
                raise fl.FlightCancelledError("The query was cancelled.")

    def _opened(self, command: wire.Command, context: Any, *, use: str) -> Visit:
        """The question of the handle in a command's first field, for who was given it, in the project that asked."""
        guest = _guest(context)
        handle = (wire.raw(command.fields, 1) or b"").decode(errors="replace")
        query, _ = self._handles.open(use, handle, person=guest.who.person)
        visit = self._desk.find(query, guest.who, project=self._project(guest))
        if visit is None:
            raise AbsentRefusal("There is no such query here", next_step="Ask again; results are held for a while")
        return visit

    def _cancel(self, info: bytes | None, context: Any) -> int:
        """Stop the question of a flight."""
        endpoint = wire.read(wire.raw(wire.read(info or b""), 3) or b"")
        ticket = wire.raw(wire.read(wire.raw(endpoint, 1) or b""), 1) or b""
        command = wire.unpack(ticket)
        if command.kind != "TicketStatementQuery":
            return NOT_CANCELLABLE
        visit = self._opened(command, context, use="ticket")
        stage = visit.stage
        self._desk.cancel(visit)
        return NOT_CANCELLABLE if stage is Stage.DONE else CANCELLED

    def _listed(self, command: wire.Command, context: Any) -> pa.Table:
        guest = _guest(context)
        project = self._project(guest)
        check_asks(guest.who, project)
        return listing(command, Asker(self._desk, guest.who.person, project))

    def _project(self, guest: Guest) -> str:
        """The project that a call is about: named, or the only one it can be."""
        if guest.project or guest.who.project:
            return guest.project or guest.who.project or ""
        with self._desk.site.store.read() as connection:
            mine = [p.id for p in projects.projects(connection) if guest.who.person in p.team]
        if len(mine) != 1:
            raise UsageRefusal("Which project asks is not said", next_step=f"Send the header {PROJECT}")
        return mine[0]


def _guest(context: Any) -> Guest:
    guest: Guest = context.get_middleware("porter")
    return guest


def _command(data: bytes) -> wire.Command:
    if not data or len(data) > LONGEST:
        raise wire.MalformedError
    return wire.unpack(data)


def _info(table: pa.Table, descriptor: Any, *, ticket: bytes) -> Any:
    """Where a table is: one endpoint, this server."""
    return fl.FlightInfo(table.schema, descriptor, [fl.FlightEndpoint(ticket, [])], table.num_rows, table.nbytes)
