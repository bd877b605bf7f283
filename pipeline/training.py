"""Fits a rung: searches its settings on later rows, fits, and calibrates on rows later still."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.encoding import model_fields
from pipeline.rule import fitted_rule
from pipeline.scoring import Calibration, RuleScorer, RungName, Scorer
from pipeline.settings import Settings
from pipeline.splits import Split, hashed_shares

INVERSE_PENALTIES = (0.3, 0.03, 0.1, 1.0, 3.0)
TREE_SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 60, "l2_regularization": 5.0},
    {"learning_rate": 0.05, "max_leaf_nodes": 6, "min_samples_leaf": 80, "l2_regularization": 10.0},
    {"learning_rate": 0.04, "max_leaf_nodes": 4, "min_samples_leaf": 40, "l2_regularization": 5.0},
    {"learning_rate": 0.08, "max_leaf_nodes": 31, "min_samples_leaf": 200, "l2_regularization": 20.0},
    {"learning_rate": 0.05, "max_leaf_nodes": 3, "min_samples_leaf": 100, "l2_regularization": 20.0},
    {"learning_rate": 0.06, "max_leaf_nodes": 10, "min_samples_leaf": 150, "l2_regularization": 1.0},
)
MOST_TREES = 240
FOLDS_WITHOUT_TIME = 4

TRUSTED_TYPES: tuple[str, ...] = (  # what MLflow's copy of a model may contain besides plain data
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "scipy.interpolate._bsplines.BSpline",
)


@dataclass(frozen=True)
class FittedRung:
    """A rung, ready to be judged. `estimator` is sklearn's object (None for the rule), for MLflow and for the gate."""

    name: RungName
    scorer: Scorer
    estimator: Any
    parameters: Mapping[str, Any]
    search: tuple[Mapping[str, Any], ...] = field(default=())

    def offline_probability(self, rows: pd.DataFrame) -> FloatArray:
        """What the object that was fitted says: the release must say the same to 1e-9."""
        if self.estimator is None:
            return self.scorer.probability(rows, len(rows))
        names = [f.name for f in self.scorer.fields]
        return np.asarray(self.estimator.predict_proba(rows[names])[:, 1])


def fit_rung(name: RungName, dataset: Dataset, split: Split, settings: Settings) -> FittedRung:
    """Fit one rung on `split.train` and calibrate it on `split.calibration`; the test part is not touched."""
    fields = model_fields(dataset.fields())
    if name == "rule":
        # the rule is drawn from all earlier rows: it has a handful of rates and nothing to overfit
        known = pd.concat([split.train, split.calibration], ignore_index=True)
        table = fitted_rule(dataset.rule, known, known["churned"].to_numpy())
        return FittedRung(name, RuleScorer(table, fields), None, {"conditions": len(dataset.rule.points)})
    from threadpoolctl import threadpool_limits

    # sums over rows depend on how many threads share them: the number is a setting, so that a fit repeats elsewhere
    with threadpool_limits(settings.threads):
        return _fit_model(name, dataset, split, settings)


