"""What `churn run` does before and after a job: which months are missing, what is told, what is left behind."""

import contextlib
import os
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from pydantic import SecretStr

from assets.event_log import OpenSqliteEventLog
from assets.failures import Failures, reason
from assets.instance import open_instance, prepare_instance, quietly
from assets.run import execute, missing_history
from assets.work import PARTITION
from pipeline.errors import ChurnError, SourceError
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings
from tests.little_company import ROWS, file_by_month, little_company

DATASET = little_company()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DAGSTER_HOME", "CHURN_HOME", "CHURN_DATASET"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back what `prepare_instance` says to its children
    return Settings(home=str(tmp_path))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return lake_of(settings, DATASET.name)


# ---- the months before


def test_on_an_empty_home_every_earlier_month_is_missing(lake: Lake) -> None:
    assert missing_history(DATASET, lake, "2024-04") == ["2024-01", "2024-02", "2024-03"]
    assert missing_history(DATASET, lake, "2024-01") == []


def test_nothing_is_missing_where_tables_features_and_known_labels_are_there(lake: Lake) -> None:
    file_by_month(lake, DATASET, ROWS)
    for key in ("2024-02", "2024-03"):
        write_anything(lake, "features", key)
    write_anything(lake, "labels", "2024-02")  # the label of March is known when April closes, which is the run's own
    assert missing_history(DATASET, lake, "2024-04") == []


@pytest.mark.parametrize(("layer", "key"), [("trusted", "2024-03"), ("features", "2024-03"), ("labels", "2024-02")])
def test_from_the_first_month_that_lacks_a_table_on_everything_is_run_again(lake: Lake, layer: Any, key: str) -> None:
    file_by_month(lake, DATASET, ROWS)
    for month in ("2024-02", "2024-03"):
        write_anything(lake, "features", month)
    write_anything(lake, "labels", "2024-02")
    lake.path(layer, "events" if layer == "trusted" else "customers", key).unlink()
    first = "2024-02" if layer == "labels" else "2024-03"
    assert missing_history(DATASET, lake, "2024-04")[0] == first


def write_anything(lake: Lake, layer: Any, key: str) -> None:
    path = lake.path(layer, "customers", key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


# ---- a job in this process


@dg.op
def first() -> None:
    print("chatter")


@dg.op(ins={"start": dg.In(dg.Nothing)})
def second() -> None:
    raise SourceError("file x.csv", expected="a header", found="nothing", remedy="Export it again.")


@dg.op(ins={"start": dg.In(dg.Nothing)})
def third() -> None:
    """Never reached."""


@dg.job(executor_def=dg.in_process_executor)
def fine() -> None:
    first()


@dg.job(executor_def=dg.in_process_executor)
def broken() -> None:
    third(second(first()))


def test_a_run_is_told_step_by_step_kept_on_disk_and_silent(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    home, told = prepare_instance(DATASET, settings), list[tuple[str, int, int]]()
    with quietly(home), open_instance(home) as instance:
        assert isinstance(instance.event_log_storage, OpenSqliteEventLog)
        execute(fine, instance, lambda *step: told.append(step), {PARTITION: "2024-04"})
    assert told == [("", 0, 1), ("first", 1, 1)]
    assert capfd.readouterr() == ("", "")
    assert "chatter" in (home / "churn.log").read_text()
    with dg.DagsterInstance.get() as instance:  # as the web server opens it
        (run,) = instance.get_runs()
        assert (run.status, run.tags[PARTITION]) == (dg.DagsterRunStatus.SUCCESS, "2024-04")
        assert len(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)) == 1


def test_a_failed_run_raises_the_words_of_the_error_and_is_marked_as_failed(settings: Settings) -> None:
    home = prepare_instance(DATASET, settings)
    with quietly(home), open_instance(home) as instance:
        with pytest.raises(ChurnError) as raised:
            execute(broken, instance, lambda *_: None, {})
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    assert raised.value.found == "second: file x.csv: expected a header; found nothing. Export it again"


def test_the_event_log_is_one_file_that_others_may_read_while_it_is_written(settings: Settings) -> None:
    home = prepare_instance(DATASET, settings)
    with quietly(home), open_instance(home) as instance:
        execute(fine, instance, lambda *_: None, {})
        with sqlite3.connect(home / "event_log.db") as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert other.execute("select count(*) from event_logs").fetchone()[0] > 3


def test_events_that_come_together_are_stored_whole_or_not_at_all(settings: Settings) -> None:
    event = dg.EventLogEntry(None, level=10, user_message="", run_id="a run", timestamp=0.0)
    with open_instance(prepare_instance(DATASET, settings)) as instance:
        log = instance.event_log_storage
        with pytest.raises(Exception, match="not a EventLogEntry"):
            log.store_event_batch([event, None])  # type: ignore[list-item]
        assert log.get_logs_for_run("a run") == []
        log.store_event_batch([event, event])
        assert len(log.get_logs_for_run("a run")) == 2


def test_a_materialization_is_seen_at_once_wherever_it_was_stored_and_gone_when_it_was_wiped(
    settings: Settings,
) -> None:
    home, asset = prepare_instance(DATASET, settings), dg.AssetKey("rows")
    with open_instance(home) as ours, open_instance(home) as others:

        def seen() -> list[Any]:
            wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=["2024-04"])
            found = ours.fetch_materializations(wanted, limit=1)
            return [record.asset_materialization.metadata["by"].value for record in found.records]  # type: ignore[union-attr]

        def stored(instance: dg.DagsterInstance, by: str) -> None:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(asset, partition="2024-04", metadata={"by": by})
            )

        assert seen() == seen() == []
        for instance, by in ((ours, "us"), (others, "others"), (ours, "us again")):
            stored(instance, by)
            assert seen() == seen() == [by]
        ours.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=asset, check_name="is fine", passed=True))
        assert seen() == ["us again"]
        log = ours.event_log_storage
        assert isinstance(log, OpenSqliteEventLog)
        with contextlib.suppress(KeyError), log._in_one_transaction():
            stored(ours, "nobody")
            assert seen() == ["nobody"]
            raise KeyError  # so that it never was
        assert seen() == ["us again"]
        ours.wipe_assets([asset])
        assert seen() == []


