"""The call list of a small company: who, in which order, why, and who is held out."""

import csv
import io
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from upath import UPath

from pipeline.call_list import (
    DO_NOT_CONTACT,
    HOLDOUT_SHARE,
    build_call_list,
    is_held_out,
    predictions_of,
    write_call_list,
)
from pipeline.errors import ChurnError, SourceError
from pipeline.lake import Lake
from pipeline.release import Release
from pipeline.settings import Settings
from pipeline.spreadsheet import as_csv
from tests import gate_world as world

DATASET = world.company(
    features=tuple(
        feature if feature.name != "failed_payments" else world.with_action(feature, "Offer a new card.")
        for feature in world.company().features
    )
)
KEY = "2024-06"
ROWS = {
    "customer_id": ["e", "a", "d", "c", "b", "h", "g", "f", "j", "i"],
    "region": ["north", "west", "south", "north", None, "north", "north", "north", "north", "north"],
    "failed_payments": [3.0, 3.0, 0.0, 1.0, 2.0, 3.0, None, 0.0, 0.0, 0.0],
    "usage": [5.0, 5.0, 30.0, 5.0, 5.0, 5.0, 20.0, 9.0, 9.0, 9.0],
    "price": [30.0, 30.0, 30.0, 30.0, 30.0, 2.0, 30.0, 30.0, 30.0, None],
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(UPath(tmp_path))
    lake.write(pa.table(ROWS), "features", "customers", KEY)
    return lake


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return world.released(tmp_path / "releases", DATASET, world.card(DATASET))


def build(
    lake: Lake, release: Release, *, budget_share: float = 0.3, holdout_share: float = 0.0
) -> tuple[pa.Table, pa.Table]:
    return build_call_list(lake, world.budget(release, budget_share), KEY, holdout_share=holdout_share)


def test_the_budget_goes_to_the_customers_who_are_worth_most(lake: Lake, release: Release) -> None:
    # log-odds: a -1.5 + 3 - 0.5 + 0.2 = 1.2, e 1.0, b 0.0, c -1.0
    # all are worth 300: a contact earns 0.5 x (300 - 20) - 5 = 135, or loses 25
    _, listed = build(lake, release)
    assert listed["customer_id"].to_pylist() == ["a", "e", "b"]
    assert listed["rank"].to_pylist() == [1, 2, 3]
    p = 1 / (1 + np.exp(-1.2))
    assert listed["churn_probability"][0].as_py() == pytest.approx(p)
    assert listed["expected_value"][0].as_py() == pytest.approx(p * 135 - (1 - p) * 25)
    assert listed["value_at_stake"].to_pylist() == [135.0] * 3


def test_every_customer_is_scored_once_and_told_why(lake: Lake, release: Release) -> None:
    scores, _ = build(lake, release)
    found = dict(zip(scores["customer_id"].to_pylist(), scores["decision_reason"].to_pylist(), strict=True))
    assert list(found) == sorted(ROWS["customer_id"])
    assert (found["a"], found["c"], found["d"], found["h"], found["i"]) == (
        "contact",
        "budget",
        "threshold",
        "value",  # price 2: half of 20 - 20 less 5 to call: not even a certain leaver pays
        "value",  # price unknown
    )
    assert set(scores["release"].to_pylist()) == {release.id}
    assert set(scores["served_by"].to_pylist()) == {"champion"}


def test_customers_of_equal_value_stand_in_the_order_of_their_ids(lake: Lake, release: Release) -> None:
    same = {name: [values[0]] * 4 for name, values in ROWS.items() if name != "customer_id"}
    lake.write(pa.table({"customer_id": ["z", "x", "y", "w"], **same}), "features", "customers", KEY)
    _, listed = build(lake, release, budget_share=0.5)
    assert listed["customer_id"].to_pylist() == ["w", "x"]


def test_a_listed_customer_comes_with_reasons_and_something_to_do(lake: Lake, release: Release) -> None:
    _, listed = build(lake, release)
    first = listed.to_pylist()[0]
    assert first["reason_1"] == "failed payments: 3 (odds of leaving x20.09)"
    assert first["reason_2"] == "region: west (odds of leaving x1.22)"
    assert first["reason_3"] is None
    assert first["suggested_action"] == "Offer a new card."
    assert listed.to_pylist()[2]["reason_2"] is None  # region unknown


def test_the_control_group_is_flagged_and_not_contacted(lake: Lake, release: Release) -> None:
    customers = np.array(["a", "e", "b"], dtype=object)
    share = next(s for s in np.arange(0.05, 1, 0.05) if is_held_out(customers, KEY, s).sum() == 1)
    held = customers[is_held_out(customers, KEY, share)][0]
    scores, listed = build(lake, release, holdout_share=float(share))
    by_id = {row["customer_id"]: row for row in scores.to_pylist()}
    assert (by_id[held]["contact"], by_id[held]["holdout"], by_id[held]["decision_reason"]) == (False, True, "holdout")
    assert sum(row["contact"] for row in by_id.values()) == 2
    row = next(row for row in listed.to_pylist() if row["customer_id"] == held)
    assert (row["holdout"], row["suggested_action"]) == (True, DO_NOT_CONTACT)
    assert len(listed) == 3


def test_the_control_group_is_a_tenth_drawn_anew_each_month_and_the_same_in_each_run() -> None:
    customers = np.array([f"c{i}" for i in range(20_000)], dtype=object)
    june, again = (is_held_out(customers, "2024-06", 0.1) for _ in range(2))
    july = is_held_out(customers, "2024-07", 0.1)
    assert (june == again).all()
    assert june.mean() == pytest.approx(0.1, abs=0.01)
    assert (june & july).mean() == pytest.approx(0.01, abs=0.004)  # independent of the month before
    assert not is_held_out(customers, "2024-06", 0.0).any()
    assert Settings().holdout_share == HOLDOUT_SHARE


def test_the_list_is_written_for_people_and_for_machines(lake: Lake, release: Release) -> None:
    scores, listed = build(lake, release)
    write_call_list(lake, scores, listed, KEY)
    assert lake.read("scores", "customers", KEY).equals(scores)
    assert lake.read("call_lists", "customers", KEY).equals(listed)
    lines = (lake.root / "call_lists" / "customers" / f"{KEY}.csv").read_text().splitlines()
    assert lines[0].split(",")[:4] == ["rank", "customer_id", "churn_probability", "expected_value"]
    assert lines[1].startswith("1,a,0.7685,97.96,135.0,")
    assert len(lines) == 4


def test_a_month_in_which_nobody_is_worth_a_contact_has_an_empty_list(lake: Lake, release: Release) -> None:
    lake.write(pa.table({name: values[2:3] for name, values in ROWS.items()}), "features", "customers", KEY)
    scores, listed = build(lake, release, budget_share=1.0)
    assert (len(scores), len(listed)) == (1, 0)
    write_call_list(lake, scores, listed, KEY)
    assert len((lake.root / "call_lists" / "customers" / f"{KEY}.csv").read_text().splitlines()) == 1


def test_a_cell_that_a_spreadsheet_would_run_is_made_text() -> None:
    cells = ["=1+1", "+49", "-2", "@x", "plain", 'with "quotes", and a comma']
    lines = as_csv(pa.table({"customer_id": cells, "value": [-1.234] * 6}), decimals={}).decode()
    assert lines.splitlines()[1] == "'=1+1,-1.23"
    assert [row[0] for row in csv.reader(io.StringIO(lines))][1:] == ["'=1+1", "'+49", "'-2", "'@x", *cells[4:]]


def test_a_month_without_features_is_named(lake: Lake, release: Release) -> None:
    with pytest.raises(SourceError, match="features table 'customers', month 2024-07"):
        build_call_list(lake, release, "2024-07")


def test_a_release_that_needs_a_feature_that_is_gone_is_named(lake: Lake, release: Release) -> None:
    lake.write(pa.table(ROWS).drop_columns(["usage"]), "features", "customers", KEY)
    with pytest.raises(ChurnError, match="expected the features usage, which release"):
        build_call_list(lake, release, KEY)


def test_every_score_becomes_a_row_of_the_prediction_log(lake: Lake, release: Release) -> None:
    scores, _ = build(lake, release)
    logged = list(predictions_of(DATASET, lake, scores, KEY, predicted_at=datetime(2024, 7, 1)))
    assert [each.customer_id for each in logged] == scores["customer_id"].to_pylist()
    assert len({each.id for each in logged}) == len(logged)
    assert logged[0].features == {"region": "west", "failed_payments": 3.0, "usage": 5.0, "price": 30.0}
    assert (logged[0].source, logged[0].snapshot, logged[0].release) == ("batch", KEY, release.id)
