"""A data contract: what a department promises about one dataset (Open Data Contract Standard 3.1)."""

from dataclasses import dataclass, field
from enum import StrEnum

from integrated_data.model.drift import DEFAULTS, OF_WHOLES, DriftKind, Policy
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning


class Format(StrEnum):
    """How a delivered file is written; gzip and zip may wrap any of them."""

    CSV = "csv"  # any single-character delimiter, quoted
    FIXED = "fixed"  # fixed-width columns
    JSONL = "jsonl"
    PARQUET = "parquet"
    EXCEL = "excel"
    SPSS = "spss"
    STATA = "stata"
    SAS = "sas"


#: Files of statistical packages, which name their columns themselves.
PACKAGES = (Format.SPSS, Format.STATA, Format.SAS)


@dataclass(frozen=True)
class Layout:
    """How to read the bytes of a file; `sheet`: of a workbook, `member`: of a zip, a name or a pattern of names."""

    format: Format
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    sheet: str | None = None
    widths: tuple[int, ...] = ()  # FIXED: characters of each column, in order
    member: str | None = None


@dataclass(frozen=True)
class Column:
    """One column: where it comes from, what it means, what happens to it.

    `formats` are strptime patterns for DATE and TIMESTAMP (or `excel`: days as spreadsheets count
    them), without which ISO 8601 is read; `missing` are the codes that mean "no value"; `decimal`
    is the decimal mark of a number; `confidence` is how sure the inference was (1.0 where a person
    wrote the contract).
    """

    name: str
    source: str
    kind: Kind = Kind.STRING
    meaning: Meaning = Meaning.UNKNOWN
    handling: Handling = Handling.WITHHELD
    formats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    decimal: str = "."
    required: bool = False
    unique: bool = False
    key: bool = False
    confidence: float = 1.0
    title: str = ""
    codes: tuple[tuple[str, str], ...] = ()  # code, label
    optional: bool = False  # a delivery may come without it; its values are empty then
    heading: str = ""  # as it is spelled, where the engine cannot read it under that name
    occurrence: int = 0  # which of the headings spelled so it is, from 1; 0: there is one


class Check(StrEnum):
    """What a rule asks of each row, column or table."""

    TYPE = "type"  # the value can be read as the column's kind
    REQUIRED = "required"
    UNIQUE = "unique"
    ALLOWED = "allowed"  # values
    RANGE = "range"  # low, high (either may be absent)
    PATTERN = "pattern"  # regular expression over the whole value
    CHECK_DIGIT = "check_digit"  # of the column's meaning (NHS number)
    EXPRESSION = "expression"  # a SQL expression of allowed functions over one row
    ROW_COUNT = "row_count"  # low, high of the whole table
    TABLE = "table"  # an expression of sums, counts and the like over all good rows
    REFERENCE = "reference"  # the values of `columns` are those of some row of another dataset (`dataset`, `others`)
    COVERS = "covers"  # every row of another dataset is referred to: no value of `others` lacks its row here


@dataclass(frozen=True)
class Rule:
    """One promise that can be tested. A row that breaks it goes to quarantine with `name` and `reason`; a load that
    breaks one on the whole table (ROW_COUNT, TABLE, COVERS) is held.

    `columns`: of UNIQUE over several columns, and of rules across tables, where `others` are the columns of
    `dataset` that answer to them, one by one.
    """

    name: str
    check: Check
    column: str | None = None
    values: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    pattern: str | None = None
    expression: str | None = None
    reason: str = ""
    columns: tuple[str, ...] = ()
    dataset: str = ""
    others: tuple[str, ...] = ()

    @property
    def over(self) -> tuple[str, ...]:
        """The columns that it is about: several, one, or none."""
        return self.columns or ((self.column,) if self.column else ())


@dataclass(frozen=True)
class Thresholds:
    """Share of rows in quarantine up to which a load is accepted, then held; above, rejected."""

    accept: float = 0.02
    hold: float = 0.20


@dataclass(frozen=True)
class IndexUse:
    """That records of this dataset are matched to an index.

    `columns` names the columns to use (empty: every column whose meaning the index knows).
    `one_to_one`: no two records of one delivery are the same entity.
    """

    index: str
    columns: tuple[str, ...] = ()
    one_to_one: bool = False


class Mode(StrEnum):
    """How a delivery changes the table."""

    REPLACE = "replace"  # it is the whole table
    APPEND = "append"  # its rows are added
    SNAPSHOT = "snapshot"  # it is the whole as at a day, and is kept beside those of other days
    CHANGES = "changes"  # its rows say what is inserted, updated and deleted, by key


#: The column by which snapshots of one table are told apart: the first day of the delivery's period, or its own day.
AS_AT = "as_at"


@dataclass(frozen=True)
class Changes:
    """How the rows of a delivery of changes say what they change.

    `operation`: the column; `deleted`: its values that end a record, all others insert or update it; `sequence`: the
    column by which changes of a record are ordered; without it, deliveries and rows are in order as they come.
    """

    operation: str
    deleted: tuple[str, ...] = ("D",)
    sequence: str = ""


#: What stands for an owner where a contract names none: tools write the first two, an inferred one its dataset's name.
UNNAMED = ("unnamed", "unknown")


def names_owner(owner: str, dataset: str) -> bool:
    """Whether what stands as the owner of a dataset names somebody."""
    return bool(owner.strip()) and owner not in (*UNNAMED, dataset)


@dataclass(frozen=True)
class Contract:
    """What a department promises about one dataset, and what the service does with it.

    `drift`: what becomes of deliveries that have drifted, where it is said; `follows`: the version that this one was
    evolved from by the service. `answered`: ids of the kit's questions that somebody
    answered.
    """

    dataset: str
    owner: str
    layout: Layout
    columns: tuple[Column, ...]
    title: str = ""
    version: str = "1.0.0"
    rules: tuple[Rule, ...] = ()
    indexes: tuple[IndexUse, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    mode: Mode = Mode.REPLACE
    inferred: bool = False
    changes: Changes | None = None
    drift: tuple[tuple[DriftKind, Policy], ...] = ()
    follows: str = ""
    answered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if self.mode is Mode.SNAPSHOT and AS_AT in names:
            raise ContractRefusal(
                f"The contract for dataset {self.dataset} has a column {AS_AT}, as its snapshots are told apart by",
                next_step="Give the column another name",
            )
        if len(set(names)) != len(names):
            raise ContractRefusal(
                f"The contract for dataset {self.dataset} names a column twice",
                next_step="Give every column its own name",
            )

    def column(self, name: str) -> Column:
        """The column called `name`; refuses when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractRefusal(
            f"The contract for dataset {self.dataset} has no column {name}",
            next_step="Correct the rule or add the column",
        )

    def policy(self, kind: DriftKind) -> Policy:
        """What becomes of a delivery that has drifted in this: as the contract says, else the usual."""
        part = self.mode in (Mode.APPEND, Mode.CHANGES) and kind in OF_WHOLES
        return dict(self.drift).get(kind, Policy.EVOLVE if part else DEFAULTS[kind])

    def meaning(self, *meanings: Meaning) -> tuple[Column, ...]:
        """Columns with one of these meanings, in contract order."""
        return tuple(c for c in self.columns if c.meaning in meanings)
