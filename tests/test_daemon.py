"""A month's end that nobody attends: the daemon sees the decision, starts the training, and the gate lets it answer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from assets.instance import child_environment, open_instance, prepare_instance
from assets.jobs import CLOSE_MONTH, HISTORY
from assets.replay import QUICK, Stage
from assets.run import RANGE_END, RANGE_START
from assets.work import PARTITION, RETRAIN
from pipeline.datasets.registry import load_dataset
from pipeline.pointer import read_pointer
from pipeline.settings import Settings

LONGEST_SECONDS = 240
SENSOR = "dagster/sensor_name"


@pytest.mark.slow
def test_a_decision_is_carried_out_by_the_daemon_alone(tmp_path: Path) -> None:
    quick = {name: value for name, value in QUICK.items() if value is not None}
    settings = Settings(home=str(tmp_path), dataset="simulated_calm", replay_customers=2_000, **quick)
    dataset = load_dataset(settings)
    home = prepare_instance(dataset, settings)
    with open_instance(home) as instance:
        stage = Stage(dataset, settings, instance)
        first, *_, last = stage.warmed()
        stage.world.live_until(last)
        stage._run(HISTORY, {RANGE_START: first, RANGE_END: last})
        stage._run(CLOSE_MONTH, {PARTITION: last})
        releases = tmp_path / dataset.name / "releases"
        assert read_pointer(releases) is None  # nothing has been trained yet: that is what monitoring sees
        daemon = _started(settings, home)
        try:
            run = _ended(instance)
        finally:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
    assert run.tags[SENSOR] == "carry_out_decision"
    assert (run.status, run.tags[PARTITION]) == (dg.DagsterRunStatus.SUCCESS, last)
    pointer = read_pointer(releases)
    assert pointer is not None
    assert pointer.release.startswith(last)
    listed = stage.lake.read("scores", "customers", last)
    assert set(listed["served_by"].to_pylist()) == {"champion"}


def _started(settings: Settings, home: Path) -> "subprocess.Popen[bytes]":
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "--workspace", str(home / "workspace.yaml")]
    given = {f"CHURN_{name.upper()}": str(getattr(settings, name)) for name in ("replay_customers", *QUICK)}
    environment = (
        os.environ | child_environment(settings) | {name: value for name, value in given.items() if value != "None"}
    )
    with (home / "daemon.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True)


def _ended(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """The training's run, once it is over."""
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        runs = instance.get_runs(dg.RunsFilter(job_name=RETRAIN), limit=1)
        if runs and runs[0].is_finished:
            return runs[0]
        time.sleep(1)
    raise AssertionError("no training ended in time")
