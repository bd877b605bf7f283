"""What happened after a snapshot, and from when on it is known."""

from pathlib import Path

import pytest
from upath import UPath

from pipeline.calendar import Monthly
from pipeline.errors import NotMatureError
from pipeline.label_kinds import EventLabel, InactivityLabel
from pipeline.labels import build_labels, matured, newly_matured, write_labels
from pipeline.lake import Lake
from tests.little_company import CANCELLED, ROWS, file_by_month, little_company

DATASET = little_company()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(UPath(tmp_path))
    file_by_month(lake, DATASET, ROWS)
    return lake


def test_only_a_cancellation_within_the_horizon_counts(lake: Lake) -> None:
    # 1 April + 28 days is 29 April 00:00: b leaves on the 10th, a on the 29th, which is one instant too late
    labels = build_labels(DATASET, lake, "2024-03", "2024-04")
    assert dict(zip(*labels.to_pydict().values(), strict=True)) == {"a": False, "b": True, "d": False}


def test_labels_of_several_snapshots_are_those_of_each_alone(lake: Lake) -> None:
    known_in = {"2024-02": "2024-03", "2024-03": "2024-04"}
    write_labels(DATASET, lake, known_in, threads=2)
    for snapshot, month in known_in.items():
        assert lake.read("labels", "customers", snapshot).equals(build_labels(DATASET, lake, snapshot, month))
    with pytest.raises(NotMatureError):
        write_labels(DATASET, lake, {"2024-03": "2024-03"}, threads=2)


def test_a_label_is_refused_before_its_horizon_has_passed(lake: Lake) -> None:
    with pytest.raises(NotMatureError, match="expected to be asked at 2024-04-29 or later"):
        build_labels(DATASET, lake, "2024-03", "2024-03")


def test_inactivity_is_the_absence_of_rows(lake: Lake) -> None:
    dataset = little_company(label=InactivityLabel(table="payments", horizon_days=28, settle_days=3))
    labels = build_labels(dataset, lake, "2024-02", "2024-03").to_pydict()
    assert dict(zip(*labels.values(), strict=True)) == {"a": False, "b": True, "c": True}


def test_rows_that_arrive_after_the_label_matured_do_not_change_it(lake: Lake) -> None:
    # b's payment happened on 5 March and was recorded on 2 April, after the label of February had matured
    dataset = little_company(label=InactivityLabel(table="payments", horizon_days=28, settle_days=3))
    soon, later = (build_labels(dataset, lake, "2024-02", key) for key in ("2024-03", "2024-06"))
    assert soon.equals(later)


@pytest.mark.parametrize(
    ("horizon_days", "known"),
    [(28, ["2024-02", "2024-03", "2024-04"]), (32, ["2024-02", "2024-03"]), (62, ["2024-02"])],
)
def test_a_longer_horizon_matures_later(horizon_days: int, known: list[str]) -> None:
    label = EventLabel(table="events", where=(CANCELLED,), horizon_days=horizon_days)
    assert matured(little_company(label=label), "2024-05") == known


def test_every_snapshot_matures_in_exactly_one_month() -> None:
    dataset = little_company(calendar=Monthly(first="2024-01", months=24, history_months=3))
    each = [key for run in dataset.calendar.keys() for key in newly_matured(dataset, run)]
    assert each == matured(dataset, dataset.calendar.last)
