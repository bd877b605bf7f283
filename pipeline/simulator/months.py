"""The simulated clock. Inside the simulator a moment is an int64: seconds since 1970, UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipeline.calendar import month_after, month_start
from pipeline.simulator.arrays import IntArray

DAY = 86_400
WEEK = 7 * DAY
WEEKS_A_MONTH = 30.4 / 7
_A_MONDAY = 4 * DAY  # 5 January 1970


@dataclass(frozen=True)
class Month:
    """One month of a world: `index` counts from its first, `start` is its first second, `end` the next month's."""

    index: int
    key: str
    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.start

    @property
    def days(self) -> int:
        """Its length in days."""
        return self.seconds // DAY

    @property
    def of_year(self) -> int:
        """0 for January."""
        return int(self.key[5:]) - 1

    @property
    def digits(self) -> str:
        """The month as YYMM, for the ids of its rows."""
        return self.key[2:4] + self.key[5:]

    def mondays(self) -> IntArray:
        """The midnights in it at which a week ends."""
        first = self.start + (_A_MONDAY - self.start) % WEEK
        return np.arange(first, self.end, WEEK, dtype=np.int64)


def month_of(first: str, index: int) -> Month:
    """The month `index` months after `first`."""
    key = month_after(first, index)
    return Month(index, key, _seconds(month_start(key)), _seconds(month_start(month_after(key))))


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())
