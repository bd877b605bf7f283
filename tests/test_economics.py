"""The money behind every decision, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.economics import (
    Payoffs,
    RecordedCosts,
    RetentionOffer,
    Value,
    budget_of,
    contacts,
    economics_as_dict,
    economics_from_dict,
)

OFFER = RetentionOffer(
    contact_cost=5, offer_cost=20, acceptance=0.5, value=Value(times=10, field="price"), budget_share=0.1
)
RECORDED = RecordedCosts(
    contacted_leaver="tp_cost", contacted_stayer="fp_cost", missed_leaver="fn_cost", budget_share=0.2
)


def test_an_offer_earns_half_the_value_and_costs_the_offer_of_those_who_would_have_stayed() -> None:
    payoffs = OFFER.payoffs({"price": [30.0, 1.0]}, 2)
    # half of the leavers stay and are worth 10 x 30 less the offer of 20; every contact costs 5
    assert payoffs.gain.tolist() == [0.5 * (300 - 20) - 5, 0.5 * (10 - 20) - 5]
    assert payoffs.loss.tolist() == [25.0, 25.0]


def test_recorded_costs_are_measured_against_contacting_nobody() -> None:
    payoffs = RECORDED.payoffs({"tp_cost": [130.0], "fp_cost": [80.0], "fn_cost": [1330.0]}, 1)
    assert (payoffs.gain.tolist(), payoffs.loss.tolist()) == ([1200.0], [80.0])


def test_expected_and_realised_value_of_a_contact() -> None:
    payoffs = Payoffs(gain=np.array([100.0, 100.0]), loss=np.array([25.0, 25.0]))
    assert payoffs.expected([0.2, 0.1]).tolist() == [0.2 * 100 - 0.8 * 25, 0.1 * 100 - 0.9 * 25]
    assert payoffs.realised([True, False]).tolist() == [100.0, -25.0]
    assert payoffs.break_even().tolist() == [0.2, 0.2]


def test_nobody_is_worth_a_contact_that_cannot_earn() -> None:
    assert Payoffs(gain=np.array([-30.0]), loss=np.array([25.0])).break_even().tolist() == [np.inf]


def test_the_budget_goes_where_the_expected_value_is_highest_and_never_to_a_loss() -> None:
    assert contacts(np.array([3.0, -1.0, 9.0, 5.0]), budget=2).tolist() == [False, False, True, True]
    assert contacts(np.array([3.0, -1.0, 0.0, -5.0]), budget=3).tolist() == [True, False, False, False]


@given(hnp.arrays(float, st.integers(0, 40), elements=st.floats(-1e6, 1e6)), st.integers(0, 50))
def test_no_other_choice_within_the_budget_earns_more(value: np.ndarray, budget: int) -> None:
    chosen = contacts(value, budget)
    best = np.sort(value[value > 0])[::-1][:budget].sum()
    assert chosen.sum() <= budget
    assert value[chosen].sum() == pytest.approx(best)


@given(hnp.arrays(float, st.integers(0, 30), elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0])), st.integers(0, 40))
def test_of_customers_worth_the_same_the_earlier_rows_are_contacted(value: np.ndarray, budget: int) -> None:
    ranked = np.argsort(-value, kind="stable")[:budget]
    assert np.flatnonzero(contacts(value, budget)).tolist() == sorted(ranked[value[ranked] > 0].tolist())


@pytest.mark.parametrize(("share", "active", "expected"), [(0.05, 100, 5), (0.05, 119, 5), (0.3, 10, 3), (1.0, 7, 7)])
def test_a_budget_is_rounded_down_to_whole_customers(share: float, active: int, expected: int) -> None:
    economics = RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=share)
    assert budget_of(economics, active) == expected


@pytest.mark.parametrize("economics", [OFFER, RECORDED])
def test_a_release_keeps_the_economics_exactly(economics: RetentionOffer | RecordedCosts) -> None:
    assert economics_from_dict(economics_as_dict(economics)) == economics
