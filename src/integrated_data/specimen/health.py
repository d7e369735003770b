"""Chronic conditions: who has which, since when, and what they do to being in work."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from integrated_data.specimen.chance import Floats, Ints, stream
from integrated_data.specimen.people import People
from integrated_data.specimen.text import CENSUS_DAY, YEAR
from integrated_data.specimen.words import records

#: Conditions that trouble women more and men less than the table says: depression and anxiety (published
#: general-practice prevalence: about two to one).
_WOMEN_MORE = {"F32", "F41"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One chronic condition; prevalences are shares at 40 and 70, `work_odds` multiplies the odds of work."""

    code: str
    name: str
    chapter: str
    concept: str
    onset: float
    at_40: float
    at_70: float
    work_odds: float
    deprivation: float


@dataclass(frozen=True, slots=True)
class Health:
    """`has` is persons × conditions; `onset_day` is of diagnosis; `general` 1 (very good) to 5 (very bad)."""

    has: npt.NDArray[np.bool_]
    onset_day: npt.NDArray[np.int32]
    work_odds: Floats
    general: Ints


def conditions() -> tuple[Condition, ...]:
    """Return the conditions of the country.

    Prevalences follow published general-practice figures and odds published employment rates by condition,
    both from memory and rounded; the deprivation slopes are guesses.
    """
    return tuple(
        Condition(
            code,
            name,
            chapter,
            concept,
            float(onset),
            float(at_40) / 100,
            float(at_70) / 100,
            float(odds),
            float(slope),
        )
        for code, name, chapter, concept, onset, at_40, at_70, odds, slope in records("conditions")
    )


def build(seed: int, people: People) -> Health:
    """Draw each person's conditions; frailty makes them cluster, deprivation makes them commoner."""
    rng = stream(seed, "health")
    rows = len(people)
    known = conditions()
    has = np.zeros((rows, len(known)), dtype=bool)
    onset = np.zeros((rows, len(known)), dtype=np.int32)
    frailty = np.exp(rng.normal(-0.12, 0.5, rows))
    work = np.ones(rows)
    years = people.years
    for place, condition in enumerate(known):
        chance = _prevalence(condition, years) * frailty * np.exp(condition.deprivation * (5.5 - people.decile))
        if condition.code in _WOMEN_MORE:
            chance = chance * np.where(people.members.sex == 2, 1.35, 0.65)
        has[:, place] = rng.random(rows) < np.minimum(chance, 0.9)
        since = np.minimum(years - 0.5, np.maximum(0.2, rng.gamma(1.6, 5.0, rows))).clip(0.05)
        since = np.minimum(since, np.maximum(years - condition.onset * 0.4, 0.1))
        onset[:, place] = CENSUS_DAY - np.rint(since * YEAR)
        work *= np.where(has[:, place], condition.work_odds, 1.0)
    burden = -np.log(work) + 0.35 * has.sum(axis=1) + rng.normal(0.25, 0.55, rows) + years / 110
    general = 1 + np.searchsorted([0.75, 1.55, 2.6, 3.7], burden)
    return Health(has, onset, work, general.astype(np.int64))


def _prevalence(condition: Condition, years: Floats) -> Floats:
    """Interpolate prevalence by age between its first appearance, 40, 70 and 95."""
    if condition.onset <= 30:
        ages = [max(condition.onset - 12, 1), condition.onset + 4, 40, 70, 95]
        shares = [0.0, 0.7 * condition.at_40, condition.at_40, condition.at_70, condition.at_70]
    else:
        ages = [max(condition.onset - 34, 12), 40, 70, 95]
        shares = [0.0, condition.at_40, condition.at_70, 1.1 * condition.at_70]
    return np.asarray(np.interp(years, ages, shares))
