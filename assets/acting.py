"""Does what a month's decision says, and tells people: called by the sensor, and by the replay in its place."""

from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from assets.alarms import tell
from assets.jobs import LIFE_CYCLE
from assets.monitoring import DECISION, WATCHERS
from assets.work import RETRAIN, Work, now
from pipeline.calendar import Monthly
from pipeline.settings import Settings

if TYPE_CHECKING:
    from monitoring.acting import Acted
    from monitoring.decisions import Evidence
    from monitoring.watched import WatchedMonth

SHOWS = {  # the asset that shows a kind of evidence
    "drift": "feature_drift",
    "damage": "feature_drift",
    "score_drift": "score_drift",
    "estimated_loss": "estimated_performance",
    "skew": "serving_skew",
    "stale_model": "model_staleness",
    "volume": "data_health",
    "quarantine": "data_health",
}


def sensors(work: Work) -> list[dg.SensorDefinition]:
    """`carry_out_decision`; a dataset without time decides nothing."""
    if not isinstance(work.dataset.calendar, Monthly):
        return []

    @dg.asset_sensor(
        asset_key=dg.AssetKey(DECISION),
        job_name=RETRAIN,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
    )
    def carry_out_decision(
        context: dg.SensorEvaluationContext,
        event: dg.EventLogEntry,
    ) -> dg.RunRequest | dg.SkipReason:
        """Tells people, orders who may answer, and starts the training that was asked for."""
        from monitoring.watched import WatchedMonth

        key = str(event.get_dagster_event().partition)
        watched = WatchedMonth(work.dataset, work.settings, key)
        acted = act(watched)
        run = context.instance.get_run_by_id(event.run_id)
        trains_itself = run is not None and run.job_name == LIFE_CYCLE
        if acted.starts_training and not (watched.is_trained or trains_itself):
            return dg.RunRequest(run_key=f"{RETRAIN} {key}", partition_key=key)
        return dg.SkipReason("; ".join(acted.said) or "nothing has to be done")

    return [carry_out_decision]


def act(watched: "WatchedMonth") -> "Acted":
    """Carry out the decision of a month, and tell what is new; safe to repeat."""
    from monitoring.alerts import news_of_month
    from monitoring.decisions import DecisionRules
    from monitoring.month import act_on_month, decided_since, decision_of, evidence_of

    acted, decision = act_on_month(watched), decision_of(watched)
    if decided_since(watched):
        return acted  # what an old month shows when it is looked at again is no news
    news = partial(
        news_of_month,
        watched.key,
        evidence_of(watched, watched.key),
        decision,
        currency=watched.dataset.economics.currency,
        link=partial(_link, watched.settings),
        quiet_months=DecisionRules().quiet_months,
    )
    tell(watched.settings, watched.dataset.name, [news], at=now())
    return acted


def _link(settings: Settings, evidence: "Evidence") -> str:
    asset = SHOWS.get(evidence.kind, "realised_performance")
    assert asset in WATCHERS  # noqa: S101  (a table of this module)
    return f"{settings.ui_url}/assets/{asset}?partition={evidence.month}"
