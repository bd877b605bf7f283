"""The life cycle of a month, run through Dagster: what `churn run` does."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from assets.failures import Failures
from assets.instance import open_instance, prepare_instance, quietly
from assets.work import PARTITION
from pipeline.calendar import Monthly, require_key
from pipeline.declaration import Dataset
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PROCESS = "churn/process"
ERRORS_ONLY = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}  # every event is in the instance anyway
Progress = Callable[[str, int, int], None]


def run_month(dataset: Dataset, settings: Settings, key: str, *, progress: Progress) -> None:
    """Run what is missing of the months before, then the whole life cycle of the month.

    Args:
        dataset: which company's data.
        settings: where, and how much.
        key: the month.
        progress: told of every step that ends: its name, how many have ended, how many there are.

    Raises:
        ChurnError: a step failed; it says which and why.
    """
    require_key(dataset.calendar, key)
    home = prepare_instance(dataset, settings)
    with quietly(home):
        from assets.definitions import build_definitions
        from assets.jobs import HISTORY, LIFE_CYCLE
        from pipeline.candidates import Run
        from pipeline.recording import prepare

        prepare(Run(dataset, settings, key))
        definitions = build_definitions(dataset, settings)
        with open_instance(home) as instance:
            bury_the_dead(instance)
            missing = missing_history(dataset, lake_of(settings, dataset.name), key)
            if missing:
                tags = {RANGE_START: missing[0], RANGE_END: missing[-1]}
                execute(definitions.resolve_job_def(HISTORY), instance, progress, tags)
            execute(definitions.resolve_job_def(LIFE_CYCLE), instance, progress, {PARTITION: key})


def missing_history(dataset: Dataset, lake: Lake, key: str) -> list[str]:
    """The months before `key` that have to be ingested, from the first one that lacks a table on."""
    calendar = dataset.calendar
    if not isinstance(calendar, Monthly):
        return []
    before = [month for month in calendar.keys() if month < key]
    present = {table.name: set(lake.keys("trusted", table.name)) for table in dataset.tables}
    features, labels = set(lake.keys("features", "customers")), set(lake.keys("labels", "customers"))
    from pipeline.labels import matured

    with_label = set(matured(dataset, before[-1])) if before else set()
    for place, month in enumerate(before):
        has_tables = all(month in keys for keys in present.values())
        has_features = month in features or month not in calendar.snapshots(month)
        if not (has_tables and has_features and (month in labels or month not in with_label)):
            return before[place:]
    return []


def execute(
    job: "dg.JobDefinition", instance: "dg.DagsterInstance", progress: Progress, tags: Mapping[str, str]
) -> None:
    """Run a job in this process, telling of each step that ends.

    Raises:
        ChurnError: a step failed.
    """
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run_iterator

    run = instance.create_run_for_job(job_def=job, tags={**tags, PROCESS: str(os.getpid())}, run_config=ERRORS_ONLY)
    steps, ended, failures = len(list(job.graph.node_dict)), 0, Failures(job.name)
    progress("", 0, steps)
    for event in execute_run_iterator(InMemoryJob(job), run, instance):
        failures.note(event)
        if event.is_step_success or event.is_step_failure or event.is_step_skipped:
            ended += 1
            progress(str(event.step_key), ended, steps)
    failures.raise_if_any()


def bury_the_dead(instance: "dg.DagsterInstance") -> None:
    """Mark runs as failed whose process was killed: they would stay "started" in the UI for ever."""
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=unfinished)):
        process: Any = run.tags.get(PROCESS)
        if process is not None and not _is_alive(int(process)):
            instance.report_run_failed(run, "The process that ran it ended before it did.")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
