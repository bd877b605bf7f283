"""What follows from the evidence: nothing, watch, retrain, roll back, or the rule answers. With reasons, and calmly.

Evidence comes once a month and by kind. A table says how often in the last months a kind must have been seen, the
latest month among them, before it leads to an action. The gravest action wins. It does not flap:

- a fallback holds until a gate has passed a release since: silence alone proves nothing, for a rule that answers has
  no model to fail;
- evidence against a release that no longer serves leads to nothing but watching: labels mature months late, and would
  stop the new release for the faults of the old one;
- training is not asked for again within `rest_months`: until more labels mature, it would learn the same. The first
  one, and one that was lost on the way to the gate, are asked for again each month;
- what labels show to have changed, no training before them could learn: it ends the rest. Little is known of it at
  first, so another training follows when twice as many months of it are known as the release could learn from, until
  there are `most_months_of_a_change`; where the gate refuses, each month, unless the whole past was found to tell the
  newest month as well: what is refused then had nothing new to say;
- trainings by plan after that still know that something changed, and must not go back to what was true before it, until
  one finds that nothing is left of it to learn and a release has learned of it;
- what labels show of the release and is only watched, a training by plan in that month learns as a change;
- nobody stops watching before `quiet_months` quiet months.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from monitoring.decision_rules import FIRST_TRAINING, Action, DecisionRules, Trigger
from monitoring.evidence import CHANGES, LOSSES, SHOWN, Evidence, EvidenceKind
from pipeline.calendar import month_after, months_between


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is possible.

    Args:
        release: the release that serves, or would if the rule did not.
        trained: its month.
        can_roll_back: whether an earlier release is there that verifies.
        rule_ordered: whether monitoring's order that the rule answers holds, whatever was decided since.
        gate_passed: whether a gate has passed a release since the rule was ordered to answer.
        was_lost: whether the training that was asked for last never came before the gate.
        was_no_news: whether it did, was to learn of a change, and found that the whole past tells of it as well.
    """

    release: str = ""
    trained: str = ""
    can_roll_back: bool = False
    rule_ordered: bool = False
    gate_passed: bool = False
    was_lost: bool = False
    was_no_news: bool = False


