"""The sensor that does what monitoring decided, and tells people."""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

import pipeline.batch
from assets.acting import sensors
from assets.alarms import open_alerts
from assets.definitions import build_definitions
from assets.jobs import BATCH, LIFE_CYCLE, jobs
from assets.monitoring import DECISION
from assets.work import PARTITION, RETRAIN, Work
from pipeline.batch import build_call_list, write_month
from pipeline.candidates import Run
from pipeline.declaration import Dataset
from pipeline.lake import write_json
from pipeline.serving_order import order_rule, read_order
from pipeline.settings import Settings
from tests.little_company import little_company
from tests.watched_company import BEFORE, DATASET, GOOD, MADE_OF, NOW, crowned, live, score, watched

LOST = {"month": NOW, "kind": "realised_loss_beyond_margin", "says": "it lost to the rule", "about": []}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), bootstrap_rounds=100)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def decided(settings: Settings, action: str, *, starts_training: bool, evidence: list[dict[str, Any]]) -> None:
    """A decision on disk, and the evidence that led to it."""
    month = watched(settings)
    reasons = [each["says"] for each in evidence]
    decision = {
        "action": action,
        "month": NOW,
        "reasons": reasons,
        "since": NOW,
        "starts_training": starts_training,
    }
    release = month.release.id if month.release else ""
    month.write("decisions", {"decision": decision, "release": release, "evidence": evidence})
    month.write("realised", {"evidence": evidence})


def acting_of(dataset: Dataset, settings: Settings) -> list[dg.SensorDefinition]:
    work = Work(dataset, settings)
    return sensors(work, jobs(work))


def ticked(settings: Settings, instance: dg.DagsterInstance, *months: str, cursor: str | None = None) -> Any:
    """A tick of the sensor after decisions about `months`, in this order."""
    for month in months or (NOW,):
        instance.report_runless_asset_event(dg.AssetMaterialization(DECISION, partition=month))
    return tick(settings, instance, cursor)


def tick(settings: Settings, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    (sensor,) = acting_of(DATASET, settings)
    definitions = build_definitions(DATASET, settings)
    return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=definitions, cursor=cursor))


def decided_by(job: str, settings: Settings, instance: dg.DagsterInstance) -> str:
    """A run of a job that goes on, and has decided about the month."""
    definition = build_definitions(DATASET, settings).resolve_job_def(job)
    run = instance.create_run_for_job(job_def=definition, tags={PARTITION: NOW})
    made = dg.DagsterEvent(
        event_type_value="ASSET_MATERIALIZATION",
        job_name=job,
        event_specific_data=StepMaterializationData(dg.AssetMaterialization(DECISION, partition=NOW)),
    )
    instance.report_dagster_event(made, run.run_id)
    return str(run.run_id)


