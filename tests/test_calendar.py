"""Months, snapshots and the moment of knowledge."""

from datetime import datetime

import pytest

from pipeline.calendar import Monthly, SingleSnapshot, month_after, require_key
from pipeline.errors import ChurnError, DeclarationError


@pytest.mark.parametrize(
    ("key", "months", "expected"),
    [("2024-12", 1, "2025-01"), ("2024-01", -1, "2023-12"), ("2024-05", 20, "2026-01"), ("2024-05", 0, "2024-05")],
)
def test_months_are_counted_across_years(key: str, months: int, expected: str) -> None:
    assert month_after(key, months) == expected


def test_a_snapshot_is_taken_when_its_month_closes() -> None:
    assert Monthly(first="2024-01", months=12).as_of("2024-12") == datetime(2025, 1, 1)


def test_the_first_snapshot_waits_for_its_history() -> None:
    calendar = Monthly(first="2024-11", months=5, history_months=3)
    assert calendar.keys() == ["2024-11", "2024-12", "2025-01", "2025-02", "2025-03"]
    assert calendar.snapshots("2025-02") == ["2025-01", "2025-02"]


def test_a_dataset_without_time_has_one_snapshot_that_knows_everything() -> None:
    assert SingleSnapshot().keys() == SingleSnapshot().snapshots("anything") == ["snapshot"]
    assert SingleSnapshot().as_of("snapshot") == datetime.max


@pytest.mark.parametrize("key", ["2024-13", "January", "2024-1-1", ""])
def test_what_is_no_month_is_refused_with_an_example(key: str) -> None:
    with pytest.raises(ChurnError, match="expected a month as YYYY-MM"):
        month_after(key)


def test_a_month_outside_the_data_is_refused_with_the_range() -> None:
    with pytest.raises(ChurnError, match="one of 2024-01 to 2024-06"):
        require_key(Monthly(first="2024-01", months=6), "2024-07")


def test_more_history_than_months_is_refused() -> None:
    with pytest.raises(DeclarationError, match="history_months=4, months=3"):
        Monthly(first="2024-01", months=3, history_months=4)
