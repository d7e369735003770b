"""Names and numbers that stages share about marks on rows: what could not be read, what broke a rule.

A mark is a bit. Bits are numbered from 0 over all rules of a contract and packed into BIGINT
columns of `BITS` each: bit 0 to 61 in `_failed`, 62 to 123 in `_failed_1`, and so on.
"""

from collections.abc import Iterable, Mapping

from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Kind

#: Row number of the saved checked file, from 0; added when it is read (`Stored.row_column`).
ROW = "_row"
#: Marks of values that are there but cannot be read as their column's kind.
UNREAD = "_unread"
#: Marks of rules a row breaks; 0 in every `_failed` column means the row is good.
FAILED = "_failed"
#: What is noted of a column of numbers of which a sample showed that a few are none.
SLIPS = "a few of its values are no numbers: their rows are held back"
#: The raw text of unreadable values: for each, `PIECE` number `VALUE` text.
RAW = "_raw"
PIECE, VALUE = "\x1e", "\x1f"
#: Bits in one mask column: a BIGINT without its sign, and one to spare.
BITS = 62
#: The mark, in the first `_failed` column, of a row whose values were erased: it is none of any rule's.
ERASED = 1 << BITS
#: The mark, there too, of a row that would be published a second time: the sign, which is none of any rule's either.
DOUBLED = -(1 << 63)


def typed(contract: Contract) -> tuple[Column, ...]:
    """Columns whose values may be unreadable, in order: everything but text. Bit k is the k-th of them."""
    return tuple(c for c in contract.columns if c.kind is not Kind.STRING)


def mask_names(base: str, bits: int) -> tuple[str, ...]:
    """The mask columns that hold `bits` bits (at least one column)."""
    return tuple(base if i == 0 else f"{base}_{i}" for i in range(max(1, -(-bits // BITS))))


def masks_sql(
    conditions: Iterable[tuple[int, str]], masks: int, *, hints: Mapping[int, str] | None = None
) -> list[str]:
    """One BIGINT expression per mask from (bit number, condition); a NULL condition sets no bit.

    Few rows have a mark, so each mask first asks whether any of its conditions holds; `hints` gives,
    by bit number, a cheaper question that must hold where the condition does.
    """
    terms: list[list[tuple[str, str]]] = [[] for _ in range(masks)]
    for bit, condition in conditions:
        marked = f"CASE WHEN {condition} THEN {1 << (bit % BITS)} ELSE 0 END"
        terms[bit // BITS].append(((hints or {}).get(bit, condition), marked))
    return [_mask_sql(mask) for mask in terms]


def _mask_sql(terms: list[tuple[str, str]]) -> str:
    if not terms:
        return "0::BIGINT"
    some = " OR ".join(f"({hint})" for hint, _ in terms)
    return f"CASE WHEN {some} THEN ({' + '.join(marked for _, marked in terms)})::BIGINT ELSE 0::BIGINT END"


def bit_sql(base: str, bit: int) -> str:
    """Whether a bit is set in the masks called `base`."""
    column = mask_names(base, bit + 1)[-1]
    return f'(("{column}" >> {bit % BITS}) & 1) = 1'


def spread_sql(rows: int, *, places: int, run: int) -> str:
    """Whether a row is in one of `places` runs of `run` rows spread evenly over `rows` rows, by its row number.

    Reading runs of rows costs a reader little: it passes over what lies between them.
    """
    starts = [place * (rows - run) // (places - 1) for place in range(places)]
    return " OR ".join(f"{ROW} BETWEEN {start} AND {start + run - 1}" for start in starts)
