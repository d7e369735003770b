"""A feed of daily files: late, missing, twice, restated; broken files; names that lead out; two looks at once."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from integrated_data.acquire import contracts
from integrated_data.acquire.feeds.names import pattern
from integrated_data.control import deliveries, feeds, freezes, releases
from integrated_data.control.store import recorded
from integrated_data.journey import Handed
from integrated_data.model.contract import Mode
from integrated_data.model.delivery import Completes, LoadState
from integrated_data.model.errors import InstallationRefusal, StoreRefusal
from integrated_data.model.feed import Found, Restated, Watch
from integrated_data.model.freezing import Frozen
from integrated_data.site import loads, rolling
from integrated_data.site.feeding import keeping
from integrated_data.site.feeding.looking import Feeder
from integrated_data.site.feeding.taking import Taking, Waiting
from tests import calling
from tests.feeding import Fed, changed, contract, flows
from tests.journeys.installation import Ran
from tests.journeys.test_rolled_back import DESK

DAILY = """
id: mobility
dataset: flows
drop: {kind: folder, place: DROP, quiet: 60}
files: "od_{period:%Y%m%d}_{any}.csv"
schedule: {every: day, first: 2024-03-01, due: 12, missing_after: 24}
restated: replace
retry: {most: 3, first: 30, longest: 600}
"""


@pytest.fixture
def fed(tmp_path: Path) -> Fed:
    return Fed(tmp_path, DAILY, contract())


def test_days_come_late_twice_wrong_and_again(fed: Fed) -> None:
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 10, 20), at="2024-03-02T08:00")
    assert fed.look("2024-03-02T08:00:30") == [("", "looked")]  # perhaps still being written
    assert fed.look("2024-03-02T09:00") == [("2024-03-01", "loaded")]
    assert fed.look("2024-03-02T10:00") == [("", "looked")]
    assert fed.alerts() == []

    assert fed.look("2024-03-03T13:00") == [("", "looked")]
    assert fed.alerts() == [("late", "2024-03-02")]
    fed.drops("od_20240302_a.csv", flows("2024-03-02", 11, 21), at="2024-03-03T14:00")
    assert fed.look("2024-03-03T15:00") == [("2024-03-02", "loaded")]
    assert fed.alerts() == [("late", "2024-03-02")]  # that it came late stays to be seen
    keeping.seen(fed.store, "mobility", by="tester")

    fed.drops("od_20240303_a.csv", flows("2024-03-02", 11, 21), at="2024-03-04T08:00")  # yesterday's again
    fed.drops("od_20240302_again.csv", flows("2024-03-02", 11, 21), at="2024-03-04T08:00")
    assert fed.look("2024-03-04T09:00") == [("2024-03-02", "repeated"), ("2024-03-03", "refused")]
    assert fed.alerts() == [("duplicate", "2024-03-02"), ("duplicate", "2024-03-03")]
    assert fed.look("2024-03-06T13:00") == [("", "looked")]
    assert fed.alerts()[2:] == [("late", "2024-03-05"), ("missing", "2024-03-03"), ("missing", "2024-03-04")]

    fed.drops("od_20240302_v2.csv", flows("2024-03-02", 12, 22, 32), at="2024-03-06T13:00")
    assert fed.look("2024-03-06T14:00") == [("2024-03-02", "loaded")]
    assert ("restated", "2024-03-02") in fed.alerts()
    table = [(str(r["day"]), r["trips"]) for r in fed.table("day, trips", "day, trips")]
    assert table == [("2024-03-01", 10), ("2024-03-01", 20)] + [("2024-03-02", n) for n in (12, 22, 32)]
    row = keeping.status(fed.store, by="tester")[0]
    assert (row["loaded"], row["refused"], row["last"], row["next_due"]) == (3, 1, "2024-03-02", "2024-03-04 12:00")


def test_mended_rows_of_a_day_complete_its_delivery(fed: Fed) -> None:
    broken = flows("2024-03-01", *range(1, 200)).replace(b",7\n", b",seven\n")
    fed.drops("od_20240301_a.csv", broken, at="2024-03-02T08:00")
    assert fed.look("2024-03-02T09:00") == [("2024-03-01", "loaded")]
    (first,) = (f["delivery"] for f in keeping.details(fed.store, "mobility", by="tester")["files"])
    fed.drops(f"od_20240301_m.completes-{first}.csv", b"day,origin,trips\n2024-03-01,A6,7\n", at="2024-03-05T08:00")
    fed.drops(f"od_20240301_n.completes-{'0' * 16}.csv", b"day,origin,trips\n2024-03-01,A6,8\n", at="2024-03-05T08:00")
    assert sorted(fed.look("2024-03-05T09:00")) == [("2024-03-01", "loaded"), ("2024-03-01", "refused")]
    assert ("late", "2024-03-01") not in fed.alerts()
    assert [r["trips"] for r in fed.table("trips", "trips")] == list(range(1, 200))
    fed.drops("od_20240301_z.csv", flows("2024-03-01", 1, 2), at="2024-03-06T08:00")  # restated, mended rows and all
    assert fed.look("2024-03-06T09:00") == [("2024-03-01", "loaded")]
    assert [r["trips"] for r in fed.table("trips", "trips")] == [1, 2]


def test_days_of_which_one_withholds_a_column_are_one_table_with_a_twin(fed: Fed) -> None:
    broken = flows("2024-03-01", *range(1, 200)).replace(b",7\n", b",seven\n")  # nearly every origin differs
    fed.drops("od_20240301_a.csv", broken, at="2024-03-02T08:00")
    fed.look("2024-03-02T09:00")
    (first,) = (f["delivery"] for f in keeping.details(fed.store, "mobility", by="tester")["files"])
    fed.drops(f"od_20240301_m.completes-{first}.csv", b"day,origin,trips\n2024-03-01,A6,7\n", at="2024-03-03T08:00")
    for day in ("2024-03-02", "2024-03-03"):
        fed.drops(f"od_{day.replace('-', '')}_a.csv", flows(day, 300, 301), at="2024-03-04T08:00")
    assert [state for _, state in fed.look("2024-03-04T09:00")] == ["loaded"] * 3
    origins = [row["origin"] for row in fed.table("origin, trips", "trips")]
    assert (len(origins), origins[-5:]) == (203, [None, "A0", "A0", "A1", "A1"])
    with fed.store.read() as connection:
        assert list(recorded(connection, "twin.failed")) == []
        variables = {v["name"]: v["profile"] for v in releases.get(connection, "flows").entry["variables"]}
    assert (variables["day"]["low"], variables["day"]["high"]) == ("2024-03-01", "2024-03-03")
    assert (variables["trips"]["rows"], variables["origin"]["missing"]) == (203, 199)
    twin = json.loads((fed.places.twins / "flows.json").read_text())
    assert (sorted(twin["columns"]), twin["rows"]) == (["day", "origin", "trips"], 200)


@pytest.mark.long
def test_a_restated_day_takes_the_place_of_rows_that_were_mended_by_hand(fed: Fed) -> None:
    broken = flows("2024-03-01", *range(1, 200)).replace(b",7\n", b",seven\n")
    fed.drops("od_20240301_a.csv", broken, at="2024-03-02T08:00")
    fed.look("2024-03-02T09:00")
    (first,) = (f["delivery"] for f in keeping.details(fed.store, "mobility", by="tester")["files"])
    mended = fed.places.home / "mended.csv"
    mended.write_bytes(b"day,origin,trips\n2024-03-01,A6,7\n")
    with fed.opened() as site:
        loads.deliver_and_refresh(site, "flows", files=[mended], handed=Handed(completes=Completes(first)))
    fed.drops("od_20240301_z.csv", flows("2024-03-01", 1, 2), at="2024-03-06T08:00")
    assert fed.look("2024-03-06T09:00") == [("2024-03-01", "loaded")]
    assert [r["trips"] for r in fed.table("trips", "trips")] == [1, 2]


def test_a_restated_day_waits_for_a_steward_where_the_feed_says_so(fed: Fed) -> None:
    feeds.put(fed.store, changed(fed.definition, restated=Restated.HOLD), by="tester")
    for at, trips in (("08:00", 1), ("09:00", 2), ("10:00", 3)):
        fed.drops(f"od_20240301_{trips}.csv", flows("2024-03-01", trips), at=f"2024-03-02T{at}")
    assert fed.look("2024-03-02T11:00") == [("2024-03-01", s) for s in ("loaded", "held", "held")]
    first, second, third = (
        f["delivery"] for f in reversed(keeping.details(fed.store, "mobility", by="tester")["files"])
    )
    with fed.opened() as site:
        assert loads.accept(site, second, reason="they corrected it")["state"] == "published"
    assert fed.table("trips", "trips") == [{"trips": 2}]
    fed.look("2024-03-02T12:00")
    with fed.store.read() as connection:
        assert feeds.of_period(connection, "mobility", period="2024-03-01") == (first, second)
        assert deliveries.get(connection, third).state is LoadState.HELD
    assert fed.alerts() == [("restated", "2024-03-01")]


def test_a_day_that_was_taken_back_is_free_for_another_file(fed: Fed) -> None:
    feeds.put(fed.store, changed(fed.definition, restated=Restated.REFUSE), by="tester")
    broken, right = flows("2024-03-02", *range(1, 6)).replace(b",2\n", b",two\n"), flows("2024-03-02", 7)
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1), at="2024-03-02T08:00")
    fed.drops("od_20240302_a.csv", broken, at="2024-03-03T08:00")
    assert fed.look("2024-03-03T09:00") == [("2024-03-01", "loaded"), ("2024-03-02", "held")]
    held = next(
        f["delivery"] for f in keeping.details(fed.store, "mobility", by="tester")["files"] if f["state"] == "held"
    )
    fed.drops(f"od_20240302_b.completes-{held}.csv", b"day,origin,trips\n2024-03-02,A1,2\n", at="2024-03-03T10:00")
    assert fed.look("2024-03-03T11:00") == [("2024-03-02", "loaded")]
    fed.drops("od_20240302_c.csv", right, at="2024-03-03T12:00")
    assert fed.look("2024-03-03T13:00") == [("2024-03-02", "refused")]
    with fed.opened() as site:
        rolling.roll(site, "flows", to=None, back=True, reason="wrong counts", acting=DESK)
    with fed.store.read() as connection:
        assert feeds.of_period(connection, "mobility", period="2024-03-02") == ()
        assert feeds.newest_period(connection, "mobility") == "2024-03-01"
    fed.drops("od_20240302_d.csv", right, at="2024-03-03T14:00")  # the very file that was refused before
    assert fed.look("2024-03-03T15:00") == [("2024-03-02", "loaded")]
    assert fed.table("day::VARCHAR AS day, trips", "day") == [
        {"day": "2024-03-01", "trips": 1}, {"day": "2024-03-02", "trips": 7},
    ]  # fmt: skip
    fed.drops("od_20240302_e.csv", flows("2024-03-02", 8), at="2024-03-03T16:00")
    assert fed.look("2024-03-03T17:00") == [("2024-03-02", "refused")]
    with fed.opened() as site:
        rolling.roll(site, "flows", to=None, back=True, reason="wrong after all", acting=DESK)
    fed.drops("od_20240302_f.csv", right, at="2024-03-03T18:00")  # the very file that was published and withdrawn
    assert fed.look("2024-03-03T19:00") == [("2024-03-02", "loaded")]
    assert fed.table("trips", "trips") == [{"trips": 1}, {"trips": 7}]


def test_a_day_that_would_take_the_place_of_a_later_one_waits(tmp_path: Path) -> None:
    fed = Fed(tmp_path, DAILY, contract(mode=Mode.REPLACE))
    fed.drops("od_20240302_a.csv", flows("2024-03-02", 2), at="2024-03-03T08:00")
    assert fed.look("2024-03-03T09:00") == [("2024-03-02", "loaded")]
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1), at="2024-03-03T10:00")
    assert fed.look("2024-03-03T11:00") == [("2024-03-01", "held")]
    assert fed.table("trips", "trips") == [{"trips": 2}]


def test_what_a_load_refuses_stops_no_other_file_and_is_not_tried_again(fed: Fed) -> None:
    fed.drops("od_20240301_a.csv", b"day,origin\n2024-03-01,A1\n", at="2024-03-02T08:00")
    fed.drops("od_20240302_a.csv", flows("2024-03-02", 1), at="2024-03-03T08:00")
    assert fed.look("2024-03-03T09:00") == [("2024-03-01", "refused"), ("2024-03-02", "loaded")]
    assert fed.look("2024-03-03T10:00") == [("", "looked")]
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1), at="2024-03-03T10:00")  # mended under its name
    assert fed.look("2024-03-03T11:00") == [("2024-03-01", "loaded")]


def test_a_store_that_is_gone_is_asked_again_later_and_later(fed: Fed) -> None:
    away = fed.drop.rename(fed.drop.with_name("away"))
    seconds, asked = 0, []
    for _ in range(14):
        state = fed.look((fed.now + timedelta(seconds=10)).isoformat()[:19])[0][1]
        seconds += 10
        if state == "its store does not answer":
            asked.append(seconds)
    assert asked == [10, 40, 100]  # after 30 s, after 60 s
    assert fed.alerts() == [("unreachable", "")]
    away.rename(fed.drop)
    fed.look("2024-03-01T01:00")
    assert fed.alerts() == []
    assert keeping.status(fed.store, by="tester")[0]["failures"] == 0


def test_what_comes_while_a_dataset_is_frozen_is_taken_when_it_is_thawed(fed: Fed) -> None:
    freezes.put(fed.store, Frozen.DATASET, subjects=["flows"], by="ann", reason="a leak", affected=lambda _: {})
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1), at="2024-03-02T08:00")
    assert fed.look("2024-03-02T09:00") == [("", "its dataset may not be loaded now")]
    assert fed.look("2024-03-02T09:00:10") == [("", "its store is asked again later")]
    assert fed.alerts() == [("stopped", "")]
    freezes.lift(fed.store, Frozen.DATASET, subjects=["flows"], by="ann", reason="none after all")
    assert fed.look("2024-03-02T10:00") == [("2024-03-01", "loaded")]
    assert fed.alerts() == []


class Gone:
    """A store whose server goes away when a file is asked for."""

    def listing(self) -> list[Found]:
        return []

    def read(self, _name: str) -> BinaryIO:
        raise StoreRefusal("The server went away")

    def close(self) -> None:
        pass


def test_what_fails_too_often_is_given_up_and_told(fed: Fed) -> None:
    name = pattern(fed.definition.files, fed.definition.schedule.every).read("od_20240301_a.csv")
    assert name is not None
    found = Found("od_20240301_a.csv", 9, fed.now)
    with fed.opened() as site:
        for attempts, state in enumerate(("failed", "failed", "given up")):
            assert Taking(site, fed.definition, Waiting(found, "mark", name, attempts)).take(Gone())["state"] == state
        with site.store.read() as connection:
            (file,) = feeds.files(connection, "mobility")
    assert (file.attempts, file.next_try - fed.now.timestamp()) == (3, 120.0)
    assert fed.alerts() == [("failed", "2024-03-01")]


def test_links_pipes_and_names_that_lead_out_are_never_opened(fed: Fed, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(flows("2024-03-01", 666))
    (fed.drop / "od_20240301_link.csv").symlink_to(outside)
    (fed.drop / "od_20240301_up").symlink_to(tmp_path)
    os.mkfifo(fed.drop / "od_20240301_pipe.csv")
    fed.drops("payroll.csv", flows("2024-03-01", 1), at="2024-03-02T08:00")
    assert fed.look("2024-03-02T09:00") == [("", "looked")]
    assert fed.alerts() == [("strange", "")]
    keeping.seen(fed.store, "mobility", by="tester")
    fed.look("2024-03-02T10:00")
    assert fed.alerts() == []  # told once


def test_the_installation_itself_is_never_watched(fed: Fed) -> None:
    for place in (fed.places.home, fed.places.home / "identified", fed.places.home.parent):
        inside = changed(fed.definition, id="inside", drop=changed(fed.definition.drop, place=str(place)))  # type: ignore[arg-type]
        feeds.put(fed.store, inside, by="tester")
        with fed.store.read() as connection, pytest.raises(InstallationRefusal, match="installation itself"):
            fed.feeder.look(feeds.get(connection, "inside"))


def test_two_looks_at_once_take_a_file_once(fed: Fed) -> None:
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1), at="2024-03-02T08:00")
    with fed.store.read() as connection:
        feed = feeds.get(connection, "mobility")
    seen: list[str] = []
    other = Feeder(fed.places, fed.store, fed.opened, "other")

    def opened() -> object:
        seen.append(other.look(feed)["state"])
        return fed.opened()

    fed.feeder = Feeder(fed.places, fed.store, opened, "tester")  # type: ignore[arg-type]
    assert fed.look("2024-03-02T09:00") == [("2024-03-01", "loaded")]
    assert seen == ["another process is at it"]


def test_a_day_that_is_another_one_under_another_date_waits_for_a_steward(fed: Fed) -> None:
    feeds.put(fed.store, changed(fed.definition, watch=Watch()), by="tester")
    fed.drops("od_20240301_a.csv", flows("2024-03-01", 1, 2), at="2024-03-02T08:00")
    fed.drops("od_20240302_a.csv", flows("2024-03-02", 1, 2), at="2024-03-03T08:00")
    fed.drops("od_20240303_a.csv", flows("2024-03-01", 5, 6), at="2024-03-04T08:00")
    assert fed.look("2024-03-04T09:00") == [
        ("2024-03-01", "loaded"), ("2024-03-02", "held"), ("2024-03-03", "held")
    ]  # fmt: skip
    held = keeping.details(fed.store, "mobility", by="tester")["files"]
    assert [h["why"] for h in held] == [
        "2 of 2 rows are dated outside of the period", "But for dates, its rows are those of 2024-03-01", ""
    ]  # fmt: skip
    assert [a for a in fed.alerts() if a[0] == "unusual"] == [("unusual", "2024-03-02"), ("unusual", "2024-03-03")]
    with fed.opened() as site:
        assert loads.accept(site, held[1]["delivery"], reason="nobody moved")["state"] == "published"
    fed.look("2024-03-04T10:00")
    assert [f["state"] for f in keeping.details(fed.store, "mobility", by="tester")["files"]] == [
        "held",
        "loaded",
        "loaded",
    ]


@pytest.mark.long
def test_by_command(tmp_path: Path) -> None:
    home, drop = tmp_path / "home", tmp_path / "drop"
    drop.mkdir()
    (drop / "od_20240301_a.csv").write_bytes(flows("2024-03-01", 1, 2))
    os.utime(drop / "od_20240301_a.csv", (1.7e9, 1.7e9))
    (tmp_path / "feed.yaml").write_text(DAILY.replace("DROP", str(drop)))
    contracts.write(contract(), tmp_path / "contract.yaml")
    ids("init", home)
    added = ids("feed", "add", tmp_path / "feed.yaml", "--contract", tmp_path / "contract.yaml", "--home", home)
    assert (added.json["feed"], added.json["every"]) == ("mobility", "day")
    looked = ids("feed", "run", "--home", home)
    assert [(r["period"], r["state"]) for r in looked.json] == [("2024-03-01", "loaded")]
    told = ids("feed", "status", "mobility", "--seen", "--home", home).json
    assert (told["loaded"], told["last"], {a["kind"] for a in told["open_alerts"]}) == (1, "2024-03-01", {"missing"})
    assert ids("feed", "status", "--check", "--home", home, code=1).json[0]["feed"] == "mobility"
    assert ids("feed", "status", "nothing", "--home", home, code=1).err.startswith("Refused: There is no feed")


def ids(*words: object, code: int = 0) -> Ran:
    """The real command, in a process of its own."""
    done = calling.call(*map(str, words), "--json")
    assert done.returncode == code, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)
