"""What every rung can do once it is fitted, and the rule as one.

Numpy only: the service imports this, and neither pandas nor scikit-learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import Columns, FloatArray
from pipeline.feature_kinds import Field
from pipeline.rule import RuleTable, meets

RungName = Literal["rule", "logistic", "boosting"]
RUNGS: tuple[RungName, ...] = ("rule", "logistic", "boosting")  # from the simplest to the most complex


class Scorer(Protocol):
    """A fitted rung."""

    @property
    def name(self) -> RungName:
        """Which rung it is."""
        ...

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that it sees, in the order of `reasons`."""
        ...

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        """Churn probability of each customer, shape (rows,)."""
        ...

    def reasons(self, columns: Columns, rows: int) -> FloatArray:
        """Contribution of each field in log-odds against the average training customer, shape (rows, fields)."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The rung as plain values."""
        ...


@dataclass(frozen=True)
class Calibration:
    """Platt's sigmoid over a score in log-odds: `1 / (1 + exp(-(slope * score + intercept)))`. Never changes ranks."""

    slope: float
    intercept: float

    def probability(self, score: FloatArray) -> FloatArray:
        """Calibrated probability, same shape as the score."""
        return sigmoid(self.slope * score + self.intercept)


@dataclass(frozen=True)
class RuleScorer:
    """The rule as a rung."""

    table: RuleTable
    fields: tuple[Field, ...]
    name: RungName = "rule"

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        """Churn probability of each customer, shape (rows,)."""
        return self.table.probability(columns, rows)

    def reasons(self, columns: Columns, rows: int) -> FloatArray:
        """Points of each field's conditions, in log-odds per point of the table's own slope, shape (rows, fields).

        They are counted from a customer without points. A field that the models do not see gives no reason.
        """
        place = {field.name: i for i, field in enumerate(self.fields)}
        found = np.zeros((rows, len(self.fields)))
        for condition in self.table.rule.points:
            where = condition.where
            if where.column in place:
                found[:, place[where.column]] += condition.points * meets(columns[where.column], where)
        return found * self._log_odds_per_point()

    def as_dict(self) -> dict[str, Any]:
        """The rung as plain values."""
        return {"rung": self.name, **self.table.as_dict()}

    def _log_odds_per_point(self) -> float:
        low, high = (log_odds(np.array([rate]))[0] for rate in (self.table.rates[0], self.table.rates[-1]))
        reach = self.table.sums[-1] - self.table.sums[0]
        return float((high - low) / reach) if reach else 0.0


def calibration_from_dict(stored: Mapping[str, float]) -> Calibration:
    """The calibration of a stored rung; a ValueError where it would not be one."""
    slope, intercept = finite([stored["slope"], stored["intercept"]], "the calibration")
    if slope <= 0:
        raise ValueError(f"a calibration of slope {slope}, which turns the ranking around")
    return Calibration(float(slope), float(intercept))


def finite(values: Any, what: str) -> FloatArray:
    """Stored numbers as a flat array; a ValueError where they are not a list of finite numbers."""
    found = np.array(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"{what}: not a list of finite numbers")
    return found


def sigmoid(score: FloatArray) -> FloatArray:
    """Logistic function, without overflow."""
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)


def log_odds(probability: FloatArray) -> FloatArray:
    """Inverse of the logistic function, finite at 0 and 1."""
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(p / (1 - p))


def columns_of(rows: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> dict[str, NDArray[Any]]:
    """Rows as columns: float64 with NaN for numbers, objects for categories."""
    return {
        field.name: np.array([_number(row.get(field.name)) for row in rows], dtype=np.float64)
        if field.kind == "number"
        else np.array([row.get(field.name) for row in rows], dtype=object)
        for field in fields
    }


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
