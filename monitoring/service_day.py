"""A day of the service: its rows of the log, and what it counted since the day before."""

import math
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from monitoring.decisions import Evidence, evidence_from_dict
from monitoring.figures import keys_of, read_figures, write_figures
from monitoring.service_health import Scrape, ServiceHealth, scrape_of, service_evidence, service_health, since
from pipeline.declaration import Dataset
from pipeline.lake import Lake
from pipeline.prediction_log import read_online
from pipeline.settings import Settings

SECONDS_TO_ANSWER = 5


def look_at_day(dataset: Dataset, settings: Settings, lake: Lake, day: str, *, root: Any, engine: Any) -> ServiceHealth:
    """Judge a day, YYYY-MM-DD, and keep its figures, its evidence and the scrape that the next day is counted from."""
    first = datetime.fromisoformat(day)
    log = read_online(engine, dataset.name, first, first + timedelta(days=1), root=root)
    scrape = scraped(settings)
    before = _stored(read_figures(lake, "service", (first - timedelta(days=1)).strftime("%Y-%m-%d")))
    found = service_health(day, log, since(scrape, before) if scrape is not None else None)
    told = [asdict(each) for each in service_evidence(found)]
    write_figures(lake, "service", day, {"figures": _plain(found), "evidence": told, "scrape": _samples(scrape or {})})
    return found


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
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(found).items()}


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
