"""The desk of the output checkers in tests: a small survey, what is asked of it, who votes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from integrated_data.audit import chain
from integrated_data.control import lanes, outputs
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.lane import LaneRule
from integrated_data.model.output import OutputRequest, Vote
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.output import lane, release, review, sample
from integrated_data.site.acting import Acting
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, REVIEWERS, World, repeated

SAFE = "SELECT region, count(*) AS people FROM lfs GROUP BY region"
DOUBTFUL = "SELECT region, stddev(pay) AS spread FROM lfs GROUP BY region ORDER BY region"
RITA, ROB, RUTH = REVIEWERS


def desk(engine: DuckDB, store: Store, folder: Path) -> Iterator[World]:
    """A project's labour force survey, with an output that leaves by itself and one that people look at."""
    parser = DuckDBParser()
    lfs = repeated(
        (20, ("N", 100)), (20, ("N", 90)), (5, ("N", 91)), (30, ("S", 120)), (25, ("S", 20)), columns="region pay"
    )
    yield World(store, engine, parser, folder / "outputs", {"lfs": lfs})
    parser.close()


def now(world: World, request: str) -> OutputRequest:
    """The request as it stands."""
    with world.store.read() as connection:
        return outputs.get_request(connection, request)


def rule(world: World, **changed: float | bool) -> None:
    """Change the lane's rule."""
    made: LaneRule = replace(LaneRule(), **changed)  # type: ignore[arg-type]
    lane.set_rule(world.store, made, by=RITA, reason="a trial")


def events(world: World, action: str) -> list[chain.Record]:
    """What the audit chain holds of an action."""
    with world.store.read() as connection:
        return [r for r in records(connection) if r.action == action]


def vote(world: World, asked: OutputRequest, reviewer: str, cast: Vote = Vote.APPROVE) -> OutputRequest:
    """A reviewer's vote about the files as they are."""
    return review.review(
        world.store, request=asked.id, reviewer=reviewer, vote=cast, sha256=asked.sha256, reason="as read"
    )


def left(world: World) -> OutputRequest:
    """A table that left by itself."""
    asked = world.checked(SAFE)
    release.release(world.store, request=asked.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    return now(world, asked.request)


def drawn(world: World) -> tuple[OutputRequest, OutputRequest]:
    """A table that left by itself, and the request that checks it afterwards."""
    rule(world, share=1.0)
    gone = left(world)
    assert sample.take(world.store, world.ledger, folder=world.folder) == 1
    with world.store.read() as connection:
        [one] = lanes.samples(connection)
    return gone, now(world, one.twin)


def acting(person: str, *roles: Role) -> Acting:
    """Somebody who came in under their name."""
    return Acting(person, SignedIn(person, roles, SignInMethod.NAMED, datetime.max), production=False)
