"""The campaign that a rung's probabilities lead to, in money per month.

In every snapshot the customers of highest expected value are contacted, as long as it is positive and within the
budget; what that earned is known because the snapshot is old. A draw of the bootstrap decides anew who is contacted: a
customer drawn twice is two customers, and the budget grows and shrinks with the number of active ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.bootstrap import Key, Statistics, group_sums, ratio
from pipeline.economics import FloatArray
from pipeline.holdout import Holdout

# a draw's budget is reached long before twice as many rows: the sum of 2n + 200 counts of mean 1 never is below n
REACH_TIMES, REACH_MORE = 2, 200

Groups = Mapping[Key, NDArray[Any]]


@dataclass(frozen=True)
class Campaign:
    """Who is contacted for given probabilities."""

    holdout: Holdout
    probability: FloatArray

    @cached_property
    def value(self) -> FloatArray:
        """Expected value of contacting each row, in money."""
        return self.holdout.payoffs.expected(self.probability)

    @cached_property
    def queues(self) -> list[NDArray[np.int64]]:
        """For each snapshot, the rows that a contact may reach, best first; ties go to the earlier row."""
        return [self._queue(snapshot) for snapshot in range(self.holdout.snapshots)]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The queues one after the other, shape (reached,)."""
        return np.concatenate(self.queues)

    def contacted(self, counts: FloatArray) -> FloatArray:
        """How many of each customer in `rows` are contacted in each round, shape (reached, rounds)."""
        active = self._active @ counts
        budgets = np.floor(self.holdout.budget_share * active + 1e-9)
        parts = []
        for queue, budget in zip(self.queues, budgets, strict=True):
            there = counts[self.holdout.customer[queue]]
            before = np.cumsum(there, axis=0) - there
            parts.append(np.clip(budget - before, 0.0, there))
        return np.concatenate(parts)

    def chosen(self) -> NDArray[np.bool_]:
        """Who is contacted on the data as it is, shape (rows,)."""
        found = np.zeros(len(self.holdout), dtype=bool)
        found[self.rows] = self.contacted(np.ones((self.holdout.customers, 1)))[:, 0] > 0
        return found

    def sums(self, groups: NDArray[np.int64], values: FloatArray, count: int) -> Any:
        """A sparse matrix that sums `values` over the contacted rows of each of `count` groups; -1 is no group."""
        inside = np.flatnonzero(groups[self.rows] >= 0)
        rows = self.rows[inside]
        return group_sums(groups[rows], inside, values[rows], shape=(count, len(self.rows)))

    @cached_property
    def _active(self) -> Any:
        rows = self.holdout
        return group_sums(rows.snapshot, rows.customer, np.ones(len(rows)), shape=(rows.snapshots, rows.customers))

    def _queue(self, snapshot: int) -> NDArray[np.int64]:
        rows = np.flatnonzero(self.holdout.snapshot == snapshot)
        reach = REACH_TIMES * int(self.holdout.budget_share * len(rows)) + REACH_MORE
        best = rows[np.argsort(-self.value[rows], kind="stable")[:reach]]
        return best[self.value[best] > 0]


def realised_payoffs(holdout: Holdout) -> FloatArray:
    """What contacting each row earned, now that it is known who left."""
    return holdout.payoffs.realised(holdout.churned)


def campaign_statistics(name: str, holdout: Holdout, probability: FloatArray, groups: Groups) -> Statistics:
    """Figures of one rung's campaign, keyed (name, figure), and its profit in groups, keyed (*group, name, "profit").

    `profit` and `expected_profit` are per month; `lift` is the churn rate of the contacted over that of all; `random`
    is what as many contacts drawn by lot would have earned on average.
    """
    campaign = Campaign(holdout, probability)
    months = holdout.snapshots
    totals = _totals(campaign)
    by_group = _profit_by_group(campaign, groups)
    everybody = _Everybody(holdout)
    people_by_snapshot = campaign.sums(holdout.snapshot, np.ones(len(holdout)), months)

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        contacted = campaign.contacted(counts)
        profit, expected, left, people = totals @ contacted
        rate, mean_payoff = everybody.figures(counts)
        found = {
            (name, "profit"): profit / months,
            (name, "expected_profit"): expected / months,
            (name, "contacts"): people / months,
            (name, "lift"): ratio(ratio(left, people), rate),
            (name, "random"): np.nansum((people_by_snapshot @ contacted) * mean_payoff, axis=0) / months,
        }
        in_groups = by_group @ contacted / months
        return found | {(*group, name, "profit"): in_groups[i] for i, group in enumerate(groups)}

    return figures


def profit_per_month(holdout: Holdout, probability: ArrayLike) -> float:
    """Realised profit per month of contacting within the budget, on the data as it is."""
    chosen = Campaign(holdout, np.asarray(probability, dtype=np.float64)).chosen()
    return float(realised_payoffs(holdout)[chosen].sum() / holdout.snapshots)


class _Everybody:
    """What holds for all rows of a draw, whoever is contacted."""

    def __init__(self, holdout: Holdout) -> None:
        rows, shape = holdout, (holdout.snapshots, holdout.customers)
        values = (np.ones(len(rows)), rows.churned, realised_payoffs(rows))
        self._sums = [group_sums(rows.snapshot, rows.customer, value, shape=shape) for value in values]

    def figures(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Churn rate, shape (rounds,), and mean payoff of a contact in each snapshot, shape (snapshots, rounds)."""
        people, left, payoff = (sums @ counts for sums in self._sums)
        return ratio(left.sum(axis=0), people.sum(axis=0)), ratio(payoff, people)


def _totals(campaign: Campaign) -> Any:
    from scipy.sparse import vstack

    rows = campaign.holdout
    values = (realised_payoffs(rows), campaign.value, rows.churned, np.ones(len(rows)))
    everyone = np.zeros(len(rows), dtype=np.int64)
    return vstack([campaign.sums(everyone, value, 1) for value in values]).tocsr()


def _profit_by_group(campaign: Campaign, groups: Groups) -> Any:
    from scipy.sparse import csr_array, vstack

    if not groups:
        return csr_array((0, len(campaign.rows)))
    payoff = realised_payoffs(campaign.holdout)
    inside = (np.where(mask, 0, -1) for mask in groups.values())
    return vstack([campaign.sums(place, payoff, 1) for place in inside]).tocsr()
