"""Which months a month is compared with: the same calendar month and its neighbours, so that a season is no alarm.

Every answer is a matrix of weights, one row per month compared, one column per reference month.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.calendar import SNAPSHOT, month_start
from pipeline.economics import FloatArray

YEAR = 12
NEIGHBOURS = 1  # calendar months on each side: one month alone would be a noisy reference
OTHER_SEASON_MONTHS = 6  # months this far apart share few customers' windows


def live_weights(keys: Sequence[str], reference: Sequence[str]) -> FloatArray:
    """The reference of months to come, shape (keys, reference); all of it where it covers less than a year."""
    if len(reference) < YEAR or SNAPSHOT in {*keys, *reference}:
        return np.ones((len(keys), len(reference)))
    return _or_all(_same_season(_months(keys), _months(reference)), ~np.zeros((len(keys), len(reference)), dtype=bool))


def left_out_weights(reference: Sequence[str]) -> FloatArray:
    """The reference that each reference month would have had, had it been a month to come; shape (reference, reference).

    Months of another year come first: neighbours in time share customers and windows, so they resemble each other more
    than a month to come will resemble its reference. Where there is no other year, the neighbours must do.
    """
    others = ~np.eye(len(reference), dtype=bool)
    if len(reference) < YEAR or SNAPSHOT in reference:
        return others.astype(np.float64)
    months = _months(reference)
    season = _same_season(months, months) & others
    far = np.abs(months[:, None] - months[None, :]) >= OTHER_SEASON_MONTHS
    return _or_all(np.where((season & far).any(axis=1, keepdims=True), season & far, season), others)


def unrelated_months(reference: Sequence[str]) -> NDArray[np.bool_]:
    """For each reference month, those whose left-out distance it had no part in; shape (reference, reference).

    A strange month is also in the reference of the months that are compared with it, and lingers in the next one. What
    is usual for a month must come from others, or every strange month would make itself look usual.
    """
    months, weights = _months(reference), left_out_weights(reference) > 0
    adjacent = np.abs(months[:, None] - months[None, :]) <= 1
    if len(reference) < YEAR:  # every month is compared with every other: there is no month that had no part
        return ~adjacent
    unrelated: NDArray[np.bool_] = ~(adjacent | weights | weights.T)
    return unrelated


def _same_season(months: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.bool_]:
    apart = np.abs(months[:, None] - reference[None, :]) % YEAR
    near: NDArray[np.bool_] = np.minimum(apart, YEAR - apart) <= NEIGHBOURS
    return near


def _or_all(wanted: NDArray[np.bool_], everything: NDArray[np.bool_]) -> FloatArray:
    """The wanted months of each row, or everything where there are none."""
    chosen: Any = np.where(wanted.any(axis=1, keepdims=True), wanted, everything)
    return np.asarray(chosen, dtype=np.float64)


def _months(keys: Sequence[str]) -> NDArray[np.int64]:
    """Months since the year 0; the places in the list where there are no months."""
    if SNAPSHOT in keys:
        return np.arange(len(keys))
    starts = [month_start(key) for key in keys]
    return np.array([start.year * YEAR + start.month - 1 for start in starts], dtype=np.int64)
