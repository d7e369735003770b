"""Tables by which the catalogue is searched: made anew from releases and agreements, never a source of anything."""

from sqlalchemy import DDL, JSON, BigInteger, Column, Integer, LargeBinary, String, Table, Text, event
from sqlalchemy.schema import ExecutableDDLElement

from integrated_data.control.metadata import METADATA

catalogue_item = Table(
    "catalogue_item", METADATA,  # the current release of a dataset; replaced under its number, never changed
    Column("id", Integer, primary_key=True),  # the dataset's number here: few, so that facets are short
    Column("release", Integer, nullable=False),
    Column("dataset", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),  # how many variables
    Column("indexes", JSON, nullable=False),
    Column("first", String(10), nullable=True),  # days that its dated variables span
    Column("last", String(10), nullable=True),
    Column("variables", Text, nullable=False),  # their names, titles and meanings, as one text
)  # fmt: skip

catalogue_facet = Table(
    "catalogue_facet", METADATA,
    Column("facet", String(16), primary_key=True),
    Column("value", String(256), primary_key=True),
    Column("starts", String(10), primary_key=True),  # days on which it holds: an agreement's, else all days
    Column("ends", String(10), primary_key=True),
    Column("items", LargeBinary, nullable=False),  # a bit for each item that has it, by its number, lowest first
)  # fmt: skip

#: The words of items where the store is SQLite: an index over `catalogue_item`, which triggers keep (FTS5).
_COLUMNS = "dataset, title, owner, variables"
FULL_TEXT = (
    f"CREATE VIRTUAL TABLE catalogue_words USING fts5({_COLUMNS}, content='catalogue_item', content_rowid='id', "
    "tokenize='porter unicode61 remove_diacritics 2', prefix='2 3 4')",
    "CREATE TRIGGER catalogue_words_in AFTER INSERT ON catalogue_item BEGIN "
    f"INSERT INTO catalogue_words(rowid, {_COLUMNS}) "
    "VALUES (new.id, new.dataset, new.title, new.owner, new.variables); END",
    "CREATE TRIGGER catalogue_words_out AFTER DELETE ON catalogue_item BEGIN "
    f"INSERT INTO catalogue_words(catalogue_words, rowid, {_COLUMNS}) "
    "VALUES ('delete', old.id, old.dataset, old.title, old.owner, old.variables); END",
)


def _sqlite(statement: str) -> ExecutableDDLElement:
    made: ExecutableDDLElement = DDL(statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    return made


for _statement in FULL_TEXT:
    event.listen(catalogue_item, "after_create", _sqlite(_statement))
