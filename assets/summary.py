"""What a run came to: as one object for a machine, as tables for a person."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.candidates import Run
from pipeline.errors import ReleaseError
from pipeline.labels import matured
from pipeline.lake import Layer
from pipeline.pointer import current_release
from pipeline.profile import preview, rows_of_file
from pipeline.release import Release
from pipeline.scoring import RUNGS

LEAST_WIDTH = 100  # where no terminal says how wide it is, 80 is assumed: too little for three intervals
FIRST = 5  # customers of the call list that are shown
LISTED = {
    "rank": "rank",
    "customer_id": "customer",
    "churn_probability": "risk",
    "expected_value": "expected value",
    "reason_1": "strongest reason",
}
SHOWN = ("roc_auc", "pr_auc", "log_loss", "brier", "profit")


def summary_of(run: Run) -> dict[str, Any]:
    """Everything that `churn run --json` prints."""
    evaluation, decision, candidate = run.read("evaluation.json"), run.read("decision.json"), run.read("candidate.json")
    current = _current(run)
    return {
        "dataset": run.dataset.name,
        "month": run.key,
        "rows": {"in": _rows(run, "raw"), "trusted": _rows(run, "trusted"), "quarantined": _rows(run, "quarantine")},
        "test": {name: evaluation[name] for name in ("snapshots", "rows", "customers", "churners", "base_rate")},
        "rungs": {name: {m: _interval(figures[m]) for m in figures} for name, figures in evaluation["rungs"].items()},
        "verdict": evaluation["verdict"],
        "currency": evaluation["currency"],
        "decision": {
            "champion": current.id if current else None,
            "promoted": decision["promote"],
            "compared_with": decision["champion"],
            "reasons": decision["reasons"],
        },
        "candidate": candidate["release"],
        "release": {"id": current.id if current else None, "digest": current.digest if current else None},
        "call_list": _call_list(run),
        "digests": {
            "features": run.lake.digest("features", "customers", [*matured(run.dataset, run.key), run.key]),
            "metrics": hashlib.sha256((run.folder / "evaluation.json").read_bytes()).hexdigest(),
            "release": decision["digest"],
        },
    }


def _current(run: Run) -> Release | None:
    """The release that answers; None before the first promotion, and where it is damaged, which `doctor` tells."""
    try:
        return current_release(run.releases)
    except ReleaseError:
        return None


def _call_list(run: Run) -> dict[str, Any]:
    """Where the month's list lies, how long it is, and how it begins."""
    listed = run.lake.read("call_lists", "customers", run.key)
    path = run.lake.path("call_lists", "customers", run.key).with_suffix(".csv")
    return {"path": str(path), "customers": len(listed), "first": preview(listed, FIRST)}


def show(summary: dict[str, Any], console: Console) -> None:
    """Print a summary for a person."""
    rows, test = summary["rows"], summary["test"]
    console.width = max(console.width, LEAST_WIDTH)
    say = partial(console.print, highlight=False, soft_wrap=True)
    say(f"\n[bold]{summary['dataset']}[/], month {summary['month']}")
    say(f"[bold]rows[/]: {rows['in']:,} in = {rows['trusted']:,} trusted + {rows['quarantined']:,} quarantined")
    say(f"[bold]rungs[/] on {test['rows']:,} rows of {', '.join(test['snapshots'])}; profit in {summary['currency']}:")
    console.print(_rungs(summary))
    _say_each(say, summary["verdict"]["reasons"])
    decision = summary["decision"]
    say(f"[bold]gate[/]: {'promoted' if decision['promoted'] else 'refused'} {summary['candidate']}")
    _say_each(say, decision["reasons"])
    say(f"[bold]release[/]: {summary['release']['id'] or 'none yet: the service answers with the rule'}")
    listed = summary["call_list"]
    say(f"[bold]call list[/]: {listed['customers']:,} customers in {listed['path']}")
    console.print(_first(listed["first"]))


def _say_each(say: Callable[[str], None], reasons: Sequence[str]) -> None:
    for reason in reasons:
        say(f"  {escape(reason)}")


def _rungs(summary: dict[str, Any]) -> Table:
    """A line for each figure, a column for each rung, from the simplest on."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    rungs = [rung for rung in RUNGS if rung in summary["rungs"]]
    for rung in rungs:
        table.add_column(rung, justify="right", no_wrap=True)
    for name in SHOWN:
        cells = (_cell(summary["rungs"][rung][name], is_money=name == "profit") for rung in rungs)
        table.add_row(name.replace("_", " "), *cells)
    return table


def _cell(interval: dict[str, Any], *, is_money: bool) -> str:
    if interval["value"] is None or interval["low"] is None:
        return "not known"
    form = "{:,.0f}" if is_money else "{:.3f}"
    value, low, high = (form.format(interval[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _first(rows: list[dict[str, Any]]) -> Table:
    """The top of the call list; what does not fit is in the file."""
    table = Table(box=None, pad_edge=False)
    for name, words in LISTED.items():
        if name == "reason_1":
            table.add_column(words, no_wrap=True, overflow="ellipsis")
        else:
            longest = max((len(str(row[name])) for row in rows), default=0)
            table.add_column(words, no_wrap=True, min_width=max(longest, len(words)))
    for row in rows:
        table.add_row(*(escape(str(row[name])) for name in LISTED))
    return table


def _interval(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in ("value", "low", "high")}


def _rows(run: Run, layer: Layer) -> int:
    """Rows of every table and month up to the run's, from the files' footers."""
    return sum(
        rows_of_file(run.lake.path(layer, table.name, key))
        for table in run.dataset.tables
        for key in run.lake.keys(layer, table.name)
        if key <= run.key
    )
