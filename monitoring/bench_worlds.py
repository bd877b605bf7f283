"""Made-up months whose sketches are drawn without drawing a single customer, so that 100,000 cost no more than 2,000.

Exact where it matters: quantiles of a sample are order statistics, whose joint law is that of gamma spacings (David and
Nagaraja 2003, chapter 2); shares are multinomial; correlations come from a Wishart matrix. Unlike in rows, the noise
of different figures of one month is independent, which makes the largest of them larger: false alarms err on the high
side.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special

from monitoring.sketches import LEVELS
from monitoring.stack import Layout, Stack
from pipeline.economics import FloatArray

Shape = Callable[[FloatArray], FloatArray]
SHAPES: dict[str, Shape] = {  # quantile functions; counts and amounts are lopsided, as they are in every company
    "price": lambda u: 50 + 10 * special.ndtri(u),
    "usage": lambda u: special.gammaincinv(2.0, u),
    "days": lambda u: -np.log1p(-u),
    "spend": lambda u: np.exp(0.75 * special.ndtri(u)),
    "tickets": lambda u: np.ceil(special.pdtrik(u, 2.0)),
}
CATEGORIES: dict[str, tuple[float, ...]] = {
    "contract": (0.55, 0.25, 0.20),
    "payment": (0.40, 0.30, 0.20, 0.10),
    "region": (0.20, 0.20, 0.20, 0.20, 0.20),
    "device": (0.50, 0.50),
    "plan": (0.45, 0.35, 0.15, 0.05),
}
BLOCKS = 4  # of each shape there is one number in each block; numbers of a block go together
SEASONAL_BLOCKS, SEASONAL_CATEGORIES = 2, ("contract", "payment")
TOGETHER, APART = 0.6, 0.1
MISSING_SHARE = 0.01
GRID = 20_000
MOST_TICKETS = 15

LAYOUT = Layout(
    tuple(f"{shape}_{block}" for shape in SHAPES for block in range(BLOCKS)),
    tuple((name, f"{name}_{i}") for name, shares in CATEGORIES.items() for i in range(len(shares))),
)
IS_SEASONAL_NUMBER = np.array([int(name[-1]) < SEASONAL_BLOCKS for name in LAYOUT.numbers])
IS_SEASONAL_CATEGORY = np.array([name in SEASONAL_CATEGORIES for name in LAYOUT.categories])


@dataclass(frozen=True)
class World:
    """How months differ though nothing is wrong; all in standard deviations of the figure that moves.

    Args:
        season: amplitude of the yearly cycle of the seasonal fields.
        jitter: standard deviation of what each month adds to each figure.
        uneven: how differently the figures jitter: standard deviation of the log of their factors.
        memory: correlation of what a month adds with what the month before added.
        trend: what a year adds to the numbers of the first two blocks.
    """

    name: str
    season: float = 0.0
    jitter: float = 0.0
    uneven: float = 0.0
    memory: float = 0.0
    trend: float = 0.0


@dataclass(frozen=True)
class Truth:
    """What months are drawn from, shape (worlds, months, ...) each.

    Args:
        moved: what the season, chance or a fault adds to the mean of each number, in standard deviations.
        times: what a fault multiplies it by.
        zeroed: share of its values that a fault sets to zero.
        missing: probability of no value.
        shares: probabilities of the values of categories.
        correlations: of pairs of numbers.
    """

    moved: FloatArray
    times: FloatArray
    zeroed: FloatArray
    missing: FloatArray
    shares: FloatArray
    correlations: FloatArray

    def only(self, months: slice) -> "Truth":
        """Some of the months."""
        return replace(self, **{name: values[:, months] for name, values in vars(self).items()})


def truth_of(world: World, worlds: int, months: int, random: np.random.Generator) -> Truth:
    """The parameters of `months` consecutive months of some worlds."""
    n, pairs = len(LAYOUT.numbers), len(LAYOUT.pairs)
    steady = np.zeros((worlds, months, n))
    season = _season(world, worlds, months, IS_SEASONAL_NUMBER, random)
    missing_sd, base = np.sqrt(MISSING_SHARE * (1 - MISSING_SHARE)), base_correlations()
    trend = world.trend / 12 * np.arange(months)[:, None] * IS_SEASONAL_NUMBER
    return Truth(
        moved=season + trend + _jitter(world, (worlds, months, n), random),
        times=steady + 1,
        zeroed=steady,
        missing=np.clip(MISSING_SHARE + missing_sd * _jitter(world, (worlds, months, n), random), 0.001, 1),
        shares=_shares(world, worlds, months, random),
        correlations=np.tanh(np.arctanh(base) + _jitter(world, (worlds, months, pairs), random)),
    )


def sampled(truth: Truth, customers: int, random: np.random.Generator) -> Stack:
    """The sketches of months with that many customers."""
    values = _faulty(_values(_order_statistics(truth.moved.shape, customers, random), truth.moved), truth)
    zeros = zero_shares() * (1 - truth.zeroed) + truth.zeroed
    return Stack(
        quantiles=values,
        missing=random.binomial(customers, truth.missing) / customers,
        zeros=random.binomial(customers, zeros) / customers,
        shares=np.concatenate([_counts(p, customers, random) for p in _by_category(truth.shares)], axis=-1),
        correlations=_correlations(truth.correlations, customers, random),
    )


def zero_shares() -> FloatArray:
    """Of each number, before anything happens to it."""
    shares: FloatArray = (_tables() == 0).mean(axis=1)
    return shares


def base_correlations() -> FloatArray:
    """Of each pair of numbers."""
    return np.array([TOGETHER if a[-1] == b[-1] else APART for a, b in LAYOUT.pairs])


@cache
def _tables() -> FloatArray:
    """The quantile function of each number on an even grid, shape (numbers, GRID)."""
    u = (np.arange(GRID) + 0.5) / GRID
    return np.repeat([shape(u) for shape in SHAPES.values()], BLOCKS, axis=0)


def _jitter(world: World, shape: tuple[int, ...], random: np.random.Generator) -> FloatArray:
    """Chance by month, shape (worlds, months, ...): as large in every month, whatever the memory."""
    factors = np.exp(world.uneven * random.standard_normal((shape[0], 1, *shape[2:])))
    drawn = world.jitter * factors * random.standard_normal(shape)
    for month in range(1, shape[1]):
        drawn[:, month] = world.memory * drawn[:, month - 1] + np.sqrt(1 - world.memory**2) * drawn[:, month]
    return drawn


def _season(world: World, worlds: int, months: int, is_seasonal: np.ndarray, random: np.random.Generator) -> FloatArray:
    phase = random.uniform(0, 2 * np.pi, (worlds, 1, len(is_seasonal)))
    cycle: FloatArray = world.season * np.sin(2 * np.pi * np.arange(months)[:, None] / 12 + phase) * is_seasonal
    return cycle


def _shares(world: World, worlds: int, months: int, random: np.random.Generator) -> FloatArray:
    """The first value of each category moves; the others share what is left as before."""
    cycle = _season(world, worlds, months, IS_SEASONAL_CATEGORY, random)
    moved = cycle + _jitter(world, cycle.shape, random)
    parts = []
    for i, shares in enumerate(CATEGORIES.values()):
        first = np.clip(shares[0] + np.sqrt(shares[0] * (1 - shares[0])) * moved[..., i], 0.01, 0.99)
        rest = np.array(shares[1:]) / sum(shares[1:])
        parts.append(np.concatenate([first[..., None], (1 - first[..., None]) * rest], axis=-1))
    return np.concatenate(parts, axis=-1)


def _order_statistics(shape: tuple[int, ...], customers: int, random: np.random.Generator) -> FloatArray:
    """Quantiles of samples of the uniform distribution, shape (*shape, LEVELS)."""
    ranks = np.ceil(customers * (np.arange(LEVELS) + 0.5) / LEVELS)
    spacings = random.standard_gamma(np.diff(ranks, prepend=0, append=customers + 1), (*shape, LEVELS + 1))
    found: FloatArray = np.cumsum(spacings[..., :-1], axis=-1) / spacings.sum(axis=-1, keepdims=True)
    return found


def _values(u: FloatArray, moved: FloatArray) -> FloatArray:
    """A price moves for everybody alike, an amount in proportion, and a count in its rate: it stays a whole number."""
    tables = _tables()
    sd, mean = tables.std(axis=1), tables.mean(axis=1)
    plain = tables[np.arange(len(tables))[:, None], np.minimum((u * GRID).astype(np.int64), GRID - 1)]
    is_price = np.array([name.startswith("price") for name in LAYOUT.numbers])
    is_count = np.array([name.startswith("tickets") for name in LAYOUT.numbers])
    times = (1 + moved * sd / mean)[..., None]
    values = np.where(is_price[:, None], plain + (sd * moved)[..., None], plain * times)
    values[..., is_count, :] = _counted(u[..., is_count, :], (mean[:, None] * times)[..., is_count, :])
    return values


def _counted(u: FloatArray, rate: FloatArray) -> FloatArray:
    """Quantiles of a Poisson distribution."""
    return np.sum([u > special.pdtr(count, rate) for count in range(MOST_TICKETS)], axis=0, dtype=np.float64)


def _faulty(values: FloatArray, truth: Truth) -> FloatArray:
    changed = values * truth.times[..., None]
    if not truth.zeroed.any():
        return changed
    # all values are zero or more, so the zeroed ones become the lowest quantiles and the others close ranks above
    level = (np.arange(LEVELS) + 0.5) / LEVELS
    place = (level - truth.zeroed[..., None]) / (1 - truth.zeroed[..., None])
    index = np.clip((place * LEVELS).astype(np.int64), 0, LEVELS - 1)
    return np.where(place < 0, 0.0, np.take_along_axis(changed, index, axis=-1))


def _by_category(shares: FloatArray) -> list[FloatArray]:
    return np.split(shares, list(LAYOUT.first_shares[1:]), axis=-1)


def _counts(shares: FloatArray, customers: int, random: np.random.Generator) -> FloatArray:
    found: FloatArray = random.multinomial(customers, shares) / customers
    return found


def _correlations(wanted: FloatArray, customers: int, random: np.random.Generator) -> FloatArray:
    """Sample correlations: the wanted ones plus the noise that a Wishart matrix has around the base ones."""
    n, first, second = len(LAYOUT.numbers), *np.triu_indices(len(LAYOUT.numbers), 1)
    matrix = np.eye(n)
    matrix[first, second] = matrix[second, first] = base_correlations()
    drawn = np.tril(random.standard_normal((*wanted.shape[:-1], n, n)), -1)
    chi = random.chisquare(customers - 1 - np.arange(n), (*wanted.shape[:-1], n))
    drawn[..., np.arange(n), np.arange(n)] = np.sqrt(chi)
    factor = np.linalg.cholesky(matrix) @ drawn
    scatter = factor @ np.swapaxes(factor, -1, -2)
    sd = np.sqrt(np.diagonal(scatter, axis1=-2, axis2=-1))
    found = scatter[..., first, second] / (sd[..., first] * sd[..., second])
    return np.tanh(np.arctanh(wanted) + np.arctanh(found) - np.arctanh(base_correlations()))
