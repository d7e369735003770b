"""Drift of a header: delivered names held against the contract, and differences called by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from integrated_data.acquire.binding import spelled_of
from integrated_data.acquire.describe import shown_headings
from integrated_data.model.contract import Contract, Format
from integrated_data.model.drift import Drifted, DriftKind, Policy
from integrated_data.model.errors import ContractRefusal
from integrated_data.vocabulary.headings import respelled_as

#: Names shown in one sentence.
SHOWN = 8


@dataclass(frozen=True)
class Drift:
    """How a header differs from its contract.

    `missing`: sources of the contract that were not delivered; `respelled`: those of them delivered
    with another case, blank or punctuation, as (contract's, delivered); `new`: delivered names that
    the contract does not know; `renamed`: as `respelled`, under another name (see `renames`).
    """

    missing: tuple[str, ...] = ()
    respelled: tuple[tuple[str, str], ...] = ()
    new: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def with_renamed(self, renamed: Sequence[tuple[str, str]]) -> "Drift":
        """The same where missing columns have been found under new names."""
        ours, theirs = {o for o, _ in renamed}, {t for _, t in renamed}
        return replace(
            self, renamed=tuple(renamed), missing=tuple(m for m in self.missing if m not in ours),
            new=tuple(n for n in self.new if n not in theirs),
        )  # fmt: skip


def drift_of(contract: Contract, delivered: Sequence[str]) -> Drift:
    """How the delivered names differ from the contract's sources; order is free, optional columns may be absent."""
    sources = list(dict.fromkeys(c.source for c in contract.columns))
    optional = {c.source for c in contract.columns if c.optional}
    there, wanted = set(delivered), set(sources)
    new = [name for name in delivered if name not in wanted]
    by_fold = {respelled_as(name): name for name in reversed(new)}
    respelled, missing = [], []
    for source in sources:
        if source in there:
            continue
        other = by_fold.get(respelled_as(source))
        if other is not None:
            respelled.append((source, other))
            new.remove(other)
            by_fold.pop(respelled_as(source))
        elif source not in optional:
            missing.append(source)
    return Drift(tuple(missing), tuple(respelled), tuple(new))


def check_header(contract: Contract, delivered: Sequence[str]) -> Drift:
    """The drift that reading a file goes on with where nothing may evolve: new columns, which are left out.

    Raises ContractRefusal for a missing or respelled column. The sentence holds names of the contract
    alone: without a header, what was delivered in its place are values.
    """
    drift = drift_of(contract, delivered)
    shown = _shown(contract)
    parts = []
    if drift.missing:
        parts.append(f"without {listed([shown[n] for n in drift.missing])}")
    if drift.respelled:
        parts.append(f"with another spelling of {listed([shown[ours] for ours, _ in drift.respelled])}")
    if parts:
        raise _refused(contract, drift, told=" and ".join(parts))
    return drift


def check_known(contract: Contract, drift: Drift) -> None:
    """Refuse a header of which the contract knows less than half: it may be a row of values, or another dataset's.

    From here on a delivered name is a name, and may be told.
    """
    sources = {c.source for c in contract.columns if not c.optional}
    if 2 * len(drift.missing) > len(sources):
        shown = _shown(contract)
        raise _refused(contract, drift, told=f"without {listed([shown[n] for n in drift.missing])}")


def _shown(contract: Contract) -> dict[str, str]:
    """The contract's columns as they may be told: inferred from a file without a header, its names may be values."""
    sources = [c.source for c in contract.columns]
    return dict(zip(sources, shown_headings(contract, [spelled_of(c) for c in contract.columns]), strict=True))


def check_allowed(contract: Contract, found: Sequence[Drifted]) -> None:
    """Refuse a header that has drifted in what the contract refuses; the sentence names the columns."""
    refused = [d for d in found if d.policy is Policy.REFUSE]
    missing = [d.column for d in refused if d.kind is DriftKind.MISSING]
    told = [f"without {listed(missing)}"] if missing else []
    told += [d.told for d in refused if d.kind is not DriftKind.MISSING]
    if told:
        raise _refused(contract, Drift(), told=", ".join(told))


def _refused(contract: Contract, drift: Drift, *, told: str) -> ContractRefusal:
    lost = len(drift.missing) == len({c.source for c in contract.columns})
    text = contract.layout.format in (Format.CSV, Format.FIXED, Format.EXCEL)
    return ContractRefusal(
        f"The file for dataset {contract.dataset} came {told}",
        why="It may have no header, or belong to another dataset" if lost and text else "Its header has drifted",
        next_step="Correct the header, or bring the contract up to date and deliver again",
    )


def listed(names: Sequence[str]) -> str:
    """Columns by their names in one sentence, the first few of many."""
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"
