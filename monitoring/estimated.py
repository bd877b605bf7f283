"""How well the release does this month, before anybody can know who leaves.

Confidence-based performance estimation (CBPE) takes calibrated probabilities at their word: a customer scored 0.2 is
worth a fifth of a leaver in every metric. PAPE (Bialek et al., arXiv 2401.08348) recalibrates them for the customers of
this month first: labelled customers who look like this month's count more, by the odds of a classifier that tells the
two apart.

Neither can see concept drift, where the same customers now leave for other reasons: nothing in the features says so.
Only labels do (`realised.py`). A realised figure outside the interval given here is therefore news in itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, percentile_interval
from pipeline.economics import FloatArray, Payoffs, contacts
from pipeline.metrics import SMALLEST

METRICS = ("roc_auc", "log_loss", "brier", "profit")
BINS = 40
BELIEF_ROWS = 10  # how many rows of a bin the model's own probability is worth
ROUNDS = 200
LARGEST_WEIGHT = 20.0  # one labelled customer must not speak for more than twenty
DOMAIN_ROWS = 20_000
FOLDS = 3


@dataclass(frozen=True)
class Labelled:
    """Customers whose outcome is known, none of whom the model was fitted on.

    Args:
        probability: as the release scores them, shape (rows,).
        churned: who left, shape (rows,).
        features: encoded, NaN where missing, shape (rows, width).
    """

    probability: FloatArray
    churned: FloatArray
    features: FloatArray


@dataclass(frozen=True)
class Unlabelled:
    """The customers of a month, in any order.

    Args:
        probability: as the release scores them, shape (rows,).
        payoffs: of contacting each.
        features: encoded as those of `Labelled`, shape (rows, width).
        budget: how many of them can be contacted.
    """

    probability: FloatArray
    payoffs: Payoffs
    features: FloatArray
    budget: int


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


@dataclass(frozen=True)
class _Figures:
    """The metrics as functions of who leaves: all but ROC-AUC are a constant and a sum over leavers.

    Args:
        rank: place of each customer among the different probabilities, lowest first, shape (rows,).
        constant: the others if nobody left, shape (METRICS - 1,).
        per_leaver: what each leaver adds, shape (METRICS - 1, rows).
    """

    rank: NDArray[np.int64]
    constant: FloatArray
    per_leaver: FloatArray


def cbpe(labelled: Labelled, month: Unlabelled, *, seed: int, rounds: int = ROUNDS) -> Estimate:
    """Estimated with probabilities as they were found to be calibrated on all labelled rows alike."""
    weights = np.ones(len(labelled.probability))
    return Estimate("cbpe", _estimated(labelled, month, weights, seed=seed, rounds=rounds), 0.5, 1.0)


def pape(labelled: Labelled, month: Unlabelled, *, seed: int, rounds: int = ROUNDS) -> Estimate:
    """Estimated with probabilities recalibrated on labelled rows weighted by how much they look like the month's."""
    weights, auc = density_ratio(labelled.features, month.features, seed=seed)
    effective = float(weights.sum() ** 2 / (weights**2).sum() / len(weights))
    return Estimate("pape", _estimated(labelled, month, weights, seed=seed, rounds=rounds), auc, effective)


