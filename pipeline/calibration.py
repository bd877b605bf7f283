"""What was promised against what happened, in bins of customers with like probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Draws, Interval, Key, Statistics, group_sums, ratio
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout

ERROR_CUTS = tuple(np.linspace(0, 1, 11)[1:-1])  # ten bins of equal mass, as the calibration error is defined
CURVE_CUTS = (*ERROR_CUTS, 0.95, 0.98)  # the same, with the customers who are contacted looked at more closely
OBSERVED = "observed"


@dataclass(frozen=True)
class CalibrationBin:
    """One bin: how many rows, the mean probability they were given, and the share of them that left."""

    rows: int
    predicted: float
    observed: Interval


def calibration_bins(probability: FloatArray, cuts: Sequence[float]) -> NDArray[np.int64]:
    """The bin of each row between quantiles of the probability; fewer bins where many rows share a probability."""
    edges = np.quantile(probability, cuts)
    return np.unique(np.searchsorted(edges, probability, side="left"), return_inverse=True)[1]


def calibration_curve(drawn: Draws, name: str, probability: FloatArray) -> tuple[CalibrationBin, ...]:
    """The bins of one rung, lowest probability first; intervals are clustered by customer."""
    bins = calibration_bins(probability, CURVE_CUTS)
    rows = np.bincount(bins)
    predicted = np.bincount(bins, weights=probability) / rows
    return tuple(
        CalibrationBin(int(rows[i]), float(predicted[i]), drawn.interval(name, OBSERVED, str(i)))
        for i in range(len(rows))
    )


def calibration_statistics(key: Key, rows: Holdout, probability: FloatArray) -> Statistics:
    """Observed against predicted: overall, on average over the bins, and the observed share in each bin."""
    people, left, promised = _sums(rows, calibration_bins(probability, ERROR_CUTS), probability)
    curve_people, curve_left, _ = _sums(rows, calibration_bins(probability, CURVE_CUTS), probability)

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        were_left, were_promised = left @ counts, promised @ counts
        observed = ratio(curve_left @ counts, curve_people @ counts)
        distance = np.abs(were_left - were_promised).sum(axis=0)
        return {
            (*key, "calibration_error"): ratio(distance, (people @ counts).sum(axis=0)),
            (*key, "calibration_ratio"): ratio(were_left.sum(axis=0), were_promised.sum(axis=0)),
        } | {(*key, OBSERVED, str(i)): observed[i] for i in range(len(observed))}

    return figures


def _sums(rows: Holdout, bins: NDArray[np.int64], probability: FloatArray) -> list[Any]:
    """Rows, leavers and promised leavers of each bin."""
    shape = (int(bins.max()) + 1, rows.customers)
    values = (np.ones(len(rows)), rows.churned, probability)
    return [group_sums(bins, rows.customer, value, shape=shape) for value in values]
