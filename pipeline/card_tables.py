"""The tables of a model card: figures of an evaluation as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from pipeline.bootstrap import Interval
from pipeline.evaluation import Evaluation
from pipeline.slices import SMALL_CHURNERS, SMALL_ROWS
from pipeline.wording import figure, money, money_figure, number, percent, readable, sentence

MONEY_METRICS = ("profit", "expected_profit", "max_profit", "empc")
METRIC_NAMES: Mapping[str, str] = {
    "profit": "Profit, {unit}",
    "expected_profit": "Profit that was promised, {unit}",
    "lift": "Churn rate of the contacted over that of all",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "calibration_ratio": "Leavers observed over leavers promised",
    "max_profit": "Maximum profit without a budget, {currency} a customer",
    "empc": "Expected maximum profit (EMPC), {currency} a customer",
}
SLICE_COLUMNS = ("roc_auc", "calibration_ratio", "profit")
MOST_FIELDS = 10


def figures_section(evaluation: Evaluation) -> list[str]:
    """Every metric of every rung, with intervals."""
    names = list(evaluation.rungs)
    known = [metric for metric in METRIC_NAMES if any(metric in evaluation.rungs[name] for name in names)]
    rows = [
        (
            METRIC_NAMES[metric].format(currency=evaluation.currency, unit=evaluation.unit.name),
            *(_shown(metric, evaluation.rungs[name].get(metric)) for name in names),
        )
        for metric in known
    ]
    contacts = (f"Contacts a {evaluation.period}", *(number(round(evaluation.contacts[name])) for name in names))
    return [
        "## How good it is",
        "",
        *table(("", *names), [rows[0], contacts, *rows[1:]]),
        "",
        "In brackets: 95 % intervals from a bootstrap over customers. Profit is what the contacts really earned on the"
        f" {evaluation.unit.tested_on}, against contacting nobody.",
        *(sentence(note) for note in evaluation.notes),
    ]


def _shown(metric: str, interval: Interval | None) -> str:
    if interval is None:
        return ""
    if metric in MONEY_METRICS:
        return money_figure(interval)
    return figure(interval, digits=2 if metric in ("lift", "calibration_ratio") else 4)


def calibration_section(evaluation: Evaluation) -> list[str]:
    """What the chosen rung promised and what was observed."""
    bins = evaluation.calibration[evaluation.verdict.rung]
    rows = [(number(each.rows), percent(each.predicted, 2), figure(_in_percent(each.observed), 2)) for each in bins]
    return ["## Promised and observed", "", *table(("rows", "promised", "observed, %"), rows)]


def _in_percent(interval: Interval) -> Interval:
    return Interval(100 * interval.value, 100 * interval.low, 100 * interval.high)


def slices_section(evaluation: Evaluation) -> list[str]:
    """The chosen rung in every group; nothing where the dataset declares none."""
    if not evaluation.slices:
        return []
    header = (
        "slice",
        "group",
        "rows",
        "leavers",
        "ROC-AUC",
        "observed / promised",
        f"profit, {evaluation.unit.name}",
    )
    rows = [
        (
            readable(each.slice),
            f"{each.group} (small)" if each.small else each.group,
            number(each.n),
            number(each.churners),
            *(_shown(metric, each.rungs[evaluation.verdict.rung][metric]) for metric in SLICE_COLUMNS),
        )
        for each in evaluation.slices
    ]
    small = f"Small: fewer than {SMALL_ROWS} rows or {SMALL_CHURNERS} leavers; nothing can be concluded from these."
    return ["## Groups of customers", "", *table(header, rows), "", small]


def fields_section(evaluation: Evaluation) -> list[str]:
    """The fields that the chosen rung goes by."""
    rows = [
        (
            readable(each.field),
            f"{each.effect:.2f}",
            each.direction,
            "" if each.profit_at_stake is None else money(round(each.profit_at_stake), evaluation.currency),
        )
        for each in evaluation.importance[:MOST_FIELDS]
    ]
    header = ("field", "mean effect, log-odds", "direction", f"profit a {evaluation.period} lost where it is shuffled")
    return ["## What it goes by", "", *table(header, rows)]


def losses_section(evaluation: Evaluation) -> list[str]:
    """Where the chosen rung's campaign loses money."""
    errors = evaluation.errors
    outcomes = [(each.name, number(round(each.customers)), number(round(each.money))) for each in errors.outcomes]
    lines = [
        "## Where it loses money",
        "",
        *table(("", f"customers a {evaluation.period}", evaluation.unit.name), outcomes),
    ]
    if errors.differences:
        most = errors.differences[0]
        what = f"{readable(most.field)} is {most.category}" if most.category else readable(most.field)
        lines += [
            "",
            f"Missed leavers differ most from found ones in: {what} ({_missed_and_found(most.missed, most.found)}).",
        ]
    return lines


def _missed_and_found(missed: float, found: float) -> str:
    return f"{missed:.3g} on average against {found:.3g}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines]
