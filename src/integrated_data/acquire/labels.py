"""Labels: what a file itself says of its columns and codes, as SPSS, Stata and SAS files do, taken into a contract."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Kind, Meaning

#: Labels of codes that stand for no value, where other values of the column are numbers.
_NO_VALUE = re.compile(
    r"\b(missing|not (asked|stated|known|applicable|available|answered|recorded|ascertained|in (work|paid work))|"
    r"no (answer|response|data)|refus\w+|don.?t know|does not apply|unknown|inapplicable|schedule not|item not)\b",
    re.IGNORECASE,
)
#: Meanings of numbers that turn out to be codes when each of them has a label.
_COUNTED = (Meaning.MEASURE, Meaning.COUNT, Meaning.CODE, Meaning.FLAG, Meaning.YEAR, Meaning.UNKNOWN)


@dataclass(frozen=True)
class Label:
    """One column's own words: its title, its codes with theirs, and whether every value it holds has a label.

    `kind`: the type that its source says it has.
    """

    title: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    whole: bool = False
    kind: Kind | None = None


def labelled(contract: Contract, labels: Mapping[str, Label]) -> Contract:
    """An inferred contract with the titles and codes that its file brought.

    Numbers that all have labels are codes, and text; of others, labelled numbers that say "no value" are the
    column's codes for that. What a column means, and whether it may be published, stays as its values show:
    a label clears nothing, but a list of codes in which every value has one is a classification.
    """
    columns = tuple(_labelled(c, labels[c.source]) if c.source in labels else c for c in contract.columns)
    return replace(contract, columns=columns)


def _labelled(column: Column, label: Label) -> Column:
    column = _typed(replace(column, title=label.title or column.title), label.kind)
    if not label.codes or column.handling is Handling.IDENTIFIER:
        return column
    if label.whole:
        coded = column.meaning in _COUNTED
        return replace(
            column, codes=label.codes, kind=Kind.STRING if coded else column.kind,
            meaning=Meaning.CODE if coded else column.meaning, formats=() if coded else column.formats,
            handling=Handling.PAYLOAD if coded else column.handling,
            confidence=max(column.confidence, 0.95) if coded else column.confidence,
        )  # fmt: skip
    none = tuple(code for code, words in label.codes if _NO_VALUE.search(words) and code not in column.missing)
    return replace(column, codes=label.codes, missing=column.missing + none)


def _typed(column: Column, kind: Kind | None) -> Column:
    """A column with the type that its source says it has, where its values do not say more: codes and numbers of
    people stay text, and text stays what it looks like."""
    unknown = column.kind is Kind.STRING and column.meaning is Meaning.UNKNOWN
    match kind:
        case Kind.DATE | Kind.TIMESTAMP | Kind.BOOLEAN if column.kind is not kind:
            return replace(column, kind=kind, formats=())
        case Kind.NUMBER if column.kind is Kind.INTEGER or unknown:
            return replace(column, kind=kind)
        case Kind.INTEGER if unknown:
            return replace(column, kind=kind)
        case Kind.STRING if column.kind in (Kind.INTEGER, Kind.NUMBER):
            return replace(column, kind=kind, formats=())
        case _:
            return column
