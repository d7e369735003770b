"""The kit's report: what each column seems to be, what breaks, how well it would match, what to fix first.

Plain values for JSON and for the page. No value of the data is in it: columns are told by headings that are none, codes
are counted, rules are told by what they ask.
"""

from collections.abc import Mapping
from typing import Any

from integrated_data import __version__
from integrated_data.acquire.describe import describe, layout_sentence, shown_columns
from integrated_data.acquire.questions import open_questions
from integrated_data.index.reach import FIELDS, Reach
from integrated_data.index.samples.likeness import points_to_one
from integrated_data.journey import drifting
from integrated_data.model.contract import Check, Contract, Rule
from integrated_data.model.drift import Policy
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.site.kit import Looked, shown_drift
from integrated_data.validate.judge import UNSPLIT, broken_rules
from integrated_data.validate.rules import row_rules, unique_rules

#: Share of rows below which a field that finds records is worth mending, and below which matching is.
WELL_FILLED, WELL_MATCHED = 0.9, 0.9
#: Share of rows that point to one entity by which another field must add to be worth asking for.
WORTH = 0.05

#: What names a person, and is not enough to find one.
PEOPLE = (Meaning.FULL_NAME, Meaning.GIVEN_NAME, Meaning.FAMILY_NAME)

#: What a rule asks, in words that hold no value.
ASKS = {
    Check.REQUIRED: "no value is missing",
    Check.UNIQUE: "no value comes twice",
    Check.ALLOWED: "every value is one of the codes agreed",
    Check.RANGE: "every value is within its bounds",
    Check.PATTERN: "every value is written as agreed",
    Check.CHECK_DIGIT: "every check digit is right",
    Check.EXPRESSION: "a condition between columns holds",
    Check.REFERENCE: "every value is one of another dataset's",
}
#: What the fields of an index are called for people.
FIELD_NAMES = {"given": "given name", "family": "family name", "born": "date of birth", "year": "year of birth"}

#: What becomes of a file that has drifted.
WHAT_THEN = {
    Policy.EVOLVE: "The load goes on, and the contract follows it",
    Policy.HOLD: "The load would wait for a person's decision",
    Policy.REFUSE: "The load would be refused",
}

_SURE = ((0.95, "sure"), (0.8, "fairly sure"), (0.0, "unsure"))


def report_of(looked: Looked) -> dict[str, Any]:
    """The whole report as plain values."""
    contract, tally = looked.contract, looked.found.tally
    breaks = _breaks(looked)
    return {
        "report": "supplier's kit", "version": __version__, "dataset": contract.dataset, "owner": contract.owner,
        "layout": layout_sentence(contract.layout), "verdict": looked.verdict,
        "rows": {"read": tally.read, "good": tally.good, "quarantined": tally.quarantined,
                 "share_quarantined": round(tally.share_quarantined, 6)},
        "accepts": {"accepted_up_to": contract.thresholds.accept, "held_up_to": contract.thresholds.hold},
        "columns": _columns(looked),
        "notices": list(looked.found.notices),
        "drift": drifting.facts(shown_drift(looked)),
        "breaks": breaks,
        "match": [_match(one) for one in looked.reach],
        "first": _first(looked, breaks),
        "questions": [q.plain for q in open_questions(contract)],
    }  # fmt: skip


def _columns(looked: Looked) -> list[dict[str, Any]]:
    unread = dict(looked.found.tally.unread)
    rows = looked.found.tally.read - dict(looked.found.tally.by_rule).get(UNSPLIT, 0)
    return [
        {"number": number, "column": told.source, "seems": told.seems, "read_as": told.read_as, "sure": told.sure,
         "how_sure": next(words for least, words in _SURE if told.sure >= least), "handled": told.handled,
         "filled": round(filled / rows, 6) if rows else 0.0, "unreadable": unread.get(column.name, 0),
         "codes": len(column.codes), "note": told.note}
        for number, (told, column, filled) in enumerate(
            zip(describe(looked.contract), looked.contract.columns, looked.filled, strict=True), 1)
    ]  # fmt: skip


def _breaks(looked: Looked) -> list[dict[str, Any]]:
    """Rules that rows break, the commonest first, and rules on the whole that the file breaks."""
    contract, tally = looked.contract, looked.found.tally
    rules = {rule.name: rule for rule in (*row_rules(contract), *unique_rules(contract))}
    shown = dict(zip((c.name for c in contract.columns), shown_columns(contract), strict=True))
    found = [
        {"column": ", ".join(shown[c][1] for c in rules[name].over) if name in rules else "",
         "rule": _asked(contract, rules.get(name), name=name), "rows": n, "becomes": "quarantined"}
        for name, n in sorted(tally.by_rule, key=lambda item: -item[1])
    ]  # fmt: skip
    whole = [{"column": "", "rule": name, "rows": 0, "becomes": "holds the load"} for name in broken_rules(
        contract, tally)]  # fmt: skip
    return found + whole


