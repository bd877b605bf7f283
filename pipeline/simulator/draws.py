"""Random numbers that belong to a customer.

Each stream of a month is a counter-based generator (Philox; Salmon et al. 2011) read at the customer's number. So a
customer meets the same fate whoever else is there, whether or not others were contacted, however many numbers another
stream or month has used, and in whatever blocks the customers are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pipeline.simulator.arrays import CodeArray, FloatArray, IntArray

_DRAWS_PER_STEP = 4  # Philox makes four 64-bit numbers each time its counter moves


@dataclass(frozen=True)
class Draws:
    """The random numbers of one month of a world."""

    seed: int
    month: int

    def uniform(self, stream: str, numbers: IntArray) -> FloatArray:
        """Uniform in [0, 1), one for each customer number; `numbers` ascend."""
        if len(numbers) == 0:
            return np.empty(0)
        first, last = int(numbers[0]), int(numbers[-1])
        # crc32, not hash(): Python salts hash() anew in every process
        generator = np.random.Philox(np.random.SeedSequence([self.seed, self.month, crc32(stream.encode())]))
        generator.advance(first // _DRAWS_PER_STEP)
        skipped = first % _DRAWS_PER_STEP
        drawn = np.random.Generator(generator).random(skipped + last - first + 1)
        return drawn[numbers - (first - skipped)]

    def normal(self, stream: str, numbers: IntArray) -> FloatArray:
        """Standard normal. Box-Muller, because each value must use up a fixed number of draws."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(f"{stream}/radius", numbers)))
        return radius * np.cos(2.0 * np.pi * self.uniform(f"{stream}/angle", numbers))

    def code(self, stream: str, numbers: IntArray, shares: Sequence[float]) -> CodeArray:
        """A category: 0 with the first share, 1 with the second, and so on; the last takes what is left."""
        edges = np.cumsum(shares)[:-1]
        return np.searchsorted(edges, self.uniform(stream, numbers), side="right").astype(np.int8)
