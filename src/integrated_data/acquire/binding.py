"""Binding: which delivered heading is which column of a contract.

An engine tells no names apart that differ in their case alone, so it reads such columns, and repeated ones, under
names with a number (`VALUE_2`). Those are its own: a contract keeps each heading as it is spelled, and where a
heading is repeated, which of them it is. Headings are bound by their exact spelling, wherever they stand.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from integrated_data.model.contract import Column, Contract
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.vocabulary.headings import respelled_as, showable

#: A heading as it is spelled, and which of those spelled so it is, from 1.
Spelled = tuple[str, int]

_NUMBERED = re.compile(r"(.+)_([2-9]|[1-9][0-9]+)")
#: Letters of other alphabets that look like a Latin one.
_ALIKE = str.maketrans(
    "АВЕКМНОРСТХУІЈЅаеорсухіјѕԁһΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονρ",
    "ABEKMHOPCTXYIJSaeopcyxijsdhABEZHIKMNOPTYXaovp",
)


@dataclass(frozen=True)
class Heading:
    """A delivered heading. `name`: what the engine reads it as, different from others also without regard to case;
    `spelled`: as it was delivered; `occurrence`: which of those spelled so, from 1, or 0 where it stands once.
    """

    name: str
    spelled: str
    occurrence: int = 0


def plain(names: Sequence[str]) -> tuple[str, ...]:
    """Headings as they are spelled; a blank one is called by its position."""
    return tuple(raw.strip().strip('"').strip("\ufeff") or f"column_{i + 1}" for i, raw in enumerate(names))


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Every name different without regard to case; a blank one is called by its position."""
    return tuple(heading.name for heading in headings(names, None))


def headings(names: Sequence[str], contract: Contract | None) -> tuple[Heading, ...]:
    """Delivered names, those of a contract's columns under the names that it reads them as.

    Raises ContractRefusal where a heading of the contract stands more or less often than it says, and where
    headings fit a column without regard to case, blanks and punctuation alone, and more than one would.
    """
    delivered = plain(names)
    keys = _keys(delivered)
    bound = _bound(keys, contract) if contract is not None else {}
    reserved = {respelled_as(spelled_of(c)) for c in contract.columns} if contract is not None else set()
    seen = {source.lower() for source in bound.values()}
    counted = Counter(delivered)
    found: list[Heading] = []
    for key in keys:
        name, n = bound.get(key, key[0]), 1
        while key not in bound and (name.lower() in seen or (n > 1 and respelled_as(name) in reserved)):
            n += 1
            name = f"{key[0]}_{n}"
        seen.add(name.lower())
        found.append(Heading(name, key[0], key[1] if counted[key[0]] > 1 else 0))
    return tuple(found)


def _keys(delivered: Sequence[str]) -> list[Spelled]:
    counted: Counter[str] = Counter()
    keys = []
    for spelled in delivered:
        counted[spelled] += 1
        keys.append((spelled, counted[spelled]))
    return keys


def spelled_of(column: Column) -> str:
    """The heading of a contract's column as it is spelled."""
    return column.heading or column.source


def _bound(keys: Sequence[Spelled], contract: Contract) -> Mapping[Spelled, str]:
    """The contract's sources of delivered headings that are spelled as they are."""
    own = _own(keys, contract)
    _check_repeats(keys, contract, own=own)
    bound = {key: source for source, key in own.items() if key in set(keys)}
    free = Counter(respelled_as(key[0]) for key in keys if key not in bound)
    columns = Counter(respelled_as(key[0]) for key in own.values())
    absent = [key[0] for source, key in own.items() if key not in bound]
    folds = {spelled: respelled_as(spelled) for spelled in absent}
    unsure = [spelled for spelled, fold in folds.items() if free[fold] and free[fold] + columns[fold] > 2]
    if unsure:
        raise ContractRefusal(
            f"The file for dataset {contract.dataset} came without {_told(contract, unsure)} as the contract spells it",
            why="By their headings without regard to case, blanks and punctuation, several columns fit",
            next_step="Spell the headings as the contract does, or bring the contract up to date, and deliver again",
        )
    return bound


