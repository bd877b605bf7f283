"""What happens without anybody asking: the month that closed is run, and runs of dead processes are closed."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.definitions import build_definitions
from assets.jobs import LIFE_CYCLE
from assets.run import PROCESS, bury_the_dead
from pipeline.settings import Settings
from tests.little_company import little_company


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path))


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
