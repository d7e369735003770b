"""The safe corpus: tables that an experienced checker would pass, asked for one after the other.

What may leave has left before the next is asked for, so that a history grows: the hard part is that a project
needs many safe tables about one dataset. Those that do not leave at once are marked, with the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrated_data.model.output import Lane, Outcome
from tests.output_country import published
from tests.output_village import Village

pytestmark = [pytest.mark.early, pytest.mark.long]

FILE = Path(__file__).parent / "output_safe" / "projects.txt"

#: How many of the tables leave at once, at least.
SHARE = 0.9

#: Projects whose tables are in one history: what the one has left, the other is compared with.
HISTORIES = (("P-1", "P-4"), ("P-2", "P-3"))


@dataclass(frozen=True)
class Asked:
    """One table: its title, its project, its query and the lane that it takes."""

    title: str
    project: str
    sql: str
    lane: Lane


def tables() -> Iterator[Asked]:
    """Every table of the corpus, in order, with what `{…}` stands for put in."""
    _, lets, *blocks = FILE.read_text(encoding="utf-8").strip().split("\n\n")
    stands = dict(line.removeprefix("let ").split(" = ", 1) for line in lets.split("\n"))
    for block in blocks:
        title, asked, *lane = block.split("\n")
        project, sql = asked.split(": ", 1)
        for name, text in stands.items():
            sql = sql.replace(f"{{{name}}}", text)
        yield Asked(title[2:], project, sql, Lane(lane[0][3:].split(":")[0]) if lane else Lane.AUTOMATIC)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Asked, Lane, str]]:
    """Each table with the lane that it took and why."""
    folder, found = tmp_path_factory.mktemp("country"), []
    service = Village(folder / "service", published())
    worlds = {}
    for number, projects in enumerate(HISTORIES):
        history = service.anew(folder / str(number))
        worlds |= {project: history[project] for project in projects}
    for one in tables():
        world = worlds[one.project]
        report = world.checked(one.sql)
        held = (Outcome.REVIEW, Outcome.REFUSE)
        found.append((one, report.lane, "; ".join(f.rule for f in report.findings if f.outcome in held)))
        if report.lane is not Lane.REFUSED:
            world.leave(report)
    service.close()
    return found


def test_safe_tables_leave_at_once(asked: list[tuple[Asked, Lane, str]]) -> None:
    at_once = [one for one, lane, _ in asked if lane is Lane.AUTOMATIC]
    assert len(asked) >= 60
    assert len(at_once) >= SHARE * len(asked)


def test_the_others_are_those_that_are_marked(asked: list[tuple[Asked, Lane, str]]) -> None:
    why = {one.title: held for one, lane, held in asked if lane is not one.lane}
    assert [(one.title, lane) for one, lane, _ in asked] == [(one.title, one.lane) for one, _, _ in asked], why
