"""Everything that is looked at when a month has closed, and the decision that follows.

Each look is a function from the month to figures and evidence; to add one, write it and name it in LOOKS. Its figures
and evidence are kept together, so a decision can be read, and taken again, years later.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from monitoring.changes import changes_as_dict, feature_changes, feature_evidence, score_changes, score_evidence
from monitoring.decisions import (
    Circumstances,
    DecisionRules,
    Evidence,
    MonitoringDecision,
    decide,
    decision_from_dict,
)
from monitoring.figures import Kind, read_figures
from monitoring.health import health_evidence, table_health
from monitoring.promises import estimate_as_dict, estimate_evidence, estimate_month
from monitoring.results import result_evidence, results_of_month
from monitoring.watched import WatchedMonth
from pipeline.calendar import month_after
from pipeline.errors import ReleaseError
from pipeline.serving_order import gate_passed_since, read_order


@dataclass(frozen=True)
class Look:
    """What one look found: figures as plain values, and what they prove."""

    figures: Mapping[str, Any]
    evidence: tuple[Evidence, ...]


def _health(watched: WatchedMonth) -> Look:
    found = table_health(watched.dataset, watched.lake, watched.key)
    return Look({"tables": [each.as_dict() for each in found]}, tuple(health_evidence(found, watched.key)))


def _drift(watched: WatchedMonth) -> Look:
    found = feature_changes(watched)
    return Look(changes_as_dict(watched, found), tuple(feature_evidence(watched, found)))


def _scores(watched: WatchedMonth) -> Look:
    found = score_changes(watched)
    return Look(changes_as_dict(watched, found), tuple(score_evidence(watched, found)))


def _estimated(watched: WatchedMonth) -> Look:
    found = estimate_month(watched)
    return Look(estimate_as_dict(watched, found), tuple(estimate_evidence(watched, found)))


def _realised(watched: WatchedMonth) -> Look:
    found = results_of_month(watched)
    return Look({"results": [each.as_dict() for each in found]}, tuple(result_evidence(watched, found)))


LOOKS: Mapping[Kind, Callable[[WatchedMonth], Look]] = {
    "health": _health,
    "drift": _drift,
    "scores": _scores,
    "estimated": _estimated,
    "realised": _realised,
}


def look(watched: WatchedMonth, kind: Kind) -> Look:
    """Look at one thing and keep what was found."""
    found = LOOKS[kind](watched)
    watched.write(kind, {**found.figures, "evidence": [asdict(each) for each in found.evidence]})
    return found


def decide_month(watched: WatchedMonth, rules: DecisionRules | None = None) -> MonitoringDecision:
    """What follows from everything that was seen in this month and the ones before, kept as the month's decision."""
    rules = rules or DecisionRules()
    reach = max(trigger.months for trigger in rules.triggers)
    months = [month_after(watched.key, -back) for back in range(reach)]
    evidence = [each for month in months for each in evidence_of(watched, month)]
    decision = decide(
        watched.key, evidence, previous_decision(watched), circumstances=circumstances_of(watched), rules=rules
    )
    told = [asdict(each) for each in evidence if each.month == watched.key]
    watched.write("decisions", {"decision": decision.as_dict(), "evidence": told})
    return decision


def evidence_of(watched: WatchedMonth, month: str) -> list[Evidence]:
    """Everything that was seen in a month, by whatever look."""
    stored = [read_figures(watched.lake, kind, month) or {} for kind in LOOKS]
    return [Evidence(**each) for found in stored for each in found.get("evidence", [])]


def previous_decision(watched: WatchedMonth) -> MonitoringDecision | None:
    """The decision of the month before; None where monitoring had not begun."""
    stored = read_figures(watched.lake, "decisions", month_after(watched.key, -1))
    return decision_from_dict(stored["decision"]) if stored else None


def circumstances_of(watched: WatchedMonth) -> Circumstances:
    """What is possible now; an order that cannot be read is taken for one that holds."""
    release = watched.release.id if watched.release else ""
    try:
        order = read_order(watched.root)
    except ReleaseError:
        return Circumstances(release=release, can_roll_back=len(watched.standing) > 1)
    passed = order is None or gate_passed_since(watched.root, watched.releases, order.generation).passed
    return Circumstances(release=release, can_roll_back=len(watched.standing) > 1, gate_passed=passed)
