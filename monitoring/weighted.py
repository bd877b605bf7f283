"""How good probabilities were, by customers of one month of whom some stand for several, each figure with an interval.

The figures are those of `pipeline/metrics.py` on as many rows as the customers stand for. Intervals follow from what
each customer pulls a figure by (`pulls.py`), which takes a hundredth of the time of a bootstrap; tests hold the
intervals of the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.pulls import Pulled, total
from pipeline.bootstrap import Interval, percentile_interval
from pipeline.calibration import ERROR_CUTS
from pipeline.economics import FloatArray
from pipeline.metrics import METRICS, log_losses

MARGIN_SHARE = 0.25  # of the budget, on either side of its end: whom a little more or less of it reaches
DRAWS = 1_000  # of the bins' noise: ten numbers each


@dataclass(frozen=True)
class Customers:
    """Customers of one month in the order of their probabilities, highest first; every array has shape (customers,).

    Args:
        probability: of leaving, as it was given.
        churned: 1.0 for who left; where nobody knows yet, how probable it is in truth.
        gain: what contacting them earns if they would leave; zero where it is not known.
        loss: what it costs if they would stay.
        copies: how many rows each stands for.
        place: in the order of their names, by which those of the same value are told apart.
        row: where they came from.
    """

    probability: FloatArray
    churned: FloatArray
    gain: FloatArray
    loss: FloatArray
    copies: FloatArray
    place: NDArray[np.int64]
    row: NDArray[np.int64]

    def __len__(self) -> int:
        """How many there are, each once."""
        return len(self.probability)

    def only(self, kept: NDArray[Any]) -> "Customers":
        """Some of them, or all of them in another order."""
        return Customers(**{item.name: getattr(self, item.name)[kept] for item in fields(self)})

    @property
    def have_both_outcomes(self) -> bool:
        """Whether some left and some stayed."""
        return bool(self.churned.any() and not self.churned.all())

    @cached_property
    def people(self) -> Pulled:
        """How many rows they stand for."""
        return total(self.copies)

    @cached_property
    def left(self) -> Pulled:
        """How many of these left."""
        return total(self.copies * self.churned)

    def sum_of(self, values: FloatArray) -> Pulled:
        """The sum over the rows."""
        return total(self.copies * values)


def figures_of(customers: Customers, *, budget_share: float, seed: int) -> dict[str, Interval]:
    """Every figure of `pipeline.metrics.METRICS` but `empc`, for customers of whom some left and some stayed."""
    ranking, campaign = Ranked(customers), Campaign(customers, customers.probability, budget_share)
    found: dict[str, Callable[[], Pulled]] = {
        "roc_auc": ranking.roc_auc,
        "pr_auc": ranking.pr_auc,
        "log_loss": lambda: log_loss(customers),
        "brier": lambda: brier(customers),
        "calibration_ratio": lambda: calibration_ratio(customers),
        "lift": campaign.lift,
        "profit": campaign.profit,
        "expected_profit": campaign.expected_profit,
        "max_profit": ranking.max_profit,
    }
    intervals = {name: figure().interval for name, figure in found.items()}
    intervals["calibration_error"] = calibration_error(customers, seed=seed)
    return {name: intervals[name] for name in METRICS if name in intervals}


def slice_figures_of(customers: Customers) -> dict[str, Interval]:
    """The figures that are shown of a part of the customers."""
    found = {
        "roc_auc": Ranked(customers).roc_auc(),
        "log_loss": log_loss(customers),
        "calibration_ratio": calibration_ratio(customers),
    }
    return {name: figure.interval for name, figure in found.items()}


def log_loss(customers: Customers) -> Pulled:
    """The mean logarithmic loss."""
    return _mean(customers, log_losses(customers.churned, customers.probability))


def brier(customers: Customers) -> Pulled:
    """The mean squared distance of outcome and probability."""
    y, p = customers.churned, customers.probability
    return _mean(customers, y * (1 - p) ** 2 + (1 - y) * p**2)


def calibration_ratio(customers: Customers) -> Pulled:
    """Who left over who was promised to."""
    return customers.left.over(customers.sum_of(customers.probability))


def calibration_error(customers: Customers, *, seed: int) -> Interval:
    """The mean distance of promised and observed over ten bins of equal mass.

    A distance does not bend smoothly where it is near nothing, so the noise of each bin's sum is drawn, and the draws
    are recentred as those of the bootstrap are.
    """
    edges = _quantiles(customers, ERROR_CUTS)
    bins = np.searchsorted(edges, customers.probability, side="left")
    apart = customers.copies * (customers.churned - customers.probability)
    sums, squares = (np.bincount(bins, weights=apart**power, minlength=len(edges) + 1) for power in (1, 2))
    noise = np.sqrt(np.maximum(squares - sums**2 / len(customers), 0.0))
    random = np.random.default_rng(seed)
    rounds = np.abs(sums + noise * random.standard_normal((DRAWS, len(sums)))).sum(axis=1)
    people = customers.people.value
    return percentile_interval(float(np.abs(sums).sum() / people), rounds / people, recentred=True)


@dataclass(frozen=True)
class Ranked:
    """Customers by probability, those of the same one together."""

    customers: Customers

    def roc_auc(self) -> Pulled:
        """Probability that a leaver ranks above a stayer, ties counting half; its pull is DeLong's."""
        left, stayed = self._left, self._stayed
        all_left, all_stayed = left.sum(), stayed.sum()
        below = (all_stayed - np.cumsum(stayed) + stayed / 2) / all_stayed
        above = (np.cumsum(left) - left / 2) / all_left
        value = float(left @ below / all_left)
        return Pulled(value, self._pull((below - value) / all_left, (above - value) / all_stayed))

    def pr_auc(self) -> Pulled:
        """Average precision: a customer changes the precision of all thresholds that let them in, too."""
        left, reached = self._left, np.cumsum(self._left + self._stayed)
        precision, all_left = np.cumsum(left) / reached, left.sum()
        value = float(left @ precision / all_left)
        if_left, if_stayed = (np.cumsum(each[::-1])[::-1] for each in (left / reached, left * precision / reached))
        return Pulled(value, self._pull(precision - value + if_left - if_stayed, -if_stayed) / all_left)

    def max_profit(self) -> Pulled:
        """The most that a threshold earns by customer, everybody having the mean payoff; the best stays the best."""
        rows = self.customers
        gain, loss = rows.sum_of(rows.gain).over(rows.people), rows.sum_of(rows.loss).over(rows.people)
        earned = gain.value * np.cumsum(self._left) - loss.value * np.cumsum(self._stayed)
        best = int(np.argmax(earned))
        if earned[best] <= 0:
            return Pulled(0.0, np.zeros(len(rows)))
        is_in = self._tie <= best
        left, stayed = rows.sum_of(rows.churned * is_in), rows.sum_of((1 - rows.churned) * is_in)
        return (gain * left - loss * stayed).over(rows.people)

    def _pull(self, of_leaver: FloatArray, of_stayer: FloatArray) -> FloatArray:
        """Of each customer, from what one more row of a leaver or a stayer of each tie would do."""
        y, tie = self.customers.churned, self._tie
        return self.customers.copies * (y * of_leaver[tie] + (1 - y) * of_stayer[tie])

    @cached_property
    def _tie(self) -> NDArray[np.int64]:
        p = self.customers.probability
        return np.cumsum(np.diff(p, prepend=p[:1]) != 0)

    @cached_property
    def _left(self) -> FloatArray:
        return np.bincount(self._tie, weights=self.customers.left.pull).astype(np.float64)

    @cached_property
    def _stayed(self) -> FloatArray:
        return np.bincount(self._tie, weights=self.customers.copies).astype(np.float64) - self._left


