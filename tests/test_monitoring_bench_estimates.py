"""The benches of estimated performance and of what monitoring costs: worlds of known truth, and what they report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets import bench_monitoring, cli
from assets.bench_company import company_with_past
from monitoring.bench import BenchSettings
from monitoring.bench_estimates import (
    CHANGED,
    SHIFTED,
    USUAL,
    Concept,
    EstimateSettings,
    drawn_customers,
    estimation_errors,
)
from monitoring.month import LOOKS, look
from monitoring.watched import WatchedMonth
from pipeline.errors import SourceError
from pipeline.settings import Settings


def mean_chance(concept: Concept) -> float:
    return float(drawn_customers(concept, 50_000, np.random.default_rng(1)).chance.mean())


def test_a_shift_brings_other_customers_and_a_drift_other_reasons() -> None:
    calm, shifted, changed = (drawn_customers(c, 50_000, np.random.default_rng(1)) for c in (USUAL, SHIFTED, CHANGED))
    moved = np.nanmean(shifted.features - calm.features, axis=0)
    np.testing.assert_allclose(moved[:2], 0.4)
    assert moved[5] == pytest.approx(0.15, abs=0.01)
    np.testing.assert_array_equal(np.isnan(changed.features), np.isnan(calm.features))
    assert np.nanmax(np.abs(changed.features - calm.features)) == 0
    assert mean_chance(SHIFTED) > mean_chance(USUAL) + 0.02


def test_the_bench_reports_bias_beside_the_noise_of_what_came() -> None:
    found = estimation_errors(EstimateSettings(customers=(2_000,), months=3), seed=4)
    rows = {(row["figure"], row["world"], row["model"]): row for row in found["rows"]}
    assert len(rows) == 2 * 3 * 2
    for row in rows.values():
        assert row["bias"] == pytest.approx(
            (row["estimated"] - row["realised"]) / (1 if row["figure"] == "roc_auc" else row["realised"])
        )
    # other reasons to leave are in nobody's features: the estimate stays, what came does not
    drifted, calm = (rows["roc_auc", world, "calibrated"] for world in ("concept drift", "calm"))
    assert abs(drifted["estimated"] - calm["estimated"]) < 0.03 < calm["realised"] - drifted["realised"]
    assert drifted["inside"] == 0.0
    assert found["goals"][-1]["name"].startswith("concept drift is not seen")


def test_the_cost_is_that_of_every_look_over_that_of_features(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path))
    found = bench_monitoring.cost_goals(settings, customers=1_000, rounds=1, progress=lambda *_: None)
    seconds = found["seconds"]
    assert set(seconds) == {"features", "sketch", *LOOKS, "decision"}
    share = (sum(seconds.values()) - seconds["features"]) / seconds["features"]
    assert found["goals"][0]["measured"] == pytest.approx(share, abs=1e-4)
    of_data = sum(seconds[name] for name in ("sketch", "health", "drift", "skew")) / seconds["features"]
    assert found["goals"][1]["measured"] == pytest.approx(of_data, abs=1e-4)


def test_the_company_that_the_cost_is_measured_on_has_results_of_two_releases(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), simulated_customers=1_000)
    month = WatchedMonth(*company_with_past(settings, lambda *_: None))
    found = look(month, "realised").figures["results"][0]["figures"][0]
    assert found["left_alone"] > 0
    assert set(found["against"]) == {"rule", "previous release"}
    assert look(month, "estimated").figures["method"] == "pape"


def test_the_command_prints_one_object_and_says_what_was_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CHURN_RETAIL_PATH", raising=False)
    tiny = BenchSettings(customers=(2_000,), worlds=2, live_months=2, shifted_months=1)
    monkeypatch.setattr("monitoring.bench.QUICK", tiny)
    with pytest.raises(SystemExit) as ended:
        cli.app(["bench", "monitors", "--quick", "--json"], result_action="return_value")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert ended.value.code == (0 if all(goal["met"] for goal in found["goals"]) else 1)
    assert {"name", "goal", "measured", "met"} == set(found["goals"][0])
    assert "CHURN_RETAIL_PATH" in found["left_out"][0]


def test_the_table_of_rules_has_a_row_for_each_rule_and_world() -> None:
    row = {"rule": "ours", "world": "calm", "customers": 2_000, "false_alarms": 0.25, "false_alarms_sd": 0.05}
    table = bench_monitoring.rules_table([row | {"found": {"unit": 0.96}}, row | {"found": {}}])
    cells = [list(column.cells) for column in table.columns]
    assert [column.header for column in table.columns][-1] == "unit"
    assert (cells[3], cells[4]) == (["0.25 ± 0.05"] * 2, ["96%", ""])


def test_a_retail_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing at"):
        bench_monitoring.monitor_goals(tmp_path / "absent.parquet", is_quick=True, progress=lambda *_: None)
