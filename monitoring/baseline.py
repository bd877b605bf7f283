"""Which months a month is compared with: the same calendar month and its neighbours, so that a season is no alarm.

Every answer is a matrix of weights, one row per month compared, one column per reference month. A field without a
season is compared with all months, which are a less noisy reference; which field has one is found in `season.py`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.calendar import SNAPSHOT, month_start
from pipeline.economics import FloatArray

YEAR = 12
NEIGHBOURS = 1  # calendar months on each side: one month alone would be a noisy reference
OTHER_SEASON_MONTHS = 6  # of the same season and this far apart, they are of different years
LINGERING_MONTHS = 3  # windows of a quarter: months this near share rows
MOSTLY = 0.5


def live_weights(keys: Sequence[str], reference: Sequence[str]) -> FloatArray:
    """The reference of months to come, shape (keys, reference); all of it where it covers less than a year."""
    everything = np.ones((len(keys), len(reference)), dtype=bool)
    if not has_seasons(reference) or SNAPSHOT in keys:
        return everything.astype(np.float64)
    return _or_else(_same_season(_months(keys), _months(reference)), everything)


def left_out_weights(reference: Sequence[str]) -> FloatArray:
    """The reference that each reference month would have had as a month to come; shape (reference, reference).

    Months of another year come first: neighbours in time share customers and windows, so they resemble each other more
    than a month to come will resemble its reference. Where there is no other year, the neighbours must do.
    """
    others = ~np.eye(len(reference), dtype=bool)
    if not has_seasons(reference):
        return others.astype(np.float64)
    months = _months(reference)
    season = _same_season(months, months) & others
    return _or_else(season & _another_year(reference), _or_else(season, others) > 0)


def other_years_weights(reference: Sequence[str]) -> FloatArray:
    """What a left-out month of a field without a season is compared with: all other months, far ones if there are any.

    Shape (reference, reference).
    """
    others = ~np.eye(len(reference), dtype=bool)
    if not has_seasons(reference):
        return others.astype(np.float64)
    return _or_else(_another_year(reference), others)


def left_out_factors(reference: Sequence[str], trust: FloatArray | float = 1.0) -> FloatArray:
    """How much less a month to come will stray from its reference, which has more months, shape (..., reference, 1).

    Distances grow with 1 + 1/k, the variance of a month less the mean of k others. Not where neighbours in time had to
    do, or did for most: they understate what a month to come will do, and nobody can say by how much.

    Args:
        reference: the months.
        trust: how much the season counts against all months, shape (..., 1, fields); the last axis is then fields.
    """
    if not has_other_years(reference):
        return np.ones((len(reference), 1))
    wanted = _noise(live_weights(reference, reference), np.ones((len(reference), len(reference))), trust)
    had = _noise(left_out_weights(reference), other_years_weights(reference), trust)
    return np.where(is_compared_with_another_year(reference)[:, None], np.sqrt((1 + wanted) / (1 + had)), 1.0)


def unrelated_months(reference: Sequence[str]) -> NDArray[np.bool_]:
    """For each reference month, those whose left-out distance it had no part in; shape (reference, reference).

    A strange month is also in the reference of the months that are compared with it, and lingers in the next ones. What
    is usual for a month must come from others, or every strange month would make itself look usual.
    """
    months, weights = _months(reference), left_out_weights(reference) > 0
    lingers = np.where(is_compared_with_another_year(reference), LINGERING_MONTHS, 1)[:, None]
    near = np.abs(months[:, None] - months[None, :]) <= lingers
    if not has_seasons(reference):  # every month is compared with every other: there is none that had no part
        return ~near
    unrelated: NDArray[np.bool_] = ~(near | weights | weights.T)
    return unrelated


def has_seasons(reference: Sequence[str]) -> bool:
    """Whether the months cover a year."""
    return len(reference) >= YEAR and SNAPSHOT not in reference


def has_other_years(reference: Sequence[str]) -> bool:
    """Whether most months can be compared with the same season of another year."""
    return has_seasons(reference) and bool(is_compared_with_another_year(reference).mean() >= MOSTLY)


def is_compared_with_another_year(reference: Sequence[str]) -> NDArray[np.bool_]:
    """For each reference month, whether no month near in time had to do; shape (reference,)."""
    weights = left_out_weights(reference) > 0
    if not has_seasons(reference):
        return np.zeros(len(reference), dtype=bool)
    far: NDArray[np.bool_] = (weights & ~_another_year(reference)).sum(axis=1) == 0
    return far


def _noise(season: FloatArray, everything: FloatArray, trust: FloatArray | float) -> FloatArray:
    """Variance of a blend of two weighted means of months, each month's being 1; shape (..., months, 1 or fields)."""
    near, far = (weights / weights.sum(axis=1, keepdims=True) for weights in (season, everything))
    both, each, other = ((a * b).sum(axis=1)[:, None] for a, b in ((near, far), (near, near), (far, far)))
    noise: FloatArray = trust**2 * each + 2 * trust * (1 - trust) * both + (1 - trust) ** 2 * other
    return noise


def _another_year(reference: Sequence[str]) -> NDArray[np.bool_]:
    months = _months(reference)
    return np.abs(months[:, None] - months[None, :]) >= OTHER_SEASON_MONTHS


def _same_season(months: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.bool_]:
    apart = np.abs(months[:, None] - reference[None, :]) % YEAR
    near: NDArray[np.bool_] = np.minimum(apart, YEAR - apart) <= NEIGHBOURS
    return near


def _or_else(wanted: NDArray[np.bool_], otherwise: NDArray[np.bool_]) -> FloatArray:
    """The wanted months of each row, or the others where there are none."""
    chosen = np.where(wanted.any(axis=1, keepdims=True), wanted, otherwise)
    return np.asarray(chosen, dtype=np.float64)


def _months(keys: Sequence[str]) -> NDArray[np.int64]:
    """Months since the year 0; the places in the list where there are no months."""
    if SNAPSHOT in keys:
        return np.arange(len(keys))
    starts = [month_start(key) for key in keys]
    return np.array([start.year * YEAR + start.month - 1 for start in starts], dtype=np.int64)
