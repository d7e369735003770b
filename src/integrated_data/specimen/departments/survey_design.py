"""Sample design of the labour force survey: strata, clusters drawn by size, response, and calibrated weights.

Stratified two-stage sampling with probability proportional to size and raking to margins, as in Cochran,
Sampling Techniques (1977), and Deming and Stephan (1940).
"""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen.chance import Bools, Floats, Ints, happens
from integrated_data.specimen.country import Country
from integrated_data.specimen.households import CARE_HOME

#: Households issued in each cluster.
_TAKE = 24
_AGE_BANDS = np.array([0, 16, 25, 35, 45, 55, 65, 75])


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry a respondent; `psu` and `stratum` name no place, `weight` sums to the residents."""

    person: Ints
    psu: Ints
    stratum: Ints
    wave: Ints
    design_weight: Floats
    weight: Floats


def draw(rng: np.random.Generator, country: Country) -> Sample:
    """Draw clusters within strata and households within clusters; weight those who answer."""
    people, areas = country.people, country.areas
    private = people.resident & (people.members.kind < CARE_HOME)
    house, first = np.unique(people.members.household[private], return_index=True)
    oa = country.addresses.oa[people.members.address[np.flatnonzero(private)[first]]]
    lsoa = areas.oas.parent[oa]
    stratum_of_oa = _strata(country)
    size = np.bincount(oa, minlength=len(areas.oas.codes))
    issued = (
        country.rates.survey_sample
        * people.resident.sum()
        / country.rates.survey_response
        / (private.sum() / len(house))
    )
    clusters = max(2 * len(np.unique(stratum_of_oa[size > 0])), round(issued / _TAKE))
    chance_of_oa = _chances(stratum_of_oa, size, clusters=clusters)
    chosen = _systematic(rng, chance_of_oa, stratum=stratum_of_oa)
    within = np.minimum(1.0, _TAKE / np.maximum(size, 1))
    taken = chosen[oa] & (rng.random(len(house)) < within[oa])
    answers = taken & happens(
        rng, _response(country, house, private=private, decile=areas.decile[lsoa]), rows=len(house)
    )
    index = np.full(int(people.members.household[-1]) + 1, -1)
    index[house[answers]] = np.flatnonzero(answers)
    person = np.flatnonzero(private & (index[people.members.household] >= 0))
    row = index[people.members.household[person]]
    design = 1 / (chance_of_oa * within)[oa[row]]
    codes = rng.permutation(len(size)) + 1_000
    wave = rng.integers(1, 6, len(house))[row]
    return Sample(
        person,
        codes[oa[row]],
        stratum_of_oa[oa[row]] + 1,
        wave,
        design,
        calibrate(country, person, design=design),
    )


def _strata(country: Country) -> Ints:
    """Return the stratum of each OA: region by third of deprivation."""
    areas = country.areas
    place = areas.ancestors(np.arange(len(areas.oas.codes)))
    third = np.searchsorted([4, 7], areas.decile[place["lsoa"]] - 0.5)
    return np.asarray(place["region"] * 3 + third, dtype=np.int64)


def _chances(stratum: Ints, size: Ints, *, clusters: int) -> Floats:
    """Return each cluster's chance: the number for its stratum (two at least) in proportion to its size."""
    total = np.bincount(stratum, size)
    number = np.where(total > 0, np.maximum(2, np.rint(clusters * total / total.sum())), 0)
    available = np.bincount(stratum, size > 0)
    number = np.minimum(number, available)
    chance = number[stratum] * size / np.maximum(total[stratum], 1)
    for _ in range(8):  # certain clusters leave their surplus to the others of the stratum
        over = chance > 1
        chance = np.minimum(chance, 1)
        spare = number - np.bincount(stratum, chance, minlength=len(number))
        open_size = np.bincount(stratum, np.where(over | (chance >= 1), 0, size), minlength=len(number))
        share = np.where((chance < 1) & (open_size[stratum] > 0), size / np.maximum(open_size[stratum], 1), 0)
        chance = chance + np.maximum(spare, 0)[stratum] * share
    return np.minimum(chance, 1)


def _systematic(rng: np.random.Generator, chance: Floats, *, stratum: Ints) -> Bools:
    """Choose clusters by systematic sampling along each stratum in random order."""
    order = np.lexsort((rng.random(len(chance)), stratum))
    running = np.cumsum(chance[order])
    start = np.floor(running - rng.random() + 1e-9)
    chosen = np.zeros(len(chance), dtype=bool)
    chosen[order] = np.diff(start, prepend=-1.0) >= 1
    chosen[chance >= 1] = True
    return chosen


def _response(country: Country, house: Ints, *, private: Bools, decile: Ints) -> Floats:
    """Return the chance that a household answers: lower for the young, movers and deprived areas."""
    people = country.people
    members = people.members.household[private]
    count = np.maximum(np.bincount(members), 1)
    age = (np.bincount(members, people.years[private]) / count)[house]
    moved = (np.bincount(members, people.mover[private]) / count)[house]
    factor = np.interp(age, [20, 35, 60, 75], [0.72, 0.88, 1.12, 1.28]) * (1 - 0.22 * moved) * (0.90 + 0.018 * decile)
    return np.asarray(np.clip(country.rates.survey_response * factor, 0.05, 0.95))


def calibrate(country: Country, person: Ints, *, design: Floats) -> Floats:
    """Rake design weights to residents by region and by age band and sex, until both margins hold."""
    people = country.people
    band = np.searchsorted(_AGE_BANDS, people.years, side="right") - 1
    margins = (people.region, band * 2 + people.members.sex - 1)
    weight = design.copy()
    for _ in range(40):
        for cells in margins:
            target = np.bincount(cells[people.resident], minlength=int(cells.max()) + 1)
            reached = np.bincount(cells[person], weight, minlength=len(target))
            weight *= (target / np.maximum(reached, 1e-9))[cells[person]]
    return np.asarray(np.round(weight * people.resident.sum() / weight.sum(), 6))
