"""The Dagster instance of a dataset: its own folder, so that what ran can be looked at in the UI afterwards."""

import logging
import os
from pathlib import Path

from pipeline.declaration import Dataset
from pipeline.lake import lake_of, write_atomically
from pipeline.settings import Settings

DAGSTER_YAML = b"""\
# Written once by `churn`; yours to change.
telemetry:
  enabled: false
concurrency:
  pools:
    default_limit: 1 # two months never promote at once
  runs:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true # a killed run would stay "started" for ever
"""


def prepare_instance(dataset: Dataset, settings: Settings) -> Path:
    """Make the dataset's Dagster home and say so to this process and its children; returns the folder."""
    from upath import UPath

    home = Path(str(lake_of(settings, dataset.name).root)) / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        write_atomically(UPath(home / "dagster.yaml"), DAGSTER_YAML)
    os.environ.update(child_environment(settings) | {"DAGSTER_HOME": str(home)})
    return home


def child_environment(settings: Settings) -> dict[str, str]:
    """What a process started by us needs to see the same settings."""
    own = {
        "CHURN_HOME": str(settings.root()),
        "CHURN_DATASET": settings.dataset,
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "BENTOML_DO_NOT_TRACK": "True",  # no other spelling counts
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return own


def log_to_file(home: Path) -> None:
    """Send what libraries have to say to a file beside the instance: the terminal is for the answer."""
    handler = logging.FileHandler(home / "churn.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(capture=True)
