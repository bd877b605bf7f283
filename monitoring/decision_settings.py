"""Which evidence leads to what, as somebody has set it: their lines in the place of those in `decisions.py`."""

import re
from collections.abc import Iterator
from dataclasses import replace

from monitoring.decisions import Action, DecisionRules, EvidenceKind, Trigger
from pipeline.errors import ChurnError
from pipeline.settings import Settings

LINE = re.compile(r"(nothing|watch|retrain|roll back|fall back)(?: ([1-9]\d?) of ([1-9]\d?))?")


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
