"""A month that closed, seen from every side: what is found, what is decided, and what is done about it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitoring.acting import come_back
from monitoring.changes import months_to_compare
from monitoring.decision_rules import Action, DecisionRules
from monitoring.estimated import Estimate
from monitoring.figures import read_figures
from monitoring.month import LOOKS, act_on_month, circumstances_of, decide_month, evidence_of, look
from monitoring.promises import estimate_evidence
from monitoring.reference import _of_levels
from monitoring.results import result_evidence, results_of_month
from monitoring.thresholds import DriftThresholds
from monitoring.watched import WatchedMonth
from pipeline.batch import answering
from pipeline.bootstrap import Interval
from pipeline.candidates import Run
from pipeline.declaration import Dataset
from pipeline.errors import ReleaseError
from pipeline.pointer import read_pointer
from pipeline.serving_order import order_champion, read_order
from pipeline.settings import Settings
from tests.watched_company import (
    BAD,
    BEFORE,
    DATASET,
    FLAT,
    GOOD,
    MADE_OF,
    NOW,
    crowned,
    kinds,
    live,
    score,
    seen,
    watched,
)

HALF_LEFT_ALONE = {"holdout_share": 0.5}  # so that one month of a few customers proves a loss


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), bootstrap_rounds=100)


@pytest.fixture
def company(settings: Settings) -> Settings:
    for key in (*MADE_OF, BEFORE, NOW):
        live(settings, key)
    return settings


def test_a_month_like_the_others_asks_for_nothing(company: Settings) -> None:
    release = crowned(company, GOOD)
    score(company, release, BEFORE)
    seen(company, BEFORE)
    decision = seen(company)
    assert [each.says for each in evidence_of(watched(company), NOW)] == []
    assert (decision.action, decision.starts_training) == (Action.NOTHING, False)


def test_without_a_release_a_training_is_asked_for(company: Settings) -> None:
    decision = seen(company)
    assert (decision.action, decision.starts_training) == (Action.RETRAIN, True)
    assert decision.reasons == ("2024-08: there is no release yet",)


def test_a_first_training_is_no_matter_of_the_table(company: Settings) -> None:
    assert seen(company.model_copy(update={"evidence_leads_to": {"stale_model": "nothing"}})).starts_training


def test_where_nothing_is_to_follow_from_anything_nothing_does(company: Settings) -> None:
    crowned(company, GOOD)
    live(company, NOW, lambda rows: rows.assign(usage=1.5 * rows["usage"]))
    kinds = {trigger.kind: "nothing" for trigger in DecisionRules().triggers}
    decision = seen(company.model_copy(update={"evidence_leads_to": kinds}))
    assert (decision.action, decision.starts_training) == (Action.NOTHING, False)


def test_a_unit_that_changed_is_damage_which_is_watched_and_not_learned(company: Settings) -> None:
    crowned(company, GOOD)
    live(company, NOW, lambda rows: rows.assign(usage=1.5 * rows["usage"]))
    decision = seen(company)
    assert "damage" in kinds(company)
    assert (decision.action, decision.starts_training) == (Action.WATCH, False)


def test_another_mix_of_customers_is_watched_and_the_model_that_knows_them_goes_on(company: Settings) -> None:
    def moved(rows: pd.DataFrame) -> pd.DataFrame:
        west = np.arange(len(rows)) % 3 == 0
        return rows.assign(region=np.where(west, "west", rows["region"]))

    crowned(company, GOOD)
    live(company, BEFORE, moved)
    live(company, NOW, moved)
    assert seen(company, BEFORE).action is Action.WATCH
    decision = seen(company)
    assert "drift" in kinds(company)
    assert (decision.action, decision.starts_training) == (Action.WATCH, False)


def test_other_reasons_to_leave_show_when_the_first_labels_mature(company: Settings) -> None:
    def for_other_reasons(rows: pd.DataFrame) -> pd.DataFrame:
        random = np.random.default_rng(1)
        return rows.assign(churned=random.random(len(rows)) < 0.6 * (rows["usage"] > 12))

    live(company, BEFORE, for_other_reasons)
    score(company, crowned(company, GOOD), BEFORE)
    seen(company, BEFORE)
    assert "realised_below_estimate" not in kinds(company, BEFORE)  # nothing in the features says so
    decision = seen(company)
    assert "realised_below_estimate" in kinds(company)
    assert decision.starts_training


def test_customers_who_stay_because_they_were_called_are_no_mistake_of_the_model(company: Settings) -> None:
    scores = score(company, crowned(company, GOOD), BEFORE).to_pandas().set_index("customer_id")
    called = scores["contact"]
    live(company, BEFORE, lambda rows: rows.assign(churned=rows["churned"] & ~rows["customer_id"].map(called)))
    seen(company, BEFORE)
    assert seen(company).action < Action.FALL_BACK
    assert "realised_loss_beyond_margin" not in kinds(company)


def with_results_of_a_bad_release(company: Settings) -> Settings:
    """A release that loses to the rule has made the list of the month before, and half of that was left alone."""
    company = company.model_copy(update=HALF_LEFT_ALONE)
    score(company, crowned(company, BAD), BEFORE)
    seen(company, BEFORE)
    return company


def test_a_model_that_loses_to_the_rule_beyond_the_margin_is_stopped_at_once(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    decision = seen(company)
    assert decision.action is Action.FALL_BACK
    act_on_month(watched(company))
    order = read_order(watched(company).root)
    assert order is not None
    assert order.wants_rule
    assert "more than the rule" in order.reason


def test_the_rule_answers_until_a_gate_has_passed_however_quiet_it_is(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    seen(company)
    act_on_month(watched(company))
    assert come_back(watched(company))[0].startswith("the rule goes on answering")
    live(company, "2024-09")
    decision = seen(company, "2024-09")
    assert decision.action is Action.FALL_BACK
    assert any("no gate has passed yet" in reason for reason in decision.reasons)


def test_a_release_worse_than_the_one_before_goes_back_once(company: Settings) -> None:
    before = crowned(company, GOOD)
    score(company, crowned(company, FLAT), BEFORE)
    stored = {"action": "roll_back", "month": NOW, "reasons": ["it earns less"], "since": NOW}
    month = watched(company)
    release = month.release
    assert release is not None
    month.write("decisions", {"decision": stored, "release": release.id, "evidence": []})
    act_on_month(watched(company))
    act_on_month(watched(company))  # as after a crash
    pointer = read_pointer(month.releases)
    assert pointer is not None
    assert (pointer.release, pointer.generation) == (before.id, 3)


def test_where_the_current_release_is_damaged_the_one_before_cannot_be_rolled_back_from(company: Settings) -> None:
    for scorer in (GOOD, FLAT, BAD):
        made = crowned(company, scorer)
    assert circumstances_of(watched(company)).can_roll_back
    (watched(company).releases / made.id / "manifest.json").unlink()
    assert not circumstances_of(watched(company)).can_roll_back  # the rule answers instead


def test_a_fallback_that_nobody_has_carried_out_yet_holds_in_the_month_after(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    assert seen(company).action is Action.FALL_BACK
    live(company, "2024-09")
    assert seen(company, "2024-09").action is Action.FALL_BACK
    act_on_month(watched(company, "2024-09"))
    order = read_order(watched(company).root)
    assert order is not None
    assert order.wants_rule


def test_a_fallback_holds_though_months_were_not_decided_and_though_its_own_decision_is_lost(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    seen(company)
    act_on_month(watched(company))
    for key in ("2024-09", "2024-10"):
        live(company, key)
    assert seen(company, "2024-10").since == NOW  # nobody decided about September
    for key in (BEFORE, NOW):
        (watched(company).lake.root / "monitoring" / "decisions" / f"{key}.json").unlink()
    again = seen(company, "2024-10")
    assert (again.action, again.starts_training) == (Action.FALL_BACK, True)


def test_an_order_that_an_operator_lifted_is_not_given_again_without_new_evidence(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    seen(company)
    act_on_month(watched(company))
    order_champion(watched(company).root, "the labels were wrong")
    live(company, "2024-09")
    assert seen(company, "2024-09").action < Action.FALL_BACK


def test_a_release_that_came_since_is_not_stopped_for_the_one_before(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    assert seen(company).action is Action.FALL_BACK
    crowned(company, GOOD)
    assert act_on_month(watched(company)).said[0].endswith("nothing to stop")
    assert read_order(watched(company).root) is None


def test_a_month_looked_at_again_is_judged_by_the_release_that_it_had(company: Settings) -> None:
    had = crowned(company, GOOD)
    score(company, had, BEFORE)
    seen(company, BEFORE)
    first = read_figures(watched(company).lake, "estimated", BEFORE)
    made_later = crowned(company, FLAT, run_key=NOW)
    score(company, made_later, BEFORE)
    seen(company, BEFORE)
    assert [each.id for each in watched(company, "2024-09").standing] == [made_later.id, had.id]
    assert [each.id for each in watched(company).standing] == [had.id]  # it answered until the month was over
    assert [each.id for each in watched(company, BEFORE).standing] == [had.id]
    now = watched(company).answers_now
    assert now is not None
    assert now.id == made_later.id
    assert read_figures(watched(company).lake, "estimated", BEFORE) == first
    (result,) = results_of_month(watched(company))
    assert result.overall.release == had.id  # whoever was called in July was called by the list of July


def test_without_a_control_group_nothing_is_held_against_a_release(company: Settings) -> None:
    alone = company.model_copy(update={"holdout_share": 0.0})
    score(alone, crowned(alone, BAD), BEFORE)
    seen(alone, BEFORE)
    results = results_of_month(watched(alone))
    assert not results[0].overall.is_honest
    assert result_evidence(watched(alone), results) == []


def test_a_month_that_the_release_was_made_of_is_not_compared_with_itself(company: Settings) -> None:
    crowned(company, GOOD)
    live(company, MADE_OF[-1], lambda rows: rows.assign(usage=1.5 * rows["usage"]))
    month = watched(company, MADE_OF[-1])
    release = month.release
    assert release is not None
    others = months_to_compare(month, month.reference.features)  # type: ignore[union-attr]
    assert MADE_OF[-1] not in [each.key for each in others]


def test_nothing_is_done_about_a_month_that_is_looked_at_again_later(company: Settings) -> None:
    company = with_results_of_a_bad_release(company)
    assert seen(company).action is Action.FALL_BACK
    live(company, "2024-09")
    seen(company, "2024-09")
    acted = act_on_month(watched(company))
    assert acted.said == ("2024-09 has decided since: nothing is done about 2024-08",)
    assert not acted.starts_training
    assert read_order(watched(company).root) is None


def test_a_promise_of_a_loss_that_is_kept_is_no_alarm(company: Settings) -> None:
    crowned(company, GOOD, profit={"value": -8_000.0, "low": -9_000.0, "high": -7_000.0})
    month = watched(company)
    found = Estimate("cbpe", {"profit": Interval(value=-9_500.0, low=-10_000.0, high=-9_000.0)}, 0.5, 1.0)
    assert estimate_evidence(month, found) == []  # the lower end of the promise, of as many customers


@pytest.mark.parametrize(("tested", "is_told"), [(["2024-06"], False), (["2024-05", "2024-06"], True)])
def test_a_promise_of_one_month_is_no_yardstick_for_other_seasons(
    company: Settings, tested: list[str], is_told: bool
) -> None:
    crowned(company, GOOD, tested=tested)
    found = Estimate("cbpe", {"profit": Interval(value=1_000.0, low=500.0, high=2_000.0)}, 0.5, 1.0)
    assert [each.kind for each in estimate_evidence(watched(company), found)] == ["estimated_loss"] * is_told


def test_a_loss_in_money_says_what_it_costs_a_month(company: Settings) -> None:
    company = company.model_copy(update=HALF_LEFT_ALONE)
    score(company, crowned(company, BAD), BEFORE)
    month = watched(company)
    results = results_of_month(month)
    (lost,) = [each for each in result_evidence(month, results) if each.kind == "realised_loss_beyond_margin"]
    assert lost.cost_a_month == -results[0].overall.against["rule"].value > 0
    estimate = Estimate("cbpe", {"profit": Interval(value=1_000.0, low=500.0, high=2_000.0)}, 0.5, 1.0)
    (less,) = estimate_evidence(month, estimate)
    assert less.cost_a_month == 8_000.0 - 1_000.0  # as many customers as in a month of the promise


def redeclared(company: Settings, dataset: Dataset, change: Callable[[pa.Table], pa.Table]) -> WatchedMonth:
    """The month under another declaration than its release was made with, looked at from every side."""
    month = WatchedMonth(dataset, company, NOW)
    month.lake.write(change(month.lake.read("features", "customers", NOW)), "features", "customers", NOW)
    for kind in LOOKS:
        look(month, kind)
    return month


def test_a_field_declared_since_asks_for_a_training_and_the_release_is_watched_on(company: Settings) -> None:
    score(company, crowned(company, GOOD), BEFORE)
    usage = next(feature for feature in DATASET.features if feature.name == "usage")
    wider = replace(DATASET, features=(*DATASET.features, replace(usage, name="more")))
    month = redeclared(company, wider, lambda rows: rows.append_column("more", rows["usage"]))
    decision = decide_month(month)
    assert (decision.action, decision.starts_training) == (Action.RETRAIN, True)
    assert "made with other fields than are declared now: more" in decision.reasons[0]
    assert read_figures(month.lake, "estimated", NOW)["metrics"]  # type: ignore[index]
    assert read_figures(month.lake, "realised", NOW)["results"]  # type: ignore[index]


def test_a_release_that_needs_what_is_not_declared_any_more_asks_for_a_training_and_lists_nobody(
    company: Settings,
) -> None:
    release = crowned(company, GOOD)
    score(company, release, BEFORE)
    narrower = replace(DATASET, features=tuple(each for each in DATASET.features if each.name != "usage"))
    decision = decide_month(redeclared(company, narrower, lambda rows: rows.drop_columns(["usage"])))
    assert (decision.action, decision.starts_training) == (Action.RETRAIN, True)
    assert f"{release.id} needs usage" in decision.reasons[0]
    with pytest.raises(ReleaseError, match="needs usage, which is not declared any more"):
        answering(Run(narrower, company, NOW))


def test_what_was_said_of_a_month_is_read_from_the_log_where_a_later_release_listed_it_again(company: Settings) -> None:
    first = crowned(company, GOOD)
    score(company, first, BEFORE)
    score(company, crowned(company, FLAT, run_key=NOW), BEFORE)
    found = watched(company).matured(BEFORE)
    assert found is not None
    assert set(found.outcomes.release) == {first.id}


def test_a_list_in_the_lake_says_what_the_log_says(company: Settings) -> None:
    score(company, crowned(company, GOOD), BEFORE)
    of_lake = watched(company).matured(BEFORE)
    watched(company).lake.path("scores", "customers", BEFORE).unlink()
    of_log = watched(company).matured(BEFORE)
    assert of_lake is not None
    assert of_log is not None
    for name in vars(of_lake.outcomes):
        assert (getattr(of_lake.outcomes, name) == getattr(of_log.outcomes, name)).all(), name


def test_of_many_customers_some_are_scored_and_the_profit_is_that_of_all(
    company: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(company, crowned(company, GOOD), BEFORE)
    whole = look(watched(company), "estimated").figures
    monkeypatch.setattr("monitoring.watched.SCORED_ROWS", 500)
    some = look(watched(company), "estimated").figures
    assert whole["customers"] == some["customers"] == 2_000
    assert some["metrics"]["profit"]["value"] == pytest.approx(whole["metrics"]["profit"]["value"], rel=0.2)
    assert some["metrics"]["roc_auc"] != whole["metrics"]["roc_auc"]


def test_scores_that_moved_by_less_than_anybody_would_act_on_are_not_told() -> None:
    limits = {"log-odds": 0.12, "log-odds where region is west": 0.31}
    found = _of_levels(DriftThresholds(1.2, 24, {"shift": limits, "spread": limits, "missing": limits}, {}))
    wanted = {"log-odds": 0.2, "log-odds where region is west": 0.31}
    assert found.values == {"shift": wanted, "spread": wanted}  # how many customers a slice has, its field tells
