"""The experiment record for people, in MLflow. The only module that imports it.

Nothing that decides or answers reads it back. So a record that fails (a locked database, a full disk) is a warning: the
month's release and call list must not wait for it, and every figure of it is in the lake as well.
"""

import functools
import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import pandas as pd
from upath import UPath

from pipeline.bootstrap import Interval
from pipeline.lake import write_json
from pipeline.model_file import MODEL_FILE
from pipeline.training import TRUSTED_TYPES

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # "1" is ignored
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
REQUIREMENTS = ("scikit-learn", "skops", "pandas")  # named, so that MLflow does not spend seconds inferring them
LONGEST_PARAMETER = 500

RECORD_FILE = "mlflow.json"  # beside a rung of a month: the id of its MLflow run
P = ParamSpec("P")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Where a month of a dataset is recorded: the dataset's folder in the lake, and words for people."""

    root: Path
    dataset: str
    description: str
    key: str

    def rung_folder(self, rung: str) -> Path:
        """Where a rung of the month lies."""
        return self.root / "reports" / self.key / "rungs" / rung

    def run_id(self, rung: str) -> str:
        """The MLflow run of a rung of the month; empty where its fit was not recorded."""
        path = self.rung_folder(rung) / RECORD_FILE
        return str(json.loads(path.read_bytes())) if path.exists() else ""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a rung was fitted. `head` shows what the training rows look like; the rows themselves stay in the lake."""

    rung: str
    estimator: Any
    parameters: Mapping[str, Any]
    search: Sequence[Mapping[str, Any]]
    tags: Mapping[str, str]
    head: pd.DataFrame
    data_version: str


def tracking_url(root: Path | UPath) -> str:
    """Where a dataset's experiments are kept: MLFLOW_TRACKING_URI where it is set, else a file of the dataset."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow' / 'mlflow.db'}"


def artifacts_url(root: Path | UPath) -> str:
    """Where their files are kept; MLflow's own default would be the current folder."""
    return Path(str(root / "mlflow" / "artifacts")).as_uri()


def model_name(dataset: str) -> str:
    """The name of a dataset's model in the registry."""
    return f"churn-{dataset}"


def told(record: Callable[P, str]) -> Callable[P, str]:
    """The same function, which says what went wrong instead of raising it."""

    @functools.wraps(record)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> str:
        try:
            return record(*args, **kwargs)
        except Exception as error:  # whatever MLflow raises: see the module's docstring
            logger.warning("MLflow has no record of this step", exc_info=True)
            return f"not recorded: {type(error).__name__}: {str(error)[:200]}"

    return guarded


@told
def open_store(ledger: Ledger) -> str:
    """Import MLflow and make the store and the experiment where they are not there yet."""
    return f"experiment {_opened(ledger)[1]}"


@told
def record_rung(ledger: Ledger, fit: Fit) -> str:
    """One MLflow run with parameters, the search, the dataset and the fitted object."""
    mlflow, experiment = _opened(ledger)
    with mlflow.start_run(experiment_id=experiment, run_name=f"{ledger.key} {fit.rung}") as active:
        mlflow.set_tags(fit.tags)
        mlflow.log_params({name: str(value)[:LONGEST_PARAMETER] for name, value in fit.parameters.items()})
        for step, tried in enumerate(fit.search):
            mlflow.log_metric("search_log_loss", tried["log_loss"], step=step)
        mlflow.log_input(_dataset(mlflow, ledger, fit), context="training")
        mlflow.log_artifact(str(ledger.rung_folder(fit.rung) / MODEL_FILE), "release")
        if fit.estimator is not None:
            _log_model(fit.estimator)
    write_json(UPath(ledger.rung_folder(fit.rung) / RECORD_FILE), active.info.run_id)
    return f"{fit.rung}: run {active.info.run_id}"


@told
def record_evaluation(
    ledger: Ledger, rungs: Mapping[str, Mapping[str, Interval]], chosen: str, plots: Sequence[str]
) -> str:
    """Metrics for every rung's run, pictures for the chosen one's."""
    mlflow, _ = _opened(ledger)
    client = mlflow.MlflowClient()
    runs = {rung: run_id for rung in rungs if (run_id := ledger.run_id(rung))}
    for rung, run_id in runs.items():
        client.log_batch(run_id, metrics=_metrics(mlflow, rungs[rung]))
    for path in plots:
        client.log_artifact(runs[chosen], path, "plots")
    return f"metrics of {', '.join(runs)}"


@told
def record_candidate(ledger: Ledger, rung: str, tags: Mapping[str, str]) -> str:
    """A new version of the registered model, which is the challenger."""
    mlflow, experiment = _opened(ledger)
    client, name, run_id = mlflow.MlflowClient(), model_name(ledger.dataset), ledger.run_id(rung)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=ledger.description)
    models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    source = f"models:/{models[0].model_id}" if models else f"runs:/{run_id}/release"  # the rule is no sklearn model
    version = client.create_model_version(name, source, run_id, tags=dict(tags)).version
    client.set_registered_model_alias(name, "challenger", str(version))
    return f"{name} version {version}: challenger"


@told
def record_promotion(ledger: Ledger, is_promoted: bool) -> str:
    """The alias that says which version answers."""
    mlflow, _ = _opened(ledger)
    client, name = mlflow.MlflowClient(), model_name(ledger.dataset)
    version = str(client.get_model_version_by_alias(name, "challenger").version)
    if is_promoted:
        client.set_registered_model_alias(name, "champion", version)
    return f"{name} version {version}: {'champion' if is_promoted else 'not promoted'}"


def _opened(ledger: Ledger) -> tuple[Any, str]:
    """MLflow with the dataset's own store, and the id of its experiment."""
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})  # read at its import
    import mlflow

    (ledger.root / "mlflow").mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_url(ledger.root))
    found = mlflow.get_experiment_by_name(ledger.dataset)
    if found is not None:
        return mlflow, str(found.experiment_id)
    return mlflow, str(mlflow.create_experiment(ledger.dataset, artifact_location=artifacts_url(ledger.root)))


def _log_model(estimator: Any) -> None:
    import mlflow.sklearn

    mlflow.sklearn.log_model(
        estimator,
        name="model",
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED_TYPES),
        pip_requirements=list(REQUIREMENTS),
        pyfunc_predict_fn="predict_proba",
    )


def _metrics(mlflow: Any, metrics: Mapping[str, Interval]) -> list[Any]:
    """Each figure and both ends of its interval; MLflow has no place for one that does not exist."""
    at = int(time.time() * 1000)
    figures = {
        f"{name}{end}": value
        for name, interval in metrics.items()
        for end, value in (("", interval.value), ("_low", interval.low), ("_high", interval.high))
    }
    return [mlflow.entities.Metric(n, v, at, 0) for n, v in figures.items() if v is not None and math.isfinite(v)]


def _dataset(mlflow: Any, ledger: Ledger, fit: Fit) -> Any:
    """The training rows as MLflow's dataset: name, digest and schema."""
    source = str(ledger.root / "features")
    return mlflow.data.from_pandas(fit.head, name=ledger.dataset, digest=fit.data_version[:36], source=source)
