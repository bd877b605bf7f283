"""A day of the service: its rows of the log, and what it counted since the day before."""

import math
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from monitoring.evidence import Evidence, evidence_from_dict
from monitoring.figures import keys_of, known, read_figures, write_figures
from monitoring.service_health import (
    NO_FIGURES,
    Scrape,
    ServiceHealth,
    scrape_of,
    service_evidence,
    service_health,
    since,
)
from pipeline.declaration import Dataset
from pipeline.lake import Lake
from pipeline.prediction_log import read_online
from pipeline.settings import Settings

SECONDS_TO_ANSWER = 5


def look_at_day(
    dataset: Dataset, settings: Settings, lake: Lake, day: str, *, root: Any, engine: Any
) -> tuple[ServiceHealth, list[Evidence]]:
    """Judge a day, YYYY-MM-DD, and keep its figures, its evidence and the scrape that the next day is counted from."""
    first = datetime.fromisoformat(day)
    log = read_online(engine, dataset.name, first, first + timedelta(days=1), root=root)
    scrape, before = _scrape_of_day(settings, lake, day), _scrape_before(lake, day)
    found = service_health(day, log, since(scrape, before) if scrape else None)
    is_expected = bool(before or found.answered)  # where no service ever ran, none is missed
    told = [each for each in service_evidence(found) if is_expected or each.about != NO_FIGURES]
    kept = {"figures": _plain(found), "evidence": [asdict(each) for each in told], "scrape": _samples(scrape)}
    write_figures(lake, "service", day, kept)
    return found, told


def _scrape_of_day(settings: Settings, lake: Lake, day: str) -> Scrape:
    """What the service counted until the day ended: as it was kept, for a counter of today knows nothing of then."""
    kept = _stored(read_figures(lake, "service", day))
    is_over = any(key > day for key in keys_of(lake, "service"))
    return kept if kept or is_over else scraped(settings) or {}


def _scrape_before(lake: Lake, day: str) -> Scrape:
    """The newest scrape of a day before, which need not be yesterday; empty where there is none."""
    earlier = (_stored(read_figures(lake, "service", key)) for key in reversed(keys_of(lake, "service")) if key < day)
    return next((scrape for scrape in earlier if scrape), {})


def scraped(settings: Settings) -> Scrape | None:
    """What the service counts; None where nobody answers, or something else does."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    url = f"http://{settings.serve_host}:{settings.serve_port}/metrics"
    request = urllib.request.Request(url, headers={"X-API-Key": key} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:  # noqa: S310
            return scrape_of(answer.read().decode())
    except (OSError, ValueError):
        return None


def evidence_of_days(lake: Lake, month: str) -> list[Evidence]:
    """What the days of a month showed, the newest of each cause, as evidence of the month."""
    newest: dict[tuple[str, ...], Evidence] = {}
    for day in (key for key in keys_of(lake, "service") if key.startswith(month)):
        for each in (evidence_from_dict(stored) for stored in read_figures(lake, "service", day)["evidence"]):
            newest[each.about] = Evidence(month, each.kind, each.says, each.release, each.about, each.cost_a_month)
    return list(newest.values())


def _plain(found: ServiceHealth) -> dict[str, Any]:
    return {
        name: dict(value) if isinstance(value, Mapping) else known(value) if isinstance(value, float) else value
        for name, value in vars(found).items()
    }


def _samples(scrape: Scrape) -> list[dict[str, Any]]:
    """A scrape as JSON can hold it."""
    return [
        {"name": name, "labels": sorted(map(list, labels)), "value": value}
        for (name, labels), value in sorted(scrape.items(), key=str)
        if math.isfinite(value)  # JSON has no other numbers
    ]


def _stored(figures: Mapping[str, Any] | None) -> Scrape:
    samples: Sequence[Mapping[str, Any]] = (figures or {}).get("scrape", [])
    return {
        (each["name"], frozenset((name, value) for name, value in each["labels"])): each["value"] for each in samples
    }
