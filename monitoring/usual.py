"""How far a field is usually from its reference though nothing is wrong, learned from itself and from its peers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray

NORMAL_POWER = 2 / 3
PEER_MONTHS = 24  # how many months of its own a field's usual distance must have to outweigh that of its peers


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

    Mean and variance are drawn to the median of the peers: what two years say of one field alone is off by a seventh.

    Args:
        strays: distances of left-out months, shape (..., months, fields); NaN where unknown.
        chosen: which months to learn from, shape (rows, months).
        peers: which fields of the channel may speak for the others, shape (..., fields).
    """
    there, values, weights = np.isfinite(strays), np.nan_to_num(strays) ** NORMAL_POWER, chosen.astype(np.float64)
    months = weights @ there
    mean = weights @ values / np.maximum(months, 1)
    variance = np.maximum(weights @ values**2 - months * mean**2, 0.0) / np.maximum(months - 1, 1)
    share = months / (months + PEER_MONTHS)
    typical, spread = (share * own + (1 - share) * _median(own, peers) for own in (mean, variance))
    return Usual(typical, np.sqrt(spread))


def _median(values: FloatArray, peers: NDArray[np.bool_]) -> FloatArray:
    """Of the peers' values, or of all where no field is a peer; shape (..., rows, 1)."""
    if values.shape[-1] == 0:
        return values
    anybody = np.where(peers.any(axis=-1, keepdims=True), peers, True)
    found: FloatArray = np.nanmedian(np.where(anybody[..., None, :], values, np.nan), axis=-1, keepdims=True)
    return found
