"""What the releases really achieved on the snapshots whose outcome became known in the month, and what that proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.calibration import CalibrationDrift, calibration_drift
from monitoring.evidence import Evidence, EvidenceKind
from monitoring.figures import interval_from_dict, intervals_as_dict, read_figures
from monitoring.outcomes import RULE, Matured
from monitoring.promises import is_yardstick
from monitoring.pulls import NORMAL_95
from monitoring.realised import Outcomes, Realised, copies_of, realised, rows_to_look_at
from monitoring.watched import WatchedMonth
from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray
from pipeline.errors import ContractError
from pipeline.gate_rules import GateRules
from pipeline.scored import fields_gone
from pipeline.slices import groups_of_rows
from pipeline.wording import figure, money_figure

PREVIOUS = "previous release"
LOOKED_AT_ROWS = 12_000  # of those who stayed and were never selected, at least
NEWS_Z = 3.0  # one look in 700 strays so far by itself, and there are several looks a month
WIDTH_IN_SD = 2 * NORMAL_95
LEVEL_Z = 4.0
"""The same for figures that follow how many leave. That strays by more than who happens to be asked: months differ, and
the few who stand for many tell most of it. A ranking stays as it was."""
WORSE = {"roc_auc": (-1, NEWS_Z), "log_loss": (1, LEVEL_Z)}
SLOPE_LOW, SLOPE_HIGH, MOST_INTERCEPT = 0.8, 1.25, 0.25
"""How far calibration may be off before it costs more than a percent or two of the profit: as the gate's limits."""
FAR = 2.0
"""So many times as far, no season takes it, and one month is enough to learn from: hardly any came near by itself."""


