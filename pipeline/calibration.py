"""What was promised against what happened, in ten bins of equal mass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, Key, Statistics, bootstrap, group_sums, ratio
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout
from pipeline.settings import Settings

BINS = 10


@dataclass(frozen=True)
class CalibrationBin:
    """One bin: how many rows, the mean probability they were given, and the share of them that left."""

    rows: int
    predicted: float
    observed: Interval


def calibration_bins(probability: FloatArray) -> NDArray[np.int64]:
    """The bin of each row, in the order of the probability: fewer than ten where many rows share a probability."""
    edges = np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.unique(np.searchsorted(edges, probability, side="left"), return_inverse=True)[1]


def calibration_curve(rows: Holdout, probability: FloatArray, settings: Settings) -> tuple[CalibrationBin, ...]:
    """The bins of one rung, lowest probability first; intervals are clustered by customer."""
    bins = calibration_bins(probability)
    count = int(bins.max()) + 1
    drawn = bootstrap(
        [_observed(rows, bins, count)], rows.customers, rounds=settings.bootstrap_rounds, seed=settings.seed
    )
    sizes = np.bincount(bins, minlength=count)
    predicted = np.bincount(bins, weights=probability, minlength=count) / sizes
    return tuple(CalibrationBin(int(sizes[i]), float(predicted[i]), drawn.interval(str(i))) for i in range(count))


def _observed(rows: Holdout, bins: NDArray[np.int64], count: int) -> Statistics:
    shape = (count, rows.customers)
    left = group_sums(bins, rows.customer, rows.churned, shape=shape)
    people = group_sums(bins, rows.customer, np.ones(len(rows)), shape=shape)

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        observed = ratio(left @ counts, people @ counts)
        return {(str(i),): observed[i] for i in range(count)}

    return figures
