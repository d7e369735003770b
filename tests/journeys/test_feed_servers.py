"""Feeds from real servers, through to the table: what breaks half-way comes whole later."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data import journey
from integrated_data.acquire.feeds.store import Arriving
from integrated_data.control import feeds
from integrated_data.site import drops
from integrated_data.site.feeding import keeping
from tests.feeding import Fed, contract, flows
from tests.stores import Served, cutting, keep_secret, s3_server, sftp_server

pytestmark = pytest.mark.long

DAILY = """
id: mobility
dataset: flows
drop: {kind: folder, place: DROP}
files: "od_{period:%Y%m%d}.csv"
schedule: {every: day, first: 2024-03-01, last: 2024-03-02}
retry: {most: 3, first: 30, longest: 600}
"""
#: Two days of which the first is too long for one answer of a server.
DAYS = {"od_20240301.csv": flows("2024-03-01", *range(100_000)), "od_20240302.csv": flows("2024-03-02", 1)}


@pytest.fixture(params=["s3", "sftp"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    if request.param == "s3":
        with s3_server({f"drop/{name}": data for name, data in DAYS.items()}) as found:
            yield found
    else:
        with sftp_server(tmp_path, DAYS) as found:
            yield found


def fed_by(served: Served, folder: Path) -> Fed:
    fed = Fed(folder, DAILY, contract())
    keep_secret(fed.places, served.secret)
    put(fed, served)
    return fed


def put(fed: Fed, served: Served) -> None:
    fed.definition = replace(fed.definition, drop=served.drop)
    feeds.put(fed.store, fed.definition, by="tester")


def after(began: datetime, seconds: int) -> str:
    return (began + timedelta(seconds=seconds)).isoformat()


def test_what_breaks_half_way_is_fetched_again(served: Served, tmp_path: Path) -> None:
    fed = fed_by(served, tmp_path / "fed")
    began = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=1)  # later than the server has its files
    with cutting(served.port, after=len(DAYS["od_20240301.csv"]) // 2) as port:
        put(fed, served.through(port))
        taken = fed.look(after(began, 0))
    assert taken[0] == ("2024-03-01", "failed")
    assert not list(fed.places.landed.iterdir())
    put(fed, served)
    assert "2024-03-01" not in dict(fed.look(after(began, 10)))  # not before its time
    assert ("2024-03-01", "loaded") in fed.look(after(began, 40))
    assert len(fed.table("trips", "trips")) == 100_001


def test_a_process_that_died_goes_on_where_it_was(tmp_path: Path) -> None:
    """Between landing and writing down; and while the load runs: neither is taken for a repetition."""
    fed = Fed(tmp_path, DAILY.replace("kind: folder", "kind: folder, quiet: 0"), contract())
    first = fed.drops("od_20240301.csv", flows("2024-03-01", 1), at="2024-03-02T08:00")
    fed.drops("od_20240302.csv", flows("2024-03-02", 2), at="2024-03-03T08:00")
    with fed.opened() as site, drops.opened(fed.definition.drop, fed.places) as store:
        arrived = {f.name: journey.arrive(site.workshop, "flows", files=[Arriving(store, f)]) for f in store.listing()}
    fed.look("2024-03-02T09:00")  # the second file is of later than now
    assert fed.look("2024-03-03T09:00") == [("2024-03-02", "loaded")]
    files = keeping.details(fed.store, "mobility", by="tester")["files"]
    assert [(f["state"], f["delivery"]) for f in files] == [
        ("loaded", arrived[name].delivery.id) for name in ("od_20240302.csv", first.name)
    ]  # fmt: skip
    assert fed.table("trips", "trips") == [{"trips": 1}, {"trips": 2}]
    assert [a for a in fed.alerts() if a[0] == "duplicate"] == []
