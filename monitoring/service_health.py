"""How the service did on a day: who answered, why not the champion, how fast, and what was lost.

Who answered for whom comes from the prediction log, which forgets nothing over a restart. What leaves no row there
comes from the figures for Prometheus: refused requests, errors, lost rows, and how long answers took. Those count from
the start of the process, so a day is the difference of two scrapes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from monitoring.evidence import Evidence
from pipeline.economics import FloatArray
from pipeline.wording import percent

if TYPE_CHECKING:
    import pandas as pd

ORDERED = "monitoring"  # a fallback that was ordered is no fault of the service, and was told when it was ordered
NO_FIGURES = ("no figures",)
SECONDS, LOSSES = "churn_predict_seconds_bucket", "churn_log_losses_total"
REQUESTS = "bentoml_service_request_duration_seconds_count"  # by BentoML, of every path and status

Sample = tuple[str, frozenset[tuple[str, str]]]
Scrape = Mapping[Sample, float]
"""Values by name and labels."""


@dataclass(frozen=True, kw_only=True)
class ServiceLimits:
    """What is told of. Shares are of a day; below `fewest` answers or requests they say nothing."""

    fallback_share: float = 0.05
    error_share: float = 0.01
    lost_share: float = 0.01
    p99_seconds: float = 0.25
    fewest: int = 100


@dataclass(frozen=True, kw_only=True)
class ServiceHealth:
    """The figures of a day.

    Args:
        answers: customers scored, by what answered.
        fallbacks: customers that the champion did not answer for, by the kind of reason.
        requests: to `/predict`, by status; None, as the rest, where the service gave no figures.
        lost: customers whose row did not reach the log, by why.
        p50_seconds: of valid requests; NaN where there were none. `p99_seconds` likewise.
    """

    day: str
    answers: Mapping[str, int] = field(default_factory=dict)
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] | None = None
    lost: Mapping[str, int] = field(default_factory=dict)
    p50_seconds: float = float("nan")
    p99_seconds: float = float("nan")

    @property
    def answered(self) -> int:
        """How many customers were scored."""
        return sum(self.answers.values())

    @property
    def served_shares(self) -> dict[str, float]:
        """The share of customers by what answered."""
        return {name: count / self.answered for name, count in self.answers.items()}

    @property
    def unordered_fallbacks(self) -> dict[str, int]:
        """The fallbacks that nobody asked for."""
        return {reason: count for reason, count in self.fallbacks.items() if reason != ORDERED}

    @property
    def errors(self) -> dict[str, int]:
        """Requests that failed by the service's own fault, by status."""
        return {status: count for status, count in (self.requests or {}).items() if status.startswith("5")}


def scrape_of(text: str) -> Scrape:
    """The samples of a page in Prometheus' text format.

    Raises:
        ValueError: it is none.
    """
    from prometheus_client.parser import text_string_to_metric_families

    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def since(now: Scrape, before: Scrape) -> Scrape:
    """What was counted between two scrapes of one service; all of the later one where the service restarted between."""
    restarted = any(now.get(sample, 0.0) < value for sample, value in before.items() if _counts(sample))
    return dict(now) if restarted else {sample: value - before.get(sample, 0.0) for sample, value in now.items()}


def service_health(day: str, log: "pd.DataFrame", counted: Scrape | None) -> ServiceHealth:
    """The figures of a day.

    Args:
        day: YYYY-MM-DD.
        log: rows of the prediction log; only the online rows of the day are read.
        counted: what the service counted on the day; None where it could not be asked.
    """
    import pandas as pd

    days = pd.to_datetime(log["predicted_at"]).dt.strftime("%Y-%m-%d")
    online = log[(log["source"] == "online") & (days == day)]
    fallbacks = Counter(reason.partition(":")[0] for reason in online["fallback_reason"] if reason)
    health = ServiceHealth(day=day, answers=Counter(online["served_by"]), fallbacks=fallbacks)
    if counted is None:
        return health
    upper, count = _histogram(counted)
    return replace(
        health,
        requests=_summed(counted, REQUESTS, "http_response_code", endpoint="/predict"),
        lost=_summed(counted, LOSSES, "why"),
        p50_seconds=quantile(0.5, upper, count),
        p99_seconds=quantile(0.99, upper, count),
    )


