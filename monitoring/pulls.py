"""A figure with what each customer pulls it by, from which its interval follows without drawing anybody again.

A draw of customers with replacement changes a figure by the sum of what each of them pulls, times how often they were
drawn more than once, and little else where there are many: the linear part of the bootstrap (Hampel's influence
function; Efron's infinitesimal jackknife). Its variance is a sum of squares. A customer who stands for several pulls as
often, so that the copies come and go together and the interval knows how few people were looked at.

Belongs here: pulls, and how they add up. Which figures there are is in `weighted.py`.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Pulled:
    """A figure, and by how much more of each customer would change it, shape (customers,)."""

    value: float
    pull: FloatArray

    def __add__(self, other: "Pulled") -> "Pulled":
        return Pulled(self.value + other.value, self.pull + other.pull)

    def __sub__(self, other: "Pulled") -> "Pulled":
        return Pulled(self.value - other.value, self.pull - other.pull)

    def __mul__(self, other: "Pulled") -> "Pulled":
        return Pulled(self.value * other.value, self.value * other.pull + other.value * self.pull)

    def over(self, whole: "Pulled") -> "Pulled":
        """The share; NaN of nothing."""
        if whole.value == 0:
            return Pulled(np.nan, np.zeros_like(self.pull))
        share = self.value / whole.value
        return Pulled(share, (self.pull - share * whole.pull) / whole.value)

    @property
    def sd(self) -> float:
        """The standard deviation of the figure of as many customers, drawn again and again."""
        return float(np.sqrt(((self.pull - self.pull.mean()) ** 2).sum()))

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        if not np.isfinite(self.value):
            return Interval(np.nan, np.nan, np.nan)
        reach = NORMAL_95 * self.sd
        return Interval(self.value, self.value - reach, self.value + reach)


def total(values: FloatArray) -> Pulled:
    """The sum over the customers of what each of them brings, copies included."""
    return Pulled(float(values.sum()), values)
