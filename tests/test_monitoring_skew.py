"""What callers sent beside what the batch computed, customer by customer, by hand."""

import math
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from monitoring.skew import DAYS, FieldSkew, SkewLimits, skew_evidence, skew_of
from pipeline.feature_kinds import Field

JULY = "2025-07"
CLOSED = datetime(2025, 7, 1)
FIELDS = (
    Field(name="price", kind="number", unit="USD a month"),
    Field(name="tenure_days", kind="number", unit=DAYS),
    Field(name="region", kind="category", categories=("north", "south")),
)
SAME: dict[str, Any] = {"price": 30.0, "tenure_days": 60.0, "region": "north"}
SOURCES = {"price": "events", "tenure_days": "customers", "region": "customers"}


def asked(customer: str | None, *, days: float = 0.0, source: str = "online", **sent: Any) -> dict[str, Any]:
    """A row of the log, so many days after the month closed."""
    at = CLOSED + timedelta(days=days)
    return {"source": source, "customer_id": customer, "predicted_at": at, "features": SAME | sent}


def batch(*customers: str, **values: Any) -> pd.DataFrame:
    return pd.DataFrame([{"customer_id": customer} | SAME | values for customer in customers])


def differing(rows: list[dict[str, Any]], features: pd.DataFrame) -> list[str]:
    skew = skew_of(JULY, pd.DataFrame(rows), features, FIELDS)
    return [each.field for each in skew.fields if each.differing]


def test_what_is_the_same_does_not_differ() -> None:
    skew = skew_of(JULY, pd.DataFrame([asked("a"), asked("b")]), batch("a", "b", "c"), FIELDS)
    assert (skew.customers, skew.unknown) == (2, 0)
    assert skew.fields == (FieldSkew("price", 2, 0), FieldSkew("tenure_days", 2, 0), FieldSkew("region", 2, 0))


@pytest.mark.parametrize(
    ("sent", "computed", "differs"),
    [
        (30.0, 30.0, False),
        (30.00001, 30.0, False),  # a third of a millionth
        (30.0001, 30.0, True),
        (0.0, 1e-12, False),
        (None, math.nan, False),
        (None, 30.0, True),
        (30.0, math.nan, True),
        (3000.0, 30.0, True),
    ],
)
def test_a_number_differs_by_more_than_a_millionth(sent: float | None, computed: float, differs: bool) -> None:
    assert differing([asked("a", price=sent, days=20)], batch("a", price=computed)) == (["price"] if differs else [])


@pytest.mark.parametrize(
    ("sent", "computed", "differs"),
    [
        ("south", "south", False),
        ("south", "north", True),
        (None, "north", True),
        (None, None, False),
        ("South", "south", True),
    ],
)
def test_a_category_differs_where_it_is_another_text(sent: str | None, computed: str | None, differs: bool) -> None:
    found = differing([asked("a", region=sent)], batch("a", region=computed))
    assert found == (["region"] if differs else [])


@pytest.mark.parametrize(
    ("sent", "days", "differs"),
    [
        (60.0, 9.0, False),  # a copy of the batch's table
        (69.0, 9.0, False),  # counted on until the request
        (70.0, 9.0, False),  # of another hour of the day
        (70.1, 9.0, True),
        (59.0, 9.0, False),
        (58.9, 9.0, True),
        (61.0, 0.0, True),  # a day more at the very moment of the close
        (5.0, 9.0, True),  # started anew
        (69.0 * 24, 9.0, True),  # hours
        (None, 9.0, True),
    ],
)
def test_a_number_of_days_may_have_gone_on_counting(sent: float | None, days: float, differs: bool) -> None:
    found = differing([asked("a", tenure_days=sent, days=days)], batch("a"))
    assert found == (["tenure_days"] if differs else [])


def test_a_customers_newest_row_of_the_month_counts_once() -> None:
    rows = [asked("a", days=2, price=1.0), asked("a", days=3), asked("a", days=1, price=2.0), asked("b", price=1.0)]
    skew = skew_of(JULY, pd.DataFrame(rows), batch("a", "b"), FIELDS)
    assert skew.fields[0] == FieldSkew("price", 2, 1, "1.0", "30.0")


def test_other_rows_are_not_read() -> None:
    rows = [
        asked("a", source="batch", price=1.0),
        asked("a", days=-1, price=1.0),
        asked("a", days=31, price=1.0),
        asked(None, price=1.0),
    ]
    skew = skew_of(JULY, pd.DataFrame(rows), batch("a"), FIELDS)
    assert (skew.customers, skew.unknown, skew.fields[0]) == (0, 0, FieldSkew("price", 0, 0))


def test_a_customer_whom_the_batch_does_not_know_is_counted_and_not_compared() -> None:
    skew = skew_of(JULY, pd.DataFrame([asked("a"), asked("new", price=1.0)]), batch("a"), FIELDS)
    assert (skew.customers, skew.unknown, skew.fields[0].differing) == (1, 1, 0)


def test_a_field_that_a_release_or_the_batch_does_not_know_is_not_compared() -> None:
    older = asked("a")
    older["features"] = {"price": 30.0}
    skew = skew_of(JULY, pd.DataFrame([older, asked("b")]), batch("a", "b").drop(columns="region"), FIELDS)
    assert [(each.field, each.customers) for each in skew.fields] == [("price", 2), ("tenure_days", 1)]


def test_a_log_without_any_row_has_no_skew() -> None:
    empty = pd.DataFrame([], columns=list(asked("a")))
    assert skew_of(JULY, empty, batch("a"), FIELDS).customers == 0


def wrong(count: int, of: int, **sent: Any) -> list[dict[str, Any]]:
    return [asked(f"c{i}", **(sent if i < count else {})) for i in range(of)]


def told(rows: list[dict[str, Any]], limits: SkewLimits | None = None) -> list[tuple[tuple[str, ...], str]]:
    skew = skew_of(JULY, pd.DataFrame(rows), batch(*(f"c{i}" for i in range(100))), FIELDS)
    found = skew_evidence(skew, SOURCES, limits=limits)
    assert {(each.month, each.kind, each.release) for each in found} <= {(JULY, "skew", "")}
    return [(each.about, each.says) for each in found]


def test_one_customer_in_twenty_is_no_skew_and_more_are() -> None:
    assert told(wrong(2, 40, price=0.3)) == []
    assert told(wrong(3, 40, price=0.3)) == [
        (
            ("events",),
            "2025-07: callers send something else than the batch computes from events: price 7.5 % of 40 customers, "
            "for example price 0.3 instead of 30.0",
        )
    ]


def test_fewer_than_thirty_customers_say_nothing() -> None:
    assert told(wrong(29, 29, price=0.3)) == []
    assert told(wrong(30, 30, price=0.3)) != []


def test_fields_of_one_source_are_one_cause_and_the_worst_is_named_first() -> None:
    rows = wrong(20, 40, region="south")
    rows = [row | {"features": row["features"] | {"tenure_days": 1.0}} for row in rows]
    ((about, says),) = told(rows)
    assert about == ("customers",)
    assert "tenure_days 100.0 %, region 50.0 % of 40 customers, for example tenure_days 1.0 instead of 60.0" in says


def test_limits_can_be_set() -> None:
    assert told(wrong(1, 10, price=0.3), SkewLimits(share=0.0, fewest=10)) != []
