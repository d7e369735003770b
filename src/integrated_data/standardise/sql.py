"""The whole projection: contract names, standard values, and a mark on every value that cannot be read."""

from integrated_data.model.contract import Contract
from integrated_data.standardise.values import present_sql, source_sql, value_sql
from integrated_data.vocabulary.marks import (
    PIECE,
    RAW,
    UNREAD,
    VALUE,
    bit_sql,
    mask_names,
    masks_sql,
    typed,
)
from integrated_data.vocabulary.sql import name, names, text


def standardised_sql(contract: Contract, relation: str) -> str:
    """One SELECT over `relation` (landed text under delivered names).

    Gives, in contract order, every column under its contract name in its standard, then `_unread…`
    (masks of values that are there but cannot be read; bit k is the k-th of `marks.typed`) and `_raw`
    (the raw text of those values, NULL on most rows). Every value is computed once.
    """
    columns = names(c.name for c in contract.columns)
    reading = typed(contract)
    raws = [name(f"_t{k}") for k in range(len(reading))]
    values = [f"{value_sql(c, source_sql(c))} AS {name(c.name)}" for c in contract.columns]
    values += [f"{source_sql(c)} AS {raw}" for c, raw in zip(reading, raws, strict=True)]
    inner = f"SELECT {', '.join(values)} FROM {name(relation)}"
    masks = mask_names(UNREAD, len(reading))
    conditions = [
        (k, f"{name(c.name)} IS NULL AND {present_sql(c, raw)}")
        for k, (c, raw) in enumerate(zip(reading, raws, strict=True))
    ]
    nothing = {k: f"{name(c.name)} IS NULL" for k, c in enumerate(reading)}
    written = masks_sql(conditions, len(masks), hints=nothing)
    marked = ", ".join(f"{sql} AS {name(mask)}" for mask, sql in zip(masks, written, strict=True))
    kept = ", ".join([columns, *raws])
    middle = f"SELECT {kept}, {marked} FROM ({inner})"
    return f"SELECT {columns}, {names(masks)}, {_raw_sql(masks, raws)} AS {RAW} FROM ({middle})"


def _raw_sql(masks: tuple[str, ...], raws: list[str]) -> str:
    """The raw text of unreadable values, or NULL; only rows that have some are looked at."""
    if not raws:
        return "NULL::VARCHAR"
    pieces = ", ".join(
        f"CASE WHEN {bit_sql(UNREAD, k)} THEN {text(f'{PIECE}{k}{VALUE}')} || {raw} END" for k, raw in enumerate(raws)
    )
    some = " OR ".join(f"{name(mask)} <> 0" for mask in masks)
    return f"CASE WHEN {some} THEN concat_ws('', {pieces}) END"
