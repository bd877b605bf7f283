"""Which rows a model may learn from. The months below were counted by hand."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from pipeline.calendar import Monthly
from pipeline.errors import ChurnError
from pipeline.label_kinds import EventLabel
from pipeline.labels import matured
from pipeline.lake import Lake
from pipeline.settings import Settings
from pipeline.splits import Months, by_customer, hashed_shares, labelled_rows, split_months, split_of
from tests.made_up_customers import customers, made_up, made_up_without_time

THREE_AND_TWO = Settings(test_months=3, calibration_months=2, training_months=4)


def test_the_newest_labelled_months_test_and_those_before_calibrate_and_train() -> None:
    # December closes on 1 January 2025; the 28 days after the snapshot of November have passed by 29 December
    assert split_months(made_up(), "2024-12", THREE_AND_TWO) == Months(
        train=("2024-03", "2024-04", "2024-05", "2024-06"),
        calibration=("2024-07", "2024-08"),
        test=("2024-09", "2024-10", "2024-11"),
    )


def test_a_long_horizon_leaves_months_out_between_the_parts() -> None:
    # 60 days after 1 November are 31 December: October is the newest known; June's label is known on 30 August and
    # July's on 30 September, so the test months from August (taken 1 September) on allow June at most
    dataset = made_up(label=EventLabel(table="customers", where=(), horizon_days=60))
    assert split_months(dataset, "2024-12", THREE_AND_TWO) == Months(
        train=("2024-01", "2024-02", "2024-03"),
        calibration=("2024-05", "2024-06"),
        test=("2024-08", "2024-09", "2024-10"),
    )


def test_with_little_history_calibration_shrinks_before_the_test_does() -> None:
    dataset = made_up()
    assert split_months(dataset, "2024-06", THREE_AND_TWO) == Months(
        ("2024-01",), ("2024-02",), ("2024-03", "2024-04", "2024-05")
    )
    assert split_months(dataset, "2024-04", THREE_AND_TWO) == Months(("2024-01",), ("2024-02",), ("2024-03",))


@pytest.mark.parametrize(("horizon_days", "needed"), [(28, 3), (60, 5), (90, 7)])
def test_too_little_history_says_how_many_months_there_are_and_are_needed(horizon_days: int, needed: int) -> None:
    dataset = made_up(label=EventLabel(table="customers", where=(), horizon_days=horizon_days))
    with pytest.raises(ChurnError, match=rf"at least {needed} labelled snapshots.*found 0 labelled: none"):
        split_months(dataset, "2024-01", THREE_AND_TWO)


def test_two_labelled_months_are_named_in_the_refusal() -> None:
    with pytest.raises(ChurnError, match="found 2 labelled: 2024-01, 2024-02"):
        split_months(made_up(), "2024-03", THREE_AND_TWO)


@settings(max_examples=150, deadline=None)
@given(
    horizon_days=st.integers(1, 200),
    settle_days=st.integers(0, 40),
    months=st.integers(1, 40),
    wished=st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 18)),
)
def test_every_label_of_a_part_is_known_before_the_next_part_begins(
    horizon_days: int, settle_days: int, months: int, wished: tuple[int, int, int]
) -> None:
    calendar = Monthly(first="2023-01", months=months, history_months=1)
    label = EventLabel(table="customers", where=(), horizon_days=horizon_days, settle_days=settle_days)
    dataset = made_up(calendar=calendar, label=label)
    test, calibration, training = wished
    chosen = Settings(test_months=test, calibration_months=calibration, training_months=training)
    labelled = matured(dataset, calendar.last)
    try:
        found = split_months(dataset, calendar.last, chosen)
    except ChurnError:
        # only where no three snapshots in a row would do
        chain = list(labelled[:1])
        for key in labelled:
            if label.mature_at(calendar.as_of(chain[-1])) <= calendar.as_of(key):
                chain.append(key)
        assert len(chain) < 3
        return
    assert found.test == tuple(labelled[-len(found.test) :])
    assert 1 <= len(found.test) <= test
    assert 1 <= len(found.calibration) <= calibration
    assert 1 <= len(found.train) <= training
    for earlier, later in ((found.train, found.calibration), (found.calibration, found.test)):
        assert label.mature_at(calendar.as_of(earlier[-1])) <= calendar.as_of(later[0])
        assert calendar.as_of(later[0]) - calendar.as_of(earlier[-1]) >= timedelta(days=horizon_days + settle_days)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three labelled months and the only snapshot of a dataset without time, as the steps before would write them."""
    lake = Lake(UPath(tmp_path))
    for key in ("2024-01", "2024-02", "2024-03", "snapshot"):
        rows = customers(400, seed=3, snapshot=key).sample(frac=1.0, random_state=1)
        lake.write(_arrow(rows.drop(columns=["snapshot", "churned"])), "features", "customers", key)
        lake.write(_arrow(rows[["customer_id", "churned"]].iloc[::-1]), "labels", "customers", key)
    return lake


