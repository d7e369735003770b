"""SQL of the checks: marks in one pass, then duplicates, good rows, quarantine and tallies over what was saved."""

from collections.abc import Mapping, Sequence

from integrated_data.model.contract import Check, Contract, Rule
from integrated_data.validate.rules import LINE_ENDS, TOTALS, as_texts, broken_sql, row_rules, tolerated, unique_rules
from integrated_data.vocabulary.marks import (
    FAILED,
    PIECE,
    RAW,
    ROW,
    UNREAD,
    VALUE,
    bit_sql,
    mask_names,
    masks_sql,
    typed,
)
from integrated_data.vocabulary.sql import name, names, text


def checked_sql(
    contract: Contract,
    standardised: str,
    *,
    quoted: bool = False,
    others: Mapping[Rule, str] | None = None,
    total: str | None = None,
) -> str:
    """One SELECT over the standardised relation: its columns, `_raw`, `_unread…` and `_failed…`.

    A row is good when every `_failed` mask is 0; bit k is the k-th of `rules.row_rules`. The rule
    against lines swallowed by a quotation mark is tested only where one occurs (`quoted`), one that refers to another
    dataset only where `others` names the relation of its values. `total`: SQL of whether a row is a total of others,
    where one is.
    """
    rules = row_rules(contract)
    masks = mask_names(FAILED, len(rules))
    unread = mask_names(UNREAD, len(typed(contract)))
    strict = [(k, f"{bit_sql(UNREAD, k)}") for k, c in enumerate(typed(contract)) if not tolerated(contract, c)]
    own = [
        (k, broken_sql(contract, rule, other=(others or {}).get(rule)))
        for k, rule in enumerate(rules)
        if rule.check is not Check.TYPE and (quoted or rule.name != LINE_ENDS) and rule.name != TOTALS
    ]
    own += [(k, total) for k, rule in enumerate(rules) if rule.name == TOTALS and total is not None]
    marked = ", ".join(
        f"{sql} AS {name(mask)}" for mask, sql in zip(masks, masks_sql([*strict, *own], len(masks)), strict=True)
    )
    columns = names(c.name for c in contract.columns)
    return f"SELECT {columns}, {RAW}, {names(unread)}, {marked} FROM {name(standardised)}"


def duplicates_sql(contract: Contract, checked: str) -> str | None:
    """Rows that share values which must be unique with an earlier good row: `_row`, `rule`.

    `rule` is the rule's number after those of `row_rules`, from 0. None when the contract has no
    such rule. `checked` is the saved relation with its `_row` column.
    """
    parts = []
    for number, rule in enumerate(unique_rules(contract)):
        values = names(contract.column(c).name for c in rule.over)
        there = " AND ".join(f"{name(contract.column(c).name)} IS NOT NULL" for c in rule.over)
        first = (
            f"SELECT {values}, min({ROW}) AS _first FROM {name(checked)} WHERE {_clean(contract)} "
            f"AND {there} GROUP BY {values} HAVING count(*) > 1"
        )
        parts.append(
            f"SELECT {ROW}, {number} AS rule FROM {name(checked)} JOIN ({first}) USING ({values}) "
            f"WHERE {ROW} > _first AND {_clean(contract)}"
        )
    return " UNION ALL ".join(parts) or None


def others_sql(rule: Rule, held: Sequence[tuple[Contract, str]]) -> str:
    """The values of another dataset that answer to a rule's columns, as texts: `v0`, `v1`, …

    `held`: the contract and the checked relation of each of its deliveries that stand, of which good rows count.
    Raises ContractRefusal where one of them lacks a column.
    """
    parts = []
    for contract, checked in held:
        values = ", ".join(f"{value} AS v{n}" for n, value in enumerate(as_texts(contract, rule.others)))
        parts.append(f"SELECT {values} FROM {name(checked)} WHERE {_clean(contract)}")
    return f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})"


def uncovered_sql(contract: Contract, rule: Rule, *, good: str, other: str) -> str:
    """One row, `n`: how many values of the other dataset no good row refers to."""
    there = " AND ".join(f"v{n} IS NOT NULL" for n in range(len(rule.columns)))
    same = " AND ".join(f"{value} = v{n}" for n, value in enumerate(as_texts(contract, rule.columns)))
    return (
        f"SELECT count(*) AS n FROM {name(other)} WHERE {there} "
        f"AND NOT EXISTS (SELECT 1 FROM {name(good)} WHERE {same})"
    )


