"""How far a month is from its reference, channel by channel: each kind of damage has one that sees it.

| channel | of each | distance | sees |
|---|---|---|---|
| shift | number | trimmed Wasserstein-1 in reference standard deviations | moved means, other units |
| spread | number | absolute log of the ratio of standard deviations | other units of lopsided numbers, capping |
| missing | number | difference of the shares without a value | a column that gets lost |
| zero | number | difference of the shares of zeros | failed joins, defaults |
| category | category | largest difference of a value's share, in units of its noise | mix, renamed values |
| correlation | pair of numbers | difference of the correlations | columns swapped or joined to the wrong customer |

The unit of a value's share p is `2 sqrt(p (1 - p))`: for a value that half of the customers have it is the difference
itself, and rarer ones count for more, as chance moves them less. A fault that moves one value is then not lost in what
the others do, as it is in total variation.
"""

from typing import Literal, get_args

import numpy as np

from monitoring.sketches import LEVELS
from monitoring.stack import Layout, Stack
from pipeline.economics import FloatArray

Channel = Literal["shift", "spread", "missing", "zero", "category", "correlation"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
TRIMMED = LEVELS // 50  # the outermost 2 % on each side: single customers, not the month
SMALLEST_SD = 1e-12
RARE = 0.05  # a value rarer than this counts as if it were not: a few customers are no mix
SMALLEST_NOISE = 0.01

Distances = dict[Channel, FloatArray]
"""By channel, shape (..., months, numbers), (..., months, categories) or (..., months, pairs); NaN where unknown."""


def distances(now: Stack, reference: Stack, layout: Layout) -> Distances:
    """Distances of months from their references, which `Stack.averaged` gives; all are zero or more."""
    here, there = (stack.quantiles[..., TRIMMED:-TRIMMED] for stack in (now, reference))
    return {
        "shift": np.abs(here - there).mean(axis=-1) / _unit(now, reference),
        "spread": _spread(here, there),
        "missing": np.abs(now.missing - reference.missing),
        "zero": np.abs(now.zeros - reference.zeros),
        "category": _largest_share_moved(now, reference, layout),
        "correlation": np.abs(now.correlations - reference.correlations),
    }


def noise_of(reference: Stack, layout: Layout) -> Distances:
    """How noisy the distances of each field are by sampling alone, up to a factor that its channel shares.

    It is what makes fields comparable: shares vary with p (1 - p), correlations with 1 - r^2 (Fisher 1915), and the log
    of a standard deviation with the kurtosis less 1.
    """
    numbers, categories = reference.missing.shape, (*reference.missing.shape[:-1], len(layout.categories))
    middle = reference.quantiles[..., TRIMMED:-TRIMMED]
    score = (middle - middle.mean(axis=-1, keepdims=True)) / _unit(reference, reference)[..., None]
    kurtosis = np.nan_to_num((score**4).mean(axis=-1) / np.maximum((score**2).mean(axis=-1), SMALLEST_SD) ** 2)
    return {
        "shift": np.ones(numbers),
        "spread": np.sqrt(np.maximum(kurtosis - 1, SMALLEST_NOISE)),
        "missing": _noise_of_share(reference.missing),
        "zero": _noise_of_share(reference.zeros),
        "category": np.ones(categories),
        "correlation": np.maximum(1 - np.nan_to_num(reference.correlations) ** 2, SMALLEST_NOISE),
    }


def _noise_of_share(share: FloatArray) -> FloatArray:
    p = np.nan_to_num(share)
    noise: FloatArray = np.maximum(np.sqrt(np.maximum(p * (1 - p), 0.0)), SMALLEST_NOISE)
    return noise


def names_of(channel: Channel, layout: Layout) -> list[str]:
    """A name for each place of a channel; a pair is joined by a tilde."""
    if channel == "category":
        return list(layout.categories)
    return [f"{a}~{b}" for a, b in layout.pairs] if channel == "correlation" else list(layout.numbers)


def _unit(now: Stack, reference: Stack) -> FloatArray:
    """A standard deviation of the reference; of the month itself where the reference is constant."""
    sd = reference.quantiles.std(axis=-1)
    return np.maximum(np.where(sd > SMALLEST_SD, sd, now.quantiles.std(axis=-1)), SMALLEST_SD)


def _spread(here: FloatArray, there: FloatArray) -> FloatArray:
    """Not known where four of five reference values are the same: the rest is too few to have a spread."""
    tenth = there.shape[-1] // 10
    varied = there[..., -tenth] > there[..., tenth]
    sds = [np.maximum(values.std(axis=-1), SMALLEST_SD) for values in (here, there)]
    return np.where(varied, np.abs(np.log(sds[0] / sds[1])), np.nan)


def _largest_share_moved(now: Stack, reference: Stack, layout: Layout) -> FloatArray:
    usual = np.clip(reference.shares, RARE, 1 - RARE)
    apart: FloatArray = np.abs(now.shares - reference.shares) / (2 * np.sqrt(usual * (1 - usual)))
    return np.maximum.reduceat(apart, layout.first_shares, axis=-1) if layout.shares else apart
