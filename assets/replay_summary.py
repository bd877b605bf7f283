"""What a replay came to, for a person in a terminal."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitoring.hindsight import judged
from monitoring.replay_words import verdict
from pipeline.replay_outcome import BEST, outcome_of
from pipeline.wording import number, percent


def show(found: Mapping[str, Any], page: Any, console: Console) -> None:
    """The months that were not quiet, what each way earned, and where the page is."""
    say = partial(console.print, highlight=False, soft_wrap=True)
    months, values = found["months"], found["values"]
    say(f"\n[bold]{found['scenario']}[/]: {len(months)} months of {found['customers']:,} customers")
    say(escape(found["description"]))
    for month in months:
        said = _said(month)
        if said:
            say(f"[bold]{month['month']}[/] {said}")
    console.print(_ways(values, found["currency"]))
    say(verdict(outcome_of(found), judged(months, found["happened"])))
    say(f"[bold]report[/]: {page}")


def _said(month: Mapping[str, Any]) -> str:
    """What happened in a month; empty where nothing did."""
    decision = month["decision"]
    parts = [f"repaired: {repair}" for repair in month["repairs"]]
    if decision["action"] != "nothing":
        parts.append(f"{decision['action'].replace('_', ' ')}: {'; '.join(decision['reasons'])}")
    if decision["starts_training"]:
        parts.append("trained: " + ("promoted" if month["promoted"] else "the gate refused it"))
    if month["served_by"] == "rule":
        parts.append("the rule answers")
    return escape(" | ".join(parts))


def _ways(values: Mapping[str, Any], currency: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", f"{currency} in all", "of the best"):
        table.add_column(name, justify="left" if not name else "right")
    best = values["total"][BEST]
    for way, total in values["total"].items():
        table.add_row(way, number(round(total)), percent(total / best))
    return table
