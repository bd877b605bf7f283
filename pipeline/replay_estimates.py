"""What was estimated before labels beside what the labels showed, as a picture and as figures of the difference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import plot_sheets as sheets
from pipeline import plot_style as style
from pipeline.bootstrap import Interval
from pipeline.plot_sheets import KEY_ROW_INCHES, Mark, Sheet
from pipeline.replay_outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS: Mapping[str, str] = {"roc_auc": "ROC-AUC", "log_loss": "log loss", "profit": "profit"}
ESTIMATED: Mark = {"color": "#0072b2", "linewidth": 2}
REALISED: Mark = {"color": style.INK, "marker": "o", "markersize": 4}
PANEL_INCHES, FIGURE_INCHES, ERROR_INCHES, BETWEEN_INCHES = 3.2, 1.6, 0.62, 0.32


@dataclass(frozen=True)
class EstimatorError:
    """Realised less estimated over the months in which both are about one release.

    Args:
        months: how many those are.
        mean: NaN where there are none.
        spread: standard deviation; NaN where there are fewer than two.
        inside: how many realised figures lie in the range that was estimated.
    """

    months: int
    mean: float
    spread: float
    inside: int


def estimator_error(outcome: Outcome, metric: str) -> EstimatorError:
    """How far the estimate of a figure was off."""
    errors, realised = outcome.errors(metric), outcome.realised(metric)
    ranges = {month.month: month.estimated[metric] for month in outcome.months if month.month in errors}
    inside = sum(each.low <= realised[key].value <= each.high for key, each in ranges.items())
    off = list(errors.values())
    spread = float(np.std(off, ddof=1)) if len(off) > 1 else math.nan
    return EstimatorError(len(off), float(np.mean(off)) if off else math.nan, spread, inside)


def estimates_plot(outcome: Outcome, *, sheet: Sheet) -> bytes:
    """A PNG of each figure as it was estimated and as it turned out, and below it what the estimate was off by."""
    key = sheets.key_rows(_key(), sheet)
    columns, rows = (1, len(METRICS)) if sheet.is_narrow else (len(METRICS), 1)
    wide, top = sheet.width / columns, 0.42 + KEY_ROW_INCHES * len(key)
    figure = sheets.new_sheet(sheet, top + PANEL_INCHES * rows - 0.28)
    sheets.draw_key(figure, key)
    for i, metric in enumerate(METRICS):
        column, row = i % columns, i // columns
        edges = {"left": column * wide + 0.66, "right": (column + 1) * wide - 0.12}
        above = top + row * PANEL_INCHES
        upper = sheets.axes_at(figure, **edges, top=above, tall=FIGURE_INCHES)
        lower = sheets.axes_at(figure, **edges, top=above + FIGURE_INCHES + BETWEEN_INCHES, tall=ERROR_INCHES)
        _draw_figure(upper, outcome, metric)
        _draw_errors(lower, outcome, metric)
        sheets.name_months(lower, outcome.keys, at_most=5 if sheet.is_narrow else 3)
    return sheets.png(figure)


def _draw_figure(axes: "Axes", outcome: Outcome, metric: str) -> None:
    """The estimate as a line in its range, broken where nothing was estimated; what was realised as dots."""
    estimated = [month.estimated.get(metric) for month in outcome.months]
    places, of_snapshot = range(1, len(estimated) + 1), outcome.realised(metric)
    value, low, high = (np.array([_part(each, part) for each in estimated]) for part in ("value", "low", "high"))
    # as steps, because a month between two without an estimate would have no area
    axes.bar(places, high - low, bottom=low, width=1.0, color=ESTIMATED["color"], alpha=0.15, linewidth=0)
    axes.use_sticky_edges = False  # the range would touch the frame
    axes.plot(places, value, marker="o", markersize=3, **ESTIMATED)
    known = {place: of_snapshot[key] for place, key in enumerate(outcome.keys, start=1) if key in of_snapshot}
    for place, found in known.items():
        axes.plot([place, place], [found.low, found.high], color=REALISED["color"], linewidth=1)
    axes.plot([*known], [found.value for found in known.values()], linestyle="none", zorder=4, **REALISED)
    axes.locator_params(axis="y", nbins=5)
    _dress(axes, outcome, metric)
    axes.set_xticks([])
    sheets.title(axes, METRICS[metric] + (f", {outcome.currency} a month" if metric == "profit" else ""))
    if not known and not np.isfinite(value).any():
        sheets.say_empty(axes, "nothing was estimated,\nand no labels have matured")


def _draw_errors(axes: "Axes", outcome: Outcome, metric: str) -> None:
    errors = outcome.errors(metric)
    widest = max((abs(error) for error in errors.values()), default=0.0) or 1.0
    places = [outcome.keys.index(key) + 1 for key in errors]
    axes.bar(places, list(errors.values()), width=0.6, color=REALISED["color"], alpha=0.55)
    axes.axhline(0, color=style.MUTED, linewidth=1, visible=bool(errors))
    axes.set_ylim(-1.2 * widest, 1.2 * widest)
    axes.locator_params(axis="y", nbins=3)
    _dress(axes, outcome, metric)
    sheets.title(axes, "realised less estimated")
    if not errors:
        sheets.say_empty(axes, "nothing to compare yet")


def _dress(axes: "Axes", outcome: Outcome, metric: str) -> None:
    axes.set_xlim(0.5, len(outcome.months) + 0.5)
    if metric == "profit":
        style.as_thousands(axes.yaxis)


def _part(found: Interval | None, part: str) -> Any:
    return getattr(found, part) if found is not None else math.nan


def _key() -> list[tuple[Mark, str]]:
    return [(ESTIMATED, "estimated before labels, with its 95 % range"), (REALISED, "realised, with its 95 % interval")]
