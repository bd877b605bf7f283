"""The experiment record for people, in MLflow. The only module that imports it.

Nothing that decides or answers reads it back. So a record that fails (a locked database, a full disk) is a warning: the
month's release and call list must not wait for it, and every figure of it is in the lake as well.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from pipeline.bootstrap import Interval
from pipeline.candidates import RECORD_FILE, Run
from pipeline.evaluation import Evaluation
from pipeline.lake import write_json
from pipeline.release import Release
from pipeline.scoring import MODEL_FILE
from pipeline.training import TRUSTED_TYPES, FittedRung

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # "1" is ignored
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
REQUIREMENTS = ("scikit-learn", "skops", "pandas")  # named, so that MLflow does not spend seconds inferring them
LONGEST_PARAMETER = 500

logger = logging.getLogger(__name__)


def tracking_url(root: Path | UPath) -> str:
    """Where a dataset's experiments are kept: MLFLOW_TRACKING_URI where it is set, else a file in the dataset's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow' / 'mlflow.db'}"


def artifacts_url(root: Path | UPath) -> str:
    """Where their files are kept; MLflow's own default would be the current folder."""
    return Path(str(root / "mlflow" / "artifacts")).as_uri()


def model_name(dataset: str) -> str:
    """The name of a dataset's model in the registry."""
    return f"churn-{dataset}"


def recorded_rung(run: Run, rung: FittedRung, *, dagster_run_id: str) -> str:
    """Record how a rung was fitted, with the object itself in its safe format; returns what came of it."""
    (run.rung_folder(rung.name) / RECORD_FILE).unlink(missing_ok=True)  # the record of an earlier fit is not this one's

    def record(mlflow: Any, experiment: str) -> str:
        with mlflow.start_run(experiment_id=experiment, run_name=f"{run.key} {rung.name}") as active:
            mlflow.set_tags({"rung": rung.name, "month": run.key, "dagster_run_id": dagster_run_id})
            mlflow.log_params({name: str(value)[:LONGEST_PARAMETER] for name, value in _parameters(run, rung).items()})
            for step, tried in enumerate(rung.search):
                mlflow.log_metric("search_log_loss", tried["log_loss"], step=step)
            mlflow.log_input(_dataset(mlflow, run), context="training")
            mlflow.log_artifact(str(run.rung_folder(rung.name) / MODEL_FILE), "release")
            if rung.estimator is not None:
                _log_model(mlflow, rung)
        write_json(run.rung_folder(rung.name) / RECORD_FILE, active.info.run_id)
        return f"run {active.info.run_id}"

    return _recorded(run, record)


def recorded_evaluation(run: Run, evaluation: Evaluation, plots: Mapping[str, bytes]) -> str:
    """Add every metric with its interval to the runs of the rungs, and the plots to the chosen one's."""

    def record(mlflow: Any, experiment: str) -> str:
        client = mlflow.MlflowClient()
        for rung, metrics in evaluation.rungs.items():
            client.log_batch(run.mlflow_run_id(rung), metrics=_metrics(mlflow, metrics))
        chosen = run.mlflow_run_id(evaluation.verdict.rung)
        for name in plots:
            client.log_artifact(chosen, str(run.folder / f"{name}.png"), "plots")
        return f"experiment {experiment}"

    return _recorded(run, record)


def recorded_candidate(run: Run, release: Release) -> str:
    """Enter the candidate in the registry as challenger; the release's id and digest are its tags."""

    def record(mlflow: Any, experiment: str) -> str:
        client, name = mlflow.MlflowClient(), model_name(run.dataset.name)
        run_id = run.mlflow_run_id(release.manifest.rung)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=run.dataset.description)
        models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
        source = f"models:/{models[0].model_id}" if models else f"runs:/{run_id}/release"  # the rule is no sklearn model
        tags = {"release": release.id, "digest": release.digest, "month": run.key}
        version = client.create_model_version(name, source, run_id, tags=tags).version
        client.set_registered_model_alias(name, "challenger", str(version))
        return f"{name} version {version}"

    return _recorded(run, record)


def recorded_promotion(run: Run, *, is_promoted: bool) -> str:
    """Give the challenger the champion's alias where the gate let it pass."""

    def record(mlflow: Any, experiment: str) -> str:  # noqa: ARG001
        client, name = mlflow.MlflowClient(), model_name(run.dataset.name)
        version = client.get_model_version_by_alias(name, "challenger").version
        if is_promoted:
            client.set_registered_model_alias(name, "champion", str(version))
        return f"{name} version {version} is {'champion' if is_promoted else 'challenger'}"

    return _recorded(run, record)


def _recorded(run: Run, record: Callable[[Any, str], str]) -> str:
    """Record, or say why not."""
    try:
        return record(*_opened(run))
    except Exception as error:  # whatever MLflow raises: see the module's docstring
        logger.warning("MLflow has no record of this step: %s", error, exc_info=True)
        return f"not recorded: {type(error).__name__}: {str(error)[:200]}"


def _opened(run: Run) -> tuple[Any, str]:
    """MLflow with the dataset's own store, and the id of its experiment."""
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})  # read at its import
    import mlflow

    root = run.lake.root
    (root / "mlflow").mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_url(root))
    found = mlflow.get_experiment_by_name(run.dataset.name)
    if found is not None:
        return mlflow, str(found.experiment_id)
    return mlflow, str(mlflow.create_experiment(run.dataset.name, artifact_location=artifacts_url(root)))


def _parameters(run: Run, rung: FittedRung) -> dict[str, Any]:
    split = run.split
    rows = {"train_rows": len(split.train), "calibration_rows": len(split.calibration), "test_rows": len(split.test)}
    return dict(rung.parameters) | rows | {"seed": run.settings.seed, "data_version": run.data_version}


def _log_model(mlflow: Any, rung: FittedRung) -> None:
    import mlflow.sklearn as flavour

    flavour.log_model(
        rung.estimator,
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


def _dataset(mlflow: Any, run: Run) -> Any:
    """The training rows as MLflow's dataset: name, digest and schema; the rows themselves stay in the lake."""
    rows, source = run.split.train.head(100), str(run.lake.root / "features")
    return mlflow.data.from_pandas(rows, name=run.dataset.name, digest=run.data_version[:36], source=source)
