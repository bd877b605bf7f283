"""`churn bench`: the commands behind every figure that the README claims."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console, RenderableType

from assets.chosen import with_dataset

app = App(name="bench", help="Measure what the README claims; each prints its goals and whether they are met.")
DatasetName = Annotated[str | None, Parameter(help="simulated, telco, tv, or the path of a module of yours")]
Quick = Annotated[bool, Parameter(negative="", help="a look in seconds, too short to say whether goals are met")]
Retail = Annotated[Path | None, Parameter(env_var="CHURN_RETAIL_PATH", help="the Online Retail table, a Parquet file")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="one JSON object on standard output, nothing else")]


@app.command
def value(*, as_json: AsJson = False) -> None:
    """How much of the profit that the true probabilities would earn each rung earns, in the simulated company."""
    from assets.benchmarks import value_goals

    _told(lambda: value_goals(with_dataset("simulated")), as_json)


@app.command
def accuracy(*, dataset: DatasetName = "telco", as_json: AsJson = False) -> None:
    """Cross-validated ranking and log loss on a real dataset without time."""
    from assets.benchmarks import accuracy_goals

    _told(lambda: accuracy_goals(with_dataset(dataset)), as_json)


@app.command
def serving(*, dataset: DatasetName = None, as_json: AsJson = False) -> None:
    """How fast the service starts and answers, and what memory it takes."""
    from assets.benchmarks import serving_goals

    _told(lambda: serving_goals(with_dataset(dataset)), as_json)


@app.command
def replay(*, customers: int | None = None, as_json: AsJson = False) -> None:
    """Two years of production in four scenarios and three worlds each: what came of it; about an hour.

    What a replay came to is kept under `bench` and read from then on: remove it to measure other code.

    Args:
        customers: of each world, those of the README by default; with fewer, more is chance.
        as_json: for a machine.
    """
    from assets.replay_bench import replay_goals
    from assets.terminal import progress_bar

    with progress_bar(is_quiet=as_json) as progress:
        measured = replay_goals(with_dataset(None), customers=customers, progress=progress)
    _told(lambda: measured, as_json)


@app.command
def speed(*, as_json: AsJson = False) -> None:
    """How long two years of replay take."""
    from assets.replay_bench import speed_goals
    from assets.terminal import progress_bar

    with progress_bar(is_quiet=as_json) as progress:
        measured = speed_goals(with_dataset(None), progress=progress)
    _told(lambda: measured, as_json)


@app.command
def monitors(*, retail: Retail = None, quick: Quick = False, as_json: AsJson = False) -> None:
    """How often monitoring cries wolf and what it finds, beside the usual drift rules; about three minutes."""
    from assets.bench_monitoring import monitor_goals, rules_table
    from assets.terminal import progress_bar

    with progress_bar(is_quiet=as_json) as progress:
        found = monitor_goals(retail, is_quick=quick, progress=progress)
    _told(lambda: found, as_json, rules_table(found["rows"]))


@app.command
def estimates(*, quick: Quick = False, as_json: AsJson = False) -> None:
    """How well performance is estimated before labels are known, and what cannot be seen; about a minute."""
    from assets.bench_monitoring import estimate_goals, estimates_table
    from assets.terminal import progress_bar

    with progress_bar(is_quiet=as_json) as progress:
        found = estimate_goals(is_quick=quick, progress=progress)
    _told(lambda: found, as_json, estimates_table(found["rows"]))


@app.command(name="monitoring-cost")
def monitoring_cost(*, as_json: AsJson = False) -> None:
    """Processor time of all that monitors a month beside its features', at 100,000 customers; about two minutes."""
    from assets.bench_monitoring import cost_goals, cost_table
    from assets.terminal import progress_bar

    with progress_bar(is_quiet=as_json) as progress:
        found = cost_goals(with_dataset("simulated"), progress=progress)
    _told(lambda: found, as_json, cost_table(found["seconds"]))


@app.command(name="all")
def measure_all(*, telco: bool = True, production: bool = True, retail: Retail = None) -> None:
    """Run every dataset and every measurement, and write the results into the README; about an hour and a half.

    Args:
        telco: whether to include the telco table, which needs its CSV (CHURN_TELCO_PATH) or a network.
        production: whether to replay months of production and to judge the drift rules as well, most of the time.
        retail: the Online Retail table, for null months with the shapes of real customers.
    """
    from assets.benchmarks import measure_everything
    from assets.readme import results, write_section

    summaries, goals = measure_everything(["simulated", *(["telco"] if telco else []), "tv"])
    write_section("results", results(summaries, goals))
    if production:
        _measure_production(retail)


def _measure_production(retail: Path | None) -> None:
    from assets.bench_monitoring import cost_goals, estimate_goals, monitor_goals
    from assets.readme import of_production, write_section
    from assets.replay_bench import replay_goals, speed_goals
    from assets.terminal import progress_bar

    settings = with_dataset(None)  # once: a replay sets the environment for what it starts
    measures: dict[str, Callable[[Any], dict[str, Any]]] = {
        "replay": lambda progress: replay_goals(settings, progress=progress),
        "monitors": lambda progress: monitor_goals(retail, is_quick=False, progress=progress),
        "estimates": lambda progress: estimate_goals(is_quick=False, progress=progress),
        "monitoring-cost": lambda progress: cost_goals(settings, progress=progress),
        "speed": lambda progress: speed_goals(settings, progress=progress),
    }
    measured = {}
    for name, measure in measures.items():
        with progress_bar(is_quiet=False) as progress:
            measured[f"churn bench {name}"] = measure(progress)
    write_section("production", of_production(measured))


def _told(measure: Callable[[], dict[str, Any]], as_json: bool, table: RenderableType | None = None) -> None:
    with Console(stderr=True, quiet=as_json).status("measuring"):
        measured = measure()
    if as_json:
        print(json.dumps(measured, indent=2))  # noqa: T201
    else:
        console = Console()
        if table is not None:
            console.print(table)
        for left_out in measured.get("left_out", []):
            console.print(f"[yellow]left out[/] {left_out}", highlight=False)
        for goal in measured["goals"]:
            mark = "[green]met    [/]" if goal["met"] else "[red]not met[/]"
            reach = f" ({goal['low']:.4g} to {goal['high']:.4g})" if "low" in goal else ""
            measured_as = f"goal {goal['goal']}, measured {goal['measured']}{reach}"
            console.print(f"{mark} {goal['name']}: {measured_as}", highlight=False)
    sys.exit(0 if all(goal["met"] for goal in measured["goals"]) else 1)
