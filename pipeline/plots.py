"""Four pictures of an evaluation, each a PNG: profit, calibration, leavers reached, and what the chosen rung goes by.

They are drawn from `Evaluation.scores`, so they need the evaluation of this process, not one read back from a file.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline import plot_style as style
from pipeline.curves import ByShare, leavers_by_share, profit_by_share
from pipeline.economics import FloatArray, Payoffs
from pipeline.evaluation import Evaluation
from pipeline.holdout import Holdout, holdout_of
from pipeline.wording import money_figure, number, percent, readable, sentence, the_rung

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 161
MOST_FIELDS = 12
LIFT_SHOWN_SHARE = 0.5


def all_plots(evaluation: Evaluation, *, seed: int = 0) -> dict[str, bytes]:
    """Every plot by its name: `profit`, `calibration`, `lift`, `reasons`."""
    return {
        "profit": profit_plot(evaluation, seed=seed),
        "calibration": calibration_plot(evaluation),
        "lift": lift_plot(evaluation),
        "reasons": reasons_plot(evaluation),
    }


def profit_plot(evaluation: Evaluation, *, seed: int = 0) -> bytes:
    """Realised profit per month by the share of customers contacted, with the budget and contacts drawn by lot."""
    rows, chosen = scored_holdout(evaluation), evaluation.verdict.rung
    profit = evaluation.rungs[chosen]["profit"]
    figure = style.new_figure(
        _profit_title(evaluation),
        f"Profit on the {evaluation.unit.tested_on}, highest expected value contacted first; band: 95 % interval",
    )
    axes = style.new_axes(figure, right=0.845)
    curves = {name: profit_by_share(rows, _score(evaluation, name)) for name in evaluation.rungs}
    shares = _profit_shares(curves[chosen], evaluation.budget_share)
    low, high = curves[chosen].band(shares, seed=seed)
    axes.fill_between(shares, low, high, color=_colour(evaluation, chosen), alpha=0.13, linewidth=0)
    lines = {name: curve.line(shares) for name, curve in curves.items()}
    by_lot = shares * float(curves[chosen].value.sum()) / rows.snapshots
    _limit_money(axes, [*lines.values(), high], [*lines.values(), low, by_lot])
    _draw_lines(axes, shares, lines, evaluation, by_lot=by_lot)
    _mark_budget(axes, evaluation, profit.value, money_figure(profit))
    style.as_percent(axes.xaxis)
    style.as_thousands(axes.yaxis)
    style.name_axes(axes, across=f"customers contacted in a {evaluation.period}", up=evaluation.unit.name)
    return style.png(figure)


def calibration_plot(evaluation: Evaluation) -> bytes:
    """Share that left against the probability they were given, in bins, above a histogram of the probabilities."""
    chosen = evaluation.verdict.rung
    ratio = evaluation.rungs[chosen]["calibration_ratio"]
    figure = style.new_figure(
        f"{100 * ratio.value:.0f} leavers for every 100 that {the_rung(chosen)} promised",
        "Share of customers who left by the probability they were given, like ones together; bars: 95 % intervals",
    )
    style.colour_key(figure, [(readable(name), _colour(evaluation, name)) for name in evaluation.rungs], strong=chosen)
    axes = style.new_axes(figure, bottom=0.315, top=0.765)
    below = style.new_axes(figure, top=0.245)
    top = _draw_calibration(axes, evaluation)
    edges = np.linspace(0, np.sqrt(top), 61) ** 2
    below.hist(
        _score(evaluation, chosen),
        bins=edges.tolist(),
        color=_colour(evaluation, chosen),
        alpha=0.55,
        edgecolor=style.PAPER,
    )
    style.share_root_scale((axes.xaxis, axes.yaxis, below.xaxis), top)
    axes.tick_params(labelbottom=False)
    below.set_yticks([])
    below.grid(visible=False)
    style.name_axes(axes, across="", up="share who left")
    below.set_xlabel("probability of leaving that was given (root scale), and how many got it", **style.AXIS_NAME)
    return style.png(figure)


def lift_plot(evaluation: Evaluation) -> bytes:
    """Share of the leavers reached by the share of customers contacted, those of highest probability first."""
    rows, chosen = scored_holdout(evaluation), evaluation.verdict.rung
    shown = min(1.0, max(LIFT_SHOWN_SHARE, 2.5 * evaluation.budget_share))
    shares = np.linspace(0, shown, POINTS)
    monthly = rows.churned.sum() / rows.snapshots
    curves = {name: leavers_by_share(rows, _score(evaluation, name)) for name in evaluation.rungs}
    lines = {name: curve.line(shares) / monthly for name, curve in curves.items()}
    budget = evaluation.budget_share
    reached = float(curves[chosen].line(np.array([budget]))[0] / monthly)
    figure = style.new_figure(
        f"{percent(budget, 0)} of the customers hold {percent(reached, 0)} of the leavers",
        f"Share of the leavers reached on the {evaluation.unit.tested_on}, highest probability contacted first",
    )
    axes = style.new_axes(figure, right=0.845)
    axes.set_ylim(0, 1.16)
    _draw_lines(axes, shares, lines, evaluation, by_lot=shares)
    _mark_budget(axes, evaluation, reached, f"{reached / budget:.1f} times as many as by lot")
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    style.as_percent(axes.xaxis)
    style.as_percent(axes.yaxis)
    style.name_axes(axes, across="customers contacted", up="leavers reached")
    return style.png(figure)


def reasons_plot(evaluation: Evaluation) -> bytes:
    """Mean effect of each field on the odds of leaving, its direction, and the profit that hangs on it."""
    shown = [each for each in evaluation.importance if each.effect > 0][:MOST_FIELDS][::-1]
    figure = style.new_figure(
        f"What {the_rung(evaluation.verdict.rung)} goes by",
        "How far each field moves a customer's odds of leaving; at the right, the profit lost where it is shuffled",
    )
    style.colour_key(figure, style.DIRECTIONS)
    axes = style.new_axes(figure, left=0.255, right=0.83, top=0.775)
    effects = [each.effect for each in shown]
    axes.barh(range(len(shown)), effects, color=[style.direction_colour(each.direction) for each in shown], height=0.62)
    axes.set_yticks(range(len(shown)), [readable(each.field) for each in shown], color=style.INK, fontsize=10.5)
    axes.set_xlim(0, max(effects, default=1.0) * 1.02)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    style.factor_ticks(axes)
    axes.grid(visible=False)
    for i, each in enumerate(shown):
        style.beside_bar(axes, i, each.effect, each.direction if each.direction.startswith("highest") else "")
        stake = "" if each.profit_at_stake is None else f"{number(round(each.profit_at_stake))} {evaluation.currency}"
        style.at_the_right(axes, i, stake)
    style.at_the_right(axes, len(shown) - 0.15, f"lost a {evaluation.period}", style.MUTED)
    axes.set_xlabel("average factor on the odds of leaving", **style.AXIS_NAME)
    return style.png(figure)


def scored_holdout(evaluation: Evaluation) -> Holdout:
    """The test rows of an evaluation as a holdout."""
    scores = evaluation.scores
    return holdout_of(
        scores["churned"],
        Payoffs(scores["gain"].to_numpy(), scores["loss"].to_numpy()),
        customer=scores["customer_id"],
        snapshot=scores["snapshot"],
        budget_share=evaluation.budget_share,
    )


def _profit_title(evaluation: Evaluation) -> str:
    chosen = evaluation.verdict.rung
    profit, rung = evaluation.rungs[chosen]["profit"], sentence(the_rung(chosen))
    if not profit.is_above_zero:
        return f"{rung} is not shown to earn anything"
    return f"{rung} earns {evaluation.unit.amount(profit.value)}"


def _score(evaluation: Evaluation, rung: str) -> FloatArray:
    found: FloatArray = evaluation.scores[f"p_{rung}"].to_numpy(dtype=np.float64)
    return found


def _colour(evaluation: Evaluation, rung: str) -> str:
    return style.colour_of(rung, tuple(evaluation.rungs))


def _profit_shares(curve: ByShare, budget_share: float) -> FloatArray:
    """From nobody to well past the budget and past the best share, so that the summit is seen where there is one."""
    all_shares = np.linspace(0, 1, POINTS)
    best = float(all_shares[int(np.argmax(curve.line(all_shares)))])
    return np.linspace(0, min(1.0, max(2.5 * budget_share, 1.6 * best)), POINTS)


def _limit_money(axes: "Axes", above: list[FloatArray], below: list[FloatArray]) -> None:
    """Room for every line upwards; downwards only as much as the plot can spare."""
    top = max(1.0, *(float(line.max()) for line in above))
    low = min(0.0, *(float(line.min()) for line in below))
    axes.set_ylim(max(1.08 * low, -0.4 * top), 1.28 * top)


def _draw_lines(
    axes: "Axes", shares: FloatArray, lines: Mapping[str, FloatArray], evaluation: Evaluation, *, by_lot: FloatArray
) -> None:
    """One line per rung, the chosen one strongest, and contacts drawn by lot; each named at its end."""
    axes.set_xlim(0, shares[-1])
    axes.axhline(0, color=style.MUTED, linewidth=1.0)
    axes.plot(shares, by_lot, color=style.MUTED, linewidth=1.3, linestyle=(0, (1, 1.6)))
    labels = []
    if by_lot[-1] >= axes.get_ylim()[0]:
        labels.append((float(by_lot[-1]), "by lot", style.MUTED, False))
    else:
        style.label_on_the_way(axes, shares, by_lot, "by lot")
    for name, line in lines.items():
        is_chosen = name == evaluation.verdict.rung
        colour = _colour(evaluation, name)
        axes.plot(shares, line, color=colour, linewidth=2.6 if is_chosen else 1.5, zorder=4 if is_chosen else 3)
        labels.append((float(line[-1]), readable(name), colour, is_chosen))
    style.label_ends(axes, labels, at=float(shares[-1]))


def _mark_budget(axes: "Axes", evaluation: Evaluation, height: float, said: str) -> None:
    """The budget as a line, and what the chosen rung reaches there."""
    budget, colour = evaluation.budget_share, _colour(evaluation, evaluation.verdict.rung)
    style.note_budget(axes, budget, said)
    axes.plot([budget], [height], "o", color=colour, markersize=7.5, markeredgecolor=style.PAPER, zorder=6)


def _draw_calibration(axes: "Axes", evaluation: Evaluation) -> float:
    """The bins of every rung, with intervals for the chosen one; returns the end of both axes."""
    top = 0.0
    for name, bins in evaluation.calibration.items():
        x, y = [each.predicted for each in bins], [each.observed.value for each in bins]
        colour, is_chosen = _colour(evaluation, name), name == evaluation.verdict.rung
        axes.plot(x, y, "o-", color=colour, zorder=4 if is_chosen else 2, **style.calibration_line(is_chosen))
        if is_chosen:
            ends = [(each.observed.low, each.observed.high) for each in bins]
            axes.vlines(x, *zip(*ends, strict=True), color=colour, linewidth=1.6, zorder=3)
        top = max(top, *x, *(each.observed.high for each in bins if np.isfinite(each.observed.high)), *y)
    axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1.2, linestyle=(0, (1, 1.6)))
    widest = float(np.quantile(_score(evaluation, evaluation.verdict.rung), 0.995))
    return min(1.0, 1.04 * max(top, widest))
