"""The life cycle of a month, run through Dagster: what `churn run` does."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from assets.instance import log_to_file, prepare_instance
from assets.jobs import HISTORY, LIFE_CYCLE
from pipeline.calendar import Monthly, require_key
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
Progress = Callable[[str, int, int], None]


def run_month(dataset: Dataset, settings: Settings, key: str, *, progress: Progress) -> None:
    """Run what is missing of the months before, then the whole life cycle of the month.

    Raises:
        ChurnError: a step failed; it says which and why.
    """
    require_key(dataset.calendar, key)
    home = prepare_instance(dataset, settings)
    log_to_file(home)
    import dagster as dg

    from assets.definitions import build_definitions

    definitions = build_definitions(dataset, settings)
    with dg.DagsterInstance.get() as instance:
        missing = missing_history(dataset, lake_of(settings, dataset.name), key)
        if missing:
            tags = {RANGE_START: missing[0], RANGE_END: missing[-1]}
            _execute(definitions.resolve_job_def(HISTORY), instance, progress, tags=tags)
        _execute(definitions.resolve_job_def(LIFE_CYCLE), instance, progress, partition_key=key)


def missing_history(dataset: Dataset, lake: Lake, key: str) -> list[str]:
    """The months before `key` that have to be ingested, from the first one that lacks a table; empty where none does."""
    calendar = dataset.calendar
    if not isinstance(calendar, Monthly):
        return []
    before = [month for month in calendar.keys() if month < key]
    trusted = [set(lake.keys("trusted", table.name)) for table in dataset.tables]
    features, labels = set(lake.keys("features", "customers")), set(lake.keys("labels", "customers"))
    from pipeline.labels import matured

    known = set(matured(dataset, before[-1])) if before else set()
    for place, month in enumerate(before):
        lacks_features = month in calendar.snapshots(month) and month not in features
        if lacks_features or (month in known and month not in labels) or not all(month in keys for keys in trusted):
            return before[place:]
    return []


def _execute(job: Any, instance: Any, progress: Progress, **options: Any) -> None:
    """Run a job in this process, telling of each step that ends."""
    run_id = str(uuid.uuid4())
    steps = len(list(job.graph.node_dict))
    with _told(instance, run_id, steps, progress):
        result = job.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False, **options)
    if not result.success:
        raise _cause(job.name, result)


@contextmanager
def _told(instance: Any, run_id: str, steps: int, progress: Progress) -> Iterator[None]:
    """Calls `progress` with the newest finished step, how many have finished and how many there are."""
    import dagster as dg

    done = Event()

    def watch() -> None:
        ended = False
        while not ended:
            ended = done.wait(0.3)
            records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS).records
            name = records[-1].event_log_entry.step_key if records else ""
            progress(str(name), len(records), steps)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _cause(job: str, result: Any) -> ChurnError:
    """Why a run failed, in the words of the check or of the error at the bottom."""
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking:
                where = check.asset_key.to_user_string()
                return _failed(job, where, f"check {check.check_name}: {check.description or 'not met'}")
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            return _failed(job, event.step_key, error.message.strip())
    return _failed(job, job, "no step says why")


def _failed(job: str, where: str, found: str) -> ChurnError:
    return ChurnError(
        f"{job}, {where}",
        expected="the step to succeed",
        found=found,
        remedy="Nothing downstream ran, and the release before goes on answering. `churn up` shows the run.",
    )
