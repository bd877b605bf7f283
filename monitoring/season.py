"""What a month is compared with, field by field: its season as far as the field has one, and all months besides.

Three months of each year are a noisy reference, and a needless one for a field without a season. How much of it is
believed is learned from the past: by how much of what the other years said of a season each month then really strayed
from the mean of all: a slope, as James and Stein shrink. Where there are no other years to ask, the season is believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.baseline import (
    has_other_years,
    is_compared_with_another_year,
    left_out_factors,
    left_out_weights,
    live_weights,
    other_years_weights,
)
from monitoring.distances import TRIMMED, Channel, Distances, distances, noise_of
from monitoring.stack import Layout, Stack
from pipeline.economics import FloatArray

SMALLEST_SQUARE = 1e-18
LARGEST_TRUST = 1.2  # a mean of three months flattens a yearly cycle by a tenth, and single months may stray further


@dataclass(frozen=True)
class Baseline:
    """The months of a release, and how far each figure follows the season.

    Args:
        reference: the months, shape (..., months, ...).
        keys: of these months.
        layout: of their fields.
        trust: how much the season counts, 0 to LARGEST_TRUST; of the same shapes, but with one month and with one
            level that goes for all quantiles.
    """

    reference: Stack
    keys: Sequence[str]
    layout: Layout
    trust: Stack

    def live(self, keys: Sequence[str]) -> Stack:
        """What months to come are compared with."""
        return self._blended(live_weights(keys, self.keys), np.ones((1, len(self.keys))))

    def strays(self) -> Distances:
        """Distance of each reference month from the others, as far as a month to come would stray by itself."""
        left_out = self._blended(left_out_weights(self.keys), other_years_weights(self.keys))
        found = distances(self.reference, left_out, self.layout)
        return {channel: found[channel] * left_out_factors(self.keys, self._trust(channel)) for channel in found}

    def noise(self) -> Distances:
        """How noisy each distance is by sampling alone, shape (..., fields); see `noise_of`."""
        overall = self.reference.averaged(np.ones((1, len(self.keys))))
        return {channel: found[..., 0, :] for channel, found in noise_of(overall, self.layout).items()}

    def _blended(self, season: FloatArray, everything: FloatArray) -> Stack:
        near, far, trust = self.reference.averaged(season), self.reference.averaged(everything), self.trust.arrays()
        found = {}
        for name, all_months in far.arrays().items():
            apart = near.arrays()[name] - all_months
            found[name] = all_months + trust[name] * np.where(np.isfinite(apart), apart, 0.0)
        return Stack(**found)

    def _trust(self, channel: Channel) -> FloatArray:
        return {
            "shift": self.trust.quantiles[..., 0],
            "spread": self.trust.quantiles[..., 0],
            "missing": self.trust.missing,
            "zero": self.trust.zeros,
            "category": self.trust.shares[..., self.layout.first_shares],
            "correlation": self.trust.correlations,
        }[channel]


def baseline_of(reference: Stack, keys: Sequence[str], layout: Layout) -> Baseline:
    """The months of a release as a baseline."""
    overall = reference.averaged(np.ones((1, len(keys))))
    if not has_other_years(keys):
        certain = {name: np.ones_like(values) for name, values in overall.arrays().items()}
        return Baseline(reference, keys, layout, Stack(**certain | {"quantiles": certain["quantiles"][..., :1]}))
    foretold, told = reference.averaged(left_out_weights(keys)).arrays(), is_compared_with_another_year(keys)
    trust = {}
    for name, mean in overall.arrays().items():
        said, came = foretold[name] - mean, reference.arrays()[name] - mean
        sums = [_summed(name, np.nan_to_num(product), told, layout) for product in (said * came, said**2)]
        trust[name] = np.clip(sums[0] / np.maximum(sums[1], SMALLEST_SQUARE), 0.0, LARGEST_TRUST)
    return Baseline(reference, keys, layout, Stack(**trust))


def _summed(name: str, products: FloatArray, months: NDArray[np.bool_], layout: Layout) -> FloatArray:
    """Over the months, and over all that belongs to one field: its quantiles, or its values."""
    if name == "quantiles":
        middle = products[..., TRIMMED:-TRIMMED].sum(axis=-1, keepdims=True)
        return np.asarray(middle[..., months, :, :].sum(axis=-3, keepdims=True))
    sums = products[..., months, :].sum(axis=-2, keepdims=True)
    if name != "shares" or not layout.shares:
        return np.asarray(sums)
    by_category = np.add.reduceat(sums, layout.first_shares, axis=-1)
    return np.repeat(by_category, np.diff(layout.first_shares, append=len(layout.shares)), axis=-1)
