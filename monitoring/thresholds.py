"""From which distance on a month is an alarm: worth a look at all, and further than this feature ever is by itself.

A threshold is the larger of a material floor, the same for all fields, and `typical + c x scale`, what is usual for the
field: mean and standard deviation of its distance when each reference month is left out and compared with the others.
One `c` serves all fields and channels: it is chosen so that the largest distance of a month, in thresholds, passes 1 once
in `RETURN_MONTHS`. Monthly maxima follow a Gumbel law (Coles 2001, chapter 3), whose parameters are found by
probability-weighted moments (Landwehr et al. 1979), so two years suffice to see what happens once in three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from monitoring.distances import Channel, Distances
from pipeline.economics import FloatArray

FLOORS: Mapping[Channel, float] = {
    "shift": 0.10,
    "spread": 0.10,
    "missing": 0.02,
    "zero": 0.04,
    "category": 0.05,
    "correlation": 0.15,
}
RETURN_MONTHS = 36
SMALLEST_C, LARGEST_C = 2.0, 60.0
PEER_MONTHS = 12  # how many months of its own a field's usual distance must have to outweigh that of its peers
FEWEST_MONTHS = 4  # with less to go by, only the floors count
HALVINGS = 20


@dataclass(frozen=True)
class Usual:
    """Mean and standard deviation of the distances of a channel, shape (..., fields)."""

    typical: FloatArray
    scale: FloatArray


@dataclass(frozen=True)
class DriftThresholds:
    """What a release is monitored by.

    Args:
        c: how many scales above its typical distance a field may be; 0 where there were too few months to tell.
        months: how many reference months it rests on.
        values: by channel and name (a field, or "a~b" for a pair), the distance above which there is an alarm.
    """

    c: float
    months: int
    values: Mapping[Channel, Mapping[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"c": self.c, "months": self.months, "values": {name: dict(v) for name, v in self.values.items()}}


def thresholds_from_dict(stored: Mapping[str, Any]) -> DriftThresholds:
    """The inverse of `DriftThresholds.as_dict`."""
    values = {cast(Channel, name): dict(found) for name, found in stored["values"].items()}
    return DriftThresholds(float(stored["c"]), int(stored["months"]), values)


def calibrated(left_out: Distances) -> tuple[FloatArray, Distances]:
    """`c`, shape (...), and the thresholds, by channel of shape (..., fields), from the distances of left-out months.

    Several worlds can be calibrated at once along the leading axes.
    """
    months = left_out["shift"].shape[-2]
    worlds = left_out["shift"].shape[:-2]
    if months < FEWEST_MONTHS:
        return np.zeros(worlds), {name: np.full((*worlds, d.shape[-1]), FLOORS[name]) for name, d in left_out.items()}
    without = {name: _usual_without_each(found) for name, found in left_out.items()}
    low, high = np.full(worlds, SMALLEST_C), np.full(worlds, LARGEST_C)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        is_quiet = return_level(_largest(left_out, without, middle)) <= 1
        low, high = np.where(is_quiet, low, middle), np.where(is_quiet, middle, high)
    return high, {name: _threshold(name, _usual(found), high[..., None]) for name, found in left_out.items()}


def return_level(maxima: FloatArray, return_months: float = RETURN_MONTHS) -> FloatArray:
    """The level that a month's maximum passes once in `return_months`, from maxima of shape (..., months).

    A little further out than the fitted law says: its parameters are estimates, and passing is so steep in them that
    the mean rate over all possible estimates would be too high (their variance: Phien 1987).
    """
    ordered, months = np.sort(maxima, axis=-1), maxima.shape[-1]
    weighted = (ordered * np.arange(months)).sum(axis=-1) / (months * (months - 1))
    beta = (2 * weighted - ordered.mean(axis=-1)) / np.log(2)
    y = -np.log(-np.log(1 - 1 / return_months))
    y_wide = y + (1.1128 + 0.4574 * y + 0.8046 * y**2) / (2 * months)
    level: FloatArray = ordered.mean(axis=-1) + beta * (y_wide - np.euler_gamma)
    return level


def _largest(left_out: Distances, without: Mapping[Channel, Usual], c: FloatArray) -> FloatArray:
    """Each left-out month's largest distance in thresholds that this month had no part in, shape (..., months)."""
    in_thresholds = [found / _threshold(name, without[name], c[..., None, None]) for name, found in left_out.items()]
    return np.nan_to_num(np.concatenate(in_thresholds, axis=-1), nan=0.0).max(axis=-1)


def _threshold(channel: Channel, usual: Usual, c: FloatArray) -> FloatArray:
    return np.maximum(usual.typical + c * usual.scale, FLOORS[channel])


def _usual(found: FloatArray) -> Usual:
    there = np.isfinite(found)
    return _with_peers(there.sum(axis=-2), *(_sums(found, there, power) for power in (1, 2)))


def _usual_without_each(found: FloatArray) -> Usual:
    """The usual of all other months, shape (..., months, fields)."""
    there = np.isfinite(found)
    values = np.where(there, found, 0.0)
    left = [_sums(found, there, power)[..., None, :] - values**power for power in (1, 2)]
    return _with_peers(there.sum(axis=-2)[..., None, :] - there, *left)


def _sums(found: FloatArray, there: Any, power: int) -> FloatArray:
    total: FloatArray = (np.where(there, found, 0.0) ** power).sum(axis=-2)
    return total


def _with_peers(months: Any, total: FloatArray, squares: FloatArray) -> Usual:
    """Drawn to the median of the channel's other fields: a scale from two years alone is off by a seventh or more."""
    mean = total / np.maximum(months, 1)
    variance = np.maximum(squares - months * mean**2, 0.0) / np.maximum(months - 1, 1)
    if mean.shape[-1] == 0:
        return Usual(mean, variance)
    share = months / (months + PEER_MONTHS)
    typical, spread = (own * share + np.median(own, axis=-1, keepdims=True) * (1 - share) for own in (mean, variance))
    return Usual(typical, np.sqrt(spread))


