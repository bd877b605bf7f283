"""How the replays are measured against their goals, on months made up by hand."""

from typing import Any

import pytest

from assets.replay_bench import _against_expected, _estimates


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
    auc, profit = _estimates(months)
    assert auc["measured"] == pytest.approx(0.01)
    assert profit["measured"] == pytest.approx(0.04)


def test_what_was_to_be_expected_is_compared_with_the_same_months() -> None:
    same = {"release": "b", "roc_auc": {"value": 0.79}, "profit": {"value": 150.0}}
    months = [month("2025-04", "a"), month("2025-05", "b"), month("2025-06", "b", {"2025-04": same, "2025-05": same})]
    assert _against_expected(months, [500.0, 97.0, 500.0])["measured"] == pytest.approx(0.03)
