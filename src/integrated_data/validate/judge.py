"""Judge: counts of a checked delivery, and whether it is accepted, held for a person, or rejected."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.engine import Engine
from integrated_data.model.contract import Check, Contract
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.validate.reconcile import Account
from integrated_data.validate.rules import TOTALS, row_rules, unique_rules
from integrated_data.validate.sql import marks_sql, repeated_sql
from integrated_data.vocabulary.marks import BITS, FAILED, UNREAD, mask_names, typed

#: Name under which rows that did not split are counted.
UNSPLIT = "the row splits into the columns"


def tally(
    engine: Engine, contract: Contract, *, checked: str, duplicates: str | None = None, account: Account | None = None
) -> Tally:
    """Row counts of a checked relation; `account` adds the lines that became no row.

    Rows are counted by their marks, of which few sets differ, and those are told apart here: a statement with a sum for
    each rule takes longer to plan than a small table to read.
    """
    found, rules, reading = engine.rows(marks_sql(contract, checked)), row_rules(contract), typed(contract)
    broken, unread = _marked(found, FAILED, marks=len(rules)), _marked(found, UNREAD, marks=len(reading))
    counts = [(rule.name, int(n)) for rule, n in zip(rules, broken, strict=True)]
    clean = np.logical_and.reduce([_numbers(found, mask) == 0 for mask in mask_names(FAILED, len(rules))])
    read, good = int(_numbers(found, "n").sum()), int(_numbers(found, "n")[clean].sum())
    if duplicates:
        again = {r["rule"]: int(r["n"]) for r in engine.rows(repeated_sql(duplicates)).to_pylist()}
        counts += [(rule.name, again.get(k, 0)) for k, rule in enumerate(unique_rules(contract))]
        good -= again[-1]
    lost = account.rejected if account else 0
    counts.append((UNSPLIT, lost))
    noted = [(c.name, int(n)) for c, n in zip(reading, unread, strict=True)]
    read += lost
    return Tally(
        read, good, read - good, tuple(c for c in counts if c[1]), tuple(n for n in noted if n[1])
    )  # fmt: skip


def _marked(found: pa.Table, base: str, *, marks: int) -> list[int]:
    """How many rows have each mark."""
    rows, masks = _numbers(found, "n"), [_numbers(found, mask) for mask in mask_names(base, marks)]
    return [int(rows[(masks[k // BITS] >> (k % BITS)) & 1 == 1].sum()) for k in range(marks)]


def _numbers(found: pa.Table, column: str) -> NDArray[np.int64]:
    result: NDArray[np.int64] = found[column].to_numpy()
    return result


def judge(contract: Contract, counted: Tally) -> LoadState:
    """The state a checked delivery may move to: PUBLISHED, HELD or REJECTED.

    By the share of rows in quarantine, but for totals, against the contract's thresholds; a delivery without a good
    row is rejected, one that breaks a rule on the whole table, or that cannot be tested yet, is held at least.
    """
    broken = counted.quarantined - dict(counted.by_rule).get(TOTALS, 0)  # a total of a short table is no tenth of it
    share = broken / counted.read if counted.read else 0.0
    if counted.good == 0 or share > contract.thresholds.hold:
        return LoadState.REJECTED
    if share > contract.thresholds.accept or broken_rules(contract, counted) or counted.untested:
        return LoadState.HELD
    return LoadState.PUBLISHED


def broken_rules(contract: Contract, counted: Tally) -> tuple[str, ...]:
    """Names of the rules on the whole table that the delivery breaks."""
    counts = tuple(
        rule.name
        for rule in contract.rules
        if rule.check is Check.ROW_COUNT
        and not int(rule.low or 0) <= counted.read <= (int(rule.high) if rule.high is not None else counted.read)
    )
    return (*counts, *counted.broken)


def sentence(contract: Contract, counted: Tally, *, account: Account | None = None) -> str:
    """Why a delivery is not accepted as it is: one sentence with counts, rules and places, no value."""
    share = f"{counted.quarantined:,} of {counted.read:,} rows ({counted.share_quarantined:.1%}) are in quarantine"
    accept, hold = contract.thresholds.accept, contract.thresholds.hold
    limits = f"dataset {contract.dataset} accepts {accept:.1%} and holds up to {hold:.1%}"
    main = max(counted.by_rule, key=lambda rule: rule[1], default=("", 0))
    reason = f"; most break the rule “{main[0]}” ({main[1]:,})" if main[1] else ""
    place = ""
    if account and account.rejected > account.rejects and account.first is not None:
        place = f"; from row {account.first:,} on, a quotation mark that is not closed swallowed lines"
    broken = broken_rules(contract, counted)
    rows = f"; as a whole it breaks the rule “{broken[0]}”" if broken else ""
    later = f"; nothing is there yet to test the rule “{counted.untested[0]}” against" if counted.untested else ""
    return f"{share}, where {limits}{reason}{place}{rows}{later}"


def facts(counted: Tally, account: Account | None = None) -> dict[str, Any]:
    """The same as plain facts for the audit chain and for JSON."""
    result: dict[str, Any] = {
        "read": counted.read, "good": counted.good, "quarantined": counted.quarantined,
        "by_rule": dict(counted.by_rule), "unread": dict(counted.unread), "broken": list(counted.broken),
        "untested": list(counted.untested),
    }  # fmt: skip
    if account:
        result |= {"lines": account.lines, "blank_lines": account.blank, "line_ends_inside_values": account.inside}
    return result
