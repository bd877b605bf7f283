"""Sensors that tell of what goes wrong on the instance itself: failed runs, failed checks, assets that are late.

They raise the same alerts as monitoring does, over the same channels, told once and called over when it is over:

- a run, when a later run of the same job and month succeeds;
- a check, when it passes for the same month;
- an asset that is late, when it is fresh again.

A blocking check that failed is told with the run that it stopped. A check that only warns is a finding of the gate, of
monitoring or of the quarantine, which say so themselves where it matters.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from assets.alarms import Change, open_alerts, tell
from assets.failures import Failures
from assets.work import Work, now
from monitoring.alerts import Alert, Severity, news_of, news_of_end

RUN, CHECK, LATE = "failed run", "failed check", "late asset"
SEVERAL = "several months"
EVENTS_AT_ONCE, RUNS_LOOKED_AT = 500, 50
CHECKED, FRESHNESS = dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.FRESHNESS_STATE_CHANGE


def sensors(work: Work) -> list[dg.SensorDefinition]:
    """Both sensors; they run by themselves wherever the daemon does."""
    return [_failed_runs(work), _checks_and_freshness(work)]


def _failed_runs(work: Work) -> dg.SensorDefinition:
    @dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=30)
    def tell_of_failed_runs(context: dg.RunFailureSensorContext) -> None:
        """Raises an alert for each run that failed, in the words of the error at the bottom of it."""
        run = context.dagster_run
        alert = Alert(
            cause=RUN,
            about=(run.job_name, _month(run.tags)),
            opened=_ended_at(context.instance, run.run_id),
            says=_why(context.instance, run) or context.failure_event.message or "no step says why",
            severity=Severity.WARNING,
            decided="nothing downstream of it ran, and the release before goes on answering",
            link=f"{work.settings.ui_url}/runs/{run.run_id}",
        )
        tell(work.settings, work.dataset.name, [partial(news_of, alert)], at=now())

    return tell_of_failed_runs


def _checks_and_freshness(work: Work) -> dg.SensorDefinition:
    @dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=60)
    def tell_of_checks_and_freshness(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Raises and ends alerts by what was checked since the last time, and sends again what did not go out."""
        cursor = json.loads(context.cursor) if context.cursor else _from_now_on(context.instance)
        still_open = open_alerts(work.settings, work.dataset.name)
        changes, cursor = _changes(work, context.instance, cursor, {alert.key for alert in still_open})
        changes += [_end(alert.key, at) for alert in still_open if (at := _recovered_at(context.instance, alert))]
        tell(work.settings, work.dataset.name, changes, at=now())
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(f"{len(changes)} changes of alerts")

    return tell_of_checks_and_freshness


def _why(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Every step that failed, in the words of its error or of the check that stopped it."""
    failures = Failures(run.job_name)
    for entry in instance.all_logs(run.run_id, of_type={CHECKED, dg.DagsterEventType.STEP_FAILURE}):
        failures.note(entry.get_dagster_event())
    return failures.found


def _from_now_on(instance: dg.DagsterInstance) -> dict[str, int]:
    """A cursor behind everything that has happened so far: what is over is not told of."""
    newest = {kind: _records(instance, kind, newest=1) for kind in (CHECKED, FRESHNESS)}
    return {kind.value: records[0].storage_id if records else 0 for kind, records in newest.items()}


def _changes(
    work: Work, instance: dg.DagsterInstance, cursor: Mapping[str, int], still_open: set[str]
) -> tuple[list[Change], dict[str, int]]:
    """What the events after the cursor change, the newest of each cause, and the cursor behind them."""
    newest: dict[str, Change] = {}
    moved = dict(cursor)
    for kind in (CHECKED, FRESHNESS):
        for record in _records(instance, kind, after=moved[kind.value]):
            moved[kind.value] = record.storage_id
            alert, is_wrong = _alert(work, instance, record)
            if is_wrong:
                newest[alert.key] = partial(news_of, alert)
            elif is_wrong is False and (alert.key in still_open or alert.key in newest):
                newest[alert.key] = _end(alert.key, alert.opened)
    return list(newest.values()), moved


def _alert(work: Work, instance: dg.DagsterInstance, record: dg.EventLogRecord) -> tuple[Alert, bool | None]:
    """What an event is about, and whether it is wrong, right (False) or neither (None)."""
    is_check = record.event_log_entry.dagster_event_type is CHECKED
    return _checked(work, instance, record) if is_check else _freshness(work, record)


def _checked(work: Work, instance: dg.DagsterInstance, record: dg.EventLogRecord) -> tuple[Alert, bool | None]:
    check: Any = record.event_log_entry.get_dagster_event().event_specific_data
    name = f"{check.check_name} of {check.asset_key.to_user_string()}"
    run = instance.get_run_by_id(record.run_id)
    alert = Alert(
        cause=CHECK,
        about=(name, check.partition or _month(run.tags if run else {})),
        opened=_moment(record.timestamp),
        says=check.description or f"the check {name} failed",
        severity=Severity.WARNING,
        link=f"{work.settings.ui_url}/assets/{'/'.join(check.asset_key.path)}?view=checks",
    )
    is_told_here = not check.blocking and check.severity is dg.AssetCheckSeverity.ERROR
    return alert, False if check.passed else True if is_told_here else None


def _freshness(work: Work, record: dg.EventLogRecord) -> tuple[Alert, bool | None]:
    change: Any = record.event_log_entry.get_dagster_event().event_specific_data
    name = change.key.to_user_string()
    alert = Alert(
        cause=LATE,
        about=(name,),
        opened=_moment(change.state_change_timestamp),
        says=f"{name} is later than its freshness policy allows",
        severity=Severity.WARNING,
        link=f"{work.settings.ui_url}/assets/{'/'.join(change.key.path)}",
    )
    return alert, {"FAIL": True, "PASS": False}.get(change.new_state.value)


def _recovered_at(instance: dg.DagsterInstance, alert: Alert) -> str:
    """When a run succeeded that had failed before, empty where none did since."""
    if alert.cause != RUN:
        return ""
    succeeded = dg.RunsFilter(job_name=alert.about[0], statuses=[dg.DagsterRunStatus.SUCCESS])
    runs = instance.get_run_records(succeeded, limit=RUNS_LOOKED_AT)
    ends = [_moment(run.end_time) for run in runs if run.end_time and _month(run.dagster_run.tags) == alert.about[1]]
    return max((end for end in ends if end > alert.seen), default="")


def _records(
    instance: dg.DagsterInstance, kind: dg.DagsterEventType, *, after: int | None = None, newest: int | None = None
) -> Sequence[dg.EventLogRecord]:
    """Events of a kind: the next ones after a cursor, or the newest."""
    # the instance's own public way knows materializations and runs, and no checks
    return instance.event_log_storage.get_event_records(
        dg.EventRecordsFilter(kind, after_cursor=after), limit=newest or EVENTS_AT_ONCE, ascending=newest is None
    )


def _end(key: str, at: str) -> Change:
    return partial(news_of_end, key, at)


def _month(tags: Mapping[str, str]) -> str:
    """The month of a run, or its months."""
    first, last = (tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end"))
    return tags.get("dagster/partition") or (f"{first} to {last}" if first else SEVERAL)


def _ended_at(instance: dg.DagsterInstance, run_id: str) -> str:
    record = instance.get_run_record_by_id(run_id)
    return _moment(record.end_time) if record and record.end_time else f"{now():%Y-%m-%d %H:%M:%S}"


def _moment(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S}"
