"""From which distance on a month is an alarm: worth a look at all, and further than this feature ever is by itself.

A threshold is the larger of a material floor, the same for all fields, and `typical + c x scale`, what is usual for the
field when each reference month is left out and compared with the others. Both are of distances to the power of 2/3:
a distance is the root of a sum of squares, of one or of many, and this power makes any of them close to normal (Wilson
and Hilferty 1931). The scale is `z` standard deviations, where `z` gives each channel the same share of the alarms,
however many fields it watches. So one `c` means the same for all, and would be 1 if two years told everything.

It is chosen so that the largest distance of a month, in thresholds, passes 1 once in `RETURN_MONTHS`. Monthly maxima
follow a Gumbel law (Coles 2001, chapter 3), whose parameters are found by probability-weighted moments (Landwehr et al.
1979), so two years suffice to see what happens once in three.

A field that strays where the others do not, because it grows year by year or because a month of the reference was
broken, would need so large a `c` that nothing else were ever seen. It is called restless: it has no part in `c`, and is
watched by a threshold of its own, beyond all that it did. `DriftThresholds.restless` names it, for there it is nearly
blind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitoring.baseline import left_out_factors, left_out_weights
from monitoring.distances import Channel, Distances, distances
from monitoring.stack import Layout, Stack
from monitoring.usual import Usual, usual
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
SMALLEST_C, LARGEST_C = 0.6, 2.0
RESTLESS_TIMES = 1.5  # how much further than ever before a restless field must stray
FEWEST_MONTHS = 6  # with less to go by, only the floors count
HALVINGS = 20


@dataclass(frozen=True)
class DriftThresholds:
    """What a release is monitored by.

    Args:
        c: how many scales above its typical distance a field may be; 0 where there were too few months to tell.
        months: how many reference months it rests on.
        values: by channel and name (a field, or "a~b" for a pair), the distance above which there is an alarm.
        restless: by channel, the names that stray so much by themselves that little can be seen in them.
    """

    c: float
    months: int
    values: Mapping[Channel, Mapping[str, float]]
    restless: Mapping[Channel, tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "c": self.c,
            "months": self.months,
            "values": {channel: dict(limits) for channel, limits in self.values.items()},
            "restless": {channel: list(names) for channel, names in self.restless.items()},
        }


@dataclass(frozen=True)
class Calibrated:
    """Thresholds of one reference, or of many worlds along the leading axes.

    Args:
        c: shape (...).
        limits: thresholds by channel, shape (..., fields).
        restless: by channel, shape (..., fields).
    """

    c: FloatArray
    limits: Distances
    restless: Mapping[Channel, NDArray[np.bool_]]


def thresholds_from_dict(stored: Mapping[str, Any]) -> DriftThresholds:
    """The inverse of `DriftThresholds.as_dict`."""
    values = {cast(Channel, name): dict(found) for name, found in stored["values"].items()}
    restless = {cast(Channel, name): tuple(found) for name, found in stored["restless"].items()}
    return DriftThresholds(float(stored["c"]), int(stored["months"]), values, restless)


def left_out(reference: Stack, keys: Sequence[str], layout: Layout) -> Distances:
    """Distance of each reference month from the others, as far as a month to come would stray by itself."""
    factors = left_out_factors(keys)[:, None]
    found = distances(reference, reference.averaged(left_out_weights(keys)), layout)
    return {channel: found[channel] * factors for channel in found}


def calibrated(strays: Distances, unrelated: NDArray[np.bool_]) -> Calibrated:
    """Thresholds from the distances of left-out months.

    Args:
        strays: distances of shape (..., months, fields); several worlds can be calibrated at once.
        unrelated: for each month, the others that say what is usual for it, shape (months, months).
    """
    worlds, months = strays["shift"].shape[:-2], strays["shift"].shape[-2]
    if months < FEWEST_MONTHS:
        flat = {name: np.full((*worlds, found.shape[-1]), FLOORS[name]) for name, found in strays.items()}
        return Calibrated(np.zeros(worlds), flat, {name: limits < 0 for name, limits in flat.items()})
    everybody = {name: np.ones((*worlds, found.shape[-1]), dtype=bool) for name, found in strays.items()}
    restless = _restless(strays, {name: usual(strays[name], unrelated, everybody[name]) for name in strays})
    settled = {name: np.where(restless[name][..., None, :], np.nan, found) for name, found in strays.items()}
    c = _smallest_quiet_c(settled, {name: usual(strays[name], unrelated, ~restless[name]) for name in strays})
    always = np.ones((1, months), dtype=bool)
    limits = {n: _threshold(n, usual(found, always, ~restless[n]), c)[..., 0, :] for n, found in strays.items()}
    furthest = {name: RESTLESS_TIMES * np.nan_to_num(found).max(axis=-2) for name, found in strays.items()}
    limits = {n: np.where(restless[n], np.maximum(limits[n], furthest[n]), limits[n]) for n in limits}
    return Calibrated(c, limits, restless)


def return_level(maxima: FloatArray, return_months: float = RETURN_MONTHS) -> FloatArray:
    """The level that a month's maximum passes once in `return_months`, from maxima of shape (..., months)."""
    ordered, months = np.sort(maxima, axis=-1), maxima.shape[-1]
    weighted = (ordered * np.arange(months)).sum(axis=-1) / (months * (months - 1))
    beta = (2 * weighted - ordered.mean(axis=-1)) / np.log(2)
    level: FloatArray = ordered.mean(axis=-1) + beta * (-np.log(-np.log(1 - 1 / return_months)) - np.euler_gamma)
    return level


def _restless(strays: Distances, of_others: Mapping[Channel, Usual]) -> dict[Channel, NDArray[np.bool_]]:
    """Which fields strayed where no sensible `c` would have let them, by channel of shape (..., fields)."""
    most = np.full(strays["shift"].shape[:-2], LARGEST_C)
    found = {name: _in_thresholds(name, strays[name], of_others[name], most) for name in strays}
    return {name: np.asarray((times > 1).any(axis=-2)) for name, times in found.items()}


def _smallest_quiet_c(strays: Distances, of_others: Mapping[Channel, Usual]) -> FloatArray:
    """Where the return level of the monthly maxima, in thresholds, comes down to 1; shape (...)."""
    worlds = strays["shift"].shape[:-2]
    low, high = np.full(worlds, SMALLEST_C), np.full(worlds, LARGEST_C)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = [_in_thresholds(name, each, of_others[name], middle) for name, each in strays.items()]
        is_quiet = return_level(np.concatenate(found, axis=-1).max(axis=-1)) <= 1
        low, high = np.where(is_quiet, low, middle), np.where(is_quiet, middle, high)
    return high


def _in_thresholds(channel: Channel, strays: FloatArray, of_others: Usual, c: FloatArray) -> FloatArray:
    """Distances of left-out months in thresholds that these months had no part in; 0 where unknown."""
    return np.nan_to_num(strays / _threshold(channel, of_others, c))


def _threshold(channel: Channel, found: Usual, c: FloatArray) -> FloatArray:
    """Shape (..., rows, fields)."""
    fields = max(found.typical.shape[-1], 1)
    z = special.ndtri(1 - 1 / (RETURN_MONTHS * len(FLOORS) * fields))
    return np.maximum(found.beyond(c * z), FLOORS[channel])
