"""Fits a rung: searches its settings on later rows, fits, and calibrates on rows later still."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.calendar import month_after
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.encoding import model_fields
from pipeline.feature_kinds import Field
from pipeline.paired import losses_of, once, standard_errors_above
from pipeline.rule import fitted_rule
from pipeline.scoring import Calibration, RuleScorer, RungName, Scorer
from pipeline.search import at_most, dealt, estimator_of, one_core, searched
from pipeline.settings import Settings
from pipeline.splits import Split, has_both_outcomes, is_in_first_half

TRUSTED_TYPES: tuple[str, ...] = (  # what MLflow's copy of a model may contain besides plain data
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "scipy.interpolate._bsplines.BSpline",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
)
CALIBRATION_FOLD = 5  # where there is no time, one row in so many is kept for the calibration
BEST_SETTINGS = 2  # of a search, tried again where few months are learned from: smaller trees are often better then


@dataclass(frozen=True)
class FittedRung:
    """A rung, ready to be judged.

    Args:
        estimator: sklearn's object (None for the rule), for MLflow and for the gate.
        search: what was tried.
        since: the oldest snapshot that it was fitted on, where that was to be found out; empty where on all alike.
        is_no_news: whether what was to be learned of a change turned out to be told as well by the whole past.
    """

    name: RungName
    scorer: Scorer
    estimator: Any
    parameters: Mapping[str, Any]
    search: tuple[Mapping[str, Any], ...] = field(default=())
    since: str = ""
    is_no_news: bool = False

    def offline_probability(self, rows: pd.DataFrame) -> FloatArray:
        """What the object that was fitted says: the release must say the same to 1e-9."""
        if self.estimator is None:
            return self.scorer.probability(rows, len(rows))
        with one_core():
            return np.asarray(self.estimator.predict_proba(rows[[f.name for f in self.scorer.fields]])[:, 1])


def fit_rung(name: RungName, dataset: Dataset, split: Split, settings: Settings) -> FittedRung:
    """Fit one rung on `split.train` and calibrate it on `split.calibration`; the test part is not touched."""
    fields = model_fields(dataset.fields())
    if name == "rule":
        # the rule is drawn from all earlier rows: it has a handful of rates and nothing to overfit
        parts = [split.train] if split.is_shared else [split.train, split.calibration]
        known = pd.concat(parts, ignore_index=True)
        table = fitted_rule(dataset.rule, known, known["churned"].to_numpy())
        return FittedRung(name, RuleScorer(table, fields), None, {"conditions": len(dataset.rule.points)})
    search = searched(name, dataset, at_most(split.train, settings.training_rows, settings.seed), settings)
    search.sort(key=lambda tried: float(tried["log_loss"]))
    if split.is_shared:
        return _fit_what_is_new(name, dataset, split, search, settings)
    return replace(fit_with(name, dataset, split, search[0]["parameters"], settings), search=tuple(search))


def _fit_what_is_new(
    name: RungName, dataset: Dataset, split: Split, search: Sequence[Mapping[str, Any]], settings: Settings
) -> FittedRung:
    """Fit on the whole past, unless the months since the change and the one before say the newest month better.

    Both are asked about half of the customers of the newest month, whom they have not seen. Better is by a standard
    error: where nothing has changed, a few months are a poor teacher, and the next training would start from there.
    """
    (rows, others), (_, rest) = _halves(split.calibration, split.train)
    calibration = split.calibration[rows].reset_index(drop=True)
    asked = calibration[once(calibration)].reset_index(drop=True)

    def tried(since: str) -> list[_Tried]:
        part, parameters = _from(since, Split(others, calibration, asked)), [each["parameters"] for each in search]
        fits = [fit_with(name, dataset, part, each, settings) for each in parameters[:BEST_SETTINGS]]
        said = (fit.scorer.probability(asked, len(asked)) for fit in fits)
        return [_Tried(since, fit.parameters, losses_of(asked, p)) for fit, p in zip(fits, said, strict=True)]

    oldest, newest = split.snapshots[0], split.snapshots[-1]
    since = max(oldest, month_after(newest, -settings.months_since_change))
    is_enough = all(has_both_outcomes(half[half["snapshot"] >= since]) for half in (others, rest))
    of_whole = tried(oldest)
    of_new = tried(since) if since > oldest and is_enough else []
    new, whole = (min(found, key=lambda each: each.log_loss) for found in (of_new or of_whole, of_whole))
    is_news = standard_errors_above(whole.losses, new.losses, asked["customer_id"]) > 1
    kept = new if is_news else whole
    fitted = fit_with(name, dataset, _from(kept.since, split), kept.parameters, settings)
    told = (*search, *(each.as_dict() for each in (*of_new, *of_whole)))
    return replace(fitted, search=told, since=kept.since, is_no_news=not is_news)


@dataclass(frozen=True)
class _Tried:
    """The oldest snapshot learned from and settings, and the log loss of each row that was asked about."""

    since: str
    parameters: Mapping[str, Any]
    losses: FloatArray

    @property
    def log_loss(self) -> float:
        """Over all rows."""
        return float(self.losses.mean())

    def as_dict(self) -> dict[str, Any]:
        """As every candidate of a search is kept."""
        return {"parameters": {**self.parameters, "since": self.since}, "log_loss": self.log_loss}


def _from(since: str, split: Split) -> Split:
    """The split without the months before `since` in its training part."""
    return replace(split, train=split.train[split.train["snapshot"] >= since].reset_index(drop=True))


def fit_with(
    name: RungName, dataset: Dataset, split: Split, parameters: Mapping[str, Any], settings: Settings
) -> FittedRung:
    """Fit a model with settings that are known, and calibrate it."""
    fields, train = model_fields(dataset.fields()), at_most(split.train, settings.training_rows, settings.seed)
    names, later = [field.name for field in fields], split.calibration
    with one_core():
        fitted = _fitted(name, fields, train, parameters, settings.seed)
        raw = _said_from_outside(name, fields, train, later, parameters, settings.seed) if split.is_shared else None
        wrapped, calibration = calibrated(fitted, names, later, raw)
        scorer = _exported(name, fitted, fields, train, calibration)
    return FittedRung(name, scorer, wrapped, parameters)


def _said_from_outside(
    name: RungName,
    fields: tuple[Field, ...],
    train: pd.DataFrame,
    rows: pd.DataFrame,
    parameters: Mapping[str, Any],
    seed: int,
) -> FloatArray:
    """Log-odds of rows that are among the training ones, by models that have not seen their customers."""
    raw = np.empty(len(rows))
    for theirs, others in _halves(rows, train):
        half = _fitted(name, fields, others, parameters, seed)
        raw[theirs] = half.decision_function(rows.loc[theirs, [field.name for field in fields]])
    return raw


def _halves(rows: pd.DataFrame, train: pd.DataFrame) -> Iterator[tuple[NDArray[np.bool_], pd.DataFrame]]:
    """Half of the customers of `rows`, twice: which rows are theirs, and the training rows that are not.

    Only the months of `rows` are held back: what a customer did before is known when their outcome is not.
    """
    is_new = train["snapshot"].isin(set(rows["snapshot"]))
    theirs, new = (is_in_first_half(part["customer_id"]) for part in (rows, train[is_new]))
    for first in (True, False):
        yield theirs == first, train.drop(index=train.index[is_new][new == first]).reset_index(drop=True)


def _fitted(
    name: RungName, fields: tuple[Field, ...], train: pd.DataFrame, parameters: Mapping[str, Any], seed: int
) -> Any:
    """The fitted pipeline; a logistic regression is fitted again without the fields that it got the wrong way round.

    Boosted trees keep to the declared directions by themselves.
    """
    from pipeline.scorecard import contrary_fields

    names, churned = [field.name for field in fields], train["churned"].to_numpy()
    fitted = estimator_of(name, fields, train, parameters, seed).fit(train[names], churned)
    if name != "logistic":
        return fitted
    left_out: set[str] = set()
    while found := contrary_fields(fitted, fields, train) - left_out:
        left_out |= found
        kept = tuple(field for field in fields if field.name not in left_out)
        fitted = estimator_of(name, kept, train, parameters, seed).fit(train[names], churned)
    return fitted


def calibrated(
    fitted: Any, names: Sequence[str], rows: pd.DataFrame, raw: FloatArray | None = None
) -> tuple[Any, Calibration]:
    """The estimator with Platt's sigmoid on top, fitted on rows that it did not learn from.

    Where it did, `raw` has what models like it that did not say of them, in log-odds before any calibration.

    The sigmoid rises. Where the rows would have it fall, because the model is worse than a coin on them, the score
    stays as it is: the evaluation must see the ranking that the model has.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    # the estimator is frozen, so that folds change nothing; two ask for two rows of each outcome only
    wrapped = CalibratedClassifierCV(FrozenEstimator(fitted), method="sigmoid", cv=2)
    wrapped.fit(rows[list(names)], rows["churned"].to_numpy())
    sigmoid = wrapped.calibrated_classifiers_[0].calibrators[0]
    if raw is not None:
        sigmoid.fit(raw, rows["churned"].to_numpy())
    if sigmoid.a_ >= 0:
        sigmoid.a_, sigmoid.b_ = -1.0, 0.0
    return wrapped, Calibration(slope=-float(sigmoid.a_), intercept=-float(sigmoid.b_))


def cross_validated(
    name: RungName, dataset: Dataset, rows: pd.DataFrame, settings: Settings, folds: int = 5
) -> FloatArray:
    """Out-of-fold probability of each row, the whole recipe refitted in each fold; for datasets without time."""
    fold, probability = dealt(rows, folds, f"outer {settings.seed}"), np.empty(len(rows))
    for i in range(folds):
        inside, outside = rows[fold != i].reset_index(drop=True), rows[fold == i]
        later = dealt(inside, CALIBRATION_FOLD, f"calibration {settings.seed}") == 0
        split = Split(inside[~later].reset_index(drop=True), inside[later].reset_index(drop=True), outside)
        probability[fold == i] = fit_rung(name, dataset, split, settings).scorer.probability(outside, len(outside))
    return probability


def _exported(
    name: RungName, fitted: Any, fields: tuple[Field, ...], train: pd.DataFrame, calibration: Calibration
) -> Scorer:
    from pipeline.boosting import trees_of
    from pipeline.scorecard import scorecard_of

    if name == "logistic":
        return scorecard_of(fitted, fields, train, calibration)
    return trees_of(fitted, fields, calibration)
