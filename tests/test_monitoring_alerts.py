"""Who is told what: once for each cause, once more when it gets graver, once when it is over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alert_text import text_of
from monitoring.alerts import (
    POPULATION,
    Alert,
    News,
    Severity,
    drift_evidence,
    news_of,
    news_of_end,
    news_of_month,
)
from monitoring.causes import Finding, Kind
from monitoring.decision_rules import Action
from monitoring.decisions import Circumstances, MonitoringDecision, decide
from monitoring.evidence import Evidence, EvidenceKind
from tests.monitored_months import months_after

JUNE, JULY, AUGUST, SEPTEMBER = "2025-06", "2025-07", "2025-08", "2025-09"


def drift(month: str, *about: str) -> Evidence:
    return Evidence(month, "drift", f"{month}: {' and '.join(about)} moved", about=about)


def lost(month: str, kind: EvidenceKind = "realised_loss_beyond_margin", **more: float) -> Evidence:
    return Evidence(month, kind, f"{month}: it lost money", "r2", **more)  # type: ignore[arg-type]


def decided(month: str, action: Action, *because: Evidence) -> MonitoringDecision:
    return MonitoringDecision(month=month, action=action, reasons=tuple(each.says for each in because), since=month)


def kept(so_far: list[Alert], news: News) -> list[Alert]:
    """What the book holds after the news."""
    now = {(alert.key, alert.opened): alert for alert in (*so_far, *news.open, *news.ended)}
    return list(now.values())


def played(months: dict[str, tuple[Action, list[Evidence]]]) -> tuple[list[News], list[Alert]]:
    """Month after month, everything that was seen being a reason for the decision."""
    so_far: list[Alert] = []
    told = []
    for month, (action, evidence) in months.items():
        told.append(news_of_month(month, evidence, decided(month, action, *evidence), so_far))
        so_far = kept(so_far, told[-1])
    return told, so_far


def keys(alerts: tuple[Alert, ...]) -> list[str]:
    return [alert.key for alert in alerts]


def test_a_cause_is_told_with_what_moved_since_when_what_it_costs_what_was_decided_and_where_to_look() -> None:
    seen = lost(JUNE, cost_a_month=1200.0)
    news = news_of_month(
        JUNE, [seen], decided(JUNE, Action.FALL_BACK, seen), [], link=lambda each: f"http://ui/{each.kind}"
    )
    (alert,) = news.opened
    assert text_of(alert, "opened") == (
        "critical: realised_loss_beyond_margin of r2",
        "2025-06: it lost money\n"
        "Since: 2025-06\n"
        "Costs: 1,200 USD a month\n"
        "Decided: the rule answers until the gate has passed a release\n"
        "Look at: http://ui/realised_loss_beyond_margin",
    )


def test_calibration_that_is_off_and_then_far_off_is_one_cause_that_gets_graver() -> None:
    off, far = (
        [lost(month, kind) for kind in ("calibration_drift", "calibration_far_off")[:count]]  # type: ignore[arg-type]
        for month, count in ((JUNE, 1), (JULY, 2))
    )
    told, so_far = played({JUNE: (Action.WATCH, off), JULY: (Action.RETRAIN, far), AUGUST: (Action.WATCH, [])})
    assert [keys(news.opened) for news in told] == [["calibration_drift of r2"], [], []]
    assert [keys(news.changed) for news in told] == [[], ["calibration_drift of r2"], []]
    assert [alert.ended for alert in so_far] == [""]  # one quiet month ends nothing


def test_what_is_not_known_is_not_said() -> None:
    (alert,) = news_of_month(JUNE, [drift(JUNE, "payments")], decided(JUNE, Action.WATCH), []).opened
    assert text_of(alert, "opened")[1] == (
        "2025-06: payments moved\nSince: 2025-06\nDecided: nothing yet; it is watched"
    )


def test_a_cause_that_lasts_is_told_once_and_is_over_after_two_months_without_it() -> None:
    evidence = {JUNE: [drift(JUNE, "payments")], JULY: [drift(JULY, "payments")], AUGUST: [], SEPTEMBER: []}
    news, _ = played({month: (Action.WATCH, found) for month, found in evidence.items()})
    june, july, august, september = news
    assert keys(june.opened) == ["drift: payments"]
    assert [each.opened or each.changed or each.ended for each in (july, august)] == [(), ()]
    (ended,) = september.ended
    assert text_of(ended, "ended") == (
        "all clear: drift: payments",
        "Over since 2025-09. It began in 2025-06: 2025-07: payments moved",
    )


def test_a_cause_that_pauses_for_a_month_is_still_the_same() -> None:
    found = {JUNE: [drift(JUNE, "payments")], JULY: [], AUGUST: [drift(AUGUST, "payments")]}
    news, so_far = played({month: (Action.WATCH, each) for month, each in found.items()})
    assert [len(each.opened) for each in news] == [1, 0, 0]
    assert [(alert.opened, alert.seen) for alert in so_far] == [(JUNE, AUGUST)]


def test_a_cause_that_comes_back_after_it_was_over_is_told_anew() -> None:
    seen = {month: [] for month in months_after(JUNE, 5)} | {
        JUNE: [drift(JUNE, "payments")],
        "2025-10": [drift("2025-10", "payments")],
    }
    news, so_far = played({month: (Action.WATCH, each) for month, each in seen.items()})
    assert [len(each.opened) for each in news] == [1, 0, 0, 0, 1]
    assert len(so_far) == 2


def test_a_graver_decision_is_told_once_and_a_milder_one_is_not() -> None:
    actions = dict(zip((JUNE, JULY, AUGUST, SEPTEMBER), (1, 2, 2, 1), strict=True))
    news, so_far = played({month: (Action(action), [drift(month, "payments")]) for month, action in actions.items()})
    assert [len(each.changed) for each in news] == [0, 1, 0, 0]
    (changed,) = news[1].changed
    subject, body = text_of(changed, "changed")
    assert subject == "still warning: drift: payments"
    assert "Since: 2025-06\nDecided: a new model is trained, and the gate will judge it" in body
    assert so_far[0].severity is Severity.WARNING


def test_a_graver_decision_because_of_one_cause_makes_no_other_graver() -> None:
    watched, costly = drift(JUNE, "payments"), lost(JUNE)
    news = news_of_month(JUNE, [watched, costly], decided(JUNE, Action.FALL_BACK, costly), [])
    assert [(alert.cause, alert.severity) for alert in news.opened] == [
        ("drift", Severity.NOTICE),
        ("realised_loss_beyond_margin of r2", Severity.CRITICAL),
    ]


def test_what_made_the_rule_answer_is_over_once_a_release_answers_again_and_not_before() -> None:
    quiet = [AUGUST, SEPTEMBER, "2025-10"]
    news, _ = played(
        {JUNE: (Action.FALL_BACK, [lost(JUNE)]), JULY: (Action.FALL_BACK, [])}
        | {month: (Action.FALL_BACK, []) for month in quiet}
        | {"2025-11": (Action.WATCH, [])}
    )
    assert [len(each.ended) for each in news] == [0, 0, 0, 0, 0, 1]


def test_a_loss_seen_on_two_snapshots_is_one_message_and_costs_what_the_newest_says() -> None:
    one, other = lost(JUNE, cost_a_month=700.0), lost(JUNE, cost_a_month=500.0)
    other = replace(other, says="2025-06: and in the south most of all")
    (alert,) = news_of_month(JUNE, [one, other], decided(JUNE, Action.FALL_BACK, one), []).opened
    assert alert.says == "2025-06: it lost money; 2025-06: and in the south most of all"
    assert alert.cost == "500 USD a month"
    assert alert.severity is Severity.CRITICAL


def test_a_cause_that_shows_every_day_is_one_message_that_stays_short() -> None:
    days = [Evidence(JUNE, "service", f"day {day} was slow", about=("latency",)) for day in range(1, 31)]
    (alert,) = news_of_month(JUNE, days, decided(JUNE, Action.WATCH, days[-1]), []).opened
    assert alert.says == "day 1 was slow; day 2 was slow; day 3 was slow; and 27 more of the kind"


def test_evidence_of_another_month_is_not_told() -> None:
    assert news_of_month(JULY, [drift(JUNE, "payments")], decided(JULY, Action.WATCH), []) == News()


# ---- which causes are the same


def finding(kind: Kind, source: str, *fields: str) -> Finding:
    return Finding(JUNE, kind, source, fields, (), f"{JUNE}: {kind}: {', '.join(fields)}")


def test_a_finding_becomes_evidence_that_names_its_sources_or_else_its_fields() -> None:
    assert drift_evidence(finding("unit", "payments, usage", "paid")).about == ("payments", "usage")
    assert drift_evidence(finding("relation", "", "age")).about == ("age",)
    assert drift_evidence(finding("population", "payments", "paid")).about == (POPULATION,)
    assert drift_evidence(finding("unit", "payments", "paid")).says == "2025-06: unit: paid"


def test_a_cause_that_touches_one_more_source_is_still_the_same() -> None:
    news, so_far = played(
        {
            JUNE: (Action.WATCH, [drift(JUNE, "payments")]),
            JULY: (Action.WATCH, [drift(JULY, "payments", "usage")]),
            AUGUST: (Action.WATCH, [drift(AUGUST, "usage"), drift(AUGUST, "payments")]),
        }
    )
    assert [keys(each.opened) for each in news] == [["drift: payments"], [], ["drift: usage"]]
    assert [alert.seen for alert in so_far] == [AUGUST, AUGUST]


def test_a_release_that_replaced_another_has_causes_of_its_own() -> None:
    older, newer = lost(JUNE), replace(lost(JULY), release="r3")
    news, _ = played({JUNE: (Action.RETRAIN, [older]), JULY: (Action.RETRAIN, [newer])})
    assert keys(news[1].opened) == ["realised_loss_beyond_margin of r3"]


def test_while_all_customers_change_nothing_about_single_sources_is_called_over() -> None:
    everybody = {month: (Action.WATCH, [drift(month, POPULATION)]) for month in months_after(JULY, 4)}
    news, so_far = played({JUNE: (Action.WATCH, [drift(JUNE, "payments")])} | everybody)
    assert [keys(each.opened) for each in news[:3]] == [["drift: payments"], ["drift: population"], []]
    assert [each.ended for each in news] == [()] * 5
    assert {alert.seen for alert in so_far} == {"2025-10"}


# ---- telling again


@pytest.mark.parametrize("last", [JUNE, JULY, AUGUST, SEPTEMBER, "2025-10"])
def test_a_month_told_again_later_makes_no_news(last: str) -> None:
    found = {JUNE: [drift(JUNE, "payments"), lost(JUNE)], JULY: [drift(JULY, "payments")]}
    months = {month: (Action.RETRAIN, found.get(month, [])) for month in months_after(JUNE, 5) if month <= last}
    _, so_far = played(months)
    for month, (action, evidence) in months.items():
        again = news_of_month(month, evidence, decided(month, action, *evidence), so_far)
        assert (again.opened, again.changed, again.ended) == ((), (), ())
        assert kept(so_far, again) == so_far


KINDS: list[EvidenceKind] = ["drift", "estimated_loss", "realised_loss", "realised_loss_beyond_margin", "volume"]
CAUSES = st.tuples(st.sampled_from(KINDS), st.sets(st.sampled_from(["a", "b", "c", POPULATION]), max_size=2))


@given(st.lists(st.lists(CAUSES, max_size=4), min_size=1, max_size=12), st.integers(0, 11))
def test_whatever_happens_every_open_cause_was_told_and_everything_told_ends_once_all_is_quiet(
    happened: list[list[tuple[EvidenceKind, set[str]]]], passes_at: int
) -> None:
    so_far: list[Alert] = []
    decision, everything = None, list[Evidence]()
    sent = 0
    for place, month in enumerate(months_after("2024-01", len(happened) + 4)):
        causes = happened[place] if place < len(happened) else []
        now = [Evidence(month, kind, f"{kind} {sorted(about)} {month}", "r", tuple(about)) for kind, about in causes]
        everything += now
        circumstances = Circumstances(release="r", gate_passed=place >= min(passes_at, len(happened)))
        decision = decide(month, everything, decision, circumstances=circumstances)
        news = news_of_month(month, now, decision, so_far)
        so_far = kept(so_far, news)
        sent += len(news.opened) + len(news.changed) + len(news.ended)
        again = news_of_month(month, now, decision, so_far)
        assert (again.opened, again.changed, again.ended) == ((), (), ())
        assert {alert.cause for alert in so_far if not alert.ended} >= {f"{each.kind} of r" for each in now}
    assert all(alert.ended for alert in so_far)
    assert sent <= 5 * len(so_far)


# ---- what goes wrong outside the months


FAILED = Alert(cause="run", about=("life_cycle", JUNE), opened="2025-07-02", says="no rows", severity=Severity.WARNING)


def test_the_same_failure_is_told_once_another_reason_again_and_the_end_once() -> None:
    first = news_of(FAILED, [])
    assert keys(first.opened) == ["run: life_cycle, 2025-06"]
    so_far = kept([], first)
    later = replace(FAILED, opened="2025-07-03")
    assert news_of(later, so_far) == News(going_on=(replace(FAILED, seen="2025-07-03"),))
    so_far = kept(so_far, news_of(later, so_far))
    other = news_of(replace(later, opened="2025-07-03 12:00", says="no disk"), so_far)
    assert [(alert.says, alert.opened) for alert in other.changed] == [("no disk", "2025-07-02")]
    so_far = kept(so_far, other)
    assert news_of_end(FAILED.key, "2025-07-04", so_far).ended[0].ended == "2025-07-04"
    so_far = kept(so_far, news_of_end(FAILED.key, "2025-07-04", so_far))
    assert news_of_end(FAILED.key, "2025-07-05", so_far) == News()
    assert news_of(later, so_far) == News()  # told again by somebody who was interrupted
    assert keys(news_of(replace(FAILED, opened="2025-07-06"), so_far).opened) == [FAILED.key]


def test_a_quiet_month_says_nothing_about_a_run_that_failed() -> None:
    so_far = kept([], news_of(FAILED, []))
    assert news_of_month("2026-01", [], decided("2026-01", Action.NOTHING), so_far) == News()
