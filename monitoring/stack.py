"""Many sketches as arrays, so that two years, or hundreds of simulated worlds, are compared in a few array operations.

Every array has the shape (..., months, something); the leading axes, if any, are worlds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.sketches import LEVELS, Pair, Sketch, pairs_of
from pipeline.economics import FloatArray
from pipeline.errors import ContractError


@dataclass(frozen=True)
class Layout:
    """What the places along the last axes mean.

    Args:
        numbers: names of the numbers.
        shares: (category field, value) of each share; the values of a field lie side by side.
    """

    numbers: tuple[str, ...]
    shares: tuple[tuple[str, str], ...]

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Names of the category fields."""
        return tuple(dict.fromkeys(field for field, _ in self.shares))

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The two numbers of each correlation."""
        return tuple(pairs_of(self.numbers))

    @cached_property
    def first_shares(self) -> NDArray[np.int64]:
        """For each category field, the place of its first share."""
        owners = [field for field, _ in self.shares]
        return np.array([owners.index(field) for field in self.categories], dtype=np.int64)


@dataclass(frozen=True)
class Stack:
    """The figures of many months; NaN where a figure does not exist.

    Args:
        quantiles: shape (..., months, numbers, LEVELS).
        missing: shares without a value, shape (..., months, numbers).
        zeros: shares of zeros among the values, shape (..., months, numbers).
        shares: of the values of categories, shape (..., months, shares).
        correlations: shape (..., months, pairs).
    """

    quantiles: FloatArray
    missing: FloatArray
    zeros: FloatArray
    shares: FloatArray
    correlations: FloatArray

    def averaged(self, weights: FloatArray) -> "Stack":
        """Weighted means over the months, for weights of shape (targets, months); what does not exist has no weight.

        The mean of quantiles is the distribution nearest to all months in Wasserstein's distance, which is what makes
        it a fair reference for that distance.
        """
        flat = self.quantiles.reshape(*self.quantiles.shape[:-2], -1)
        others = {name: _averaged(values, weights) for name, values in self.arrays().items() if name != "quantiles"}
        averaged = _averaged(flat, weights)
        return Stack(quantiles=averaged.reshape(*averaged.shape[:-1], *self.quantiles.shape[-2:]), **others)

    def only(self, months: slice) -> "Stack":
        """Some of the months of stacks of worlds, shape (worlds, months, ...)."""
        return Stack(**{name: values[:, months] for name, values in self.arrays().items()})

    def arrays(self) -> dict[str, FloatArray]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def layout_of(sketch: Sketch) -> Layout:
    """The layout of the fields of a sketch."""
    # by name: JSON may have brought them back in another order
    shares = [(field, value) for field, shares in sketch.categories.items() for value in sorted(shares)]
    return Layout(tuple(sketch.numbers), tuple(shares))


def stack_of(sketches: Sequence[Sketch], layout: Layout) -> Stack:
    """Sketches of the same fields side by side, or a ContractError that says which fields differ."""
    for sketch in sketches:
        _must_fit(sketch, layout)
    return Stack(
        quantiles=np.array([[_quantiles(s.numbers[n].quantiles) for n in layout.numbers] for s in sketches]).reshape(
            len(sketches), len(layout.numbers), LEVELS
        ),
        missing=_matrix([[s.numbers[n].missing_share for n in layout.numbers] for s in sketches]),
        zeros=_matrix([[_zeros(s, n) for n in layout.numbers] for s in sketches]),
        shares=_matrix([[s.categories[field][value] for field, value in layout.shares] for s in sketches]),
        correlations=_matrix([list(s.correlations.values()) for s in sketches]),
    )


def _averaged(values: FloatArray, weights: FloatArray) -> FloatArray:
    there = np.isfinite(values)
    if there.all() and weights.any(axis=1).all():
        found: FloatArray = (weights / weights.sum(axis=1, keepdims=True)) @ values
        return found
    total, weight = weights @ np.where(there, values, 0.0), weights @ there
    return np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)


def _must_fit(sketch: Sketch, layout: Layout) -> None:
    found = layout_of(sketch)
    if found != layout:
        differing = set(found.numbers) ^ set(layout.numbers) | {f for f, _ in set(found.shares) ^ set(layout.shares)}
        raise ContractError(
            f"sketch of {sketch.key}",
            expected="the fields and categories of the reference",
            found=f"other ones: {', '.join(sorted(differing))}",
            remedy="The declaration has changed since the release: train again, and the reference has the new fields.",
        )


def _matrix(rows: Sequence[Sequence[float | None]]) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def _quantiles(found: tuple[float, ...]) -> Any:
    return found or (np.nan,) * LEVELS


def _zeros(sketch: Sketch, name: str) -> float:
    """A share of nothing does not exist: a column that went missing is one finding, not two."""
    return sketch.numbers[name].zero_share if sketch.numbers[name].quantiles else np.nan
