"""The pictures: they are drawn for every kind of evaluation, and drawing them twice gives the same bytes."""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.curves import leavers_by_share, profit_by_share
from pipeline.evaluation import Evaluation, evaluate_rungs
from pipeline.plot_style import spread
from pipeline.plots import all_plots
from tests.holdouts import FEW_ROUNDS, OFFER, company, holdout, labelled_months, rungs_of, split_with


def evaluated(rungs: int = 3, **changes: Any) -> Evaluation:
    dataset = company(**changes)
    some = dict(list(rungs_of(dataset).items())[:rungs])
    return evaluate_rungs(dataset, split_with(labelled_months(200, 2)), some, FEW_ROUNDS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rungs": 1},
        {"economics": replace(OFFER, budget_share=1.0)},
        {"economics": replace(OFFER, contact_cost=5000.0)},
    ],
    ids=["three rungs", "a single rung", "everybody may be contacted", "nobody is worth a contact"],
)
def test_every_evaluation_can_be_drawn(changes: dict[str, Any]) -> None:
    plots = all_plots(evaluated(**changes))
    assert list(plots) == ["profit", "calibration", "lift", "reasons"]
    for png in plots.values():
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", png[16:24])
        assert (width, height) == (1080, 636)


def test_the_same_evaluation_gives_the_same_bytes() -> None:
    evaluation = evaluated()
    assert all_plots(evaluation) == all_plots(evaluation)


def test_the_profit_curve_by_hand() -> None:
    rows = holdout([1, 0, 1, 0], 50, 10)
    line = profit_by_share(rows, np.array([0.9, 0.8, 0.7, 0.1])).line(np.array([0, 0.25, 0.5, 0.75, 1.0]))
    assert line.tolist() == [0, 50, 40, 90, 80]


def test_the_curve_of_leavers_is_an_average_over_the_months() -> None:
    rows = holdout([1, 0, 0, 1], 50, 10, customer=list("abab"), snapshot=["2024-01"] * 2 + ["2024-02"] * 2)
    line = leavers_by_share(rows, np.array([0.9, 0.1, 0.9, 0.1])).line(np.array([0.5, 1.0]))
    assert line.tolist() == [0.5, 1.0]


def test_the_band_holds_the_line() -> None:
    random = np.random.default_rng(0)
    p = random.beta(1, 5, 500)
    rows = holdout(random.random(500) < p, 50, 10)
    shares = np.linspace(0.1, 0.9, 9)
    low, high = profit_by_share(rows, p).band(shares, seed=1)
    line = profit_by_share(rows, p).line(shares)
    assert ((low < line) & (line < high)).all()


def test_labels_that_would_overlap_are_moved_apart_and_stay_inside() -> None:
    found = spread([0.5, 0.5, 0.98, 0.99], gap=0.1, low=0.0, high=1.0)
    assert (np.diff(found) > 0.0999).all()
    assert found[0] >= 0
    assert found[-1] <= 1 + 1e-9
