"""Who must be told what: one message for each cause when it appears, one when it gets graver, one when it is over.

Pure functions from the alerts so far, and what was seen now, to the news. `monitoring/alert_book.py` remembers the
alerts and sees that news go out, `monitoring/alert_text.py` words them, `assets/alarms.py` carries them.

- A cause is the same as before where the kind, the release and something that it is about are the same. It is told
  once, however many months it lasts; and again, once, when it led to a graver decision.
- It is over when it was not seen for `quiet_months` months running. What made the rule answer is over only once a
  release answers again: silence alone proves nothing, for a rule that answers has no model to fail.
- While all the customers change (`POPULATION`), what was open about single sources goes on: nobody could tell them
  apart.
- A month that is told twice makes no news.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, get_args

from monitoring.decision_rules import Action, DecisionRules
from monitoring.decisions import MonitoringDecision
from monitoring.evidence import Evidence, EvidenceKind
from pipeline.calendar import month_after
from pipeline.wording import money

if TYPE_CHECKING:
    from monitoring.causes import Finding  # numbers are not needed to tell of them

POPULATION = "population"
OF = " of "
MOST_SAID = 3  # of a cause that showed many times in a month, as a service does day by day
NewsKind = Literal["opened", "changed", "ended"]


class Severity(IntEnum):
    """How grave, mildest first; of evidence, by what was decided because of it."""

    NOTICE = 1
    WARNING = 2
    SERIOUS = 3
    CRITICAL = 4


DECIDED = {
    Severity.NOTICE: "nothing yet; it is watched",
    Severity.WARNING: "a new model is trained, and the gate will judge it",
    Severity.SERIOUS: "the release before it answers again",
    Severity.CRITICAL: "the rule answers until the gate has passed a release",
}
TRAINS_TOO = "; a new model is trained now"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One cause that somebody must know of.

    Args:
        cause: kind of the evidence and, where there is one, the release it speaks against; or what happened outside
            the months, such as "failed run".
        about: what tells causes of that kind apart, as in `Evidence`; of several of them, the first that was seen.
        opened: since when, a month or a moment; `seen` and `ended` likewise.
        seen: when it was seen last.
        ended: when it was over; empty while it goes on.
        says: what moved, and how much.
        cost: what it costs, where known.
        decided: what was decided because of it.
        link: where to look.
    """

    cause: str
    about: tuple[str, ...] = ()
    opened: str
    says: str
    severity: Severity
    cost: str = ""
    decided: str = ""
    link: str = ""
    seen: str = ""
    ended: str = ""

    @property
    def key(self) -> str:
        """The cause in one line; with `opened` it names an alert."""
        return f"{self.cause}: {', '.join(self.about)}" if self.about else self.cause


@dataclass(frozen=True, kw_only=True)
class News:
    """What came of the alerts. Only `going_on` is not told to anybody.

    Args:
        changed: open ones that are told again: they led to a graver decision, or have another reason now.
    """

    opened: tuple[Alert, ...] = ()
    changed: tuple[Alert, ...] = ()
    going_on: tuple[Alert, ...] = ()
    ended: tuple[Alert, ...] = ()

    @property
    def open(self) -> tuple[Alert, ...]:
        """Everything that is not over."""
        return (*self.opened, *self.changed, *self.going_on)


def drift_evidence(finding: "Finding") -> Evidence:
    """A finding as evidence that knows its cause: its sources, or its fields where no source is known."""
    sources = tuple(finding.source.split(", ")) if finding.source else finding.fields
    about = (POPULATION,) if finding.kind == POPULATION else sources
    return Evidence(finding.key, "drift", finding.message, about=about)


def news_of_month(
    month: str,
    evidence: Sequence[Evidence],
    decision: MonitoringDecision,
    so_far: Sequence[Alert],
    *,
    currency: str = "USD",
    link: Callable[[Evidence], str] = lambda _: "",
    quiet_months: int = DecisionRules().quiet_months,
) -> News:
    """What a month's evidence and the decision after it change.

    Args:
        month: the month that closed.
        evidence: of any months; only this one's is told.
        decision: after this month; what it names as its reasons is as grave as its action, the rest is watched.
        so_far: the alerts, those that are over too; those of no evidence, such as of failed runs, are left alone.
        currency: of the costs.
        link: where to look at a piece of evidence.
        quiet_months: how many months without it end an alert.
    """
    causes = _causes(month, evidence, decision, currency, link)
    known = [alert for alert in so_far if alert.cause.partition(OF)[0] in get_args(EvidenceKind)]
    live, past = [alert for alert in known if not alert.ended], [alert for alert in known if alert.ended]
    opened, changed, going_on, ended = list[Alert](), list[Alert](), list[Alert](), list[Alert]()
    for cause in causes:
        if not any(_is_same(cause, alert) for alert in live) and not any(_was(cause, alert) for alert in past):
            opened.append(cause)
    for alert in live:
        same = [cause for cause in causes if _is_same(cause, alert)]
        if same:
            now = _seen_again(alert, max(same, key=lambda cause: cause.severity))
            (changed if now.severity > alert.severity else going_on).append(now)
        elif any(_covers(cause, alert) for cause in causes):
            going_on.append(replace(alert, seen=max(alert.seen, month)))
        elif _is_over(alert, month, decision, quiet_months):
            ended.append(replace(alert, ended=month))
        else:
            going_on.append(alert)
    return News(opened=tuple(opened), changed=tuple(changed), going_on=tuple(going_on), ended=tuple(ended))


