"""One rung's answer about some customers, whole: probability, decision, value, reasons, action. Plain numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.economics import FloatArray
from pipeline.policy import Decisions, decide
from pipeline.reasons import Reason, strongest_reasons, suggested_action
from pipeline.scoring import columns_of
from serving.rungs import Rung


@dataclass(frozen=True)
class Considered:
    """What a rung says, one entry per customer."""

    rung: Rung
    probability: FloatArray
    decisions: Decisions
    reasons: list[list[Reason]]
    actions: list[str]


def considered(rung: Rung, customers: Sequence[Mapping[str, Any]]) -> Considered:
    """Score customers, decide about them and say why.

    Raises:
        ValueError: the model gives something that is no probability. Whatever else it raises passes through.
    """
    rows = len(customers)
    columns = columns_of(customers, rung.fields)
    probability = rung.scorer.probability(columns, rows)
    _must_be_probabilities(probability, rows)
    payoffs = rung.policy.economics.payoffs(columns, rows)
    decisions = decide(rung.policy, payoffs, probability, is_rule=rung.served_by == "rule")
    fields, effects = rung.scorer.fields, rung.scorer.reasons(columns, rows)
    reasons = strongest_reasons(effects, fields, columns)
    actions = [
        suggested_action(effects[i], fields, rung.policy.actions) if contact else ""
        for i, contact in enumerate(decisions.contact.tolist())
    ]
    return Considered(rung, probability, decisions, reasons, actions)


def _must_be_probabilities(probability: FloatArray, rows: int) -> None:
    if probability.shape != (rows,) or not bool(np.all((probability >= 0) & (probability <= 1))):
        raise ValueError("the model gave something that is no probability")
