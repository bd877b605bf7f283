"""The prediction log: one schema for batch and online, nothing lost, nothing twice. Over SQLite and PostgreSQL."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

import pipeline.spool
from pipeline.errors import ChurnError
from pipeline.feature_kinds import Field
from pipeline.lake import lake_of
from pipeline.prediction_log import (
    Prediction,
    absorb,
    append,
    log_batch,
    logged_features,
    predictions_table,
    read_batch,
    read_predictions,
)
from pipeline.settings import Settings
from pipeline.state import state_engine
from tests import races

POSTGRES_URL = os.environ.get("CHURN_TEST_POSTGRES_URL")
RELEASE = "2024-06-0123456789ab"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "postgresql" and not POSTGRES_URL:
        pytest.skip("no PostgreSQL: set CHURN_TEST_POSTGRES_URL to an empty database")
    url = SecretStr(str(POSTGRES_URL)) if request.param == "postgresql" else None
    settings = Settings(home=str(tmp_path), state_url=url)
    made = state_engine(settings, lake_of(settings, "little"))
    predictions_table().drop(made, checkfirst=True)
    yield made
    made.dispose()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "little"


def prediction(name: str, **changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "id": name,
        "predicted_at": datetime(2024, 7, 2, 12, 30, 15, 250_000),
        "dataset": "little",
        "source": "online",
        "probability": 0.25,
        "expected_value": 12.5,
        "contact": True,
        "decision_reason": "contact",
        "release": RELEASE,
        "served_by": "champion",
        "features": {"price": 30.0, "region": "north", "usage": None},
        "request_id": "r1",
    }
    return Prediction(**(values | changes))


def batch(count: int, **changes: Any) -> list[Prediction]:
    values = {"source": "batch", "snapshot": "2024-06"} | changes
    return [prediction(f"{values.get('release', RELEASE)}-{i}", customer_id=f"c{i}", **values) for i in range(count)]


def test_what_the_service_noted_is_read_back_as_it_was(engine: sa.Engine, root: Path) -> None:
    noted = prediction("1", served_by="rule", fallback_reason="model damaged", expected_value=None)
    append(root, [noted])
    log = read_predictions(engine, "little", root=root)
    row = log.iloc[0].replace({np.nan: None}).to_dict()
    assert Prediction(**(row | {"predicted_at": row["predicted_at"].to_pydatetime()})) == noted


def test_batch_and_online_rows_have_the_same_columns(engine: sa.Engine, root: Path) -> None:
    append(root, [prediction("online")])
    log_batch(engine, batch(1), dataset="little", snapshot="2024-06", release=RELEASE)
    log = read_predictions(engine, "little", root=root)
    assert sorted(log["source"]) == ["batch", "online"]
    assert list(log.columns) == [column.name for column in predictions_table().columns]


def test_a_month_that_runs_again_replaces_its_rows_and_nobody_elses(engine: sa.Engine) -> None:
    def log(rows: list[Prediction], snapshot: str = "2024-06", release: str = RELEASE) -> None:
        log_batch(engine, rows, dataset="little", snapshot=snapshot, release=release)

    log(batch(3))
    log(batch(2, release="2024-05-aaaaaaaaaaaa"), release="2024-05-aaaaaaaaaaaa")
    log(batch(2, snapshot="2024-05", release="2024-04-bbbbbbbbbbbb"), "2024-05", "2024-04-bbbbbbbbbbbb")
    log(batch(2, probability=0.5))
    assert read_predictions(engine, "little", release=RELEASE)["probability"].tolist() == [0.5, 0.5]
    assert len(read_predictions(engine, "little", month="2024-06")) == 4
    assert len(read_predictions(engine, "little", month="2024-05")) == 2
    assert len(read_predictions(engine, "another")) == 0


def test_a_batch_that_fails_half_way_changes_nothing(engine: sa.Engine) -> None:
    log_batch(engine, batch(2), dataset="little", snapshot="2024-06", release=RELEASE)
    with pytest.raises(sa.exc.IntegrityError):
        log_batch(engine, batch(1) * 2, dataset="little", snapshot="2024-06", release=RELEASE)
    assert len(read_predictions(engine, "little")) == 2


def test_rows_are_found_by_month_by_release_and_by_source(engine: sa.Engine, root: Path) -> None:
    log_batch(engine, batch(2), dataset="little", snapshot="2024-06", release=RELEASE)
    append(root, [prediction("june", predicted_at=datetime(2024, 6, 30, 23, 59)), prediction("july")])
    assert len(read_predictions(engine, "little", root=root, month="2024-06")) == 3
    assert read_predictions(engine, "little", month="2024-07")["id"].tolist() == ["july"]
    assert read_predictions(engine, "little", source="online")["id"].tolist() == ["june", "july"]
    assert len(read_predictions(engine, "little", month="snapshot")) == 0


def test_logged_features_come_back_as_models_expect_them(engine: sa.Engine, root: Path) -> None:
    append(root, [prediction("1"), prediction("2", features={"price": None, "region": None})])
    fields = [Field(name="price", kind="number"), Field(name="region", kind="category")]
    frame = logged_features(read_predictions(engine, "little", root=root), fields)
    assert frame["price"].dtype == np.float64
    assert frame["price"].tolist() == [30.0, pytest.approx(np.nan, nan_ok=True)]
    assert frame["region"].tolist() == ["north", None]


def test_a_prediction_that_is_spooled_twice_is_one_row(engine: sa.Engine, root: Path) -> None:
    append(root, [prediction("1")])
    assert absorb(root, engine).rows == 1
    append(root, [prediction("1"), prediction("2")])
    absorb(root, engine)
    assert read_predictions(engine, "little")["id"].tolist() == ["1", "2"]


def test_text_that_databases_refuse_is_cleaned_and_not_lost(engine: sa.Engine, root: Path) -> None:
    append(root, [prediction("1", customer_id="a\0b\ud800", features={"region": "n\0", "usage": float("nan")})])
    row = read_predictions(engine, "little", root=root).iloc[0]
    assert (row["customer_id"], row["features"]) == ("ab?", {"region": "n", "usage": None})


def test_a_line_cut_short_is_kept_apart_and_costs_no_other(engine: sa.Engine, root: Path) -> None:
    append(root, [prediction("1")])
    with (root / "spool" / "predictions.jsonl").open("ab") as file:
        file.write(b'{"id": "cut off')
    append(root, [prediction("2")])
    absorbed = absorb(root, engine)
    assert (absorbed.rows, absorbed.unreadable) == (2, (b'{"id": "cut off\n',))
    assert (root / "spool" / "predictions.unreadable").read_bytes() == b'{"id": "cut off\n'
    assert absorb(root, engine).rows == 0


@pytest.mark.parametrize(
    "line", [b"null", b"[]", b"{}", b"\xff", b'{"id": 1, "predicted_at": "yesterday"}', b"[" * 99_999]
)
def test_a_line_that_is_no_prediction_is_kept_apart(engine: sa.Engine, root: Path, line: bytes) -> None:
    append(root, [prediction("1")])
    with (root / "spool" / "predictions.jsonl").open("ab") as file:
        file.write(line + b"\n")
    absorbed = absorb(root, engine)
    assert (absorbed.rows, len(absorbed.unreadable)) == (1, 1)


def test_a_database_that_fails_loses_nothing(engine: sa.Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(root, [prediction("1")])

    def down(*arguments: object) -> None:
        raise ConnectionError("the database is down")

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.prediction_log._insert_lines", down)
        with pytest.raises(ConnectionError):
            absorb(root, engine)
    append(root, [prediction("2")])
    assert absorb(root, engine).rows == 2


def test_a_kill_between_the_commit_and_the_removal_writes_nothing_twice(
    engine: sa.Engine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(root, [prediction("1")])

    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            absorb(root, engine)
    absorb(root, engine)
    assert len(read_predictions(engine, "little")) == 1
    assert list((root / "spool").glob("predictions-*")) == []


def test_a_spool_that_nobody_comes_for_stops_before_it_fills_the_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.spool, "LARGEST_SPOOL_BYTES", 1000)
    append(root, [prediction("1")])
    with pytest.raises(ChurnError, match="at most 1,000 bytes waiting"):
        append(root, [prediction(str(i)) for i in range(9)])


def test_nothing_is_lost_while_several_processes_write_and_one_absorbs(engine: sa.Engine, root: Path) -> None:
    spawn = multiprocessing.get_context("forkserver")
    writers = [
        spawn.Process(target=races.write, args=(root, replace(prediction("0"), id=f"w{i}"), 60)) for i in range(3)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        absorb(root, engine)
        time.sleep(0.01)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(read_predictions(engine, "little", root=root)) == 3 * 60


def test_a_month_of_twenty_thousand_customers_is_logged_quickly(engine: sa.Engine) -> None:
    rows = batch(20_000)
    before = time.process_time()
    assert log_batch(engine, rows, dataset="little", snapshot="2024-06", release=RELEASE) == 20_000
    assert time.process_time() - before < 1.5  # seconds of this process, so that a busy machine does not fail the test


def test_sqlite_lets_readers_and_a_writer_work_at_once(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path))
    made = state_engine(settings, lake_of(settings, "little"))
    with made.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
    made.dispose()


def test_an_object_store_without_a_database_is_refused() -> None:
    settings = Settings(home="memory://home")
    with pytest.raises(ChurnError, match="CHURN_STATE_URL"):
        state_engine(settings, lake_of(settings, "little"))


def test_whoever_was_called_was_called_by_a_release_of_the_month_or_before(engine: sa.Engine) -> None:
    later = "2024-09-0123456789ab"
    for release, day in ((RELEASE, 2), (later, 30)):
        told = batch(2, release=release, predicted_at=datetime(2024, 9, day))
        log_batch(engine, told, dataset="little", snapshot="2024-06", release=release)
    assert set(read_batch(engine, "little", "2024-06")["release"]) == {RELEASE}
