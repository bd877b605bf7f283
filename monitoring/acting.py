"""Carries a month's decision out: moves the pointer, or tells the service who may answer. Safe to repeat.

Training is not started here: whoever calls is told that it was asked for, and has the means.
"""

from dataclasses import dataclass

from monitoring.decision_rules import Action
from monitoring.decisions import MonitoringDecision
from monitoring.watched import WatchedMonth
from pipeline.errors import ReleaseError
from pipeline.pointer import generation_of, read_pointer, rollback
from pipeline.serving_order import order_rule, read_order, resume_after_gate

LONGEST_WHY = 200


@dataclass(frozen=True)
class Acted:
    """What was done, in words, and whether a training must be started."""

    said: tuple[str, ...]
    starts_training: bool


def carry_out(watched: WatchedMonth, decision: MonitoringDecision, release: str) -> Acted:
    """Do what was decided.

    Args:
        watched: the month.
        decision: about it.
        release: that answered when it was decided; another one that answers now is neither stopped nor rolled back.
    """
    why = f"monitoring, {decision.month}: {'; '.join(decision.reasons)}"[:LONGEST_WHY]
    done = {Action.FALL_BACK: _fall_back, Action.ROLL_BACK: _roll_back}.get(decision.action, _come_back)
    return Acted(done(watched, decision, why, release), decision.starts_training)


def come_back(watched: WatchedMonth) -> tuple[str, ...]:
    """Lift monitoring's order if a gate has passed since it was given; what was done, in words."""
    try:
        order = read_order(watched.root)
    except ReleaseError as error:  # it holds, for all that is known
        return (str(error),)
    if order is None or not order.wants_rule:
        return ()
    since = resume_after_gate(watched.root, watched.releases, order.generation)
    return (f"{'the champion answers again' if since.passed else 'the rule goes on answering'}: {since.reason}",)


def _come_back(watched: WatchedMonth, decision: MonitoringDecision, why: str, release: str) -> tuple[str, ...]:  # noqa: ARG001
    return come_back(watched)


def _fall_back(watched: WatchedMonth, decision: MonitoringDecision, why: str, release: str) -> tuple[str, ...]:
    now = watched.answers_now
    if now is not None and now.id != release:
        return (f"{release} does not answer any more: nothing to stop",)
    order = order_rule(watched.root, why, month=decision.month, generation=generation_of(watched.releases))
    return (f"the {'rule' if order.wants_rule else 'champion'} answers: {order.reason}",)


def _roll_back(watched: WatchedMonth, decision: MonitoringDecision, why: str, release: str) -> tuple[str, ...]:
    pointer = read_pointer(watched.releases)
    if pointer is None or pointer.release != release:
        return (f"{release} does not answer any more: nothing to roll back from",)
    try:
        return (f"rolled back to {rollback(watched.releases, why).release}",)
    except ReleaseError as error:
        return (*_fall_back(watched, decision, why, release), str(error))
