"""Where a rung's campaign loses money: contacts that were not needed, and leavers who were not contacted.

A false alarm costs what contacting a stayer costs. A miss costs what contacting that leaver would have earned; leavers
whom no contact pays for are no misses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.campaign import Campaign, Groups
from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.field_differences import FieldDifference, differences_of
from pipeline.holdout import Holdout
from pipeline.reasons import strongest_reasons
from pipeline.scoring import Scorer

CASES = 10
Why = Literal["contacted", "budget", "threshold"]


@dataclass(frozen=True)
class Outcome:
    """What came of one kind of decision, per month. `money` is earned (positive), lost or not earned (negative)."""

    name: str
    customers: float
    money: float


@dataclass(frozen=True)
class Case:
    """One customer in one month for whom the decision was wrong, and what was known about them.

    `why` says why a leaver was not contacted: the `budget` went to others, or the probability was below the
    `threshold` at which a contact pays.
    """

    customer_id: str
    snapshot: str
    probability: float
    money: float
    why: Why
    values: Mapping[str, float | str | None]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SliceLoss:
    """Money lost per month in one group, and how many of its customers there are per month."""

    slice: str
    group: str
    customers: float
    false_alarms: float
    misses: float


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysis:
    """Where the money is lost, on average over the test months, under the campaign of one rung."""

    rung: str
    outcomes: tuple[Outcome, ...]
    false_alarms: tuple[Case, ...]
    misses: tuple[Case, ...]
    slices: tuple[SliceLoss, ...]
    differences: tuple[FieldDifference, ...]


def error_analysis(
    scorer: Scorer,
    frame: pd.DataFrame,
    rows: Holdout,
    probability: FloatArray,
    *,
    groups: Groups,
    fields: tuple[Field, ...],
) -> ErrorAnalysis:
    """Take a campaign apart.

    Args:
        scorer: the rung whose decisions are judged; it gives the reasons.
        frame: the test rows in canonical order.
        rows: the same rows as a holdout.
        probability: the rung's scores of them.
        groups: the rows of each group of each slice.
        fields: the features to show of a case, those that only the economics reads included.
    """
    parts = _Parts(rows, probability)
    worst = (
        _worst(parts.false_alarm, parts, frame, sure=probability),
        _worst(parts.missed, parts, frame, sure=1 - probability),
    )
    false_alarms, misses = (_cases(places, parts, frame, scorer=scorer, fields=fields) for places in worst)
    return ErrorAnalysis(
        rung=scorer.name,
        outcomes=parts.outcomes(),
        false_alarms=false_alarms,
        misses=misses,
        slices=tuple(parts.slice_loss(group, inside) for group, inside in groups.items()),
        differences=differences_of(frame, parts.missed, parts.found, fields),
    )


class _Parts:
    """The test rows by what was decided and what happened."""

    def __init__(self, rows: Holdout, probability: FloatArray) -> None:
        campaign = Campaign(rows, probability)
        left, contacted = rows.churned > 0, campaign.chosen()
        self.probability, self.value, self.months = probability, campaign.value, rows.snapshots
        self.found = contacted & left
        self.false_alarm = contacted & ~left
        self.missed = ~contacted & left & (rows.payoffs.gain > 0)
        self.let_go = ~contacted & left & (rows.payoffs.gain <= 0)
        self.left_alone = ~contacted & ~left
        self.money: FloatArray = np.select(
            [self.found, self.false_alarm, self.missed],
            [rows.payoffs.gain, -rows.payoffs.loss, -rows.payoffs.gain],
            0.0,
        )

    def outcomes(self) -> tuple[Outcome, ...]:
        """Customers and money per month of each kind."""
        kinds = {
            "leaver contacted": self.found,
            "stayer contacted": self.false_alarm,
            "leaver missed": self.missed,
            "leaver not worth a contact": self.let_go,
            "stayer left alone": self.left_alone,
        }
        return tuple(Outcome(name, self._per_month(inside), self._money(inside)) for name, inside in kinds.items())

    def slice_loss(self, group: tuple[str, ...], inside: NDArray[Any]) -> SliceLoss:
        """What false alarms and misses cost in one group, as positive amounts."""
        lost = [-self._money(kind & inside) + 0.0 for kind in (self.false_alarm, self.missed)]
        return SliceLoss(group[0], group[1], self._per_month(inside), *lost)

    def why(self, row: int) -> Why:
        """Why a row was decided as it was."""
        if self.false_alarm[row] or self.found[row]:
            return "contacted"
        return "budget" if self.value[row] > 0 else "threshold"

    def _per_month(self, inside: NDArray[Any]) -> float:
        return float(inside.sum() / self.months)

    def _money(self, inside: NDArray[Any]) -> float:
        return float(self.money[inside].sum() / self.months)


def _worst(inside: NDArray[np.bool_], parts: _Parts, frame: pd.DataFrame, *, sure: FloatArray) -> NDArray[np.int64]:
    """Places of the dearest rows, each customer once; among equally dear ones, those the rung was surest about."""
    rows = np.flatnonzero(inside)
    rows = rows[np.lexsort((-sure[rows], parts.money[rows]))]
    first = ~frame["customer_id"].iloc[rows].duplicated().to_numpy()
    return rows[first][:CASES]


def _cases(
    places: NDArray[np.int64], parts: _Parts, frame: pd.DataFrame, *, scorer: Scorer, fields: tuple[Field, ...]
) -> tuple[Case, ...]:
    shown = frame.iloc[places].reset_index(drop=True)
    reasons = strongest_reasons(scorer.reasons(shown, len(shown)), scorer.fields, shown)
    return tuple(
        Case(
            customer_id=str(shown.at[i, "customer_id"]),
            snapshot=str(shown.at[i, "snapshot"]),
            probability=float(parts.probability[place]),
            money=float(parts.money[place]),
            why=parts.why(int(place)),
            values={field.name: _plain(shown.at[i, field.name]) for field in fields},
            reasons=tuple(reason.text for reason in reasons[i]),
        )
        for i, place in enumerate(places)
    )


def _plain(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return None if pd.isna(value) else float(value)
