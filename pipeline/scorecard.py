"""The logistic rung: a scorecard that a person can read.

Each number contributes along a curve of straight pieces between training quantiles, each category a constant. The curve is
a logistic regression over linear splines, so a contribution is exact and additive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.economics import Columns, FloatArray
from pipeline.feature_kinds import Field
from pipeline.scoring import Calibration, RungName

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


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
        """Contribution of each field to the score before calibration, shape (rows, fields)."""
        found = np.zeros((rows, len(self.fields)))
        for i, field in enumerate(self.fields):
            if field.name in self.curves:
                found[:, i] = self.curves[field.name].of(np.asarray(columns[field.name], dtype=np.float64))
            elif field.name in self.constants:
                values, constants = np.asarray(columns[field.name], dtype=object), self.constants[field.name]
                found[:, i] = [constants.get(value, 0.0) for value in values]
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
    """The inverse of `Scorecard.as_dict`."""
    curves = {name: Curve(np.array(c["knots"]), np.array(c["points"]), c["missing"]) for name, c in stored["numbers"].items()}
    unknown = (set(curves) | set(stored["categories"])) - {field.name for field in fields}
    if unknown:
        raise ValueError(f"fields that the release does not declare: {sorted(unknown)}")
    return Scorecard(
        fields=fields,
        intercept=float(stored["intercept"]),
        curves=curves,
        constants=stored["categories"],
        average=np.array([stored["average"][field.name] for field in fields]),
        calibration=Calibration(**stored["calibration"]),
    )


def logistic_estimator(fields: tuple[Field, ...], train: "pd.DataFrame", inverse_penalty: float) -> Any:
    """An unfitted sklearn pipeline: linear splines and one-hot columns into a penalised logistic regression.

    Plain transformers only, so that the stored object needs no code of ours to load.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, SplineTransformer

    steps: list[tuple[str, Any, list[str]]] = []
    for field in fields:
        if field.kind == "category":
            encoder = OneHotEncoder(categories=[list(field.categories)], handle_unknown="ignore", sparse_output=False)
            steps.append((field.name, encoder, [field.name]))
        elif (knots := _knots(train[field.name].to_numpy())) is not None:
            spline = SplineTransformer(degree=1, knots=knots[:, None], extrapolation="constant")
            steps.append((field.name, Pipeline([("fill", SimpleImputer(strategy="median")), ("spline", spline)]), [field.name]))
            steps.append((f"{field.name} missing", MissingIndicator(features="all"), [field.name]))
    model = LogisticRegression(C=inverse_penalty, solver="newton-cholesky", max_iter=50)
    return Pipeline([("encode", ColumnTransformer(steps)), ("model", model)])


def scorecard_of(fitted: Any, fields: tuple[Field, ...], train: "pd.DataFrame", calibration: Calibration) -> Scorecard:
    """The fitted pipeline as a scorecard that gives the same probabilities."""
    encode, model = fitted.named_steps["encode"], fitted.named_steps["model"]
    weights = {
        name: model.coef_[0][encode.output_indices_[name]] for name, _, _ in encode.transformers_ if name != "remainder"
    }
    curves = {f.name: _curve(encode, weights, f.name) for f in fields if f"{f.name} missing" in weights}
    constants = {
        f.name: dict(zip(f.categories, map(float, weights[f.name]), strict=True)) for f in fields if f.kind == "category"
    }
    card = Scorecard(fields, float(model.intercept_[0]), curves, constants, np.zeros(len(fields)), calibration)
    average = card.contributions(train, len(train)).mean(axis=0)
    return Scorecard(fields, card.intercept, curves, constants, average, calibration)


def _curve(encode: Any, weights: Mapping[str, FloatArray], name: str) -> Curve:
    fill, spline = (encode.named_transformers_[name].named_steps[step] for step in ("fill", "spline"))
    knots = spline.bsplines_[0].t[1:-1]  # a spline of degree 1 repeats each boundary knot outside once
    points = spline.transform(knots[:, None]) @ weights[name]
    filled = spline.transform(np.array([[fill.statistics_[0]]])) @ weights[name]
    return Curve(knots, points, float(filled[0] + weights[f"{name} missing"][0]))


def _knots(values: FloatArray) -> FloatArray | None:
    """Distinct training quantiles; None where the column does not vary, so nothing can be learned from it."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    knots = np.unique(np.quantile(known, QUANTILES))
    return knots if len(knots) > 1 else None


def _curve_as_dict(curve: Curve) -> dict[str, Any]:
    return {"knots": curve.knots.tolist(), "points": curve.points.tolist(), "missing": curve.missing}
