"""How much more often customers like a labelled one are met now: the weights of PAPE.

The odds of a classifier that tells this month's customers from the labelled ones are the ratio of their densities
(Sugiyama et al. 2012). It is a logistic regression on each feature, its square and whether it is missing: that sees
means, spreads and shares move, takes a few thousand rows and a few milliseconds, and does not see features that only
change together.
"""

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
    rows = _bent(np.concatenate([known, now]))
    fold = random.integers(0, FOLDS, len(rows))
    log_odds = np.empty(len(rows))
    for held_out in range(FOLDS):
        learned = _sample(np.flatnonzero(fold != held_out), is_now, random)
        log_odds[fold == held_out] = _log_odds(rows, is_now, learned, fold == held_out)
    weights = np.exp(log_odds[: len(known)])
    ranks = rankdata(log_odds)[len(known) :]
    auc = (ranks.mean() - (len(now) + 1) / 2) / len(known)  # Mann and Whitney's
    return np.minimum(weights / weights.mean(), LARGEST_WEIGHT), float(auc)


def _bent(rows: FloatArray) -> Float32Array:
    """Each feature in standard deviations, its square unless it is a mark itself, and a mark where it is missing.

    Shape (rows, columns); features that never vary have no column.
    """
    rows = rows.astype(np.float32)
    missing = np.isnan(rows)
    is_missed = missing.any(axis=0)
    present = np.maximum(len(rows) - missing.sum(axis=0), 1)
    rows[missing] = 0
    apart = rows - rows.sum(axis=0, dtype=np.float64).astype(np.float32) / present.astype(np.float32)
    apart[missing] = 0
    sd = np.sqrt(np.einsum("ij,ij->j", apart, apart) / present)
    score = np.clip(apart[:, sd > 0] / sd[sd > 0], -OUTERMOST, OUTERMOST)
    is_mark = ((score == score.min(axis=0)) | (score == score.max(axis=0))).all(axis=0)
    return np.hstack([score, score[:, ~is_mark] ** 2, missing[:, is_missed]])


def _log_odds(
    rows: Float32Array, is_now: NDArray[np.int64], learned: NDArray[np.int64], asked: NDArray[np.bool_]
) -> FloatArray:
    """Of being of now rather than known, if both were as many."""
    from sklearn.linear_model import LogisticRegression

    with one_core():
        model = LogisticRegression(C=1 / STRENGTH, solver="newton-cholesky", tol=TOLERANCE).fit(
            rows[learned], is_now[learned]
        )
    share = is_now[learned].mean()
    found: FloatArray = model.decision_function(rows[asked]) - np.log(share / (1 - share))
    return found


def _sample(rows: NDArray[np.int64], is_now: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    sides = [rows[is_now[rows] == side] for side in (0, 1)]
    return np.concatenate([random.permutation(side)[:DOMAIN_ROWS] for side in sides])
