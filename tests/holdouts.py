"""Small holdouts and a company whose leavers follow a known law. Fakes, shared by several test modules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.calendar import Monthly
from pipeline.declaration import Active, Dataset, Slice
from pipeline.economics import Payoffs, RetentionOffer, Value
from pipeline.feature_kinds import Attribute, Count, Field, Latest
from pipeline.holdout import Holdout, holdout_of
from pipeline.label_kinds import EventLabel
from pipeline.rule import Points, Rule
from pipeline.scoring import RungName, sigmoid
from pipeline.settings import Settings
from pipeline.splits import Split
from pipeline.tables import Where
from tests.little_company import CANCELLED, CUSTOMERS, EVENTS, PAYMENTS, RowsInMemory

FEW_ROUNDS = Settings(bootstrap_rounds=100)
OFFER = RetentionOffer(
    contact_cost=2, offer_cost=10, acceptance=0.5, value=Value(times=10, field="price"), budget_share=0.1
)


def holdout(
    churned: Sequence[float],
    gain: Sequence[float] | float,
    loss: float,
    *,
    customer: Sequence[str] | None = None,
    snapshot: Sequence[str] | None = None,
    budget_share: float = 1.0,
) -> Holdout:
    """Rows in the order given, one customer each in one month unless said otherwise."""
    rows = len(churned)
    payoffs = Payoffs(np.broadcast_to(np.asarray(gain, dtype=float), rows).copy(), np.full(rows, float(loss)))
    return holdout_of(
        churned,
        payoffs,
        customer=[f"c{i:04d}" for i in range(rows)] if customer is None else customer,
        snapshot=["2024-01"] * rows if snapshot is None else snapshot,
        budget_share=budget_share,
    )


def company(**changes: Any) -> Dataset:
    """A declaration with a category and two numbers."""
    failed = Where("status", "==", "failed")
    declared: dict[str, Any] = {
        "name": "known_law",
        "description": "Leavers follow failed payments and region.",
        "tables": (CUSTOMERS, EVENTS, PAYMENTS),
        "population": Active(table="customers", started="signed_up_at", ended_table="events", ended=(CANCELLED,)),
        "features": (
            Attribute(name="region", table="customers", column="region"),
            Count(name="failed_payments", table="payments", days=60, where=(failed,)),
            Latest(name="price", table="events", column="price"),
        ),
        "label": EventLabel(table="events", where=(CANCELLED,), horizon_days=28),
        "economics": OFFER,
        "rule": Rule((Points(Where("failed_payments", ">=", 2), 1),)),
        "slices": (Slice(name="region", field="region"), Slice(name="price", field="price", edges=(20, 40))),
        "calendar": Monthly(first="2024-01", months=6, history_months=2),
        "source": RowsInMemory(),
    }
    return Dataset(**(declared | changes))


def labelled_months(customers: int = 600, months: int = 3, seed: int = 0) -> pd.DataFrame:
    """Labelled rows in which failed payments and the south raise the odds of leaving; `p_true` is the law."""
    random = np.random.default_rng(seed)
    rows = customers * months
    failed = random.poisson(0.7, rows).astype(float)
    south = random.random(rows) < 0.4
    p = sigmoid(-3.0 + 1.1 * failed + 0.8 * south)
    frame = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{i:05d}" for i in range(customers)], months),
            "snapshot": np.repeat([f"2024-{month + 2:02d}" for month in range(months)], customers),
            "region": np.where(south, "south", "north").astype(object),
            "failed_payments": failed,
            "price": random.gamma(4.0, 8.0, rows),
            "churned": random.random(rows) < p,
        }
    )
    return frame.astype({"region": object})


def split_with(test: pd.DataFrame) -> Split:
    """A split whose test part is given; nothing else of it is looked at."""
    return Split(test.iloc[:0], test.iloc[:0], test)


@dataclass(frozen=True)
class LawScorer:
    """A rung that knows part of the law: log-odds `base + slope * failed_payments + south`."""

    name: RungName
    fields: tuple[Field, ...]
    base: float = -3.0
    slope: float = 1.1
    south: float = 0.8

    def probability(self, columns: Any, rows: int) -> np.ndarray:
        """Churn probability of each customer."""
        return sigmoid(self.base + self._parts(columns).sum(axis=1))

    def reasons(self, columns: Any, rows: int) -> np.ndarray:
        """Parts of the log-odds against customers without failed payments in the north."""
        return self._parts(columns)

    def as_dict(self) -> dict[str, Any]:
        """Nothing that a test needs."""
        return {"rung": self.name}

    def _parts(self, columns: Any) -> np.ndarray:
        found = np.zeros((len(columns), len(self.fields)))
        for i, field in enumerate(self.fields):
            if field.name == "failed_payments":
                found[:, i] = self.slope * columns[field.name]
            if field.name == "region":
                found[:, i] = self.south * (columns[field.name] == "south")
        return found


def rungs_of(dataset: Dataset) -> dict[str, LawScorer]:
    """A blunt rule, a rung that knows the law, and one that knows no more than that."""
    fields = dataset.fields()
    return {
        "rule": LawScorer("rule", fields, base=-2.0, slope=0.05, south=0.0),
        "logistic": LawScorer("logistic", fields),
        "boosting": LawScorer("boosting", fields, slope=1.15),
    }