def trained(settings: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    """A training of the month that has come as far as that."""
    job = build_definitions(DATASET, settings).resolve_job_def(RETRAIN)
    run = instance.create_run_for_job(job_def=job, tags={PARTITION: NOW})
    kind = {dg.DagsterRunStatus.STARTED: "PIPELINE_START", dg.DagsterRunStatus.FAILURE: "PIPELINE_FAILURE"}[status]
    instance.report_dagster_event(dg.DagsterEvent(event_type_value=kind, job_name=RETRAIN, message=""), run.run_id)


def test_a_training_that_was_asked_for_is_started_for_its_month(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    (request,) = ticked(settings, instance).run_requests
    assert request.partition_key == NOW


def test_a_training_that_failed_is_started_again_by_the_next_decision_and_by_no_other_tick(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    first = ticked(settings, instance)
    trained(settings, instance, dg.DagsterRunStatus.FAILURE)
    again = ticked(settings, instance, cursor=first.cursor)
    assert len({request.run_key for each in (first, again) for request in each.run_requests}) == 2
    assert tick(settings, instance, again.cursor).run_requests == []


def test_a_training_that_goes_on_is_not_started_a_second_time(settings: Settings, instance: dg.DagsterInstance) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    trained(settings, instance, dg.DagsterRunStatus.STARTED)
    assert ticked(settings, instance).run_requests == []


def test_a_decision_is_carried_out_though_an_older_month_was_decided_again_before_the_next_tick(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    before = {"decision": {"action": "nothing", "month": BEFORE, "reasons": [], "since": BEFORE}, "release": ""}
    watched(settings, BEFORE).write("decisions", before)
    (request,) = ticked(settings, instance, NOW, BEFORE).run_requests
    assert request.partition_key == NOW


def test_a_run_that_trains_by_itself_is_not_followed_by_another_training(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    decided_by(LIFE_CYCLE, settings, instance)
    assert tick(settings, instance).run_requests == []


def test_a_month_whose_candidate_was_judged_is_not_trained_again(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    write_json(watched(settings).lake.root / "reports" / NOW / "decision.json", {})
    assert ticked(settings, instance).run_requests == []


def test_a_training_that_failed_with_the_run_that_decided_is_asked_for(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    run = decided_by(LIFE_CYCLE, settings, instance)
    failed = dg.DagsterEvent(event_type_value="PIPELINE_FAILURE", job_name=LIFE_CYCLE, message="")
    instance.report_dagster_event(failed, run)
    assert [request.job_name for request in tick(settings, instance).run_requests] == [RETRAIN]


def test_a_decision_that_cannot_be_read_is_told_and_does_not_hold_up_the_others(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    decided(settings, "retrain", starts_training=True, evidence=[])
    found = ticked(settings, instance, "2024-03", NOW)  # nothing is on disk of March
    assert [request.partition_key for request in found.run_requests] == [NOW]
    assert [alert.key for alert in open_alerts(settings, DATASET.name)] == ["decision not carried out: 2024-03"]


def test_a_list_by_who_was_stopped_is_made_again(settings: Settings, instance: dg.DagsterInstance) -> None:
    for key in (*MADE_OF, NOW):
        live(settings, key)
    score(settings, crowned(settings, GOOD), NOW)
    decided(settings, "fall_back", starts_training=True, evidence=[LOST])
    assert [request.job_name for request in ticked(settings, instance).run_requests] == [RETRAIN, BATCH]
    run = Run(DATASET, settings, NOW)
    write_month(run, at=datetime(2024, 9, 1))
    assert set(run.lake.read("scores", "customers", NOW)["served_by"].to_pylist()) == {"rule"}
    assert [request.job_name for request in ticked(settings, instance).run_requests] == [RETRAIN]


def test_a_list_is_made_again_where_the_rule_was_ordered_while_it_was_being_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (*MADE_OF, NOW):
        live(settings, key)
    release = crowned(settings, GOOD)
    made: list[str] = []

    def made_while_the_rule_is_ordered(*arguments: Any, **options: Any) -> Any:
        made.append(options["served_by"])
        order_rule(watched(settings).root, "it lost", month=NOW, generation=1)
        return build_call_list(*arguments, **options)

    monkeypatch.setattr(pipeline.batch, "build_call_list", made_while_the_rule_is_ordered)
    month = write_month(Run(DATASET, settings, NOW), at=datetime(2024, 9, 1))
    assert made == ["champion", "rule"]
    assert (month.answering.release.id, month.answering.served_by) == (release.id, "rule")
    assert set(watched(settings).lake.read("scores", "customers", NOW)["served_by"].to_pylist()) == {"rule"}


def test_a_list_that_a_later_month_has_followed_is_the_record_of_who_was_called_and_stays(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for key in (*MADE_OF, BEFORE, NOW):
        live(settings, key)
    score(settings, crowned(settings, GOOD), BEFORE)
    decided(settings, "fall_back", starts_training=False, evidence=[LOST])
    before = {"decision": {"action": "nothing", "month": BEFORE, "reasons": [], "since": BEFORE}, "release": ""}
    watched(settings, BEFORE).write("decisions", before)
    assert ticked(settings, instance, NOW, BEFORE).run_requests == []
    assert read_order(watched(settings).root) is not None


def test_a_list_that_cannot_be_read_is_told_and_the_training_starts(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for key in (*MADE_OF, NOW):
        live(settings, key)
    score(settings, crowned(settings, GOOD), NOW)
    watched(settings).lake.path("scores", "customers", NOW).write_bytes(b"damaged")
    decided(settings, "fall_back", starts_training=True, evidence=[LOST])
    assert [request.job_name for request in ticked(settings, instance).run_requests] == [RETRAIN]
    assert f"decision not carried out: {NOW}" in [alert.key for alert in open_alerts(settings, DATASET.name)]


def test_a_loss_stops_the_model_and_somebody_is_told_once(
    settings: Settings, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    for key in MADE_OF:
        live(settings, key)
    crowned(settings, GOOD)
    decided(settings, "fall_back", starts_training=False, evidence=[LOST])
    with caplog.at_level(logging.WARNING, logger="churn.alarms"):
        ticked(settings, instance)
        ticked(settings, instance)
    order = read_order(watched(settings).root)
    assert order is not None
    assert order.wants_rule
    assert [alert.says for alert in open_alerts(settings, DATASET.name)] == ["it lost to the rule"]
    assert sum("it lost to the rule" in record.getMessage() for record in caplog.records) == 1


def test_a_dataset_without_months_decides_nothing(settings: Settings) -> None:
    from pipeline.datasets.tv import DATASET as TV

    assert acting_of(TV, settings) == []
    assert len(acting_of(little_company(), settings)) == 1
