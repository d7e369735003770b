"""When a delivered row holds: from its own date columns, else from the day of its delivery.

In order: columns that mean `effective_from` and `effective_to`; days of registration; dates of events
whose headings say start or end; a month; the date of an event; the delivery's day. Both ends count, as
everywhere in the service; a row without an end holds until something else is said.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.vocabulary.sql import name

#: Words of a heading by which an event's date is the first or the last day of what the row says.
_STARTS = frozenset({"start", "starts", "started", "from", "since", "begin", "begins", "began", "commenced", "joined"})
_ENDS = frozenset({"end", "ends", "ended", "to", "until", "till", "left", "leaving", "ceased", "finished"})

_DATED = (Kind.DATE, Kind.TIMESTAMP)


@dataclass(frozen=True)
class Dated:
    """SQL, over a published row, of its first and last day; None where its columns do not say.

    `moment`: the row speaks of one day, and not of what came before or after.
    """

    start: str | None = None
    end: str | None = None
    moment: bool = False

    @property
    def own(self) -> bool:
        """Whether the rows carry dates of their own."""
        return self.start is not None or self.end is not None


def dated(contract: Contract, *, published: Collection[str]) -> Dated:
    """How rows of a contract are dated; only published columns count."""
    columns = [c for c in contract.columns if c.name in published and c.kind in _DATED]
    starts, ends = _says(_STARTS), _says(_ENDS)
    start = _own(columns, Meaning.EFFECTIVE_FROM, Meaning.REGISTERED_FROM)
    start = start or _first(columns, Meaning.EVENT_DATE, told=starts)
    end = _own(columns, Meaning.EFFECTIVE_TO, Meaning.REGISTERED_TO)
    end = end or _first(columns, Meaning.EVENT_DATE, told=ends)
    if start or end:
        return Dated(_day(start), _day(end))
    month = _day(_first(columns, Meaning.MONTH))
    if month:
        return Dated(f"date_trunc('month', {month})::DATE", f"last_day({month})")
    event = _day(_first(columns, Meaning.EVENT_DATE))
    return Dated(event, moment=event is not None)


def _own(columns: list[Column], *meanings: Meaning) -> Column | None:
    return next((found for m in meanings if (found := _first(columns, m))), None)


def _first(
    columns: list[Column], meaning: Meaning, *, told: Callable[[Column], bool] = lambda _: True
) -> Column | None:
    return next((c for c in columns if c.meaning is meaning and told(c)), None)


def _says(wanted: frozenset[str]) -> Callable[[Column], bool]:
    return lambda column: bool(wanted & set(re.split(r"[^a-z]+", column.name.lower())))


def _day(column: Column | None) -> str | None:
    return f"{name(column.name)}::DATE" if column else None