def test_checks_do_not_have_the_same_materialization_read_again(settings: Settings) -> None:
    read = list[str]()
    with open_instance(prepare_instance(DATASET, settings)) as instance:
        log, wanted = instance.event_log_storage, dg.AssetRecordsFilter(asset_key=dg.AssetKey("rows"))
        assert isinstance(log, OpenSqliteEventLog)
        sa.event.listen(log._engine, "before_cursor_execute", lambda _c, _k, statement, *_: read.append(statement))
        for _ in range(3):
            instance.fetch_materializations(wanted, limit=1)
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(asset_key=dg.AssetKey("rows"), check_name="is fine", passed=True)
            )
    assert sum("FROM event_logs" in statement for statement in read) == 1


def test_what_the_user_changed_in_the_instance_is_kept(settings: Settings) -> None:
    home = prepare_instance(DATASET, settings)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    prepare_instance(DATASET, settings)
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_with_the_address_of_a_database_dagsters_stores_are_there_and_the_file_does_not_say_it(
    settings: Settings,
) -> None:
    address = SecretStr("postgresql://churn:secret@postgres/dagster")
    home = prepare_instance(DATASET, settings.model_copy(update={"dagster_url": address}))
    written = (home / "dagster.yaml").read_text()
    assert yaml.safe_load(written)["storage"] == {"postgres": {"postgres_url": {"env": "CHURN_DAGSTER_URL"}}}
    assert "Sqlite" not in written
    assert "secret" not in written


def test_pages_and_daemon_name_the_code_location_as_dg_does(settings: Settings) -> None:
    home = prepare_instance(DATASET, settings)
    (location,) = yaml.safe_load((home / "workspace.yaml").read_text())["load_from"]
    ours = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert location["python_module"]["location_name"] == ours["code_location_name"]
    assert location["python_module"]["module_name"] == ours["code_location_target_module"]


# ---- why it failed


def test_an_error_of_ours_is_found_beneath_those_of_dagster_and_another_is_told_with_its_type() -> None:
    result = broken.execute_in_process(raise_on_error=False)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert reason(event.step_failure_data.error).startswith("file x.csv: expected a header")
    assert reason(None) == ""


def test_a_run_without_a_failure_raises_nothing() -> None:
    Failures("life_cycle").raise_if_any()
