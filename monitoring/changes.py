"""What has changed since the release was made: in the features, and in the scores that it gives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from monitoring.alerts import drift_evidence
from monitoring.causes import Finding, Kind
from monitoring.drift import drift
from monitoring.evidence import Evidence
from monitoring.reference import Usual, score_sketch, scores_by_slice
from monitoring.sketches import Sketch
from monitoring.watched import WatchedMonth

DAMAGE: frozenset[Kind] = frozenset({"missing", "unknown values", "zeroed", "unit"})
"""Kinds of change that are mended at the source, and that no training should learn."""


def feature_changes(watched: WatchedMonth) -> list[Finding]:
    """What is unlike the release's months, one finding for each cause; nothing where there is nothing like it."""
    if watched.reference is None or watched.redeclared:
        return []
    usual, sources = watched.reference.features, {each.name: each.table for each in watched.dataset.features}
    return drift(watched.sketch, months_to_compare(watched, usual), usual.thresholds, sources=sources)


def score_changes(watched: WatchedMonth) -> list[Finding]:
    """The same for the scores, overall and by slice."""
    if watched.reference is None or watched.scored is None:
        return []
    usual, scored = watched.reference.scores, watched.scored
    scores = scores_by_slice(watched.dataset, scored.features, scored.probability)
    sketch = score_sketch(scores, list(usual.months[0].numbers), key=watched.key)
    return drift(sketch, months_to_compare(watched, usual), usual.thresholds)


def months_to_compare(watched: WatchedMonth, usual: Usual) -> list[Sketch]:
    """The release's months but the one under watch: where it is looked at again, the release may be made of it."""
    others = [month for month in usual.months if month.key != watched.key]
    return others or list(usual.months)


def changes_as_dict(watched: WatchedMonth, found: Sequence[Finding]) -> dict[str, Any]:
    """The findings as they are kept."""
    release = watched.release.id if watched.release else ""
    return {"release": release, "findings": [finding.as_dict() for finding in found]}


def feature_evidence(watched: WatchedMonth, found: Sequence[Finding]) -> list[Evidence]:
    """One for each cause. Damage speaks against nobody's model; another population, or other habits, against this."""
    release = watched.release.id if watched.release else ""
    return [
        replace(drift_evidence(finding), kind="damage")
        if finding.kind in DAMAGE
        else replace(drift_evidence(finding), release=release)
        for finding in found
    ]


def score_evidence(watched: WatchedMonth, found: Sequence[Finding]) -> list[Evidence]:
    """One for each cause."""
    release = watched.release.id if watched.release else ""
    return [
        Evidence(watched.key, "score_drift", f"scores: {finding.message}", release, about=finding.fields)
        for finding in found
    ]
