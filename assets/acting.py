"""Does what a month's decision says, and tells people: called by the sensor, and by the replay in its place.

A month's call list waits for no monitoring, which may fail. Where the decision moves who answers, the list is made
again by whoever does then.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.alarms import tell
from assets.jobs import BATCH, LIFE_CYCLE
from assets.monitoring import DECISION, WATCHERS
from assets.work import PARTITION, RETRAIN, Work, now
from pipeline.calendar import Monthly
from pipeline.errors import ChurnError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from monitoring.acting import Acted
    from monitoring.evidence import Evidence
    from monitoring.watched import WatchedMonth

EVENTS_AT_ONCE = 500
NOT_CARRIED_OUT = "decision not carried out"
STAYS = "everything stays as it is until the month is decided again"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
SHOWS = {  # the asset that shows a kind of evidence
    "drift": "feature_drift",
    "damage": "feature_drift",
    "score_drift": "score_drift",
    "estimated_loss": "estimated_performance",
    "skew": "serving_skew",
    "stale_model": "model_staleness",
    "no_release": "model_staleness",
    "volume": "data_health",
    "quarantine": "data_health",
}


def sensors(work: Work, jobs: Iterable[Any]) -> list[dg.SensorDefinition]:
    """`carry_out_decision`, which starts some of the `jobs`; a dataset without time decides nothing."""
    if not isinstance(work.dataset.calendar, Monthly):
        return []

    @dg.sensor(
        jobs=[job for job in jobs if job.name in (RETRAIN, BATCH)],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
    )
    def carry_out_decision(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """Tells people, orders who may answer, and starts the training that was asked for."""
        requests, said = list[dg.RunRequest](), list[str]()
        for record in _newest_of_each_month(context):
            try:
                wanted, done = _carried_out(work, context.instance, record)
            except ChurnError as error:  # it must not hold up the decisions of other months
                wanted, done = [], (str(error),)
                _tell_of(work, str(record.partition_key), error)
            # asked anew by each decision: one whose training failed may be taken again
            keys = {name: f"{name} {record.partition_key} {record.storage_id}" for name in wanted}
            requests += [dg.RunRequest(keys[name], partition_key=record.partition_key, job_name=name) for name in keys]
            said += done
            context.update_cursor(str(record.storage_id))
        return requests or dg.SkipReason("; ".join(said) or "nothing has to be done")

    return [carry_out_decision]


def _carried_out(
    work: Work, instance: dg.DagsterInstance, record: dg.EventLogRecord
) -> tuple[list[str], tuple[str, ...]]:
    """The jobs that a decision asks for, and what was done about it."""
    from monitoring.watched import WatchedMonth

    watched = WatchedMonth(work.dataset, work.settings, str(record.partition_key))
    acted = act(watched)
    is_asked = acted.starts_training and not (watched.is_trained or _will_be_trained(instance, record))
    try:
        again = must_list_again(watched, acted)
    except ChurnError as error:  # a list that cannot be read is no reason to forget the training
        _tell_of(work, watched.key, error, "the decision was carried out, and the call list stays as it is")
        again = False
    # the list too where a training will make it again: trainings fail
    return [RETRAIN] * is_asked + [BATCH] * again, acted.said


def _tell_of(work: Work, month: str, error: ChurnError, decided: str = STAYS) -> None:
    from monitoring.alerts import Alert, Severity, news_of

    alert = Alert(
        cause=NOT_CARRIED_OUT,
        about=(month,),
        opened=_moment(),
        says=str(error),
        severity=Severity.WARNING,
        decided=decided,
        link=f"{work.settings.ui_url}/assets/{DECISION}?partition={month}",
    )
    tell(work.settings, work.dataset.name, [partial(news_of, alert)], at=now())


def _moment() -> str:
    return f"{now():%Y-%m-%d %H:%M:%S}"


def _newest_of_each_month(context: dg.SensorEvaluationContext) -> list[dg.EventLogRecord]:
    """The decisions since the last tick, in their order: with only the newest, one of another month would be lost.

    Of several months at once, the last one counts: it knew what the others had decided, and what they saw and it does
    not is told to nobody.
    """
    after = int(context.cursor) if context.cursor else None
    wanted = dg.AssetRecordsFilter(dg.AssetKey(DECISION), after_storage_id=after)
    found = context.instance.fetch_materializations(wanted, limit=EVENTS_AT_ONCE, ascending=True)
    newest = {record.partition_key: record for record in found.records}
    return sorted(newest.values(), key=lambda record: record.storage_id)


def _will_be_trained(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> bool:
    """Whether a run that is not over, or the one that decided, has the month's candidate judged."""
    run = instance.get_run_by_id(record.run_id)
    trains_itself = run is not None and run.job_name == LIFE_CYCLE and run.status in UNFINISHED
    waiting = dg.RunsFilter(job_name=RETRAIN, tags={PARTITION: str(record.partition_key)}, statuses=UNFINISHED)
    return trains_itself or bool(instance.get_runs(waiting, limit=1))


def act(watched: "WatchedMonth") -> "Acted":
    """Carry out the decision of a month, and tell what is new; safe to repeat."""
    from monitoring.alerts import news_of_end, news_of_month
    from monitoring.decision_rules import DecisionRules
    from monitoring.month import act_on_month, decided_since, decision_of, evidence_of

    acted, decision = act_on_month(watched), decision_of(watched)
    mended = partial(news_of_end, f"{NOT_CARRIED_OUT}: {watched.key}", _moment())
    news = partial(
        news_of_month,
        watched.key,
        evidence_of(watched, watched.key),
        decision,
        currency=watched.dataset.economics.currency,
        link=partial(_link, watched.settings),
        quiet_months=DecisionRules().quiet_months,
    )
    is_news = decided_since(watched) is None  # what an old month shows when it is looked at again is none
    tell(watched.settings, watched.dataset.name, [news, mended] if is_news else [mended], at=now())
    return acted


def must_list_again(watched: "WatchedMonth", acted: "Acted") -> bool:
    """Whether something was done, and the month's list is by another than answers now.

    Not of a month that a later one has followed: its customers were called, and the list is the record of that.
    """
    from monitoring.month import decided_since
    from pipeline.batch import is_by_another
    from pipeline.candidates import Run

    if not acted.said or decided_since(watched):
        return False
    return is_by_another(Run(watched.dataset, watched.settings, watched.key))


def _link(settings: Settings, evidence: "Evidence") -> str:
    asset = SHOWS.get(evidence.kind, "realised_performance")
    assert asset in WATCHERS  # noqa: S101  (a table of this module)
    return f"{settings.ui_url}/assets/{asset}?partition={evidence.month}"
