"""Which rules a contract asks for, in one order that gives each its bit, and each as a SQL condition."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from integrated_data.model.contract import Check, Column, Contract, Format, Mode, Rule
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.validate.expression import expression_sql
from integrated_data.vocabulary.identifiers import national_insurance_valid_sql, nhs_number_valid_sql
from integrated_data.vocabulary.marks import RAW, typed
from integrated_data.vocabulary.postcodes import is_postcode_sql
from integrated_data.vocabulary.sql import name, text, texts

#: An inferred type that is less sure than this sends no row to quarantine.
SURE = 0.9
#: Allowed values up to which each is compared by itself.
FEW = 30
#: Checks that more than one row decides.
OVER_TABLES = (Check.UNIQUE, Check.ROW_COUNT, Check.TABLE, Check.COVERS)
#: The rule against rows that a quotation mark swallowed.
LINE_ENDS = "no line is swallowed"
#: The rule against a last row that is a total of those above.
TOTALS = "no row is a total of others"
#: The rule against lines of JSON that hold none of the columns.
NOTHING = "the line holds a value"

_CHECK_DIGITS: dict[Meaning, Callable[[str], str]] = {
    Meaning.NHS_NUMBER: nhs_number_valid_sql,
    Meaning.NATIONAL_INSURANCE_NUMBER: national_insurance_valid_sql,
    Meaning.POSTCODE: is_postcode_sql,
}


def tolerated(contract: Contract, column: Column) -> bool:
    """Whether an unreadable value of a column is noted and its row goes on.

    An inferred contract is nobody's promise: an identifier that cannot be read still lets the record
    be matched by the others, and a type that was a guess is no reason to hold a row back.
    """
    return contract.inferred and (column.handling is Handling.IDENTIFIER or column.confidence < SURE)


def type_rules(contract: Contract) -> tuple[Rule, ...]:
    """One rule per column that has a type; bit k belongs to the k-th."""
    return tuple(
        Rule(
            f"{c.name} is {_article(c.kind)}",
            Check.TYPE,
            c.name,
            reason=f"the value cannot be read as {_article(c.kind)}",
        )
        for c in typed(contract)
    )


def _article(kind: Kind) -> str:
    return f"{'an' if kind is Kind.INTEGER else 'a'} {kind.value}"


def row_rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule over single rows, in the order of their bits.

    Types first, then columns that are required, then the contract's own, then the rule that fits the
    file's format: against swallowed lines and totals, or against lines of JSON without any of the columns.
    """
    needed = [
        Rule(f"{c.name} is there", Check.REQUIRED, c.name, reason="the value is missing")
        for c in contract.columns
        if c.required or (c.key and not contract.inferred)
    ]
    own = [
        replace(r, reason=r.reason or f"dataset {r.dataset} has no such value") if r.check is Check.REFERENCE else r
        for r in contract.rules
        if r.check not in (*OVER_TABLES, Check.TYPE)
    ]
    return (*type_rules(contract), *needed, *own, *_format_rules(contract))


def _format_rules(contract: Contract) -> tuple[Rule, ...]:
    match contract.layout.format:
        case Format.CSV | Format.EXCEL | Format.SPSS | Format.STATA | Format.SAS if len(contract.columns) > 1:
            reason = "a quotation mark that is not closed seems to have swallowed lines"
            total = Rule(
                TOTALS, Check.PATTERN, reason="it is a total of the rows above, as it says or as its numbers do"
            )
            return (Rule(LINE_ENDS, Check.PATTERN, reason=reason), total)
        case Format.JSONL:
            return (Rule(NOTHING, Check.REQUIRED, reason="the line is no JSON object with any of the columns"),)
        case _:
            return ()


def unique_rules(contract: Contract) -> tuple[Rule, ...]:
    """Rules over the whole table that name rows: no two rows may share these values."""
    implied = [
        Rule(f"{c.name} is unique", Check.UNIQUE, c.name, reason="an earlier row has the same value")
        for c in contract.columns
        if c.unique or (c.key and _keyed(contract) and sum(k.key for k in contract.columns) == 1)
    ]
    keys = tuple(c.name for c in contract.columns if c.key)
    if len(keys) > 1 and _keyed(contract):
        reason = "an earlier row has the same values"
        implied.append(Rule("the key is unique", Check.UNIQUE, columns=keys, reason=reason))
    own = [replace(r, reason=r.reason or "an earlier row has the same value") for r in contract.rules]
    return (*implied, *(r for r in own if r.check is Check.UNIQUE))


def _keyed(contract: Contract) -> bool:
    """Whether a key stands once in a delivery: not where that is a guess, nor where rows tell changes of a record."""
    return not contract.inferred and contract.mode is not Mode.CHANGES


def across_rules(contract: Contract) -> tuple[Rule, ...]:
    """Rules across datasets, in order: those that single rows break, as `row_rules` has them, and the others."""
    single = (r for r in row_rules(contract) if r.check is Check.REFERENCE)
    return (*single, *(r for r in contract.rules if r.check is Check.COVERS))