@dataclass(frozen=True)
class Campaign:
    """Whom probabilities, which need not be those that the customers are sorted by, would have had contacted.

    Those of highest expected value, as long as it is positive and within the budget. One customer more above the end of
    the budget pushes another out of it, so each is worth what they bring less what is brought at the end.
    """

    customers: Customers
    probability: FloatArray
    budget_share: float

    def profit(self) -> Pulled:
        """What the contacts earned, now that it is known who left."""
        rows = self.customers
        return self._brought(rows.churned * rows.gain - (1 - rows.churned) * rows.loss)

    def expected_profit(self) -> Pulled:
        """What was promised of them."""
        return self._brought(self._value)

    def lift(self) -> Pulled:
        """The churn rate of the contacted over that of all."""
        rows = self.customers
        share = self._brought(rows.churned).over(self._brought(np.ones(len(rows))))
        return share.over(rows.left.over(rows.people))

    def _brought(self, values: FloatArray) -> Pulled:
        contacted, copies = self._contacted, self.customers.copies
        at_end = np.average(values[self._margin], weights=copies[self._margin]) if self._is_binding else 0.0
        pull = contacted * (values - at_end) + copies * (at_end * self.budget_share)
        return Pulled(float(contacted @ values), pull)

    @cached_property
    def _value(self) -> FloatArray:
        rows, p = self.customers, self.probability
        return p * rows.gain - (1 - p) * rows.loss

    @cached_property
    def _budget(self) -> float:
        return float(np.floor(self.budget_share * self.customers.people.value + 1e-9))

    @cached_property
    def _queue(self) -> NDArray[np.int64]:
        """Who is worth a contact, best first, as far as a budget and its margin may reach."""
        worth = np.flatnonzero(self._value > 0)
        reach = int((1 + MARGIN_SHARE) * self._budget) + 1
        if len(worth) > reach:
            last = -np.partition(-self._value[worth], reach)[reach]
            worth = worth[self._value[worth] >= last]
        return worth[np.lexsort((self.customers.place[worth], -self._value[worth]))]

    @cached_property
    def _before(self) -> FloatArray:
        """How many rows stand before each customer of the queue."""
        copies = self.customers.copies[self._queue]
        return np.cumsum(copies) - copies

    @cached_property
    def _contacted(self) -> FloatArray:
        """How many rows of each customer are contacted."""
        found = np.zeros(len(self.customers))
        copies = self.customers.copies[self._queue]
        found[self._queue] = np.clip(self._budget - self._before, 0.0, copies)
        return found

    @cached_property
    def _is_binding(self) -> bool:
        return len(self._margin) > 0 and bool(self._contacted.sum() >= self._budget)

    @cached_property
    def _margin(self) -> NDArray[np.int64]:
        return self._queue[np.abs(self._before - self._budget) <= MARGIN_SHARE * self._budget]


def _mean(customers: Customers, values: FloatArray) -> Pulled:
    return customers.sum_of(values).over(customers.people)


def _quantiles(customers: Customers, cuts: tuple[float, ...]) -> FloatArray:
    """Of the probabilities of all rows, as numpy gives them."""
    lowest_first, rows = customers.probability[::-1], np.cumsum(customers.copies[::-1])
    place = np.array(cuts) * (rows[-1] - 1)
    low, high = (lowest_first[np.searchsorted(rows, np.floor(place) + more, side="right")] for more in (0, 1))
    found: FloatArray = low + (high - low) * (place - np.floor(place))
    return found
