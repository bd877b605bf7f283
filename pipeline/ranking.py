"""Figures that depend on the order of the probabilities only, for all rounds of the bootstrap at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import group_sums, ratio
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout


@dataclass(frozen=True)
class Curve:
    """Leavers and stayers above each threshold, from the strictest threshold to none, shape (blocks, rounds)."""

    leavers: FloatArray
    stayers: FloatArray

    def thinned(self, points: int) -> "Curve":
        """At most `points` thresholds, spread evenly, the last included."""
        kept = np.unique(np.linspace(0, len(self.leavers) - 1, points).round().astype(np.int64))
        return Curve(self.leavers[kept], self.stayers[kept])


@dataclass(frozen=True)
class Ranking:
    """Rows in the order of their probability, cut into blocks.

    Rows of one probability stay together, and so do neighbouring probabilities that no leaver has: nothing that is
    computed from the blocks changes by that, and there are far fewer of them than rows.
    """

    holdout: Holdout
    probability: FloatArray

    def curve(self, counts: FloatArray) -> Curve:
        """The cumulated blocks for each round."""
        leavers, stayers = self._sums
        return Curve(np.cumsum(leavers @ counts, axis=0), np.cumsum(stayers @ counts, axis=0))

    @cached_property
    def _sums(self) -> tuple[Any, Any]:
        rows = self.holdout
        blocks = self._blocks
        shape = (int(blocks.max()) + 1, rows.customers)
        leavers = group_sums(blocks, rows.customer, rows.churned, shape=shape)
        stayers = group_sums(blocks, rows.customer, 1.0 - rows.churned, shape=shape)
        return leavers, stayers

    @cached_property
    def _blocks(self) -> NDArray[np.int64]:
        falling, tie = np.unique(-self.probability, return_inverse=True)
        has_leaver = np.bincount(tie, weights=self.holdout.churned, minlength=len(falling)) > 0
        begins = has_leaver.copy()
        begins[1:] |= has_leaver[:-1]
        begins[0] = True
        return (np.cumsum(begins) - 1)[tie]


def roc_auc(curve: Curve) -> FloatArray:
    """Probability that a leaver ranks above a stayer, ties counting half, shape (rounds,)."""
    leavers = np.diff(curve.leavers, axis=0, prepend=0.0)
    stayers = np.diff(curve.stayers, axis=0, prepend=0.0)
    below = curve.stayers[-1] - curve.stayers
    return ratio((leavers * (below + stayers / 2)).sum(axis=0), curve.leavers[-1] * curve.stayers[-1])


def pr_auc(curve: Curve) -> FloatArray:
    """Average precision: precision at each threshold, weighted by the recall gained there, shape (rounds,)."""
    precision = ratio(curve.leavers, curve.leavers + curve.stayers)
    leavers = np.diff(curve.leavers, axis=0, prepend=0.0)
    return ratio(np.nansum(leavers * precision, axis=0), curve.leavers[-1])
