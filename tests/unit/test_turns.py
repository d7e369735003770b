"""Turns are fair: who asks much waits for who asks little, and nobody waits for ever."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.access.running import QueryFailure
from integrated_data.model.errors import BusyRefusal
from integrated_data.serving.turns import EACH_WAITS, Ticket, Turns


def order(people: str, *, most: int = 1) -> str:
    """The order in which one letter's queries after another are called, all asked at once while one runs."""
    turns, called = Turns(most), list[str]()
    first = [Ticket("first") for _ in range(most)]
    for ticket in first:
        turns.wait(ticket)
    threads = []

    def ask(ticket: Ticket) -> None:
        turns.wait(ticket)
        called.append(ticket.person)
        turns.done(ticket)

    for number, person in enumerate(people):
        threads.append(threading.Thread(target=ask, args=(Ticket(person),)))
        threads[-1].start()
        while sum(map(len, turns._waiting.values())) <= number:
            time.sleep(0.001)
    for ticket in first:
        turns.done(ticket)
    for thread in threads:
        thread.join(timeout=10)
    return "".join(called)


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("a", "a"),
        ("aaaab", "abaaa"),
        ("aaabbbc", "abcabab"),
        ("abc", "abc"),
    ],
)
def test_the_next_turn_goes_to_whoever_waited_longest_for_one(asked: str, called: str) -> None:
    assert order(asked) == called


@given(st.text("abcd", min_size=1, max_size=12))
def test_nobody_is_passed_over_twice_by_the_same_person(asked: str) -> None:
    called = order(asked)
    assert sorted(called) == sorted(asked)
    for person in set(asked):
        first = called.index(person)
        assert all(called[:first].count(other) <= 1 for other in set(called))


def test_a_ticket_can_leave_the_queue_and_a_full_queue_refuses() -> None:
    turns, running = Turns(1), Ticket("a")
    turns.wait(running)
    waiting = [Ticket("a") for _ in range(EACH_WAITS)]
    gone: list[Ticket] = []

    def ask(ticket: Ticket) -> None:
        with pytest.raises(QueryFailure):
            turns.wait(ticket)
        gone.append(ticket)

    threads = [threading.Thread(target=ask, args=(t,)) for t in waiting]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 10
    while len(turns._waiting.get("a", ())) < EACH_WAITS and time.monotonic() < until:
        time.sleep(0.001)
    with pytest.raises(BusyRefusal, match="waiting already"):
        turns.check_room("a")
    turns.check_room("b")
    for ticket in waiting:
        turns.leave(ticket)
    for thread in threads:
        thread.join(timeout=10)
    assert len(gone) == EACH_WAITS
    turns.done(running)
    turns.wait(Ticket("b"))
