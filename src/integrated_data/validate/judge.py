"""Judge: counts of a checked delivery, and whether it is accepted, held for a person, or rejected."""

from typing import Any

from integrated_data.engine import Engine
from integrated_data.model.contract import Check, Contract
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.validate.reconcile import Account
from integrated_data.validate.rules import row_rules, unique_rules
from integrated_data.validate.sql import tally_sql
from integrated_data.vocabulary.marks import typed

#: Name under which rows that did not split are counted.
UNSPLIT = "the row splits into the columns"


def tally(
    engine: Engine, contract: Contract, *, checked: str, duplicates: str | None = None, account: Account | None = None
) -> Tally:
    """Row counts of a checked relation; `account` adds the lines that became no row."""
    row = engine.rows(tally_sql(contract, checked, duplicates=duplicates)).to_pylist()[0]
    counts = [(rule.name, int(row[f"r{k}"] or 0)) for k, rule in enumerate(row_rules(contract))]
    if duplicates:
        counts += [(rule.name, int(row[f"d{k}"] or 0)) for k, rule in enumerate(unique_rules(contract))]
    lost = account.rejected if account else 0
    counts.append((UNSPLIT, lost))
    noted = [(c.name, int(row[f"u{k}"] or 0)) for k, c in enumerate(typed(contract))]
    read, good = int(row["read"]) + lost, int(row["good"])
    return Tally(
        read, good, read - good, tuple(c for c in counts if c[1]), tuple(n for n in noted if n[1])
    )  # fmt: skip


def judge(contract: Contract, counted: Tally) -> LoadState:
    """The state a checked delivery may move to: PUBLISHED, HELD or REJECTED.

    By the share of rows in quarantine against the contract's thresholds; a delivery without a good
    row is rejected, one that breaks a rule on the whole table, or that cannot be tested yet, is held at least.
    """
    if counted.good == 0 or counted.share_quarantined > contract.thresholds.hold:
        return LoadState.REJECTED
    if counted.share_quarantined > contract.thresholds.accept or broken_rules(contract, counted) or counted.untested:
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
