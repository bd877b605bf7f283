"""The logistic rung: a scorecard that a person can read.

Each number contributes along a curve of straight pieces between training quantiles, each category a constant. The curve
is a logistic regression over linear splines, so a contribution is exact and additive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.economics import Columns, FloatArray
from pipeline.encoding import plain_values
from pipeline.feature_kinds import Field
from pipeline.scoring import Calibration, RungName, calibration_from_dict, finite

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99, 1.0)  # close at the upper end, where heavy tails are
MISSING = " missing"
CONTRARY_LOG_ODDS = 0.05


@dataclass(frozen=True)
class Curve:
    """Contribution of a number: straight between the knots, constant outside, `missing` where there is no value."""

    knots: FloatArray
    points: FloatArray
    missing: float

    def of(self, values: FloatArray) -> FloatArray:
        """Contribution of each value in log-odds."""
        return np.where(np.isnan(values), self.missing, np.interp(values, self.knots, self.points))


@dataclass(frozen=True)
class Scorecard:
    """A fitted logistic rung. `average` is the mean contribution of each field over the training rows."""

    fields: tuple[Field, ...]
    intercept: float
    curves: Mapping[str, Curve]
    constants: Mapping[str, Mapping[str, float]]
    average: FloatArray
    calibration: Calibration
    name: RungName = "logistic"

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        """Churn probability of each customer, shape (rows,)."""
        return self.calibration.probability(self.intercept + self.contributions(columns, rows).sum(axis=1))

    def reasons(self, columns: Columns, rows: int) -> FloatArray:
        """Contribution of each field in calibrated log-odds against the average customer, shape (rows, fields)."""
        return self.calibration.slope * (self.contributions(columns, rows) - self.average)

    def contributions(self, columns: Columns, rows: int) -> FloatArray:
        """Contribution of each field to the score before calibration, shape (rows, fields).

        A category that is not in the scorecard contributes nothing, nor does a field without curve or constants.
        """
        found = np.zeros((rows, len(self.fields)))
        for i, field in enumerate(self.fields):
            if field.name in self.curves:
                found[:, i] = self.curves[field.name].of(np.asarray(columns[field.name], dtype=np.float64))
            elif field.name in self.constants:
                constants = self.constants[field.name]
                found[:, i] = [constants.get(value, 0.0) for value in plain_values(columns[field.name])]
        return found

    def as_dict(self) -> dict[str, Any]:
        """The scorecard as plain values."""
        return {
            "rung": self.name,
            "intercept": self.intercept,
            "numbers": {name: _curve_as_dict(curve) for name, curve in self.curves.items()},
            "categories": {name: dict(constants) for name, constants in self.constants.items()},
            "average": dict(zip((field.name for field in self.fields), self.average.tolist(), strict=True)),
            "calibration": {"slope": self.calibration.slope, "intercept": self.calibration.intercept},
        }


def scorecard_from_dict(stored: Mapping[str, Any], fields: tuple[Field, ...]) -> Scorecard:
    """The inverse of `Scorecard.as_dict`; an error of any kind where the values are no scorecard over the fields."""
    kinds = {field.name: field.kind for field in fields}
    for part, kind in (("numbers", "number"), ("categories", "category")):
        unknown = [name for name in stored[part] if kinds.get(name) != kind]
        if unknown:
            raise ValueError(f"{part} that the release does not declare as such: {', '.join(sorted(unknown))}")
    return Scorecard(
        fields=fields,
        intercept=float(finite([stored["intercept"]], "the intercept")[0]),
        curves={name: _curve_from_dict(name, values) for name, values in stored["numbers"].items()},
        constants={name: _constants(name, values) for name, values in stored["categories"].items()},
        average=finite([stored["average"][field.name] for field in fields], "the averages"),
        calibration=calibration_from_dict(stored["calibration"]),
    )


def logistic_estimator(fields: tuple[Field, ...], train: "pd.DataFrame", parameters: Mapping[str, Any]) -> Any:
    """An unfitted sklearn pipeline: linear splines and one-hot columns into a penalised logistic regression.

    Plain transformers only, so that the stored object needs no code of ours to load. A number that is never known in
    training is left out; one that is constant keeps what its absence tells.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    steps: list[tuple[str, Any, list[str]]] = []
    for field in fields:
        if field.kind == "category":
            encoder = OneHotEncoder(categories=[list(field.categories)], handle_unknown="ignore")
            steps.append((field.name, encoder, [field.name]))
            continue
        knots = _knots(train[field.name].to_numpy())
        if len(knots) > 1:
            steps.append((field.name, _spline(knots), [field.name]))
        if len(knots) > 0:
            steps.append((field.name + MISSING, MissingIndicator(features="all", sparse=True), [field.name]))
    # four in five cells are zero: a sparse matrix takes a quarter of the time and of the memory
    encode = ColumnTransformer(steps, sparse_threshold=1.0)
    return Pipeline([("encode", encode), ("model", LogisticRegression(**parameters, max_iter=2000))])


