"""A day of the service, kept: what a day without a service, and a day that is looked at again, come to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitoring import service_day
from monitoring.figures import read_figures
from monitoring.service_day import evidence_of_days, look_at_day
from monitoring.service_health import Scrape, ServiceHealth, scrape_of
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings
from pipeline.state import state_engine
from tests.little_company import little_company

DATASET = little_company()
DAY, NEXT = "2024-06-01", "2024-06-02"


def page(requests: int, failed: int) -> Scrape:
    name = "bentoml_service_request_duration_seconds_count"
    counts = {"200": requests - failed, "500": failed}
    samples = [f'{name}{{endpoint="/predict",http_response_code="{code}"}} {n}' for code, n in counts.items()]
    return scrape_of("\n".join([*samples, ""]))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return lake_of(settings, DATASET.name)


@pytest.fixture
def engine(settings: Settings, lake: Lake) -> Iterator[sa.Engine]:
    made = state_engine(settings, lake)
    yield made
    made.dispose()


def looked(
    settings: Settings, lake: Lake, engine: sa.Engine, day: str, scrape: Scrape | None, monkeypatch: pytest.MonkeyPatch
) -> ServiceHealth:
    monkeypatch.setattr(service_day, "scraped", lambda _: scrape)
    return look_at_day(DATASET, settings, lake, day, root=Path(str(lake.root)), engine=engine)[0]


def test_without_a_service_a_day_is_kept_and_nobody_is_told(
    settings: Settings, lake: Lake, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(settings, lake, engine, DAY, None, monkeypatch)
    assert read_figures(lake, "service", DAY)["figures"]["p99_seconds"] is None
    assert evidence_of_days(lake, "2024-06") == []


def test_a_service_that_stops_giving_its_figures_is_told_of(
    settings: Settings, lake: Lake, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(settings, lake, engine, DAY, page(1_000, failed=0), monkeypatch)
    looked(settings, lake, engine, NEXT, None, monkeypatch)
    assert [each.about for each in evidence_of_days(lake, "2024-06")] == [("no figures",)]


def test_a_day_looked_at_again_is_counted_as_it_was_and_moves_no_other_day(
    settings: Settings, lake: Lake, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(settings, lake, engine, DAY, page(1_000, failed=10), monkeypatch)
    again = looked(settings, lake, engine, DAY, page(1_400, failed=300), monkeypatch)
    following = looked(settings, lake, engine, NEXT, page(1_500, failed=310), monkeypatch)
    assert again.requests == {"200": 990, "500": 10}
    assert following.requests == {"200": 200, "500": 300}


def test_after_a_day_that_nobody_looked_at_the_count_goes_on_from_the_newest_before(
    settings: Settings, lake: Lake, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(settings, lake, engine, DAY, page(1_000, failed=500), monkeypatch)
    found = looked(settings, lake, engine, "2024-06-03", page(1_200, failed=500), monkeypatch)
    assert found.requests == {"200": 200}
