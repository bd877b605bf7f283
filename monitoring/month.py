"""Everything that is looked at when a month has closed, and the decision that follows.

Each look is a function from the month to figures and evidence; to add one, write it and name it in LOOKS. Its figures
and evidence are kept together, so a decision can be read, and taken again, years later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from monitoring.acting import Acted, carry_out
from monitoring.callers import evidence_of_skew, skew_as_dict, skew_of_month
from monitoring.changes import changes_as_dict, feature_changes, feature_evidence, score_changes, score_evidence
from monitoring.decision_rules import DecisionRules, rules_of
from monitoring.decisions import Circumstances, MonitoringDecision, decide, decision_from_dict
from monitoring.evidence import Evidence, evidence_from_dict
from monitoring.figures import Kind, keys_of, read_figures
from monitoring.health import health_evidence, table_health
from monitoring.promises import estimate_as_dict, estimate_evidence, estimate_month
from monitoring.results import result_evidence, results_of_month
from monitoring.service_day import evidence_of_days
from monitoring.staleness import age_of, staleness_evidence
from monitoring.watched import WatchedMonth
from pipeline.bootstrap import Interval
from pipeline.calendar import month_after
from pipeline.errors import ReleaseError, SourceError
from pipeline.manifest import month_of_release
from pipeline.pointer import entries_to_serve
from pipeline.search import one_core
from pipeline.serving_order import gate_passed_since, read_order
from pipeline.wording import figure

SHOWN_BY_SLICE = ("roc_auc", "log_loss", "calibration_ratio")


Tables = dict[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Look:
    """What one look found: figures as plain values, what they prove, and rows of them that people want to see."""

    figures: Mapping[str, Any]
    evidence: tuple[Evidence, ...]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def _health(watched: WatchedMonth) -> Look:
    found = table_health(watched.dataset, watched.lake, watched.key)
    tables = [each.as_dict() for each in found]
    return Look({"tables": tables}, tuple(health_evidence(found, watched.key)), {"tables": tables})


def _drift(watched: WatchedMonth) -> Look:
    found = feature_changes(watched)
    return Look(changes_as_dict(watched, found), tuple(feature_evidence(watched, found)))


def _scores(watched: WatchedMonth) -> Look:
    found = score_changes(watched)
    return Look(changes_as_dict(watched, found), tuple(score_evidence(watched, found)))


def _estimated(watched: WatchedMonth) -> Look:
    found = estimate_month(watched)
    figures = found.metrics if found else {}
    return Look(
        estimate_as_dict(watched, found), tuple(estimate_evidence(watched, found)), {"estimated": _rows(figures)}
    )


def _realised(watched: WatchedMonth) -> Look:
    found = results_of_month(watched)
    tables: Tables = {f"realised in {each.snapshot}": _rows(each.overall.metrics) for each in found}
    by_slice: Tables = {
        f"slices of {each.snapshot}": [
            {"slice": part.slice, "rows": part.rows, "left alone": part.left_alone}
            | {name: figure(part.metrics[name]) for name in SHOWN_BY_SLICE if name in part.metrics}
            for part in each.figures[1:]
        ]
        for each in found
    }
    figures = {"results": [each.as_dict() for each in found]}
    return Look(figures, tuple(result_evidence(watched, found)), tables | by_slice)


def _rows(metrics: Mapping[str, Interval]) -> list[dict[str, str]]:
    return [{"figure": name.replace("_", " "), "value": figure(metrics[name])} for name in metrics]


def _skew(watched: WatchedMonth) -> Look:
    found = skew_of_month(watched)
    figures = skew_as_dict(found)
    return Look(figures, tuple(evidence_of_skew(watched, found)), {"fields": figures.get("fields", [])})


def _staleness(watched: WatchedMonth) -> Look:
    found = age_of(watched)
    return Look(found, tuple(staleness_evidence(watched, found)), {"age": [found] if found else []})


LOOKS: Mapping[Kind, Callable[[WatchedMonth], Look]] = {
    "health": _health,
    "drift": _drift,
    "scores": _scores,
    "estimated": _estimated,
    "realised": _realised,
    "skew": _skew,
    "staleness": _staleness,
}


def look(watched: WatchedMonth, kind: Kind) -> Look:
    """Look at one thing and keep what was found.

    On one core: the products of a look are small, and a second thread would only wait for them, at full speed.
    """
    with one_core():
        found = LOOKS[kind](watched)
    watched.write(kind, {**found.figures, "evidence": [asdict(each) for each in found.evidence]})
    return found


def decide_month(watched: WatchedMonth, rules: DecisionRules | None = None) -> MonitoringDecision:
    """What follows from everything that was seen in this month and the ones before, kept as the month's decision."""
    rules = rules or rules_of(watched.settings)
    reach = max((trigger.months for trigger in rules.triggers), default=1)
    months = [month_after(watched.key, -back) for back in range(reach)]
    evidence = [*_without_release(watched), *(each for month in months for each in evidence_of(watched, month))]
    decision = decide(
        watched.key, evidence, previous_decision(watched), circumstances=circumstances_of(watched), rules=rules
    )
    told = [asdict(each) for each in evidence if each.month == watched.key]
    release = watched.release.id if watched.release else ""
    watched.write("decisions", {"decision": decision.as_dict(), "release": release, "evidence": told})
    return decision


