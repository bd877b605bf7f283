"""The faults that monitoring must find, each done to one field of each made-up world."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitoring.bench_worlds import IS_SEASONAL_CATEGORY, IS_SEASONAL_NUMBER, LAYOUT, Truth

Shift = Callable[[Truth, NDArray[np.bool_]], Truth]
"""The months with a fault in one field; which one is marked in an array of shape (worlds, 1, numbers or categories)."""


def _mean(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    return replace(truth, moved=truth.moved + 0.25 * target)


def _unit(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    return replace(truth, times=np.where(target, 1.2, truth.times))


def _missing(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    return replace(truth, missing=truth.missing + 0.05 * target)


def _zeroed(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    return replace(truth, zeroed=np.where(target, 0.10, truth.zeroed))


def _broken_correlation(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    first, second = np.triu_indices(target.shape[-1], 1)
    return replace(truth, correlations=np.where(target[..., first] | target[..., second], 0.0, truth.correlations))


def _category(truth: Truth, target: NDArray[np.bool_]) -> Truth:
    shares = truth.shares.copy()
    for field, place in enumerate(LAYOUT.first_shares):
        moved = np.where(target[..., field], np.minimum(0.10, shares[..., place]), 0.0)
        shares[..., place] -= moved
        shares[..., place + 1] += moved
    return replace(truth, shares=shares)


SHIFTS: Mapping[str, Shift] = {
    "mean +0.25 sd": _mean,
    "category by 10 points": _category,
    "missing 1 % -> 6 %": _missing,
    "unit x1.2": _unit,
    "10 % zeroed": _zeroed,
    "broken correlation": _broken_correlation,
}


def targets(shift: str, worlds: int, *, is_seasonal: bool) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which field is hit in each world, as a mark of shape (worlds, 1, fields of its kind) and as its place among all.

    The fields that can be hit take turns, so that every shape of number is among them.
    """
    is_category = shift == "category by 10 points"
    seasonal = IS_SEASONAL_CATEGORY if is_category else IS_SEASONAL_NUMBER
    fields = np.flatnonzero(seasonal == is_seasonal)
    field = fields[np.arange(worlds) % len(fields)]
    mark = np.zeros((worlds, 1, len(seasonal)), dtype=bool)
    mark[np.arange(worlds), 0, field] = True
    return mark, field + (len(LAYOUT.numbers) if is_category else 0)
