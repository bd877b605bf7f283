"""How well the release does this month, before anybody can know who leaves.

Confidence-based performance estimation (CBPE) takes calibrated probabilities at their word: a customer scored 0.2 is
worth a fifth of a leaver in every metric. PAPE (Bialek et al., arXiv 2401.08348) recalibrates them for the customers of
this month first: labelled customers who look like this month's count more (`density.py`).

A recalibrated probability is right on average of everybody who has it. Those who are contacted are the dearest of them
and may leave more often than the others, and the few at the top share a bin. So profit is the recalibrated promise and,
added to it, what labelled customers of as much worth earned beyond theirs: an augmented estimator (Robins, Rotnitzky
and Zhao 1994).

Neither can see concept drift, where the same customers now leave for other reasons: nothing in the features says so.
Only labels do (`realised.py`). A realised figure outside the interval given here is therefore news in itself.

It is cheap, so that it can run with every month: labelled rows are summed in bins (`recalibration.py`) and the month's
customers in groups of neighbouring scores (`expected.py`); what chance adds to a figure is normal, with its exact
variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.density import density_ratio
from monitoring.expected import METRICS, PROFIT, expected_metrics, grouped
from monitoring.recalibration import BELIEF_ROWS, Bins, as_observed, binned, corrected, corrections, drawn
from monitoring.weighted import Campaign, Customers, Ranked, brier, log_loss
from pipeline.bootstrap import Interval, percentile_interval
from pipeline.economics import FloatArray, Payoffs, contacts

ROUNDS = 100
DRAWS = 10  # of who leaves, in each round
WEIGHED_ROWS = 15_000  # labelled rows that PAPE weighs at most


@dataclass(frozen=True)
class Labelled:
    """Customers whose outcome is known, none of whom the model was fitted on.

    Args:
        probability: as the release scores them, shape (rows,).
        churned: who left, shape (rows,).
        features: encoded, NaN where missing, shape (rows, width).
        payoffs: of contacting each.
        copies: how many rows are of the same customer and month as this one, who stands for others; shape (rows,).
    """

    probability: FloatArray
    churned: FloatArray
    features: FloatArray
    payoffs: Payoffs
    copies: FloatArray | float = 1.0

    def some(self, rows: NDArray[np.int64]) -> "Labelled":
        """Some of the rows, evenly taken; as many of a customer's copies as are to be expected among them."""
        payoffs = Payoffs(self.payoffs.gain[rows], self.payoffs.loss[rows])
        copies = np.broadcast_to(self.copies, self.probability.shape)[rows]
        copies = np.maximum(copies * len(rows) / len(self.probability), 1.0)
        return Labelled(self.probability[rows], self.churned[rows], self.features[rows], payoffs, copies)


@dataclass(frozen=True)
class Unlabelled:
    """The customers of a month, in any order.

    Args:
        probability: as the release scores them, shape (rows,).
        payoffs: of contacting each.
        features: encoded as those of `Labelled`, of all of them or of a sample by chance, shape (any, width).
        budget: how many of them can be contacted.
        share: of all the customers of the month, where these are some of them by chance.
    """

    probability: FloatArray
    payoffs: Payoffs
    features: FloatArray
    budget: int
    share: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """What the month's realised figures should turn out to be.

    Args:
        metrics: by name; in 95 of 100 months the realised figure lies inside, if the concept has not changed. `profit`
            is that of contacting the budget's best, in the month.
        domain_auc: how well a classifier tells this month's customers from the labelled ones; 0.5 is not at all.
        effective_share: share of the labelled rows that the weights leave to learn from.
    """

    method: Literal["cbpe", "pape"]
    metrics: Mapping[str, Interval]
    domain_auc: float
    effective_share: float


def cbpe(labelled: Labelled, month: Unlabelled, *, seed: int, rounds: int = ROUNDS) -> Estimate:
    """Estimated with probabilities as they were found to be calibrated on all labelled rows alike."""
    weights = np.ones(len(labelled.probability))
    return Estimate("cbpe", _estimated(labelled, month, weights, seed=seed, rounds=rounds), 0.5, 1.0)


