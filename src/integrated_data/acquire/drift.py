"""Drift: a delivered header held against the contract, and differences called by their names."""

from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.model.contract import Contract, Format
from integrated_data.model.errors import ContractRefusal
from integrated_data.vocabulary.headings import folded

#: Names shown in one sentence.
SHOWN = 8


@dataclass(frozen=True)
class Drift:
    """How a header differs from its contract.

    `missing`: sources of the contract that were not delivered; `renamed`: those of them delivered
    with another case, blank or punctuation, as (contract's, delivered); `new`: delivered names that
    the contract does not know.
    """

    missing: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    new: tuple[str, ...] = ()


def drift_of(contract: Contract, delivered: Sequence[str]) -> Drift:
    """How the delivered names differ from the contract's sources; order is free."""
    sources = list(dict.fromkeys(c.source for c in contract.columns))
    there, wanted = set(delivered), set(sources)
    new = [name for name in delivered if name not in wanted]
    by_fold = {folded(name): name for name in reversed(new)}
    renamed, missing = [], []
    for source in sources:
        if source in there:
            continue
        other = by_fold.get(folded(source))
        if other is None:
            missing.append(source)
        else:
            renamed.append((source, other))
            new.remove(other)
            by_fold.pop(folded(source))
    return Drift(tuple(missing), tuple(renamed), tuple(new))


def check_header(contract: Contract, delivered: Sequence[str]) -> Drift:
    """The drift that a load may go on with: new columns, which are left out and named.

    Raises ContractRefusal for a missing or renamed column. The sentence holds names of the contract
    alone: without a header, what was delivered in its place are values.
    """
    drift = drift_of(contract, delivered)
    parts = []
    if drift.missing:
        parts.append(f"without {_listed(drift.missing)}")
    if drift.renamed:
        parts.append(f"with another spelling of {_listed([ours for ours, _ in drift.renamed])}")
    if not parts:
        return drift
    lost = len(drift.missing) == len({c.source for c in contract.columns})
    text = contract.layout.format in (Format.CSV, Format.FIXED, Format.EXCEL)
    raise ContractRefusal(
        f"The file for dataset {contract.dataset} came {' and '.join(parts)}",
        why="It may have no header, or belong to another dataset" if lost and text else "Its header has drifted",
        next_step="Correct the header, or bring the contract up to date and deliver again",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"
