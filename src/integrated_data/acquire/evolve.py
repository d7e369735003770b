"""Evolve: a contract that follows what was delivered, under a new version."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from integrated_data.acquire.binding import Heading, spelled_of
from integrated_data.acquire.drift import Drift
from integrated_data.model.contract import AS_AT, Check, Column, Contract
from integrated_data.model.drift import Drifted, DriftKind, Policy
from integrated_data.model.meanings import Handling, Kind
from integrated_data.vocabulary.headings import column_name

_NUMBERED = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def told_of(contract: Contract, drift: Drift, *, headings: Sequence[Heading] = ()) -> tuple[Drifted, ...]:
    """Every difference of a header as a sentence with what becomes of it, worst for the table first.

    Columns are called as they are spelled, in the contract and in the delivered `headings`.
    """
    said = {c.source: spelled_of(c) for c in contract.columns}
    came = {h.name: h.spelled for h in headings}
    needed = {c.source for c in contract.columns if c.key} | _by_change(contract)
    found = [
        Drifted(
            DriftKind.MISSING, source, f"column {said[source]} did not come",
            Policy.REFUSE if source in needed else contract.policy(DriftKind.MISSING),
        )
        for source in drift.missing
    ]  # fmt: skip
    for kind, pairs, how in (
        (DriftKind.RENAMED, drift.renamed, "under the name"), (DriftKind.RESPELLED, drift.respelled, "written")
    ):  # fmt: skip
        found += [
            Drifted(kind, ours, f"column {said[ours]} came {how} {came.get(theirs, theirs)}", contract.policy(kind))
            for ours, theirs in pairs
        ]
    found += [
        Drifted(DriftKind.NEW, name, f"column {came.get(name, name)} is new", contract.policy(DriftKind.NEW))
        for name in drift.new
    ]
    return tuple(found)


def _by_change(contract: Contract) -> set[str]:
    """Sources without which changes cannot be told."""
    if contract.changes is None:
        return set()
    named = {contract.changes.operation, contract.changes.sequence}
    return {c.source for c in contract.columns if c.name in named}


def followed(contract: Contract, drift: Drift, *, seen: Mapping[str, Column]) -> Contract:
    """The contract's columns as the header has them. `seen`: what new columns seem to be, by delivered name.

    A new column is never published by itself: it is withheld until a steward releases it, or is an identifier; and
    nobody promised it, so that it may stay away again. A missing one is optional from now on, and its values are empty.
    """
    moved = dict((*drift.respelled, *drift.renamed))
    missing = set(drift.missing)
    columns = [
        replace(c, source=moved.get(c.source, c.source), optional=c.optional or c.source in missing,
                required=c.required and c.source not in missing)
        for c in contract.columns
    ]  # fmt: skip
    absent = {c.name for c in contract.columns if c.source in missing}
    taken = {c.name.lower() for c in contract.columns} | {AS_AT}
    columns += [_new(seen[name], taken=taken) for name in drift.new if name in seen]
    rules = tuple(r for r in contract.rules if not (r.check is Check.REQUIRED and r.column in absent))
    return replace(contract, columns=tuple(columns), rules=rules)


def _new(column: Column, *, taken: set[str]) -> Column:
    held = column.handling if column.handling is Handling.IDENTIFIER else Handling.WITHHELD
    return replace(column, name=column_name(column.source, taken), handling=held, key=False, optional=True)


def retyped(column: Column, seen: Column) -> Column:
    """A column with the type that its values seem to have now; one that became text is no longer published by itself.

    What it means stays, and so does what is done with it.
    """
    handling = column.handling
    if seen.kind is Kind.STRING and handling is Handling.PAYLOAD:
        handling = Handling.WITHHELD
    return replace(column, kind=seen.kind, formats=seen.formats, decimal=seen.decimal, handling=handling)


def next_version(version: str, *, kept: Collection[str], breaking: bool) -> str:
    """The version after one that none of those kept has: a semantic version where it is one, else a number more."""
    numbered = _NUMBERED.fullmatch(version)
    while True:
        if numbered:
            major, minor = int(numbered[1]), int(numbered[2])
            version = f"{major + 1}.0.0" if breaking else f"{major}.{minor + 1}.0"
            numbered = _NUMBERED.fullmatch(version)
        else:
            stem, _, last = version.rpartition(".")
            version = f"{stem}.{int(last) + 1}" if stem and last.isdigit() else f"{version}.1"
        if version not in kept:
            return version