def scorecard_of(fitted: Any, fields: tuple[Field, ...], train: "pd.DataFrame", calibration: Calibration) -> Scorecard:
    """The fitted pipeline as a scorecard that gives the same probabilities."""
    encode, model = fitted.named_steps["encode"], fitted.named_steps["model"]
    weights = _weights(encode, model)
    constants = {
        field.name: dict(zip(field.categories, map(float, weights[field.name]), strict=True))
        for field in fields
        if field.kind == "category" and field.name in weights
    }
    curves, nothing = _curves(encode, weights, fields, train), np.zeros(len(fields))
    card = Scorecard(fields, float(model.intercept_[0]), curves, constants, nothing, calibration)
    return replace(card, average=card.contributions(train, len(train)).mean(axis=0))


def contrary_fields(fitted: Any, fields: tuple[Field, ...], train: "pd.DataFrame") -> set[str]:
    """Fields whose fitted curve somewhere goes against their declared direction, by more than noise around no effect.

    Where others tell nearly the same, what is left for a field to tell may have the wrong sign. People would read it,
    and customers would be treated by it.
    """
    encode, model = fitted.named_steps["encode"], fitted.named_steps["model"]
    curves = _curves(encode, _weights(encode, model), fields, train)
    steps = {
        field.name: field.direction * np.diff(curves[field.name].points)
        for field in fields
        if field.direction and field.name in curves
    }
    return {name for name, step in steps.items() if (step < -CONTRARY_LOG_ODDS).any()}


def _spline(knots: FloatArray) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import SplineTransformer

    spline = SplineTransformer(degree=1, knots=knots[:, None], extrapolation="constant")
    return Pipeline([("fill", SimpleImputer(strategy="median")), ("spline", spline)])


def _weights(encode: Any, model: Any) -> dict[str, FloatArray]:
    return {name: model.coef_[0][columns] for name, columns in encode.output_indices_.items()}


def _curves(
    encode: Any, weights: Mapping[str, FloatArray], fields: tuple[Field, ...], train: "pd.DataFrame"
) -> dict[str, Curve]:
    steps = encode.named_transformers_
    return {
        field.name: _curve(steps, weights, field.name, train) for field in fields if field.name + MISSING in weights
    }


def _curve(steps: Mapping[str, Any], weights: Mapping[str, FloatArray], name: str, train: "pd.DataFrame") -> Curve:
    absent = float(weights[name + MISSING][0])
    if name not in weights:
        return Curve(_knots(train[name].to_numpy()), np.zeros(1), absent)
    fill, spline = (steps[name].named_steps[step] for step in ("fill", "spline"))
    knots = spline.bsplines_[0].t[1:-1]  # a spline of degree 1 repeats each boundary knot outside once
    points = spline.transform(knots[:, None]) @ weights[name]
    filled = spline.transform(np.array([[fill.statistics_[0]]])) @ weights[name]
    return Curve(knots, points, float(filled[0]) + absent)


def _knots(values: FloatArray) -> FloatArray:
    """Distinct training quantiles; a single one where the known values do not vary, none where no value is known."""
    known = values[~np.isnan(values)]
    return np.unique(np.quantile(known, QUANTILES)) if len(known) else known


def _curve_as_dict(curve: Curve) -> dict[str, Any]:
    return {"knots": curve.knots.tolist(), "points": curve.points.tolist(), "missing": curve.missing}


def _curve_from_dict(name: str, stored: Mapping[str, Any]) -> Curve:
    knots, points = finite(stored["knots"], f"knots of {name}"), finite(stored["points"], f"points of {name}")
    if len(knots) == 0 or len(knots) != len(points) or (np.diff(knots) <= 0).any():
        raise ValueError(f"a curve of {name} needs one point for each knot, and the knots rising")
    return Curve(knots, points, float(finite([stored["missing"]], f"missing of {name}")[0]))


def _constants(name: str, stored: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(stored, finite(list(stored.values()), f"constants of {name}").tolist(), strict=True))
