"""The command line. Each command imports what it needs when it runs, so that `churn --help` answers at once."""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from cyclopts import App, Parameter
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from assets import cli_bench, cli_release
from assets.chosen import chosen, with_dataset
from assets.instance import child_environment
from pipeline.errors import ChurnError

app = App(
    name="churn",
    version=lambda: version("churn-pipeline"),
    help="Which customers should we contact this month, and is our model good enough to decide it?",
)
app.command(cli_release.app)
app.command(cli_bench.app)

DatasetName = Annotated[str | None, Parameter(help="simulated, telco, tv, or the path of a module of yours")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="one JSON object on standard output, nothing else")]


@app.command
def run(*, dataset: DatasetName = None, month: str | None = None, as_json: AsJson = False) -> None:
    """Run the life cycle of one month: tables, features, labels, models, gate, release, call list, Bento.

    Args:
        dataset: which company's data.
        month: YYYY-MM; the newest by default. Months before it that were never run are ingested first.
        as_json: for a machine.
    """
    from assets.run import run_month
    from assets.terminal import progress_bar

    declared, settings = chosen(dataset)
    key = month or declared.calendar.last
    with progress_bar(is_quiet=as_json) as progress:
        run_month(declared, settings, key, progress=progress)

    from assets.summary import show, summary_of
    from pipeline.candidates import Run

    summary = summary_of(Run(declared, settings, key))
    if as_json:
        print(json.dumps(summary, indent=2))  # noqa: T201
    else:
        show(summary, Console())


@app.command
def replay(*, scenario: str = "calm", months: int | None = None, as_json: AsJson = False) -> None:
    """Play months of production one after the other, and say what monitoring, retraining and the gate made of them.

    A replay that was interrupted goes on where it was. `churn up --dataset simulated_SCENARIO` shows it in Dagster.

    Args:
        scenario: calm, season, price_rise, competitor, new_market, broken_feed, slow_decay or campaign_feedback.
        months: how many to play; all by default.
        as_json: for a machine.
    """
    from assets.replay import replay as play
    from assets.report import write_report
    from assets.terminal import progress_bar
    from pipeline.simulator.scenarios import dataset_name

    declared, settings = chosen(dataset_name(scenario))
    with progress_bar(is_quiet=as_json) as progress:
        found = play(declared, settings, months=months or settings.replay_months, progress=progress)
    page = write_report(declared, settings)
    if as_json:
        print(json.dumps(found | {"report": str(page)}, indent=2))  # noqa: T201
    else:
        from assets.replay_summary import show

        show(found, page, Console())


@app.command
def report(*, scenario: str = "calm") -> None:
    """Write the page about a replay again; it needs no other file and no network.

    Args:
        scenario: which one was played.
    """
    from assets.report import write_report
    from pipeline.simulator.scenarios import dataset_name

    Console().print(f"report: {write_report(*chosen(dataset_name(scenario)))}", soft_wrap=True, highlight=False)


@app.command
def serve(*, dataset: DatasetName = None) -> None:
    """Answer requests on this machine until Ctrl-C."""
    settings = with_dataset(dataset)
    # the service takes this process's place: it needs none of what the command line has loaded
    os.execve(sys.executable, [sys.executable, "-m", "serving"], os.environ | child_environment(settings))  # noqa: S606


@app.command
def ask(*, dataset: DatasetName = None) -> None:
    """Start the service, ask it about the first customer of the call list, print the answer, stop it."""
    from assets.ask import ask_about_one

    declared, settings = chosen(dataset)
    with Console(stderr=True).status("asking the service"):
        question, answer = ask_about_one(declared, settings)
    console = Console()
    console.print("[bold]asked the service[/] POST /predict", highlight=False)
    console.print_json(json.dumps(question))
    console.print("[bold]it answered[/]")
    console.print_json(json.dumps(answer))


@app.command
def up(*, dataset: DatasetName = None) -> None:
    """Start the Dagster UI and daemon, the MLflow UI and the service, on loopback; Ctrl-C stops all of them."""
    from assets.up import run_everything

    run_everything(*chosen(dataset))


@app.command
def doctor(*, dataset: DatasetName = None, as_json: AsJson = False) -> None:
    """Say what is installed, where things are, what is wrong and how to mend it; exits with 1 where something is."""
    from assets.doctor import examine, show

    findings = examine(with_dataset(dataset))
    if as_json:
        print(json.dumps(findings, indent=2))  # noqa: T201
    else:
        show(findings, Console())
    sys.exit(0 if all(finding["ok"] for finding in findings) else 1)


def main() -> None:
    """Entry point: an error that a user can mend is a paragraph, not a traceback."""
    # threads that wait for each other by spinning stand still where cores are shared; read when the first fit begins
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(guarded(app))


def guarded(command: Callable[[], Any]) -> int:
    """Run a command; 0, or 1 with the message of a ChurnError on standard error, or 130 after Ctrl-C."""
    try:
        command()
    except ChurnError as error:
        return _refused(str(error))
    except ValidationError as error:
        return _refused("; ".join(_about_a_setting(found) for found in error.errors()))
    except KeyboardInterrupt:
        return 130
    return 0


def _refused(why: str) -> int:
    Console(stderr=True).print(f"[bold red]churn:[/] {escape(why)}", highlight=False, soft_wrap=True)
    return 1


def _about_a_setting(found: Any) -> str:
    name = "_".join(str(part) for part in found["loc"]).upper()
    return f"setting CHURN_{name}: expected another value; found {found['input']!r}. {found['msg']}."
