"""Remembers what was overdue, so that a release that hangs does not make every caller wait for it."""

from collections.abc import Callable

OPEN_SECONDS = 5.0  # how long a rung that was overdue is left alone before one request tries it again


class Breaker:
    """A circuit breaker for several names."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def is_open(self, name: str) -> bool:
        """Whether to leave it alone; where the time is up, the first who asks is the trial."""
        until = self._open_until.get(name)
        if until is None:
            return False
        if self._clock() < until:
            return True
        self.open(name)  # whoever asks during the trial leaves it alone
        return False

    def open(self, name: str) -> None:
        """It was overdue."""
        self._open_until[name] = self._clock() + OPEN_SECONDS

    def close(self, name: str) -> bool:
        """It answered; says whether that is news."""
        return self._open_until.pop(name, None) is not None
