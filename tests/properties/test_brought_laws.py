"""Laws of what people bring and decide: no file makes the look fail, nothing hides beside one, no vote passes alone."""

import io
import zipfile
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.model.output import OutputState, Vote
from integrated_data.output.brought import kinds
from integrated_data.output.brought.look import look
from integrated_data.output.review import outcome
from tests.brought_files import CSV, PLAIN, png, repacked, svg

GOOD = {"table.xlsx": PLAIN, "chart.png": png(), "chart.svg": svg(), "table.csv": CSV}
NAMES = st.sampled_from([f"file.{suffix}" for suffix in kinds.KINDS])
VOTES = st.lists(st.sampled_from(Vote), max_size=3)


@settings(max_examples=150, deadline=None)
@given(name=NAMES, content=st.binary(max_size=400))
def test_any_bytes_are_looked_at(name: str, content: bytes) -> None:
    look(name, content)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_good_file_with_one_byte_changed_is_looked_at(name: str, at: int, byte: int) -> None:
    content = bytearray(GOOD[name])
    content[at % len(content)] = byte
    look(name, bytes(content))


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(["table.xlsx", "chart.png"]), more=st.binary(min_size=1, max_size=60), before=st.booleans())
def test_nothing_hides_before_or_after_a_file(name: str, more: bytes, before: bool) -> None:
    assert look(name, more + GOOD[name] if before else GOOD[name] + more).refused


@settings(max_examples=40, deadline=None)
@given(name=st.from_regex(r"[a-zA-Z]{1,8}(/[a-zA-Z0-9.]{1,12}){0,3}", fullmatch=True), part=st.binary(max_size=40))
def test_a_workbook_has_no_other_part(name: str, part: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        known = {n.lower() for n in archive.namelist()}
    if name.lower() not in known:
        assert look("table.xlsx", repacked(PLAIN, {name: part})).refused


@given(votes=VOTES)
def test_nothing_is_approved_but_by_two_who_agree(votes: Sequence[Vote]) -> None:
    found = outcome(votes)
    assert (found is OutputState.APPROVED) == (votes.count(Vote.APPROVE) >= 2 and Vote.RETURN not in votes)
    assert (found is None) == (len(votes) < 2 and Vote.RETURN not in votes)
