"""The business rule: points for what people already watch, and the churn rate that each sum of points has had.

It is the number to beat, and it answers when no model may. It is kept as a small JSON table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import Columns, FloatArray
from pipeline.tables import Where


@dataclass(frozen=True)
class Points:
    """A condition on a feature and the points it gives. A missing value meets no condition."""

    where: Where
    points: int


@dataclass(frozen=True)
class Rule:
    """What a dataset states before any model is fitted."""

    points: tuple[Points, ...]

    def score(self, columns: Columns, rows: int) -> NDArray[np.int64]:
        """Sum of points of each customer, shape (rows,)."""
        total = np.zeros(rows, dtype=np.int64)
        for condition in self.points:
            total += condition.points * meets(columns[condition.where.column], condition.where)
        return total


def meets(values: Any, where: Where) -> NDArray[np.bool_]:
    """Which values meet the condition; missing ones never do."""
    array = np.asarray(values)
    missing = np.isnan(array) if array.dtype.kind == "f" else np.array([value is None for value in array.tolist()])
    if where.op == "in":
        found = np.isin(array, np.asarray(where.value))
    elif where.op == "==":
        found = array == where.value
    elif where.op == "!=":
        found = array != where.value
    else:
        number = array.astype(np.float64)
        compare = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}[where.op]
        found = compare(number, where.value)
    return np.asarray(found & ~missing, dtype=bool)


@dataclass(frozen=True)
class RuleTable:
    """A rule with the churn rate seen at each sum of points; rates never fall with more points."""

    rule: Rule
    sums: tuple[int, ...]
    rates: tuple[float, ...]

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        """Churn probability of each customer, shape (rows,)."""
        return np.interp(self.rule.score(columns, rows), self.sums, self.rates)

    def as_dict(self) -> dict[str, Any]:
        """The table as plain values."""
        conditions = [
            {"field": c.where.column, "op": c.where.op, "value": c.where.value, "points": c.points}
            for c in self.rule.points
        ]
        return {"conditions": conditions, "sums": list(self.sums), "rates": list(self.rates)}


def rule_table_from_dict(stored: Mapping[str, Any]) -> RuleTable:
    """The inverse of `RuleTable.as_dict`."""
    conditions = tuple(
        Points(Where(c["field"], c["op"], _tuple_if_list(c["value"])), c["points"]) for c in stored["conditions"]
    )
    return RuleTable(Rule(conditions), tuple(stored["sums"]), tuple(stored["rates"]))


def fitted_rule(rule: Rule, columns: Columns, churned: Sequence[float] | NDArray[Any]) -> RuleTable:
    """The rule with the churn rate of each sum of points, made monotone (pool adjacent violators).

    Each rate is drawn to the overall rate by the weight of 20 customers, so that a sum seen twice promises nothing.
    """
    from sklearn.isotonic import IsotonicRegression  # heavy, and serving reads tables without fitting any

    y = np.asarray(churned, dtype=np.float64)
    sums, position = np.unique(rule.score(columns, len(y)), return_inverse=True)
    weight = np.bincount(position) + 20.0
    raw = (np.bincount(position, weights=y) + 20.0 * y.mean()) / weight
    rates = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(sums, raw, sample_weight=weight)
    return RuleTable(rule, tuple(int(s) for s in sums), tuple(float(r) for r in rates))


def _tuple_if_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
