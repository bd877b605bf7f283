"""How the service did on a day, by rows of the log and figures for Prometheus that are written by hand."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitoring.service_health import (
    ServiceHealth,
    ServiceLimits,
    quantile,
    scrape_of,
    service_evidence,
    service_health,
    since,
)

DAY = "2025-06-03"
NOON = datetime(2025, 6, 3, 12)
BOUNDS = ("0.005", "0.05", "0.5", "+Inf")


def rows(count: int, served_by: str = "champion", reason: str = "", **more: Any) -> list[dict[str, Any]]:
    row = {"source": "online", "predicted_at": NOON, "served_by": served_by, "fallback_reason": reason}
    return [row | more for _ in range(count)]


def page(
    champion: tuple[int, ...] = (),
    rule: tuple[int, ...] = (),
    *,
    statuses: Mapping[str, int] | None = None,
    lost: int = 0,
) -> str:
    """A page as the service gives it: cumulative counts of seconds by who answered, requests by status, lost rows."""
    lines = ["# TYPE churn_predict_seconds histogram"]
    for served_by, counts in {"champion": champion, "rule": rule}.items():
        for bound, count in zip(BOUNDS, counts, strict=False):
            lines.append(f'churn_predict_seconds_bucket{{le="{bound}",served_by="{served_by}"}} {count}.0')
    lines += ["# TYPE bentoml_service_request_duration_seconds histogram"]
    for status, count in (statuses or {}).items():
        labels = f'endpoint="/predict",http_response_code="{status}",service_name=""'
        lines.append(f"bentoml_service_request_duration_seconds_count{{{labels}}} {count}.0")
    lines.append('bentoml_service_request_duration_seconds_count{endpoint="/readyz",http_response_code="500"} 9.0')
    lines += ["# TYPE churn_log_losses counter", f'churn_log_losses_total{{why="dropped"}} {lost}.0']
    lines += ["# TYPE churn_on_champion gauge", "churn_on_champion 1.0"]
    return "\n".join(lines) + "\n"


# ---- the figures


def test_who_answered_and_why_not_the_champion_comes_from_the_days_online_rows() -> None:
    log = pd.DataFrame(
        rows(6)
        + rows(2, "last_good", "damaged: 2025-05-a: model.json is missing")
        + rows(1, "rule", "damaged: both")
        + rows(1, "rule", "monitoring: it lost money")
        + rows(5, source="batch")
        + rows(5, predicted_at=NOON + timedelta(hours=12))
    )
    health = service_health(DAY, log, scrape_of(page()))
    assert health.answers == {"champion": 6, "last_good": 2, "rule": 2}
    assert health.served_shares == {"champion": 0.6, "last_good": 0.2, "rule": 0.2}
    assert health.fallbacks == {"damaged": 3, "monitoring": 1}


def test_requests_losses_and_seconds_come_from_the_figures() -> None:
    figures = scrape_of(page((50, 80, 90, 90), (0, 10, 10, 10), statuses={"200": 100, "400": 3, "503": 2}, lost=4))
    health = service_health(DAY, pd.DataFrame(rows(1)), figures)
    assert health.requests == {"200": 100, "400": 3, "503": 2}
    assert health.errors == {"503": 2}
    assert health.lost == {"dropped": 4}
    assert health.p50_seconds == pytest.approx(0.005)  # the 50th of 100 is the last of the first bucket
    assert health.p99_seconds == pytest.approx(0.05 + 0.45 * 9 / 10)  # the 9th of the 10 between 0.05 and 0.5


def test_a_day_is_what_was_counted_between_two_scrapes() -> None:
    before, now = scrape_of(page((10, 20, 20, 20), lost=1)), scrape_of(page((10, 30, 30, 30), lost=3))
    health = service_health(DAY, pd.DataFrame(rows(1)), since(now, before))
    assert health.lost == {"dropped": 2}
    assert health.p50_seconds == pytest.approx(0.005 + 0.045 / 2)


def test_after_a_restart_everything_counted_since_is_of_the_day() -> None:
    before, now = scrape_of(page((10, 20, 20, 20), lost=1)), scrape_of(page((2, 2, 2, 2), lost=1))
    assert service_health(DAY, pd.DataFrame(rows(1)), since(now, before)).lost == {"dropped": 1}


def test_a_gauge_that_falls_is_no_restart() -> None:
    before, now = page(lost=1), page(lost=2).replace("churn_on_champion 1.0", "churn_on_champion 0.0")
    assert service_health(DAY, pd.DataFrame(rows(1)), since(scrape_of(now), scrape_of(before))).lost == {"dropped": 1}


def test_a_day_without_a_single_answer_has_figures_too() -> None:
    empty = pd.DataFrame([], columns=list(rows(1)[0]))  # as `read_predictions` gives it, without types
    health = service_health(DAY, empty, scrape_of(page()))
    assert (health.answered, health.requests, health.fallbacks) == (0, {}, {})
    assert math.isnan(health.p99_seconds)
    assert service_evidence(health) == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([4, 4, 4], 0.5), ([0, 4, 4], 1.5), ([1, 3, 4], 1.5), ([0, 0, 4], 2.0)],
)
def test_a_quantile_lies_on_a_line_within_its_bucket(counts: list[int], expected: float) -> None:
    assert quantile(0.5, np.array([1.0, 2.0, np.inf]), np.array(counts, dtype=float)) == pytest.approx(expected)


# ---- what is told


HEALTHY = ServiceHealth(
    day=DAY, answers={"champion": 980, "rule": 20}, fallbacks={"slow": 20}, requests={"200": 500}, p99_seconds=0.02
)


def said(health: ServiceHealth) -> dict[str, str]:
    found = service_evidence(health)
    assert {(each.month, each.kind, each.release) for each in found} <= {("2025-06", "service", "")}
    return {each.about[0]: each.says for each in found}


def test_a_healthy_day_is_not_told_of() -> None:
    assert service_evidence(HEALTHY) == []


def test_each_cause_is_told_with_its_figures_and_its_limit() -> None:
    ill = replace(
        HEALTHY,
        fallbacks={"slow": 50, "damaged": 10},
        requests={"200": 390, "400": 5, "503": 5},
        lost={"dropped": 250},
        p99_seconds=0.4,
    )
    assert said(ill) == {
        "fallbacks": "2025-06-03: 6.0 % customers without champion of 1,000 (damaged 10, slow 50); told of above 5.0 %",
        "errors": "2025-06-03: 1.2 % requests with an error of 400 (503 5); told of above 1.0 %",
        "lost rows": "2025-06-03: 20.0 % rows that did not reach the log of 1,250 (dropped 250); told of above 1.0 %",
        "latency": "2025-06-03: 1 request in 100 took 400 ms or more; told of above 250 ms",
    }


def test_what_monitoring_ordered_is_no_fault_of_the_service() -> None:
    assert service_evidence(replace(HEALTHY, fallbacks={"monitoring": 1000})) == []


def test_a_few_requests_say_nothing() -> None:
    few = replace(HEALTHY, answers={"rule": 99}, fallbacks={"damaged": 99}, requests={"500": 99}, p99_seconds=9.0)
    assert service_evidence(few) == []
    assert [each.about for each in service_evidence(few, ServiceLimits(fewest=99))] == [
        ("fallbacks",),
        ("errors",),
        ("latency",),
    ]


def test_a_service_that_gives_no_figures_is_told_of_and_its_log_is_read_all_the_same() -> None:
    health = service_health(DAY, pd.DataFrame(rows(200, "rule", "damaged: both")), None)
    assert list(said(health)) == ["fallbacks", "no figures"]
