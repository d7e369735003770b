"""Files that people bring to leave: each kind of bad one is refused by its rule, and nothing of it leaves."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import QueryState
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Ask, Brought, Lane, Outcome, OutputRequest, OutputState, Vote
from integrated_data.output import bring, release, review
from integrated_data.output.brought import evidence
from integrated_data.output.brought.look import look
from integrated_data.site.parser import DuckDBParser
from tests.brought_files import BAD, CSV, GOOD, good, made, png
from tests.output_world import AUTHOR, REVIEWERS, World, repeated

SQL = "SELECT region, count(*) AS people FROM lfs GROUP BY region"
RITA, ROB, _ = REVIEWERS


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    lfs = repeated((20, ("N",)), (30, ("S",)), columns="region")
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    parser.close()


def brought(world: World, files: dict[str, bytes], *, again: str = "") -> OutputRequest:
    ask = Ask("P-1", AUTHOR, (world.log(SQL),), "People by region", request=again, brought=carried(files))
    return bring.bring(world.store, ask=ask, folder=world.folder)


def carried(files: dict[str, bytes]) -> tuple[Brought, ...]:
    return tuple(Brought(name, content) for name, content in files.items())


def checked(world: World, files: dict[str, bytes]) -> OutputRequest:
    asked = brought(world, files)
    bring.check(world.store, request_id=asked.id, actor="service", folder=world.folder)
    return now(world, asked.id)


def now(world: World, request: str) -> OutputRequest:
    with world.store.read() as connection:
        return outputs.get_request(connection, request)


def vote(world: World, asked: OutputRequest, reviewer: str) -> None:
    review.review(world.store, request=asked.id, reviewer=reviewer, vote=Vote.APPROVE, sha256=asked.sha256)


@pytest.mark.parametrize("case", GOOD)
def test_a_plain_file_goes_to_reviewers(case: str) -> None:
    looked = look(*good(case))
    assert not looked.refused, looked.findings


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_holds_more_than_it_shows_is_refused(case: str) -> None:
    name, content, rule = made(case)
    looked = look(name, content)
    refused = {f.rule for f in looked.findings if f.outcome is Outcome.REFUSE}
    assert rule in refused, looked.findings
    assert looked.sha256 == hashlib.sha256(content).hexdigest()


def test_reasons_hold_no_value_of_the_file() -> None:
    for case in BAD:
        name, content, _ = made(case)
        for finding in look(name, content).findings:
            assert not any(secret in finding.reason for secret in ("Ada", "1815", "4611", "Ben")), case


def test_two_people_decide_about_a_file_and_it_leaves_as_it_was(world: World) -> None:
    asked = checked(world, {"table.csv": CSV, "chart.png": png()})
    assert (asked.state, asked.lane, asked.brought) == (OutputState.IN_REVIEW, Lane.REVIEW, ("chart.png", "table.csv"))
    assert {"made outside", "picture"} <= {f.rule for f in asked.findings}
    vote(world, asked, RITA)
    vote(world, asked, ROB)
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert (place / "table.csv").read_bytes() == CSV
    assert (place / "chart.png").read_bytes() == png()


def test_one_bad_file_keeps_all_of_them_in_with_every_reason(world: World) -> None:
    hidden, script = made("a hidden sheet")[1], made("a drawing with a script")[1]
    with pytest.raises(
        OutputRefusal, match=r"2 of 3 files may not leave.*a\.svg: It holds more.*b\.xlsx: It has a sheet"
    ):
        brought(world, {"a.svg": script, "b.xlsx": hidden, "c.csv": CSV})
    with world.store.read() as connection:
        assert outputs.requests(connection) == []
    assert not (world.folder / "requests").exists()


def test_another_projects_queries_are_no_source(world: World) -> None:
    query = world.log(SQL, project="P-2")
    table = (Brought("table.csv", CSV),)
    ask = Ask("P-1", AUTHOR, (query,), "People by region", brought=table)
    with pytest.raises(OutputRefusal, match="is not of project P-1"):
        bring.bring(world.store, ask=ask, folder=world.folder)
    failed = world.log(SQL, state=QueryState.FAILED)
    with pytest.raises(OutputRefusal, match="has no result"):
        bring.bring(world.store, ask=Ask("P-1", AUTHOR, (failed,), "T", brought=table), folder=world.folder)


def test_files_come_with_the_queries_that_they_were_made_from(world: World) -> None:
    ask = Ask("P-1", AUTHOR, (), "People by region", brought=carried({"table.csv": CSV}))
    with pytest.raises(OutputRefusal, match="1 to 20 queries"):
        bring.bring(world.store, ask=ask, folder=world.folder)
    twice = (Brought("table.csv", CSV), Brought("Table.csv", CSV))
    with pytest.raises(OutputRefusal, match="one name"):
        bring.bring(world.store, ask=replace(ask, brought=twice), folder=world.folder)
    with pytest.raises(OutputRefusal, match="written by the service"):
        brought(world, {"README.txt": b"Read me\n"})


def test_files_that_changed_after_they_were_brought_are_not_checked(world: World) -> None:
    asked = brought(world, {"table.csv": CSV})
    (world.folder / "requests" / asked.id / "brought" / "table.csv").write_bytes(CSV + b"East,1\n")
    with pytest.raises(OutputRefusal, match="not those that were brought"):
        bring.check(world.store, request_id=asked.id, actor="service", folder=world.folder)


def test_other_files_take_votes_away(world: World) -> None:
    asked = checked(world, {"table.csv": CSV})
    vote(world, asked, RITA)
    world.ran.append("another")
    brought(world, {"table.csv": CSV + b"East,30\n"}, again=asked.id)
    bring.check(world.store, request_id=asked.id, actor="service", folder=world.folder)
    again = now(world, asked.id)
    with world.store.read() as connection:
        assert (again.asked, outputs.reviews(connection, again)) == (2, [])


def test_refused_files_are_kept_sealed_by_hash(tmp_path: Path) -> None:
    key = bytes(range(32))
    [sha256] = evidence.keep(tmp_path, [CSV], key=key)
    [sealed] = (tmp_path / "refused").iterdir()
    assert CSV not in sealed.read_bytes()
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert evidence.read(tmp_path, sha256, key=key) == CSV
    for wrong, other in ((key, "0" * 64), (bytes(32), sha256)):
        with pytest.raises(OutputRefusal):
            evidence.read(tmp_path, other, key=wrong)


def test_an_empty_file_and_a_large_one_are_told_apart() -> None:
    reasons = [[f.reason for f in look("table.csv", content).findings] for content in (b"", b"1\n" * 5_000_001)]
    assert reasons == [["It is empty"], ["It is larger than 10 MB"]]


def test_a_title_that_cannot_be_taken_is_refused_with_files_too(world: World) -> None:
    ask = Ask("P-1", AUTHOR, (world.log(SQL),), "=People", brought=carried({"table.csv": CSV}))
    with pytest.raises(OutputRefusal, match=r"The title cannot be taken\. It begins with ="):
        bring.bring(world.store, ask=ask, folder=world.folder)
