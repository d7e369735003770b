"""Titles and purposes of requests: what is refused before anything is asked for, and what is taken."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Ask
from integrated_data.output import request, rulebook, wording
from integrated_data.output.limits import held_to
from tests.output_desk import SAFE, desk
from tests.output_world import AUTHOR, World


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    yield from desk(engine, store, tmp_path)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "It is empty"),
        (" \u00a0\u200b", "It is empty"),
        ("a" * 2_001, "It has 2,001 characters"),
        ("Pay\udcff", "bytes that are no text"),
        ("Pay\nby region", "a line break"),
        ("Pay\u2028by region", "a line break"),
        ("Pay\x1b[31m", "a control character"),
        ("Pay \u202eyb\u202c region", "turn the direction"),
        ("Pay\u2066 by region", "turn the direction"),
        *((sign + "A1", "as a formula does") for sign in ("=", "+", "-", "@", "  =", "\uff1d", "\ufeff=")),
    ],
)
def test_what_cannot_be_taken_says_why_and_what_next(said: str, why: str) -> None:
    for what in ("title", "purpose"):
        with pytest.raises(OutputRefusal, match=f"The {what} cannot be taken.*{why}.*Give a {what}"):
            wording.check_said(what, said)


@pytest.mark.parametrize(
    "said", ["Pay by region", "Tâl fesul rhanbarth, 2024-25", "أجور حسب المنطقة", "a" * 200, "A = B"]
)
def test_plain_words_of_any_language_are_taken(said: str) -> None:
    wording.check_ask(said, "")
    wording.check_ask(said, said)


def test_a_title_is_shorter_than_a_purpose() -> None:
    wording.check_ask("a" * 200, "a" * 2_000)
    with pytest.raises(OutputRefusal, match="201 characters; 200 are the most"):
        wording.check_ask("a" * 201, "")


@pytest.mark.parametrize(("title", "purpose"), [("Pay\udcff", ""), ("Pay", "Pay\udcff"), ("Pay", " ")])
def test_nothing_is_asked_for_under_such_words(world: World, title: str, purpose: str) -> None:
    ask = Ask("P-1", AUTHOR, (world.log(SAFE),), title, purpose)
    with pytest.raises(OutputRefusal, match="cannot be taken"):
        request.request(world.store, world.run, ask=ask, folder=world.folder)
    with world.store.read() as connection:
        assert outputs.requests(connection) == []


def test_no_rule_sends_people_to_a_source_file(world: World) -> None:
    told = str(rulebook.rule_rows(held_to(world.store, (), project="P-1")))
    assert not re.search(r"\w\.py\b", told)
