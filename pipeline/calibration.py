"""What was promised against what happened, in ten bins of equal mass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Draws, Interval, Key, Statistics, group_sums, ratio
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout

BINS = 10
OBSERVED = "observed"


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


def calibration_curve(drawn: Draws, name: str, probability: FloatArray) -> tuple[CalibrationBin, ...]:
    """The bins of one rung, lowest probability first; intervals are clustered by customer."""
    bins = calibration_bins(probability)
    rows = np.bincount(bins)
    predicted = np.bincount(bins, weights=probability) / rows
    return tuple(
        CalibrationBin(int(rows[i]), float(predicted[i]), drawn.interval(name, OBSERVED, str(i)))
        for i in range(len(rows))
    )


def calibration_statistics(key: Key, rows: Holdout, probability: FloatArray) -> Statistics:
    """Observed against predicted: overall, on average over the bins, and the observed share of each bin."""
    bins = calibration_bins(probability)
    shape = (int(bins.max()) + 1, rows.customers)
    values = (np.ones(len(rows)), rows.churned, probability)
    sums = [group_sums(bins, rows.customer, value, shape=shape) for value in values]

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        people, left, promised = (each @ counts for each in sums)
        observed = ratio(left, people)
        return {
            (*key, "calibration_error"): ratio(np.abs(left - promised).sum(axis=0), people.sum(axis=0)),
            (*key, "calibration_ratio"): ratio(left.sum(axis=0), promised.sum(axis=0)),
        } | {(*key, OBSERVED, str(i)): observed[i] for i in range(len(observed))}

    return figures
