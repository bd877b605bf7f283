"""A company of four customers whose every figure can be worked out by hand. Fakes, shared by several test modules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipeline.calendar import Monthly
from pipeline.declaration import Active, Dataset, Slice
from pipeline.economics import RetentionOffer, Value
from pipeline.feature_kinds import Attribute, Count, DaysSince, Latest, Mean, Share, Sum, Trend
from pipeline.label_kinds import EventLabel
from pipeline.lake import Lake
from pipeline.rule import Points, Rule
from pipeline.settings import Settings
from pipeline.tables import Column, Table, Where

CUSTOMERS = Table(
    name="customers",
    key=("customer_id",),
    known_at="signed_up_at",
    columns=(
        Column("customer_id", "string"),
        Column("signed_up_at", "timestamp"),
        Column("region", "string", categories=("north", "south")),
    ),
)
EVENTS = Table(
    name="events",
    key=("event_id",),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("event_id", "string"),
        Column("customer_id", "string"),
        Column("event", "string", categories=("price", "cancelled")),
        Column("price", "number", unit="USD a month", minimum=0, nullable=True),
        Column("happened_at", "timestamp"),
        Column("recorded_at", "timestamp"),
    ),
)
PAYMENTS = Table(
    name="payments",
    key=("payment_id",),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("payment_id", "string"),
        Column("customer_id", "string"),
        Column("amount", "number", unit="USD", minimum=0),
        Column("status", "string", categories=("paid", "failed")),
        Column("happened_at", "timestamp"),
        Column("recorded_at", "timestamp"),
    ),
)
FAILED = Where("status", "==", "failed")
CANCELLED = Where("event", "==", "cancelled")
FEATURES = (
    Attribute(name="region", table="customers", column="region"),
    DaysSince(name="tenure_days", table="customers", column="signed_up_at"),
    Latest(name="price", table="events", column="price", where=(Where("event", "==", "price"),)),
    Count(name="failed_payments", table="payments", days=60, where=(FAILED,), direction=1, action="Offer a new card."),
    Sum(name="paid", table="payments", column="amount", days=60, where=(Where("status", "==", "paid"),)),
    Mean(name="mean_amount", table="payments", column="amount", days=60),
    Share(name="failed_share", table="payments", of=FAILED, days=60),
    DaysSince(name="days_since_payment", table="payments"),
    Trend(name="amount_trend", table="payments", column="amount", recent_days=30, earlier_days=30),
)


@dataclass
class RowsInMemory:
    """A source that hands out what a test wrote into it."""

    rows: dict[tuple[str, str], pa.Table] = field(default_factory=dict)

    def read(self, table: Table, key: str, settings: Settings) -> pa.Table:
        return self.rows[table.name, key]


def little_company(**changes: Any) -> Dataset:
    """The declaration, with anything exchanged that a test wants exchanged."""
    declared: dict[str, Any] = {
        "name": "little",
        "description": "Four customers.",
        "tables": (CUSTOMERS, EVENTS, PAYMENTS),
        "population": Active(table="customers", started="signed_up_at", ended_table="events", ended=(CANCELLED,)),
        "features": FEATURES,
        "label": EventLabel(table="events", where=(CANCELLED,), horizon_days=28),
        "economics": RetentionOffer(
            contact_cost=5, offer_cost=20, acceptance=0.5, value=Value(times=10, field="price"), budget_share=0.5
        ),
        "rule": Rule((Points(Where("failed_payments", ">=", 1), 2),)),
        "slices": (Slice(name="region", field="region"),),
        "calendar": Monthly(first="2024-01", months=6, history_months=2),
        "source": RowsInMemory(),
    }
    return Dataset(**(declared | changes))


def day(text: str) -> datetime:
    """A moment from "2024-03-01" or "2024-03-01 12:00"."""
    return datetime.fromisoformat(text)


def rows_of(table: Table, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows in the order of the declared columns, as an Arrow table of the declared types."""
    kinds = {"string": pa.string(), "number": pa.float64(), "integer": pa.int64(), "timestamp": pa.timestamp("us")}
    columns = [[row[i] for row in rows] for i in range(len(table.columns))]
    arrays = [pa.array(values, type=kinds[c.kind]) for values, c in zip(columns, table.columns, strict=True)]
    return pa.table(arrays, names=[column.name for column in table.columns])


def file_by_month(lake: Lake, dataset: Dataset, rows: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Write trusted rows as ingestion would: each under the month in which it became known."""
    for table in dataset.tables:
        known = [column.name for column in table.columns].index(str(table.known_at))
        for key in dataset.calendar.keys():
            of_month = [row for row in rows.get(table.name, ()) if f"{row[known]:%Y-%m}" == key]
            lake.write(rows_of(table, of_month), "trusted", table.name, key)


ROWS = {
    "customers": [
        ("a", day("2024-01-01"), "north"),
        ("b", day("2024-01-11"), "south"),
        ("c", day("2024-02-01"), "north"),
        ("d", day("2024-03-31 23:59"), "south"),
    ],
    "events": [
        ("e1", "a", "price", 10.0, day("2024-01-01"), day("2024-01-01")),
        ("e2", "a", "price", 12.0, day("2024-03-01"), day("2024-03-01")),
        ("e3", "b", "price", 20.0, day("2024-01-11"), day("2024-01-11")),
        ("e4", "c", "price", 30.0, day("2024-02-01"), day("2024-02-01")),
        ("e5", "c", "cancelled", None, day("2024-03-15"), day("2024-03-15")),
        ("e6", "b", "cancelled", None, day("2024-04-10"), day("2024-04-10")),
        ("e7", "a", "cancelled", None, day("2024-04-29"), day("2024-04-29")),
    ],
    "payments": [
        ("p1", "a", 10.0, "paid", day("2024-02-10"), day("2024-02-10")),
        ("p2", "a", 12.0, "paid", day("2024-03-10"), day("2024-03-10")),
        ("p3", "a", 12.0, "failed", day("2024-03-20"), day("2024-03-20")),
        ("p4", "b", 20.0, "paid", day("2024-01-20"), day("2024-01-20")),
        ("p5", "b", 20.0, "failed", day("2024-03-05"), day("2024-04-02")),
    ],
}
