"""How well the release did, once the labels of a month have matured.

A customer who was contacted may have stayed because of it. That is the campaign's success, and looks like the model's
mistake; leaving such customers out is no better, for they are those the model was surest about. The campaign's control
group solves it: of the customers who would have been contacted, a share drawn by lot was left alone. What happened to
them is what would have happened to all, so each of them stands for as many as were selected for one left alone: inverse
probability weighting by the share that the lot really left (Horvitz and Thompson 1952; Hajek's form, by month).
Customers who were never selected stand for themselves; the contacted ones are not looked at.

The weights are whole numbers of copies, as even as can be and handed out by a hash of the customer. The bootstrap of
`pipeline/metrics.py` draws customers, so a customer's copies come and go together and the intervals know how few people
were really left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.figures import intervals_as_dict
from pipeline.bootstrap import Draws, Interval
from pipeline.control_group import representative_places
from pipeline.economics import FloatArray, Payoffs
from pipeline.holdout import canonical_order, checked_probability, holdout_of
from pipeline.metrics import drawn_metrics, metrics_of
from pipeline.settings import Settings

FEWEST_LEFT_ALONE = 30
OVERALL = "all"
MODEL = "model"


@dataclass(frozen=True)
class Outcomes:
    """Matured predictions, one row for each customer and month; every array has shape (rows,).

    Args:
        churned: whether the customer left within the horizon.
        probability: as it was given then.
        gain: what contacting them would have earned if they would leave.
        loss: what it would have cost if they would stay.
        customer: who.
        snapshot: month of the prediction.
        release: which release gave it.
        selected: whether the policy wanted to contact them.
        contacted: whether they were; False for the control group.
    """

    churned: NDArray[np.bool_]
    probability: FloatArray
    gain: FloatArray
    loss: FloatArray
    customer: NDArray[Any]
    snapshot: NDArray[Any]
    release: NDArray[Any]
    selected: NDArray[np.bool_]
    contacted: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.churned)

    @property
    def left_alone(self) -> NDArray[np.bool_]:
        """The control group."""
        return self.selected & ~self.contacted

    def only(self, rows: NDArray[Any]) -> "Outcomes":
        """Some of the rows, or some of them several times."""
        return Outcomes(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True)
class Realised:
    """Figures of one release in one month, or of a slice of that.

    Args:
        metrics: as `pipeline.metrics.evaluate` gives them; empty where nobody left or nobody stayed.
        rows: customers who were scored.
        contacted: of them, how many were contacted.
        left_alone: of them, how many were selected and left alone by lot.
        is_honest: whether the selected are represented at all, and by people enough. Where not, the figures are those
            of the customers nobody wanted to contact, and say little about the model where it matters.
        against: profit less that of each rival on the same draws.
    """

    release: str
    snapshot: str
    slice: str
    metrics: Mapping[str, Interval]
    rows: int
    contacted: int
    left_alone: int
    is_honest: bool
    against: Mapping[str, Interval] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; a figure that does not exist is None."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("metrics", "against")},
            "metrics": intervals_as_dict(self.metrics),
            "against": intervals_as_dict(self.against),
        }


def realised(
    outcomes: Outcomes,
    *,
    budget_share: float,
    settings: Settings,
    slices: Mapping[str, NDArray[np.bool_]] | None = None,
    rivals: Mapping[str, FloatArray] | None = None,
) -> list[Realised]:
    """Realised performance by release and month, then by slice; the overall figures come first.

    Args:
        outcomes: matured rows of any number of releases and months.
        budget_share: share of a month's customers that can be contacted, for the campaign's profit.
        settings: rounds and seed of the bootstrap.
        slices: by name, which rows are inside, shape (rows,).
        rivals: by name, what others say of the same rows, shape (rows,): the overall profit is compared with theirs.
    """
    found = []
    for release in np.unique(outcomes.release):
        for snapshot in np.unique(outcomes.snapshot[outcomes.release == release]):
            month = (outcomes.release == release) & (outcomes.snapshot == snapshot)
            for name, inside in ({OVERALL: np.ones(len(outcomes), dtype=bool)} | dict(slices or {})).items():
                rows = np.flatnonzero(month & inside)
                others = {who: p[rows] for who, p in (rivals or {}).items()} if name == OVERALL else {}
                found.append(_realised(name, outcomes.only(rows), others, budget_share, settings))
    return [each for each in found if each.rows]


def honest_rows(outcomes: Outcomes) -> NDArray[np.int64]:
    """Places of the rows to judge by, the control group's as often as they stand for; for one release and month."""
    return representative_places(outcomes.customer, outcomes.selected, outcomes.contacted)


def _realised(
    name: str, outcomes: Outcomes, rivals: Mapping[str, FloatArray], budget_share: float, settings: Settings
) -> Realised:
    places = honest_rows(outcomes)
    selected, left_alone = int(outcomes.selected.sum()), int(outcomes.left_alone.sum())
    drawn = _drawn(outcomes.only(places), {who: p[places] for who, p in rivals.items()}, budget_share, settings)
    return Realised(
        release=str(outcomes.release[0]) if len(outcomes) else "",
        snapshot=str(outcomes.snapshot[0]) if len(outcomes) else "",
        slice=name,
        metrics=metrics_of(drawn, MODEL) if drawn else {},
        rows=len(outcomes),
        contacted=int(outcomes.contacted.sum()),
        left_alone=left_alone,
        is_honest=left_alone >= min(FEWEST_LEFT_ALONE, selected),
        against={who: drawn.difference((MODEL, "profit"), (who, "profit")) for who in rivals} if drawn else {},
    )


def _drawn(rows: Outcomes, rivals: Mapping[str, FloatArray], budget_share: float, settings: Settings) -> Draws | None:
    """Every figure and its draws; None where nobody left or nobody stayed."""
    if len(np.unique(rows.churned)) < 2:
        return None
    order = canonical_order(rows.customer, rows.snapshot)
    sorted_rows = rows.only(order)
    found = holdout_of(
        sorted_rows.churned,
        Payoffs(sorted_rows.gain, sorted_rows.loss),
        customer=sorted_rows.customer,
        snapshot=sorted_rows.snapshot,
        budget_share=budget_share,
    )
    others = {who: checked_probability(who, p[order]) for who, p in rivals.items()}
    return drawn_metrics(found, {MODEL: checked_probability(MODEL, sorted_rows.probability), **others}, settings)
