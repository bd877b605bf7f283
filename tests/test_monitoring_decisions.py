"""What follows from the evidence, month by month."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.decision_rules import Action, DecisionRules
from monitoring.decisions import Circumstances, MonitoringDecision, decide, decision_from_dict
from monitoring.evidence import Evidence, EvidenceKind
from tests.monitored_months import months_after

SERVING = Circumstances(release="r2", can_roll_back=True)


def seen(month: str, kind: EvidenceKind, release: str = "r2") -> Evidence:
    return Evidence(month, kind, f"{kind} in {month}", release)


def after(
    month: str, *evidence: Evidence, previous: MonitoringDecision | None = None, **now: object
) -> MonitoringDecision:
    circumstances = Circumstances(**({"release": "r2", "can_roll_back": True} | now))
    return decide(month, evidence, previous, circumstances=circumstances)


def played(by_month: dict[str, list[EvidenceKind]], months: list[str]) -> list[MonitoringDecision]:
    evidence = [seen(month, kind) for month, kinds in by_month.items() for kind in kinds]
    decisions: list[MonitoringDecision] = []
    for month in months:
        decisions.append(decide(month, evidence, decisions[-1] if decisions else None, circumstances=SERVING))
    return decisions


def test_a_quiet_month_leads_to_nothing() -> None:
    assert (after("2025-03").action, after("2025-03").reasons) == (Action.NOTHING, ())


def test_an_estimated_loss_is_watched_once_and_learned_when_it_stays() -> None:
    first, second = played({"2025-03": ["estimated_loss"], "2025-04": ["estimated_loss"]}, ["2025-03", "2025-04"])
    assert (first.action, second.action) == (Action.WATCH, Action.RETRAIN)
    assert second.reasons == ("estimated_loss in 2025-04", "seen in 2 of the last 3 months")


def test_customers_who_only_look_different_are_watched_however_long() -> None:
    months = months_after("2025-03", 4)
    decisions = played({month: ["drift", "score_drift"] for month in months}, months)
    assert {(each.action, each.starts_training) for each in decisions} == {(Action.WATCH, False)}


def test_callers_who_send_other_values_are_watched_however_long_for_no_release_can_mend_them() -> None:
    months = months_after("2025-03", 4)
    decisions = played({month: ["skew"] for month in months}, months)
    assert {(each.action, each.starts_training) for each in decisions} == {(Action.WATCH, False)}


def test_what_was_seen_before_and_not_in_the_latest_month_starts_nothing() -> None:
    decision = played({"2025-03": ["drift"], "2025-04": ["drift"]}, ["2025-05"])[0]
    assert decision.action is Action.NOTHING


def test_money_lost_beyond_the_margin_stops_the_model_at_once_and_trains_another() -> None:
    decision = after("2025-03", seen("2025-03", "realised_loss_beyond_margin"), seen("2025-03", "drift"))
    assert (decision.action, decision.starts_training) == (Action.FALL_BACK, True)
    assert decision.reasons == ("realised_loss_beyond_margin in 2025-03",)


def test_the_rule_answers_until_a_gate_has_passed_however_quiet_it_is() -> None:
    decision = after("2025-03", seen("2025-03", "realised_loss_beyond_margin"))
    for month in months_after("2025-04", 6):
        decision = after(month, previous=decision)
        assert (decision.action, decision.since) == (Action.FALL_BACK, "2025-03")
    back = after("2025-10", previous=decision, gate_passed=True, release="2025-09-b", trained="2025-09")
    assert back.action in (Action.NOTHING, Action.WATCH)


def test_late_labels_of_an_old_release_do_not_stop_the_new_one() -> None:
    fallen = after("2025-03", seen("2025-03", "realised_loss_beyond_margin", "r2"))
    late = seen("2025-04", "realised_loss_beyond_margin", "r2")
    back = after("2025-04", late, previous=fallen, release="r3", gate_passed=True)
    assert back.action < Action.ROLL_BACK


def test_a_release_worse_than_the_one_before_goes_back_or_to_the_rule() -> None:
    worse = seen("2025-03", "worse_than_previous_release")
    assert after("2025-03", worse).action is Action.ROLL_BACK
    alone = after("2025-03", worse, can_roll_back=False)
    assert alone.action is Action.FALL_BACK
    assert alone.reasons[-1] == "there is no earlier release to go back to"


def test_a_training_is_given_time_to_show() -> None:
    months = months_after("2025-03", 5)
    decisions = played({month: ["stale_model"] for month in months}, months)
    assert [decision.starts_training for decision in decisions] == [True, False, False, True, False]
    assert decisions[1].action is Action.WATCH
    assert decisions[1].reasons[-1] == "the training of 2025-03 must show first"


def lived(
    months: list[str], passed: set[str], *evidence: Evidence, previous: MonitoringDecision | None = None
) -> list[MonitoringDecision]:
    """Months in which a training is judged at once; those of the months `passed` get through the gate."""
    decisions = [previous] if previous else []
    trained = "2025-01"
    for month in months:
        now = {"release": f"{trained}-a", "trained": trained}
        decisions.append(after(month, *evidence, previous=decisions[-1] if decisions else None, **now))
        if decisions[-1].starts_training and month in passed:
            trained = month
    return decisions[1:] if previous else decisions


LOST = Evidence("2025-03", "realised_loss", "it loses", "2025-01-a")


def test_a_change_is_learned_again_when_twice_as_much_of_it_is_known() -> None:
    months = months_after("2025-03", 12)
    decisions = lived(months, set(months), LOST)
    started = [decision.month for decision in decisions if decision.starts_training]
    assert started == ["2025-03", "2025-04", "2025-06", "2025-10"]  # with one, two, four and eight months of it
    assert [each.months_since_change for each in decisions if each.starts_training] == [1, 2, 4, 8]
    assert {decision.changed for decision in decisions} == {"2025-03"}
    assert decisions[1].reasons == ("2 months of what changed in 2025-03 are known, and 2025-03-a learned of 1",)


def test_where_the_gate_refuses_a_change_is_learned_again_each_month_while_it_is_news() -> None:
    decisions = lived(months_after("2025-03", 12), {"2025-07"}, LOST)
    # the one of July knew five months of it, and ten are too many for news
    assert [each.month for each in decisions if each.starts_training] == months_after("2025-03", 5)


def test_where_the_whole_past_tells_of_a_change_as_well_it_is_not_learned_again_before_twice_as_much_is_known() -> None:
    decision, started = after("2025-03", seen("2025-03", "realised_loss"), trained="2025-01"), ["2025-03"]
    for month in months_after("2025-04", 11):  # the gate refuses them all
        decision = after(month, previous=decision, trained="2025-01", was_no_news=True)
        started += [month] * decision.starts_training
    assert started == ["2025-03", "2025-04", "2025-06", "2025-10"]


def test_a_change_of_which_a_training_by_plan_finds_nothing_left_to_learn_is_over() -> None:
    found = after("2025-03", seen("2025-03", "realised_loss"), trained="2025-01")
    first = after("2026-02", seen("2026-02", "stale_model"), previous=found, trained="2025-03")
    assert (first.starts_training, first.changed, first.months_since_change) == (True, "2025-03", 12)
    for was_no_news, changed, months in ((False, "2025-03", 20), (True, None, 0)):
        later = after(
            "2026-10",
            seen("2026-10", "stale_model"),
            previous=first,
            trained="2026-02",
            was_no_news=was_no_news,
        )
        assert (later.starts_training, later.changed, later.months_since_change) == (True, changed, months)


def test_a_change_that_no_release_learned_is_not_over_though_nothing_of_it_is_news() -> None:
    decision, changed = after("2025-03", seen("2025-03", "realised_loss"), trained="2025-01"), set()
    for month in months_after("2025-04", 24):  # the same loss of the same release, and the gate refuses all
        loss = seen(month, "realised_loss")
        decision = after(month, loss, previous=decision, trained="2025-01", was_no_news=True)
        changed.add(decision.changed)
    assert changed == {"2025-03"}


def test_a_training_that_is_no_news_is_named_by_its_month() -> None:
    found = after("2025-03", seen("2025-03", "realised_loss"), trained="2025-01")
    again = after("2025-04", previous=found, trained="2025-01", was_no_news=True)
    says = "2 months of what changed in 2025-03 are known, and the training of 2025-03 learned of 1"
    assert (again.changed, again.reasons) == ("2025-03", (says,))


def test_what_still_speaks_against_a_release_that_is_older_than_the_change_is_the_same_change() -> None:
    again = Evidence("2025-04", "realised_loss", "it loses", "2025-01-a")
    assert [each.changed for each in lived(["2025-03", "2025-04"], set(), LOST, again)] == ["2025-03", "2025-03"]


def test_what_speaks_against_a_release_that_had_time_to_show_is_another_change() -> None:
    months = months_after("2025-03", 7)
    later = Evidence("2025-09", "realised_loss", "it loses", "2025-06-a")
    decisions = lived(months, set(months), LOST, later)
    assert [each.changed for each in decisions[-2:]] == ["2025-03", "2025-09"]


def test_while_a_change_is_learned_only_a_loss_speaks_for_another() -> None:
    months = months_after("2025-03", 7)
    for kind, changed in (("calibration_drift", "2025-03"), ("realised_below_estimate", "2025-09")):
        later = [Evidence(month, kind, "it strays", "2025-06-a") for month in months[-2:]]
        assert lived(months, set(months), LOST, *later)[-1].changed == changed


def test_a_training_by_plan_learns_from_all_months_alike() -> None:
    decision = after("2025-03", seen("2025-03", "stale_model"))
    assert (decision.starts_training, decision.months_since_change, decision.changed) == (True, 0, None)


def test_calibration_that_is_far_off_is_a_change_in_its_first_month() -> None:
    decision = after("2025-03", seen("2025-03", "calibration_far_off"), trained="2025-01")
    assert (decision.starts_training, decision.months_since_change, decision.changed) == (True, 1, "2025-03")


def test_a_training_by_plan_learns_of_what_labels_show_in_its_month_though_that_alone_would_not_ask_for_one() -> None:
    alone = after("2025-03", seen("2025-03", "calibration_drift"), trained="2025-01")
    assert (alone.action, alone.starts_training, alone.changed) == (Action.WATCH, False, None)
    both = [seen("2025-03", kind) for kind in ("calibration_drift", "stale_model")]
    planned = after("2025-03", *both, trained="2025-01")
    assert (planned.starts_training, planned.months_since_change, planned.changed) == (True, 1, "2025-03")


def test_what_is_only_watched_is_learned_of_by_a_training_by_plan_and_by_no_other() -> None:
    watched = seen("2025-03", "calibration_drift")
    worse = seen("2025-03", "worse_than_previous_release")
    assert after("2025-03", watched, worse, trained="2025-01").changed is None
    of_old = Evidence("2025-03", "calibration_drift", "it strays", "another")
    assert after("2025-03", of_old, seen("2025-03", "stale_model"), trained="2025-01").changed is None
    early = after("2025-03", watched, seen("2025-03", "stale_model"), previous=BY_PLAN, trained="2025-01")
    assert (early.action, early.starts_training, early.changed) == (Action.WATCH, False, None)


def test_what_is_far_off_of_a_release_that_no_longer_serves_is_watched() -> None:
    of_old = Evidence("2025-03", "calibration_far_off", "it strays", "another")
    assert after("2025-03", of_old).action is Action.WATCH


BY_PLAN = MonitoringDecision(
    month="2025-02",
    action=Action.RETRAIN,
    reasons=("it was due",),
    since="2025-02",
    starts_training=True,
    last_training="2025-02",
)


def test_a_loss_right_after_a_training_by_plan_is_a_change_that_it_could_not_learn() -> None:
    first, second, *_ = lived(months_after("2025-03", 4), set(), LOST, previous=BY_PLAN)
    assert (first.starts_training, first.changed, first.months_since_change) == (True, "2025-03", 1)
    assert (second.starts_training, second.changed, second.months_since_change) == (True, "2025-03", 2)


def test_a_change_is_kept_though_decisions_of_months_are_missing() -> None:
    found = after("2025-03", seen("2025-03", "realised_loss"))
    later = after("2025-06", previous=found, trained="2025-01")
    assert (later.changed, later.starts_training, later.months_since_change) == ("2025-03", True, 4)


def test_where_the_gate_refuses_everything_the_rule_answers_and_trainings_rest_once_the_change_is_old() -> None:
    months = months_after("2025-03", 20)
    beyond = Evidence("2025-03", "realised_loss_beyond_margin", "it loses", "2025-01-a")
    decisions = lived(months, set(), beyond)
    assert {each.action for each in decisions} == {Action.FALL_BACK}
    started = [place for place, each in enumerate(decisions) if each.starts_training]
    assert started == [*range(8), 10, 13, 16, 19]
    # by plan, and none of them goes back to what was true before the change
    assert [decisions[place].months_since_change for place in started[8:]] == [11, 14, 17, 20]


def test_a_change_that_no_release_learns_in_all_its_months_is_not_found_anew_and_trainings_rest() -> None:
    months = months_after("2025-03", 20)
    evidence = [Evidence(month, "realised_loss", "it loses", "2025-01-a") for month in months]
    decisions = lived(months, set(), *evidence)
    assert {each.changed for each in decisions} == {"2025-03"}
    assert [place for place, each in enumerate(decisions) if each.starts_training] == [*range(8), 10, 13, 16, 19]


def test_an_estimate_ends_no_rest_for_only_labels_show_what_has_changed() -> None:
    months = months_after("2025-03", 3)
    evidence = [Evidence(month, "estimated_loss", "it loses", "2025-01-a") for month in ("2025-02", *months)]
    decisions = lived(months, set(), *evidence, previous=BY_PLAN)
    assert [each.starts_training for each in decisions] == [False, False, True]
    assert [each.changed for each in decisions] == [None, None, "2025-05"]


def test_a_training_that_was_lost_on_the_way_to_the_gate_is_asked_for_again() -> None:
    evidence = seen("2025-03", "stale_model")
    assert not after("2025-03", evidence, previous=BY_PLAN).starts_training
    assert after("2025-03", evidence, previous=BY_PLAN, was_lost=True).starts_training


def test_without_a_release_a_training_is_asked_for_each_month_whatever_the_table_says() -> None:
    nothing = DecisionRules(triggers=())
    for month in ("2025-03", "2025-04"):
        found = decide(month, [Evidence(month, "no_release", "there is none")], BY_PLAN, rules=nothing)
        assert (found.action, found.starts_training, found.months_since_change) == (Action.RETRAIN, True, 0)


def test_an_order_of_monitoring_holds_though_the_decision_that_led_to_it_is_lost() -> None:
    held = after("2025-03", rule_ordered=True)
    assert (held.action, held.reasons) == (Action.FALL_BACK, ("the rule answers, and no gate has passed yet",))
    assert after("2025-03", rule_ordered=True, gate_passed=True).action is Action.NOTHING


def test_watching_ends_after_two_quiet_months() -> None:
    decisions = played({"2025-03": ["quarantine"]}, months_after("2025-03", 4))
    assert [d.action for d in decisions] == [Action.WATCH, Action.WATCH, Action.NOTHING, Action.NOTHING]


def test_evidence_every_other_month_does_not_flap() -> None:
    months = months_after("2025-01", 12)
    decisions = played({month: ["quarantine"] for month in months[::2]}, months)
    assert {decision.action for decision in decisions} == {Action.WATCH}
    assert decisions[-1].since == "2025-01"


def test_evidence_of_months_to_come_is_not_known() -> None:
    assert after("2025-03", seen("2025-04", "realised_loss_beyond_margin")).action is Action.NOTHING


def test_a_decision_survives_json() -> None:
    decision = after("2025-03", seen("2025-03", "drift"))
    stored = json.loads(json.dumps(decision.as_dict()))
    assert (stored["action"], decision_from_dict(stored)) == ("watch", decision)


KINDS = sorted({trigger.kind for trigger in DecisionRules().triggers})


@given(st.lists(st.sets(st.sampled_from(KINDS), max_size=3), min_size=1, max_size=24))
def test_whatever_happens_trainings_keep_their_distance_and_actions_their_reasons(
    history: list[set[EvidenceKind]],
) -> None:
    months = months_after("2024-01", len(history))
    decisions = played(dict(zip(months, map(sorted, history), strict=True)), months)
    trained = [place for place, decision in enumerate(decisions) if decision.starts_training]
    for earlier, later in pairwise(trained):
        is_of_a_change = 0 < decisions[later].months_since_change <= DecisionRules().most_months_of_a_change
        assert later - earlier > DecisionRules().rest_months or is_of_a_change
    assert all(decision.reasons for decision in decisions if decision.action > Action.NOTHING)
    fallen = next((place for place, decision in enumerate(decisions) if decision.action is Action.FALL_BACK), None)
    if fallen is not None:
        assert {decision.action for decision in decisions[fallen:]} == {Action.FALL_BACK}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_evidence_leads_somewhere(kind: EvidenceKind) -> None:
    assert after("2025-03", seen("2025-03", kind)).action > Action.NOTHING
