"""The experiment record for people, in MLflow. The only module that imports it.

Nothing that decides or answers reads it back: a run whose record fails still releases, and says that the record failed.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.bootstrap import Interval
from pipeline.candidates import Run
from pipeline.evaluation import Evaluation
from pipeline.lake import write_json
from pipeline.training import TRUSTED_TYPES, FittedRung

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "ALEMBIC_LOG_LEVEL": "WARNING",
}
REQUIREMENTS = ("scikit-learn", "skops", "pandas")  # named, so that MLflow does not spend seconds inferring them


def tracking_url(run_root: Path) -> str:
    """Where a dataset's experiments are kept."""
    return f"sqlite:///{run_root / 'mlflow' / 'mlflow.db'}"


def recorded_rung(run: Run, rung: FittedRung, *, dagster_run_id: str) -> str:
    """Record how a rung was fitted, with the object itself in its safe format; says where, or why not."""

    def record(mlflow: Any, experiment: str) -> str:
        with mlflow.start_run(experiment_id=experiment, run_name=f"{run.key} {rung.name}") as active:
            mlflow.set_tags({"rung": rung.name, "month": run.key, "dagster_run_id": dagster_run_id})
            mlflow.log_params({**rung.parameters, "train_rows": len(run.split.train)})
            for step, tried in enumerate(rung.search):
                mlflow.log_metric("search_log_loss", tried["log_loss"], step=step)
            mlflow.log_input(_dataset(mlflow, run), context="training")
            if rung.estimator is not None:
                _log_model(mlflow, rung)
        write_json(run.folder / "rungs" / rung.name / "mlflow.json", active.info.run_id)
        return f"run {active.info.run_id}"

    return _recorded(run, record)


def recorded_evaluation(run: Run, evaluation: Evaluation, plots: Mapping[str, bytes]) -> str:
    """Add every metric with its interval to the runs of the rungs, and the plots to the chosen one's."""

    def record(mlflow: Any, experiment: str) -> str:
        client = mlflow.MlflowClient()
        for rung, metrics in evaluation.rungs.items():
            client.log_batch(run_id_of(run, rung), metrics=_metrics(mlflow, metrics))
        chosen = run_id_of(run, evaluation.verdict.rung)
        for name in plots:
            client.log_artifact(chosen, str(run.folder / f"{name}.png"), "plots")
        return f"experiment {experiment}"

    return _recorded(run, record)


def recorded_release(run: Run, *, is_champion: bool) -> str:
    """Enter the candidate in the registry as challenger, and as champion where the gate let it pass."""

    def record(mlflow: Any, experiment: str) -> str:
        client, name = mlflow.MlflowClient(), f"churn-{run.dataset.name}"
        run_id = run_id_of(run, run.evaluation().verdict.rung)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
        source = f"models:/{models[0].model_id}" if models else f"runs:/{run_id}"
        tags = {"release": run.read("candidate.json")["release"], "month": run.key}
        version = client.create_model_version(name, source, run_id, tags=tags).version
        for alias in ("challenger", "champion") if is_champion else ("challenger",):
            client.set_registered_model_alias(name, alias, str(version))
        return f"{name} version {version}"

    return _recorded(run, record)


def run_id_of(run: Run, rung: str) -> str:
    """The MLflow run of a rung of the month."""
    return str(json.loads((run.folder / "rungs" / rung / "mlflow.json").read_bytes()))


def _recorded(run: Run, record: Callable[[Any, str], str]) -> str:
    """Record, or say why not: a locked database must cost a month its record, never its call list."""
    try:
        return record(*_opened(run))
    except Exception as error:
        logging.getLogger(__name__).warning("MLflow has no record of this step: %s", error, exc_info=True)
        return f"not recorded: {type(error).__name__}: {str(error)[:200]}"


def _log_model(mlflow: Any, rung: FittedRung) -> None:
    mlflow.sklearn.log_model(
        rung.estimator,
        name="model",
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED_TYPES),
        pip_requirements=list(REQUIREMENTS),
        pyfunc_predict_fn="predict_proba",
    )


def _metrics(mlflow: Any, metrics: Mapping[str, Interval]) -> list[Any]:
    at = int(time.time() * 1000)
    figures = {
        f"{name}{end}": value
        for name, interval in metrics.items()
        for end, value in (("", interval.value), ("_low", interval.low), ("_high", interval.high))
    }
    return [mlflow.entities.Metric(n, v, at, 0) for n, v in figures.items() if v is not None and math.isfinite(v)]


def _opened(run: Run) -> tuple[Any, str]:
    """MLflow with the dataset's own store, and the id of its experiment."""
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    import mlflow
    import mlflow.sklearn

    root = Path(str(run.lake.root))
    (root / "mlflow").mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_url(root))
    found = mlflow.get_experiment_by_name(run.dataset.name)
    if found is not None:
        return mlflow, str(found.experiment_id)
    artifacts = (root / "mlflow" / "artifacts").as_uri()  # MLflow's default would be the current folder
    return mlflow, str(mlflow.create_experiment(run.dataset.name, artifact_location=artifacts))


def _dataset(mlflow: Any, run: Run) -> Any:
    """The training rows as MLflow's dataset: name, digest and schema; the rows themselves stay in the lake."""
    head: pd.DataFrame = run.split.train.head(100)
    return mlflow.data.from_pandas(
        head, name=run.dataset.name, digest=run.data_version[:36], source=str(run.lake.root / "features")
    )
