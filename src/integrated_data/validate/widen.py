"""Widen: an inferred type that the whole file proves too narrow is taken back and the load checked again.

Inference sees a sample. Where the rest of the file holds numbers with decimals in a column of whole
numbers, or text in one of numbers, the guess was wrong and not the rows.
"""

from collections.abc import Mapping
from dataclasses import replace

from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract
from integrated_data.model.delivery import Tally
from integrated_data.model.meanings import Handling, Kind
from integrated_data.vocabulary.detect import wide_sql
from integrated_data.vocabulary.marks import PIECE, RAW, SLIPS, UNREAD, VALUE, bit_sql, typed
from integrated_data.vocabulary.numbers import number_sql
from integrated_data.vocabulary.sql import name, text

#: Share of rows unreadable from which a type is given up: more than slips of the pen.
TOO_MANY = 0.005
#: So many values of a short file are slips all the same.
FEW_SLIPS = 2
#: The share where the sample showed some already, and the type is right for all the others.
TOO_MANY_SLIPS = 0.05


def widened(engine: Engine, contract: Contract, *, checked: str, counted: Tally) -> Contract | None:
    """The contract with wider types where the file needs them, or None when it stands.

    Only an inferred contract is widened; a person's contract is a promise, and rows that break it are
    quarantined.
    """
    unread = dict(counted.unread)
    if not contract.inferred or not unread:
        return None
    decimals = _decimals(engine, contract, checked=checked, unread=unread)
    columns = tuple(
        _wider(c, unread.get(c.name, 0), decimals=decimals.get(c.name, 0), rows=counted.read) for c in contract.columns
    )
    return replace(contract, columns=columns) if columns != contract.columns else None


def _decimals(engine: Engine, contract: Contract, *, checked: str, unread: Mapping[str, int]) -> dict[str, int]:
    """Per column of whole numbers, unreadable values that are numbers all the same, and keep their digits as such."""
    found = {}
    for k, column in enumerate(typed(contract)):
        if column.kind is Kind.INTEGER and column.name in unread:
            begin = f"split_part({RAW}, {text(f'{PIECE}{k}{VALUE}')}, 2)"
            raw = f"split_part({begin}, {text(PIECE)}, 1)"
            sql = (
                f"SELECT count({number_sql('raw', decimal=column.decimal)}) FILTER (NOT ({wide_sql('raw')})) AS n FROM "
                f"(SELECT {raw} AS raw FROM {name(checked)} WHERE {bit_sql(UNREAD, k)})"
            )
            found[column.name] = int(engine.rows(sql)["n"][0].as_py())
    return found


def _wider(column: Column, unread: int, *, decimals: int, rows: int) -> Column:
    some = TOO_MANY_SLIPS * rows
    if unread - decimals > (some if column.title == SLIPS else max(TOO_MANY * rows, min(FEW_SLIPS, some))):
        if column.handling is Handling.IDENTIFIER:
            return column
        note = "too many values could not be read as the type it seemed to have"
        return replace(column, kind=Kind.STRING, formats=(), handling=Handling.WITHHELD, confidence=0.5, title=note)
    return replace(column, kind=Kind.NUMBER) if decimals else column