def _own(keys: Sequence[Spelled], contract: Contract) -> dict[str, Spelled]:
    """The headings of the contract's columns by source.

    A contract of before has names with the engine's numbers: where the file has none that is spelled so, such a column
    is the heading without the number, in that spelling; of those spelled alike, the one that its place says.
    """
    delivered = {spelled for spelled, _ in keys}
    own = {c.source: (spelled_of(c), c.occurrence or 1) for c in contract.columns}
    taken = Counter(spelled for spelled, _ in set(own.values()))
    for column in contract.columns:
        numbered = _NUMBERED.fullmatch(column.source)
        if column.heading or numbered is None or column.source in delivered or numbered[1] not in delivered:
            continue
        if not any(c.source.lower() == numbered[1].lower() for c in contract.columns):
            continue
        key = numbered[1], taken[numbered[1]] + 1
        if own[column.source] == (column.source, 1) and key in keys:
            taken[numbered[1]] += 1
            own[column.source] = key
    return own


def _check_repeats(keys: Sequence[Spelled], contract: Contract, *, own: Mapping[str, Spelled]) -> None:
    """Refuse a file in which a heading of the contract stands more or less often than the contract says."""
    there = Counter(spelled for spelled, _ in keys)
    known = Counter(spelled for spelled, _ in own.values())
    wrong = [s for s, n in known.items() if there[s] and there[s] != n and max(there[s], n) > 1]
    strange = {respelled_as(s) for s, n in there.items() if n > 1 and s not in known}
    wrong += [s for s in known if respelled_as(s) in strange]
    if wrong:
        raise ContractRefusal(
            f"The file for dataset {contract.dataset} has the heading of {_told(contract, wrong)} more or less often "
            "than its contract",
            why="Which of the columns with one heading is meant cannot be known",
            next_step="Give each column a heading of its own, or bring the contract up to date, and deliver again",
        )


def _told(contract: Contract, wanted: Sequence[str]) -> str:
    """Columns of the contract as they may be told: inferred from a file without a header, its names may be values."""
    names = [spelled_of(c) for c in contract.columns]
    shown = dict(zip(names, showable(names), strict=True))
    told = list(dict.fromkeys(shown[w] for w in wanted))
    return f"column{'s' if len(told) > 1 else ''} {', '.join(told[:8])}"


def spelled(contract: Contract, delivered: Sequence[Heading]) -> Contract:
    """A contract whose columns say how their headings are spelled, and which of repeated ones they are."""
    by_name = {h.name: h for h in delivered}
    return replace(contract, columns=tuple(_spelled(c, by_name.get(c.source)) for c in contract.columns))


def _spelled(column: Column, heading: Heading | None) -> Column:
    if heading is None:
        return column
    other = heading.spelled if heading.spelled != heading.name else ""
    return replace(column, heading=other, occurrence=heading.occurrence)


def resolved(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Columns of a contract as it is written, whose sources are headings, under names that the engine tells apart."""
    keys = list(dict.fromkeys((c.source, c.occurrence or 1) for c in columns))
    found: dict[Spelled, str] = {}
    seen: set[str] = set()
    for spelled_, nth in keys:
        name, n = spelled_, 1
        while name.lower() in seen:
            n += 1
            name = f"{spelled_}_{n}"
        seen.add(name.lower())
        found[spelled_, nth] = name
    return tuple(
        replace(c, source=name, heading="" if name == c.source else c.source)
        for c in columns
        for name in [found[c.source, c.occurrence or 1]]
    )


def check_apart(names: Sequence[str]) -> None:
    """Refuse names of a self-describing file (Parquet, JSON) that the engine would not tell apart."""
    lowered = Counter(name.lower() for name in names)
    twins = [shown for name, shown in zip(names, showable(names), strict=True) if lowered[name.lower()] > 1]
    if twins:
        raise DeliveryRefusal(
            f"A file has columns whose names are the same or differ in their case alone: {', '.join(twins[:8])}",
            why="They cannot be told apart when the file is read",
            next_step="Give each column a name of its own and deliver it again",
        )


def notices(delivered: Sequence[Heading], contract: Contract | None) -> tuple[str, ...]:
    """What is to be told of headings that are easily taken for one another."""
    names = [h.spelled for h in delivered]
    shown = dict(zip(names, showable(names), strict=True))
    repeated = [shown[name] for name, n in Counter(names).items() if n > 1]
    found = [f"Heading {name} stands more than once: its columns are known by their order alone" for name in repeated]
    own = {c.source for c in contract.columns if not c.heading} if contract is not None else set()
    found += [
        f"Column {h.name} of the contract is read from the heading {shown[h.spelled]}: write that as its physicalName"
        for h in delivered
        if h.name in own and h.spelled != h.name
    ]
    looks: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        looks.setdefault(unicodedata.normalize("NFKC", name).translate(_ALIKE).casefold(), []).append(name)
    for alike in looks.values():
        if len({name.casefold() for name in alike}) > 1:
            found.append(f"Headings look alike in other letters: {', '.join(shown[a] for a in alike)}")
    return tuple(found)
