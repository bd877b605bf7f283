"""What a run has recorded for people, by a process beside it: MLflow takes ten seconds, most of them to be imported."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline import tracking
from pipeline.candidates import Run
from pipeline.clerk import Clerk
from pipeline.evaluation import Evaluation
from pipeline.release import Release
from pipeline.tracking import Fit, Ledger
from pipeline.training import FittedRung

CLERK = Clerk()


def ledger_of(run: Run) -> Ledger:
    """Where a run is recorded."""
    dataset = run.dataset
    return Ledger(root=Path(str(run.lake.root)), dataset=dataset.name, description=dataset.description, key=run.key)


def prepare(run: Run) -> None:
    """Have MLflow imported and its store made while other things are done."""
    _give(run, tracking.open_store)


def recorded_rung(run: Run, rung: FittedRung, *, dagster_run_id: str) -> None:
    """Have it recorded how a rung was fitted, with the object itself in its safe format."""
    split = run.split
    rows = {"train_rows": len(split.train), "calibration_rows": len(split.calibration), "test_rows": len(split.test)}
    fit = Fit(
        rung=rung.name,
        estimator=rung.estimator,
        parameters=dict(rung.parameters) | rows | {"seed": run.settings.seed},
        search=rung.search,
        tags={"rung": rung.name, "month": run.key, "dagster_run_id": dagster_run_id},
        head=split.train.head(100),
        data_version=run.data_version,
    )
    (run.rung_folder(rung.name) / tracking.RECORD_FILE).unlink(missing_ok=True)  # that of an earlier fit
    _give(run, tracking.record_rung, fit)


def recorded_evaluation(run: Run, evaluation: Evaluation, plots: Iterable[str]) -> None:
    """Have every metric with its interval added to the runs of the rungs, and the plots to the chosen one's."""
    paths = [str(run.folder / f"{name}.png") for name in plots]
    _give(run, tracking.record_evaluation, dict(evaluation.rungs), evaluation.verdict.rung, paths)


def recorded_candidate(run: Run, release: Release) -> None:
    """Have the candidate entered in the registry as challenger; the release's id and digest are its tags."""
    tags = {"release": release.id, "digest": release.digest, "month": run.key}
    _give(run, tracking.record_candidate, release.manifest.rung, tags)


def recorded_promotion(run: Run, *, is_promoted: bool) -> None:
    """Have the challenger given the champion's alias where the gate let it pass."""
    _give(run, tracking.record_promotion, is_promoted)


def settled() -> list[str]:
    """Wait for what is being recorded; what came of each, failures in words."""
    return CLERK.settle()


def _give(run: Run, task: Callable[..., str], *arguments: Any) -> None:
    ledger = ledger_of(run)
    if run.settings.mlflow:
        CLERK.give(task, ledger, *arguments, log=ledger.root / "mlflow" / "record.log")
