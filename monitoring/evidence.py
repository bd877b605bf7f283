"""Something that monitoring saw, of one kind, in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

EvidenceKind = Literal[
    "drift",
    "damage",
    "score_drift",
    "skew",
    "estimated_loss",
    "realised_loss",
    "realised_loss_beyond_margin",
    "realised_below_estimate",
    "worse_than_previous_release",
    "calibration_drift",
    "calibration_far_off",
    "volume",
    "quarantine",
    "stale_model",
    "no_release",
    "service",
]
LOSSES: frozenset[EvidenceKind] = frozenset({"realised_loss", "realised_loss_beyond_margin", "realised_below_estimate"})
"""Money or ranking that labels have shown to be lost."""
SHOWN: frozenset[EvidenceKind] = LOSSES | {"calibration_drift", "calibration_far_off"}
"""What labels have shown."""
CHANGES: frozenset[EvidenceKind] = SHOWN | {"estimated_loss"}
"""What speaks for a world that has changed: a training because of it must learn from what is new."""


@dataclass(frozen=True)
class Evidence:
    """Something seen in a month, in a sentence; one for each cause.

    Args:
        month: when it was seen.
        kind: which line of the table it belongs to.
        says: what was seen, how much, and where to look.
        release: the release it speaks against; empty where it speaks against none, as damaged data does.
        about: the tables, fields or slices concerned; they tell causes of one kind apart, and a cause from month to
            month.
        cost_a_month: what it costs while it lasts, in the dataset's currency; None where nobody can say.
    """

    month: str
    kind: EvidenceKind
    says: str
    release: str = ""
    about: tuple[str, ...] = ()
    cost_a_month: float | None = None


def evidence_from_dict(stored: Mapping[str, Any]) -> Evidence:
    """The inverse of `dataclasses.asdict`, from JSON."""
    return Evidence(**(dict(stored) | {"about": tuple(stored["about"])}))
