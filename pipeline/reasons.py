"""Why a customer scores as they do, in words: the fields that speak loudest, their values and their effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.economics import Columns, FloatArray
from pipeline.feature_kinds import Field

REASONS = 3  # more than three, and nobody reads any
SMALLEST = 1e-6  # in log-odds; less is a rounding error, not a reason


@dataclass(frozen=True)
class Reason:
    """One field's part in a score. `effect` is in log-odds against the average customer of the training months."""

    field: str
    value: float | str | None
    effect: float
    text: str


def strongest_reasons(contributions: FloatArray, fields: Sequence[Field], columns: Columns) -> list[list[Reason]]:
    """Up to three reasons for each row, strongest first, all pushing to the side of the average that the row is on.

    Args:
        contributions: shape (rows, fields), as `Scorer.reasons` gives them.
        fields: the fields of the contributions, in their order.
        columns: the values that were scored.
    """
    side = np.where(contributions.sum(axis=1, keepdims=True) >= 0, 1.0, -1.0)
    pushing = contributions * side
    order = np.argsort(-pushing, axis=1, kind="stable")[:, :REASONS]
    return [
        [_reason(fields[j], columns, i, contributions[i, j]) for j in places if pushing[i, j] > SMALLEST]
        for i, places in enumerate(order)
    ]


def suggested_action(contributions: FloatArray, fields: Sequence[Field], actions: Mapping[str, str]) -> str:
    """The action of the field that raises one customer's risk most, among those that have an action."""
    effects = {field.name: effect for effect, field in zip(contributions, fields, strict=True)}
    raising = [name for name in effects if effects[name] > SMALLEST and name in actions]
    return actions[max(raising, key=effects.__getitem__)] if raising else ""


def _reason(field: Field, columns: Columns, row: int, effect: float) -> Reason:
    value = _plain(columns[field.name], row)
    shown = "missing" if value is None else value if isinstance(value, str) else f"{value:.4g}"
    unit = f" {field.unit}" if field.unit and value is not None else ""
    text = f"{field.name.replace('_', ' ')}: {shown}{unit} (odds of leaving x{np.exp(effect):.2f})"
    return Reason(field.name, value, float(effect), text)


def _plain(values: Any, row: int) -> float | str | None:
    value = np.asarray(values)[row]
    if value is None or isinstance(value, str):
        return value
    return None if np.isnan(value) else float(value)
