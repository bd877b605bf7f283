"""Made-up months as sketches, for the tests of monitoring."""

from collections.abc import Mapping, Sequence

import numpy as np

from monitoring.sketches import LEVELS, MISSING, UNKNOWN, NumberSketch, Sketch, pairs_of
from pipeline.calendar import month_after

LEVEL = (np.arange(LEVELS) + 0.5) / LEVELS


def number(quantiles: Sequence[float] | np.ndarray, *, missing: float = 0.0, zero: float = 0.0) -> NumberSketch:
    values = np.asarray(quantiles, dtype=np.float64)
    return NumberSketch(tuple(values.tolist()), float(values.mean()), float(values.std()), missing, zero)


def month(
    key: str,
    numbers: Mapping[str, NumberSketch],
    categories: Mapping[str, Mapping[str, float]] | None = None,
    correlation: float = 0.0,
) -> Sketch:
    known = {
        name: {**shares, UNKNOWN: shares.get(UNKNOWN, 0.0), MISSING: 0.0} for name, shares in (categories or {}).items()
    }
    names = sorted(numbers)
    return Sketch(
        key, 1000, {name: numbers[name] for name in names}, known, dict.fromkeys(pairs_of(names), correlation)
    )


def months_after(first: str, count: int) -> list[str]:
    return [month_after(first, i) for i in range(count)]
