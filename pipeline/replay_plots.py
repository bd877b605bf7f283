"""The course of a replay as a picture: what each way earned by month, and what happened, was seen and was done when.

It bears no headline: the page and the Dagster UI say it in text, which every screen shows well. A place is a month that
was played, counted from 1, and is where it is drawn.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import plot_sheets as sheets
from pipeline import plot_style as style
from pipeline.economics import FloatArray
from pipeline.plot_sheets import KEY_ROW_INCHES, Mark, Sheet
from pipeline.replay_outcome import BEST, BY_RULE, MONTHLY, NEVER, PIPELINE, WAYS, Outcome
from pipeline.simulator.scenarios import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {NEVER: "#d55e00", PIPELINE: "#0072b2", MONTHLY: "#009e73", BEST: style.INK}
SHOWN_AS = {BEST: "best possible"}
RULE_ANSWERS = "#f0e442"
MARKS: Mapping[str, Mark] = {
    "true": {"marker": "o", "color": "#0072b2", "markersize": 7},
    "false": {"marker": "x", "color": "#d55e00", "markersize": 7, "markeredgewidth": 2.2},
    "promoted": {"marker": "^", "color": "#009e73", "markersize": 8},
    "refused": {
        "marker": "^",
        "markerfacecolor": style.PAPER,
        "markeredgecolor": "#009e73",
        "markeredgewidth": 1.6,
        "markersize": 7,
    },
    "repaired": {"marker": "s", "color": style.MUTED, "markersize": 6},
}
MOST_LANES = 3
PROFIT_INCHES, MORE_INCHES, LANE_INCHES = 2.6, 1.25, 0.27
KEY_GAP_INCHES, GAP_INCHES, LANES_GAP_INCHES, FOOT_INCHES = 0.4, 0.42, 0.2, 0.36

Lane = tuple[str, Sequence[int], Mapping[str, Collection[int]]]
"""A row below the plots: its name, the numbers of the events in it, and the places of each mark."""


def course_plot(
    outcome: Outcome, *, true_alarms: Collection[int], false_alarms: Collection[int], sheet: Sheet
) -> bytes:
    """A PNG of the course.

    Args:
        outcome: the replay.
        true_alarms: places of the months whose alarm something explains.
        false_alarms: places of those whose alarm nothing does.
        sheet: WIDE or NARROW.
    """
    lanes = _lanes(outcome, {"true": true_alarms, "false": false_alarms})
    key = sheets.key_rows([*(_ways_key() if sheet.is_narrow else []), *_marks_key(outcome)], sheet)
    tall = (PROFIT_INCHES, MORE_INCHES, LANE_INCHES * len(lanes))
    gaps = (KEY_GAP_INCHES + KEY_ROW_INCHES * len(key), GAP_INCHES, LANES_GAP_INCHES)
    figure = sheets.new_sheet(sheet, sum(tall) + sum(gaps) + FOOT_INCHES)
    sheets.draw_key(figure, key)
    profit, more, below = (
        sheets.axes_at(figure, left=sheet.left, right=sheet.right, top=sum(tall[:i]) + sum(gaps[: i + 1]), tall=tall[i])
        for i in range(3)
    )
    _draw_profit(profit, outcome, sheet)
    _draw_more(more, outcome, sheet)
    _draw_lanes(below, outcome, lanes)
    for axes in (profit, more, below):
        _mark_months(axes, outcome)
    sheets.name_months(below, outcome.keys, at_most=4 if sheet.is_narrow else 8)
    for axes in (profit, more):
        axes.set_xticks([])
    return sheets.png(figure)


def letter(number: int) -> str:
    """What an event is called in pictures and tables, from its place in the list: A, B, ..."""
    return chr(ord("A") + number)


def _draw_profit(axes: "Axes", outcome: Outcome, sheet: Sheet) -> None:
    """Profit of every way, each named at its end where there is room."""
    profit = outcome.values.profit
    _draw_lines(axes, {way: np.array(profit[way]) for way in WAYS})
    if not sheet.is_narrow:
        ends = [(profit[way][-1], SHOWN_AS.get(way, way), COLOURS[way], way == PIPELINE) for way in WAYS]
        style.label_ends(axes, ends, at=len(outcome.months) + 0.5)
    sheets.title(axes, f"profit in the month, {outcome.currency}", inches_left=sheet.left - 0.14)


def _draw_more(axes: "Axes", outcome: Outcome, sheet: Sheet) -> None:
    """What those that do train have earned more, summed up to each month."""
    profit = outcome.values.profit
    lines = {way: np.cumsum(np.subtract(profit[way], profit[NEVER])) for way in (NEVER, PIPELINE, MONTHLY)}
    _draw_lines(axes, lines)
    axes.locator_params(axis="y", nbins=4)
    title = f"so far, more than never retrained, {outcome.currency}"
    sheets.title(axes, title, inches_left=sheet.left - 0.14)


def _draw_lines(axes: "Axes", lines: Mapping[str, FloatArray]) -> None:
    for way, line in lines.items():
        axes.plot(range(1, len(line) + 1), line, color=COLOURS[way], **_line_of(way))
    every = np.concatenate(list(lines.values()))
    apart = max(float(np.ptp(every)), 1.0)
    axes.set_ylim(every.min() - 0.15 * apart, every.max() + 0.15 * apart)
    style.as_thousands(axes.yaxis)


def _draw_lanes(axes: "Axes", outcome: Outcome, lanes: Sequence[Lane]) -> None:
    """Rows of bars and marks, the first uppermost."""
    rows = range(len(lanes) - 1, -1, -1)
    axes.set_ylim(-0.5, len(lanes) - 0.5)
    axes.set_yticks(rows, [name for name, _, _ in lanes])
    axes.grid(visible=False)
    for row, (_, numbers, marked) in zip(rows, lanes, strict=True):
        for number in numbers:
            _draw_event(axes, row, number, outcome.met[number], len(outcome.months))
        for mark, places in marked.items():
            axes.plot(sorted(places), [row] * len(places), linestyle="none", zorder=4, **MARKS[mark])


def _draw_event(axes: "Axes", row: int, number: int, event: Event, months: int) -> None:
    """A bar over the months in which it holds, with its letter; lighter where it stays."""
    last = min(event.last or months, months)
    strength = 0.85 if event.last is not None else 0.45
    axes.barh(row, last - event.place + 1, left=event.place - 0.5, height=0.62, color=style.MUTED, alpha=strength)
    badge: dict[str, Any] = {"boxstyle": "circle,pad=0.18", "facecolor": style.INK, "edgecolor": "none"}
    words: dict[str, Any] = {"fontsize": 9, "fontweight": "bold", "color": style.PAPER, "bbox": badge, "zorder": 5}
    axes.text(event.place, row, letter(number), ha="center", va="center", **words)


def _mark_months(axes: "Axes", outcome: Outcome) -> None:
    """Where events begin, and the months at whose end the rule answered."""
    axes.set_xlim(0.5, len(outcome.months) + 0.5)
    for event in outcome.met:
        axes.axvline(event.place - 0.5, color=style.INK, linewidth=0.9, linestyle=(0, (3, 3)), alpha=0.55)
    for place, month in enumerate(outcome.months, start=1):
        if month.served_by == BY_RULE:
            axes.axvspan(place - 0.5, place + 0.5, color=RULE_ANSWERS, alpha=0.35, linewidth=0, zorder=0)


def _lanes(outcome: Outcome, alarms: Mapping[str, Collection[int]]) -> list[Lane]:
    """What happened, alarms, trainings, and repairs if there were any."""
    trained = {place: month.promoted for place, month in enumerate(outcome.months, start=1) if month.is_trained}
    by_fate = {
        "promoted": [place for place, promoted in trained.items() if promoted],
        "refused": [place for place, promoted in trained.items() if not promoted],
    }
    repaired = [place for place, month in enumerate(outcome.months, start=1) if month.repairs]
    happened: list[Lane] = [("happened" if i == 0 else "", each, {}) for i, each in enumerate(_packed(outcome.met))]
    repairs: list[Lane] = [("feed repaired", (), {"repaired": repaired})] if repaired else []
    return [*happened, ("alarms", (), alarms), ("trained", (), by_fate), *repairs]


def _packed(events: Sequence[Event]) -> list[list[int]]:
    """Numbers of the events, in as few rows as keep those apart that overlap; the last row takes what is left."""
    rows: list[list[int]] = []
    for number, event in enumerate(events):
        free = next((row for row in rows if (events[row[-1]].last or math.inf) < event.place), None)
        if free is None and len(rows) < MOST_LANES:
            rows.append([number])
        else:
            (rows[-1] if free is None else free).append(number)
    return rows


def _ways_key() -> list[tuple[Mark, str]]:
    lines = {way: {"color": COLOURS[way], **_line_of(way)} for way in WAYS}
    return [
        ({part: line[part] for part in line if not part.startswith("marker")}, SHOWN_AS.get(way, way))
        for way, line in lines.items()
    ]


def _marks_key(outcome: Outcome) -> list[tuple[Mark, str]]:
    """What the marks of the months mean."""
    marks: list[tuple[Mark, str]] = [
        (MARKS["true"], "alarm, explained by an event"),
        (MARKS["false"], "false alarm"),
        (MARKS["promoted"], "trained, promoted"),
        (MARKS["refused"], "refused by the gate"),
    ]
    is_needed = any(month.served_by == BY_RULE for month in outcome.months)
    return marks + [({"color": RULE_ANSWERS, "linewidth": 9, "alpha": 0.6}, "the rule answers")] * is_needed


def _line_of(way: str) -> dict[str, Any]:
    """This pipeline strongest, the best possible dotted; dots, because a single month has no line."""
    if way == PIPELINE:
        return {"linewidth": 2.6, "marker": "o", "markersize": 3.5, "zorder": 4}
    if way == BEST:
        return {"linewidth": 1.3, "linestyle": (0, (1, 1.6)), "marker": "o", "markersize": 2, "zorder": 2}
    return {"linewidth": 1.5, "marker": "o", "markersize": 2.5, "zorder": 3}
