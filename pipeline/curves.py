"""The lines behind the plots: profit and leavers reached, by the share of customers that is contacted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import draws
from pipeline.campaign import realised_payoffs
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout

BAND_ROUNDS = 200


@dataclass(frozen=True)
class ByShare:
    """What contacting the first customers of every month brings, as rounds of the bootstrap see it.

    Args:
        order: rows of each snapshot, first contacted first.
        value: what contacting each row brings.
    """

    rows: Holdout
    order: tuple[NDArray[np.int64], ...]
    value: FloatArray

    def line(self, shares: FloatArray) -> FloatArray:
        """The sum per month at each share of the customers, shape (shares,)."""
        return self._lines(shares, np.ones((self.rows.customers, 1)))[:, 0]

    def band(self, shares: FloatArray, *, seed: int) -> tuple[FloatArray, FloatArray]:
        """The middle 95 % of the draws at each share."""
        blocks = [self._lines(shares, counts) for counts in draws(self.rows.customers, rounds=BAND_ROUNDS, seed=seed)]
        low, high = np.quantile(np.concatenate(blocks, axis=1), [0.025, 0.975], axis=1)
        return low, high

    def _lines(self, shares: FloatArray, counts: FloatArray) -> FloatArray:
        total = np.zeros((len(shares), counts.shape[1]))
        for queue in self.order:
            people = counts[self.rows.customer[queue]]
            reached, brought = np.cumsum(people, axis=0), np.cumsum(people * self.value[queue, None], axis=0)
            for i in range(counts.shape[1]):
                total[:, i] += np.interp(shares * reached[-1, i], np.r_[0.0, reached[:, i]], np.r_[0.0, brought[:, i]])
        return total / self.rows.snapshots


def profit_by_share(rows: Holdout, probability: FloatArray) -> ByShare:
    """Realised profit where customers are contacted by falling expected value, also beyond where it is positive."""
    return ByShare(rows, _falling(rows, rows.payoffs.expected(probability)), realised_payoffs(rows))


def leavers_by_share(rows: Holdout, probability: FloatArray) -> ByShare:
    """Leavers reached where customers are contacted by falling probability."""
    return ByShare(rows, _falling(rows, probability), rows.churned)


def _falling(rows: Holdout, score: FloatArray) -> tuple[NDArray[np.int64], ...]:
    places = [np.flatnonzero(rows.snapshot == snapshot) for snapshot in range(rows.snapshots)]
    return tuple(inside[np.argsort(-score[inside], kind="stable")] for inside in places)
