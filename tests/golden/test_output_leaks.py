"""The planted-leak corpus: histories of requests whose last one would tell of a few people, and what stops it.

A file of `output_leaks/` holds attacks, each of a title, the requests of a history in order and what the last
comes to (a line that starts with =>): its lane, `held` where either refused or left to people will do, and the
numbers of the earlier requests that give it away together. `;;` stands between the queries of one request.
All of them run from the query to the check and out, over one drawn village (`tests/output_village.py`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.output import CheckReport, Lane
from tests.output_village import Village
from tests.output_village import village as drawn
from tests.output_world import World

FOLDER = Path(__file__).parent / "output_leaks"
REQUEST = re.compile(r"O-[0-9a-f]{12}")


@dataclass(frozen=True)
class Attack:
    """One attack: requests as (project, queries), the last lane, the earlier requests to be named, what is open."""

    file: str
    title: str
    asked: tuple[tuple[str, tuple[str, ...]], ...]
    lane: str
    named: frozenset[int]
    open: str


def attacks() -> Iterator[Attack]:
    """Every attack of the corpus, in order."""
    for place in sorted(FOLDER.glob("*.txt")):
        for block in place.read_text(encoding="utf-8").strip().split("\n\n"):
            title, *lines = block.split("\n")
            assert title.startswith("# "), f"{place.name}: an attack without a title"
            if not lines:
                continue
            asked = [line.split(": ", 1) for line in lines if line.startswith("P-")]
            (told,) = (line.removeprefix("=> ").split() for line in lines if line.startswith("=> "))
            missing = "".join(line.removeprefix("!! ") for line in lines if line.startswith("!! "))
            requests = tuple((project, tuple(sql.split(" ;; "))) for project, sql in asked)
            yield Attack(place.stem, title[2:], requests, told[0], frozenset(map(int, told[1:])), missing)


CORPUS = [
    pytest.param(a, id=f"{a.file}: {a.title}", marks=[pytest.mark.xfail(reason=a.open, strict=True)] if a.open else [])
    for a in attacks()
]


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    made = Village(tmp_path_factory.mktemp("village"), drawn())
    yield made
    made.close()


@pytest.mark.parametrize("attack", CORPUS)
def test_a_planted_leak_does_not_leave_at_once(village: Village, attack: Attack, tmp_path: Path) -> None:
    worlds = village.anew(tmp_path / "service")
    *before, (project, last) = attack.asked
    left = []
    for place, queries in before:
        report = worlds[place].checked(*queries)
        assert report.lane is not Lane.REFUSED, f"an earlier request of it does not leave: {report.findings}"
        worlds[place].leave(report)
        left.append(report.request)
    world = worlds[project]
    try:
        report = world.checked(*last)
    except QueryRefusal:
        assert (attack.lane, attack.named) == ("refused", frozenset())  # the gate lets nothing of it run
        return
    assert report.lane is not Lane.AUTOMATIC
    if attack.lane != "held":
        assert report.lane.value == attack.lane, report.findings
    numbers = {request: number for number, request in enumerate(left, start=1)}
    assert {numbers[request] for request in named(world, report) if request in numbers} == attack.named
    theirs = {r for r, (place, _) in zip(left, before, strict=True) if place != project}
    assert not theirs & told(report), "the author learns the number of another project's request"


def named(world: World, report: CheckReport) -> set[str]:
    """The requests that the check names, to the author or to the reviewers inside."""
    compared = world.folder / "requests" / report.request / "compared.json"
    inside = {found for one in json.loads(compared.read_text()) for found in REQUEST.findall(json.dumps(one))}
    return (told(report) | inside) - {report.request}


def told(report: CheckReport) -> set[str]:
    """The requests that the author reads of."""
    return {found for finding in report.findings for found in REQUEST.findall(finding.reason)}


def test_a_condition_on_groups_tells_nothing_of_those_held_back(village: Village, tmp_path: Path) -> None:
    """Twelve groups of seven and eight people are not listed, whatever size below the minimum is asked for."""
    sql = "SELECT area, CASE trade WHEN 'fishing' THEN 'farm' ELSE trade END AS kind, count(*) AS n FROM survey "
    left = set()
    for least in range(2, 11):
        world = village.anew(tmp_path / f"at least {least}")["P-1"]
        report = world.checked(f"{sql} WHERE area <> 'N9' GROUP BY ALL HAVING count(*) >= {least}")
        assert report.lane is Lane.AUTOMATIC
        left.add((world.leave(report) / "table.csv").read_text())
    (table,) = left
    assert len(table.split()) == 1 + 12 * 3 - 12
    assert "[c]" not in table


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 80
    kinds = {a.file for a in attacks()}
    assert len(kinds) >= 10
