"""Drift on its way: a delivery's header and types held against its contract.

The supplier's kit asks in the same way as a load, with nothing before: what it says is what a load does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from integrated_data.acquire import evolve, renames
from integrated_data.acquire.binding import spelled
from integrated_data.acquire.drift import Drift, check_allowed, check_known, drift_of
from integrated_data.acquire.infer import infer
from integrated_data.acquire.layout import Delivered
from integrated_data.acquire.sample import sample_of
from integrated_data.engine import Engine, Sealer
from integrated_data.journey import checking
from integrated_data.model.contract import Column, Contract, Mode
from integrated_data.model.delivery import LoadState
from integrated_data.model.drift import Drifted, DriftKind, Policy
from integrated_data.model.meanings import Handling, Kind
from integrated_data.standardise.sql import standardised_sql
from integrated_data.validate import shape
from integrated_data.validate.widen import widened
from integrated_data.vocabulary.marks import typed
from integrated_data.vocabulary.sql import name

#: Share of a column's values that are not read as its type, from which it may be another type and not slips.
MOST_UNREAD = 0.5
#: Share of all rows from which such values are counted at all.
FEW_UNREAD = 0.001
#: States that a check may end in, the gravest last.
GRAVER = (LoadState.PUBLISHED, LoadState.HELD, LoadState.REJECTED)


@dataclass(frozen=True)
class Past:
    """What is known before a delivery: shapes of those before it, and versions of the contract that are kept."""

    shapes: Sequence[shape.Shape] = ()
    versions: frozenset[str] = frozenset()

    def spreads(self, column: str) -> list[shape.Spread]:
        """How a column was spread in the deliveries that have it."""
        return [s.spreads[column] for s in self.shapes if column in s.spreads]

    def has_free(self, column: str) -> bool:
        """Whether a column was free text in one of them."""
        return any(column in s.free for s in self.shapes)


@dataclass(frozen=True)
class Followed:
    """A contract as it follows what was delivered, and the drift that it follows."""

    contract: Contract
    found: tuple[Drifted, ...] = ()


@dataclass
class Bench:
    """What looking into a delivered file takes. What its columns seem to be is found once, when it is asked."""

    engine: Engine
    sealer: Sealer
    delivered: Delivered
    folder: Path
    _seen: dict[str, Column] = field(default_factory=dict)

    def seen(self, dataset: str) -> Mapping[str, Column]:
        """What each column seems to be, by its delivered name; leaves the relation `sample`."""
        if not self._seen:
            place = self.folder / "sample.sealed"
            self.engine.load("sample", sample_of(self.delivered, place, sealer=self.sealer))
            found = infer(self.engine, "sample", dataset=dataset, owner=dataset, layout=self.delivered.layout)
            self._seen.update({c.source: c for c in found.columns})
        return self._seen

    def close(self) -> None:
        """Let go of the sample."""
        self.engine.drop("sample", "sample_rejects", "sample_rejects_scans")
        (self.folder / "sample.sealed").unlink(missing_ok=True)


def header(bench: Bench, contract: Contract, *, past: Past) -> Followed:
    """The contract as it follows a delivered header, and what has drifted.

    Raises ContractRefusal where the contract refuses it, by names of columns.
    """
    drift = drift_of(contract, bench.delivered.columns)
    if drift == Drift():
        return Followed(contract)
    try:
        if drift.missing and drift.new:
            drift = drift.with_renamed(_renamed(bench, contract, drift=drift, past=past))
        check_known(contract, drift)
        headings = bench.delivered.headings
        found = evolve.told_of(contract, drift, headings=headings)
        check_allowed(contract, found)
        seen = bench.seen(contract.dataset) if drift.new else {}
        changed = spelled(evolve.followed(contract, drift, seen=seen), headings)
        return Followed(versioned(changed, contract, past=past), found)
    finally:
        bench.close()


def versioned(changed: Contract, contract: Contract, *, past: Past, breaking: bool = False) -> Contract:
    """A changed contract as the version after the one that it follows."""
    version = evolve.next_version(contract.version, kept=past.versions, breaking=breaking)
    return replace(changed, version=version, follows=contract.version)


def _renamed(bench: Bench, contract: Contract, *, drift: Drift, past: Past) -> tuple[tuple[str, str], ...]:
    """Missing columns that came under another name, by the likeness of names and values."""
    missing, new = drift.missing[: renames.MOST], drift.new[: renames.MOST]
    half = 2 * len(drift.missing) > len({c.source for c in contract.columns})
    if half:  # a header of which so little is known may be a row of values
        return ()
    ours = {source: next(c for c in contract.columns if c.source == source) for source in missing}
    seen = bench.seen(contract.dataset)
    pairs = [(source, name_) for source in missing for name_ in new]
    reads, spreads = _tried(bench, contract, columns=[replace(ours[s], source=n) for s, n in pairs])
    candidates = []
    for k, (source, delivered) in enumerate(pairs):
        column = ours[source]
        before, now = past.spreads(column.name), spreads.get(f"p{k}")
        same = shape.alike(before, now) if now is not None else None
        told = renames.agrees(column, seen[delivered], reads=reads[k], alike=same)
        candidates.append(renames.Candidate(source, delivered, renames.likeness(source, delivered), told))
    return renames.paired(candidates)


def _tried(
    bench: Bench, contract: Contract, *, columns: Sequence[Column]
) -> tuple[list[float], Mapping[str, shape.Spread]]:
    """Delivered columns read as others are: the share of their values that can be, and how they are spread."""
    trial = replace(contract, rules=(), indexes=(), columns=tuple(
        replace(c, name=f"p{k}", handling=Handling.PAYLOAD if c.handling is Handling.PAYLOAD else Handling.WITHHELD)
        for k, c in enumerate(columns)
    ))  # fmt: skip
    engine = bench.engine
    engine.view("tried", standardised_sql(trial, "sample"))
    try:
        counted = ", ".join(f"count({name(c.name)}) AS {name(c.name)}" for c in trial.columns)
        present = ", ".join(f"count(nullif(trim({name(c.source)}), '')) AS s{k}" for k, c in enumerate(columns))
        (got,) = engine.rows(f"SELECT count(*) AS n, {counted} FROM tried").to_pylist()
        (there,) = engine.rows(f"SELECT {present} FROM sample").to_pylist()
        reads = [got[c.name] / there[f"s{k}"] if there[f"s{k}"] else 0.0 for k, c in enumerate(trial.columns)]
        shaped = shape.shaped(trial)
        if not shaped:
            return reads, {}
        return reads, shape.read(engine.rows(shape.shape_sql(shaped, "tried", rows=got["n"])), trial).spreads
    finally:
        engine.drop("tried")


def retyped(bench: Bench, contract: Contract, *, found: checking.Checked, past: Past, first: Contract) -> Followed:
    """The contract with the types that its columns have now, and which they are.

    A column is looked at where most of its values cannot be read; it has drifted where they are seen to be of another
    type, or written in another way. So it has where an inferred type proves too narrow (see `widen`). `first`: the
    contract before anything of this delivery was followed.
    """
    suspects = _mostly_unread(bench.engine, contract, found=found)
    wider = widened(bench.engine, contract, checked=checking.CHECKED, counted=found.tally) or contract
    changed = {c.name: c for c, was in zip(wider.columns, contract.columns, strict=True) if c != was}
    try:
        seen = bench.seen(contract.dataset) if suspects else {}
        changed |= {
            c.name: evolve.retyped(c, seen[c.source])
            for c in suspects
            if c.source in seen and _way(c) != _way(seen[c.source])
        }
    finally:
        bench.close()
    if not changed:
        return Followed(contract)
    told = tuple(
        Drifted(DriftKind.RETYPED, c.source, f"column {c.source} {_how(c, changed[c.name])}",
                _policy(contract, c, now=changed[c.name]))
        for c in contract.columns if c.name in changed
    )  # fmt: skip
    columns = tuple(changed.get(c.name, c) for c in contract.columns)
    return Followed(versioned(replace(contract, columns=columns), first, past=past, breaking=True), told)


def _policy(contract: Contract, column: Column, *, now: Column) -> Policy:
    """What becomes of a column of another type: rows that stay in the table keep theirs, so it is refused there."""
    stays = contract.mode is not Mode.REPLACE and column.handling is not Handling.IDENTIFIER
    return Policy.REFUSE if stays and now.kind is not column.kind else contract.policy(DriftKind.RETYPED)


def _way(column: Column) -> tuple[Kind, tuple[str, ...], str]:
    return column.kind, column.formats, column.decimal


def _how(column: Column, now: Column) -> str:
    if now.kind is column.kind:
        return f"holds each {column.kind.value} written in another way"
    return f"came as {now.kind.value} and not as {column.kind.value}"


def _mostly_unread(engine: Engine, contract: Contract, *, found: checking.Checked) -> list[Column]:
    """Columns of which most values cannot be read; one of few such values is not looked at."""
    least = FEW_UNREAD * found.tally.read
    counts = {column: n for column, n in found.tally.unread if n > least}
    if not counts:
        return []
    filled = ", ".join(f"count({name(column)}) AS n{k}" for k, column in enumerate(counts))
    (row,) = engine.rows(f"SELECT {filled} FROM {checking.CHECKED}").to_pylist()
    most = {c for k, (c, n) in enumerate(counts.items()) if n > MOST_UNREAD * (n + int(row[f"n{k}"]))}
    return [c for c in typed(contract) if c.name in most]


def verdict(found: Sequence[Drifted]) -> tuple[LoadState, str]:
    """What becomes of a delivery that has drifted in all these, and why where it does not go on: names and counts."""
    for policy, state in ((Policy.REFUSE, LoadState.REJECTED), (Policy.HOLD, LoadState.HELD)):
        told = "; ".join(d.told for d in found if d.policy is policy)
        if told:
            return state, f"It has drifted from its contract, or from deliveries before: {told}"
    return LoadState.PUBLISHED, ""


def facts(found: Sequence[Drifted]) -> list[dict[str, Any]]:
    """The same as plain facts."""
    return [{k: str(v) for k, v in asdict(d).items()} for d in found]


def from_facts(found: Sequence[Mapping[str, str]]) -> tuple[Drifted, ...]:
    """Drift as it was written down."""
    return tuple(Drifted(DriftKind(d["kind"]), d["column"], d["told"], Policy(d["policy"])) for d in found)
