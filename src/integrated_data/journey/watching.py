"""Watching a feed: a checked delivery is measured, and compared with those of its feed before it."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from integrated_data.acquire.feeds.schedule import end_of, moment_of
from integrated_data.control import bodies, feeds
from integrated_data.journey import checking
from integrated_data.journey.workshop import Load, Workshop
from integrated_data.model.contract import Contract
from integrated_data.model.feed import Every, Measures, Surprise, Watch
from integrated_data.validate.measures import measure
from integrated_data.validate.unlike import WINDOW, Past, surprises


def watched(workshop: Workshop, load: Load, *, contract: Contract, place: Path) -> tuple[Any, tuple[Surprise, ...]]:
    """Measures of a delivery's good rows, as they are kept, and what the feed's past does not explain about it.

    None and nothing for a delivery that came by no feed, or by one that is not watched. `place`: its checked rows.
    """
    with workshop.store.read() as connection:
        came = feeds.of_delivery(connection, load.delivery.id)
    if came is None or came[0].watch is None:
        return None, ()
    definition, file = came
    every, watch = definition.schedule.every, definition.watch
    assert watch is not None
    checking.load_good(workshop.engine, contract, place=place)
    found = measure(
        workshop.engine, contract, relation=checking.GOOD, volume=watch.volume, period=_period(file.period, every)
    )
    with workshop.store.read() as connection:
        kept = feeds.measured(connection, definition.id, before=file.period, most=WINDOW[every])
    past = [Past(p, bodies.read(Measures, m, what="measures"), _exempt(p, watch)) for p, m in kept]
    today = Past(file.period, found, _exempt(file.period, watch))
    told = surprises(today, past, every=every)
    return bodies.write(found), told if watch.hold else tuple(Surprise(s.kind, s.told, False) for s in told)


def _period(period: str, every: Every) -> tuple[datetime, datetime] | None:
    return (moment_of(period), end_of(period, every)) if period else None


def _exempt(period: str, watch: Watch) -> bool:
    return bool(period) and date.fromisoformat(period[:10]) in watch.exempt
