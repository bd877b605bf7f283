"""How the replays are measured against their goals, on months made up by hand."""

from typing import Any

import pytest

from assets.replay_bench import _against_expected, _error_goal, _estimates, _goals_of


def month(key: str, estimated_of: str, realised: dict[str, Any] | None = None) -> dict[str, Any]:
    figures = {"roc_auc": {"value": 0.80}, "profit": {"value": 100.0}}
    return {"month": key, "estimated": figures, "estimated_of": estimated_of, "realised": realised or {}}


def test_an_estimate_is_compared_with_what_the_same_release_realised() -> None:
    better = {"release": "b", "roc_auc": {"value": 0.90}, "profit": {"value": 150.0}}
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 104.0}}
    months = [
        month("2025-04", "a"),  # whose list was written again by b, when b had passed the gate
        month("2025-05", "b"),
        month("2025-06", "b", {"2025-04": better}),
        month("2025-07", "b", {"2025-05": same}),
    ]
    auc, profit = _estimates("calm", months)
    assert auc["measured"] == pytest.approx(0.01)
    assert profit["measured"] == pytest.approx(0.04)


def test_a_mean_error_says_how_far_it_may_be_from_zero() -> None:
    found = _error_goal("calm: mean error", [-0.06, 0.0, -0.03, -0.03], 0.05)
    # the spread of -6, 0, -3 and -3 is the root of 6, and there are four of them
    assert (found["measured"], found["met"]) == (pytest.approx(0.03), True)
    assert found["low"] == pytest.approx(0.03 - 1.96 * 0.01 * 6**0.5 / 2, abs=1e-5)
    assert found["high"] == pytest.approx(0.03 + 1.96 * 0.01 * 6**0.5 / 2, abs=1e-5)


def test_of_a_new_market_only_the_estimates_are_judged() -> None:
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 104.0}}
    months = [month("2025-04", "b"), month("2025-05", "b", {"2025-04": same})]
    goals = _goals_of("new_market", {"months": months, "values": {}, "hindsight": {}})
    assert [(goal["name"], goal["goal"]) for goal in goals] == [
        ("new_market: mean error of estimated ROC-AUC, at most", 0.01),
        ("new_market: mean error of estimated profit, as a share, at most", 0.05),
    ]


def test_what_was_to_be_expected_is_compared_with_the_same_months() -> None:
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 150.0}}
    months = [month("2025-04", "a"), month("2025-05", "b"), month("2025-06", "b", {"2025-04": same, "2025-05": same})]
    assert _against_expected(months, [500.0, 97.0, 500.0])["measured"] == pytest.approx(0.03)
