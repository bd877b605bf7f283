"""The code location: what Dagster shows, and what it does with the tables of a company of four customers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from assets.definitions import build_definitions, defs
from assets.failures import Failures
from assets.jobs import CLOSE_MONTH, HISTORY, LIFE_CYCLE
from assets.run import RANGE_END, RANGE_START
from assets.validation import CONTRACT
from assets.work import RETRAIN
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings
from tests.little_company import CUSTOMERS, PAYMENTS, ROWS, RowsInMemory, day, little_company, rows_of

FIXED = {
    "features": {"customer_features", "feature_sketch", "matured_labels"},
    "training": {"rule_baseline", "logistic_model", "boosting_model"},
    "evaluation": {"evaluation", "decay_curve", "candidate_release", "promotion_decision"},
    "release": {"current_release"},
    "batch": {"call_list"},
    "serving": {"bento"},
    "monitoring": {
        "data_health",
        "feature_drift",
        "score_drift",
        "estimated_performance",
        "realised_performance",
        "model_staleness",
        "serving_skew",
        "monitoring_decision",
    },
    "service": {"service_health"},
}
NEGATIVE = ("p9", "a", -1.0, "paid", day("2024-02-20"), day("2024-02-20"))  # one of two payments of February


def source_of(rows: dict[str, list[Any]]) -> RowsInMemory:
    """Raw rows as they were delivered: each in the month in which it became known."""
    source, dataset = RowsInMemory(), little_company()
    for table in dataset.tables:
        known = [column.name for column in table.columns].index(str(table.known_at))
        for key in dataset.calendar.keys():
            of_month = [row for row in rows[table.name] if f"{row[known]:%Y-%m}" == key]
            source.rows[table.name, key] = rows_of(table, of_month)
    return source


def company(**changes: Any) -> Dataset:
    """The little company, whose tables may be empty in a month."""
    tables = tuple(replace(table, may_be_empty=True) for table in little_company().tables)
    return little_company(**({"tables": tables, "source": source_of(ROWS)} | changes))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), threads=1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run_history(
    dataset: Dataset, settings: Settings, instance: dg.DagsterInstance, first: str, last: str
) -> dg.ExecuteInProcessResult:
    job = build_definitions(dataset, settings).resolve_job_def(HISTORY)
    tags = {RANGE_START: first, RANGE_END: last}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def raised(result: dg.ExecuteInProcessResult) -> str:
    failures = Failures(HISTORY)
    for event in result.all_events:
        failures.note(event)
    with pytest.raises(ChurnError) as error:
        failures.raise_if_any()
    return str(error.value)


def lake(dataset: Dataset, settings: Settings) -> Lake:
    return lake_of(settings, dataset.name)


# ---- what is shown


@pytest.mark.parametrize("name", ["simulated", "telco", "tv"])
def test_everything_that_is_shipped_loads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_DATASET", name)
    dg.Definitions.validate_loadable(defs())


def test_every_asset_is_found_by_its_name_in_the_file_of_its_group(settings: Settings) -> None:
    graph = build_definitions(company(), settings).resolve_asset_graph()
    by_group: dict[str, set[str]] = {}
    for key in graph.materializable_asset_keys:
        by_group.setdefault(str(graph.get(key).group_name), set()).add(key.to_user_string())
    tables = {"customers", "events", "payments"}
    tables_by_group = {"ingestion": {f"raw_{t}" for t in tables}, "validation": {f"trusted_{t}" for t in tables}}
    assert by_group == FIXED | tables_by_group
    assert all((Path(__file__).parents[1] / "assets" / f"{group}.py").exists() for group in by_group)


@pytest.mark.parametrize("name", ["promotion_decision", "current_release", "call_list"])
def test_neither_a_release_nor_a_list_waits_for_monitoring_which_may_fail(settings: Settings, name: str) -> None:
    graph = build_definitions(company(), settings).resolve_asset_graph()
    decision = dg.AssetKey("monitoring_decision")
    assert decision not in graph.get_ancestor_asset_keys(dg.AssetKey(name))
    assert dg.AssetKey(name) not in graph.get_ancestor_asset_keys(decision)


def test_every_asset_says_what_it_is_whose_it_is_and_by_which_code(settings: Settings) -> None:
    graph = build_definitions(company(), settings).resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, key
        assert [owner for owner in node.owners if owner.startswith("team:")], key
        assert node.code_version, key
        assert node.kinds, key
        assert node.is_partitioned, key


def test_every_declared_month_is_a_partition_whatever_the_clock_says(settings: Settings) -> None:
    graph = build_definitions(company(), settings).resolve_asset_graph()
    months = graph.get(dg.AssetKey("call_list")).partitions_def
    assert months is not None
    for now in (datetime(2024, 2, 15, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)):
        assert months.get_partition_keys(current_time=now) == [f"2024-0{month}" for month in range(1, 7)]


def test_a_dataset_without_time_has_one_partition_and_no_month_that_closes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_DATASET", "tv")
    definitions = defs()
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey("call_list")).partitions_def
    assert partitions is not None
    assert partitions.get_partition_keys() == ["snapshot"]
    assert [schedule.name for schedule in definitions.schedules or []] == ["daily"]  # the service has days all the same


def test_there_is_a_job_for_each_stage_and_one_for_everything(settings: Settings) -> None:
    definitions = build_definitions(company(), settings)
    names = {job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    assert names == {
        *("ingest", "validate", "features", "train", "evaluate", "release", "batch", "monitor"),
        *(HISTORY, LIFE_CYCLE, CLOSE_MONTH, RETRAIN, "watch_service"),
    }
    everything = definitions.resolve_job_def(LIFE_CYCLE).asset_layer.executable_asset_keys
    daily = dg.AssetKey("service_health")  # months have no part of it
    assert everything | {daily} == set(definitions.resolve_asset_graph().materializable_asset_keys)


def test_the_code_version_of_features_changes_with_their_declaration(settings: Settings) -> None:
    def version(dataset: Dataset) -> str | None:
        graph = build_definitions(dataset, settings).resolve_asset_graph()
        return graph.get(dg.AssetKey("customer_features")).code_version

    fewer = little_company().features[:-1]
    assert version(company()) == version(company())
    assert version(company()) != version(company(features=fewer))


# ---- what is done


def test_a_backfill_is_one_run_that_writes_every_month_and_counts_its_rows(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    dataset = company()
    assert run_history(dataset, settings, instance, "2024-01", "2024-05").success
    found = lake(dataset, settings)
    assert found.keys("raw", "payments") == found.keys("trusted", "payments") == [f"2024-0{m}" for m in range(1, 6)]
    assert found.keys("features", "customers") == ["2024-02", "2024-03", "2024-04", "2024-05"]  # a month of history
    assert found.keys("labels", "customers") == ["2024-02", "2024-03", "2024-04"]  # May's ends in June
    rows = {
        record.partition_key: record.asset_materialization.metadata["dagster/row_count"].value
        for record in instance.fetch_materializations(dg.AssetKey("raw_payments"), limit=10).records
        if record.asset_materialization is not None
    }
    assert rows == {"2024-01": 1, "2024-02": 1, "2024-03": 2, "2024-04": 1, "2024-05": 0}


def test_the_same_months_again_have_the_same_data_version(settings: Settings, instance: dg.DagsterInstance) -> None:
    versions = []
    for _ in range(2):
        assert run_history(company(), settings, instance, "2024-01", "2024-02").success
        event = instance.get_latest_materialization_event(dg.AssetKey("trusted_events"))
        assert event is not None
        assert event.asset_materialization is not None
        versions.append((event.asset_materialization.tags or {})["dagster/data_version"])
    assert versions[0] == versions[1]


def test_a_bad_row_goes_to_quarantine_with_a_warning_and_the_run_goes_on(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    payments = replace(PAYMENTS, max_quarantined_share=0.9)
    source = source_of(ROWS | {"payments": [*ROWS["payments"], NEGATIVE]})
    dataset = company(tables=(*company().tables[:2], payments), source=source)
    result = run_history(dataset, settings, instance, "2024-01", "2024-02")
    assert result.success
    evaluations = {
        check.check_name: check
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey("trusted_payments")
    }
    broken = evaluations["amount_is_in_range"]
    assert (broken.passed, broken.severity, broken.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert evaluations[CONTRACT].passed
    quarantined = lake(dataset, settings).read("quarantine", "payments", "2024-02").to_pylist()
    assert [(row["payment_id"], row["amount"]) for row in quarantined] == [("p9", "-1")]


def test_a_broken_contract_stops_what_is_downstream_and_says_what_and_when(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    dataset = company(source=source_of(ROWS | {"payments": [*ROWS["payments"], NEGATIVE]}))
    result = run_history(dataset, settings, instance, "2024-01", "2024-02")
    assert not result.success
    said = raised(result)
    assert "trusted_payments" in said
    assert "month 2024-02: quarantined_share: expected at most 0.02 of the rows, found 0.5" in said
    assert lake(dataset, settings).keys("features", "customers") == []
    assert not any(event.is_step_start and event.step_key == "customer_features" for event in result.all_events)


def test_a_source_that_cannot_be_read_fails_with_its_own_words_and_leaves_the_file_before(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    dataset = company()
    assert run_history(dataset, settings, instance, "2024-01", "2024-01").success
    before = lake(dataset, settings).path("raw", CUSTOMERS.name, "2024-01").read_bytes()

    class Broken(RowsInMemory):
        def read(self, *args: Any) -> pa.Table:
            raise ChurnError("file x.csv", expected="a header", found="nothing", remedy="Export it again.")

    result = run_history(company(source=Broken()), settings, instance, "2024-01", "2024-01")
    said = raised(result)
    assert "raw_customers" in said
    assert said.count("file x.csv: expected a header; found nothing. Export it again.") == 1
    assert lake(dataset, settings).path("raw", CUSTOMERS.name, "2024-01").read_bytes() == before
