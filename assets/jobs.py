"""A job for each stage and one for everything, the monthly schedule, and the sensors that tell of failures."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.work import Work
from pipeline.calendar import Monthly, month_after
from pipeline.simulator.scenarios import scenario_of

STAGES = {  # the job of a stage, and its groups; a job must not have the name of an asset
    "ingest": ("ingestion",),
    "validate": ("validation",),
    "features": ("features",),
    "train": ("training",),
    "evaluate": ("evaluation",),
    "release": ("release", "serving"),
    "batch": ("batch",),
    "monitor": ("monitoring",),
}
DATA_GROUPS = ("ingestion", "validation", "features")
MONTH_GROUPS = (*DATA_GROUPS, "monitoring", "batch")
NEW_GROUPS = ("training", "evaluation", "release", "batch")
LIFE_GROUPS = (*DATA_GROUPS, *NEW_GROUPS, "serving")
HISTORY, LIFE_CYCLE, CLOSE_MONTH, RETRAIN = "history", "life_cycle", "close_month", "retrain"
REPORT = "report"  # the job of a scenario, and its group
ALONE = "churn/promotes"  # runs with this tag wait for each other: two months must never promote at once
SECOND_AT_SIX = "0 6 2 * *"  # late rows of the month's last day have arrived by then


def jobs(work: Work) -> list[Any]:
    """One job per stage, and those that a company lives by: a month closes, and now and then it trains anew."""
    by_stage = [_job(name, f"Only the assets of {' and '.join(groups)}.", *groups) for name, groups in STAGES.items()]
    promotes = {ALONE: "true"}
    of_scenarios = [_job(REPORT, "The page about a replay.", REPORT)] if scenario_of(work.dataset.name) else []
    return [
        *by_stage,
        *of_scenarios,
        _job(HISTORY, "Tables, features and labels of many months in one run.", *DATA_GROUPS),
        _job(
            LIFE_CYCLE, "A month from its raw tables to its call list, training included.", *LIFE_GROUPS, tags=promotes
        ),
        _job(CLOSE_MONTH, "A month closes: tables, features, labels, monitoring, call list.", *MONTH_GROUPS),
        _job(
            RETRAIN,
            "New models for a month that closed, the gate, and its call list again.",
            *NEW_GROUPS,
            tags=promotes,
        ),
    ]


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


def _job(name: str, description: str, *groups: str, tags: Mapping[str, str] | None = None) -> Any:
    return dg.define_asset_job(name, dg.AssetSelection.groups(*groups), description=description, tags=tags)
