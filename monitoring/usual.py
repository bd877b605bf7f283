"""How far a field is usually from its reference though nothing is wrong, learned from itself and from its peers.

What two years say of one field alone is off by a fifth, which costs either peace or eyes. So it is drawn to the median
of its peers, the more the less the peers differ from each other beyond chance (empirical Bayes: Efron and Morris 1973).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray

NORMAL_POWER = 2 / 3
INDEPENDENT = 0.25  # share of the months that tell something of their own: neighbours are compared with the same months
PEERS_DOUBTED = 5  # a few peers say little of how much peers differ: so many more are added that differ as by chance
SD_OF_MEDIAN_DEVIATION = 1.4826
NOTHING = 1e-12


@dataclass(frozen=True)
class Usual:
    """Mean and standard deviation of the distances of a channel to the NORMAL_POWER, shape (..., rows, fields)."""

    typical: FloatArray
    scale: FloatArray

    def beyond(self, times: FloatArray) -> FloatArray:
        """The distance that lies so many standard deviations above the mean, for `times` of shape (...)."""
        found: FloatArray = (self.typical + times[..., None, None] * self.scale) ** (1 / NORMAL_POWER)
        return found


def usual(strays: FloatArray, chosen: NDArray[np.bool_], peers: NDArray[np.bool_]) -> Usual:
    """What is usual in the months of each row of `chosen`.

    Args:
        strays: distances of left-out months, in units in which peers can be compared, shape (..., months, fields); NaN
            where unknown.
        chosen: which months to learn from, shape (rows, months).
        peers: which fields of the channel may speak for the others, shape (..., fields).
    """
    there, values, weights = np.isfinite(strays), np.nan_to_num(strays) ** NORMAL_POWER, chosen.astype(np.float64)
    months = weights @ there
    mean = weights @ values / np.maximum(months, 1)
    variance = np.maximum(weights @ values**2 - months * mean**2, 0.0) / np.maximum(months - 1, 1)
    speak = peers[..., None, :] & (variance > NOTHING)
    known = np.maximum(INDEPENDENT * months, NOTHING)
    typical = _drawn(mean, mean, _median(variance, speak) / known, speak)
    spread = _drawn(variance, np.log(np.maximum(variance, NOTHING)), 2 / known, speak)
    return Usual(typical, np.sqrt(spread))


def _drawn(own: FloatArray, measure: FloatArray, noise: FloatArray, speak: NDArray[np.bool_]) -> FloatArray:
    """Each field's own value, drawn to the median as far as chance (variance `noise`) explains how measures differ."""
    if own.shape[-1] == 0:
        return own
    peers = speak.sum(axis=-1, keepdims=True)
    apart = (SD_OF_MEDIAN_DEVIATION * _median(np.abs(measure - _median(measure, speak)), speak)) ** 2
    real = np.maximum((peers * (apart - noise) + PEERS_DOUBTED * noise) / (peers + PEERS_DOUBTED), 0.0)
    share = real / (real + np.maximum(noise, NOTHING))
    return share * own + (1 - share) * _median(own, speak)


def _median(values: FloatArray, speak: NDArray[np.bool_]) -> FloatArray:
    """Of the values of those who speak, or of all where nobody does; shape (..., rows, 1)."""
    if values.shape[-1] == 0:
        return values
    anybody = np.where(speak.any(axis=-1, keepdims=True), speak, True)
    found: FloatArray = np.nanmedian(np.where(anybody, values, np.nan), axis=-1, keepdims=True)
    return found
