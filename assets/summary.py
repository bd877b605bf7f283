"""What a run came to: as one object for a machine, as tables for a person."""

import hashlib
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.candidates import Run
from pipeline.errors import ReleaseError
from pipeline.labels import matured
from pipeline.lake import Layer
from pipeline.pointer import current_release
from pipeline.profile import preview, rows_of_file
from pipeline.release import Release

FIRST = 5  # customers of the call list that are shown
LISTED = ("rank", "customer_id", "churn_probability", "expected_value", "reason_1", "suggested_action")
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
    rows = summary["rows"]
    console.print(f"\n[bold]{summary['dataset']}[/], month {summary['month']}")
    console.print(
        f"rows in {rows['in']:,} = trusted {rows['trusted']:,} + quarantined {rows['quarantined']:,}; judged on "
        f"{summary['test']['rows']:,} rows of {', '.join(summary['test']['snapshots'])}"
    )
    console.print(_rungs(summary))
    for reason in summary["verdict"]["reasons"]:
        console.print(f"  {reason}", highlight=False)
    decision = summary["decision"]
    console.print(f"[bold]gate[/]: {'promoted' if decision['promoted'] else 'refused'} {summary['candidate']}")
    for reason in decision["reasons"]:
        console.print(f"  {reason}", highlight=False)
    answers = summary["release"]["id"] or "none yet: the service answers with the rule"
    console.print(f"[bold]release[/]: {answers}", highlight=False)
    listed = summary["call_list"]
    console.print(f"[bold]call list[/]: {listed['customers']:,} customers in {listed['path']}", soft_wrap=True)
    console.print(_first(listed["first"]))


def _first(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in LISTED:
        is_text = name in ("customer_id", "reason_1", "suggested_action")
        table.add_column(name.replace("_", " "), justify="left" if is_text else "right")
    for row in rows:
        table.add_row(*(str(row[name]) for name in LISTED))
    return table


def _rungs(summary: dict[str, Any]) -> Table:
    table = Table(title=None, box=None, pad_edge=False)
    table.add_column("rung")
    for name in SHOWN:
        unit = f" ({summary['currency']} a month)" if name == "profit" else ""
        table.add_column(name.replace("_", " ") + unit, justify="right")
    for rung, figures in summary["rungs"].items():
        table.add_row(rung, *(_cell(figures[name], money=name == "profit") for name in SHOWN))
    return table


def _cell(interval: dict[str, Any], *, money: bool) -> str:
    if interval["value"] is None:
        return "-"
    form = "{:,.0f}" if money else "{:.4f}"
    value, low, high = (form.format(interval[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


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
