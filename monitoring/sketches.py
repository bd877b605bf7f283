"""A month of features, or of scores, as a few kilobytes: what drift is measured on, years after the rows are gone.

Per number: quantiles, mean, standard deviation, the share that is missing and the share that is zero. Per category: the
share of each declared value, of unknown values and of missing ones. And how each two numbers go together.

Belongs here: the values, and their form as JSON. How they are computed lives in `sketching.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

LEVELS = 100
"""Quantiles are taken at the middles of this many equal parts: 0.5 %, 1.5 % ... 99.5 %."""
UNKNOWN, MISSING = "(unknown)", "(missing)"

Number = float | None
Pair = tuple[str, str]


@dataclass(frozen=True)
class NumberSketch:
    """One number in one month.

    Args:
        quantiles: at the LEVELS middles, in the field's unit; empty where every value is missing.
        mean: of the values that are there, None where none is.
        sd: standard deviation of the values that are there.
        missing_share: share of the rows without a value; NaN and infinity are no values.
        zero_share: share of zeros among the values that are there.
    """

    quantiles: tuple[float, ...]
    mean: Number
    sd: Number
    missing_share: float
    zero_share: float


@dataclass(frozen=True)
class Sketch:
    """A table of one month.

    Args:
        key: the month, "YYYY-MM", or "snapshot".
        rows: how many rows the table has, sampled or not.
        numbers: by field, in the order of the names.
        categories: by field, the share of each declared value, of UNKNOWN and of MISSING; they sum to 1.
        correlations: Pearson's, of values cut off at the outermost quantiles, with missing values at the mean; by pair
            of fields in the order of the names, None where a field is constant.
    """

    key: str
    rows: int
    numbers: Mapping[str, NumberSketch]
    categories: Mapping[str, Mapping[str, float]]
    correlations: Mapping[Pair, Number]

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; correlations are listed in the order of `pairs_of`."""
        numbers = {name: {**vars(number), "quantiles": [*number.quantiles]} for name, number in self.numbers.items()}
        return {
            "key": self.key,
            "rows": self.rows,
            "numbers": numbers,
            "categories": {name: dict(shares) for name, shares in self.categories.items()},
            "correlations": list(self.correlations.values()),
        }


def sketch_from_dict(stored: Mapping[str, Any]) -> Sketch:
    """The inverse of `Sketch.as_dict`, whatever order the keys came back in."""
    numbers = {
        name: NumberSketch(**(stored["numbers"][name] | {"quantiles": tuple(stored["numbers"][name]["quantiles"])}))
        for name in sorted(stored["numbers"])
    }
    return Sketch(
        key=str(stored["key"]),
        rows=int(stored["rows"]),
        numbers=numbers,
        categories={name: dict(stored["categories"][name]) for name in sorted(stored["categories"])},
        correlations=dict(zip(pairs_of(numbers), stored["correlations"], strict=True)),
    )


def pairs_of(numbers: Sequence[str] | Mapping[str, Any]) -> list[Pair]:
    """Each two of the names, in the order that correlations are kept in."""
    return list(combinations(numbers, 2))
