"""The audit chain: events verified a second, and what is found of a chain that somebody put a hand to.

A control store of 200,000 events of the size that queries leave, written as the service writes them (one
change, one transaction) up to `WRITTEN`, and laid end to end beyond. One record is then changed in each
of its columns, removed, or exchanged with another, at places drawn at random: every one must be found, at
the first record that does not hold.
"""

import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import report
from integrated_data.audit import chain
from integrated_data.control import heads, tables
from integrated_data.control.migrate import upgrade
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.errors import AuditRefusal
from integrated_data.model.event import Event

EVENTS, WRITTEN, RUNS = 200_000, 300, 5
SHORTER, TAMPERED = 2_000, 63
MARK = 10_000  # events a second
QUERY = "SELECT region, count(DISTINCT person_key) AS people FROM census.people GROUP BY region ORDER BY region"
COLUMNS = ("at", "action", "actor", "subject", "facts", "previous", "hash")


def run() -> bool:
    """Print the table; true when every hand is found and the rate is met."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "control.db"
        writing = _written(place, EVENTS)
        seconds = [_verified(place) for _ in range(RUNS)]
        found = _tampered(Path(name))
    rate = EVENTS / statistics.median(seconds)
    report.table(
        "The audit chain",
        [{"events": EVENTS, "written a second": writing, "verified a second": rate,
          "slowest": EVENTS / max(seconds), "fastest": EVENTS / min(seconds)}],
    )  # fmt: skip
    report.table("Hands put to it", found)
    return report.marks(
        {
            f"at least {MARK:,} events a second verified": rate >= MARK,
            "every hand found, at the first record that does not hold": all(r["found"] == r["tried"] for r in found),
        }
    )


def _event(number: int) -> Event:
    facts = {
        "sql": QUERY,
        "project": f"project-{number % 40}",
        "columns": ["region", "person_key"],
        "rows": number % 900,
    }
    return Event("query run", f"analyst-{number % 50}", f"query {number}", facts)


def _written(place: Path, events: int) -> float:
    """Make a store of so many events; events a second as the service writes them."""
    engine = sqlite(place)
    upgrade(engine)
    store = Store(engine)
    started = time.perf_counter()
    for number in range(WRITTEN):
        store.record(_event(number))
    rate = WRITTEN / (time.perf_counter() - started)
    with store.read() as connection:
        last = list(records(connection))[-1]
    rows = []
    for number in range(last.number + 1, events + 1):
        event = _event(number)
        facts = dict(event.facts)
        drawn = chain.Record(number, last.at, event.action, event.actor, event.subject, facts, last.hash, "")
        last = replace(drawn, hash=chain.seal(drawn))
        rows.append(vars(last))
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.audit_event), rows)
    engine.dispose()
    return rate


def _verified(place: Path) -> float:
    engine = sqlite(place)
    started = time.perf_counter()
    with Store(engine).read() as connection:
        last, _ = heads.walk(connection)
    seconds = time.perf_counter() - started
    engine.dispose()
    if last is None or last.number != EVENTS:
        raise AssertionError(last)
    return seconds


def _tampered(folder: Path) -> list[dict[str, object]]:
    """How many of each kind of hand were tried on a shorter chain, and found."""
    draw = random.Random(5)
    kinds = [*(f"changed {column}" for column in COLUMNS), "removed", "exchanged"]
    counts = {kind: [0, 0] for kind in kinds}
    whole, place = folder / "whole.db", folder / "touched.db"
    _written(whole, SHORTER)
    for tried in range(TAMPERED):
        kind, number = kinds[tried % len(kinds)], draw.randrange(2, SHORTER - 7)
        shutil.copy(whole, place)
        engine = sqlite(place)
        with engine.begin() as connection:
            _put_hand(connection, kind, number=number)
        counts[kind][0] += 1
        counts[kind][1] += _found_at(engine, number)
        engine.dispose()
    return [{"hand": kind, "tried": tried, "found": found} for kind, (tried, found) in counts.items()]


def _put_hand(connection: sa.Connection, kind: str, *, number: int) -> None:
    t = tables.audit_event
    if kind == "removed":
        connection.execute(sa.delete(t).where(t.c.number == number))
    elif kind == "exchanged":
        for was, becomes in ((number, -1), (number + 7, number), (-1, number + 7)):
            connection.execute(sa.update(t).where(t.c.number == was).values(number=becomes))
    else:
        column = kind.removeprefix("changed ")
        held = connection.execute(sa.select(t.c[column]).where(t.c.number == number)).scalar_one()
        other = json.loads(json.dumps(held)) | {"rows": -1} if column == "facts" else f"{held[:-1]}~"
        connection.execute(sa.update(t).where(t.c.number == number).values({column: other}))


def _found_at(engine: sa.Engine, number: int) -> int:
    """1 where verifying stops at that record."""
    try:
        with Store(engine).read() as connection:
            heads.walk(connection)
    except AuditRefusal as refusal:
        return int(f"record {number}" in str(refusal))
    return 0


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
