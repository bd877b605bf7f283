"""When a dataset takes snapshots. The key of a month is "YYYY-MM"; its snapshot is taken when the month closes."""

from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import ChurnError, DeclarationError

SNAPSHOT = "snapshot"


def month_start(key: str) -> datetime:
    """The first instant of a month."""
    try:
        return datetime.strptime(key, "%Y-%m")  # noqa: DTZ007  (the project's timestamps are naive UTC)
    except ValueError:
        raise ChurnError(
            f"month {key!r}", expected="a month as YYYY-MM", found=repr(key), remedy="For example 2025-06."
        ) from None


def month_after(key: str, months: int = 1) -> str:
    """The key `months` later; earlier where `months` is negative."""
    start = month_start(key)
    index = start.year * 12 + start.month - 1 + months
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def months_between(earlier: str, later: str) -> int:
    """How many months after `earlier` the month `later` is; negative where it is before."""
    first, last = month_start(earlier), month_start(later)
    return 12 * (last.year - first.year) + last.month - first.month


@dataclass(frozen=True, kw_only=True)
class Monthly:
    """One snapshot at the close of every month.

    Args:
        first: the first month of raw data.
        months: how many months of raw data there are.
        history_months: how many months of raw data the first snapshot needs behind it.
    """

    first: str
    months: int
    history_months: int = 3

    def __post_init__(self) -> None:
        month_start(self.first)
        if not 0 < self.history_months <= self.months:
            raise DeclarationError(
                "calendar",
                expected="at least one month of history and no more than there are months",
                found=f"history_months={self.history_months}, months={self.months}",
                remedy="Correct one of them.",
            )

    @property
    def last(self) -> str:
        """The last month of raw data."""
        return month_after(self.first, self.months - 1)

    def keys(self) -> list[str]:
        """Every month of raw data, oldest first."""
        return [month_after(self.first, i) for i in range(self.months)]

    def snapshots(self, until: str) -> list[str]:
        """The months with a snapshot, up to and including `until`."""
        return [key for key in self.keys()[self.history_months - 1 :] if key <= until]

    def as_of(self, key: str) -> datetime:
        """The moment of knowledge of a snapshot: rows known strictly before it are seen."""
        return month_start(month_after(key))


@dataclass(frozen=True)
class SingleSnapshot:
    """A dataset without time: everything is known, and the customers are split by a hash of their id."""

    @property
    def last(self) -> str:
        """The key of the only snapshot."""
        return SNAPSHOT

    def keys(self) -> list[str]:
        """The only key."""
        return [SNAPSHOT]

    def snapshots(self, until: str) -> list[str]:  # noqa: ARG002
        """The only key."""
        return [SNAPSHOT]

    def as_of(self, key: str) -> datetime:  # noqa: ARG002
        """After everything."""
        return datetime.max  # noqa: DTZ901


Calendar = Monthly | SingleSnapshot


def require_key(calendar: Calendar, key: str) -> str:
    """The key if the calendar has it, or a ChurnError that says which there are."""
    keys = calendar.keys()
    if key not in keys:
        raise ChurnError(
            f"month {key!r}",
            expected=f"one of {keys[0]} to {keys[-1]}" if len(keys) > 1 else f"the only key, {keys[0]!r}",
            found=repr(key),
            remedy="Ask for a month that the dataset has.",
        )
    return key