def news_of(alert: Alert, so_far: Sequence[Alert]) -> News:
    """What something that went wrong at a moment changes, outside the months; told anew where the reason is another."""
    for known in (each for each in so_far if each.key == alert.key):
        if alert.opened <= known.seen:  # told before
            return News() if known.ended else News(going_on=(known,))
        if not known.ended:
            now = replace(alert, opened=known.opened, seen=alert.opened)
            return News(going_on=(now,)) if alert.says == known.says else News(changed=(now,))
    return News(opened=(replace(alert, seen=alert.opened),))


def news_of_end(key: str, at: str, so_far: Sequence[Alert]) -> News:
    """What it changes that something went right again at `at`."""
    return News(ended=tuple(replace(alert, ended=at) for alert in so_far if alert.key == key and not alert.ended))


def _causes(
    month: str,
    evidence: Sequence[Evidence],
    decision: MonitoringDecision,
    currency: str,
    link: Callable[[Evidence], str],
) -> list[Alert]:
    """One alert for each cause of the month, in the order of the evidence."""
    by_cause: dict[tuple[str, tuple[str, ...]], list[Evidence]] = {}
    for each in evidence:
        if each.month == month:
            by_cause.setdefault((_cause(each), each.about), []).append(each)
    return [_alert(found, decision, currency, link) for found in by_cause.values()]


def _alert(
    found: Sequence[Evidence], decision: MonitoringDecision, currency: str, link: Callable[[Evidence], str]
) -> Alert:
    first, costs = found[0], [each.cost_a_month for each in found if each.cost_a_month is not None]
    led_to_it = any(each.says in decision.reasons for each in found)
    severity = Severity(max(decision.action, Action.WATCH) if led_to_it else Action.WATCH)
    return Alert(
        cause=_cause(first),
        about=first.about,
        opened=first.month,
        seen=first.month,
        says=_said(found),
        severity=severity,
        cost=f"{money(costs[-1], currency)} a month" if costs else "",  # of the newest snapshot: it is the same loss
        decided=DECIDED[severity] + (TRAINS_TOO if decision.starts_training and severity > Severity.WARNING else ""),
        link=link(first),
    )


def _said(found: Sequence[Evidence]) -> str:
    said = list(dict.fromkeys(each.says for each in found))
    more = [f"and {len(said) - MOST_SAID} more of the kind"] if len(said) > MOST_SAID else []
    return "; ".join([*said[:MOST_SAID], *more])


def _cause(evidence: Evidence) -> str:
    kind = "calibration_drift" if evidence.kind == "calibration_far_off" else evidence.kind  # the same, and graver
    return f"{kind}{OF}{evidence.release}" if evidence.release else kind


def _is_same(cause: Alert, alert: Alert) -> bool:
    return cause.cause == alert.cause and (cause.about == alert.about or bool({*cause.about} & {*alert.about}))


def _covers(cause: Alert, alert: Alert) -> bool:
    return cause.cause == alert.cause and POPULATION in cause.about


def _was(cause: Alert, alert: Alert) -> bool:
    """Whether an alert that is over is the one of this cause and month, told when that month was told first."""
    return _is_same(cause, alert) and alert.opened <= cause.opened <= alert.seen


def _seen_again(alert: Alert, cause: Alert) -> Alert:
    """The alert with what is known now. What was decided before holds where nothing graver was."""
    if cause.opened < alert.seen:
        return alert
    is_graver = cause.severity > alert.severity
    return replace(
        alert,
        says=cause.says,
        cost=cause.cost or alert.cost,
        link=cause.link or alert.link,
        seen=cause.opened,
        severity=max(cause.severity, alert.severity),
        decided=cause.decided if is_graver else alert.decided,
    )


def _is_over(alert: Alert, month: str, decision: MonitoringDecision, quiet_months: int) -> bool:
    if alert.severity is Severity.CRITICAL:
        return decision.action is not Action.FALL_BACK and month > alert.seen
    return month >= month_after(alert.seen[:7], quiet_months)
