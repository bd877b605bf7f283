"""What happens without anybody asking: the month that closed is run, and a run that failed is told of."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from assets.alarms import tell
from assets.definitions import build_definitions
from assets.jobs import LIFE_CYCLE
from assets.run import PROCESS, bury_the_dead
from pipeline.errors import ContractError
from pipeline.settings import Settings
from tests.little_company import little_company


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path))


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that remembers what it was told."""
    told: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    server.server_close()


# ---- the schedule


def tick(settings: Settings, moment: datetime) -> Any:
    definitions = build_definitions(little_company(), settings)
    schedule = definitions.resolve_schedule_def("monthly")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    repository = definitions.get_repository_def()
    with dg.build_schedule_context(scheduled_execution_time=moment, repository_def=repository) as context:
        return schedule.evaluate_tick(context)


def test_on_the_second_of_may_april_is_run(settings: Settings) -> None:
    (request,) = tick(settings, datetime(2024, 5, 2, 6, tzinfo=UTC)).run_requests
    assert request.partition_key == "2024-04"
    assert request.run_key == "2024-04"  # asked twice, run once


def test_a_month_that_the_dataset_does_not_have_is_skipped_with_a_reason(settings: Settings) -> None:
    found = tick(settings, datetime(2024, 8, 2, 6, tzinfo=UTC))
    assert not found.run_requests
    assert found.skip_message == "the dataset has the months 2024-01 to 2024-06, not 2024-07"


# ---- the sensor


@dg.op
def break_the_contract() -> None:
    raise ContractError("month 2024-04", expected="at least 1 row", found="0", remedy="Ask the source.")


@dg.job(name=LIFE_CYCLE)
def failing() -> None:
    break_the_contract()


def run_the_sensor(settings: Settings) -> None:
    definitions = build_definitions(little_company(), settings)
    sensor = definitions.resolve_sensor_def("tell_of_failed_runs")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        result = failing.execute_in_process(
            instance=instance, raise_on_error=False, tags={"dagster/partition": "2024-04"}
        )
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        )
        sensor(context.for_run_failure())  # type: ignore[operator]


def test_a_failed_run_is_told_to_the_webhook_in_the_words_of_its_error(
    settings: Settings, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, told = webhook
    run_the_sensor(settings.model_copy(update={"webhook_url": SecretStr(url)}))
    (message,) = told
    assert message["text"] == (
        "life_cycle of 2024-04 failed\n"
        "break_the_contract: month 2024-04: expected at least 1 row; found 0. Ask the source."
    )
    assert message["run_id"]


def test_without_a_webhook_the_log_has_it(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="churn.alarms"):
        run_the_sensor(settings)
    assert "expected at least 1 row; found 0" in caplog.text


def test_a_webhook_that_is_down_fails_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    nobody = settings.model_copy(update={"webhook_url": SecretStr("http://127.0.0.1:9/hook")})
    with caplog.at_level(logging.ERROR, logger="churn.alarms"):
        assert tell(nobody, "life_cycle failed", "why") is False
    assert "did not take the message" in caplog.text


# ---- runs whose process was killed


def test_a_run_whose_process_was_killed_is_marked_as_failed_and_others_are_left_alone(settings: Settings) -> None:
    job = build_definitions(little_company(), settings).resolve_job_def(LIFE_CYCLE)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with dg.DagsterInstance.ephemeral() as instance:
        month = {"dagster/partition": "2024-04"}
        dead = started(instance, job, month | {PROCESS: str(ended.pid)})
        alive = started(instance, job, month | {PROCESS: "1"})
        of_the_daemon = started(instance, job, month)
        bury_the_dead(instance)
        statuses = [instance.get_run_by_id(run).status for run in (dead, alive, of_the_daemon)]  # type: ignore[union-attr]
    assert statuses == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTED]


def started(instance: dg.DagsterInstance, job: dg.JobDefinition, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(job_def=job, tags=tags)
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=job.name, message="started"), run.run_id
    )
    return run.run_id
