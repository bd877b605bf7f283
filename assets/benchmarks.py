"""Measures what the README claims. Every function returns figures and `goals`: name, goal, measured, met."""

import http.client
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assets.run import run_month
from pipeline.calendar import SingleSnapshot
from pipeline.errors import ChurnError
from pipeline.settings import Settings

REQUESTS = 500
ACCURACY_GOALS: Mapping[str, tuple[tuple[str, str, float], ...]] = {  # dataset: (figure, at least or at most, goal)
    "telco": (("roc_auc", "at least", 0.845), ("log_loss", "at most", 0.417)),
    "tv": (("roc_auc", "at least", 0.69),),
}
SERVICE_GOALS = {"start_seconds": 4.0, "memory_mb": 250.0, "p50_ms": 3.0}


def value_goals(settings: Settings) -> dict[str, Any]:
    """The share of the best possible profit that each rung earns on the test months of the simulated company."""
    from pipeline.candidates import Run
    from pipeline.datasets.registry import load_dataset
    from pipeline.evaluation import evaluate_rungs
    from pipeline.scoring import RUNGS
    from pipeline.value_bench import value_captured_by

    settings = settings.model_copy(update={"dataset": "simulated"})
    dataset = load_dataset(settings)
    run = Run(dataset, settings, dataset.calendar.last)
    _run_once(run)
    evaluation = evaluate_rungs(dataset, run.split, {name: run.rung(name) for name in RUNGS}, settings)
    return value_captured_by(evaluation, run.lake.root)


def accuracy_goals(settings: Settings) -> dict[str, Any]:
    """Five-fold cross-validated ranking and log loss of each model on a dataset without time."""
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    from pipeline.candidates import Run
    from pipeline.datasets.registry import load_dataset
    from pipeline.splits import labelled_rows
    from pipeline.training import cross_validated

    dataset = load_dataset(settings)
    if not isinstance(dataset.calendar, SingleSnapshot):
        raise ChurnError(
            f"dataset {dataset.name}",
            expected="a dataset without time",
            found="one with months, where shuffled folds would let a model learn from later months",
            remedy="Its figures are those of `churn run`, on months later than the training.",
        )
    run = Run(dataset, settings, dataset.calendar.last)
    _run_once(run)
    rows = labelled_rows(dataset, run.lake, dataset.calendar.keys())
    churned, found = rows["churned"].to_numpy(), {}
    for name in ("logistic", "boosting"):
        p = cross_validated(name, dataset, rows, settings)  # type: ignore[arg-type]
        measures = {"roc_auc": roc_auc_score, "log_loss": log_loss, "brier": brier_score_loss}
        found[name] = {figure: float(measure(churned, p)) for figure, measure in measures.items()}
    return {"dataset": dataset.name, "rows": len(rows), "rungs": found, "goals": _accuracy(dataset.name, found)}


def serving_goals(settings: Settings) -> dict[str, Any]:
    """Time to start, memory of the process, and latency of single predictions one after the other."""
    from assets.ask import first_of_the_list, running_service
    from pipeline.datasets.registry import load_dataset

    body = json.dumps({"customers": [first_of_the_list(load_dataset(settings), settings)]}).encode()
    began = time.perf_counter()
    with running_service(settings) as (port, process_id):
        started = time.perf_counter() - began
        seconds = _latencies(port, body)
        memory = _memory_mb(process_id)
    cuts = statistics.quantiles(seconds, n=100)
    found = {"start_seconds": started, "memory_mb": memory, "p50_ms": 1000 * cuts[49], "p99_ms": 1000 * cuts[98]}
    goals = [_goal(name, "at most", goal, found[name]) for name, goal in SERVICE_GOALS.items()]
    return {"requests": len(seconds), **found, "goals": goals}


def measure_everything(datasets: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The summary of each dataset's newest month, and every goal by the command that measures it."""
    from assets.chosen import chosen
    from assets.summary import summary_of
    from pipeline.candidates import Run

    summaries, goals = [], {}
    for name in datasets:
        dataset, settings = chosen(name)
        run = Run(dataset, settings, dataset.calendar.last)
        _run_once(run)
        summaries.append(summary_of(run))
        if name in ACCURACY_GOALS:
            goals[f"churn bench accuracy --dataset {name}"] = accuracy_goals(settings)
    settings = chosen("simulated")[1]
    goals["churn bench value"] = value_goals(settings)
    goals["churn bench serving"] = serving_goals(settings)
    return summaries, goals


def _run_once(run: Any) -> None:
    """Run the month unless it was run before."""
    if not (run.folder / "decision.json").exists():
        run_month(run.dataset, run.settings, run.key, progress=lambda *_: None)


def _accuracy(dataset: str, found: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """The goals of a dataset, each met by its best model."""
    goals = []
    for figure, sense, goal in ACCURACY_GOALS.get(dataset, ()):
        best = (max if sense == "at least" else min)(figures[figure] for figures in found.values())
        goals.append(_goal(f"cross-validated {figure} of the best model", sense, goal, best))
    return goals


def _goal(name: str, sense: str, goal: float, measured: float) -> dict[str, Any]:
    met = measured >= goal if sense == "at least" else measured <= goal
    return {"name": f"{name}, {sense}", "goal": goal, "measured": measured, "met": bool(met)}


def _latencies(port: int, body: bytes) -> list[float]:
    """Seconds of each of many single predictions over one connection; the first few warm it up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seconds = []
    for _ in range(REQUESTS + 50):
        began = time.perf_counter()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        seconds.append(time.perf_counter() - began)
        if response.status != http.client.OK:
            raise ChurnError("POST /predict", expected="200", found=str(response.status), remedy="See `churn ask`.")
    return seconds[50:]


def _memory_mb(process_id: int) -> float:
    """Resident memory of a process (Linux)."""
    lines = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
