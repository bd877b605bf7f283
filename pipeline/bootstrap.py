"""Intervals by drawing customers again with replacement; all months of a customer are drawn together.

A month of a customer says much about the next, so months are no independent rows: drawing rows would promise intervals
that are too narrow (Field and Welsh 2007). A draw is a count for each customer, and every figure of the evaluation is a
function of such counts. All rungs see the same draws, which is what makes their differences paired.

Belongs here: draws and quantiles. What is computed from a draw lives in `metrics.py` and `campaign.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from pipeline.economics import FloatArray

CONFIDENCE = 0.95
CELLS_AT_ONCE = 4_000_000  # customers x rounds held in memory: 32 MB

Key = tuple[str, ...]
Statistics = Callable[[FloatArray], Mapping[Key, FloatArray]]
"""Figures of each round, shape (rounds,), from the counts of each customer, shape (customers, rounds)."""


Figure = Annotated[float, BeforeValidator(lambda stored: np.nan if stored is None else stored)]
"""A number that may not exist: NaN here, null in JSON."""


@dataclass(frozen=True)
class Interval:
    """A figure with the range that holds it in 95 of 100 cases, or in more where several looks were taken."""

    value: Figure
    low: Figure
    high: Figure

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole range is above zero; False where there is no range."""
        return bool(self.low > 0)


@dataclass(frozen=True)
class Draws:
    """The value of each figure on the data as it is, and on each draw."""

    values: Mapping[Key, float]
    rounds: Mapping[Key, FloatArray]

    def interval(self, *key: str, recentred: bool = False) -> Interval:
        """The percentile interval of a figure; see `percentile_interval` for `recentred`."""
        return percentile_interval(self.values[key], self.rounds[key], recentred=recentred)

    def difference(self, key: Key, other: Key, *, looks: int = 1) -> Interval:
        """The paired interval of one figure less another."""
        value = self.values[key] - self.values[other]
        return percentile_interval(value, self.rounds[key] - self.rounds[other], looks=looks)


def percentile_interval(value: float, rounds: FloatArray, *, looks: int = 1, recentred: bool = False) -> Interval:
    """The middle 95 % of the rounds, widened after Bonferroni for the number of `looks`.

    Rounds on which the figure does not exist (a draw without churners) are left out. `recentred` shifts the rounds so
    that their mean is the value: a distance such as the calibration error only grows by resampling, and its plain
    percentiles would lie above the figure they belong to. It never reaches below zero then.
    """
    known = rounds[np.isfinite(rounds)]
    if len(known) == 0 or not np.isfinite(value):
        return Interval(float(value), np.nan, np.nan)
    tail = (1 - CONFIDENCE) / (2 * looks)
    low, high = np.quantile(known, [tail, 1 - tail])
    if recentred:
        shift = known.mean() - value
        low, high = max(low - shift, 0.0), high - shift
    return Interval(float(value), float(low), float(high))


def bootstrap(statistics: Sequence[Statistics], customers: int, *, rounds: int, seed: int, threads: int = 2) -> Draws:
    """Every figure on the data as it is and on `rounds` draws of its `customers`.

    Each of the `statistics` is computed whole in one of the `threads`, so that their number changes no figure.
    """
    values = {key: float(found[0]) for each in statistics for key, found in each(np.ones((customers, 1))).items()}
    drawn: dict[Key, list[FloatArray]] = {key: [] for key in values}
    with ThreadPoolExecutor(threads) as pool:
        for counts in draws(customers, rounds=rounds, seed=seed):
            for figures in pool.map(lambda each, counts=counts: each(counts), statistics):
                for key, found in figures.items():
                    drawn[key].append(found)
    return Draws(values, {key: np.concatenate(parts) for key, parts in drawn.items()})


def draws(customers: int, *, rounds: int, seed: int) -> Iterator[FloatArray]:
    """How often each customer is drawn, shape (customers, some rounds) until there were `rounds`; columns sum up."""
    random = np.random.default_rng(seed)
    at_once = max(1, CELLS_AT_ONCE // max(customers, 1))
    for start in range(0, rounds, at_once):
        counts = np.empty((customers, min(at_once, rounds - start)))
        for i in range(counts.shape[1]):
            counts[:, i] = np.bincount(random.integers(0, customers, customers), minlength=customers)
        yield counts


def group_sums(groups: NDArray[Any], columns: NDArray[Any], values: FloatArray, *, shape: tuple[int, int]) -> Any:
    """A sparse matrix that sums `values` by group: `matrix @ counts` has shape (groups, rounds).

    Args:
        groups: the group of each row, in [0, shape[0]).
        columns: the customer of each row, in [0, shape[1]).
        values: what is summed.
        shape: number of groups and of customers.
    """
    from scipy.sparse import csr_array  # the product runs over all rounds at once, and in the same order everywhere

    kept = np.flatnonzero(values)
    return csr_array((np.asarray(values, dtype=np.float64)[kept], (groups[kept], columns[kept])), shape=shape)


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """`part / whole`, NaN where there is no whole."""
    found: FloatArray = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0)
    return found
