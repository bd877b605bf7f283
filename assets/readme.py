"""Writes the results into the README, between its markers, so that no figure in it was typed by hand."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from assets.summary import SHOWN
from pipeline.calendar import SNAPSHOT
from pipeline.errors import ChurnError
from pipeline.lake import write_atomically

DRIFT_SIZE = 10_000
MOST_GOALS = 20  # of one command that stand in the table of goals; of one with more it says how many are met
README = Path(__file__).resolve().parents[1] / "README.md"


def write_section(name: str, content: str, readme: Path = README) -> None:
    """Replace what stands between `<!-- name:start -->` and `<!-- name:end -->`; everything else stays as it is."""
    text = readme.read_text(encoding="utf-8")
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if text.count(start) != 1 or text.count(end) != 1:
        raise ChurnError(
            str(readme), expected=f"one {start} and one {end}", found="another number", remedy="Put the markers back."
        )
    pattern = re.compile(re.escape(start) + ".*" + re.escape(end), re.DOTALL)
    replaced = pattern.sub(lambda _: f"{start}\n{content.strip()}\n{end}", text)
    write_atomically(UPath(readme), replaced.encode())


def results(summaries: Sequence[Mapping[str, Any]], goals: Mapping[str, Mapping[str, Any]]) -> str:
    """Every dataset's rungs with intervals and verdict, then every goal with the command that measured it."""
    return "\n\n".join([*(_of_dataset(summary) for summary in summaries), _goals(goals)])


def of_production(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """What replayed months came to, and how drift rules did on the same made-up months, each with its goals.

    Args:
        measured: by command, what it measured; those of `churn bench replay` and `churn bench monitors` among them.
    """
    replays, rules = measured["churn bench replay"], measured["churn bench monitors"]
    head = (
        f"{replays['months']} months of {replays['customers']:,} customers in each of {len(replays['seeds'])} worlds, "
        "by their seeds, after the rules were settled on others. `churn bench replay`"
    )
    table = [
        "| scenario | world | of the best possible | more than never trained again | trainings | false alarms a year "
        "| found |",
        "|---|---|---|---|---|---|---|",
        *(_of_world(name, *world) for name, worlds in replays["scenarios"].items() for world in worlds.items()),
    ]
    judged = [
        row for row in rules["rows"] if row["world"] == "seasonal and jittering" and row["customers"] == DRIFT_SIZE
    ]
    drift = [
        f"Drift rules on the same made-up months of {DRIFT_SIZE:,} customers, with a season and with chance. "
        "`churn bench monitors`",
        "",
        "| rule | false alarms a year | of the faults found within a month |",
        "|---|---|---|",
        *(_of_rule(row) for row in judged),
    ]
    many = {command: found for command, found in measured.items() if len(found["goals"]) > MOST_GOALS}
    goals = _goals({command: found for command, found in measured.items() if command not in many})
    said = [f"* `{command}` meets {_met(found)} of its {len(found['goals'])} goals." for command, found in many.items()]
    return "\n".join([head, "", *table, "", goals, "", *drift, "", *said])


def _met(found: Mapping[str, Any]) -> int:
    return sum(goal["met"] for goal in found["goals"])


def _of_world(name: str, seed: str, outcome: Mapping[str, Any]) -> str:
    values, hindsight, months = outcome["values"], outcome["hindsight"], outcome["months"]
    share, more = values["share"], values["more"]["never retrained"]
    trained = sum(month["decision"]["starts_training"] for month in months)
    events = hindsight["events_found"] + hindsight["events_missed"]
    cells = (
        f"`{name}`",
        seed,
        f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})",
        f"{more['value']:,.0f} ({more['low']:,.0f} to {more['high']:,.0f}) {outcome['currency']}",
        str(trained),
        f"{hindsight['false_alarms_a_year']:.1f}",
        f"{hindsight['events_found']} of {events}" if events else "nothing to find",
    )
    return f"| {' | '.join(cells)} |"


def _of_rule(row: Mapping[str, Any]) -> str:
    found = list(row["found"].values())
    return f"| {row['rule'].replace('_', ' ')} | {row['false_alarms']:.1f} | {100 * sum(found) / len(found):.0f} % |"


def _of_dataset(summary: Mapping[str, Any]) -> str:
    test, decision = summary["test"], summary["decision"]
    period = "a campaign" if summary["month"] == SNAPSHOT else "a month"
    head = (
        f"**`{summary['dataset']}`**: {test['rows']:,} untouched rows of {test['customers']:,} customers, "
        f"{100 * test['base_rate']:.1f} % left. `churn run --dataset {summary['dataset']}`"
    )
    names = [name.replace("_", " ").replace("roc auc", "ROC-AUC").replace("pr auc", "PR-AUC") for name in SHOWN[:-1]]
    lines = [
        f"| rung | {' | '.join(names)} | profit, {summary['currency']} {period} |",
        f"|---|{'---|' * len(SHOWN)}",
        *(_row(rung, figures) for rung, figures in summary["rungs"].items()),
    ]
    reasons = [f"* {reason}" for reason in summary["verdict"]["reasons"]]
    gate = f"* The gate {'promoted' if decision['promoted'] else 'refused'} the candidate: {decision['reasons'][0]}."
    return "\n".join([head, "", *lines, "", *reasons, gate])


def _row(rung: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    cells = [_interval(figures[name], "{:,.0f}" if name == "profit" else "{:.4f}") for name in SHOWN]
    return f"| {rung} | {' | '.join(cells)} |"


def _interval(figure: Mapping[str, Any], form: str) -> str:
    if figure["value"] is None:
        return "n/a"
    value, low, high = (form.format(figure[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _goals(measured: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [_goal(goal, command) for command, found in measured.items() for goal in found["goals"]]
    return "\n".join(["| goal | wanted | measured | met | command |", "|---|---|---|---|---|", *rows])


def _goal(goal: Mapping[str, Any], command: str) -> str:
    met = "yes" if goal["met"] else "no"
    reach = f" ({goal['low']:.3g} to {goal['high']:.3g})" if "low" in goal else ""
    return f"| {goal['name']} | {goal['goal']:g} | {goal['measured']:.4g}{reach} | {met} | `{command}` |"