def _clean(contract: Contract) -> str:
    """No rule broken."""
    return " AND ".join(f"{name(mask)} = 0" for mask in mask_names(FAILED, len(row_rules(contract))))


def good_sql(contract: Contract, checked: str, *, duplicates: str | None = None) -> str:
    """Good rows: `_row` and the contract's columns. `duplicates`: relation made by `duplicates_sql`."""
    columns = names(c.name for c in contract.columns)
    without = f" AND {ROW} NOT IN (SELECT {ROW} FROM {name(duplicates)})" if duplicates else ""
    return f"SELECT {ROW}, {columns} FROM {name(checked)} WHERE {_clean(contract)}{without}"


def quarantine_sql(contract: Contract, checked: str, *, duplicates: str | None = None) -> str:
    """Broken rules row by row: `_row`, `rule`, `column_name`, `reason`, `raw`.

    `raw` is the unreadable text where the rule is about reading it. It holds values: save it sealed.
    The row itself stays where it was saved and is joined to its marks when somebody looks (`seen_sql`).
    """
    parts = [
        f"SELECT {ROW}, {_named(rule)}, {_raw_of(number, contract)} AS raw FROM bad WHERE {bit_sql(FAILED, number)}"
        for number, rule in enumerate(row_rules(contract))
    ]
    if duplicates:
        parts += [
            f"SELECT {ROW}, {_named(rule)}, NULL AS raw FROM {name(duplicates)} WHERE rule = {number}"
            for number, rule in enumerate(unique_rules(contract))
        ]
    nothing = f"SELECT {ROW}, '' AS rule, '' AS column_name, '' AS reason, '' AS raw FROM bad WHERE false"
    marks = names(mask_names(FAILED, len(row_rules(contract))))
    broken = f"SELECT {ROW}, {RAW}, {marks} FROM {name(checked)} WHERE NOT ({_clean(contract)})"
    return f"WITH bad AS MATERIALIZED ({broken}) {' UNION ALL '.join(parts) or nothing}"


def seen_sql(contract: Contract, checked: str, *, quarantine: str, most: int) -> str:
    """At most `most` broken rules of the saved quarantine, in the order of rows, each with its row as text."""
    columns = ", ".join(f"CAST(c.{name(c.name)} AS VARCHAR) AS {name(c.name)}" for c in contract.columns)
    first = f"SELECT * FROM {name(quarantine)} ORDER BY {ROW}, rule LIMIT {most}"
    return f"SELECT q.*, {columns} FROM ({first}) q JOIN {name(checked)} c USING ({ROW}) ORDER BY {ROW}, rule"


def _named(rule: Rule) -> str:
    reason = rule.reason or f"it breaks the rule {rule.name}"
    return f"{text(rule.name)} AS rule, {text(', '.join(rule.over))} AS column_name, {text(reason)} AS reason"


def _raw_of(number: int, contract: Contract) -> str:
    if number >= len(typed(contract)):
        return "NULL"
    begin = f"split_part({RAW}, {text(f'{PIECE}{number}{VALUE}')}, 2)"
    return f"split_part({begin}, {text(PIECE)}, 1)"


def marks_sql(contract: Contract, checked: str) -> str:
    """Rows of the masks of rules and of unreadable values, and `n`: how many rows of the relation have just these."""
    masks = names([*mask_names(FAILED, len(row_rules(contract))), *mask_names(UNREAD, len(typed(contract)))])
    return f"SELECT {masks}, count(*) AS n FROM {name(checked)} GROUP BY ALL"


def repeated_sql(duplicates: str) -> str:
    """Rows of `rule` and `n`, of a relation made by `duplicates_sql`; where `rule` is -1, how many rows in all."""
    found = name(duplicates)
    return (
        f"SELECT rule, count(*) AS n FROM {found} GROUP BY rule UNION ALL SELECT -1, count(DISTINCT {ROW}) FROM {found}"
    )