def calibrated(fitted: Any, names: Sequence[str], rows: pd.DataFrame) -> tuple[Any, Calibration]:
    """The estimator with Platt's sigmoid on top, fitted on rows later than those it learned from."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    wrapped = CalibratedClassifierCV(FrozenEstimator(fitted), method="sigmoid")
    wrapped.fit(rows[list(names)], rows["churned"].to_numpy())
    sigmoid = wrapped.calibrated_classifiers_[0].calibrators[0]
    return wrapped, Calibration(slope=-float(sigmoid.a_), intercept=-float(sigmoid.b_))


def _fit_model(name: RungName, dataset: Dataset, split: Split, settings: Settings) -> FittedRung:
    from pipeline.boosting import trees_of
    from pipeline.scorecard import scorecard_of

    fields = model_fields(dataset.fields())
    names = [f.name for f in fields]
    search = _searched(name, dataset, split.train, settings)
    parameters = min(search, key=lambda tried: tried["log_loss"])["parameters"]
    train = at_most(split.train, settings.training_rows, settings.seed)
    fitted = _estimator(name, fields, train, parameters, settings)
    fitted.fit(train[names], train["churned"].to_numpy())
    wrapped, calibration = calibrated(fitted, names, split.calibration)
    export = scorecard_of if name == "logistic" else trees_of
    scorer: Scorer = export(fitted, fields, train, calibration)
    return FittedRung(name, scorer, wrapped, parameters, tuple(search))


def _searched(name: RungName, dataset: Dataset, train: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """Every setting tried with its log loss on later rows, each fitted on earlier ones."""
    folds = list(_folds(dataset, train, settings))
    candidates = _candidates(name)[: settings.search_candidates]
    return [_tried(name, dataset, candidate, folds, settings) for candidate in candidates]


def _candidates(name: RungName) -> Sequence[Mapping[str, Any]]:
    return [{"C": penalty} for penalty in INVERSE_PENALTIES] if name == "logistic" else TREE_SETTINGS


Fold = tuple[pd.DataFrame, pd.DataFrame]


def _folds(dataset: Dataset, train: pd.DataFrame, settings: Settings) -> Iterator[Fold]:
    """Rows to fit and later rows to compare on; without time, four folds by a hash of the customer."""
    if isinstance(dataset.calendar, SingleSnapshot):
        fold = _fold_numbers(train, settings.seed, FOLDS_WITHOUT_TIME)
        for i in range(FOLDS_WITHOUT_TIME):
            yield train[fold != i], train[fold == i]
        return
    yield _earlier_and_later(dataset, at_most(train, settings.search_rows, settings.seed))


def at_most(rows: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """About `most` rows, drawn by a hash of customer and snapshot: a year of months repeats each customer anyway."""
    if len(rows) <= most:
        return rows
    place = hashed_shares(rows["customer_id"].str.cat(rows["snapshot"], sep=" "), f"rows {seed}")
    return rows[place < most / len(rows)].reset_index(drop=True)


def _earlier_and_later(dataset: Dataset, train: pd.DataFrame) -> Fold:
    """The last quarter of the training months, and the months whose labels are known when it begins."""
    calendar = dataset.calendar
    months = sorted(train["snapshot"].unique())
    later = months[-max(1, len(months) // 4) :]
    begins = calendar.as_of(later[0])
    earlier = [month for month in months if dataset.label.mature_at(calendar.as_of(month)) <= begins]
    if not earlier:  # a single training month: halves of its customers, since there is no earlier one
        half = hashed_shares(train["customer_id"], 0) < 0.5
        return train[half], train[~half]
    return train[train["snapshot"].isin(earlier)], train[train["snapshot"].isin(later)]


def _tried(
    name: RungName, dataset: Dataset, candidate: Mapping[str, Any], folds: Sequence[Fold], settings: Settings
) -> dict[str, Any]:
    fields = model_fields(dataset.fields())
    names = [f.name for f in fields]
    losses = []
    for fit, validate in folds:
        estimator = _estimator(name, fields, fit, {**candidate, "max_iter": MOST_TREES}, settings)
        estimator.fit(fit[names], fit["churned"].to_numpy())
        losses.append(
            _losses_by_trees(name, estimator, validate[names], validate["churned"].to_numpy(dtype=np.float64))
        )
    loss = np.mean(losses, axis=0)
    best = int(loss.argmin())
    chosen = dict(candidate) | ({"max_iter": best + 1} if name == "boosting" else {})
    return {"parameters": chosen, "log_loss": float(loss[best])}


def _losses_by_trees(name: RungName, estimator: Any, rows: pd.DataFrame, churned: FloatArray) -> FloatArray:
    """Log loss after each tree, so that one fit tells the best number of trees; a single figure for the logistic."""
    if name == "logistic":
        return np.array([_log_loss(churned, estimator.predict_proba(rows)[:, 1])])
    encoded = estimator.named_steps["encode"].transform(rows)
    stages = estimator.named_steps["model"].staged_predict_proba(encoded)
    return np.array([_log_loss(churned, probability[:, 1]) for probability in stages])


def _log_loss(churned: FloatArray, probability: FloatArray) -> float:
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return float(-np.mean(churned * np.log(p) + (1 - churned) * np.log1p(-p)))


def _estimator(
    name: RungName, fields: Any, train: pd.DataFrame, parameters: Mapping[str, Any], settings: Settings
) -> Any:
    from pipeline.boosting import boosting_estimator
    from pipeline.scorecard import logistic_estimator

    if name == "logistic":
        return logistic_estimator(fields, train, parameters["C"])
    return boosting_estimator(fields, parameters, settings.seed)


def _fold_numbers(rows: pd.DataFrame, seed: int, folds: int) -> NDArray[np.int64]:
    return np.floor(hashed_shares(rows["customer_id"], f"fold {seed}") * folds).astype(np.int64)


def cross_validated(
    name: RungName, dataset: Dataset, rows: pd.DataFrame, settings: Settings, folds: int = 5
) -> FloatArray:
    """Out-of-fold probability of each row, the whole recipe refitted in each fold; for datasets without time."""
    fold = _fold_numbers(rows, settings.seed + 1, folds)
    probability = np.empty(len(rows))
    for i in range(folds):
        inside, outside = rows[fold != i].reset_index(drop=True), fold == i
        later = hashed_shares(inside["customer_id"], f"calibration {settings.seed}") < 0.2
        split = Split(inside[~later].reset_index(drop=True), inside[later].reset_index(drop=True), rows[outside])
        scorer = fit_rung(name, dataset, split, settings).scorer
        probability[outside] = scorer.probability(rows[outside], int(outside.sum()))
    return probability