@dataclass(frozen=True)
class Result:
    """A snapshot whose outcome is known: figures overall and by slice, and how well calibrated the promises were."""

    snapshot: str
    figures: tuple[Realised, ...]
    calibration: CalibrationDrift | None

    @property
    def overall(self) -> Realised:
        """Of all customers."""
        return self.figures[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        drifted = self.calibration
        calibration = intervals_as_dict({"slope": drifted.slope, "intercept": drifted.intercept}) if drifted else {}
        return {
            "snapshot": self.snapshot,
            "release": self.overall.release,
            "figures": [each.as_dict() for each in self.figures],
            "calibration": calibration,
        }


def results_of_month(watched: WatchedMonth) -> list[Result]:
    """The results of the snapshots that matured in the month and that a batch had scored."""
    if watched.release is None or watched.gone:
        return []
    found = {snapshot: watched.matured(snapshot) for snapshot in watched.newly_matured}
    return [_result(watched, each, key) for key, each in found.items() if each is not None and len(each.outcomes)]


def result_evidence(watched: WatchedMonth, results: Sequence[Result]) -> list[Evidence]:
    """What the results prove against the release that gave the scores; what the rule said is nobody's fault."""
    judges = (_against_rivals, _below_estimate, _below_promise, _badly_calibrated)
    of_models = [each for each in results if each.overall.release != RULE and _is_judgeable(each.overall)]
    return [evidence for result in of_models for judge in judges for evidence in judge(watched, result)]


def _is_judgeable(overall: Realised) -> bool:
    """Whether anybody stands for those who were called; without them, figures are of customers nobody cares for."""
    return overall.left_alone > 0 or overall.contacted == 0


def _result(watched: WatchedMonth, found: Matured, snapshot: str) -> Result:
    looked_at = rows_to_look_at(found.outcomes, LOOKED_AT_ROWS)
    groups = groups_of_rows(watched.dataset, found.scored.features)
    figures = realised(
        found.outcomes,
        budget_share=watched.dataset.economics.budget_share,
        seed=watched.settings.seed,
        slices={f"{cut} is {group}": inside for (cut, group), inside in groups.items()},
        rivals=_rivals(watched, found, looked_at),
        looked_at=looked_at,
    )
    return Result(snapshot, tuple(figures), _calibration(found.outcomes, looked_at))


def _rivals(watched: WatchedMonth, found: Matured, looked_at: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """What the rule and the release before say of those who are looked at; NaN for the others."""
    rows = np.flatnonzero(looked_at)
    said = {RULE: found.said_by_rule(rows)}
    if len(watched.standing) > 1 and not fields_gone(watched.dataset, watched.standing[1]):
        said[PREVIOUS] = found.said_by(watched.standing[1], rows)
    places = np.cumsum(looked_at) - 1
    return {who: np.where(looked_at, p[places], np.nan) for who, p in said.items()}


def _calibration(outcomes: Outcomes, looked_at: NDArray[np.bool_]) -> CalibrationDrift | None:
    copies = copies_of(outcomes, looked_at)
    judged = copies > 0
    churned, probability = outcomes.churned[judged], outcomes.probability[judged]
    try:
        return calibration_drift(churned, probability, copies=copies[judged])
    except (ContractError, np.linalg.LinAlgError):
        return None


def _against_rivals(watched: WatchedMonth, result: Result) -> list[Evidence]:
    """Money lost for sure, on the same customers: against the rule, and against the release before."""
    overall, evidence = result.overall, []
    for who, difference in overall.against.items():
        earned = overall.metrics["profit"]
        rivals_profit = earned.value - difference.value
        says = f"{result.snapshot}: {overall.release} earned {money_figure(difference)} more than the {who}"
        if who == PREVIOUS and difference.high < -GateRules().champion_margin_share * abs(rivals_profit):
            kind: EvidenceKind = "worse_than_previous_release"
            evidence.append(Evidence(watched.key, kind, says, overall.release, cost_a_month=-difference.value))
        if who == RULE and difference.high < 0:
            is_beyond = difference.high < -GateRules().rule_margin_share * abs(rivals_profit)
            kind = "realised_loss_beyond_margin" if is_beyond else "realised_loss"
            evidence.append(Evidence(watched.key, kind, says, overall.release, cost_a_month=-difference.value))
    return evidence


def _below_estimate(watched: WatchedMonth, result: Result) -> list[Evidence]:
    """Worse than was estimated, by more than both leave to chance: the same customers leave for other reasons now."""
    stored = read_figures(watched.lake, "estimated", result.snapshot) or {}
    if stored.get("release") != result.overall.release:
        return []
    evidence = []
    for name, (sign, news) in WORSE.items():
        if name not in result.overall.metrics:
            continue
        estimate, found = interval_from_dict(stored["metrics"][name]), result.overall.metrics[name]
        if sign * _standard_errors_above(found, estimate) > news:
            says = f"{result.snapshot}: {name.replace('_', ' ')} {figure(found)}, estimated {figure(estimate)}"
            evidence.append(Evidence(watched.key, "realised_below_estimate", says, result.overall.release))
    return evidence


def _below_promise(watched: WatchedMonth, result: Result) -> list[Evidence]:
    """Ranks worse than on the months that it passed the gate with. Estimates learn what is new; a promise stays."""
    release, found = watched.release, result.overall.metrics.get("roc_auc")
    if release is None or release.id != result.overall.release or found is None:
        return []
    stored = release.evidence("evaluation.json")["rungs"][release.manifest.rung].get("roc_auc")
    if stored is None or not is_yardstick(release):
        return []
    promised = interval_from_dict(stored)
    if _standard_errors_above(promised, found) <= NEWS_Z:
        return []
    says = f"{result.snapshot}: ROC-AUC {figure(found)}, {figure(promised)} when {release.id} passed the gate"
    return [Evidence(watched.key, "realised_loss", says, release.id, about=("roc_auc",))]


def _badly_calibrated(watched: WatchedMonth, result: Result) -> list[Evidence]:
    """Promises that were off by more than chance and by more than is worth bearing."""
    found = result.calibration
    if found is None:
        return []
    off, release = _times_beyond(found), result.overall.release
    says = f"{result.snapshot}: calibration slope {figure(found.slope, 2)}, intercept {figure(found.intercept, 2)}"
    evidence = [Evidence(watched.key, "calibration_drift", says, release)] if off > 1 else []
    if off > FAR and result.overall.is_honest:  # where a handful stand for many, chance goes as far
        says = f"{result.snapshot}: calibration is off by {off:.1f} times what may be"
        evidence.append(Evidence(watched.key, "calibration_far_off", says, release))
    return evidence


def _times_beyond(found: CalibrationDrift) -> float:
    """How many times as far as may be the slope or the intercept is off; 0 where chance may have done it."""
    slope, intercept = found.slope, found.intercept
    steep = np.log(max(slope.value, 1e-9)) / np.log(SLOPE_HIGH if slope.value > 1 else SLOPE_LOW)
    moved = abs(intercept.value) / MOST_INTERCEPT
    is_steep, is_moved = _strays(slope, 1.0, NEWS_Z), _strays(intercept, 0.0, LEVEL_Z)
    return float(max(steep if is_steep else 0.0, moved if is_moved else 0.0))


def _standard_errors_above(found: Interval, other: Interval) -> float:
    """How far a figure lies above another one that chance had its part in as well."""
    return float((found.value - other.value) / max(np.hypot(_sd(found), _sd(other)), 1e-12))


def _strays(found: Interval, promised: float, news: float) -> bool:
    """Whether a figure is further from what was promised than chance would have it."""
    return bool(abs(found.value - promised) > news * _sd(found))


def _sd(interval: Interval) -> float:
    return float(interval.high - interval.low) / WIDTH_IN_SD