def service_evidence(health: ServiceHealth, limits: ServiceLimits | None = None) -> list[Evidence]:
    """What of a day somebody must know, one piece for each cause."""
    limits, answered = limits or ServiceLimits(), health.answered
    lost, requests = sum(health.lost.values()), sum((health.requests or {}).values())
    judged = [
        _Share("fallbacks", health.unordered_fallbacks, answered, limits.fallback_share, "customers without champion"),
        _Share("errors", health.errors, requests, limits.error_share, "requests with an error"),
        _Share("lost rows", health.lost, answered + lost, limits.lost_share, "rows that did not reach the log"),
    ]
    found = {each.about: each.says for each in judged if each.whole >= limits.fewest and each.share > each.limit}
    if requests >= limits.fewest and health.p99_seconds > limits.p99_seconds:
        p99, limit = (f"{1000 * seconds:.0f} ms" for seconds in (health.p99_seconds, limits.p99_seconds))
        found["latency"] = f"1 request in 100 took {p99} or more; told of above {limit}"
    if health.requests is None:
        found[NO_FIGURES[0]] = "the service did not give its figures"
    return [
        Evidence(health.day[:7], "service", f"{health.day}: {says}", about=(about,)) for about, says in found.items()
    ]


@dataclass(frozen=True)
class _Share:
    """A part of a whole, by reason, and the share above which it is told of."""

    about: str
    parts: Mapping[str, int]
    whole: int
    limit: float
    what: str

    @property
    def share(self) -> float:
        return sum(self.parts.values()) / max(self.whole, 1)

    @property
    def says(self) -> str:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.parts.items()))
        return f"{percent(self.share)} {self.what} of {self.whole:,} ({reasons}); told of above {percent(self.limit)}"


def quantile(q: float, upper: FloatArray, count: FloatArray) -> float:
    """A quantile of a histogram, by a straight line within its bucket, as Prometheus does.

    Args:
        q: between 0 and 1.
        upper: upper bounds of the buckets, rising, the last one infinite; shape (buckets,).
        count: how many values each bucket and those below hold; shape (buckets,).

    Returns:
        NaN where the histogram is empty; the highest finite bound where the quantile lies beyond it.
    """
    if len(count) == 0 or count[-1] == 0:
        return float("nan")
    rank = q * count[-1]
    place = int(np.searchsorted(count, rank))
    if not np.isfinite(upper[place]):
        return float(upper[place - 1]) if place else float("nan")
    low, below = (upper[place - 1], count[place - 1]) if place else (0.0, 0.0)
    return float(low + (upper[place] - low) * (rank - below) / (count[place] - below))


def _histogram(counted: Scrape) -> tuple[FloatArray, FloatArray]:
    """Upper bounds and cumulative counts of the seconds that answers took, whatever answered."""
    by_bound: dict[float, float] = {}
    for (name, labels), value in counted.items():
        if name == SECONDS:
            bound = float(dict(labels)["le"])
            by_bound[bound] = by_bound.get(bound, 0.0) + value
    return np.array(sorted(by_bound)), np.array([by_bound[bound] for bound in sorted(by_bound)])


def _summed(counted: Scrape, name: str, by: str, **where: str) -> dict[str, int]:
    """The samples of a name summed by a label, of those with the labels `where`; what is 0 is left out."""
    found: dict[str, int] = {}
    for (sample, labels), value in counted.items():
        known = dict(labels)
        if sample == name and where.items() <= known.items() and value:
            found[known[by]] = found.get(known[by], 0) + int(value)
    return found


def _counts(sample: Sample) -> bool:
    """Whether a sample only ever grows while the service runs."""
    return sample[0].endswith(("_total", "_count", "_bucket"))
