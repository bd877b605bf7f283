"""How the replays are measured against their goals, on months made up by hand."""

from typing import Any

import pytest

from assets.replay_bench import _against_expected, _estimates, _goals_of
from pipeline.replay_outcome import PIPELINE


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
    auc, profit = _estimates("calm", [{"months": months}])
    assert auc["measured"] == pytest.approx(0.01)
    assert profit["measured"] == pytest.approx(0.04)


def test_of_a_new_market_only_the_estimates_are_judged() -> None:
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 104.0}}
    months = [month("2025-04", "b"), month("2025-05", "b", {"2025-04": same})]
    goals = _goals_of("new_market", [{"months": months, "values": {}, "hindsight": {}}])
    assert [(goal["name"], goal["goal"]) for goal in goals] == [
        ("new_market: mean error of estimated ROC-AUC, over the worlds, at most", 0.01),
        ("new_market: mean error of estimated profit, as a share, over the worlds, at most", 0.05),
    ]


def test_what_was_to_be_expected_is_compared_with_the_same_months() -> None:
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 150.0}}
    months = [month("2025-04", "a"), month("2025-05", "b"), month("2025-06", "b", {"2025-04": same, "2025-05": same})]
    outcome = {"months": months, "values": {"profit": {PIPELINE: [500.0, 97.0, 500.0]}}}
    assert _against_expected([outcome])["measured"] == pytest.approx(0.03)


def earned(share: float, low: float) -> dict[str, Any]:
    return {"values": {"share": {"value": share}, "more": {"never retrained": {"low": low}}}}


def test_worlds_are_judged_by_their_mean_and_a_loss_in_any_of_them_counts() -> None:
    share, least = _goals_of("price_rise", [earned(0.93, 50.0), earned(0.89, -1.0)])
    assert (share["measured"], share["low"], share["high"], share["met"]) == (pytest.approx(0.91), 0.89, 0.93, True)
    assert (least["measured"], least["met"]) == (-1.0, False)


def test_errors_of_one_world_make_up_for_none_of_another() -> None:
    above, below = (
        {"release": "b", "roc_auc": {"value": 0.80 + off}, "profit": {"value": 100.0}} for off in (0.02, -0.04)
    )
    worlds = [{"months": [month("2025-04", "b"), month("2025-05", "b", {"2025-04": each})]} for each in (above, below)]
    found = _estimates("calm", worlds)[0]
    assert (found["measured"], found["low"], found["high"]) == tuple(map(pytest.approx, (0.03, 0.02, 0.04)))
