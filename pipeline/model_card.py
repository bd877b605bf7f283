"""The model card: what a release is for, what it was shown to do and what not, in figures of its own run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.card_tables import (
    calibration_section,
    fields_section,
    figures_section,
    losses_section,
    slices_section,
    table,
)
from pipeline.declaration import Dataset
from pipeline.economics import economics_as_dict
from pipeline.evaluation import Evaluation, Part
from pipeline.label_kinds import ColumnLabel, EventLabel, Label
from pipeline.tables import Where
from pipeline.wording import number, percent, readable, the_rung


def model_card(
    dataset: Dataset,
    evaluation: Evaluation,
    *,
    decision: Mapping[str, Any] | None = None,
    release: Mapping[str, Any] | None = None,
) -> str:
    """The card as Markdown.

    Args:
        dataset: its declaration gives the label and the economics.
        evaluation: gives every figure.
        decision: the gate's decision as plain values (`promote`, `reasons`, `checks`); None where there is none yet.
        release: the release's manifest as plain values, of which what it has is shown.
    """
    sections = (
        _head(dataset, evaluation, release or {}),
        _purpose(evaluation),
        _data(dataset, evaluation),
        figures_section(evaluation),
        _choice(evaluation),
        _gate(decision),
        _economics(dataset),
        calibration_section(evaluation),
        slices_section(evaluation),
        fields_section(evaluation),
        losses_section(evaluation),
        _limits(dataset, evaluation),
        _roll_back(dataset),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _head(dataset: Dataset, evaluation: Evaluation, release: Mapping[str, Any]) -> list[str]:
    known = {"release": release.get("id"), "dataset": dataset.name, "run month": evaluation.run_key}
    known |= {"chosen rung": evaluation.verdict.rung, "data version": evaluation.data_version}
    known |= {"code version": release.get("code_version"), "content digest": release.get("content_digest")}
    known |= {"test rows": evaluation.test_digest[:12]}
    lines = [f"- {name}: `{value}`" for name, value in known.items() if value]
    return [f"# Model card: {the_rung(evaluation.verdict.rung)} for `{dataset.name}`", "", *lines]


def _purpose(evaluation: Evaluation) -> list[str]:
    return [
        "## What it decides",
        "",
        f"Which customers get a retention contact. Up to {percent(evaluation.budget_share)} of the active"
        " customers are contacted: those for whom a contact is expected to earn most, as long as it earns anything."
        " It is made for that decision and for nothing else: not for prices, credit or service levels.",
    ]


def _data(dataset: Dataset, evaluation: Evaluation) -> list[str]:
    header = ("part", "snapshots", "rows", "customers", "leavers", "churn rate")
    return [
        "## Data and label",
        "",
        f"{dataset.description} {_label_sentence(dataset.label)}",
        "",
        *table(header, [_part_row(part) for part in evaluation.parts]),
        "",
        "A row is a customer at one snapshot. The rungs were fitted on the first part and calibrated on the second;"
        " every figure below comes from the third, which nothing else has seen.",
    ]


def _part_row(part: Part) -> tuple[str, ...]:
    first_and_last = dict.fromkeys((part.snapshots[0], part.snapshots[-1])) if part.snapshots else ("none",)
    counts = (part.rows, part.customers, part.churners)
    rate = percent(part.churners / part.rows) if part.rows else ""
    return (part.name, " to ".join(first_and_last), *(number(count) for count in counts), rate)


def _label_sentence(label: Label) -> str:
    if isinstance(label, ColumnLabel):
        return f"A customer churned where `{label.column}` of `{label.table}` is `{label.positive}`."
    within = f"within {label.horizon_days} days after the snapshot"
    if isinstance(label, EventLabel):
        return f"A customer churned if {_conditions(label.where)} appears in `{label.table}` {within}."
    return f"A customer churned if no row appears in `{label.table}` {within}."


def _conditions(where: Sequence[Where]) -> str:
    shown = " and ".join(f"`{each.column} {each.op} {each.value}`" for each in where)
    return f"a row with {shown}" if shown else "a row"


def _choice(evaluation: Evaluation) -> list[str]:
    reasons = [f"- {reason}" for reason in evaluation.verdict.reasons]
    said = f"The simplest rung that no more complex one beats in money is {the_rung(evaluation.verdict.rung)}."
    return ["## Why this rung", "", said, "", *reasons]


def _gate(decision: Mapping[str, Any] | None) -> list[str]:
    if decision is None:
        return []
    said = "The gate promoted it." if decision["promote"] else "The gate refused it."
    checks = [
        (each["name"], "passed" if each["passed"] else "**failed**", each["reason"]) for each in decision["checks"]
    ]
    reasons = [f"- {reason}" for reason in decision["reasons"]]
    return ["## What the gate said", "", said, "", *reasons, "", *table(("check", "", "figures"), checks)]


def _economics(dataset: Dataset) -> list[str]:
    terms = {name: value for name, value in economics_as_dict(dataset.economics).items() if name != "kind"}
    rows = [(readable(name), f"`{_plain(value)}`") for name, value in terms.items()]
    said = "Declared by the company, not learnt: if they are wrong, so is every amount on this page."
    return ["## Money", "", said, "", *table(("term", "value"), rows)]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " x ".join(
            f"{part:g}" if isinstance(part, int | float) else str(part) for part in value.values() if part
        )
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(dataset: Dataset, evaluation: Evaluation) -> list[str]:
    return ["## Limits", "", *(f"- {limit}" for limit in _limits_of(dataset, evaluation))]


def _limits_of(dataset: Dataset, evaluation: Evaluation) -> Iterator[str]:
    months = len(evaluation.snapshots)
    yield (
        f"Judged on {months} snapshot{'s' if months > 1 else ''} ({', '.join(evaluation.snapshots)}) with"
        f" {number(evaluation.churners)} leavers. Another season, price or competitor is another matter."
    )
    yield "It predicts who leaves, not whom an offer persuades: how many accept is an assumption of the economics."
    yield "Reasons say what the score goes by. They are not causes, and changing a field need not change the customer."
    small = [f"{readable(each.slice)} {each.group}" for each in evaluation.slices if each.small]
    if small:
        yield f"Too few customers to judge apart: {', '.join(small)}."
    unseen = [readable(field.name) for field in dataset.fields() if not field.in_model]
    if unseen:
        yield f"Used for money only, not seen by the models: {', '.join(unseen)}."


def _roll_back(dataset: Dataset) -> list[str]:
    return [
        "## How to go back",
        "",
        f"`churn release rollback --dataset {dataset.name}` returns to the release before; `churn release list` shows"
        " them all. Neither MLflow nor a database is needed, and the service follows by itself.",
    ]
