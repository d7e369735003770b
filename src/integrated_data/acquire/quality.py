"""Rules of a contract as the quality checks of the Open Data Contract Standard 3.1, and back.

What the standard's library can say is said with it (nullValues, duplicateValues, invalidValues,
rowCount); a range, a check digit and an expression are custom checks of the engine
`integrated-data`.
"""

from typing import Any

from integrated_data.acquire.fields import Fields, wrong
from integrated_data.model.contract import Check, Rule

ENGINE = "integrated-data"

_KEYS = (
    "name", "description", "type", "metric", "arguments", "engine", "implementation", "mustBe",
    "mustBeBetween", "mustBeGreaterOrEqualTo", "mustBeLessOrEqualTo", "dimension", "severity", "unit",
    "businessImpact", "tags", "customProperties", "authoritativeDefinitions", "method", "schedule",
    "scheduler", "id",
)  # fmt: skip
_NO_ROWS = {"mustBe": 0}


def written(rule: Rule) -> dict[str, Any]:
    """One rule as a quality check."""
    check: dict[str, Any] = {"name": rule.name, **({"description": rule.reason} if rule.reason else {})}
    match rule.check:
        case Check.REQUIRED:
            return check | {"metric": "nullValues"} | _NO_ROWS
        case Check.UNIQUE if rule.columns:
            return check | {"metric": "duplicateValues", "arguments": {"properties": list(rule.columns)}} | _NO_ROWS
        case Check.UNIQUE:
            return check | {"metric": "duplicateValues"} | _NO_ROWS
        case Check.ALLOWED:
            return check | {"metric": "invalidValues", "arguments": {"validValues": list(rule.values)}} | _NO_ROWS
        case Check.PATTERN:
            return check | {"metric": "invalidValues", "arguments": {"pattern": rule.pattern}} | _NO_ROWS
        case Check.ROW_COUNT:
            return check | {"metric": "rowCount"} | _count(rule)
        case _:
            parts = {"low": rule.low, "high": rule.high, "expression": rule.expression}
            inside: dict[str, Any] = {"check": rule.check.value}
            inside |= {k: v for k, v in parts.items() if v is not None}
            if rule.dataset:
                inside |= {"columns": list(rule.columns), "dataset": rule.dataset, "others": list(rule.others)}
            return check | {"type": "custom", "engine": ENGINE, "implementation": inside}


def _count(rule: Rule) -> dict[str, Any]:
    low = None if rule.low is None else int(rule.low)
    high = None if rule.high is None else int(rule.high)
    if low is not None and high is not None:
        return {"mustBeBetween": [low, high]}
    return {"mustBeLessOrEqualTo": high} if low is None else {"mustBeGreaterOrEqualTo": low}


def read(check: Fields, column: str | None) -> Rule | None:
    """The rule a quality check asks for; None for one that is text or another engine's."""
    kind = check.text("type", "library")
    if kind not in ("library", "custom"):
        return None
    check.known(_KEYS)
    name = check.text("name")
    reason = check.text("description", "")
    if kind == "custom":
        return _custom(check, column, name=name, reason=reason)
    metric = check.text("metric")
    if metric == "rowCount":
        low, high = _bounds(check)
        return Rule(name, Check.ROW_COUNT, low=low, high=high, reason=reason)
    if column is None and metric == "duplicateValues":
        return _unique(check, name=name, reason=reason)
    if column is None:
        raise wrong(
            check.path("metric"), "This check belongs to one column", next_step="Move it under that property's quality"
        )
    if check.values.get("mustBe") != "0":
        raise wrong(check.path("mustBe"), "Rows that fail are quarantined, so none may", next_step="Write mustBe: 0")
    return _on_values(check, column, name=name, reason=reason)


def _on_values(check: Fields, column: str, *, name: str, reason: str) -> Rule:
    match check.text("metric"):
        case "nullValues" | "missingValues":
            return Rule(name, Check.REQUIRED, column, reason=reason)
        case "duplicateValues":
            return Rule(name, Check.UNIQUE, column, reason=reason)
        case "invalidValues":
            given = Fields.of(check.path("arguments"), check.values.get("arguments", {}))
            given.known(("validValues", "pattern"))
            if "pattern" in given.values:
                return Rule(name, Check.PATTERN, column, pattern=given.text("pattern"), reason=reason)
            return Rule(name, Check.ALLOWED, column, values=given.texts("validValues"), reason=reason)
        case _:
            metrics = "nullValues, duplicateValues, invalidValues or rowCount"
            raise wrong(check.path("metric"), "The service does not know this metric", next_step=f"Use {metrics}")


def _custom(check: Fields, column: str | None, *, name: str, reason: str) -> Rule | None:
    if check.text("engine") != ENGINE:
        return None
    inside = Fields.of(check.path("implementation"), check.values.get("implementation"))
    inside.known(("check", "low", "high", "expression", "columns", "dataset", "others"))
    kind = inside.choice("check", Check)
    if kind in (Check.REFERENCE, Check.COVERS):
        return _across(inside, kind, name=name, reason=reason)
    if kind not in (Check.RANGE, Check.CHECK_DIGIT, Check.EXPRESSION, Check.TABLE, Check.TYPE):
        raise wrong(inside.path("check"), "This check has a metric of its own", next_step="Use the standard's metric")
    if kind in (Check.EXPRESSION, Check.TABLE):
        inside.text("expression")
    elif column is None:
        raise wrong(
            inside.path("check"), "This check belongs to one column", next_step="Move it under that property's quality"
        )
    parts = {k: inside.text(k) for k in ("low", "high", "expression") if k in inside.values}
    return Rule(
        name, kind, column, low=parts.get("low"), high=parts.get("high"), expression=parts.get("expression"),
        reason=reason,
    )  # fmt: skip


def _unique(check: Fields, *, name: str, reason: str) -> Rule:
    given = Fields.of(check.path("arguments"), check.values.get("arguments", {}))
    given.known(("properties",))
    columns = given.texts("properties")
    if not columns or len(set(columns)) != len(columns):
        raise wrong(given.path("properties"), "It names columns, each once", next_step="Write properties: [a, b]")
    return Rule(name, Check.UNIQUE, columns=columns, reason=reason)


def _across(inside: Fields, kind: Check, *, name: str, reason: str) -> Rule:
    columns, others = inside.texts("columns"), inside.texts("others")
    if not columns or len(columns) != len(others):
        raise wrong(
            inside.path("others"), "It names as many columns of the other dataset as of this one",
            next_step="Write columns: [ref], dataset: register, others: [id]",
        )  # fmt: skip
    return Rule(name, kind, columns=columns, dataset=inside.text("dataset"), others=others, reason=reason)


def _bounds(check: Fields) -> tuple[str | None, str | None]:
    if "mustBeBetween" in check.values:
        both = check.texts("mustBeBetween")
        if len(both) != 2:
            raise wrong(check.path("mustBeBetween"), "It must hold two numbers", next_step="Write [1, 1000000]")
        low, high = both[0], both[1]
        return _whole(check, low), _whole(check, high)
    if "mustBeGreaterOrEqualTo" in check.values:
        return _whole(check, check.text("mustBeGreaterOrEqualTo")), None
    if "mustBeLessOrEqualTo" in check.values:
        return None, _whole(check, check.text("mustBeLessOrEqualTo"))
    raise wrong(check.path("metric"), "A row count needs bounds", next_step="Add mustBeBetween: [1, 1000000]")


def _whole(check: Fields, value: str) -> str:
    if not value.isdigit():
        raise wrong(check.path("metric"), "Row counts are whole numbers", next_step="Write them as digits")
    return str(int(value))
