"""The table of decisions as somebody has set it."""

import pytest

from monitoring.decision_rules import Action, DecisionRules, Trigger, rules_of
from monitoring.decisions import Circumstances, decide
from monitoring.evidence import Evidence
from pipeline.errors import ChurnError
from pipeline.settings import Settings


def set_to(**lines: str) -> DecisionRules:
    return rules_of(Settings(evidence_leads_to=lines))


def test_without_a_setting_the_table_is_the_usual_one() -> None:
    assert set_to() == DecisionRules()


def test_a_kind_that_is_named_loses_its_lines_and_the_others_keep_theirs() -> None:
    rules = set_to(calibration_drift="watch", drift="retrain 2 of 3")
    lines = {kind: [each for each in rules.triggers if each.kind == kind] for kind in ("calibration_drift", "drift")}
    assert lines["calibration_drift"] == [Trigger("calibration_drift", Action.WATCH)]
    assert lines["drift"] == [Trigger("drift", Action.RETRAIN, 2, 3), Trigger("drift", Action.WATCH)]
    others = [each for each in DecisionRules().triggers if each.kind not in lines]
    assert [each for each in rules.triggers if each.kind not in lines] == others


def test_what_is_set_is_decided() -> None:
    lost = [Evidence("2025-03", "realised_loss_beyond_margin", "it loses", "r2")]
    now = Circumstances(release="r2", can_roll_back=True)
    actions = {
        said: decide("2025-03", lost, circumstances=now, rules=set_to(realised_loss_beyond_margin=said)).action
        for said in ("nothing", "watch", "retrain", "roll back", "fall back", "fall back 2 of 3")
    }
    assert list(actions.values()) == [*Action, Action.WATCH]


def test_the_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_EVIDENCE_LEADS_TO", '{"skew": "nothing"}')
    assert "skew" not in {each.kind for each in rules_of(Settings()).triggers}


@pytest.mark.parametrize("said", ["panic", "retrain 3 of 2", "retrain 0 of 2", "retrain twice", ""])
def test_what_cannot_be_done_is_refused_with_what_can(said: str) -> None:
    with pytest.raises(ChurnError, match="expected nothing, watch, retrain, roll back or fall back"):
        set_to(drift=said)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    kinds = "calibration_drift, calibration_far_off, damage, drift"
    with pytest.raises(ChurnError, match=rf"expected one of {kinds}.*found mood"):
        set_to(mood="watch")
