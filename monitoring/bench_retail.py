"""Null months with the shapes of real customers: those of a web shop, drawn again with replacement.

Every month is drawn from the customers of its own calendar month, so nothing is wrong by construction, the season is
the shop's own, and quantities are as lopsided as they are in life. There is one year of data: how much real years
differ from each other, nobody can draw from it.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.bench_rules import Case
from monitoring.sketches import LEVELS
from monitoring.stack import Layout, Stack
from pipeline.calendar import month_after, month_start
from pipeline.economics import FloatArray

FIRST = "2010-12"  # the shop's first month; the twelfth closes eight days before its data end
NUMBERS = ("basket", "days_since", "items", "orders", "price", "products", "returned", "spend", "tenure")
COUNTRIES = ("United Kingdom", "Germany", "France", "other")
LAYOUT = Layout(NUMBERS, tuple(("country", country) for country in COUNTRIES))
CUSTOMERS = (2_000, 10_000)
QUERY = """
SELECT sum(UnitPrice * Quantity) FILTER (Quantity > 0) / count(DISTINCT InvoiceNo) AS basket,
    date_diff('day', max(InvoiceDate), $as_of) AS days_since,
    sum(Quantity) FILTER (Quantity > 0) AS items,
    count(DISTINCT InvoiceNo) AS orders,
    median(UnitPrice) AS price,
    count(DISTINCT StockCode) AS products,
    count(*) FILTER (Quantity < 0) AS returned,
    sum(UnitPrice * Quantity) FILTER (Quantity > 0) AS spend,
    date_diff('day', min(InvoiceDate), $as_of) AS tenure,
    max(Country) AS country
FROM read_parquet($path) WHERE CustomerID IS NOT NULL AND InvoiceDate < $as_of
GROUP BY CustomerID HAVING max(InvoiceDate) >= $as_of - INTERVAL 90 DAY ORDER BY CustomerID
"""


@dataclass(frozen=True)
class Pool:
    """The customers of one calendar month: numbers of shape (customers, numbers), countries one-hot."""

    numbers: FloatArray
    countries: FloatArray


def retail_months(
    path: Path, reference_months: int, live_months: int, *, worlds: int, seed: int
) -> Iterator[tuple[str, Case]]:
    """Null months of two kinds and sizes: with the shop's season, and with one calendar month for ever."""
    pools = pools_of(path)
    months = reference_months + live_months
    keys = [month_after(FIRST, i) for i in range(months)]
    for customers in CUSTOMERS:
        for name, is_seasonal in (("real customers", False), ("real customers and season", True)):
            random = np.random.default_rng([seed, customers, is_seasonal])
            steady = np.repeat(random.integers(0, len(pools), worlds)[:, None], months, axis=1)
            pool_of_month = np.tile(np.arange(months) % len(pools), (worlds, 1)) if is_seasonal else steady
            drawn = _drawn(pools, pool_of_month, customers, random)
            cut = reference_months
            reference, live = drawn.only(slice(None, cut)), drawn.only(slice(cut, None))
            yield name, Case(reference, live, LAYOUT, keys[:cut], keys[cut:], customers)


def pools_of(path: Path) -> list[Pool]:
    """The shop's active customers at the close of each month of its year."""
    import duckdb

    pools = []
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        for month in range(12):
            asked = {"path": str(path), "as_of": month_start(month_after(FIRST, month + 1))}
            pools.append(_pool(connection.execute(QUERY, asked).fetchnumpy()))
    return pools


def _pool(columns: dict[str, Any]) -> Pool:
    numbers = [np.ma.filled(np.ma.asarray(columns[name], dtype=np.float64), np.nan) for name in NUMBERS]
    country = np.asarray(columns["country"], dtype=object)
    known = np.array([country == name for name in COUNTRIES[:-1]])
    return Pool(np.stack(numbers, axis=1), np.vstack([known, ~known.any(axis=0)]).T.astype(np.float64))


def _drawn(pools: list[Pool], pool_of_month: NDArray[np.int64], customers: int, random: np.random.Generator) -> Stack:
    """Sketches of months drawn from pools, shape (worlds, months, ...)."""
    shape, n = pool_of_month.shape, len(NUMBERS)
    empty = {"missing": n, "zeros": n, "shares": len(COUNTRIES), "correlations": len(LAYOUT.pairs)}
    drawn = Stack(np.empty((*shape, n, LEVELS)), **{name: np.empty((*shape, width)) for name, width in empty.items()})
    for place, pool in enumerate(pools):
        here = pool_of_month == place
        counts = random.multinomial(customers, np.full(len(pool.numbers), 1 / len(pool.numbers)), here.sum())
        for name, values in _sketches(pool, counts.astype(np.float64)).arrays().items():
            drawn.arrays()[name][here] = values
    return drawn


def _sketches(pool: Pool, counts: FloatArray) -> Stack:
    """Sketches of months in which each customer of the pool was drawn so many times, shape (months, ...)."""
    there, values = np.isfinite(pool.numbers), np.nan_to_num(pool.numbers)
    rows, present = counts.sum(axis=1, keepdims=True), counts @ there
    low, high = np.nanquantile(pool.numbers, [0.5 / LEVELS, 1 - 0.5 / LEVELS], axis=0)
    first, second = np.triu_indices(len(NUMBERS), 1)
    scores = (np.clip(values, low, high) - values.mean(axis=0)) * there / (high - low)
    mean, square = counts @ scores / rows, counts @ scores**2 / rows
    sd = np.sqrt(square - mean**2)
    product = counts @ (scores[:, first] * scores[:, second]) / rows - mean[:, first] * mean[:, second]
    return Stack(
        quantiles=np.stack([_quantiles(values[:, i], counts * there[:, i]) for i in range(len(NUMBERS))], axis=1),
        missing=1 - present / rows,
        zeros=counts @ (there & (values == 0)) / present,
        shares=counts @ pool.countries / rows,
        correlations=product / (sd[:, first] * sd[:, second]),
    )


def _quantiles(values: FloatArray, counts: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[:, order], axis=1)
    ranks = np.ceil(below[:, -1:] * (np.arange(LEVELS) + 0.5) / LEVELS)
    places = [np.searchsorted(row, wanted) for row, wanted in zip(below, ranks, strict=True)]
    return values[order][np.array(places, dtype=np.int64).reshape(len(counts), LEVELS)]
