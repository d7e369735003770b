"""A conditional logit with "none of these" (McFadden 1974): probabilities of candidates from what speaks for each.

The likelihood is concave, so that Newton's steps, halved while they overshoot, find its one greatest value.
"""

import numpy as np
import numpy.typing as npt

from integrated_data.index.reference.signals import Signals

Numbers = npt.NDArray[np.float64]

_SHRINK = 0.05
_STEPS, _HALVINGS = 30, 8
#: Gain in log likelihood below which nothing more is looked for.
_NEGLIGIBLE = 1e-4


def probability(coefficients: Numbers, found: Signals) -> Numbers:
    """Rows × (candidates and, last, none of these). `coefficients`: of signals that speak, then of the silent ones."""
    speaking = found.speaking.shape[2]
    utility = np.column_stack([found.speaking @ coefficients[:speaking], found.silent @ coefficients[speaking:]])
    powers = np.exp(utility - utility.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def fitted(found: Signals, labels: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """Maximum-likelihood coefficients, slightly shrunk; signals are standardised for it. `labels`: the true codes.

    The first silent signal is the constant.
    """
    flat = found.speaking.reshape(-1, found.speaking.shape[2])
    centre, spread = flat.mean(0), flat.std(0) + 1e-9
    apart, wide = found.silent.mean(0), found.silent.std(0) + 1e-9
    apart[0], wide[0] = 0.0, 1.0
    scaled = Signals(found.candidates, (found.speaking - centre) / spread, (found.silent - apart) / wide)
    hit = found.candidates == labels[:, None]
    best = _climbed(scaled, answer=np.column_stack([hit, ~hit.any(1)]))
    speaking, silent = best[: len(centre)] / spread, best[len(centre) :] / wide
    silent[0] += centre @ speaking - apart @ silent
    return tuple(float(c) for c in (*speaking, *silent))


def _climbed(found: Signals, *, answer: npt.NDArray[np.bool_]) -> Numbers:
    place: Numbers = np.zeros(found.speaking.shape[2] + found.silent.shape[1])
    chance = probability(place, found)
    height = _height(place, chance, answer=answer)
    for _ in range(_STEPS):
        slope, bend = _slopes(place, chance, found=found, answer=answer)
        step = np.asarray(np.linalg.solve(bend, slope), dtype=np.float64)
        before = height
        for _ in range(_HALVINGS):
            tried = probability(place + step, found)
            height = _height(place + step, tried, answer=answer)
            if height >= before:
                break
            step /= 2
        else:
            return place
        place, chance = np.asarray(place + step, dtype=np.float64), tried
        if height - before < _NEGLIGIBLE:
            return place
    return place


def _height(place: Numbers, chance: Numbers, *, answer: npt.NDArray[np.bool_]) -> float:
    return float(np.log(np.maximum(chance[answer], 1e-300)).sum()) - _SHRINK * float(place @ place)


def _slopes(
    place: Numbers, chance: Numbers, *, found: Signals, answer: npt.NDArray[np.bool_]
) -> tuple[Numbers, Numbers]:
    """First derivatives, and second ones with their sign turned."""
    excess = answer - chance
    named, none = chance[:, :-1], chance[:, -1]
    flat = found.speaking.reshape(-1, found.speaking.shape[2])
    slope = np.append(excess[:, :-1].ravel() @ flat, excess[:, -1] @ found.silent) - 2 * _SHRINK * place
    mean = np.matmul(named[:, None, :], found.speaking)[:, 0]
    spoken = flat.T @ (flat * named.reshape(-1, 1)) - mean.T @ mean
    across = -mean.T @ (found.silent * none[:, None])
    silent = found.silent.T @ (found.silent * (none * (1 - none))[:, None])
    bend = np.block([[spoken, across], [across.T, silent]]) + 2 * _SHRINK * np.eye(len(place))
    return slope, bend
