"""Champion, then last good release, then rule: a fault at any rung is a labelled fallback, never a failed request."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from serving.breaker import OPEN_SECONDS, Breaker
from serving.considered import Considered, considered
from serving.rungs import Fault, Rung
from serving.standing import NOTHING_YET, Standing
from serving.threads import OverdueError, Threads

DOUBT_SECONDS = 1.0  # how long files that changed may take to be verified before the release is passed over
CUSTOMERS_IN_TIME = 250  # a request of so many may take twice the deadline of a single one, and so on
RULE_SECONDS = 10.0  # nothing is behind the rule, so it may take as long as a caller is likely to wait
QUIET_SECONDS = 10.0  # a rung that keeps failing is logged this often

logger = logging.getLogger("serving.ladder")


class NothingAnswersError(Exception):
    """Not even the rule could answer."""


@dataclass(frozen=True)
class Answered:
    """An answer, and why it is not the champion's; `fault` is None where it is."""

    considered: Considered
    fault: Fault | None


class Ladder:
    """Asks the rungs that stand, best first. Whoever watches the releases exchanges `standing` as a whole."""

    def __init__(self, threads: Threads, deadline_seconds: float, *, clock: Callable[[], float] = monotonic) -> None:
        self.standing: Standing = NOTHING_YET
        self._threads, self._deadline_seconds, self._clock = threads, deadline_seconds, clock
        self._breaker = Breaker(clock)
        self._doubted_since: float | None = None
        self._logged_at: dict[str, float] = {}

    def doubt(self, is_doubted: bool) -> None:
        """The champion's files changed and are being verified, or that is over."""
        self._doubted_since = self._clock() if is_doubted else None

    async def answer(self, standing: Standing, customers: Sequence[Mapping[str, Any]]) -> Answered:
        """What the best rung that works says of the customers.

        Raises:
            NothingAnswersError: no rung is there, or the rule itself failed.
        """
        fault = standing.fault
        for rung in standing.rungs:
            found = self._reason_to_pass(rung) or await self._tried(rung, customers)
            if isinstance(found, Considered):
                return Answered(found, fault)
            fault = fault or found
        raise NothingAnswersError(str(fault or "no rung"))

    def _reason_to_pass(self, rung: Rung) -> Fault | None:
        if rung.served_by == "rule":
            return None
        since = self._doubted_since
        if rung.served_by == "champion" and since is not None and self._clock() - since > DOUBT_SECONDS:
            return Fault("slow", f"the files of {rung.release} changed and are still being read")
        if self._breaker.is_open(rung.name):
            return Fault("deadline", f"{rung.release} was too slow and is left alone for {OPEN_SECONDS:g} s")
        return None

    async def _tried(self, rung: Rung, customers: Sequence[Mapping[str, Any]]) -> Considered | Fault:
        deadline = self._deadline_seconds * (1 + len(customers) / CUSTOMERS_IN_TIME)
        seconds = RULE_SECONDS if rung.served_by == "rule" else deadline
        try:
            found = await self._threads.run(lambda: considered(rung, customers), seconds)
        except OverdueError:
            self._breaker.open(rung.name)
            self._log(rung, f"took longer than {seconds:g} s and is left alone for {OPEN_SECONDS:g} s")
            return Fault("deadline", f"{rung.release} took longer than {seconds:g} s")
        except Exception as error:
            self._log(rung, f"failed on {len(customers)} customers", error)
            return Fault("error", f"{rung.release} raised {type(error).__name__}")
        if self._breaker.close(rung.name):
            logger.warning("%s answers in time again", rung.name)
        return found

    def _log(self, rung: Rung, what: str, error: Exception | None = None) -> None:
        now = self._clock()
        if now - self._logged_at.get(rung.name, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._logged_at[rung.name] = now
            logger.warning("%s %s", rung.name, what, exc_info=error)
