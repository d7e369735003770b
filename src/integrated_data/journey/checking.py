"""Checking a delivered file against a contract: every row saved with its marks, counted and accounted for.

The load and the supplier's kit check in the same way, so what the kit says is what the load does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from integrated_data.acquire.layout import Delivered
from integrated_data.engine import Engine, Landed, Sealer, Stored
from integrated_data.journey import ending
from integrated_data.model.contract import Check, Contract, Format, Rule
from integrated_data.model.delivery import Tally
from integrated_data.standardise.sql import standardised_sql
from integrated_data.validate import judge, reconcile, sql
from integrated_data.validate.expression import table_expression_sql
from integrated_data.validate.rules import across_rules
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name

LANDED, WHOLE, STANDARDISED, CHECKED, GOOD = "landed", "landed_whole", "standardised", "checked", "good"
REJECTS, DUPLICATES = "rejects", "duplicates"

#: Other datasets that rules are held against: of each the contract and the checked rows of every delivery that stands.
Standing = Mapping[str, Sequence[tuple[Contract, Path]]]


@dataclass(frozen=True)
class Checked:
    """What checking found: where the lines went, and the counts.

    `more`: SQL of rows that were rejected beside, for what they would do to other deliveries, as
    `validate.sql.quarantine_sql` has broken rows. `notices`: what a person should know, in sentences without a value.
    """

    account: reconcile.Account
    tally: Tally
    more: str = ""
    notices: tuple[str, ...] = ()


def view(engine: Engine, contract: Contract, *, delivered: Delivered) -> dict[str, str]:
    """Bind the standard projection of a delivery, copying nothing; returns its columns and types."""
    engine.load(LANDED, source_of(delivered))
    absent = sorted({c.source for c in contract.columns if c.optional} - set(delivered.columns))
    if absent:
        empty = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(source)}" for source in absent)
        engine.view(WHOLE, f"SELECT *, {empty} FROM {name(LANDED)}")
    engine.view(STANDARDISED, standardised_sql(contract, WHOLE if absent else LANDED))
    types = engine.columns(STANDARDISED)
    return {c.name: types[c.name] for c in contract.columns}


def source_of(delivered: Delivered) -> Landed:
    """The delivery as the engine reads it; only text with delimiters has lines that do not split."""
    return delivered.source(rejects=REJECTS if delivered.reading.format is Format.CSV else None)


def check(
    engine: Engine,
    sealer: Sealer,
    *,
    contract: Contract,
    delivered: Delivered,
    place: Path,
    standing: Standing | None = None,
) -> Checked:
    """Save every row with its marks, sealed, at `place`; count, and account for every line.

    Leaves the relations CHECKED (with its row number) and, where the contract has unique columns,
    DUPLICATES. Without `standing` rules across datasets are not tested: there is no installation.
    """
    view(engine, contract, delivered=delivered)
    others = _others(engine, contract, standing=standing or {})
    total = ending.totals(engine, contract, delivered=delivered, standardised=STANDARDISED)
    text = sql.checked_sql(contract, STANDARDISED, quoted=delivered.quoted, others=others, total=total)
    rows = engine.save(text, place, ordered=True)
    account = reconcile.reconcile(engine, sealer, source=source_of(delivered), lines=delivered.lines, rows=rows)
    load_good(engine, contract, place=place)
    repeated = DUPLICATES if sql.duplicates_sql(contract, CHECKED) else None
    counted = judge.tally(engine, contract, checked=CHECKED, duplicates=repeated, account=account)
    broken = _broken(engine, contract, others=others, good=GOOD)
    untested = () if standing is None else tuple(r.name for r in across_rules(contract) if r not in others)
    engine.drop(*others.values())
    told = (*delivered.notices, *ending.told(engine, contract, delivered=delivered, counted=counted, checked=CHECKED))
    return Checked(account, replace(counted, broken=broken, untested=untested), notices=told)


def _others(engine: Engine, contract: Contract, *, standing: Standing) -> dict[Rule, str]:
    """Make the relation of the values that each rule across datasets is held against; none where nothing is there."""
    made = {}
    for number, rule in enumerate(across_rules(contract)):
        held = []
        for place, (other, checked) in enumerate(standing.get(rule.dataset, ())):
            relation = f"other_{number}_{place}"
            engine.load(relation, Stored((checked,), row_column=ROW))
            held.append((other, relation))
        if held:
            made[rule] = f"other_{number}"
            engine.create(made[rule], sql.others_sql(rule, held))
            engine.drop(*(relation for _, relation in held))
    return made


def broken(engine: Engine, contract: Contract, *, standing: Standing, good: str) -> tuple[str, ...]:
    """Names of the rules on the whole table that a relation of good rows breaks."""
    others = _others(engine, contract, standing=standing)
    try:
        return _broken(engine, contract, others=others, good=good)
    finally:
        engine.drop(*others.values())


def _broken(engine: Engine, contract: Contract, *, others: Mapping[Rule, str], good: str) -> tuple[str, ...]:
    found = []
    for rule in contract.rules:
        if rule.check is Check.TABLE:
            names = [c.name for c in contract.columns]
            text = table_expression_sql(rule.expression or "", names, rule=rule.name)
            (row,) = engine.rows(f"SELECT coalesce({text}, false) AS holds FROM {name(good)}").to_pylist()
            if not row["holds"]:
                found.append(rule.name)
        elif rule in others and rule.check is Check.COVERS:
            (row,) = engine.rows(sql.uncovered_sql(contract, rule, good=good, other=others[rule])).to_pylist()
            if row["n"]:
                found.append(rule.name)
    return tuple(found)


def load_checked(engine: Engine, contract: Contract, *, place: Path) -> str | None:
    """Make the relation CHECKED from what was saved, and DUPLICATES; returns its name where there is one."""
    engine.load(CHECKED, Stored((place,), row_column=ROW))
    text = sql.duplicates_sql(contract, CHECKED)
    if text is None:
        return None
    engine.create(DUPLICATES, text)
    return DUPLICATES


def load_good(engine: Engine, contract: Contract, *, place: Path) -> None:
    """Make the relation GOOD, of rows that broke no rule, from what was saved."""
    repeated = load_checked(engine, contract, place=place)
    engine.view(GOOD, sql.good_sql(contract, CHECKED, duplicates=repeated))