@dataclass(frozen=True, kw_only=True)
class MonitoringDecision:
    """What to do after a month, and why.

    Args:
        since: the first month of an action that goes on without a break.
        starts_training: whether a training is asked for now; also where the rule must answer meanwhile.
        last_training: the last month that asked for one, None where none did.
        changed: the month in which a change that the release does not know was last found; None where none was.
        months_since_change: labelled months of it for the training that starts; 0 where none does, or nothing changed.
        quiet_months: how many months running spoke for nothing.
    """

    month: str
    action: Action
    reasons: tuple[str, ...]
    since: str
    starts_training: bool = False
    last_training: str | None = None
    changed: str | None = None
    months_since_change: int = 0
    quiet_months: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; the action by its name in small letters."""
        return asdict(self) | {"action": self.action.name.lower(), "reasons": list(self.reasons)}


def decision_from_dict(stored: Mapping[str, Any]) -> MonitoringDecision:
    """The inverse of `MonitoringDecision.as_dict`."""
    action, reasons = Action[str(stored["action"]).upper()], tuple(stored["reasons"])
    return MonitoringDecision(**(dict(stored) | {"action": action, "reasons": reasons}))


def decide(
    month: str,
    evidence: Sequence[Evidence],
    previous: MonitoringDecision | None = None,
    *,
    circumstances: Circumstances | None = None,
    rules: DecisionRules | None = None,
) -> MonitoringDecision:
    """The decision after `month`.

    Args:
        month: the month that closed.
        evidence: of this month and of those before; later ones and those too old to matter are ignored.
        previous: the last decision before.
        circumstances: what is possible.
        rules: the table.
    """
    now, rules = circumstances or Circumstances(), rules or DecisionRules()
    found = {trigger: _fired(trigger, month, evidence, now) for trigger in (FIRST_TRAINING, *rules.triggers)}
    fired = {trigger: each for trigger, each in found.items() if each is not None}
    quiet_months = 0 if fired else (previous.quiet_months if previous else rules.quiet_months) + 1
    gravest = max((action for action, _ in fired.values()), default=Action.NOTHING)
    told = tuple(dict.fromkeys(says for action, reasons in fired.values() if action is gravest for says in reasons))
    action, reasons = _held(gravest, told, previous, now, still_watched=quiet_months < rules.quiet_months)
    asking = {trigger.kind for trigger, (act, _) in fired.items() if act >= Action.RETRAIN}
    # a training that is asked for by another line of the table learns of what is only watched; who fails alone does not
    is_shown = action is Action.RETRAIN and any(
        each.kind in SHOWN and each.month == month and each.release == now.release for each in evidence
    )
    training = _training(month, asking, previous, now, rules, wanted=action >= Action.RETRAIN, is_shown=is_shown)
    if training.more and action < Action.RETRAIN:
        action, reasons = Action.RETRAIN, (*told, training.more)
    if action is Action.RETRAIN and not training.starts and previous is not None:
        action, reasons = Action.WATCH, (*reasons, f"the training of {previous.last_training} must show first")
    return MonitoringDecision(
        month=month,
        action=action,
        reasons=reasons,
        since=previous.since if previous is not None and previous.action is action else month,
        starts_training=training.starts,
        last_training=month if training.starts else previous.last_training if previous else None,
        changed=training.changed,
        months_since_change=training.months_since_change,
        quiet_months=quiet_months,
    )


@dataclass(frozen=True)
class _Training:
    """Whether one starts, and whether it is to learn of a change.

    Args:
        more: why it does where nothing but more knowledge of a change asks for it.
        changed: the month of the last change.
        months_since_change: how many labelled months there are of it to learn from; 0 where nothing changed.
    """

    starts: bool
    more: str
    changed: str | None
    months_since_change: int


def _training(
    month: str,
    asking: Set[EvidenceKind],
    previous: MonitoringDecision | None,
    now: Circumstances,
    rules: DecisionRules,
    *,
    wanted: bool,
    is_shown: bool,
) -> _Training:
    """Where a training is `wanted`, because of the evidence that is `asking` for it or of what was decided before.

    `is_shown` says whether labels showed something against the release in the month, if only to be watched.
    """
    changed, rested = _last_change(previous, now, rules), _has_rested(month, previous, now, rules)
    # while a change is being learned, only a loss that a release of since then had time to show speaks for another one
    is_another = bool(asking & LOSSES) and now.trained >= str(changed) and rested
    # one that no release has learned in all its months is learned by plan from then on
    is_first = changed is None or (not _months_known(month, changed, rules) and now.trained >= changed)
    if is_another or (is_first and (asking & SHOWN or (rested and (is_shown or asking & CHANGES)))):
        changed = month
    more = _more_is_known(month, changed, previous, now, rules)
    starts = bool(more) or (wanted and rested)
    # a training by plan must not go back to what was true before either
    return _Training(starts, more, changed, months_between(changed, month) + 1 if changed and starts else 0)


def _last_change(previous: MonitoringDecision | None, now: Circumstances, rules: DecisionRules) -> str | None:
    """The month of the last change; None where a training by plan since then found that nothing is left of it to learn.

    Either the months before it tell the newest one as well by now, or there are none left among all that is learned. A
    release that is older than the change goes on failing because of it: that is no other change.
    """
    changed = previous.changed if previous else None
    if previous is None or changed is None:
        return None
    was_by_plan = previous.last_training is not None and not _months_known(previous.last_training, changed, rules)
    return None if now.was_no_news and was_by_plan and now.trained >= changed else changed


def _fired(
    trigger: Trigger, month: str, evidence: Sequence[Evidence], now: Circumstances
) -> tuple[Action, tuple[str, ...]] | None:
    """What a line of the table leads to, and why; None where it is not met."""
    first = month_after(month, 1 - trigger.months)
    seen = [each for each in evidence if each.kind == trigger.kind and first <= each.month <= month]
    if trigger.action > Action.WATCH:
        seen = [each for each in seen if each.release in ("", now.release)]
    latest = tuple(each.says for each in seen if each.month == month)
    times = len({each.month for each in seen})
    if not latest or times < trigger.times:
        return None
    counted = (f"seen in {times} of the last {trigger.months} months",) if trigger.months > 1 else ()
    if trigger.action is Action.ROLL_BACK and not now.can_roll_back:
        return Action.FALL_BACK, (*latest, *counted, "there is no earlier release to go back to")
    return trigger.action, (*latest, *counted)


def _held(
    action: Action,
    reasons: tuple[str, ...],
    previous: MonitoringDecision | None,
    now: Circumstances,
    *,
    still_watched: bool,
) -> tuple[Action, tuple[str, ...]]:
    """The action, or the one before where it is too early to end it."""
    is_fallen = previous is not None and previous.action is Action.FALL_BACK
    if (is_fallen or now.rule_ordered) and action < Action.FALL_BACK and not now.gate_passed:
        since = f" since {previous.since}" if previous is not None and is_fallen else ""
        return Action.FALL_BACK, (*reasons, f"the rule answers{since}, and no gate has passed yet")
    if previous is None:
        return action, reasons
    if action is Action.NOTHING and previous.action > Action.NOTHING and still_watched:
        return Action.WATCH, (f"watched on after {previous.action.name.lower()} in {previous.month}",)
    return action, reasons


def _has_rested(month: str, previous: MonitoringDecision | None, now: Circumstances, rules: DecisionRules) -> bool:
    last = previous.last_training if previous else None
    return last is None or not now.release or now.was_lost or month > month_after(last, rules.rest_months)


def _months_known(month: str, changed: str | None, rules: DecisionRules) -> int:
    """Labelled months since the last change, the first included; 0 without one, or where it is learned by plan."""
    known = months_between(changed, month) + 1 if changed else 0
    return known if known <= rules.most_months_of_a_change else 0


def _more_is_known(
    month: str, changed: str | None, previous: MonitoringDecision | None, now: Circumstances, rules: DecisionRules
) -> str:
    """Why a change is worth another training: enough more is known of it; empty where it is not."""
    known = _months_known(month, changed, rules)
    if changed is None or not known:
        return ""
    who, until = _last_to_learn(previous, now)
    learned = months_between(changed, until) + 1 if until >= changed else 0
    says = f"{known} months of what changed in {changed} are known, and {who} learned of {learned}"
    return says if known >= 2 * learned else ""


def _last_to_learn(previous: MonitoringDecision | None, now: Circumstances) -> tuple[str, str]:
    """Who learned last what there was to learn, and in which month: the release, or a later training without news."""
    last = previous.last_training if previous else None
    if now.was_no_news and last is not None and last > now.trained:
        return f"the training of {last}", last
    return now.release, now.trained
