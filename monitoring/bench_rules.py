"""Ours and the usual drift rules, each as a function from sketches to alarms, so that all judge the very same months.

The usual ones are reimplemented from their documentation and compare with all reference months together:
Kolmogorov-Smirnov and chi-squared tests at 5 % with Bonferroni's correction; PSI over ten bins above 0.1; three
standard deviations around the reference chunks (as NannyML does); Evidently's default above 1,000 rows, Wasserstein in
standard deviations or Jensen-Shannon above 0.1, where any one column counts. None of them looks at correlations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitoring.baseline import unrelated_months
from monitoring.distances import CHANNELS, Distances, distances
from monitoring.season import baseline_of
from monitoring.sketches import LEVELS
from monitoring.stack import Layout, Stack
from monitoring.thresholds import calibrated
from pipeline.economics import FloatArray

BoolArray = NDArray[np.bool_]
SIGNIFICANCE, PSI_LIMIT, EVIDENTLY_LIMIT, SIGMAS = 0.05, 0.1, 0.1, 3.0
PSI_BINS = 10
SMALLEST_SHARE = 1e-4


@dataclass(frozen=True)
class Case:
    """Months to judge, shape (worlds, months), what they may be compared with, and how many rows a month has."""

    reference: Stack
    live: Stack
    layout: Layout
    reference_keys: Sequence[str]
    live_keys: Sequence[str]
    customers: int


Judge = Callable[[Stack], BoolArray]
"""Alarms of the live months, or of the first of them, shape (worlds, months, fields): numbers, then categories."""
DriftRule = Callable[[Case], Judge]


def ours(case: Case) -> Judge:
    """Season's reference and calibrated thresholds, as in `drift.py`."""
    baseline = baseline_of(case.reference, case.reference_keys, case.layout)
    limits = calibrated(baseline.strays(), unrelated_months(case.reference_keys), baseline.noise()).limits
    reference = baseline.live(case.live_keys)

    def judge(live: Stack) -> BoolArray:
        same_months = reference.only(slice(live.missing.shape[1]))
        return _by_field(_beyond(distances(live, same_months, case.layout), limits), case.layout)

    return judge


def three_sigma(case: Case) -> Judge:
    """Each distance above mean plus three standard deviations of the reference months; without correlations."""
    pooled = _pooled(case.reference)
    found = distances(case.reference, pooled, case.layout)
    limits = {name: found[name].mean(axis=-2) + SIGMAS * found[name].std(axis=-2) for name in CHANNELS}
    limits["correlation"] = limits["correlation"] + np.inf
    return lambda live: _by_field(_beyond(distances(live, pooled, case.layout), limits), case.layout)


def evidently(case: Case) -> Judge:
    """Wasserstein in standard deviations, or Jensen-Shannon, from 0.1 on."""
    pooled = _pooled(case.reference)

    def judge(live: Stack) -> BoolArray:
        sd = np.maximum(pooled.quantiles.std(axis=-1), 1e-12)
        moved = np.abs(live.quantiles - pooled.quantiles).mean(axis=-1) / sd
        return np.concatenate([moved, _jensen_shannon(live, pooled, case.layout)], axis=-1) >= EVIDENTLY_LIMIT

    return judge


def tests_with_bonferroni(case: Case) -> Judge:
    """Kolmogorov-Smirnov of each number, chi-squared of each category."""
    pooled, months = _pooled(case.reference), len(case.reference_keys)
    sizes = case.customers * months / (months + 1)  # of the two samples together: their harmonic mean, halved
    level = SIGNIFICANCE / (len(case.layout.numbers) + len(case.layout.categories))

    def judge(live: Stack) -> BoolArray:
        here, there = _distributions(case.reference, live, live.quantiles)
        # quantiles say it to half a step only, which is given to the rule
        largest = np.maximum(np.abs(here - there).max(axis=-1) - 0.5 / LEVELS, 0.0)
        values = sizes * (live.shares - pooled.shares) ** 2 / np.maximum(pooled.shares, SMALLEST_SHARE)
        chi = np.add.reduceat(values, case.layout.first_shares, axis=-1)
        p_values = [special.kolmogorov(largest * np.sqrt(sizes)), special.chdtrc(_widths(case.layout) - 1, chi)]
        return np.concatenate(p_values, axis=-1) < level

    return judge


