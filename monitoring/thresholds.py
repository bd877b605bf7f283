"""From which distance on a month is an alarm: worth a look at all, and further than this feature ever is by itself.

A threshold is the larger of a material floor, the same for all fields, and `typical + c x scale`, what is usual for the
field when each reference month is left out and compared with the others. Both are of distances to the power of 2/3:
a distance is the root of a sum of squares, of one or of many, and this power makes any of them close to normal (Wilson
and Hilferty 1931). The scale is `z` standard deviations, where `z` gives each channel the same share of the alarms,
however many fields it watches, and fields are compared in units of what sampling alone does to each (`noise_of`). So
one `c` means the same for all, and would be 1 if two years told everything.

It is chosen so that the largest distance of a month, in thresholds, passes 1 once in `RETURN_MONTHS`. Monthly maxima
follow a Gumbel law (Coles 2001, chapter 3), whose parameters are found by probability-weighted moments (Landwehr et al.
1979), so two years suffice to see what happens once in three.

A field that strays where the others do not, because it grows year by year or because a month of the reference was
broken, would need so large a `c` that nothing else were ever seen. It is called restless: it has no part in `c`, and is
watched by a threshold of its own, beyond all that it did. `DriftThresholds.restless` names it, for there it is nearly
blind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitoring.distances import Channel, Distances
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
SMALLEST_C, LARGEST_C = 1.0, 2.0  # two years never tell more than everything
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


def calibrated(strays: Distances, unrelated: NDArray[np.bool_], noise: Distances) -> Calibrated:
    """Thresholds from the distances of left-out months.

    Args:
        strays: distances of shape (..., months, fields); several worlds can be calibrated at once.
        unrelated: for each month, the others that say what is usual for it, shape (months, months).
        noise: how noisy each distance is by sampling alone, shape (..., fields): in this unit, fields are peers.
    """
    worlds, months = strays["shift"].shape[:-2], strays["shift"].shape[-2]
    if months < FEWEST_MONTHS:
        flat = {name: np.full((*worlds, found.shape[-1]), FLOORS[name]) for name, found in strays.items()}
        return Calibrated(np.zeros(worlds), flat, {name: limits < 0 for name, limits in flat.items()})
    relative = {name: found / noise[name][..., None, :] for name, found in strays.items()}
    floors = {name: FLOORS[name] / noise[name][..., None, :] for name in strays}
    found = _in_noise(relative, unrelated, floors)
    return Calibrated(found.c, {name: limits * noise[name] for name, limits in found.limits.items()}, found.restless)


def return_level(maxima: FloatArray, return_months: float = RETURN_MONTHS) -> FloatArray:
    """The level that a month's maximum passes once in `return_months`, from maxima of shape (..., months)."""
    ordered, months = np.sort(maxima, axis=-1), maxima.shape[-1]
    weighted = (ordered * np.arange(months)).sum(axis=-1) / (months * (months - 1))
    beta = (2 * weighted - ordered.mean(axis=-1)) / np.log(2)
    level: FloatArray = ordered.mean(axis=-1) + beta * (-np.log(-np.log(1 - 1 / return_months)) - np.euler_gamma)
    return level


def _in_noise(strays: Distances, unrelated: NDArray[np.bool_], floors: Distances) -> Calibrated:
    """Thresholds where all is measured in units of noise; `floors` have the shape (..., 1, fields)."""
    everybody = {name: np.ones((*found.shape[:-2], found.shape[-1]), dtype=bool) for name, found in strays.items()}
    restless = _restless(strays, {name: usual(strays[name], unrelated, everybody[name]) for name in strays}, floors)
    settled = {name: np.where(restless[name][..., None, :], np.nan, found) for name, found in strays.items()}
    of_others = {name: usual(strays[name], unrelated, ~restless[name]) for name in strays}
    c = _smallest_quiet_c(settled, of_others, floors)
    always = np.ones((1, unrelated.shape[-1]), dtype=bool)
    of_all = {name: usual(found, always, ~restless[name]) for name, found in strays.items()}
    limits = {name: _threshold(of_all[name], c, floors[name])[..., 0, :] for name in strays}
    furthest = {name: RESTLESS_TIMES * np.nan_to_num(found).max(axis=-2) for name, found in strays.items()}
    limits = {n: np.where(restless[n], np.maximum(limits[n], furthest[n]), limits[n]) for n in limits}
    return Calibrated(c, limits, restless)


def _restless(
    strays: Distances, of_others: Mapping[Channel, Usual], floors: Distances
) -> dict[Channel, NDArray[np.bool_]]:
    """Which fields strayed where no sensible `c` would have let them, by channel of shape (..., fields)."""
    most = np.full(strays["shift"].shape[:-2], LARGEST_C)
    found = {name: _in_thresholds(strays[name], of_others[name], most, floors[name]) for name in strays}
    return {name: np.asarray((times > 1).any(axis=-2)) for name, times in found.items()}


def _smallest_quiet_c(strays: Distances, of_others: Mapping[Channel, Usual], floors: Distances) -> FloatArray:
    """Where the return level of the monthly maxima, in thresholds, comes down to 1; shape (...)."""
    worlds = strays["shift"].shape[:-2]
    low, high = np.full(worlds, SMALLEST_C), np.full(worlds, LARGEST_C)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = [_in_thresholds(each, of_others[name], middle, floors[name]) for name, each in strays.items()]
        is_quiet = return_level(np.concatenate(found, axis=-1).max(axis=-1)) <= 1
        low, high = np.where(is_quiet, low, middle), np.where(is_quiet, middle, high)
    return high


def _in_thresholds(strays: FloatArray, of_others: Usual, c: FloatArray, floor: FloatArray) -> FloatArray:
    """Distances of left-out months in thresholds that these months had no part in; 0 where unknown."""
    return np.nan_to_num(strays / _threshold(of_others, c, floor))


def _threshold(found: Usual, c: FloatArray, floor: FloatArray) -> FloatArray:
    """Shape (..., rows, fields)."""
    fields = max(found.typical.shape[-1], 1)
    z = special.ndtri(1 - 1 / (RETURN_MONTHS * len(FLOORS) * fields))
    return np.maximum(found.beyond(c * z), floor)
