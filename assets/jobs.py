"""A job for each stage and those that a company lives by, and the schedule that closes each month."""

from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from assets.work import RETRAIN, Work
from pipeline.calendar import Monthly, month_after
from pipeline.simulator.scenarios import scenario_of

HISTORY, LIFE_CYCLE, CLOSE_MONTH, BATCH = "history", "life_cycle", "close_month", "batch"
DATA, NEW = ("ingestion", "validation", "features"), ("training", "evaluation", "release", "batch")
ALONE = {"churn/promotes": "true"}  # runs with this tag wait for each other: two months must never promote at once
SECOND_AT_SIX = "0 6 2 * *"  # late rows of the month's last day have arrived by then


@dataclass(frozen=True)
class Job:
    """The groups of assets that a job runs. A job must not have the name of an asset."""

    groups: tuple[str, ...]
    description: str = ""
    promotes: bool = False
    only_for: Literal["any", "months", "scenario"] = "any"


JOBS = {
    "ingest": Job(("ingestion",)),
    "validate": Job(("validation",)),
    "features": Job(("features",)),
    "train": Job(("training",)),
    "evaluate": Job(("evaluation",)),
    "release": Job(("release", "serving"), promotes=True),
    BATCH: Job(("batch",)),
    "monitor": Job(("monitoring",), only_for="months"),
    HISTORY: Job(DATA, "Tables, features and labels of many months in one run."),
    LIFE_CYCLE: Job((*DATA, "monitoring", *NEW, "serving"), "Everything, for one month.", promotes=True),
    CLOSE_MONTH: Job(
        (*DATA, "monitoring", "batch"),
        "A month closes: tables, features, labels that matured, monitoring, call list.",
        only_for="months",
    ),
    RETRAIN: Job(
        NEW,
        "New models from the newest months, because monitoring asks for them; the gate; the call list again.",
        promotes=True,
        only_for="months",
    ),
    "report": Job(("report",), "The page about a replay.", only_for="scenario"),
}


def jobs(work: Work) -> list[Any]:
    """One job per stage, and those that a company lives by; without time, no month closes."""
    holds = {
        "any": True,
        "months": isinstance(work.dataset.calendar, Monthly),
        "scenario": scenario_of(work.dataset.name) is not None,
    }
    return [_job(name, job) for name, job in JOBS.items() if holds[job.only_for]]


def schedules(work: Work) -> list[dg.ScheduleDefinition]:
    """Each month that has closed; a dataset without time has none. Monitoring asks for the first training too."""
    calendar = work.dataset.calendar
    if not isinstance(calendar, Monthly):
        return []

    @dg.schedule(
        job_name=CLOSE_MONTH,
        cron_schedule=SECOND_AT_SIX,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Runs the month that closed, if the dataset has it."""
        key = month_after(f"{context.scheduled_execution_time:%Y-%m}", -1)
        if key not in calendar.keys():
            return dg.SkipReason(f"the dataset has the months {calendar.first} to {calendar.last}, not {key}")
        return dg.RunRequest(run_key=key, partition_key=key)

    return [monthly]


def _job(name: str, job: Job) -> Any:
    said = job.description or f"Only the assets of {' and '.join(job.groups)}."
    selected = dg.AssetSelection.groups(*job.groups)
    return dg.define_asset_job(name, selected, description=said, tags=ALONE if job.promotes else None)
