"""Automatic coding: ranked codes with probabilities, learned from labelled phrases alone."""

import csv
import gzip

import numpy as np

from integrated_data.index.reference import coder
from tests.real_data import real_data

PHRASES = {
    "wheat growing": "01110", "barley growing": "01110", "cereal farm": "01110",
    "clothes shop (retail)": "47710", "mens clothes (retail)": "47710", "dress shop (retail)": "47710",
    "doctors surgery": "86210", "family doctor": "86210", "general practitioner": "86210",
}  # fmt: skip


def test_words_decide_and_the_ranking_leaves_room_for_none() -> None:
    trained = coder.train(list(PHRASES), list(PHRASES.values()))
    ranking = coder.rank(trained, ["growing of wheat", "shop for clothes", "the surgery of my doctor", "xyzzy"])
    best = [trained.codes[code] for code in ranking.codes[:3, 0]]
    assert best == ["01110", "47710", "86210"]
    assert (ranking.probability.sum(1) < 1).all()
    assert ranking.probability[3].max() == 0


def test_the_same_phrases_make_the_same_coder() -> None:
    left, right = (coder.train(list(PHRASES), list(PHRASES.values())) for _ in range(2))
    assert left.coefficients == right.coefficients
    assert (left.learned.weights[0] != right.learned.weights[0]).nnz == 0


def test_nothing_asked_is_nothing_ranked() -> None:
    trained = coder.train(list(PHRASES), list(PHRASES.values()))
    assert coder.rank(trained, []).codes.shape == (0, 3)


def test_probabilities_hold_on_activities_the_coder_has_not_seen() -> None:
    place = real_data("classification", "sic2007_activity_index.csv.gz")
    with gzip.open(place, "rt", encoding="utf-8") as file:
        rows = [(row["activity"].lower(), row["sic2007"].zfill(5)) for row in csv.DictReader(file)]
    order = np.random.default_rng(7).permutation(len(rows))
    held, known = order[:1000], order[1000:3500]
    lines = {code: (code[:4], code[:3], code[:2]) for _, code in rows}
    trained = coder.train([rows[i][0] for i in known], [rows[i][1] for i in known], lines=lines)
    ranking = coder.rank(trained, [rows[i][0] for i in held])
    chance = ranking.probability[:, 0]
    right = np.array(trained.codes)[ranking.codes[:, 0]] == np.array([rows[i][1] for i in held])
    sure = chance >= 0.8
    assert right.mean() > 0.36
    assert abs(chance.mean() - right.mean()) < 0.05
    assert right[sure].mean() > 0.85


def test_the_reason_names_words_and_entries() -> None:
    trained = coder.train(list(PHRASES), list(PHRASES.values()))
    found = coder.reason(trained, "growing of wheat", code=trained.codes.index("01110"))
    assert dict(found.words) == {"wheat": 1.0, "grow": 1.0}
    assert found.entries[0][0] == "wheat growing"
