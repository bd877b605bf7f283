"""Keeps an eye on the pointer, the releases and monitoring's order, in a thread of its own.

All reading and verifying happens here; requests see only the standing that results, exchanged in one assignment. So a
slow disk makes changes late, never requests.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.errors import ReleaseError
from pipeline.pointer import COPY_FILE, POINTER_FILE, Entry, entries_to_serve
from pipeline.release import Release
from pipeline.serving_order import read_order
from serving.ladder import Ladder
from serving.rungs import Fault, Rung, rungs_of
from serving.schema import Contract, contract_of
from serving.shelf import Shelf
from serving.standing import Standing

PAUSE_SECONDS = 0.25
FIRST_LOOK_SECONDS = 2.0  # how long the start waits for it; a slower disk means that the rule answers first
DEEPEST = 5  # how many earlier releases are tried before the rule has to answer

logger = logging.getLogger("serving.watch")


class Watch:
    """Turns what is on disk into the ladder's standing.

    Args:
        releases: the folder of the releases and the pointer.
        orders: the folder where monitoring leaves its order.
        declared: gives the rule as the dataset states it, for when there is no release.
        tell: told of every standing that differs from the one before.
    """

    def __init__(
        self,
        ladder: Ladder,
        releases: Path,
        *,
        orders: Path,
        declared: Callable[[], Rung],
        tell: Callable[[Standing], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._ladder, self._releases, self._orders, self._declared = ladder, releases, orders, declared
        self._tell = tell
        self._shelf = Shelf(releases, clock)
        self._entries: list[Entry] = []
        self._pointer_stat: Any = None
        self._order: Fault | None = None
        self._rule: Rung | None = None
        self._contract: Contract | None = None
        self._has_looked, self._stopping = threading.Event(), threading.Event()
        self._told: dict[str, str] = {}

    def start(self) -> None:
        """Look once and go on looking. Never raises; comes back soon, whatever the disk does."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()
        if not self._has_looked.wait(FIRST_LOOK_SECONDS):
            self._stand(self._without_release(Fault("slow", "the releases are still being read")))

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self) -> None:
        """Bring the ladder's standing in line with what is on disk."""
        self._read_pointer()
        champion = self._champion()
        last_good = self._last_good()
        self._shelf.keep_only({entry.release for entry in self._entries[: DEEPEST + 1]})
        rungs = rungs_of(champion if isinstance(champion, Release) else None, last_good)
        fault = champion if isinstance(champion, Fault) else None
        if rungs:
            self._rule = rungs[-1]
            standing = Standing(rungs, fault, self._contract_with(champion, last_good))
        else:
            standing = self._without_release(fault)
        order = self._monitoring_order()
        self._stand(standing.by_rule(order) if order else standing)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._told.pop("look", None)
            except Exception as error:  # whatever it is, the standing stays as it was and the next look may do
                self._tell_once("look", error)
            self._has_looked.set()
            self._stopping.wait(PAUSE_SECONDS)

    def _tell_once(self, what: str, error: Exception) -> None:
        if self._told.get(what) != repr(error):
            self._told[what] = repr(error)
            logger.error("%s failed; what stands, stays", what, exc_info=error)

    def _stand(self, standing: Standing) -> None:
        before, self._ladder.standing = self._ladder.standing, standing
        if standing.summary != before.summary:
            level = logging.WARNING if standing.fault else logging.INFO
            logger.log(level, "answering by %s", standing.summary)
            self._tell(standing)

    def _read_pointer(self) -> None:
        """Where the pointer vanished while its releases serve, what it said last still holds."""
        stat = [_stat(self._releases / name) for name in (POINTER_FILE, COPY_FILE)]
        if stat != self._pointer_stat:
            entries = entries_to_serve(self._releases)
            self._pointer_stat = stat
            if self._entries and not entries:
                logger.error("the pointer in %s is gone; what it said last still holds", self._releases)
            self._entries = entries or self._entries

    def _champion(self) -> Release | Fault:
        if not self._entries:
            return Fault("no release")
        entry = self._entries[0]
        if self._shelf.is_fresh(entry):
            return self._shelf.get(entry)
        standing = self._ladder.standing.rungs
        self._ladder.doubt(bool(standing) and standing[0].release == entry.release)
        try:
            return self._shelf.get(entry)
        finally:
            self._ladder.doubt(False)

    def _last_good(self) -> Release | None:
        for entry in self._entries[1 : DEEPEST + 1]:
            found = self._shelf.get(entry)
            if isinstance(found, Release):
                return found
        return None

    def _without_release(self, fault: Fault | None) -> Standing:
        """The rule of the release that was there last, or else the rule as declared."""
        rule = self._rule or self._declared()
        contract = self._contract or contract_of(rule.fields, {})
        return Standing((rule,), fault, contract)

    def _contract_with(self, champion: Release | Fault, last_good: Release | None) -> Contract:
        """The champion's; where it fell, callers may go on sending what it took."""
        release = champion if isinstance(champion, Release) else None
        if release is None and self._contract is not None:
            return self._contract
        release = release or last_good
        assert release is not None  # noqa: S101  (there are rungs, so one of the two is whole)
        if self._contract is None or self._contract.fields != release.fields:
            self._contract = contract_of(release.fields, release.reference.get("example", {}))
        return self._contract

    def _monitoring_order(self) -> Fault | None:
        """What monitoring asks for; an order that cannot be read changes nothing."""
        try:
            order = read_order(self._orders)
        except ReleaseError as error:
            self._tell_once("reading monitoring's order", error)
        else:
            self._told.pop("reading monitoring's order", None)
            self._order = Fault("monitoring", order.reason) if order and order.wants_rule else None
        return self._order


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
