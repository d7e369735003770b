"""Index versions by number and by day, and link sets that stand side by side."""

from datetime import UTC, date, datetime

import pytest

from integrated_data.control import indexes
from integrated_data.control.store import Store
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.event import Event

TODAY = date(2026, 6, 1)

#: When versions were recorded, in UTC.
RECORDED = ("2026-03-02T00:00:00", "2026-03-02T23:59:59", "2026-05-01T12:00:00")


@pytest.fixture
def known(store: Store) -> Store:
    moments = iter(RECORDED)
    clocked = Store(store.engine, clock=lambda: datetime.fromisoformat(next(moments)).replace(tzinfo=UTC))
    for number in range(1, len(RECORDED) + 1):
        with clocked.change(Event("index.loaded", "tester", "index/address")) as change:
            about = {"delivery": f"d{number}", "report": {}}
            indexes.add_version(change, index="address", version=number, source="list", about=about)
    return store


@pytest.mark.parametrize(
    ("day", "version"), [("2026-03-02", 2), ("2026-04-30", 2), ("2026-05-01", 3), ("2026-06-01", 3)]
)
def test_as_at_a_day_is_the_newest_version_recorded_before_it_was_over(known: Store, day: str, version: int) -> None:
    with known.read() as connection:
        assert indexes.as_at(connection, "address", day=date.fromisoformat(day), today=TODAY).version == version


@pytest.mark.parametrize(
    ("index", "day", "said"),
    [
        ("address", "2026-03-01", "It began on 2026-03-02"),
        ("address", "2026-06-02", "That day has not come"),
        ("business", "2026-05-01", "There is no business index"),
    ],
)
def test_a_day_without_an_answer_is_refused(known: Store, index: str, day: str, said: str) -> None:
    with known.read() as connection, pytest.raises(IndexRefusal, match=said):
        indexes.as_at(connection, index, day=date.fromisoformat(day), today=TODAY)


def test_a_version_that_never_was_is_refused_by_what_there_is(known: Store) -> None:
    with known.read() as connection, pytest.raises(IndexRefusal, match="Its versions are 1 to 3"):
        indexes.get(connection, "address", version=4)


def save(store: Store, version: int, *, whole: bool, place: str = "") -> None:
    about = {"index_version": version, "place": place or f"v{version}", "report": {}, "whole": whole}
    with store.change(Event("links.saved", "tester", "dataset/pay")) as change:
        indexes.save_links(change, delivery="d1", dataset="pay", index="address", about=about)


def test_link_sets_of_later_versions_stand_beside_the_first(store: Store) -> None:
    save(store, 2, whole=True)
    save(store, 5, whole=False)
    save(store, 4, whole=False)
    save(store, 5, whole=False, place="once more")
    with store.read() as connection:
        found = indexes.links_of(connection, "d1", index="address")
        assert indexes.links_of(connection, "d1", index="business") == []
    assert [(s.index_version, s.whole, s.place) for s in found] == [
        (2, True, "v2"), (4, False, "v4"), (5, False, "once more"),
    ]  # fmt: skip


def test_an_attempt_that_was_not_published_leaves_no_links(store: Store) -> None:
    save(store, 2, whole=True)
    save(store, 3, whole=True)
    with store.read() as connection:
        assert [s.index_version for s in indexes.links_of(connection, "d1")] == [3]
