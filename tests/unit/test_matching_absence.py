"""Probabilities beside how often records that are not in the index seem to be."""

import numpy as np
import numpy.typing as npt
import pytest

from integrated_data.index.matching import absence
from integrated_data.index.matching.decide import Edges, Floats, Posterior
from integrated_data.index.matching.model import Model, Strangers

RECORDS, ABSENT = 200_000, 0.1


def drawn(strangers_seem: float) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    """What a model believes of every record, whether it is in the index, and trials: it believes that
    absent records seem to be there (at .9) a tenth as often as they do."""
    draw = np.random.default_rng(3)
    there = draw.random(RECORDS) > ABSENT
    doubtful = np.where(there, 0.01, strangers_seem) > draw.random(RECORDS)
    believed = np.where(doubtful, 0.9, np.where(there, 1.0 - 1e-9, 1e-6))
    trials = np.where(draw.random(5_000) < strangers_seem, 0.9, 1e-6)
    return believed, there, trials


def adjusted(believed: Floats, strangers: Strangers | None) -> Floats:
    edges = Edges(np.arange(RECORDS), np.arange(RECORDS), np.zeros(RECORDS))
    found = Posterior(believed, 1.0 - ABSENT)
    return absence.adjusted(edges, found, records=RECORDS, strangers=strangers).probability


def test_the_middle_is_as_sure_as_strangers_allow() -> None:
    believed, there, trials = drawn(0.05)
    middle = believed == 0.9
    now = adjusted(believed, absence.counted(trials))[middle]
    true = there[middle].mean()
    assert abs(0.9 - true) > 0.2
    assert now.mean() == pytest.approx(true, abs=0.05)


def test_nobody_becomes_surer_and_nobody_overtakes_another() -> None:
    draw = np.random.default_rng(4)
    believed = draw.beta(0.3, 0.1, RECORDS)
    now = adjusted(believed, absence.counted(draw.beta(0.05, 0.5, 2_000)))
    assert (now <= believed + 1e-12).all()
    assert (np.diff(now[np.argsort(believed)]) >= -1e-12).all()


def test_a_model_that_is_right_already_stays_as_it_is() -> None:
    believed, _, trials = drawn(0.009)
    assert adjusted(believed, absence.counted(trials)) == pytest.approx(believed, abs=0.02)
    assert adjusted(believed, None) is believed


def test_candidates_of_a_record_keep_their_shares() -> None:
    edges = Edges(np.array([0, 0, 1]), np.array([5, 6, 7]), np.zeros(3))
    found = Posterior(np.array([0.6, 0.3, 1e-9]), 0.5)
    seen = Strangers(1_000, (0,) * 8 + (300,) + (0,) * (absence.HIGHEST - absence.LOWEST - 9))
    now = absence.adjusted(edges, found, records=100, strangers=seen).probability
    assert now[0] / now[1] == pytest.approx(2.0)
    assert now[0] < 0.5


def test_a_kept_model_keeps_what_it_saw_of_strangers() -> None:
    model = Model("demographic", {}, strangers=Strangers(600, (1, 2, 3)))
    assert Model.from_json(model.to_json()) == model
    assert Model.from_json(Model("demographic", {}).to_json()).strangers is None
