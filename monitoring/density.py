"""How much more often customers like a labelled one are met now: the weights of PAPE.

The odds of a classifier that tells this month's customers from the labelled ones are the ratio of their densities
(Sugiyama et al. 2012). It is a logistic regression on each feature, its square and whether it is missing: that sees
means, spreads and shares move, takes a few thousand rows and a few milliseconds, and does not see features that only
change together.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray
from pipeline.search import one_core

Float32Array = NDArray[np.float32]
"""Half the memory, which is what this costs."""
LARGEST_WEIGHT = 20.0  # one labelled customer must not speak for more than twenty
DOMAIN_ROWS = 1_500  # of each side that a classifier learns from at most
OUTERMOST = 3.0  # standard deviations; beyond, a feature says no more
FOLDS = 2
TOLERANCE = 1e-3
STRENGTH = 0.1  # of the ridge: what is left to chance stays near no difference


def density_ratio(known: FloatArray, now: FloatArray, *, seed: int) -> tuple[FloatArray, float]:
    """How much more often each known row is met now, up to a limit, and the ROC-AUC of telling known from now.

    Both are of rows that the classifier was not fitted on. Of the rows of now it looks at twice `DOMAIN_ROWS` at most.
    """
    from scipy.stats import rankdata

    random = np.random.default_rng(seed)
    now = now[random.permutation(len(now))[: FOLDS * DOMAIN_ROWS]]
    is_now = np.repeat([0, 1], [len(known), len(now)])
    both = np.concatenate([known.T.astype(np.float32), now.T.astype(np.float32)], axis=1)
    fold = random.integers(0, FOLDS, len(is_now))
    log_odds = np.empty(len(is_now))
    with one_core():  # sums this small are done before a second core has woken, and it goes on spinning
        columns = np.array([column for feature in both for column in _bent(feature)], dtype=np.float32)
        for held_out in range(FOLDS):
            learned = _sample(np.flatnonzero(fold != held_out), is_now, random)
            log_odds = np.where(fold == held_out, _log_odds(columns, is_now, learned), log_odds)
    weights = np.exp(log_odds[: len(known)])
    ranks = rankdata(log_odds)[len(known) :]
    auc = (ranks.mean() - (len(now) + 1) / 2) / len(known)  # Mann and Whitney's
    return np.minimum(weights / weights.mean(), LARGEST_WEIGHT), float(auc)


def _bent(feature: Float32Array) -> Iterator[NDArray[Any]]:
    """A feature in standard deviations, its square unless it is a mark itself, and a mark where it is missing.

    One that never varies has no column. Feature by feature, each stays in the processor's cache until it is done.
    """
    missing = np.isnan(feature)
    known = max(len(feature) - np.count_nonzero(missing), 1)
    score = np.where(missing, np.float32(0), feature)
    score -= np.float32(score.sum(dtype=np.float64) / known)  # exactly, so that a constant is left with nothing
    score[missing] = 0
    sd = np.float32(np.sqrt(score @ score / known))
    if sd > 0:
        np.clip(score / sd, -OUTERMOST, OUTERMOST, out=score)
        yield score
        if not ((score == score.min()) | (score == score.max())).all():
            yield score**2
    if missing.any():
        yield missing


def _log_odds(columns: Float32Array, is_now: NDArray[np.int64], learned: NDArray[np.int64]) -> FloatArray:
    """Of being of now rather than known, if both were as many, of every row."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / STRENGTH, solver="newton-cholesky", tol=TOLERANCE)
    model.fit(columns[:, learned].T, is_now[learned])
    share = is_now[learned].mean()
    found: FloatArray = model.coef_[0] @ columns + model.intercept_ - np.log(share / (1 - share))
    return found


def _sample(rows: NDArray[np.int64], is_now: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    sides = [rows[is_now[rows] == side] for side in (0, 1)]
    return np.concatenate([random.permutation(side)[:DOMAIN_ROWS] for side in sides])
