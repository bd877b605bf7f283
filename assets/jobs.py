"""A job for each stage and one for everything, the monthly schedule, and the sensors that tell of failures."""

from typing import Any

import dagster as dg

from assets import alert_sensors
from assets.work import Work
from pipeline.calendar import Monthly, month_after

STAGES = {  # the job of a stage, and its groups; a job must not have the name of an asset
    "ingest": ("ingestion",),
    "validate": ("validation",),
    "features": ("features",),
    "train": ("training",),
    "evaluate": ("evaluation",),
    "release": ("release", "serving"),
    "batch": ("batch",),
}
DATA_GROUPS = ("ingestion", "validation", "features")
HISTORY, LIFE_CYCLE = "history", "life_cycle"
SECOND_AT_SIX = "0 6 2 * *"  # late rows of the month's last day have arrived by then


def jobs() -> list[Any]:
    """One job per stage, `history` for the tables of many months at once, and `life_cycle` for a month, end to end."""
    by_stage = [_job(name, f"Only the assets of {' and '.join(groups)}.", *groups) for name, groups in STAGES.items()]
    history = _job(HISTORY, "Tables, features and labels of many months in one run.", *DATA_GROUPS)
    all_groups = [group for groups in STAGES.values() for group in groups]
    return [*by_stage, history, _job(LIFE_CYCLE, "A month from its raw tables to its call list.", *all_groups)]


def schedules(work: Work) -> list[dg.ScheduleDefinition]:
    """The life cycle of each month that has closed; a dataset without time has none."""
    calendar = work.dataset.calendar
    if not isinstance(calendar, Monthly):
        return []

    @dg.schedule(
        job_name=LIFE_CYCLE,
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


def sensors(work: Work) -> list[dg.SensorDefinition]:
    """Whoever tells of what goes wrong."""
    return alert_sensors.sensors(work)


def _job(name: str, description: str, *groups: str) -> Any:
    return dg.define_asset_job(name, dg.AssetSelection.groups(*groups), description=description)
