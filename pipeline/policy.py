"""How a probability becomes a decision: contact or not, and why not. Light: the service decides with the same lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.declaration import Dataset
from pipeline.economics import (
    Economics,
    FloatArray,
    Payoffs,
    budget_of,
    contacts,
    economics_as_dict,
    economics_from_dict,
)

DecisionReason = Literal["contact", "budget", "threshold", "value"]
WHY: Mapping[DecisionReason, str] = {
    "contact": "a contact is expected to earn more than it costs, and the budget reaches this far",
    "budget": "a contact is expected to pay, but the month's budget goes to customers where it earns more",
    "threshold": "the customer is too likely to stay anyway: the offer would cost more than it saves",
    "value": "a contact would not pay even if the customer were certain to leave, or their value is unknown",
}
NOBODY = float(np.finfo(np.float64).max)  # a cutoff that no expected value reaches; JSON has no infinity


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a release needs to decide about one customer at a time.

    Args:
        economics: what a contact earns and costs.
        cutoff_value: expected value of the last customer that the budget reached when a month was last scored.
        rule_cutoff_value: the same where the rule answers, whose probabilities are distributed otherwise.
        actions: what a retention agent should do, by the field that is the strongest reason.
    """

    economics: Economics
    cutoff_value: float
    rule_cutoff_value: float
    actions: Mapping[str, str] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        """What every value is counted in."""
        return self.economics.currency

    def as_dict(self) -> dict[str, Any]:
        """The policy as plain values, for a release."""
        return {
            "economics": economics_as_dict(self.economics),
            "cutoff_value": self.cutoff_value,
            "rule_cutoff_value": self.rule_cutoff_value,
            "actions": dict(self.actions),
        }


@dataclass(frozen=True)
class Decisions:
    """One entry per customer; `expected_value` is that of a contact, in the policy's currency."""

    contact: NDArray[np.bool_]
    reason: tuple[DecisionReason, ...]
    expected_value: FloatArray


def policy_from_dict(stored: Mapping[str, Any]) -> Policy:
    """The inverse of `Policy.as_dict`."""
    return Policy(
        economics=economics_from_dict(stored["economics"]),
        cutoff_value=float(stored["cutoff_value"]),
        rule_cutoff_value=float(stored["rule_cutoff_value"]),
        actions={str(name): str(action) for name, action in stored["actions"].items()},
    )


def policy_of(dataset: Dataset, payoffs: Payoffs, *, probability: FloatArray, rule_probability: FloatArray) -> Policy:
    """The policy that spends the dataset's budget on the customers of a scored month."""
    budget = budget_of(dataset.economics, len(probability))
    return Policy(
        economics=dataset.economics,
        cutoff_value=cutoff_value(payoffs.expected(probability), budget),
        rule_cutoff_value=cutoff_value(payoffs.expected(rule_probability), budget),
        actions={feature.name: feature.action for feature in dataset.features if feature.action},
    )


def cutoff_value(expected_value: FloatArray, budget: int) -> float:
    """Expected value of the last customer contacted; 0 where the budget reaches everyone who is worth a contact."""
    if budget == 0:
        return NOBODY
    chosen = contacts(expected_value, budget)
    return float(expected_value[chosen].min()) if chosen.sum() == budget else 0.0


def decide(policy: Policy, payoffs: Payoffs, probability: FloatArray, *, is_rule: bool = False) -> Decisions:
    """Decide about customers who come one by one, so that a month of them spends about a month's budget."""
    expected_value = payoffs.expected(probability)
    cutoff = policy.rule_cutoff_value if is_rule else policy.cutoff_value
    return decided(payoffs, expected_value, (expected_value > 0) & (expected_value >= cutoff))


def decided(payoffs: Payoffs, expected_value: FloatArray, contact: NDArray[np.bool_]) -> Decisions:
    """Decisions already taken, each with its reason."""
    never_pays = (payoffs.break_even() > 1) | np.isnan(expected_value)
    reasons: NDArray[np.object_] = np.select(
        [contact, expected_value > 0, never_pays], ["contact", "budget", "value"], "threshold"
    ).astype(object)
    return Decisions(contact, tuple(reasons.tolist()), expected_value)
