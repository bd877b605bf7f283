"""How far a realised figure has to be from what was said of it before anybody calls it news."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitoring.calibration import CalibrationDrift
from monitoring.figures import intervals_as_dict, write_figures
from monitoring.realised import OVERALL, Realised
from monitoring.results import Result, _badly_calibrated, _below_estimate, _below_promise
from monitoring.watched import WatchedMonth
from pipeline.bootstrap import Interval
from pipeline.settings import Settings
from tests.watched_company import BEFORE, DATASET, NOW

WIDTH = 1.96  # of half an interval, in standard errors


def figure(value: float, standard_error: float) -> Interval:
    return Interval(value, value - WIDTH * standard_error, value + WIDTH * standard_error)


def result(metrics: dict[str, Interval], calibration: CalibrationDrift | None = None) -> Result:
    overall = Realised("r", BEFORE, OVERALL, metrics, rows=1_000, contacted=90, left_alone=10, is_honest=True)
    return Result(BEFORE, (overall,), calibration)


@pytest.fixture
def watched(tmp_path: Path) -> WatchedMonth:
    return WatchedMonth(DATASET, Settings(home=str(tmp_path)), NOW)


@pytest.mark.parametrize(
    ("name", "strays", "is_news"),
    [
        ("roc_auc", -2.9, False),
        ("roc_auc", -3.1, True),
        ("roc_auc", 9.0, False),
        ("log_loss", 3.9, False),
        ("log_loss", 4.1, True),
        ("log_loss", -9.0, False),
    ],
)
def test_a_ranking_is_news_at_three_standard_errors_and_a_loss_that_follows_the_level_at_four(
    watched: WatchedMonth, name: str, strays: float, is_news: bool
) -> None:
    estimated = {name: figure(0.5, 0.03)}
    told = {"release": "r", "metrics": intervals_as_dict(estimated)}
    write_figures(watched.lake, "estimated", BEFORE, told)
    found = {name: figure(0.5 + 0.05 * strays, 0.04)}  # 0.03 and 0.04 make 0.05
    assert [each.kind for each in _below_estimate(watched, result(found))] == ["realised_below_estimate"] * is_news


@pytest.mark.parametrize(
    ("slope", "intercept", "is_news"),
    [
        ((1.0, 0.1), (0.39, 0.1), False),  # 3.9 standard errors
        ((1.0, 0.1), (-0.41, 0.1), True),
        ((1.0, 0.1), (0.24, 0.01), False),  # certain, and worth nobody's while
        ((0.71, 0.1), (0.0, 0.1), False),
        ((0.69, 0.1), (0.0, 0.1), True),
        ((1.24, 0.01), (0.0, 0.1), False),
    ],
)
def test_promises_that_are_steeper_are_news_at_three_standard_errors_and_a_level_at_four(
    watched: WatchedMonth, slope: tuple[float, float], intercept: tuple[float, float], is_news: bool
) -> None:
    calibration = CalibrationDrift(slope=figure(*slope), intercept=figure(*intercept))
    found = _badly_calibrated(watched, result({}, calibration))
    assert [each.kind for each in found] == ["calibration_drift"] * is_news


@pytest.mark.parametrize(
    ("slope", "intercept", "kinds"),
    [
        ((1.0, 0.1), (0.49, 0.1), ["calibration_drift"]),
        ((1.0, 0.1), (-0.51, 0.1), ["calibration_drift", "calibration_far_off"]),
        ((0.65, 0.1), (0.0, 0.1), ["calibration_drift"]),
        ((0.63, 0.1), (0.0, 0.1), ["calibration_drift", "calibration_far_off"]),  # 0.8 squared is 0.64
        ((1.55, 0.1), (0.0, 0.1), ["calibration_drift"]),
        ((1.57, 0.1), (0.0, 0.1), ["calibration_drift", "calibration_far_off"]),
        ((1.0, 0.1), (1.5, 0.4), []),  # however far, chance may have done it
        ((0.3, 0.1), (0.6, 0.2), ["calibration_drift", "calibration_far_off"]),  # the slope alone is certain
        ((np.nan, 0.1), (np.nan, 0.1), []),
    ],
)
def test_promises_that_are_off_by_twice_as_much_as_may_be_are_far_off(
    watched: WatchedMonth, slope: tuple[float, float], intercept: tuple[float, float], kinds: list[str]
) -> None:
    calibration = CalibrationDrift(slope=figure(*slope), intercept=figure(*intercept))
    found = result({}, calibration)
    assert [each.kind for each in _badly_calibrated(watched, found)] == kinds
    few = replace(found, figures=(replace(found.overall, is_honest=False),))  # nearly nobody was left alone by lot
    assert [each.kind for each in _badly_calibrated(watched, few)] == kinds[:1]


@pytest.mark.parametrize(("ranks", "months", "is_news"), [(0.74, 2, True), (0.76, 2, False), (0.74, 1, False)])
def test_a_ranking_is_held_against_what_the_gate_saw_where_it_saw_more_than_one_month(
    ranks: float, months: int, is_news: bool
) -> None:
    report = {
        "snapshots": ["2024-01", "2024-02"][:months],
        "rungs": {"boosting": {"roc_auc": asdict(figure(0.9, 0.03))}},
    }
    release = SimpleNamespace(id="r", manifest=SimpleNamespace(rung="boosting"), evidence=lambda _: report)
    watched: Any = SimpleNamespace(key=NOW, release=release)
    found = _below_promise(watched, result({"roc_auc": figure(ranks, 0.04)}))  # 0.03 and 0.04 make 0.05
    assert [each.kind for each in found] == ["realised_loss"] * is_news
