"""Chooses the settings of a model within a budget, on rows later than those it is tried on, the same way every time.

Every fit keeps to one core. Sums over rows depend on how many threads share them, so this is what makes a model repeat
to the last bit on a machine with more or fewer cores; and where others work too, the threads of one fit mostly wait for
each other (measured: 20 times as slow with two as with one). The candidates of a search share the cores instead.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.encoding import model_fields
from pipeline.feature_kinds import Field
from pipeline.hashing import hashed_shares
from pipeline.scoring import RungName
from pipeline.settings import Settings

INVERSE_PENALTIES = (0.3, 1.0, 0.1, 3.0, 0.03, 10.0, 0.01)
FIRST_TREES: tuple[Mapping[str, Any], ...] = (  # what has done best on very different data, tried before anything drawn
    {"max_leaf_nodes": 8, "min_samples_leaf": 60, "l2_regularization": 5.0, "max_features": 1.0},
    {"max_leaf_nodes": 4, "min_samples_leaf": 150, "l2_regularization": 20.0, "max_features": 0.3},
    {"max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 20.0, "max_features": 0.5},
    {"max_leaf_nodes": 31, "min_samples_leaf": 200, "l2_regularization": 20.0, "max_features": 0.3},
)
TREE_SPACE: Mapping[str, Sequence[float]] = {
    "max_leaf_nodes": (3, 4, 6, 8, 12, 16, 24, 32),
    "min_samples_leaf": (30, 60, 100, 150, 250),
    "l2_regularization": (1.0, 5.0, 20.0, 50.0),
    "max_features": (0.3, 0.5, 1.0),
}
LEARNING_RATE = 0.1
MOST_TREES, PATIENCE = 200, 20
FOLDS_WITHOUT_TIME = 3

Fold = tuple[pd.DataFrame, pd.DataFrame]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class EncodedFold:
    """Rows to fit on and rows to compare on, encoded once for all candidates, and the model that they are for."""

    model: Any
    fit: Any
    fit_churned: NDArray[np.bool_]
    later: Any
    later_churned: NDArray[np.bool_]


def searched(name: RungName, dataset: Dataset, train: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """Every candidate with its `parameters` and its `log_loss` on rows later than those it was fitted on."""
    fields = model_fields(dataset.fields())
    folds = list(folds_of(dataset, at_most(train, settings.search_rows, settings.seed), settings.seed))
    encoded = [_encoded(name, fields, fold, settings.seed) for fold in folds]
    candidates = candidates_of(name, settings.search_candidates, settings.seed)
    return in_parallel(lambda parameters: _tried(encoded, parameters), candidates, settings.threads)


def estimator_of(
    name: RungName, fields: tuple[Field, ...], train: pd.DataFrame, parameters: Mapping[str, Any], seed: int
) -> Any:
    """The unfitted sklearn pipeline of a model, with the steps `encode` and `model`."""
    from pipeline.boosting import boosting_estimator
    from pipeline.scorecard import logistic_estimator

    if name == "logistic":
        return logistic_estimator(fields, train, parameters)
    return boosting_estimator(fields, train, parameters, seed)


def candidates_of(name: RungName, count: int, seed: int) -> list[dict[str, Any]]:
    """Up to `count` settings to try, the most promising first; after a few fixed ones, trees' are drawn by the seed."""
    if name == "logistic":
        return [{"C": inverse_penalty} for inverse_penalty in INVERSE_PENALTIES[:count]]
    random = np.random.default_rng(seed)
    drawn = [{key: _one_of(values, random) for key, values in TREE_SPACE.items()} for _ in range(count)]
    return [{"learning_rate": LEARNING_RATE, **candidate} for candidate in (*FIRST_TREES, *drawn)][:count]


