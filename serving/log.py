"""Hands predictions to the prediction log without making any caller wait, whatever becomes of the log."""

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.prediction_log import Prediction, append
from serving.considered import Considered

MOST_WAITING = 20_000  # customers: some tens of megabytes
GATHER_SECONDS = 0.05
CLOSE_SECONDS = 3.0

logger = logging.getLogger("serving.log")


@dataclass(frozen=True)
class Entry:
    """One answered request. Callers choose `request_id`, and may choose the same one twice."""

    request_id: str
    answered_at: datetime
    customers: Sequence[Mapping[str, Any]]
    considered: Considered
    fallback_reason: str


class PredictionQueue:
    """A bounded queue and the one thread that empties it.

    Args:
        append: writes predictions for good; may be slow, may raise.
        count: told "dropped" or "failed" and how many predictions that cost.
    """

    def __init__(
        self,
        dataset: str,
        root: Path,
        *,
        count: Callable[[str, int], None],
        append: Callable[[Path, Sequence[Prediction]], None] = append,
    ) -> None:
        self._dataset, self._root, self._count, self._append = dataset, root, count, append
        self._waiting: SimpleQueue[Entry] = SimpleQueue()
        self.customers_waiting, self._lock = 0, threading.Lock()
        self._closing, self._trouble = threading.Event(), ""
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def offer(self, entry: Entry) -> None:
        """Queue an answer, or drop and count it where the log does not keep up."""
        customers = len(entry.customers)
        with self._lock:
            has_room = self.customers_waiting + customers <= MOST_WAITING
            self.customers_waiting += customers if has_room else 0
        if has_room:
            self._waiting.put(entry)
        else:
            self._count("dropped", customers)

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            entries = self._gathered()
            if entries:
                customers = sum(len(entry.customers) for entry in entries)
                self._write(entries, customers)
                with self._lock:
                    self.customers_waiting -= customers

    def _gathered(self) -> list[Entry]:
        """What came within a moment: one write for many small answers."""
        entries: list[Entry] = []
        with suppress(Empty):
            entries.append(self._waiting.get(timeout=0.2))
            self._closing.wait(GATHER_SECONDS)
            while True:
                entries.append(self._waiting.get_nowait())
        return entries

    def _write(self, entries: list[Entry], customers: int) -> None:
        try:
            self._append(self._root, [row for entry in entries for row in predictions_of(entry, self._dataset)])
            self._trouble = ""
        except Exception as error:  # a broken log never breaks a prediction
            self._count("failed", customers)
            if repr(error) != self._trouble:
                self._trouble = repr(error)
                logger.error("the prediction log cannot be written: %s", error)


def predictions_of(entry: Entry, dataset: str) -> list[Prediction]:
    """The rows of the log for one request."""
    unique = secrets.token_hex(12)
    return [_row(entry, dataset, i, row_id=f"{unique}-{i}") for i in range(len(entry.customers))]


def _row(entry: Entry, dataset: str, i: int, *, row_id: str) -> Prediction:
    found, customer = entry.considered, entry.customers[i]
    return Prediction(
        id=row_id,
        predicted_at=entry.answered_at,
        dataset=dataset,
        source="online",
        customer_id=customer["customer_id"],
        probability=float(found.probability[i]),
        expected_value=float(found.decisions.expected_value[i]),
        contact=bool(found.decisions.contact[i]),
        decision_reason=found.decisions.reason[i],
        release=found.rung.release or "",
        served_by=found.rung.served_by,
        fallback_reason=entry.fallback_reason,
        features={name: value for name, value in customer.items() if name != "customer_id"},
        request_id=entry.request_id,
    )
