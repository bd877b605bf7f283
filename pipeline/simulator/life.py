"""What every behaviour is given: the month, who is there and until when, and the draws."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulator.arrays import BoolArray, FloatArray, IntArray
from pipeline.simulator.draws import Draws
from pipeline.simulator.months import Month
from pipeline.simulator.parameters import Modifiers, WorldParameters


@dataclass(frozen=True, kw_only=True)
class Life:
    """One month of the customers in `number`.

    Args:
        since: when each of them signed up.
        until: when their month ends: with the month, or when they cancel.
    """

    month: Month
    parameters: WorldParameters
    draws: Draws
    number: IntArray
    since: IntArray
    until: IntArray

    @property
    def modifiers(self) -> Modifiers:
        """What is different in this month."""
        return self.parameters.of_month(self.month.key)

    def uniform(self, stream: str) -> FloatArray:
        """One uniform draw for each customer."""
        return self.draws.uniform(stream, self.number)

    def normal(self, stream: str) -> FloatArray:
        """One standard normal draw for each customer."""
        return self.draws.normal(stream, self.number)

    def moment(self, stream: str) -> IntArray:
        """A moment of the month for each customer, whether or not they are there."""
        return self.month.start + (self.uniform(stream) * self.month.seconds).astype(np.int64)

    def is_there(self, moment: IntArray | int) -> BoolArray:
        """Who is a customer at a moment of the month."""
        return np.asarray((moment > self.since) & (moment < self.until))