def _asked(contract: Contract, rule: Rule | None, *, name: str) -> str:
    """What a rule asks: in its author's words where it has them, else in ours, which name no column."""
    if rule is None or rule in contract.rules or not rule.over:
        return name
    if rule.check is Check.TYPE:
        return f"every value can be read as {contract.column(rule.over[0]).kind.value}"
    return ASKS[rule.check]


def _match(one: Reach) -> dict[str, Any]:
    return {
        "index": one.index, "rows": one.rows,
        "fields": {FIELD_NAMES.get(field, field): round(share, 6) for field, share in one.fields.items()},
        "points_to_one": {"least": round(one.low, 6), "most": round(one.high, 6)},
        "sample": {"entities": one.sample, "rows_found": one.found},
    }  # fmt: skip


def _first(looked: Looked, breaks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to mend, what costs most rows first."""
    steps = [_step(d.told, why=WHAT_THEN[d.policy], how="Deliver it as agreed, or bring the contract up to date")
             for d in shown_drift(looked)]  # fmt: skip
    for one in breaks:
        where = f"In {one['column']}: {one['rule']}" if one["column"] else one["rule"]
        rows = f"{one['rows']:,} rows do not keep it" if one["rows"] else "The file as a whole does not keep it"
        steps.append(_step(where, why=rows, how="Correct these rows where they come from", rows=one["rows"]))
    unread = dict(looked.found.tally.unread)
    for column, (_, heading) in zip(looked.contract.columns, shown_columns(looked.contract), strict=True):
        if unread.get(column.name) and not any(b["column"] == heading for b in breaks):
            why = f"{unread[column.name]:,} values cannot be read as {column.kind.value}; their rows go on without them"
            steps.append(
                _step(f"In {heading}: values that cannot be read", why=why, how="Write them as the others are")
            )
    for reached in looked.reach:
        steps += _for_matching(reached)
    if looked.contract.meaning(*PEOPLE) and "demographic" not in {use.index for use in looked.contract.indexes}:
        how = "Add the date of birth (or its year), or an NHS or National Insurance number, if you hold it"
        steps.append(
            _step("People would not be matched", why="Names alone do not tell one person from others", how=how)
        )
    withheld = sum(c.handling is Handling.WITHHELD for c in looked.contract.columns)
    if withheld:
        why = "It is not sure what they hold, or they hold words that may name people"
        how = "Answer the questions below; a steward decides on what is left"
        steps.append(_step(f"{withheld} columns would be withheld from analysts", why=why, how=how))
    return [{"number": number, **step} for number, step in enumerate(steps, 1)]


def _for_matching(one: Reach) -> list[dict[str, Any]]:
    """Fields that are badly filled, and those that are not there and would tell most."""
    steps = []
    for field, share in one.fields.items():
        if 0 < share < WELL_FILLED and one.high < WELL_MATCHED:
            what = f"Only {share:.0%} of rows have a usable {FIELD_NAMES.get(field, field)}"
            steps.append(
                _step(what, why=f"It finds records in the {one.index} index", how="Fill it in where you know it")
            )
    gains = _gains(one)
    if one.high < WELL_MATCHED and gains:
        field, chance = max(gains.items(), key=lambda item: item[1])
        what = f"Records would be found better with {FIELD_NAMES.get(field, field)}"
        why = f"As the file is, at most {one.high:.0%} of rows point to one entity of the {one.index} index; up to"
        steps.append(_step(what, why=f"{why} {chance:.0%} would with it", how="Add the column if you hold it"))
    return steps


def _gains(one: Reach) -> Mapping[str, float]:
    """For each field that the file lacks: the share of rows that would point to one entity if all rows had it."""
    there = [field for field, share in one.fields.items() if share >= 0.5]
    lacking = [field for field in FIELDS[one.index] if field not in one.fields]
    chances = {field: points_to_one(one.index, [*there, field]) for field in lacking}
    return {field: chance for field, chance in chances.items() if chance is not None and chance > one.high + WORTH}


def _step(what: str, *, why: str, how: str, rows: int = 0) -> dict[str, Any]:
    return {"what": what, "why": why, "how": how, "rows": rows}
