"""What Prometheus is told. Made when first asked for: BentoML says where the figures live only once it starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

logger = logging.getLogger("serving.counters")


@dataclass(frozen=True)
class Counters:
    """Every figure of our own; BentoML counts requests by path and status."""

    predictions: "Counter"
    fallbacks: "Counter"
    latency: "Histogram"
    log_losses: "Counter"
    on_champion: "Gauge"


def count(change: Callable[[Counters], object]) -> None:
    """Change a figure. Never raises: a full disk under the figures is no reason to leave a caller without answer."""
    try:
        change(counters())
    except Exception as error:
        _tell_once(f"{type(error).__name__}: {error}")


@cache
def counters() -> Counters:
    """The figures of this process."""
    from prometheus_client import Counter, Gauge, Histogram

    return Counters(
        predictions=Counter("churn_predictions", "Customers scored, by what answered", ["served_by"]),
        fallbacks=Counter("churn_fallbacks", "Requests that the champion did not answer, by reason", ["reason"]),
        latency=Histogram(
            "churn_predict_seconds", "Time to answer a valid request", ["served_by"], buckets=LATENCY_BUCKETS_SECONDS
        ),
        log_losses=Counter("churn_log_losses", "Predictions that did not reach the log, by why", ["why"]),
        on_champion=Gauge("churn_on_champion", "1 while the champion stands first", multiprocess_mode="livemostrecent"),
    )


@cache
def _tell_once(trouble: str) -> None:
    logger.error("figures for Prometheus cannot be written: %s", trouble)
