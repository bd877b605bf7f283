"""What the figures of a month should be, and how far luck takes them, where each customer leaves with a known chance.

Customers are put together in groups of neighbouring scores, so that a hundred guesses at their chances cost little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray, Payoffs
from pipeline.metrics import SMALLEST

METRICS = ("roc_auc", "log_loss", "brier", "profit")
PROFIT = METRICS.index("profit")
GROUPS = 400  # of the month's scores: so many that what goes on within one does not matter
CUTTING_ROWS = 10_000


@dataclass(frozen=True)
class Groups:
    """The customers of a month in groups of neighbouring scores, lowest first; equal scores are in the same group.

    Args:
        score: mean probability, shape (groups,).
        rows: how many, shape (groups,).
        constant: all metrics but ROC-AUC if nobody left, shape (METRICS - 1,).
        per_leaver: what each leaver adds to them, summed over the group, shape (METRICS - 1, groups).
        squares: the same of its squares.
    """

    score: FloatArray
    rows: FloatArray
    constant: FloatArray
    per_leaver: FloatArray
    squares: FloatArray


def grouped(probability: FloatArray, payoffs: Payoffs, chosen: NDArray[np.bool_]) -> Groups:
    """Customers by score, of whom some would be contacted; every argument has shape (rows,)."""
    p = np.clip(probability, SMALLEST, 1 - SMALLEST)
    n, place = len(p), _places(p)
    stay = np.array([-np.log1p(-p).sum() / n, (p**2).sum() / n, -payoffs.loss[chosen].sum()])
    leave = [(np.log1p(-p) - np.log(p)) / n, (1 - 2 * p) / n, np.where(chosen, payoffs.gain + payoffs.loss, 0.0)]
    rows, scores = np.bincount(place).astype(np.float64), np.bincount(place, weights=p)
    sums, squares = (np.array([np.bincount(place, weights=each**power) for each in leave]) for power in (1.0, 2.0))
    there = rows > 0
    return Groups(scores[there] / rows[there], rows[there], stay, sums[:, there], squares[:, there])


def _places(p: FloatArray) -> NDArray[np.int64]:
    """The group of each score: its own where there are few different ones. Some of many scores say where to cut."""
    some = p[:: max(1, len(p) // CUTTING_ROWS)]
    edges = np.unique(np.quantile(some, np.arange(1, GROUPS + 1) / GROUPS, method="inverted_cdf"))
    return np.searchsorted(edges, p)


def expected_metrics(groups: Groups, chance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expectation and standard deviation of each metric where a group's customers leave with a probability.

    Args:
        groups: the customers.
        chance: shape (rounds, groups).

    Returns:
        Two arrays of shape (rounds, METRICS). The deviation of ROC-AUC is that of its linear part (Hajek's projection).
    """
    variance = chance * (1 - chance)
    auc, auc_variance = expected_auc(groups.rows, chance)
    others, spread = groups.constant + chance @ groups.per_leaver.T, variance @ groups.squares.T
    return np.column_stack([auc, others]), np.sqrt(np.column_stack([auc_variance, spread]))


def expected_auc(rows: FloatArray, chance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expectation and variance of ROC-AUC, shape (rounds,), of groups in the order of their scores, lowest first.

    Args:
        rows: how many customers each group has, shape (groups,).
        chance: the probability that each of them leaves, shape (rounds, groups).
    """
    variance = chance * (1 - chance)
    left, stayed, alone = rows * chance, rows * (1 - chance), (rows * variance).sum(axis=1)
    below = np.cumsum(stayed, axis=1) - stayed / 2
    all_left, all_stayed = left.sum(axis=1), stayed.sum(axis=1)
    # no customer is compared with themselves, who would be half a leaver and half a stayer at once
    won, pairs = (left * below).sum(axis=1) - alone / 2, all_left * all_stayed - alone
    auc = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
    above = all_left[:, None] - np.cumsum(left, axis=1) + left / 2
    pull = below - above - auc[:, None] * (all_stayed - all_left)[:, None]
    total = (rows * variance * pull**2).sum(axis=1)
    return auc, np.divide(total, pairs**2, out=np.full(len(won), np.nan), where=pairs > 0)
