"""How long the ledger keeps people, and under which key: set, passed, changed; the record of it stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data.control import ledgers
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import InstallationRefusal, OutputRefusal
from integrated_data.model.output import Lane
from integrated_data.output.ledger import LOCK
from integrated_data.output.sealing import Seal
from integrated_data.site import keeping
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places
from tests.output_world import LEDGER_KEY, World, repeated

PAY = repeated((40, ("N", 1)), (30, ("S", 1)), columns="region pay")
BY_REGION = "SELECT region, count(*) AS n FROM pay GROUP BY region"


@pytest.fixture
def w(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    made = World(store, engine, parser, tmp_path / "outputs", {"pay": PAY})
    ring = tmp_path / "service-keys"
    ring.mkdir()
    (ring / "ledger.key").write_bytes(LEDGER_KEY)
    yield made
    parser.close()


def places(w: World) -> Places:
    return Places(w.folder.parent)


def expire(w: World, *, after: int) -> int:
    """Expire what there is, as if so many days had passed."""
    day = datetime.now(UTC) + timedelta(days=after)
    return len(keeping.expire(places(w), Store(w.store.engine, clock=lambda: day), by="operator"))


def test_after_its_retention_a_release_is_unproven_and_what_resembles_it_goes_to_people(w: World) -> None:
    w.released(BY_REGION)
    assert expire(w, after=4000) == 0, "nothing is destroyed unless somebody says so"
    with pytest.raises(OutputRefusal, match="reason"):
        ledgers.set_retention(w.store, 365, reason=" ", by="operator")
    ledgers.set_retention(w.store, 365, reason="Nobody asks for less than a year", by="operator")
    assert expire(w, after=364) == 0
    assert expire(w, after=366) == 1
    assert expire(w, after=367) == 0
    assert list(w.folder.parent.rglob("added")) == []
    with w.store.read() as connection:
        (told,) = [r.facts for r in records(connection) if r.action == "ledger.expired"]
    assert (told["tables"], told["days"]) == (1, 365)
    report = w.checked("SELECT region, count(*) AS n FROM pay WHERE pay < 9 GROUP BY region")
    assert report.lane is Lane.REVIEW
    assert "earlier releases" in {f.rule for f in report.findings}


def test_another_key_opens_everything_and_the_old_one_nothing(w: World) -> None:
    w.released(BY_REGION)
    (old,) = [f.read_bytes() for f in (w.folder.parent / "service-keys").glob("ledger.key")]
    told = keeping.change_key(places(w), w.store, by="operator")
    assert told["files"] > 5
    assert told["old"] != told["new"]
    with open_ledger(places(w)) as ledger:
        (kept,) = ledger.tables("person", of=ledger.requests())
        assert len(kept.table.figures) == 1
    (w.folder.parent / "service-keys" / "ledger.key").write_bytes(old)
    with open_ledger(places(w)) as ledger, pytest.raises(InstallationRefusal, match="another key"):
        list(ledger.tables("person", of=ledger.requests()))


def test_a_change_of_key_that_was_cut_short_goes_on(w: World) -> None:
    w.released(BY_REGION)
    ring, new = w.folder.parent / "service-keys", bytes(range(32))
    (ring / "ledger-next.key").write_bytes(new)
    (first, *rest) = [f for f in (w.folder.parent / "ledger").rglob("*") if f.is_file() and f.name != LOCK]
    assert Seal((new, LEDGER_KEY)).reseal(first)
    with open_ledger(places(w)) as ledger:
        assert len(list(ledger.tables("person", of=ledger.requests()))) == 1, "half under one key, half under another"
    beside = [f for f in (w.folder / "requests").rglob("*") if f.is_file() and f.parents[2].name == "ledger"]
    assert keeping.change_key(places(w), w.store, by="operator")["files"] == len(rest) + len(beside)
    assert not (ring / "ledger-next.key").exists()
    assert (ring / "ledger.key").read_bytes() == new
    told = keeping.held(places(w), w.store)
    assert (told["releases"], told["with_people"], told["kept_days"]) == (1, 1, None)
