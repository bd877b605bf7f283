"""Where a campaign loses money, with figures worked by hand; what a rung goes by."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.error_analysis import ErrorAnalysis, Outcome, error_analysis
from pipeline.field_differences import differences_of
from pipeline.holdout import Holdout, holdout_of_frame, sorted_frame
from pipeline.importance import importance_of
from tests.holdouts import LawScorer, company, holdout, labelled_months

DATASET = company()
SCORER = LawScorer("logistic", DATASET.fields())
# one contact in five: a found leaver, a false alarm, misses by the budget and by the threshold, and one worth nothing
FRAME = pd.DataFrame(
    {
        "customer_id": [f"c{i}" for i in range(10)],
        "snapshot": "2024-02",
        "region": np.array(["south", "north"] * 5, dtype=object),
        "failed_payments": [4.0, 4.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.nan],
        "price": 30.0,
        "churned": [True, False, True, True, True, False, False, False, False, False],
    }
)
GAIN = [100.0, 90.0, 60.0, 50.0, -5.0, 50.0, 50.0, 50.0, 50.0, 50.0]
P = np.array([0.9, 0.9, 0.5, 0.05, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1])


def little() -> Holdout:
    return holdout(FRAME["churned"], GAIN, 10, budget_share=0.2)


def analysed(**changes: Any) -> ErrorAnalysis:
    given = {"groups": {("region", "south"): FRAME["region"].to_numpy() == "south"}, "fields": DATASET.fields()}
    return error_analysis(SCORER, FRAME, little(), P, **(given | changes))


def test_every_customer_is_counted_once_with_the_money_of_what_happened() -> None:
    assert analysed().outcomes == (
        Outcome("leaver contacted", 1, 100.0),
        Outcome("stayer contacted", 1, -10.0),
        Outcome("leaver missed", 2, -(60.0 + 50.0)),
        Outcome("leaver not worth a contact", 1, 0.0),
        Outcome("stayer left alone", 5, 0.0),
    )


def test_what_was_earned_and_lost_adds_up_to_the_profit() -> None:
    outcomes = {each.name: each.money for each in analysed().outcomes}
    assert outcomes["leaver contacted"] + outcomes["stayer contacted"] == 90.0


def test_the_dearest_miss_comes_first_and_says_why_it_was_missed() -> None:
    found = [(case.customer_id, case.money, case.why) for case in analysed().misses]
    # c2 pays (0.5 x 60 > 0.5 x 10) and the budget went to others; c3 does not (0.05 x 50 < 0.95 x 10)
    assert found == [("c2", -60.0, "budget"), ("c3", -50.0, "threshold")]


def test_a_false_alarm_shows_the_values_and_the_reasons_behind_it() -> None:
    (case,) = analysed().false_alarms
    assert (case.customer_id, case.money, case.why) == ("c1", -10.0, "contacted")
    assert case.values == {"region": "north", "failed_payments": 4.0, "price": 30.0}
    assert case.reasons[0].startswith("failed payments: 4")


def test_the_money_lost_in_a_group_is_that_of_its_own_customers() -> None:
    (south,) = analysed().slices
    assert (south.slice, south.group, south.customers) == ("region", "south", 5)
    assert (south.false_alarms, south.misses) == (0.0, 60.0)


def test_a_customer_is_shown_once_however_many_months_went_wrong() -> None:
    frame = pd.concat([FRAME, FRAME.assign(snapshot="2024-03")], ignore_index=True)
    rows = holdout(
        frame["churned"], GAIN * 2, 10, customer=frame["customer_id"], snapshot=frame["snapshot"], budget_share=0.2
    )
    found = error_analysis(SCORER, frame, rows, np.tile(P, 2), groups={}, fields=DATASET.fields())
    assert [case.customer_id for case in found.misses] == ["c2", "c3"]


def test_missed_and_found_leavers_differ_most_where_they_were_made_to() -> None:
    frame = labelled_months(400, 1)
    missed, found = np.arange(400) < 100, np.arange(400) >= 300
    frame.loc[missed, "failed_payments"] = np.tile([0.0, 1.0], 50)
    frame.loc[found, "failed_payments"] = np.tile([2.0, 3.0], 50)
    most = differences_of(frame, missed, found, DATASET.fields())[0]
    assert (most.field, most.category, most.missed, most.found) == ("failed_payments", "", 0.5, 2.5)
    # values 0, 1, 2, 3 in equal number have a standard deviation of the root of 1.25
    assert most.distance == pytest.approx(-2 / np.sqrt(1.25))


def test_too_few_leavers_give_no_differences() -> None:
    frame = labelled_months(100, 1)
    assert differences_of(frame, np.arange(100) < 4, np.arange(100) > 50, DATASET.fields()) == ()


def test_a_rung_goes_by_the_fields_it_uses_in_the_direction_it_uses_them() -> None:
    frame = sorted_frame(labelled_months())
    found = importance_of(SCORER, frame, holdout_of_frame(DATASET, frame), seed=1)
    assert [each.field for each in found] == ["failed_payments", "region", "price"]
    assert [each.direction for each in found] == ["more of it, more risk", "highest for south", ""]
    assert found[0].effect == pytest.approx(1.1 * frame["failed_payments"].mean())


def test_shuffling_what_a_rung_goes_by_costs_money_and_what_it_ignores_is_not_tried() -> None:
    frame = sorted_frame(labelled_months(2000))
    found = {each.field: each for each in importance_of(SCORER, frame, holdout_of_frame(DATASET, frame), seed=1)}
    stake = found["failed_payments"].profit_at_stake
    assert stake is not None
    assert stake > 0
    assert found["price"].profit_at_stake is None


def test_the_same_seed_shuffles_the_same() -> None:
    frame = sorted_frame(labelled_months())
    rows = holdout_of_frame(DATASET, frame)
    assert importance_of(SCORER, frame, rows, seed=1) == importance_of(SCORER, frame, rows, seed=1)
