"""A redelivery judged together with the delivery that it completes (see `journey.completing`)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.layout import Delivered
from integrated_data.control import deliveries
from integrated_data.control.store import Change
from integrated_data.engine import Engine, Stored
from integrated_data.journey import checking, ending, rejecting
from integrated_data.journey.completing import Whole, whole_of
from integrated_data.journey.standing import standing_of
from integrated_data.journey.workshop import Done, Load, Workshop
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.validate import judge, sql
from integrated_data.validate.rules import row_rules, unique_rules
from integrated_data.vocabulary.marks import DOUBLED, FAILED, ROW, bit_sql
from integrated_data.vocabulary.sql import name, names, text

#: Good rows of the first delivery and of what completed it; those that completed it, this one too; all of them.
WHOLE, MENDED, TOGETHER = "whole_good", "whole_mended", "whole_together"
_FIRST, _PART, _DOUBLED = "whole_first", "whole_part", "whole_doubled"


def validate(workshop: Workshop, load: Load, *, delivered: Delivered, place: Path) -> Done:
    """Check a redelivery: its rows by themselves, and what concerns the table over all that completes it."""
    assert load.completes is not None
    engine, whole = workshop.engine, whole_of(workshop, load.completes.delivery)
    contract, standing = whole.contract, standing_of(workshop, whole.contract)
    found = checking.check(
        engine, workshop.sealer, contract=contract, delivered=delivered, place=place, standing=standing
    )
    made = _load_whole(workshop, whole)
    try:
        doubled = _mark_doubled(engine, contract, place=place)
        more = _doubled_sql(contract) if doubled else ""
        before = found.tally.good
        found = replace(found, tally=_told(engine, contract, found=found, doubled=doubled), more=more)
        sure = rejecting.save_quarantine(
            engine, workshop.sealer, contract=contract, found=found, delivered=delivered, folder=place.parent
        )
        own = found.tally
        sent = own.read - (before - own.good)  # without rows that were published already
        withdraws = max(0, whole.open - sent) if load.completes.withdraws else 0
        judged = replace(
            own, read=whole.lines, good=whole.published + own.good, quarantined=whole.open - own.good,
            broken=checking.broken(engine, contract, standing=standing, good=TOGETHER),
        )  # fmt: skip
        why = _why(engine, whole, sent=sent, judged=judged, own=own, sure=sure)
    finally:
        engine.drop(*made, _DOUBLED)
    state = LoadState.REJECTED if sent > whole.open or not own.good else LoadState.HELD
    state = state if why else LoadState.PUBLISHED
    reason = "; ".join(why)
    account = {
        "lines": whole.lines, "published": whole.published + own.good, "withdrawn": whole.withdrawn + withdraws,
        "rejected": whole.open - own.good - withdraws,
    }  # fmt: skip
    completes: dict[str, Any] = {
        "delivery": whole.first.id, "withdraws": withdraws, "account": account, "beside": whole.beside,
    }  # fmt: skip
    facts = {**judge.facts(own, found.account), "contract": contracts.dump(contract), "reason": reason,
             "notices": ending.kept(found.notices, vouched=load.vouched), "unusual": [],
             "completes": completes}  # fmt: skip

    def write(change: Change) -> None:
        deliveries.set_contract(change, load.delivery.id, version=contract.version)
        deliveries.set_tally(change, load.delivery.id, tally=own)
        change.note(read=own.read, good=own.good, quarantined=own.quarantined, completes=whole.first.id)
        if state is not LoadState.PUBLISHED:
            deliveries.move(change, load.delivery.id, state=state)

    inputs = (f"standardised/{load.delivery.id}", *(f"checked/{d}" for d in (whole.first.id, *whole.parts)))
    return Done(facts, inputs, (f"checked/{load.delivery.id}",), write, reason or None)


def _load_whole(workshop: Workshop, whole: Whole) -> list[str]:
    """Make WHOLE and MENDED from what was checked before; returns every relation that was made."""
    engine, contract, made = workshop.engine, whole.contract, list[str]()
    goods = []
    for number, delivery in enumerate((whole.first.id, *whole.parts)):
        relation = f"{_PART}_{number}" if number else _FIRST
        engine.load(relation, Stored((workshop.places.deliveries / delivery / "checked.parquet",), row_column=ROW))
        repeated = sql.duplicates_sql(contract, relation)
        if repeated is not None:
            engine.create(f"{relation}_repeated", repeated)
        engine.view(f"{relation}_good", sql.good_sql(
            contract, relation, duplicates=f"{relation}_repeated" if repeated is not None else None,
        ))  # fmt: skip
        made = [f"{relation}_good", f"{relation}_repeated", relation, *made]
        goods.append(f"SELECT * FROM {relation}_good")
    engine.view(WHOLE, " UNION ALL ".join(goods))
    engine.view(MENDED, " UNION ALL ".join([*goods[1:], f"SELECT * FROM {checking.GOOD}"]))
    engine.view(TOGETHER, f"SELECT * FROM {WHOLE} UNION ALL SELECT * FROM {checking.GOOD}")
    return [TOGETHER, MENDED, WHOLE, *made]


def _mark_doubled(engine: Engine, contract: Contract, *, place: Path) -> dict[str, int]:
    """Mark, in what was saved, good rows with values that must be unique and that a published row has already.

    Leaves the relation `_DOUBLED` (`_row`, `rule`); returns how many rows broke each rule, by its name.
    """
    parts = []
    for number, rule in enumerate(unique_rules(contract)):
        same = " AND ".join(f"g.{name(contract.column(c).name)} = w.{name(contract.column(c).name)}" for c in rule.over)
        parts.append(f"SELECT g.{ROW}, {number} AS rule FROM {checking.GOOD} g SEMI JOIN {WHOLE} w ON {same}")
    if not parts:
        return {}
    engine.create(_DOUBLED, " UNION ALL ".join(parts))
    counted = engine.rows(f"SELECT rule, count(*) AS n FROM {_DOUBLED} GROUP BY rule ORDER BY rule").to_pylist()
    if counted:
        marked = f"CASE WHEN {ROW} IN (SELECT {ROW} FROM {_DOUBLED}) THEN {DOUBLED} ELSE {name(FAILED)} END"
        again = f"SELECT * EXCLUDE ({ROW}) REPLACE ({marked} AS {name(FAILED)}) FROM {checking.CHECKED}"
        engine.save(again, place, ordered=True)
        checking.load_good(engine, contract, place=place)
    return {unique_rules(contract)[row["rule"]].name: int(row["n"]) for row in counted}


def _told(engine: Engine, contract: Contract, *, found: checking.Checked, doubled: Mapping[str, int]) -> Tally:
    if not doubled:
        return found.tally
    repeated = checking.DUPLICATES if sql.duplicates_sql(contract, checking.CHECKED) else None
    counted = judge.tally(engine, contract, checked=checking.CHECKED, duplicates=repeated, account=found.account)
    rules = dict(counted.by_rule)
    for rule, n in doubled.items():
        rules[rule] = rules.get(rule, 0) + n
    return replace(counted, by_rule=tuple(rules.items()), untested=found.tally.untested)


def _doubled_sql(contract: Contract) -> str:
    """Rows that were published already, as the quarantine has broken rules."""
    return " UNION ALL ".join(
        f"SELECT {ROW}, {text(rule.name)} AS rule, {text(', '.join(rule.over))} AS column_name, "
        f"'a published row has the same value already' AS reason, NULL AS raw FROM {_DOUBLED} WHERE rule = {number}"
        for number, rule in enumerate(unique_rules(contract))
    )


def _why(engine: Engine, whole: Whole, *, sent: int, judged: Tally, own: Tally, sure: bool) -> list[str]:
    """Why a redelivery does not go on as it is: nothing where it does."""
    first, contract = whole.first.id, whole.contract
    if sent > whole.open:
        return [f"it has {sent:,} rows where {whole.open:,} of delivery {first} are still rejected"]
    if not own.good:
        return [f"no row of it can be published; most break the rule “{max(own.by_rule, key=lambda r: r[1])[0]}”"]
    why = []
    if judge.judge(contract, judged) is not LoadState.PUBLISHED:
        why.append(f"with delivery {first}, {judge.sentence(contract, judged)}")
    if not sure:
        why.append(rejecting.APART)
    strange = _strange(engine, whole)
    if strange:
        why.append(f"{strange:,} of its rows have a key that no rejected row of delivery {first} had")
    same = _same(engine, contract)
    if same:
        why.append(f"{same:,} of its rows are the same in every column as rows that were good before")
    return why


def _keys(contract: Contract) -> list[str]:
    return [c.name for c in contract.columns if c.key] if not contract.inferred else []


def _strange(engine: Engine, whole: Whole) -> int:
    """How many mended rows have a key of no rejected row, beyond those whose key was what had to be mended."""
    contract, keys = whole.contract, _keys(whole.contract)
    if not keys:
        return 0
    listed, there = names(keys), " AND ".join(f"{name(k)} IS NOT NULL" for k in keys)
    bad = f"SELECT * FROM {_FIRST} ANTI JOIN {_FIRST}_good USING ({ROW})"
    about = [bit_sql(FAILED, n) for n, rule in enumerate(row_rules(contract)) if set(rule.over) & set(keys)]
    unknown = [f"NOT ({there})", *about]
    if sql.duplicates_sql(contract, _FIRST) is not None:
        unknown.append(f"{ROW} IN (SELECT {ROW} FROM {_FIRST}_repeated)")
    known = f"SELECT DISTINCT {listed} FROM ({bad}) WHERE {there}"
    row = engine.rows(
        f"SELECT (SELECT count(*) FROM {MENDED} ANTI JOIN ({known}) USING ({listed})) AS strange, "
        f"(SELECT count(*) FROM ({bad}) WHERE {' OR '.join(unknown)}) AS unknown"
    ).to_pylist()[0]
    unsplit = whole.done["validate"]["by_rule"].get(judge.UNSPLIT, 0)
    return int(row["strange"]) if row["strange"] > row["unknown"] + unsplit else 0


def _same(engine: Engine, contract: Contract) -> int:
    """How many rows of a table without a key are the same in every column as rows that were good before."""
    if _keys(contract) or contract.mode is Mode.CHANGES:
        return 0
    columns = [name(c.name) for c in contract.columns]
    same = " AND ".join(f"g.{c} IS NOT DISTINCT FROM w.{c}" for c in columns)
    return int(
        engine.rows(f"SELECT count(*) AS n FROM {checking.GOOD} g SEMI JOIN {WHOLE} w ON {same}")["n"][0].as_py()
    )
