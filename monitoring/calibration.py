"""Do the probabilities still mean what they say? Slope and intercept of the outcome on the logit of what was promised.

Cox (1958): logit P(leaves) = intercept + slope * logit(p). A slope below 1 promises extremes that do not come, as an
overfitted model does; an intercept below 0, at slope 1, promises too many leavers. Errors are clustered by customer, so
several months of a customer, or several copies, do not count as so many customers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray
from pipeline.errors import ContractError

NORMAL_95 = 1.959963984540054
STEPS, CLOSE_ENOUGH = 50, 1e-10
LARGEST_LOGIT = 13.8  # a probability within a millionth of 0 or 1 says no more than that


@dataclass(frozen=True)
class CalibrationDrift:
    """What became of the promises.

    Args:
        slope: 1 where differences between customers are as large as promised.
        intercept: 0 where as many leave as promised, on the logit scale; at slope 1.
    """

    slope: Interval
    intercept: Interval

    @property
    def has_drifted(self) -> bool:
        """Whether either interval excludes what it should be."""
        return not (self.slope.low <= 1 <= self.slope.high and self.intercept.low <= 0 <= self.intercept.high)


def calibration_drift(
    churned: ArrayLike, probability: ArrayLike, *, customer: ArrayLike | None = None, copies: ArrayLike = 1.0
) -> CalibrationDrift:
    """Slope and intercept with 95 % intervals.

    Args:
        churned: who left, shape (rows,).
        probability: as it was given.
        customer: who each row is of; each of another one by default.
        copies: how many rows each stands for.

    Raises:
        ContractError: nobody left, or nobody stayed, or all have the same probability: there is nothing to fit.
    """
    y, p = (np.asarray(values, dtype=np.float64) for values in (churned, probability))
    with np.errstate(divide="ignore"):
        logit = np.clip(np.log(p) - np.log1p(-p), -LARGEST_LOGIT, LARGEST_LOGIT)
    if not 0 < y.mean() < 1 or np.ptp(logit) == 0:
        raise ContractError(
            "labels for calibration",
            expected="some who left and some who stayed, with different probabilities",
            found=f"{int(y.sum())} of {len(y)} who left, {len(np.unique(p))} different probabilities",
            remedy="Wait for more labels, or put more months together.",
        )
    groups = np.arange(len(y)) if customer is None else np.unique(np.asarray(customer), return_inverse=True)[1]
    ones, times = np.ones(len(y)), np.broadcast_to(np.asarray(copies, dtype=np.float64), y.shape)
    slope = _fitted(np.stack([ones, logit], axis=1), y, np.zeros(len(y)), times, groups)[1]
    return CalibrationDrift(slope, _fitted(ones[:, None], y, logit, times, groups)[0])


def _fitted(
    x: FloatArray, y: FloatArray, offset: FloatArray, copies: FloatArray, groups: NDArray[np.int64]
) -> list[Interval]:
    """Logistic regression by Newton's method, coefficients with clustered intervals (Liang and Zeger 1986)."""
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(offset + x @ beta)))
        information = (x.T * (copies * p * (1 - p))) @ x
        step = np.linalg.solve(information, x.T @ (copies * (y - p)))
        beta = beta + step
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    scores = x * (copies * (y - p))[:, None]
    by_customer = np.stack([np.bincount(groups, weights=column) for column in scores.T], axis=1)
    bread = np.linalg.inv(information)
    error = np.sqrt(np.diag(bread @ (by_customer.T @ by_customer) @ bread))
    return [
        Interval(float(b), float(b - NORMAL_95 * e), float(b + NORMAL_95 * e)) for b, e in zip(beta, error, strict=True)
    ]