def act_on_month(watched: WatchedMonth) -> Acted:
    """Carry out the decision that was kept for the month, unless a later month has decided since."""
    if (later := decided_since(watched)) is not None:
        return Acted((f"{later} has decided since: nothing is done about {watched.key}",), starts_training=False)
    return carry_out(watched, decision_of(watched), _kept(watched)["release"])


def decided_since(watched: WatchedMonth) -> str | None:
    """The newest month with a decision, if it is later than this one, which was then only looked at again."""
    newest = keys_of(watched.lake, "decisions")[-1:]
    return newest[0] if newest and newest[0] > watched.key else None


def decision_of(watched: WatchedMonth) -> MonitoringDecision:
    """The decision that was kept for the month.

    Raises:
        SourceError: none was taken yet.
    """
    return decision_from_dict(_kept(watched)["decision"])


def _kept(watched: WatchedMonth) -> dict[str, Any]:
    stored: dict[str, Any] | None = read_figures(watched.lake, "decisions", watched.key)
    if stored is None:
        raise SourceError(
            f"monitoring of {watched.key}",
            expected="a decision",
            found="none",
            remedy="Materialize monitoring_decision of the month first.",
        )
    return stored


def months_since_change(watched: WatchedMonth) -> int:
    """How many labelled months of what changed the month's training has to learn from; 0 where it is routine."""
    stored = read_figures(watched.lake, "decisions", watched.key)
    return decision_from_dict(stored["decision"]).months_since_change if stored else 0


def _without_release(watched: WatchedMonth) -> list[Evidence]:
    """Where nothing has passed the gate yet, nobody needs to look further to know that a training is due."""
    if watched.release or any(
        month_of_release(each.release) > watched.key for each in entries_to_serve(watched.releases)
    ):
        return []
    return [Evidence(watched.key, "no_release", f"{watched.key}: there is no release yet")]


def evidence_of(watched: WatchedMonth, month: str) -> list[Evidence]:
    """Everything that was seen in a month, by whatever look, and on its days."""
    stored = [read_figures(watched.lake, kind, month) or {} for kind in LOOKS]
    found = [evidence_from_dict(each) for figures in stored for each in figures.get("evidence", [])]
    return [*found, *evidence_of_days(watched.lake, month)]


def previous_decision(watched: WatchedMonth) -> MonitoringDecision | None:
    """The last decision before the month, whether or not it is that of the month before; None where there is none."""
    stored = _previous(watched)
    return decision_from_dict(stored["decision"]) if stored else None


def _previous(watched: WatchedMonth) -> dict[str, Any] | None:
    before = [key for key in keys_of(watched.lake, "decisions") if key < watched.key]
    return read_figures(watched.lake, "decisions", before[-1]) if before else None


def circumstances_of(watched: WatchedMonth) -> Circumstances:
    """What is possible now; an order that cannot be read is taken for one that holds."""
    release, before = watched.release.id if watched.release else "", previous_decision(watched)
    trained = replace(watched, key=before.last_training) if before and before.last_training else None
    known = Circumstances(
        release=release,
        trained=month_of_release(release) if release else "",
        can_roll_back=len(watched.standing) > 1 and _is_current(watched, release),
        was_lost=trained is not None and not trained.is_trained,
        was_no_news=trained is not None and trained.found_no_news,
    )
    try:
        order = read_order(watched.root)
    except ReleaseError:
        return known
    if order is not None and order.wants_rule:
        passed = gate_passed_since(watched.root, watched.releases, order.generation).passed
        return replace(known, rule_ordered=order.by == "monitoring" and order.month <= watched.key, gate_passed=passed)
    was_carried_out = order is not None and before is not None and order.month >= before.month
    return replace(known, gate_passed=was_carried_out or not _is_as_decided(watched, release))


def _is_current(watched: WatchedMonth, release: str) -> bool:
    """Whether the pointer names it; where it names a damaged one, rolling back leads to the one that answers."""
    return next((each.release == release for each in entries_to_serve(watched.releases)), False)


def _is_as_decided(watched: WatchedMonth, release: str) -> bool:
    """Whether the release that the last decision was about still answers."""
    stored = _previous(watched)
    return bool(stored and stored["release"] == release)
