"""When periods are due, how files are called, and how long a failed one waits."""

from datetime import UTC, date, datetime

import pytest

from integrated_data.acquire.feeds import definition
from integrated_data.acquire.feeds.names import pattern
from integrated_data.acquire.feeds.schedule import gaps, outside, overdue
from integrated_data.acquire.feeds.store import fits
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.feed import Every, Retry, Schedule
from integrated_data.site.feeding.taking import wait
from tests.house.tree import ROOT

NAMES = [
    ("od_{period:%Y%m%d}.csv", Every.DAY, "od_20240229.csv", "2024-02-29", None),
    ("od_{period:%Y%m%d}.csv", Every.DAY, "od_20230229.csv", None, None),  # no such day
    ("od_{period:%Y%m%d}.csv", Every.DAY, "od_20240229.csv.part", None, None),
    ("od_{period:%Y%m%d}_{any}.csv", Every.DAY, "od_20240301_v2.csv", "2024-03-01", None),
    ("{period:%Y-%j}.csv", Every.DAY, "2024-060.csv", "2024-02-29", None),
    ("w{period:%Y%m%d}.csv", Every.WEEK, "w20240229.csv", "2024-02-26", None),
    ("pay-{period:%Y%m}.csv", Every.MONTH, "pay-202402.csv", "2024-02-01", None),
    ("{period:%Y%m%d%H}.csv", Every.HOUR, "2024022907.csv", "2024-02-29T07", None),
    ("changes-{number}.csv", Every.ANY, "changes-000042.csv", "", 42),
    ("changes-{number}.csv", Every.ANY, "changes-.csv", None, None),
    ("in/{period}.csv", Every.DAY, "in/2024-02-29.csv", "2024-02-29", None),
]


@pytest.mark.parametrize(("text", "every", "name", "period", "number"), NAMES)
def test_a_name_says_its_period_and_number(
    text: str, every: Every, name: str, period: str | None, number: int | None
) -> None:
    said = pattern(text, every).read(name)
    assert (said.period, said.number) == (period, number) if period is not None and said else period is None


def test_what_varies_freely_in_a_name_is_never_shown() -> None:
    said = pattern("od_{period:%Y%m%d}_{any}.csv", Every.DAY).read("od_20240301_jane_doe.csv")
    assert said is not None
    assert said.shown == "od_20240301_….csv"


@pytest.mark.parametrize(
    ("text", "every"),
    [("od.csv", Every.DAY), ("{period:%Y%m}.csv", Every.DAY), ("{period:%B}.csv", Every.MONTH), ("", Every.ANY),
     ("{period}{period}.csv", Every.DAY), ("../{period}.csv", Every.DAY), ("{day}.csv", Every.ANY)],
)  # fmt: skip
def test_a_pattern_that_cannot_tell_periods_apart_is_refused(text: str, every: Every) -> None:
    with pytest.raises(ContractRefusal):
        pattern(text, every)


def test_what_is_due_is_first_late_and_then_missing() -> None:
    daily = Schedule(Every.DAY, date(2024, 3, 1), due=12, missing_after=24)
    now = datetime(2024, 3, 4, 13, tzinfo=UTC)  # the 3rd was due at 12:00 today
    said = [(a.kind.value, a.period) for a in overdue(daily, now, there={"2024-03-02"})]
    assert said == [("missing", "2024-03-01"), ("late", "2024-03-03")]
    assert not overdue(daily, datetime(2024, 3, 2, 11, tzinfo=UTC), there=set())


@pytest.mark.parametrize(
    ("every", "first", "period", "out"),
    [(Every.DAY, date(2024, 3, 1), "2024-02-29", True), (Every.DAY, date(2024, 3, 1), "2024-03-01", False),
     (Every.DAY, date(2024, 3, 1), "2024-04-01", True), (Every.MONTH, date(2024, 3, 15), "2024-03-01", False),
     (Every.ANY, date(2024, 3, 1), "", False)],
)  # fmt: skip
def test_periods_outside_of_the_schedule(every: Every, first: date, period: str, out: bool) -> None:
    assert outside(Schedule(every, first, date(2024, 3, 31)), period) is out


def test_numbers_that_were_left_out() -> None:
    assert [a.about for a in gaps([7, 3, 4, 9])] == ["5", "6", "8"]
    assert len(gaps([1, 10_000_000])) == 100


@pytest.mark.parametrize(
    "name", ["../up.csv", "/etc/passwd", "a/../../b", "a//b", "./a", "a\x00b", "a\nb", "a\\b", "", "x" * 2000]
)
def test_a_name_that_leaves_its_place_does_not_fit(name: str) -> None:
    assert not fits(name)


FEED = """
id: pay
dataset: pay
drop: {kind: sftp, place: /out, host: h, user: u, host_key: ssh-ed25519 AAAA, secret: pay}
files: "pay_{period:%Y%m%d}.csv"
schedule: {every: day, first: 2024-01-01}
"""


def test_waits_double_up_to_the_longest() -> None:
    feed = definition.read(FEED + "retry: {most: 9, first: 30, longest: 100}")
    assert feed.retry == Retry(9, 30, 100)
    assert [wait(feed, n) for n in (1, 2, 3, 4)] == [30, 60, 100, 100]


@pytest.mark.parametrize(
    ("wrong", "instead"),
    [("secret: pay", "secret: 'hunter2 is my pass'"), ("host: h", "host: 'me:hunter2@h'"), ("place: /out,", ""),
     ("kind: sftp", "kind: folder, quiet: -1"), ("first: 2024-01-01", "last: 2024-01-01"), ("id: pay", "id: Pay"),
     ("host_key: ssh-ed25519 AAAA,", ""), ("kind: sftp", "kind: ftp"), ("files:", "password: hunter2\nfiles:")],
)  # fmt: skip
def test_a_wrong_definition_is_refused_by_its_field_and_never_by_its_value(wrong: str, instead: str) -> None:
    with pytest.raises(ContractRefusal) as refused:
        definition.read(FEED.replace(wrong, instead, 1))
    assert "hunter2" not in str(refused.value)


def test_the_example_is_one() -> None:
    assert definition.read((ROOT / "examples" / "feed.yaml").read_text()).dataset == "mobility_flows"
