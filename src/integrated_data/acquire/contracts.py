"""Contracts as files: Open Data Contract Standard 3.1 (YAML), read strictly and written whole.

What the standard has a place for is there (columns, types, keys, quality checks, owner); the rest
stands in its custom properties: of a column `meaning`, `handling`, `formats`, `missing`, `decimal`,
`confidence`, `codes` and `optional`; of the contract `layout`, `thresholds`, `indexes`, `mode`, `changes`,
`drift`, `follows`, `inferred` and `ruleOrder`. Nothing but names is required of a contract written by hand.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from integrated_data.acquire import quality
from integrated_data.acquire.binding import resolved, spelled_of
from integrated_data.acquire.fields import Fields, wrong
from integrated_data.model.contract import (
    Changes,
    Column,
    Contract,
    Format,
    IndexUse,
    Layout,
    Mode,
    Rule,
    Thresholds,
)
from integrated_data.model.drift import DriftKind, Policy
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import PRESENCE, Handling, Kind, Meaning, handling_of
from integrated_data.vocabulary.nested import TooDeepError, load_yaml

API_VERSION = "v3.1.0"
VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0")
DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: Folders of the lake beside those of its tables.
RESERVED = ("files", "locks")

#: The type a meaning has where the contract names none.
KINDS: dict[Meaning, Kind] = {
    Meaning.DATE_OF_BIRTH: Kind.DATE, Meaning.EVENT_DATE: Kind.DATE, Meaning.MONTH: Kind.DATE,
    Meaning.EFFECTIVE_FROM: Kind.DATE, Meaning.EFFECTIVE_TO: Kind.DATE, **dict.fromkeys(PRESENCE, Kind.DATE),
    Meaning.BIRTH_DAY: Kind.INTEGER, Meaning.BIRTH_MONTH: Kind.INTEGER, Meaning.BIRTH_YEAR: Kind.INTEGER,
    Meaning.YEAR: Kind.INTEGER, Meaning.COUNT: Kind.INTEGER, Meaning.MONEY: Kind.NUMBER,
    Meaning.MEASURE: Kind.NUMBER, Meaning.SURVEY_WEIGHT: Kind.NUMBER, Meaning.LATITUDE: Kind.NUMBER,
    Meaning.LONGITUDE: Kind.NUMBER,
}  # fmt: skip

_TOP = (
    "version", "kind", "apiVersion", "id", "name", "tenant", "tags", "status", "servers", "dataProduct",
    "description", "domain", "schema", "support", "price", "team", "roles", "slaDefaultElement",
    "slaProperties", "authoritativeDefinitions", "customProperties", "contractCreatedTs",
)  # fmt: skip
_OBJECT = (
    "name", "physicalName", "physicalType", "logicalType", "description", "businessName", "tags",
    "authoritativeDefinitions", "customProperties", "dataGranularityDescription", "properties", "quality",
    "relationships", "id",
)  # fmt: skip
_PROPERTY = (
    *_OBJECT, "primaryKey", "primaryKeyPosition", "required", "unique", "classification", "examples",
    "logicalTypeOptions", "encryptedName", "criticalDataElement", "partitioned", "partitionKeyPosition",
    "transformLogic", "transformDescription", "transformSourceObjects",
)  # fmt: skip
_OF_CONTRACT = (
    "layout",
    "thresholds",
    "indexes",
    "mode",
    "changes",
    "drift",
    "follows",
    "inferred",
    "ruleOrder",
    "answered",
)
_OF_COLUMN = ("meaning", "handling", "formats", "missing", "decimal", "confidence", "codes", "optional", "occurrence")


#: libyaml where it is there: a twentieth of the time, which is half of what a small table costs.
_LOADER, _DUMPER = getattr(yaml, "CBaseLoader", yaml.BaseLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read(place: Path) -> Contract:
    """The contract in a file; refuses one that is not there or not readable."""
    try:
        return parse(place.read_text("utf-8"))
    except FileNotFoundError:
        raise ContractRefusal("There is no contract file of that name", next_step="Check its path") from None
    except (UnicodeDecodeError, IsADirectoryError, PermissionError):
        raise ContractRefusal("The contract file cannot be read", next_step="Give a YAML text file") from None


def write(contract: Contract, place: Path) -> None:
    """Write a contract to a file."""
    place.write_text(dump(contract), "utf-8")


@lru_cache(maxsize=256)  # the same text is read again and again: at every stage, for every file of a table
def parse(text: str) -> Contract:
    """The contract a YAML document describes.

    Scalars are read as text first, so that `NO`, `-9` and `1.10` stay what was written. Raises
    ContractRefusal that names the field that is wrong.
    """
    try:
        document = load_yaml(text, loader=_LOADER)
    except TooDeepError:
        raise ContractRefusal(
            "The contract is nested deeper, or is longer, than any contract",
            why="It would cost more to read than a table",
            next_step="Write it again as YAML of a contract",
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ContractRefusal(
            f"The contract is not valid YAML{where}", next_step="Check indentation, dashes and quotation marks"
        ) from None
    top = Fields.of("the document", document)
    top = Fields("", top.values)
    top.known(_TOP)
    _check_version(top)
    if len(top.list("schema")) != 1:
        raise wrong("schema", "A contract describes exactly one table", next_step="Write one entry under schema")
    table = top.list("schema")[0]
    table.known(_OBJECT)
    return _contract(top, table)


def _check_version(top: Fields) -> None:
    if top.text("kind", "DataContract") != "DataContract":
        raise wrong("kind", "It must be DataContract", next_step="Write kind: DataContract")
    if top.text("apiVersion", API_VERSION) not in VERSIONS:
        raise wrong("apiVersion", "The service reads version 3 of the standard", next_step=f"Write {API_VERSION}")


def _contract(top: Fields, table: Fields) -> Contract:
    dataset = top.text("id")
    if not DATASET.fullmatch(dataset):
        rule = "It names the table: small letters, digits and underscores, a letter first, at most 63"
        raise wrong("id", rule, next_step="Write for example id: pay_records")
    if dataset in RESERVED:
        raise wrong("id", "The lake has folders of that name", next_step="Choose another name for the table")
    columns = resolved([_column(p) for p in table.list("properties")])
    _check_names(columns)
    custom = top.custom(_OF_CONTRACT)
    limits = Fields.of(custom.path("thresholds"), custom.values.get("thresholds", {}))
    limits.known(("accept", "hold"))
    thresholds = Thresholds(limits.share("accept", Thresholds.accept), limits.share("hold", Thresholds.hold))
    if thresholds.accept > thresholds.hold:
        raise wrong(limits.at, "accept must not be above hold", next_step="Write accept: 0.02 and hold: 0.20")
    team = Fields.of("team", top.values.get("team", {}))
    return Contract(
        dataset=dataset, owner=team.text("name", "") or "unnamed", layout=_layout(custom), columns=columns,
        title=top.text("name", ""), version=top.text("version", "1.0.0"), rules=_rules(table, columns, custom=custom),
        indexes=_indexes(custom, columns), thresholds=thresholds,
        mode=custom.choice("mode", Mode, default=Mode.REPLACE),
        inferred=custom.flag("inferred"), changes=_changes(custom, columns), drift=_drift(custom),
        follows=custom.text("follows", ""), answered=custom.texts("answered"),
    )  # fmt: skip


def _drift(custom: Fields) -> tuple[tuple[DriftKind, Policy], ...]:
    """What becomes of deliveries that have drifted, where the contract says it; in the order of the kinds."""
    given = Fields.of(custom.path("drift"), custom.values.get("drift", {}))
    given.known(kind.value for kind in DriftKind)
    return tuple((kind, given.choice(kind.value, Policy)) for kind in DriftKind if kind.value in given.values)


def _changes(custom: Fields, columns: Sequence[Column]) -> Changes | None:
    """How changes are told, which a contract with mode: changes must say."""
    if custom.choice("mode", Mode, default=Mode.REPLACE) is not Mode.CHANGES:
        return None
    given = Fields.of(custom.path("changes"), custom.values.get("changes"))
    given.known(("operation", "deleted", "sequence"))
    found = Changes(given.text("operation"), given.texts("deleted") or Changes("").deleted, given.text("sequence", ""))
    names = {c.name for c in columns}
    for key, column in (("operation", found.operation), ("sequence", found.sequence)):
        if column and column not in names:
            raise wrong(given.path(key), "It names a column that the table lacks", next_step="Use a name of a property")
    if not any(c.key for c in columns):
        raise wrong(given.at, "Changes are about records by their key", next_step="Mark it with primaryKey: true")
    return found


def _column(field: Fields) -> Column:
    field.known(_PROPERTY)
    name = field.text("name")
    if name.startswith("_"):
        raise wrong(
            field.path("name"), "Names that begin with _ are the service's own", next_step="Choose another name"
        )
    custom = field.custom(_OF_COLUMN)
    meaning = custom.choice("meaning", Meaning, default=Meaning.UNKNOWN)
    decimal = custom.text("decimal", ".")
    if decimal not in (".", ","):
        raise wrong(custom.path("decimal"), "The decimal mark is a point or a comma", next_step='Write decimal: ","')
    return Column(
        name=name, source=field.text("physicalName", name),
        kind=field.choice("logicalType", Kind, default=KINDS.get(meaning, Kind.STRING)), meaning=meaning,
        handling=custom.choice("handling", Handling, default=handling_of(meaning)), formats=custom.texts("formats"),
        missing=custom.texts("missing"), decimal=decimal, required=field.flag("required"),
        unique=field.flag("unique"), key=field.flag("primaryKey"), confidence=custom.share("confidence", 1.0),
        title=field.text("description", ""), codes=_codes(custom), optional=custom.flag("optional"),
        occurrence=_occurrence(custom),
    )  # fmt: skip


def _occurrence(custom: Fields) -> int:
    """Which of the headings spelled alike a column is, from 1; 0 where nothing is said."""
    value = custom.text("occurrence", "0")
    if not value.isdecimal() or ("occurrence" in custom.values and int(value) < 1):
        raise wrong(custom.path("occurrence"), "It is a whole number from 1", next_step="Write occurrence: 2")
    return int(value)


def _codes(custom: Fields) -> tuple[tuple[str, str], ...]:
    pairs = custom.list("codes")
    return tuple((p.text("code", ""), p.text("label", "")) for p in pairs)


def _check_names(columns: Sequence[Column]) -> None:
    if not columns:
        raise wrong("schema[0].properties", "A table has at least one column", next_step="Name the columns")
    seen: set[str] = set()
    for i, column in enumerate(columns):
        if column.name.lower() in seen:
            raise wrong(
                f"schema[0].properties[{i}].name", "The name stands there twice", next_step="Name columns apart"
            )
        seen.add(column.name.lower())


def _layout(custom: Fields) -> Layout:
    given = Fields.of(custom.path("layout"), custom.values.get("layout", {}))
    given.known(("format", "delimiter", "quote", "encoding", "header", "sheet", "widths", "member"))
    widths = given.texts("widths")
    if not all(w.isdigit() and int(w) > 0 for w in widths):
        raise wrong(
            given.path("widths"), "Widths are whole numbers of characters", next_step="Write widths: [8, 20, 3]"
        )
    delimiter = given.text("delimiter", ",")
    if len(delimiter) != 1:
        raise wrong(given.path("delimiter"), "It must be one character", next_step='Write delimiter: "|" or "\\t"')
    return Layout(
        given.choice("format", Format, default=Format.CSV), delimiter, given.text("quote", '"'),
        given.text("encoding", "utf-8"), "header" not in given.values or given.flag("header"),
        given.text("sheet") if "sheet" in given.values else None, tuple(int(w) for w in widths),
        given.text("member") if "member" in given.values else None,
    )  # fmt: skip


def _indexes(custom: Fields, columns: Sequence[Column]) -> tuple[IndexUse, ...]:
    names = {c.name for c in columns}
    uses = []
    for entry in custom.list("indexes"):
        entry.known(("index", "columns", "oneToOne"))
        used = entry.texts("columns")
        if not set(used) <= names:
            raise wrong(
                entry.path("columns"), "It names a column that the table lacks", next_step="Use names under properties"
            )
        uses.append(IndexUse(entry.text("index"), used, entry.flag("oneToOne")))
    return tuple(uses)


def _rules(table: Fields, columns: Sequence[Column], *, custom: Fields) -> tuple[Rule, ...]:
    checks = [
        quality.read(check, column.name)
        for column, field in zip(columns, table.list("properties"), strict=True)
        for check in field.list("quality")
    ]
    checks += [quality.read(check, None) for check in table.list("quality")]
    rules = {rule.name: rule for rule in checks if rule is not None}
    if len(rules) != sum(rule is not None for rule in checks):
        raise wrong("quality", "Two checks share a name", next_step="Name every check apart")
    order = custom.texts("ruleOrder")
    if order and set(order) != set(rules):
        raise wrong(custom.path("ruleOrder"), "It must name every check once", next_step="Leave it out")
    return tuple(rules[name] for name in order) if order else tuple(rules.values())


def dump(contract: Contract) -> str:
    """A contract as YAML that conforms to the standard; `parse` gives the same contract back."""
    names = [rule.name for rule in contract.rules]
    if len(set(names)) != len(names):
        raise wrong("quality", "Two checks share a name", next_step="Name every check apart")
    table: dict[str, Any] = {
        "name": contract.dataset, "logicalType": "object", "physicalType": "file",
        "properties": [_property(contract, column) for column in contract.columns],
    }  # fmt: skip
    loose = [quality.written(rule) for rule in contract.rules if rule.column is None]
    if loose:
        table["quality"] = loose
    document = {
        "apiVersion": API_VERSION, "kind": "DataContract", "id": contract.dataset,
        **({"name": contract.title} if contract.title else {}), "version": contract.version,
        "status": "draft" if contract.inferred else "active", "team": {"name": contract.owner},
        "schema": [table], "customProperties": _contract_properties(contract),
    }  # fmt: skip
    return str(yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=110))


def _pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]


def _property(contract: Contract, column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {"name": column.name}
    if spelled_of(column) != column.name:
        written["physicalName"] = spelled_of(column)
    written["logicalType"] = column.kind.value
    if column.title:
        written["description"] = column.title
    keys = {"primaryKey": column.key, "required": column.required, "unique": column.unique}
    written |= {name: True for name, on in keys.items() if on}
    if column.key:
        written["primaryKeyPosition"] = 1 + [c.name for c in contract.columns if c.key].index(column.name)
    custom: dict[str, Any] = {"meaning": column.meaning.value, "handling": column.handling.value}
    custom |= {k: list(v) for k, v in (("formats", column.formats), ("missing", column.missing)) if v}
    if column.decimal != ".":
        custom["decimal"] = column.decimal
    if column.confidence != 1.0:
        custom["confidence"] = column.confidence
    if column.codes:
        custom["codes"] = [{"code": code, "label": label} for code, label in column.codes]
    if column.optional:
        custom["optional"] = True
    if column.occurrence:
        custom["occurrence"] = column.occurrence
    checks = [quality.written(rule) for rule in contract.rules if rule.column == column.name]
    return written | ({"quality": checks} if checks else {}) | {"customProperties": _pairs(custom)}


def _contract_properties(contract: Contract) -> list[dict[str, Any]]:
    layout = {k: v for k, v in asdict(contract.layout).items() if v not in (None, ())}
    values: dict[str, Any] = {
        "layout": layout | {"format": contract.layout.format.value}, "thresholds": asdict(contract.thresholds),
        "mode": contract.mode.value,
    }  # fmt: skip
    if contract.layout.widths:
        layout = values["layout"]
        layout["widths"] = list(contract.layout.widths)
    if contract.indexes:
        values["indexes"] = [
            {"index": use.index, **({"columns": list(use.columns)} if use.columns else {}), "oneToOne": use.one_to_one}
            for use in contract.indexes
        ]
    if contract.changes is not None:
        told = contract.changes
        values["changes"] = {"operation": told.operation, "deleted": list(told.deleted)}
        values["changes"] |= {"sequence": told.sequence} if told.sequence else {}
    if contract.drift:
        values["drift"] = {kind.value: policy.value for kind, policy in contract.drift}
    if contract.follows:
        values["follows"] = contract.follows
    if contract.inferred:
        values["inferred"] = True
    if contract.answered:
        values["answered"] = list(contract.answered)
    plain = [r.name for c in contract.columns for r in contract.rules if r.column == c.name]
    plain += [r.name for r in contract.rules if r.column is None]
    if plain != [r.name for r in contract.rules]:
        values["ruleOrder"] = [r.name for r in contract.rules]
    return _pairs(values)
