"""The attacker's parts: leverage as the whole matrix has it, and what it says to authors and reviewers."""

import os
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from integrated_data.output.equations import Gathered
from integrated_data.output.leverage import Overlaps
from integrated_data.output.programs import Aim, Patience, Program
from integrated_data.output.together import together
from tests.remembered import grouped

#: Everybody; one half; the other half less one person.
EVERYBODY, HALF, REST = [1] * 40, [1] * 20 + [0] * 20, [0] * 20 + [1] * 19 + [0]
LEAST = dict.fromkeys(("O-1", "O-2", "O-3"), 10)

#: Stops a process when an integer program has begun, for longer than any may wait, and lets it go on.
HALT = "sleep 0.2; kill -STOP {0}; sleep 4; kill -CONT {0}"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=30, max_size=30), min_size=2, max_size=5))
def test_leverage_is_that_of_the_whole_matrix(world: list[list[int]]) -> None:
    tables = [grouped(cells, below=2, total=number % 2 == 0) for number, cells in enumerate(world)]
    held = Gathered(tables, new=1).known(None, below=30)
    if held is None:
        return
    rows = held.rows.toarray()
    hat = rows.T @ np.linalg.pinv((rows * held.weight) @ rows.T) @ rows
    overlaps = Overlaps(held)
    assert np.allclose(overlaps.shared(np.arange(len(held.people))), hat, atol=1e-4)
    assert np.all(overlaps.atmost() >= np.diag(hat) - 1e-4)
    assert np.isclose(overlaps.leverage(0, tables=overlaps.tables()), hat[0, 0], atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=30, max_size=30), min_size=2, max_size=5))
def test_whom_least_squares_clear_no_combination_tells_of(world: list[list[int]]) -> None:
    tables = [grouped(cells, below=2, total=number % 2 == 0) for number, cells in enumerate(world)]
    held = Gathered(tables, new=1).known(None, below=30)
    if held is None:
        return
    atoms = np.arange(len(held.people))
    shared = np.abs(Overlaps(held).shared(atoms))
    np.fill_diagonal(shared, 0.0)
    assert np.allclose(Overlaps(held).nearest(atoms), shared.max(axis=0), atol=1e-4)
    for atom in atoms:
        program = Program.of(held, kept=np.ones(len(held.told), bool), aim=Aim(atoms[[atom]]))
        assert program is not None
        least = program.combination(np.ones(len(program.weight)), most=30)[1]
        assert not program.changes(least + 0.1)


@pytest.mark.parametrize(
    ("earlier", "new", "requests"),
    [
        pytest.param((EVERYBODY, HALF), REST, [("O-1", "O-2", "O-3")], id="three together"),
        pytest.param((HALF, REST), EVERYBODY, [("O-1", "O-2", "O-3")], id="in another order"),
        pytest.param((EVERYBODY, REST), REST, [], id="what has left already"),
        pytest.param((EVERYBODY, [1] * 10 + [0] * 30), REST, [], id="enough people are left"),
    ],
)
def test_what_three_tables_tell(
    earlier: tuple[list[int], ...], new: list[int], requests: list[tuple[str, ...]]
) -> None:
    left = [(f"O-{n}", grouped(cells, below=10)) for n, cells in enumerate(earlier, start=1)]
    found = together([("O-3", grouped(new, below=10))], left, index="person", least=LEAST)
    assert [joint.requests for joint in found] == requests
    assert all((joint.people, joint.low, joint.high) == (1, 1.0, 1.0) for joint in found)


def test_a_withheld_cell_that_two_later_tables_add_up_to_is_told() -> None:
    """Cells of 4 and of 15 people are held back, one of 30 left; then half of the last two leave, and the rest."""
    held = grouped([1] * 4 + [2] * 15 + [3] * 30, below=16)
    first, second = ([0] * 4 + [1] * 7 + [0] * 8 + [1] * 10 + [0] * 20, [0] * 11 + [1] * 8 + [0] * 10 + [1] * 20)
    left = [("O-1", held), ("O-2", grouped(first, below=10))]
    (joint, *_) = together([("O-3", grouped(second, below=10))], left, index="person", least=LEAST)
    assert joint.withheld is not None
    assert (joint.withheld.request, joint.withheld.words(), joint.people) == ("O-1", "2", 15)


def crowded() -> Program:
    """Somebody among 3,000 groups and 110 figures of a fifth of them each: to decide that takes a solver a while."""
    dice = np.random.default_rng(1)
    rows = csr_array((dice.random((110, 3_000)) < 0.2).astype(float))
    people = np.append(1.0, dice.integers(1, 20, 2_999))
    return Program(rows, np.arange(3_000), people, people, np.array([0], np.intp), cell=False)


def test_what_is_decided_does_not_depend_on_how_busy_the_machine_is() -> None:
    program = crowded()
    quiet = program.fewest(most=9.5, patience=Patience())
    with subprocess.Popen(["sh", "-c", HALT.format(os.getpid())]) as halting:
        patience = Patience()
        busy = program.fewest(most=9.5, patience=patience)
        halting.wait()
    assert quiet[1]
    assert busy[1]
    assert np.array_equal(quiet[0], busy[0])
    assert 0 < patience.left < Patience().left


def test_who_keeps_the_machine_at_it_is_left_to_people() -> None:
    assert not crowded().fewest(most=9.5, patience=Patience(0.0))[1]