def _arrow(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def test_rows_are_read_with_their_labels_in_one_order_and_with_the_types_that_models_expect(lake: Lake) -> None:
    found = labelled_rows(made_up(), lake, ["2024-02", "2024-01"])
    wanted = pd.concat([customers(400, 3, key) for key in ("2024-01", "2024-02")], ignore_index=True)
    assert list(found["customer_id"]) == list(wanted["customer_id"])
    assert list(found["snapshot"]) == list(wanted["snapshot"])
    assert list(found["churned"]) == list(wanted["churned"])
    assert found["region"].dtype == object
    assert set(found["region"]) == {"north", "south", None}
    assert found["never_known"].dtype == np.float64
    pd.testing.assert_series_equal(found["usage"], wanted["usage"])


def test_a_split_by_time_reads_each_month_into_its_part(lake: Lake) -> None:
    split = split_of(made_up(), lake, "2024-04", THREE_AND_TWO)
    assert [set(part["snapshot"]) for part in (split.train, split.calibration, split.test)] == [
        {"2024-01"},
        {"2024-02"},
        {"2024-03"},
    ]


WHAT_IS_NEW = Settings(months_since_change=1)


def test_what_is_new_is_learned_from_half_of_the_newest_customers_and_tested_on_the_others(lake: Lake) -> None:
    split = split_of(made_up(), lake, "2024-04", WHAT_IS_NEW)  # the labels of March are known when April closes
    assert [sorted(set(part["snapshot"])) for part in (split.train, split.calibration, split.test)] == [
        ["2024-01", "2024-02", "2024-03"],
        ["2024-03"],
        ["2024-03"],
    ]
    newest = split.train[split.train["snapshot"] == "2024-03"]
    assert set(newest["customer_id"]) == set(split.calibration["customer_id"])
    assert not set(newest["customer_id"]) & set(split.test["customer_id"])
    assert len(newest) + len(split.test) == 400
    assert 150 < len(split.test) < 250
    assert split.is_shared


def test_nobody_who_was_called_in_the_newest_month_is_learned_from(lake: Lake) -> None:
    rows = lake.read("features", "customers", "2024-03").sort_by("customer_id")
    is_listed = np.arange(400) < 40
    is_held_out = is_listed & (np.arange(400) % 4 == 0)
    listed = {"customer_id": rows["customer_id"], "contact": is_listed & ~is_held_out, "holdout": is_held_out}
    lake.write(pa.table(listed), "scores", "customers", "2024-03")
    called = set(np.array(rows["customer_id"].to_pylist())[is_listed & ~is_held_out])
    split = split_of(made_up(), lake, "2024-04", WHAT_IS_NEW)
    newest = split.train[split.train["snapshot"] == "2024-03"]
    assert not called & {*newest["customer_id"], *split.calibration["customer_id"], *split.test["customer_id"]}
    judged = pd.concat([split.calibration, split.test])
    assert len(judged) == 400  # the ten who were left alone stand for the forty who were chosen
    assert not set(newest["customer_id"]) & set(split.test["customer_id"])


@pytest.mark.parametrize("one_of", [60, 28])  # leaves: seven or fifteen, of whom a half, or its halves, have too few
def test_where_there_is_too_little_to_deal_the_split_is_by_time(lake: Lake, one_of: int) -> None:
    for key in ("2024-01", "2024-02", "2024-03"):
        rows = lake.read("labels", "customers", key).sort_by("customer_id")
        labels = {"customer_id": rows["customer_id"], "churned": np.arange(400) % one_of == 0}
        lake.write(pa.table(labels), "labels", "customers", key)
    split = split_of(made_up(), lake, "2024-04", WHAT_IS_NEW)
    assert (split.is_shared, set(split.test["snapshot"])) == (False, {"2024-03"})


def test_a_dataset_without_time_is_split_by_customer_in_three_parts_that_share_nobody(lake: Lake) -> None:
    split = split_of(made_up_without_time(), lake, "snapshot", THREE_AND_TWO)
    parts = [set(part["customer_id"]) for part in (split.train, split.calibration, split.test)]
    assert len(set.union(*parts)) == sum(len(part) for part in parts) == 400


def test_a_customer_stays_in_a_part_whatever_else_the_table_holds() -> None:
    rows = customers(4_000, seed=1)
    whole, half = by_customer(rows, seed=7), by_customer(rows.iloc[1::2].iloc[::-1], seed=7)
    for all_of_part, half_of_part in ((whole.train, half.train), (whole.test, half.test)):
        assert set(half_of_part["customer_id"]) == set(rows.iloc[1::2]["customer_id"]) & set(all_of_part["customer_id"])
    shares = [len(part) / 4_000 for part in (whole.train, whole.calibration, whole.test)]
    assert shares == pytest.approx([0.60, 0.15, 0.25], abs=0.02)
    assert set(by_customer(rows, seed=8).test["customer_id"]) != set(whole.test["customer_id"])


def test_the_hash_of_a_customer_is_the_same_in_every_process() -> None:
    assert hashed_shares(["c1", "c2"], 7).tolist() == pytest.approx([0.633791507237, 0.20686799893], abs=1e-12)


def test_a_part_in_which_nobody_leaves_is_refused_by_name(lake: Lake) -> None:
    labels = lake.read("labels", "customers", "2024-02").to_pandas().assign(churned=False)
    lake.write(_arrow(labels), "labels", "customers", "2024-02")
    with pytest.raises(ChurnError, match=r"calibration part, 2024-02 to 2024-02.*found 0 who left and 400 who stayed"):
        split_of(made_up(), lake, "2024-04", THREE_AND_TWO)
