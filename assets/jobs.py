"""A job for each stage and one for everything, the monthly schedule, and the sensor that tells somebody of a failure."""

from typing import Any

import dagster as dg

from assets.alarms import tell
from assets.work import Work

STAGES = ("ingestion", "validation", "features", "training", "evaluation", "release", "batch", "serving")
DATA_STAGES = STAGES[:3]
HISTORY, LIFE_CYCLE = "history", "life_cycle"


def jobs(work: Work) -> list[Any]:
    """One job per stage, `history` for the tables of many months at once, and `life_cycle` for a month from end to end."""
    by_stage = [dg.define_asset_job(stage, dg.AssetSelection.groups(stage)) for stage in STAGES]
    history = dg.define_asset_job(HISTORY, dg.AssetSelection.groups(*DATA_STAGES))
    life_cycle = dg.define_asset_job(LIFE_CYCLE, dg.AssetSelection.groups(*STAGES))
    return [*by_stage, history, life_cycle]


def schedules(work: Work) -> list[dg.ScheduleDefinition]:
    """The life cycle of a month, on the second day after it closed: late rows of the last day have arrived by then."""
    if isinstance(work.partitions, dg.StaticPartitionsDefinition):
        return []
    life_cycle = next(job for job in jobs(work) if job.name == LIFE_CYCLE)
    return [dg.build_schedule_from_partitioned_job(life_cycle, name="monthly", day_of_month=2, hour_of_day=6)]


def sensors(work: Work) -> list[dg.SensorDefinition]:
    """Tells somebody when a run fails."""

    @dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=30)
    def tell_of_failed_runs(context: dg.RunFailureSensorContext) -> None:
        """Posts to `CHURN_WEBHOOK_URL`, or writes to the log where none is set."""
        run = context.dagster_run
        month = run.tags.get("dagster/partition", "no month")
        tell(
            work.settings,
            f"{run.job_name} of {month} failed",
            context.failure_event.message or "no message",
            run.run_id,
        )

    return [tell_of_failed_runs]
