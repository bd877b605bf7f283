"""How a probability becomes a decision, worked by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.economics import Payoffs, RecordedCosts, RetentionOffer, Value
from pipeline.feature_kinds import Field
from pipeline.policy import NOBODY, WHY, Policy, cutoff_value, decide, policy_from_dict, policy_of
from pipeline.reasons import strongest_reasons, suggested_action
from tests.little_company import little_company

OFFER = RetentionOffer(contact_cost=5, offer_cost=20, acceptance=0.5, value=Value(times=10), budget_share=0.5)
RECORDED = RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=0.2)
PAYOFFS = Payoffs(gain=np.array([100.0, 100.0, 100.0, -5.0]), loss=np.array([25.0, 25.0, 25.0, 25.0]))


def policy(cutoff: float = 0.0, rule_cutoff: float = 0.0) -> Policy:
    return Policy(economics=OFFER, cutoff_value=cutoff, rule_cutoff_value=rule_cutoff)


def test_each_customer_is_contacted_or_told_why_not() -> None:
    # expected values: .8*100-.2*25 = 75, .4*100-.6*25 = 25, .1*100-.9*25 = -12.5; the last can only lose
    decisions = decide(policy(cutoff=30.0), PAYOFFS, np.array([0.8, 0.4, 0.1, 0.99]))
    assert decisions.expected_value[:3].tolist() == pytest.approx([75.0, 25.0, -12.5])
    assert decisions.reason == ("contact", "budget", "threshold", "value")
    assert decisions.contact.tolist() == [True, False, False, False]
    assert set(decisions.reason) == set(WHY)


def test_the_rule_has_a_cutoff_of_its_own() -> None:
    p = np.array([0.8, 0.4, 0.1, 0.99])
    assert decide(policy(80.0, 20.0), PAYOFFS, p).contact.sum() == 0
    assert decide(policy(80.0, 20.0), PAYOFFS, p, is_rule=True).contact.tolist() == [True, True, False, False]


def test_a_customer_whose_value_is_unknown_is_not_contacted() -> None:
    unknown = Payoffs(gain=np.array([np.nan]), loss=np.array([25.0]))
    assert decide(policy(), unknown, np.array([0.9])).reason == ("value",)


@pytest.mark.parametrize(
    ("values", "budget", "cutoff"),
    [([9.0, 5.0, 3.0], 2, 5.0), ([9.0, -1.0, 0.0], 2, 0.0), ([9.0, 5.0], 2, 5.0), ([9.0], 0, NOBODY), ([], 3, 0.0)],
)
def test_the_cutoff_is_the_value_of_the_last_customer_the_budget_reached(
    values: list[float], budget: int, cutoff: float
) -> None:
    assert cutoff_value(np.array(values), budget) == cutoff


def test_without_a_budget_nobody_is_contacted() -> None:
    assert decide(policy(NOBODY, NOBODY), PAYOFFS, np.array([1.0, 1.0, 1.0, 1.0])).contact.sum() == 0


@given(
    hnp.arrays(float, st.integers(1, 60), elements=st.floats(0, 1), unique=True),
    st.floats(0.01, 1.0),
)
def test_one_by_one_decides_as_the_month_at_once_did(probability: np.ndarray, share: float) -> None:
    dataset = little_company(
        economics=RetentionOffer(
            contact_cost=5, offer_cost=20, acceptance=1, value=Value(times=100), budget_share=share
        )
    )
    rows = len(probability)
    payoffs = dataset.economics.payoffs({}, rows)
    made = policy_of(dataset, payoffs, probability=probability, rule_probability=probability)
    value = payoffs.expected(probability)
    if len(np.unique(value)) < rows:  # probabilities so close that their money is the same: a tie, which one may exceed
        return
    decisions = decide(made, payoffs, probability)
    budget = int(np.floor(share * rows + 1e-9))
    assert decisions.contact.sum() == min(budget, (value > 0).sum())


@pytest.mark.parametrize("economics", [OFFER, RECORDED])
def test_a_policy_survives_being_stored(economics: RetentionOffer | RecordedCosts) -> None:
    made = Policy(economics=economics, cutoff_value=NOBODY, rule_cutoff_value=1.25, actions={"usage": "Call."})
    assert policy_from_dict(json.loads(json.dumps(made.as_dict()))) == made


def test_the_actions_are_those_that_the_features_declare() -> None:
    dataset = little_company()
    payoffs = dataset.economics.payoffs({"price": [10.0, 20.0]}, 2)
    half = np.array([0.5, 0.5])
    assert policy_of(dataset, payoffs, probability=half, rule_probability=half).actions == {
        "failed_payments": "Offer a new card."
    }


FIELDS = (
    Field(name="failed_payments", kind="number", unit="rows in 60 days"),
    Field(name="region", kind="category"),
    Field(name="tenure_days", kind="number"),
    Field(name="usage", kind="number"),
)
COLUMNS = {
    "failed_payments": np.array([2.0, 0.0]),
    "region": np.array(["west", None], dtype=object),
    "tenure_days": np.array([np.nan, 912.5]),
    "usage": np.array([1.0, 2.0]),
}


def test_reasons_push_to_the_side_that_the_customer_is_on_and_the_strongest_comes_first() -> None:
    effects = np.array([[0.6, 0.1, 0.2, -0.5], [0.1, -0.2, -0.9, 0.0]])
    above, below = strongest_reasons(effects, FIELDS, COLUMNS)
    assert [reason.field for reason in above] == ["failed_payments", "tenure_days", "region"]
    assert [reason.field for reason in below] == ["tenure_days", "region"]
    assert above[0].text == "failed payments: 2 rows in 60 days (odds of leaving x1.82)"
    assert above[1].text == "tenure days: missing (odds of leaving x1.22)"
    assert (below[1].value, below[1].text) == (None, "region: missing (odds of leaving x0.82)")


def test_a_customer_like_the_average_has_no_reasons() -> None:
    assert strongest_reasons(np.zeros((1, 4)), FIELDS, COLUMNS) == [[]]


def test_the_suggested_action_belongs_to_what_raises_the_risk_most_among_what_can_be_acted_on() -> None:
    actions = {"failed_payments": "Offer a new card.", "usage": "Show what is in the package."}
    assert suggested_action(np.array([0.2, 0.9, 0.0, 0.3]), FIELDS, actions) == "Show what is in the package."
    assert suggested_action(np.array([-0.2, 0.9, 0.0, 0.0]), FIELDS, actions) == ""
