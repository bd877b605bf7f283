"""The table of what evidence leads to, and what somebody has set instead of its lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from monitoring.evidence import EvidenceKind
from pipeline.errors import ChurnError
from pipeline.settings import Settings

LINE = re.compile(r"(nothing|watch|retrain|roll back|fall back)(?: ([1-9]\d?) of ([1-9]\d?))?")


class Action(IntEnum):
    """What to do, mildest first."""

    NOTHING = 0
    WATCH = 1
    RETRAIN = 2
    ROLL_BACK = 3
    FALL_BACK = 4


@dataclass(frozen=True)
class Trigger:
    """`times` or more of the last `months`, the latest among them, lead to `action`."""

    kind: EvidenceKind
    action: Action
    times: int = 1
    months: int = 1


FIRST_TRAINING = Trigger("no_release", Action.RETRAIN)
"""Not in the table: without a release there is nothing to choose."""


@dataclass(frozen=True, kw_only=True)
class DecisionRules:
    """Which evidence leads to what.

    Money decides what is stopped, and money that was lost decides at once. What was only estimated leads to a new
    training, which the gate will judge. Calibration strays with the month: one is enough only where it is far off.
    Customers or scores that only look different are watched: where they cost money, the estimate says so, and a model
    that knows them already has nothing to learn. Damage to the data is nothing a model can learn away, nor is what
    callers send: both are watched, and mended at the source.
    """

    triggers: tuple[Trigger, ...] = (
        Trigger("realised_loss_beyond_margin", Action.FALL_BACK),
        Trigger("worse_than_previous_release", Action.ROLL_BACK),
        Trigger("realised_loss", Action.RETRAIN),
        Trigger("realised_below_estimate", Action.RETRAIN),
        Trigger("estimated_loss", Action.RETRAIN, times=2, months=3),
        Trigger("calibration_drift", Action.RETRAIN, times=2, months=3),
        Trigger("calibration_far_off", Action.RETRAIN),
        Trigger("stale_model", Action.RETRAIN),
        *(Trigger(kind, Action.WATCH) for kind in ("drift", "score_drift", "estimated_loss")),
        *(Trigger(kind, Action.WATCH) for kind in ("calibration_drift", "calibration_far_off")),
        *(Trigger(kind, Action.WATCH) for kind in ("damage", "skew", "volume", "quarantine", "service")),
    )
    quiet_months: int = 2
    rest_months: int = 2
    most_months_of_a_change: int = 8


def rules_of(settings: Settings) -> DecisionRules:
    """The table, where the lines of a kind of evidence that the settings name are theirs.

    Raises:
        ChurnError: there is no such kind of evidence, or it is said to lead to something that cannot be done.
    """
    usual, chosen = DecisionRules(), settings.evidence_leads_to
    kinds: dict[str, EvidenceKind] = {trigger.kind: trigger.kind for trigger in usual.triggers}
    for kind in chosen:
        if kind not in kinds:
            raise _mistake(f"one of {', '.join(sorted(kinds))}", kind)
    lines = [line for kind, said in chosen.items() for line in _lines(kinds[kind], said)]
    return replace(usual, triggers=(*(each for each in usual.triggers if each.kind not in chosen), *lines))


def _lines(kind: EvidenceKind, said: str) -> Iterator[Trigger]:
    """What leads to more than watching is watched from the first time on."""
    found = LINE.fullmatch(said)
    times, months = (int(number or 1) for number in found.groups()[1:]) if found else (1, 0)
    if found is None or times > months:
        raise _mistake(
            "nothing, watch, retrain, roll back or fall back, and in how many of the last months it must be seen if not"
            " in the latest alone, such as `retrain 2 of 3`",
            f"{kind}: {said}",
        )
    action = Action[found[1].replace(" ", "_").upper()]
    if action > Action.NOTHING:
        yield Trigger(kind, action, times, months)
    if action > Action.WATCH:
        yield Trigger(kind, Action.WATCH)


def _mistake(expected: str, found: str) -> ChurnError:
    remedy = 'For example CHURN_EVIDENCE_LEADS_TO=\'{"calibration_drift": "watch", "drift": "retrain 2 of 3"}\'.'
    return ChurnError("setting CHURN_EVIDENCE_LEADS_TO", expected=expected, found=found, remedy=remedy)