def pape(
    labelled: Labelled, month: Unlabelled, *, seed: int, rounds: int = ROUNDS, weighed_rows: int = WEIGHED_ROWS
) -> Estimate:
    """Estimated with probabilities recalibrated on labelled rows weighted by how much they look like the month's.

    Of many labelled rows it takes `weighed_rows`, every third or so: copies of a customer are neighbours, so that each
    keeps their share. Drawn by chance, the few who stand for many would add noise of their own.
    """
    rows = len(labelled.probability)
    some = labelled.some(np.linspace(0, rows, min(rows, weighed_rows), endpoint=False).astype(np.int64))
    weights, auc = density_ratio(some.features, month.features, seed=seed)
    effective = float(weights.sum() ** 2 / (weights**2).sum() / len(weights))
    return Estimate("pape", _estimated(some, month, weights, seed=seed, rounds=rounds), auc, effective)


def recalibrated(labelled: Labelled, probability: FloatArray, weights: FloatArray) -> FloatArray:
    """Probabilities as the labelled rows say they should be, never crossing; shape (rows,)."""
    bins = binned(labelled.probability, labelled.churned, weights)
    return corrected(bins, as_observed(bins), probability)[0]


def _estimated(
    labelled: Labelled, month: Unlabelled, weights: FloatArray, *, seed: int, rounds: int
) -> dict[str, Interval]:
    """Each round weighs the labelled rows anew, recalibrates, and lets chance say a few times who leaves.

    A recalibration ranks the rows that it learned from better than others, and that of a round does so once more. What
    the rounds add to the figures is therefore taken off them: the bootstrap's correction of a bias (Efron and
    Tibshirani 1993, chapter 10).
    """
    random, value = np.random.default_rng(seed), month.payoffs.expected(month.probability)
    chosen = contacts(value, month.budget)
    least, groups = value[chosen].min(initial=np.inf), grouped(month.probability, month.payoffs, chosen)
    bins = binned(labelled.probability, labelled.churned, weights, labelled.copies)

    def figures(correction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        expected, noise = expected_metrics(groups, corrected(bins, correction, groups.score))
        beyond, doubt = _beyond(labelled, weights, least, bins, correction)
        expected[:, PROFIT] += chosen.sum() * beyond
        return expected, noise, chosen.sum() * doubt

    (fitted,), *_ = figures(as_observed(bins))
    expected, noise, doubt = figures(corrections(bins, *drawn(bins, rounds, random)))
    noise = np.hypot(noise * np.sqrt(month.share), _of_looking_at_some(bins, month))
    noise[:, PROFIT] = np.hypot(noise[:, PROFIT], doubt)
    added = expected.mean(axis=0) - fitted
    found = (expected - 2 * added + noise * random.standard_normal((DRAWS, *expected.shape))).reshape(-1, len(METRICS))
    found, values = (each / [1, 1, 1, month.share] for each in (found, fitted - added))  # profit is that of all
    return {name: percentile_interval(values[i], found[:, i]) for i, name in enumerate(METRICS)}


def _beyond(
    labelled: Labelled, weights: FloatArray, least: float, bins: Bins, correction: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What contacts of an expected value of at least `least` earned beyond their recalibrated promise, and its doubt.

    The mean of each round's contacts and its standard error, shape (rounds,).
    """
    reached = np.flatnonzero(labelled.payoffs.expected(labelled.probability) >= least)
    payoffs = Payoffs(labelled.payoffs.gain[reached], labelled.payoffs.loss[reached])
    promised = payoffs.expected(corrected(bins, correction, labelled.probability[reached]))
    off = payoffs.realised(labelled.churned[reached]) - promised
    w, copies = weights[reached], np.broadcast_to(labelled.copies, weights.shape)[reached]
    mass = w.sum() + BELIEF_ROWS
    mean = off @ w / mass
    return mean, np.sqrt((off - mean[:, None]) ** 2 @ (w**2 * copies)) / mass


def _of_looking_at_some(bins: Bins, month: Unlabelled) -> FloatArray:
    """The standard deviation of each metric's expectation that comes from who happens to be looked at."""
    if month.share == 1:
        return np.zeros(len(METRICS))
    order = np.argsort(-month.probability, kind="stable")
    known = np.isfinite(month.payoffs.gain + month.payoffs.loss)
    gain, loss = (np.where(known, each, 0.0)[order] for each in (month.payoffs.gain, month.payoffs.loss))
    p = month.probability[order]
    chance = corrected(bins, as_observed(bins), p)[0]
    some = Customers(p, chance, gain, loss, np.ones(len(p)), order, order)
    profit = Campaign(some, p, month.budget / len(p)).profit()
    found = (Ranked(some).roc_auc(), log_loss(some), brier(some), profit)
    return np.array([figure.sd for figure in found]) * np.sqrt(1 - month.share)
