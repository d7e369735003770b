"""A table of a database as a source: how it is written down, what its columns are, and how each is read.

Every value comes as PostgreSQL writes it as text, in one way whatever the server's settings are (ISO dates, UTC, all
digits), for the service reads text; what a column is goes with it as a label. Types that a column of the service does
not hold are named in its title:

    numeric(38), of more digits than 18   text, for a number of 64 bits does not hold it
    timestamp with time zone              the moment in UTC
    arrays, ranges, composites, JSON      text as PostgreSQL writes it
    enumerations                          text, with their values as the column's codes
    bytea                                 text, hexadecimal
    infinity, NaN                         text, which is no date or number: quarantined or noted
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit

from integrated_data.acquire.labels import Label
from integrated_data.model.errors import DeliveryRefusal, UsageRefusal
from integrated_data.model.meanings import Kind
from integrated_data.vocabulary.sql import name

SCHEMES = ("postgresql://", "postgres://")
#: How a connection may be secured; where the server is not this machine, its certificate is checked.
SECURED = ("require", "verify-ca", "verify-full")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Digits that a number of 64 bits always holds, and that one of floating point does.
WHOLE, EXACT = 18, 15

_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?")
_INTEGERS = ("smallint", "integer", "bigint")
_KINDS = {
    **dict.fromkeys(_INTEGERS, Kind.INTEGER), "real": Kind.NUMBER, "double precision": Kind.NUMBER,
    "money": Kind.NUMBER, "boolean": Kind.BOOLEAN, "date": Kind.DATE,
}  # fmt: skip
_TRAPS = {
    "A": "an array of the database, as text", "R": "a range of the database, as text",
    "C": "a composite of the database, as text", "G": "a shape of the database, as text",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    """Where a table is. It holds no password: that is in the environment, in a password file, or a feed's secret."""

    host: str
    port: int
    user: str
    database: str
    schema: str
    table: str
    sslmode: str = ""
    sslrootcert: str = ""

    @property
    def shown(self) -> str:
        """The table as people call it."""
        return f"{self.schema}.{self.table}"

    @property
    def local(self) -> bool:
        """Whether it is this machine for certain: a loopback address, or the folder of a socket."""
        return self.host in LOOPBACK or self.host.startswith("/")

    def uri(self, password: str = "") -> str:
        """What the driver is asked with; it holds the password where there is one, and is never shown."""
        user = quote(self.user, safe="") + (f":{quote(password, safe='')}" if password else "")
        numbers = ":" in self.host and not self.host.startswith("/")
        host = f"[{self.host}]" if numbers else quote(self.host, safe="")
        told = {
            "sslmode": self.sslmode, "sslrootcert": self.sslrootcert, "connect_timeout": "20",
            "tcp_user_timeout": "60000", "application_name": "ids", "options": _SESSION,
        }  # fmt: skip
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in told.items() if value)
        query += "&hostaddr=" if self.local else ""  # or PGHOSTADDR would lead elsewhere, whatever the host is
        return f"postgresql://{user}{'@' if user else ''}{host}:{self.port}/{quote(self.database, safe='')}?{query}"


#: One way of writing values, one order of rows as far as a server keeps one, and nothing that changes anything.
_SESSION = (
    "-c default_transaction_read_only=on -c DateStyle=ISO -c IntervalStyle=iso_8601 -c TimeZone=UTC "
    "-c extra_float_digits=1 -c bytea_output=hex -c synchronize_seqscans=off -c client_encoding=UTF8 "
    "-c row_security=off"
)


def is_table(text: str) -> bool:
    """Whether an argument names a table of a database and not a file."""
    return text.startswith(SCHEMES)


def address_of(text: str) -> Address:
    """A table's address from `postgresql://user@host:port/database/schema.table`; refuses a password in it."""
    try:
        parts = urlsplit(text)
        host, port = unquote(parts.hostname or ""), parts.port or 5432
    except ValueError:
        raise _wrong("Its host or port is none") from None
    if parts.password is not None:
        raise UsageRefusal(
            "The address of the database holds a password",
            why="What is written on a command line is seen by others, and kept",
            next_step="Take it out, change it, and give it in PGPASSWORD or ~/.pgpass",
        )
    database, _, table = unquote(parts.path).strip("/").partition("/")
    if not database or not table or "/" in table:
        raise _wrong("It names no database and table")
    schema, _, table = table.rpartition(".")
    options = parse_qs(parts.query)
    if not set(options) <= {"sslmode", "sslrootcert"} or parts.fragment:
        raise _wrong("It may say sslmode and sslrootcert, and nothing else")
    told = {key: values[-1] for key, values in options.items()}
    return checked(Address(host, port, unquote(parts.username or ""), database, schema or "public", table, **told))


def checked(address: Address) -> Address:
    """An address that asks another machine with encryption alone, and checks who answers unless it says otherwise.

    Without a host, libpq asks whatever PGHOST, PGHOSTADDR or a service names, else a socket, on which it passes over
    TLS: so the same is asked of it, and holds wherever that leads.
    """
    if address.local:
        return address
    mode = address.sslmode or "verify-full"
    if mode not in SECURED:
        raise _wrong("It would be asked without encryption")
    return Address(**{**vars(address), "sslmode": mode})


def _wrong(why: str) -> UsageRefusal:
    return UsageRefusal(
        "The address of the database cannot be used",
        why=why,
        next_step="Write postgresql://user@host:5432/database/schema.table?sslmode=verify-full",
    )


@dataclass(frozen=True)
class Attribute:
    """A column of a table as its database has it: `category` as in pg_type; `values`: of an enumeration."""

    name: str
    type: str
    category: str
    comment: str = ""
    values: Sequence[str] = field(default=())

    @property
    def sql(self) -> str:
        """PostgreSQL's expression of its values as text."""
        column = name(self.name)
        if self.type.startswith("timestamp") and self.type.endswith("with time zone"):
            return f"({column} AT TIME ZONE 'UTC')::text"
        return f"{column}::numeric::text" if self.type == "money" else f"{column}::text"

    @property
    def label(self) -> Label:
        """What it says of itself: its comment, what is to be known of its type, its kind, the values that it lists."""
        kind, trap = self._read()
        title = "; ".join(t for t in (self.comment.strip(), trap) if t)
        return Label(title, tuple((v, v) for v in self.values), bool(self.values), kind)

    def _read(self) -> tuple[Kind | None, str]:
        """Its kind, where the service has one, and what is to be known of how it is read."""
        numeric = _NUMERIC.fullmatch(self.type)
        if numeric is not None:
            digits, scale = int(numeric[1] or 0), int(numeric[2] or 0)
            if digits > WHOLE and scale <= 0:
                return Kind.STRING, f"a number of up to {digits} digits, as text"
            long = digits > EXACT and f"a number of up to {digits} digits, of which {EXACT} are kept"
            return (Kind.INTEGER if digits and scale <= 0 else Kind.NUMBER), long or ""
        if self.type.startswith("timestamp"):
            zoned = self.type.endswith("with time zone")
            return Kind.TIMESTAMP, "moments in UTC" if zoned else ""
        if self.type in ("json", "jsonb", "xml", "bytea"):
            return Kind.STRING, f"{self.type} of the database, as text"
        return _KINDS.get(self.type), _TRAPS.get(self.category, "")


def check_columns(found: Sequence[Attribute]) -> None:
    """Refuse columns that the service could not tell apart."""
    if len({a.name.lower() for a in found}) < len(found):
        raise DeliveryRefusal(
            "The table has two columns whose names differ in their case alone",
            next_step="Give a view of it with other names",
        )
