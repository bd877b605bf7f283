"""Whether probabilities still mean what they say."""

import numpy as np
import pytest

from monitoring.calibration import calibration_drift
from pipeline.economics import FloatArray
from pipeline.errors import ContractError


def drawn(rows: int, *, slope: float = 1.0, intercept: float = 0.0, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    logit = random.normal(-2, 1, rows)
    truth = 1 / (1 + np.exp(-(intercept + slope * logit)))
    return (random.random(rows) < truth).astype(np.float64), 1 / (1 + np.exp(-logit))


def test_two_groups_have_the_slope_worked_by_hand() -> None:
    # promised 1/2 and 4/5, came 1/2 and 2/3: logits 0 and ln 4, of the outcome 0 and ln 2, so the slope is one half
    churned = [1] * 50 + [0] * 50 + [1] * 60 + [0] * 30
    found = calibration_drift(churned, [0.5] * 100 + [0.8] * 90, customer=np.arange(190))
    assert found.slope.value == pytest.approx(0.5)


def test_the_intercept_is_that_of_the_whole() -> None:
    # promised 1/2, came 1/5: ln(1/4); a second probability, promised and kept as a mirror image, lets a slope exist
    churned = [1] * 20 + [0] * 80
    found = calibration_drift(churned, [0.5 + 1e-9] * 50 + [0.5 - 1e-9] * 50, customer=np.arange(100))
    assert found.intercept.value == pytest.approx(np.log(0.25), abs=1e-6)


def test_kept_promises_are_no_drift() -> None:
    assert not calibration_drift(*drawn(20_000), customer=np.arange(20_000)).has_drifted


@pytest.mark.parametrize(("slope", "intercept"), [(0.6, 0.0), (1.0, -0.4), (1.5, 0.0)])
def test_broken_promises_are_measured(slope: float, intercept: float) -> None:
    found = calibration_drift(*drawn(20_000, slope=slope, intercept=intercept), customer=np.arange(20_000))
    assert found.has_drifted
    assert found.slope.low < slope < found.slope.high


def test_the_interval_is_the_textbooks() -> None:
    # one parameter at p = 1/2: information n/4, standard error 2/sqrt(n)
    churned = [1, 0] * 200
    found = calibration_drift(churned, [0.5 + 1e-9, 0.5 - 1e-9, 0.5 - 1e-9, 0.5 + 1e-9] * 100, customer=np.arange(400))
    assert (found.intercept.high - found.intercept.value) / 1.959964 == pytest.approx(0.1, rel=1e-4)


def test_months_of_the_same_customers_are_not_so_many_customers() -> None:
    churned, p = drawn(2_000)
    once = calibration_drift(churned, p, customer=np.arange(2_000))
    nine_times = calibration_drift(np.tile(churned, 9), np.tile(p, 9), customer=np.tile(np.arange(2_000), 9))
    assert nine_times.slope.low == pytest.approx(once.slope.low)


def test_probabilities_of_zero_and_one_do_not_break_it() -> None:
    churned, p = drawn(2_000)
    p[:2] = [0.0, 1.0]
    assert np.isfinite(calibration_drift(churned, p, customer=np.arange(2_000)).slope.value)


@pytest.mark.parametrize(("churned", "p"), [([0, 0], [0.1, 0.2]), ([1, 1], [0.1, 0.2]), ([0, 1], [0.1, 0.1])])
def test_what_cannot_be_fitted_is_refused(churned: list[int], p: list[float]) -> None:
    with pytest.raises(ContractError, match="some who left and some who stayed"):
        calibration_drift(churned, p, customer=[1, 2])
