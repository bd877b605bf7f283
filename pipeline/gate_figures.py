"""Figures that only the gate asks for."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray
from pipeline.metrics import log_losses
from pipeline.scoring import log_odds, sigmoid

NEWTON_STEPS = 25


def field_ranking(values: pd.Series, churned: FloatArray) -> float:
    """ROC-AUC of one field alone, in whichever direction ranks better; missing values rank first or last."""
    missing = values.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(values):
        number = values.to_numpy(dtype=np.float64)
    else:  # the best that anyone can do with a category: rank it by its own churn rate
        number = pd.Series(churned).groupby(values.to_numpy()).transform("mean").to_numpy(dtype=np.float64)
    found = [_ranking(np.where(missing, end, number), churned) for end in (-np.inf, np.inf)]
    return max(max(auc, 1 - auc) for auc in found)


def skill(churned: FloatArray, probability: FloatArray) -> float:
    """Share of the base rate's log loss that the probabilities save; below zero where guessing the rate is better."""
    base = np.full(len(churned), churned.mean())
    return float(1 - log_losses(churned, probability).mean() / log_losses(churned, base).mean())


def calibration_slope(churned: FloatArray, probability: FloatArray) -> Interval:
    """Slope of a logistic regression of the label on the log-odds, with its 95 % interval (Cox 1958).

    1 where a probability twice as high in odds is twice as likely in odds; below 1 where it exaggerates.
    """
    design = np.column_stack([np.ones(len(churned)), log_odds(probability)])
    weights = np.array([0.0, 1.0])
    for _ in range(NEWTON_STEPS):
        p = sigmoid(design @ weights)
        information = (design * (p * (1 - p))[:, None]).T @ design
        weights = weights + np.linalg.solve(information, design.T @ (churned - p))
    error = 1.96 * float(np.sqrt(np.linalg.inv(information)[1, 1]))
    return Interval(float(weights[1]), float(weights[1]) - error, float(weights[1]) + error)


def touches(interval: Interval, low: float, high: float) -> bool:
    """Whether an interval reaches into a band: whether the figure may lie in it."""
    return bool(interval.low <= high and interval.high >= low)


def _ranking(values: NDArray[np.float64], churned: FloatArray) -> float:
    from scipy.stats import rankdata

    leavers = float(churned.sum())
    stayers = len(churned) - leavers
    ranks = rankdata(values)
    return float((ranks[churned > 0].sum() - leavers * (leavers + 1) / 2) / (leavers * stayers))
