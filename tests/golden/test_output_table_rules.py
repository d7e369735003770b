"""The rules of whole tables, as goldens of two lines each; every rule of the book is shown passing and failing."""

import pytest

from integrated_data.model.evidence import CellEvidence
from integrated_data.model.output import Cell, Outcome, OutputColumn, ReleaseLimits, Role
from integrated_data.output.chosen import Chosen
from integrated_data.output.limits import strictest
from integrated_data.output.rulebook import limit_rows, rule_rows
from integrated_data.output.table import Row, Table
from integrated_data.output.table_rules import TABLE_RULES, Drawn, table_findings
from tests.access_side import Golden, goldens

TABLES = list(goldens("output_table_rules/*.txt"))


def drawn_of(statement: str) -> Drawn:
    """`region n#: N=50; S=60` as a table: keys, then figures and what is stated."""
    head, _, body = statement.partition(": ")
    keys, *others = head.split(" ")
    columns = [OutputColumn(name, Role.KEY, key=n) for n, name in enumerate(keys.split(","))]
    for name in others:
        role = Role.LABEL if name.endswith("!") else Role.FIGURE
        plain = 0 if role is Role.FIGURE else None
        columns.append(
            OutputColumn(name.rstrip("#!"), role, plain=plain, count=role is Role.FIGURE, constant=role is Role.LABEL)
        )
    rows, evidence, stated = [], {}, set()
    for group in groups_of(body):
        values, _, size = group.rpartition("=")
        stated |= {values.strip("'")} if values.startswith("'") else set()
        values = values.strip("'")
        people, _, many = size.partition("/")
        cell = Cell((False,) * len(keys.split(",")), tuple(values.split(",") if "," in keys else (values,)))
        figures = [int(people) if c.role is Role.FIGURE else "x" for c in columns if c.key is None]
        rows.append(Row(cell, (*cell.values, *figures)))
        evidence[cell] = CellEvidence(int(people), int(people), int(many or people))
    return Drawn(Table(tuple(columns), tuple(rows)), (evidence,), chosen=Chosen(stated=frozenset(stated)))


def groups_of(body: str) -> list[str]:
    found = []
    for group in body.split("; "):
        count, of, pattern = group.partition(" of ")
        found += [pattern.replace("*", str(n)) for n in range(int(count))] if of else [group]
    return found


@pytest.mark.parametrize("drawn", TABLES, ids=lambda d: d.statement[:70])
def test_a_table_breaks_these_rules(drawn: Golden) -> None:
    found = table_findings(drawn_of(drawn.statement), ReleaseLimits())
    said = [f.rule + ("*" if f.outcome is Outcome.NOTE else "") for f in found]
    assert (", ".join(said) or "pass") == drawn.expected


def test_every_rule_of_a_table_has_a_golden() -> None:
    shown = {rule.rstrip("*") for drawn in TABLES for rule in drawn.expected.split(", ")}
    assert {rule.name for rule in TABLE_RULES} == shown - {"pass"}


def test_a_result_as_long_as_what_it_reads_is_a_data_set() -> None:
    listed = Drawn(drawn_of("a n#: 30 of x*=1").table, rows=60)
    assert [f.rule for f in table_findings(listed, ReleaseLimits())] == ["microdata"]
    assert table_findings(Drawn(listed.table, rows=61), ReleaseLimits()) == []


def test_the_strictest_of_every_limit_holds_and_says_whose_it_is() -> None:
    gp = ReleaseLimits(minimum_people=30, dominance_share=0.95, minimum_population=0)
    own = ReleaseLimits(minimum_people=20, dominance_share=0.8)
    held = strictest([("agreement A-1 on gp", gp), ("project P-1", own)])
    assert (held.minimum_people, held.dominance_share, held.minimum_population) == (30, 0.8, 1_000)
    by = {row["limit"]: row["set_by"] for row in limit_rows(held)}
    assert (by["minimum_people"], by["dominance_share"]) == ("agreement A-1 on gp", "project P-1")
    assert {by["minimum_population"], by["p_ratio"]} == {"the service"}


def test_the_book_gives_every_rule_its_argument_and_source() -> None:
    rows = rule_rows(strictest([("project P-1", ReleaseLimits(minimum_people=20))]))
    assert all(row["argument"] and row["source"] and row["threshold"] for row in rows)
    (minimum,) = (row for row in rows if row["rule"] == "minimum people")
    assert (minimum["threshold"], minimum["set_by"]) == ("at least 20 people", "project P-1")
