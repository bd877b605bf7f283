"""Features as of a snapshot: every figure below was worked out by hand from `little_company.ROWS`."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from pipeline.errors import SourceError
from pipeline.feature_kinds import DaysSince
from pipeline.features import build_features
from pipeline.lake import Lake
from tests.little_company import FEATURES, ROWS, day, file_by_month, little_company

DATASET = little_company()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(UPath(tmp_path))
    file_by_month(lake, DATASET, ROWS)
    return lake


def features_of(lake: Lake, customer: str, key: str = "2024-03") -> dict[str, Any]:
    return {row["customer_id"]: row for row in build_features(DATASET, lake, key).to_pylist()}[customer]


def test_each_kind_gives_the_figure_worked_out_by_hand(lake: Lake) -> None:
    # the snapshot of March is taken on 1 April; 60 days back is 1 February, 30 days back is 2 March
    assert features_of(lake, "a") == {
        "customer_id": "a",
        "region": "north",
        "tenure_days": 91.0,
        "price": 12.0,
        "failed_payments": 1.0,
        "paid": 22.0,
        "mean_amount": pytest.approx(34 / 3),
        "failed_share": pytest.approx(1 / 3),
        "days_since_payment": 12.0,
        "amount_trend": pytest.approx(24 / 10),
    }


def test_a_customer_without_rows_has_zero_counts_and_missing_means(lake: Lake) -> None:
    found = features_of(lake, "d")
    assert (found["failed_payments"], found["paid"]) == (0.0, 0.0)
    assert [found[name] for name in ("price", "mean_amount", "failed_share", "days_since_payment")] == [None] * 4


def test_a_late_row_is_unknown_until_it_is_recorded(lake: Lake) -> None:
    assert features_of(lake, "b", "2024-03")["failed_payments"] == 0.0
    with_late = [*ROWS["payments"], ("p6", "d", 9.0, "failed", day("2024-03-31 23:59"), day("2024-04-02"))]
    file_by_month(lake, DATASET, ROWS | {"payments": with_late})
    assert features_of(lake, "d", "2024-03")["failed_payments"] == 0.0
    assert features_of(lake, "d", "2024-04")["failed_payments"] == 1.0


def test_who_cancelled_before_the_snapshot_is_no_customer_any_more(lake: Lake) -> None:
    assert build_features(DATASET, lake, "2024-03")["customer_id"].to_pylist() == ["a", "b", "d"]
    assert build_features(DATASET, lake, "2024-04")["customer_id"].to_pylist() == ["d"]


def test_a_row_at_the_very_moment_of_the_snapshot_is_not_yet_known(lake: Lake) -> None:
    on_the_dot = [*ROWS["payments"], ("p7", "d", 9.0, "failed", day("2024-04-01"), day("2024-04-01"))]
    file_by_month(lake, DATASET, ROWS | {"payments": on_the_dot})
    assert features_of(lake, "d", "2024-03")["failed_payments"] == 0.0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    planted=st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.floats(0, 1e6),
            st.sampled_from(["paid", "failed"]),
            st.integers(0, 60 * 24 * 60),
            st.integers(0, 200 * 24 * 60),
        ),
        max_size=8,
    )
)
def test_rows_planted_after_the_snapshot_change_nothing(lake: Lake, planted: list[tuple[Any, ...]]) -> None:
    before = build_features(DATASET, lake, "2024-03")
    future = [
        (
            f"future{i}",
            customer,
            amount,
            status,
            day("2024-04-01") + timedelta(minutes=after - backdated),
            day("2024-04-01") + timedelta(minutes=after),
        )
        for i, (customer, amount, status, after, backdated) in enumerate(planted)
    ]
    # the planted rows lie in the very partition that the snapshot reads, so only `known_at` can keep them out
    lake.write(_with(lake, future), "trusted", "payments", "2024-03")
    assert build_features(DATASET, lake, "2024-03").equals(before)
    file_by_month(lake, DATASET, ROWS)


def test_a_missing_month_is_refused_rather_than_counted_as_nothing(lake: Lake) -> None:
    lake.path("trusted", "payments", "2024-02").unlink()
    with pytest.raises(SourceError, match="found no 2024-02"):
        build_features(DATASET, lake, "2024-03")


def test_the_same_rows_in_another_order_give_the_same_bytes(lake: Lake) -> None:
    before = build_features(DATASET, lake, "2024-03")
    file_by_month(lake, DATASET, {name: rows[::-1] for name, rows in ROWS.items()})
    assert build_features(DATASET, lake, "2024-03").equals(before)


def test_a_lake_in_an_object_store_gives_the_same_features(lake: Lake) -> None:
    remote = Lake(UPath("memory://lake/little"))
    file_by_month(remote, DATASET, ROWS)
    assert build_features(DATASET, remote, "2024-03").equals(build_features(DATASET, lake, "2024-03"))


def test_a_missing_number_is_null_and_never_nan(lake: Lake) -> None:
    values = [value for row in build_features(DATASET, lake, "2024-03").to_pylist() for value in row.values()]
    assert not any(isinstance(value, float) and math.isnan(value) for value in values)


def _with(lake: Lake, planted: list[tuple[Any, ...]]) -> Any:
    import pyarrow as pa

    from tests.little_company import PAYMENTS, rows_of

    return pa.concat_tables([lake.read("trusted", "payments", "2024-03"), rows_of(PAYMENTS, planted)])


def test_what_is_longer_ago_than_a_feature_looks_back_is_missing(tmp_path: Path) -> None:
    since = DaysSince(name="days_since_payment", table="payments", days=40)
    company = little_company(features=tuple(f if f.name != since.name else since for f in FEATURES))
    lake = Lake(UPath(tmp_path))
    file_by_month(lake, company, ROWS)
    found = build_features(company, lake, "2024-03").to_pylist()
    # a paid last on 20 March; b on 20 January, 71 days before, and what was recorded in April is not known yet
    assert {row["customer_id"]: row["days_since_payment"] for row in found if row["customer_id"] in "ab"} == {
        "a": 12.0,
        "b": None,
    }
