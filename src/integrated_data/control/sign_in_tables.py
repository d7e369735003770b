"""Tables of people's sign-in. No secret is kept: hashes, and one-time-code secrets sealed with a service key."""

from sqlalchemy import JSON, Boolean, Column, Integer, String, Table, Text

from integrated_data.control.metadata import METADATA

organisation = Table(
    "organisation", METADATA,
    Column("name", String(128), primary_key=True),  # as people and agreements name it
    Column("body", JSON, nullable=False),  # model.people.Organisation
    Column("at", String(32), nullable=False),
)  # fmt: skip

credential = Table(
    "credential", METADATA,
    Column("person", String(64), primary_key=True),
    Column("password", Text, nullable=True),  # argon2id
    Column("code", Text, nullable=True),  # sealed secret of one-time codes
    Column("code_step", Integer, nullable=False),  # the last step whose code was used; no code is used twice
    Column("at", String(32), nullable=False),
)  # fmt: skip

token = Table(
    "token", METADATA,
    Column("id", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("person", String(64), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("how", String(16), nullable=False),  # how its person had signed in: token, password, oidc
    Column("project", String(64), nullable=True),
    Column("actions", JSON, nullable=True),
    Column("expires", String(32), nullable=False),
    Column("last_used", String(10), nullable=True),
    Column("revoked_at", String(32), nullable=True),
    Column("at", String(32), nullable=False),
)  # fmt: skip

procedures = Table(
    "operating_procedures", METADATA,  # the newest one is in force
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("version", String(64), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

acceptance = Table(
    "procedures_acceptance", METADATA,
    Column("person", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

attempt = Table(
    "sign_in_attempt", METADATA,
    Column("subject", String(64), primary_key=True),  # keyed digest of the name that was claimed
    Column("failures", Integer, nullable=False),
    Column("locked_until", String(32), nullable=True),
    Column("known", Boolean, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip
