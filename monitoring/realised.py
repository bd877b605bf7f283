"""How well the release did, once the labels of a month have matured.

A customer who was contacted may have stayed because of it. That is the campaign's success, and looks like the model's
mistake; leaving such customers out is no better, for they are those the model was surest about. The campaign's control
group solves it: of the customers who would have been contacted, a share drawn by lot was left alone. What happened to
them is what would have happened to all, so each of them stands for as many as were selected for one left alone: inverse
probability weighting by the share that the lot really left (Horvitz and Thompson 1952; Hajek's form, by month).
Customers who were never selected stand for themselves; the contacted ones are not looked at.

The weights are whole numbers of copies, as even as can be and handed out by a hash of the customer. Intervals are of
customers, whose copies come and go together (`weighted.py`), so they know how few people were really left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.figures import intervals_as_dict
from monitoring.weighted import Campaign, Customers, figures_of, slice_figures_of
from pipeline.bootstrap import Interval
from pipeline.control_group import representative_places
from pipeline.economics import FloatArray
from pipeline.holdout import checked_probability

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
        metrics: as `pipeline.metrics.evaluate` gives them, of a slice those that are shown; empty where nobody left or
            nobody stayed.
        rows: customers who were scored.
        contacted: of them, how many were contacted.
        left_alone: of them, how many were selected and left alone by lot.
        is_honest: whether the selected are represented at all, and by people enough. Where not, the figures are those
            of the customers nobody wanted to contact, and say little about the model where it matters.
        against: profit less that of each rival on the same customers.
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
    seed: int,
    slices: Mapping[str, NDArray[np.bool_]] | None = None,
    rivals: Mapping[str, FloatArray] | None = None,
    looked_at: NDArray[np.bool_] | None = None,
) -> list[Realised]:
    """Realised performance by release and month, then by slice; the overall figures come first.

    Args:
        outcomes: matured rows of any number of releases and months.
        budget_share: share of a month's customers that can be contacted, for the campaign's profit.
        seed: of the little that is drawn.
        slices: by name, which rows are inside, shape (rows,).
        rivals: by name, what others say of the same rows, shape (rows,): the overall profit is compared with theirs.
        looked_at: which rows the figures rest on, all by default: see `rows_to_look_at`.
    """
    looked_at = np.ones(len(outcomes), dtype=bool) if looked_at is None else looked_at
    found = []
    for rows in _by_release_and_month(outcomes):
        month = _Month(outcomes.only(rows), looked_at[rows], budget_share, seed)
        found.append(month.overall({who: p[rows] for who, p in (rivals or {}).items()}))
        found += [month.part(name, inside[rows]) for name, inside in (slices or {}).items()]
    return [each for each in found if each.rows]


def honest_rows(outcomes: Outcomes) -> NDArray[np.int64]:
    """Places of the rows to judge by, the control group's as often as they stand for; for one release and month."""
    return representative_places(outcomes.customer, outcomes.selected, outcomes.contacted)


def rows_to_look_at(outcomes: Outcomes, most: int) -> NDArray[np.bool_]:
    """Of a month the control group, of those never selected whoever left, and of the others about `most`, evenly taken.

    Each of these then stands for several, which leaves hardly more doubt: most of it comes from the few who left, and
    from the control group, each of whom stands for several anyway.
    """
    stayed = np.flatnonzero(~outcomes.selected & ~outcomes.churned)
    found = outcomes.left_alone | (~outcomes.selected & outcomes.churned)
    found[stayed[:: max(1, len(stayed) // most)]] = True
    return found


def copies_of(outcomes: Outcomes, looked_at: NDArray[np.bool_], inside: NDArray[np.bool_] | None = None) -> FloatArray:
    """How many rows of a month, or of a part of it, each row stands for; none where it is not looked at."""
    inside = np.ones(len(outcomes), dtype=bool) if inside is None else inside
    copies = np.zeros(len(outcomes))
    for others in (~outcomes.selected & outcomes.churned, ~outcomes.selected & ~outcomes.churned):
        copies[inside & looked_at & others] = others.sum() / max((looked_at & others).sum(), 1)
    chosen = np.flatnonzero(inside & outcomes.selected)
    places = representative_places(outcomes.customer[chosen], outcomes.selected[chosen], outcomes.contacted[chosen])
    copies[chosen] = np.bincount(places, minlength=len(chosen))
    return copies


def _by_release_and_month(outcomes: Outcomes) -> list[NDArray[np.int64]]:
    """The rows of each release and month, in their order."""
    releases, snapshots = (sorted(set(names.tolist())) for names in (outcomes.release, outcomes.snapshot))
    if len(releases) == len(snapshots) == 1:
        return [np.arange(len(outcomes))]
    each = [(outcomes.release == one) & (outcomes.snapshot == other) for one in releases for other in snapshots]
    return [np.flatnonzero(rows) for rows in each if rows.any()]


@dataclass(frozen=True)
class _Month:
    """The outcomes of one release in one month."""

    outcomes: Outcomes
    looked_at: NDArray[np.bool_]
    budget_share: float
    seed: int

    def overall(self, rivals: Mapping[str, FloatArray]) -> Realised:
        """Every figure of all customers."""
        everybody = np.ones(len(self.outcomes), dtype=bool)
        customers = self._customers(everybody)
        if not customers.have_both_outcomes:
            return self._figures(OVERALL, everybody, {}, {})
        metrics = figures_of(customers, budget_share=self.budget_share, seed=self.seed)
        return self._figures(OVERALL, everybody, metrics, self._against(rivals, customers))

    def part(self, name: str, inside: NDArray[np.bool_]) -> Realised:
        """The figures that are shown of a slice."""
        customers = self._customers(inside)
        return self._figures(name, inside, slice_figures_of(customers) if customers.have_both_outcomes else {}, {})

    def _figures(
        self, name: str, inside: NDArray[np.bool_], metrics: Mapping[str, Interval], against: Mapping[str, Interval]
    ) -> Realised:
        rows = self.outcomes
        selected, left_alone = (int((inside & each).sum()) for each in (rows.selected, rows.left_alone))
        return Realised(
            release=str(rows.release[0]),
            snapshot=str(rows.snapshot[0]),
            slice=name,
            metrics=metrics,
            rows=int(inside.sum()),
            contacted=int((inside & rows.contacted).sum()),
            left_alone=left_alone,
            is_honest=left_alone >= min(FEWEST_LEFT_ALONE, selected),
            against=against,
        )

    def _against(self, rivals: Mapping[str, FloatArray], customers: Customers) -> dict[str, Interval]:
        """Profit less that of each rival on the same customers."""
        ours = Campaign(customers, customers.probability, self.budget_share).profit()
        theirs = {who: checked_probability(who, p[customers.row]) for who, p in rivals.items()}
        profits = {who: Campaign(customers, p, self.budget_share).profit() for who, p in theirs.items()}
        return {who: (ours - profit).interval for who, profit in profits.items()}

    def _customers(self, inside: NDArray[np.bool_]) -> Customers:
        """Those to judge by of the rows inside, with as many copies as they stand for."""
        copies = copies_of(self.outcomes, self.looked_at, inside)
        customers = self._sorted.only(np.flatnonzero(copies[self._sorted.row] > 0))
        return replace(customers, copies=copies[customers.row])

    @cached_property
    def _sorted(self) -> Customers:
        places = np.flatnonzero(self.looked_at)
        rows = self.outcomes.only(places)
        p = checked_probability(MODEL, rows.probability)
        known = np.isfinite(rows.gain) & np.isfinite(rows.loss)
        everybody = Customers(
            row=places,
            probability=p,
            churned=rows.churned.astype(np.float64),
            gain=np.where(known, rows.gain, 0.0),
            loss=np.where(known, rows.loss, 0.0),
            copies=np.ones(len(rows)),
            place=_places(rows.customer),
        )
        return everybody.only(np.argsort(-p, kind="stable"))


def _places(names: NDArray[Any]) -> NDArray[np.int64]:
    """Of each name in their order, in which they mostly come."""
    if (names[:-1] <= names[1:]).all():
        return np.arange(len(names))
    return np.argsort(np.argsort(names, kind="stable"), kind="stable")