def as_texts(contract: Contract, columns: Sequence[str]) -> list[str]:
    """The columns' values as SQL of texts, for two datasets may hold one code as a text and as a number."""
    return [f"CAST({name(contract.column(c).name)} AS VARCHAR)" for c in columns]


def broken_sql(contract: Contract, rule: Rule, *, other: str | None = None) -> str:
    """Whether a row of standardised values breaks the rule; a missing value breaks only REQUIRED.

    `other`: the relation of the values `v0`, … that a REFERENCE is held against; nothing breaks it without.
    """
    if rule.check is Check.REFERENCE:
        return _unreferred_sql(contract, rule, other=other)
    if rule.column is None and rule.name == LINE_ENDS:
        return _swallowed_sql(contract)
    if rule.column is None and rule.name == NOTHING:
        return " AND ".join(f"{name(c.name)} IS NULL" for c in contract.columns)
    if rule.check is Check.EXPRESSION:
        names = [c.name for c in contract.columns]
        return f"NOT ({expression_sql(rule.expression or '', names, rule=rule.name)})"
    column = contract.column(rule.column or "")
    value = name(column.name)
    match rule.check:
        case Check.REQUIRED:
            return f"{value} IS NULL"
        case Check.ALLOWED:
            written = value if column.kind is Kind.STRING else f"CAST({value} AS VARCHAR)"
            return _none_of_sql(written, rule.values)
        case Check.PATTERN:
            return f"NOT regexp_full_match(CAST({value} AS VARCHAR), {text(rule.pattern or '')})"
        case Check.RANGE:
            return _outside_sql(column, rule)
        case Check.CHECK_DIGIT if column.meaning in _CHECK_DIGITS:
            return f"{value} IS NOT NULL AND NOT ({_CHECK_DIGITS[column.meaning](value)})"
        case _:
            raise ContractRefusal(
                f"Rule {rule.name} of dataset {contract.dataset} cannot be tested on column {column.name}",
                why="Its meaning has no check digit" if rule.check is Check.CHECK_DIGIT else "",
                next_step="Correct the rule or the column's meaning",
            )


def _unreferred_sql(contract: Contract, rule: Rule, *, other: str | None) -> str:
    values = as_texts(contract, rule.columns)
    if other is None:
        return "false"
    there = " AND ".join(f"{value} IS NOT NULL" for value in values)
    same = " AND ".join(f"{value} = v{n}" for n, value in enumerate(values))
    return f"{there} AND NOT EXISTS (SELECT 1 FROM {name(other)} WHERE {same})"


def _none_of_sql(value: str, allowed: Sequence[str]) -> str:
    """Whether a value is none of those allowed; short lists one by one, longer ones as a type, for a list after IN is
    joined as a table, which does not keep the order of rows."""
    if 0 < len(allowed) <= FEW:
        return f"NOT ({' OR '.join(f'{value} = {text(v)}' for v in allowed)})"
    return f"{value} IS NOT NULL AND TRY_CAST({value} AS ENUM {texts(dict.fromkeys(allowed))}) IS NULL"


def _outside_sql(column: Column, rule: Rule) -> str:
    kinds = {Kind.DATE: "DATE", Kind.TIMESTAMP: "TIMESTAMP", Kind.INTEGER: "DOUBLE", Kind.NUMBER: "DOUBLE"}
    as_type = kinds.get(column.kind, "VARCHAR")
    sides = [(rule.low, "<"), (rule.high, ">")]
    tests = [
        f"{name(column.name)} {sign} CAST({text(bound)} AS {as_type})" for bound, sign in sides if bound is not None
    ]
    if as_type == "DOUBLE":
        for bound in (rule.low, rule.high):
            _check_number(rule, bound)
    return " OR ".join(f"({test})" for test in tests) or "false"


def _check_number(rule: Rule, bound: str | None) -> None:
    try:
        float(bound or 0)
    except ValueError:
        raise ContractRefusal(
            f"Rule {rule.name} has a bound that is no number", next_step="Write low and high as numbers"
        ) from None


def _swallowed_sql(contract: Contract) -> str:
    """Whether some text holds line ends and as many delimiters as whole rows between them would.

    So may what could not be read as its column's type, which is let pass where the contract is a guess.
    """
    between = len(contract.columns) - 1
    delimiter = text(contract.layout.delimiter)
    tests = []
    texts_of = [c.name for c in contract.columns if c.kind is Kind.STRING] + ([RAW] if typed(contract) else [])
    for value in map(name, texts_of):
        ends = f"(length({value}) - length(replace({value}, chr(10), '')))"
        marks = f"(length({value}) - length(replace({value}, {delimiter}, '')))"
        tests.append(f"(contains({value}, chr(10)) AND {marks} >= {between} * {ends})")
    return " OR ".join(tests) or "false"
