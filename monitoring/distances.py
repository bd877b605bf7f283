"""How far a month is from its reference, channel by channel: each kind of damage has one that sees it.

| channel | of each | distance | sees |
|---|---|---|---|
| shift | number | trimmed Wasserstein-1 in reference standard deviations | moved means, other units |
| spread | number | absolute log of the ratio of standard deviations | other units of lopsided numbers, capping |
| missing | number | difference of the shares without a value | a column that gets lost |
| zero | number | difference of the shares of zeros | failed joins, defaults |
| category | category | total variation | mix, renamed values |
| correlation | pair of numbers | difference of the correlations | columns swapped or joined to the wrong customer |
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
        "category": _total_variation(now, reference, layout),
        "correlation": np.abs(now.correlations - reference.correlations),
    }


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


def _total_variation(now: Stack, reference: Stack, layout: Layout) -> FloatArray:
    apart = np.abs(now.shares - reference.shares)
    if not layout.shares:
        return apart
    found: FloatArray = 0.5 * np.add.reduceat(apart, layout.first_shares, axis=-1)
    return found
