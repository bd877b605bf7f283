"""Months of production, one after the other: begun again where they were cut short, repaired where a feed broke."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assets.replay import Stage, replay
from pipeline.datasets.registry import load_dataset
from pipeline.errors import ChurnError
from pipeline.pointer import POINTER_FILE
from pipeline.serving_order import order_rule, read_order
from pipeline.settings import Settings
from pipeline.simulator.feed import is_repaired
from tests.little_company import little_company

MONTH = "2025-04"
COMMAND = [sys.executable, "-c", "import sys; from assets.cli import main; sys.argv = ['churn', *sys.argv[1:]]; main()"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), dataset="simulated_broken_feed", replay_customers=300)


@pytest.fixture
def stage(settings: Settings) -> Stage:
    return Stage(load_dataset(settings), settings, None)  # type: ignore[arg-type]  (no run is started)


def test_only_a_scenario_can_be_played(tmp_path: Path) -> None:
    company = little_company()
    with pytest.raises(ChurnError, match="a scenario of the simulated company"):
        replay(company, Settings(home=str(tmp_path)), months=1, progress=lambda *_: None)


def test_a_month_that_was_cut_short_begins_with_the_pointer_and_the_order_that_it_began_with(stage: Stage) -> None:
    root = Path(str(stage.lake.root))
    pointer = root / "releases" / POINTER_FILE
    pointer.parent.mkdir(parents=True)
    pointer.write_text("as it was")
    stage._begin(MONTH)
    pointer.write_text("moved by the month")
    order_rule(root, "decided in the month", month=MONTH, generation=1)
    stage._begin(MONTH)
    assert pointer.read_text() == "as it was"
    assert read_order(root) is None


def test_a_month_that_follows_keeps_what_the_one_before_moved(stage: Stage) -> None:
    pointer = Path(str(stage.lake.root)) / "releases" / POINTER_FILE
    pointer.parent.mkdir(parents=True)
    pointer.write_text("as it was")
    stage._begin(MONTH)
    pointer.write_text("moved by the month")
    stage._begin("2025-05")
    assert pointer.read_text() == "moved by the month"


def test_a_feed_that_stops_a_month_is_repaired_once_and_the_month_run_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def close(key: str) -> None:
        runs.append(key)
        if len(runs) == 1:
            raise ChurnError("trusted_payments", expected="few bad rows", found="half of them", remedy="Repair it.")

    monkeypatch.setattr(stage, "_close", close)
    assert stage._closed(MONTH) == ["half of them"]
    assert runs == [MONTH, MONTH]
    assert is_repaired(stage.dataset.source.root(stage.settings), MONTH)  # type: ignore[attr-defined]


def test_a_month_that_fails_although_its_feed_was_repaired_is_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(key: str) -> None:
        raise ChurnError(key, expected="it to run", found="a fault of our own", remedy="Mend it.")

    monkeypatch.setattr(stage, "_close", close)
    with pytest.raises(ChurnError, match="a fault of our own"):
        stage._closed(MONTH)


def environment(home: Path) -> dict[str, str]:
    small = {"CHURN_REPLAY_CUSTOMERS": "2500", "CHURN_BOOTSTRAP_ROUNDS": "100", "CHURN_SEARCH_CANDIDATES": "1"}
    return os.environ | small | {"CHURN_HOME": str(home)}


def played(home: Path) -> dict[str, Any]:
    command = [*COMMAND, "replay", "--scenario", "calm", "--months", "2", "--json"]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    found.pop("report")
    return found


def killed(home: Path, when: Callable[[], bool]) -> None:
    command = [*COMMAND, "replay", "--scenario", "calm", "--months", "2", "--json"]
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL, start_new_session=True)
    while not when():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_a_replay_that_was_killed_twice_ends_with_the_same_figures(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    root = broken / "simulated_calm"
    killed(broken, (root / "features" / "customers" / f"{MONTH}.parquet").exists)  # tables, and nothing decided yet
    killed(broken, (root / "call_lists" / "customers" / "2025-05.parquet").exists)  # all but the last note
    assert not (root / "replay" / "2025-05.json").exists()
    assert played(broken) == played(whole)


def test_the_ordinary_months_begin_again_without_what_they_promoted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(str(stage.lake.root)) / "releases"
    found: list[bool] = []

    def cut_short(key: str) -> None:
        found.append((root / POINTER_FILE).exists())
        root.mkdir(parents=True, exist_ok=True)
        (root / POINTER_FILE).write_text("promoted by the month")
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "_run", lambda job, tags: None)
    monkeypatch.setattr(stage, "_close", cut_short)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            stage.warm_up()
    assert found == [False, False]
