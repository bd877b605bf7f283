"""The Dagster instance of a dataset: its own folder, so that what ran can be looked at in the UI afterwards."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from pipeline.declaration import Dataset
from pipeline.lake import lake_of, write_atomically, write_json
from pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

SETTINGS = """\
# Written once by `churn`; yours to change.
telemetry:
  enabled: false
nux: # no dialog that asks for an address
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1 # months follow each other: each is compared with the champion that the one before left
    tag_concurrency_limits: # for whoever raises the number above: two months must never promote at once
      - {key: churn/promotes, limit: 1}
run_monitoring:
  enabled: true
  max_runtime_seconds: 21600 # a killed run would stay "started" for ever
"""
IN_FILES = """\
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config: {base_dir: {env: DAGSTER_HOME}}
event_log_storage: # Dagster's own takes four times as long
  module: assets.event_log
  class: OpenSqliteEventLog
  config: {base_dir: {env: DAGSTER_HOME}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {base_dir: {env: DAGSTER_HOME}}
"""
IN_POSTGRESQL = """\
storage:
  postgres:
    postgres_url: {env: CHURN_DAGSTER_URL}
"""
NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
LOG_NAME, WORKSPACE_NAME = "churn.log", "workspace.yaml"


def prepare_instance(dataset: Dataset, settings: Settings) -> Path:
    """Make the dataset's Dagster home and say so to this process and its children; returns the folder."""
    home = Path(str(lake_of(settings, dataset.name).root)) / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    write_json(UPath(home / WORKSPACE_NAME), _workspace())  # each time: a checkout may have moved
    if not (home / "dagster.yaml").exists():
        stores = IN_POSTGRESQL if settings.dagster_url else IN_FILES
        write_atomically(UPath(home / "dagster.yaml"), (SETTINGS + stores).encode())
    os.environ.update(child_environment(settings) | {"DAGSTER_HOME": str(home)})
    return home


def _workspace() -> dict[str, Any]:
    """The code location for the pages and the daemon, which find a run's by its name; `dg` has it in pyproject.toml.

    The folder says which `assets` is meant, whatever the current folder has.
    """
    where = {"module_name": "assets.definitions", "location_name": "churn"}
    return {"load_from": [{"python_module": where | {"working_directory": str(Path(__file__).parents[1])}}]}


def child_environment(settings: Settings) -> dict[str, str]:
    """What a process started by us needs to see the same settings."""
    return {
        "CHURN_HOME": str(settings.root()),
        "CHURN_DATASET": settings.dataset,
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DAGSTER_EVENT_BATCH_SIZE": "100",  # the events of many months are written together
        "BENTOML_DO_NOT_TRACK": "True",  # no other spelling counts
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def open_instance(home: Path) -> "dg.DagsterInstance":
    """The instance for a run in this process, whose output goes to `quietly`'s file and not to Dagster's."""
    import dagster as dg
    from dagster._core.instance import InstanceRef

    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"compute_logs": NO_COMPUTE_LOGS}))


@contextlib.contextmanager
def quietly(home: Path) -> Iterator[None]:
    """Send what libraries have to say to a file beside the instance: the terminal is for the answer."""
    with (home / LOG_NAME).open("a", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
        logging.captureWarnings(capture=True)
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield
        finally:
            logging.basicConfig(handlers=[logging.StreamHandler(sys.stderr)], level=logging.WARNING, force=True)
