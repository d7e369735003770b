"""Tables of feeds: their definitions, the files that came, what people should know."""

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, String, Table, Text, UniqueConstraint

from integrated_data.control.metadata import METADATA

feed = Table(
    "feed", METADATA,
    Column("id", String(64), primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False),  # active, paused
    Column("body", JSON, nullable=False),  # model.feed.FeedDefinition
    Column("failures", Integer, nullable=False),  # times in a row that its store did not answer
    Column("next_look", Float, nullable=False),  # seconds since the epoch
    Column("at", String(32), nullable=False),
)  # fmt: skip

feed_file = Table(
    "feed_file", METADATA,  # what came: a file that changes is another one
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("feed", String(64), nullable=False, index=True),
    Column("mark", String(64), nullable=False),  # digest of its name, size and moment: names may hold personal values
    Column("shown", String(256), nullable=False),  # its name with what varies freely left out
    Column("period", String(16), nullable=False),
    Column("number", BigInteger, nullable=True),
    Column("state", String(16), nullable=False),  # model.feed.FileState
    Column("attempts", Integer, nullable=False),
    Column("next_try", Float, nullable=False),  # seconds since the epoch
    Column("delivery", String(32), nullable=True, index=True),
    Column("reason", Text, nullable=False),
    Column("measures", JSON, nullable=True),  # of its good rows: see validate.measures
    Column("found_at", String(32), nullable=False),
    Column("at", String(32), nullable=False),
    UniqueConstraint("feed", "mark"),
)  # fmt: skip

feed_alert = Table(
    "feed_alert", METADATA,  # open while nobody and nothing closed it
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("feed", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # model.feed.AlertKind
    Column("period", String(16), nullable=False),
    Column("about", String(256), nullable=False),
    Column("told", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("closed_at", String(32), nullable=True),
)  # fmt: skip
