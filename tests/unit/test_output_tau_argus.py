"""τ-Argus beside the service's own choice of cells to withhold: a real engine, and what becomes of a bad choice."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import CheckReport, Lane, ReleaseLimits
from integrated_data.output import alternatives
from integrated_data.output.protect import CellId, Optimiser, Quantity, Tables, exposed_cells, levels, withhold
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.tau_argus import TauArgus, tau_argus
from tests.output_world import AUTHOR, World, repeated

LIMITS = ReleaseLimits()

#: Counts by three keys, one in twenty of them below ten; values with marks that the engine's files are made of.
DICE = random.Random(0)
COUNTS = {
    cell: DICE.choice([DICE.randint(1, 9)] + [DICE.randint(10, 30)] * 19)
    for cell in product(["Gwynedd; Môn", 'the "north"', "T", ""], range(5), ["F", "M", "X"])
}
CUBE = "SELECT area, age, sex, count(*) AS n FROM lfs GROUP BY CUBE (area, age, sex)"


def tables() -> tuple[Tables, frozenset[CellId]]:
    """The table of counts with all its margins, and its cells of fewer than ten."""
    cells: dict[CellId, float] = {}
    for at, count in COUNTS.items():
        for kept in product((False, True), repeat=3):
            cell = frozenset((f"k{n}", str(v)) for n, (v, k) in enumerate(zip(at, kept, strict=True)) if k)
            cells[cell] = cells.get(cell, 0.0) + count
    return Tables(tuple(cells), levels(cells), (Quantity(cells, whole=True),)), frozenset(
        cell for cell, count in cells.items() if count < LIMITS.minimum_people
    )


def test_the_engine_withholds_less_and_the_attacker_finds_nothing(tmp_path: Path) -> None:
    table, primary = tables()
    asked = tau_argus(tmp_path)
    assert asked is not None, "installed with the extra"
    chosen = asked(table, primary, LIMITS)
    assert chosen is not None
    assert primary < chosen
    assert exposed_cells(table, primary, withheld=chosen, limits=LIMITS) == []
    counts, ours = table.quantities[0].values, withhold(table, primary, limits=LIMITS)
    assert sum(counts[c] for c in chosen) < sum(counts[c] for c in ours)
    assert list(tmp_path.iterdir()) == [], "its files are gone"


def test_what_is_no_full_table_is_not_given_to_it(tmp_path: Path) -> None:
    table, primary = tables()
    cells = tuple(c for c in table.cells if len(c) != 2)
    part = Tables(cells, levels(cells), (Quantity({c: table.quantities[0].values[c] for c in cells}, whole=True),))
    assert TauArgus(tmp_path)(part, primary, LIMITS) is None


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    lfs = repeated(*((count, cell) for cell, count in COUNTS.items()), columns="area age sex")
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    parser.close()


@dataclass(frozen=True)
class NothingMore:
    """An optimiser that withholds the unsafe cells alone, which their margins give away."""

    name: str = "nothing more"

    def __call__(self, tables: Tables, primary: frozenset[CellId], limits: ReleaseLimits, /) -> frozenset[CellId]:  # noqa: ARG002
        return primary | {min((c for c in tables.cells if c not in primary), key=sorted)}


def proposals(world: World, request: str, optimiser: Optimiser) -> dict[str, float]:
    found = alternatives.alternatives(
        world.store, world.run, request=request, actor=AUTHOR, folder=world.folder, optimiser=optimiser
    )
    return {p.id: p.loss for p in found}


def hidden(world: World, report: CheckReport) -> list[str]:
    table = world.folder / "requests" / report.request / "package" / "table.csv"
    return [row for row in table.read_text(encoding="utf-8").splitlines() if row.endswith("[c]")]


def test_its_choice_is_proposed_taken_and_checked(world: World, tmp_path: Path) -> None:
    request = world.ask(CUBE).id
    found = proposals(world, request, TauArgus(tmp_path))
    assert found["withhold-optimal"] < found["withhold"]
    made = alternatives.accept(
        world.store, world.run, request=request, proposal="withhold-optimal", actor=AUTHOR, folder=world.folder
    )
    report = world.check(made)
    assert report.lane is Lane.AUTOMATIC
    assert "accepted form" in {f.rule for f in report.findings}
    assert hidden(world, report) != hidden(world, world.checked(CUBE))


def test_a_choice_that_gives_cells_away_is_not_proposed(world: World) -> None:
    men = "SELECT area, age, count(*) AS n FROM lfs WHERE sex = 'M' GROUP BY CUBE (area, age)"
    found = proposals(world, world.ask(men).id, NothingMore())
    assert "withhold" in found
    assert "withhold-optimal" not in found