def population_stability(case: Case) -> Judge:
    """PSI over the deciles of the reference, or over the categories, above 0.1."""
    pooled, widths = _pooled(case.reference), case.layout.first_shares
    edges = pooled.quantiles[..., LEVELS // PSI_BINS - 1 : -1 : LEVELS // PSI_BINS]

    def judge(live: Stack) -> BoolArray:
        wanted = np.broadcast_to(edges, (*live.quantiles.shape[:-1], edges.shape[-1]))
        bins = [np.diff(found, prepend=0, append=1) for found in _distributions(case.reference, live, wanted)]
        categories = np.add.reduceat(_psi(live.shares, pooled.shares), widths, axis=-1)
        return np.concatenate([_psi(bins[0], bins[1]).sum(axis=-1), categories], axis=-1) > PSI_LIMIT

    return judge


RULES: dict[str, DriftRule] = {
    "ours": ours,
    "kolmogorov_smirnov_bonferroni": tests_with_bonferroni,
    "psi_above_0.1": population_stability,
    "three_sigma": three_sigma,
    "evidently_default": evidently,
}


def _beyond(found: Distances, limits: Distances) -> dict[str, BoolArray]:
    return {name: np.nan_to_num(found[name]) > limits[name][..., None, :] for name in CHANNELS}


def _by_field(alarms: dict[str, BoolArray], layout: Layout) -> BoolArray:
    """A pair's alarm is one of both its numbers."""
    numbers = alarms["shift"] | alarms["spread"] | alarms["missing"] | alarms["zero"]
    first, second = np.triu_indices(len(layout.numbers), 1)
    members = np.zeros((len(layout.pairs), len(layout.numbers)))
    members[np.arange(len(first)), first] = members[np.arange(len(first)), second] = 1
    return np.concatenate([numbers | (alarms["correlation"] @ members > 0), alarms["category"]], axis=-1)


def _pooled(reference: Stack) -> Stack:
    return reference.averaged(np.ones((1, reference.missing.shape[-2])))


def _widths(layout: Layout) -> NDArray[np.int64]:
    return np.diff(layout.first_shares, append=len(layout.shares))


def _distributions(reference: Stack, live: Stack, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distribution functions of months and of the whole reference, at values of shape (worlds, months, numbers, k)."""
    here, there = np.empty(at.shape), np.empty(at.shape)
    for world, number in np.ndindex(at.shape[0], at.shape[2]):
        together = np.sort(reference.quantiles[world, :, number].ravel())
        there[world, :, number] = np.searchsorted(together, at[world, :, number], side="right") / len(together)
        for month, values in enumerate(live.quantiles[world, :, number]):
            here[world, month, number] = np.searchsorted(values, at[world, month, number], side="right") / LEVELS
    return here, there


def _psi(live: FloatArray, reference: FloatArray) -> FloatArray:
    here, there = np.maximum(live, SMALLEST_SHARE), np.maximum(reference, SMALLEST_SHARE)
    found: FloatArray = (here - there) * np.log(here / there)
    return found


def _jensen_shannon(live: Stack, pooled: Stack, layout: Layout) -> FloatArray:
    middle = (live.shares + pooled.shares) / 2
    divergence = special.rel_entr(live.shares, middle) + special.rel_entr(pooled.shares, middle)
    # in rounding errors, equal shares diverge by less than nothing
    found: FloatArray = np.sqrt(np.maximum(np.add.reduceat(divergence, layout.first_shares, axis=-1), 0.0) / 2)
    return found