def at_most(rows: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """About `most` rows, drawn by a hash of customer and snapshot; of the rarer outcome all, up to half of the rows.

    Few leave, and a model learns most from those who do. Drawing fewer of the others moves the level of its score and
    hardly its shape (King and Zeng 2001); the calibration, on rows that were not drawn, sets the level right.
    """
    if len(rows) <= most:
        return rows
    is_rare = rows["churned"].to_numpy(dtype=bool)
    is_rare = is_rare if 2 * is_rare.sum() <= len(rows) else ~is_rare
    rare = min(int(is_rare.sum()), most // 2)
    share = np.where(is_rare, rare / max(is_rare.sum(), 1), (most - rare) / (~is_rare).sum())
    key = f"{most} rows {seed}".rjust(16)[-16:]  # which is how long it has to be
    place = pd.util.hash_pandas_object(rows[["customer_id", "snapshot"]], index=False, hash_key=key).to_numpy() / 2**64
    return rows[place < share].reset_index(drop=True)


def dealt(rows: pd.DataFrame, folds: int, seed: int | str) -> NDArray[np.int64]:
    """The fold of each row: each outcome's customers are dealt out by a hash, so that every fold has its share."""
    order = np.lexsort((hashed_shares(rows["customer_id"], f"fold {seed}"), rows["churned"].to_numpy()))
    fold = np.empty(len(rows), dtype=np.int64)
    fold[order] = np.arange(len(rows)) % folds
    return fold


def one_core() -> AbstractContextManager[Any]:
    """While it lasts, this thread's sums are made on one core."""
    from threadpoolctl import get_cached_controller

    # cached, because to look for the native libraries takes 4 ms; it does so again where modules were imported since
    limits: AbstractContextManager[Any] = get_cached_controller().limit(limits=1)
    return limits


def in_parallel(work: Callable[[T], R], over: Sequence[T], threads: int) -> list[R]:
    """The results of independent pieces of work, in their order, each made on one core."""

    def alone(piece: T) -> R:
        with one_core():  # the limit of a pool's creator does not hold in its threads
            return work(piece)

    with one_core(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(alone, over))


def folds_of(dataset: Dataset, train: pd.DataFrame, seed: int) -> Iterator[Fold]:
    """Rows to fit on, and rows to compare on, taken when those are known; without time, a few folds of customers."""
    if isinstance(dataset.calendar, SingleSnapshot):
        fold = dealt(train, FOLDS_WITHOUT_TIME, seed)
        for i in range(FOLDS_WITHOUT_TIME):
            yield train[fold != i], train[fold == i]
        return
    yield _earlier_and_later(dataset, train)


def _earlier_and_later(dataset: Dataset, train: pd.DataFrame) -> Fold:
    """The last quarter of the training months, and the months whose labels are known when it begins."""
    calendar = dataset.calendar
    months = sorted(train["snapshot"].unique())
    later = months[-max(1, len(months) // 4) :]
    begins = calendar.as_of(later[0])
    earlier = [month for month in months if dataset.label.mature_at(calendar.as_of(month)) <= begins]
    if not earlier:  # so few months that none is known in time: halves of the customers
        half = dealt(train, 2, 0) == 0
        return train[half], train[~half]
    return train[train["snapshot"].isin(earlier)], train[train["snapshot"].isin(later)]


def _encoded(name: RungName, fields: tuple[Field, ...], fold: Fold, seed: int) -> EncodedFold:
    fit, later = fold
    names = [field.name for field in fields]
    estimator = estimator_of(name, fields, fit, {}, seed)
    encode = estimator.named_steps["encode"].fit(fit[names])
    fitted, compared = (encode.transform(rows[names]) for rows in (fit, later))
    return EncodedFold(
        estimator.named_steps["model"], fitted, fit["churned"].to_numpy(), compared, later["churned"].to_numpy()
    )


def _tried(folds: Sequence[EncodedFold], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate's mean log loss over the folds, and the number of trees at which it is lowest."""
    losses = [_losses(fold, parameters) for fold in folds]
    shortest = min(len(loss) for loss in losses)  # a fold that stopped earlier had stopped getting better
    loss = np.mean([loss[:shortest] for loss in losses], axis=0)
    best = int(loss.argmin())
    trees = {} if "C" in parameters else {"max_iter": best + 1}
    return {"parameters": {**parameters, **trees}, "log_loss": float(loss[best])}


def _losses(fold: EncodedFold, parameters: Mapping[str, Any]) -> FloatArray:
    """Log loss on the later rows: one figure of a logistic regression, one after each tree of a boosting."""
    from sklearn.base import clone
    from sklearn.metrics import log_loss

    model = clone(fold.model).set_params(**parameters)
    if "C" in parameters:
        probability = model.fit(fold.fit, fold.fit_churned).predict_proba(fold.later)
        return np.array([log_loss(fold.later_churned, probability[:, 1], labels=[False, True])])
    model.set_params(max_iter=MOST_TREES, early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
    model.fit(fold.fit, fold.fit_churned, X_val=fold.later, y_val=fold.later_churned)
    return -np.asarray(model.validation_score_[1:])  # the first is that of no tree at all


def _one_of(values: Sequence[float], random: np.random.Generator) -> float:
    return values[int(random.integers(len(values)))]
