"""A day of the service, from its log and its counters. Online predictions have days; months are the batch's."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from assets.metadata import points, table_of
from assets.monitoring import VERSION
from assets.work import TEAM_ML, Work

FIRST_DAY, JOB, CHECK = "2024-01-01", "watch_service", "service_is_well"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY)
AFTER_MIDNIGHT = "10 0 * * *"


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`service_health`."""

    @dg.asset(
        group_name="service",
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        check_specs=[dg.AssetCheckSpec(CHECK, asset="service_health", description="Fallbacks, errors, losses, speed.")],
        description="Who answered, why not the champion, how fast, what was lost; a month's decision sees its days.",
        owners=TEAM_ML,
        kinds={"bentoml", "json"},
        code_version=VERSION,
    )
    def service_health(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        from monitoring.service_day import look_at_day
        from pipeline.state import state_engine

        engine = state_engine(work.settings, work.lake)
        root = Path(str(work.lake.root))
        found, told = look_at_day(
            work.dataset, work.settings, work.lake, context.partition_key, root=root, engine=engine
        )
        engine.dispose()
        says = [each.says for each in told]
        answers = table_of([{"answered by": name, "customers": count} for name, count in found.answers.items()])
        yield dg.MaterializeResult(metadata={"customers": found.answered, "answers": answers, "evidence": points(says)})
        warn = dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(check_name=CHECK, passed=not says, severity=warn, description="; ".join(says) or None)

    return [service_health]


def schedule() -> dg.ScheduleDefinition:
    """The day that ended, shortly after midnight."""
    job = dg.define_asset_job(JOB, dg.AssetSelection.groups("service"), description="A day of the service.")

    @dg.schedule(
        job=job, cron_schedule=AFTER_MIDNIGHT, execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.RUNNING
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Runs for the day before."""
        from datetime import timedelta

        day = (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")
        return dg.RunRequest(run_key=day, partition_key=day)

    return daily