def density_ratio(known: FloatArray, now: FloatArray, *, seed: int) -> tuple[FloatArray, float]:
    """How much more often each known row is met now, up to a limit, and the ROC-AUC of telling known from now.

    Both are of rows that the classifier was not fitted on. It learns from `DOMAIN_ROWS` of each side at most.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    rows = np.concatenate([known, now])
    is_now = np.repeat([0, 1], [len(known), len(now)])
    random = np.random.default_rng(seed)
    fold = random.integers(0, FOLDS, len(rows))
    score = np.empty(len(rows))
    for held_out in range(FOLDS):
        learned = _sample(np.flatnonzero(fold != held_out), is_now, random)
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, learning_rate=0.1, random_state=seed)
        model.fit(rows[learned], is_now[learned])
        odds = (is_now[learned] == 0).sum() / (is_now[learned] == 1).sum()
        score[fold == held_out] = odds * np.exp(model.decision_function(rows[fold == held_out]))
    weights = score[is_now == 0] / score[is_now == 0].mean()
    return np.minimum(weights, LARGEST_WEIGHT), float(roc_auc_score(is_now, score))


def recalibrated(
    labelled: Labelled, probability: FloatArray, weights: FloatArray, counts: FloatArray | None = None
) -> FloatArray:
    """Probabilities as the labelled rows say they should be, never crossing: weighted isotonic regression in bins.

    What it corrects is the logit, so that within a bin, and beyond the outermost ones, higher stays higher. A bin leans
    on the model's own probability until it has rows enough. `counts` is how often each labelled row was drawn.
    """
    from scipy.optimize import isotonic_regression

    edges = np.unique(np.quantile(labelled.probability, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, labelled.probability, side="right")
    weight = weights if counts is None else weights * counts
    columns = np.stack([weight, weight * labelled.probability, weight * labelled.churned])
    sums = np.stack([np.bincount(place, weights=column) for column in columns])
    mass, promised, left = sums[:, sums[0] > 0]
    said = promised / mass
    observed = (left + BELIEF_ROWS * said) / (mass + BELIEF_ROWS)
    fitted = isotonic_regression(observed, weights=mass + BELIEF_ROWS).x
    correction = np.interp(_logit(probability), _logit(said), _logit(fitted) - _logit(said))
    corrected: FloatArray = 1 / (1 + np.exp(-(_logit(probability) + correction)))
    return corrected


def _estimated(
    labelled: Labelled, month: Unlabelled, weights: FloatArray, *, seed: int, rounds: int
) -> dict[str, Interval]:
    """Each round draws the labelled rows anew, recalibrates, and draws who leaves."""
    random = np.random.default_rng(seed)
    figures = _figures(month)
    drawn, mean = np.empty((rounds, len(METRICS))), np.zeros(len(month.probability))
    for i in range(rounds):
        counts = random.poisson(1.0, len(weights)).astype(np.float64)
        chance = recalibrated(labelled, month.probability, weights, counts)
        mean += chance / rounds
        drawn[i] = _metrics(figures, (random.random(len(chance)) < chance).astype(np.float64))
    values = _metrics(figures, mean)
    return {name: percentile_interval(values[i], drawn[:, i]) for i, name in enumerate(METRICS)}


def _figures(month: Unlabelled) -> _Figures:
    p = np.clip(month.probability, SMALLEST, 1 - SMALLEST)
    n, payoffs = len(p), month.payoffs
    chosen = contacts(payoffs.expected(p), month.budget)
    stay = np.array([-np.log1p(-p).sum() / n, (p**2).sum() / n, -payoffs.loss[chosen].sum()])
    leave = np.stack([(np.log1p(-p) - np.log(p)) / n, (1 - 2 * p) / n, chosen * (payoffs.gain + payoffs.loss)])
    return _Figures(np.unique(p, return_inverse=True)[1], stay, leave)


def _metrics(figures: _Figures, leaving: FloatArray) -> FloatArray:
    """The metrics where each customer leaves with a probability, which is 0 or 1 once it is known."""
    left, stayed = (np.bincount(figures.rank, weights=weights) for weights in (leaving, 1 - leaving))
    # no customer is compared with themselves, who would be half a leaver and half a stayer at once
    alone = (leaving * (1 - leaving)).sum()
    won = (left * (np.cumsum(stayed) - stayed / 2)).sum() - alone / 2
    pairs = left.sum() * stayed.sum() - alone
    auc = won / pairs if pairs > 0 else np.nan
    return np.concatenate([[auc], figures.constant + figures.per_leaver @ leaving])


def _sample(rows: NDArray[np.int64], is_now: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    sides = [rows[is_now[rows] == side] for side in (0, 1)]
    return np.concatenate([random.permutation(side)[:DOMAIN_ROWS] for side in sides])


def _logit(p: FloatArray) -> FloatArray:
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    found: FloatArray = np.log(clipped / (1 - clipped))
    return found
