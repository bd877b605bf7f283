"""What a month is compared with, and when a distance is an alarm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.baseline import (
    left_out_factors,
    left_out_weights,
    live_weights,
    other_years_weights,
    unrelated_months,
)
from monitoring.distances import CHANNELS, Distances
from monitoring.season import baseline_of
from monitoring.sketches import LEVELS
from monitoring.stack import Layout, Stack
from monitoring.thresholds import (
    FLOORS,
    RETURN_MONTHS,
    Calibrated,
    DriftThresholds,
    calibrated,
    return_level,
    thresholds_from_dict,
)
from monitoring.usual import usual
from tests.monitored_months import months_after

TWO_YEARS = months_after("2023-01", 24)


def named(weights: np.ndarray, keys: list[str]) -> list[str]:
    return [key for key, weight in zip(keys, weights, strict=True) if weight]


def test_a_month_is_compared_with_its_calendar_month_and_the_neighbours_of_all_years() -> None:
    weights = live_weights(["2025-06"], TWO_YEARS)
    assert named(weights[0], TWO_YEARS) == ["2023-05", "2023-06", "2023-07", "2024-05", "2024-06", "2024-07"]


def test_january_neighbours_december() -> None:
    weights = live_weights(["2025-01"], TWO_YEARS)
    assert named(weights[0], TWO_YEARS) == ["2023-01", "2023-02", "2023-12", "2024-01", "2024-02", "2024-12"]


def test_less_than_a_year_is_used_whole() -> None:
    assert live_weights(["2025-06"], months_after("2024-01", 11)).tolist() == [[1.0] * 11]


def test_a_dataset_without_time_is_compared_with_its_only_snapshot() -> None:
    assert live_weights(["snapshot"], ["snapshot"]).tolist() == [[1.0]]
    assert unrelated_months(["snapshot"]).tolist() == [[False]]


def test_a_left_out_month_is_compared_with_the_other_year_where_there_is_one() -> None:
    weights = left_out_weights(TWO_YEARS)
    assert named(weights[5], TWO_YEARS) == ["2024-05", "2024-06", "2024-07"]


def test_a_left_out_month_of_a_single_year_is_compared_with_its_neighbours() -> None:
    year = months_after("2023-01", 12)
    assert named(left_out_weights(year)[5], year) == ["2023-05", "2023-07"]


def test_what_is_usual_for_a_month_comes_from_months_that_it_had_no_part_in() -> None:
    # not the three months on each side, nor those of the other year that it is compared with
    unrelated = named(unrelated_months(TWO_YEARS)[5], TWO_YEARS)
    assert unrelated[:5] == ["2023-01", "2023-02", "2023-10", "2023-11", "2023-12"]
    assert [key for key in months_after("2024-01", 12) if key not in unrelated] == ["2024-05", "2024-06", "2024-07"]


def test_six_reference_months_make_less_noise_than_three() -> None:
    factors = left_out_factors(TWO_YEARS)
    assert float(factors[5, 0]) == pytest.approx(np.sqrt((1 + 1 / 6) / (1 + 1 / 3)))
    assert left_out_factors(months_after("2023-01", 12)).tolist() == [[1.0]] * 12


def test_a_field_without_a_season_has_all_months_for_a_reference() -> None:
    # January 2023 is left out against the eighteen months that are at least half a year away
    assert other_years_weights(TWO_YEARS)[0].sum() == 18
    assert float(left_out_factors(TWO_YEARS, np.zeros((1, 1)))[0, 0]) == pytest.approx(
        np.sqrt((1 + 1 / 24) / (1 + 1 / 18))
    )


@given(st.integers(1, 60))
def test_every_month_has_a_reference_and_none_is_its_own(months: int) -> None:
    keys = months_after("2019-04", months)
    weights = left_out_weights(keys)
    assert np.diag(weights).tolist() == [0.0] * months
    assert (live_weights(months_after("2030-01", 12), keys).sum(axis=1) > 0).all()
    if months > 1:
        assert (weights.sum(axis=1) > 0).all()


def test_the_return_level_is_that_of_a_gumbel_law() -> None:
    maxima = np.random.default_rng(3).gumbel(2.0, 0.5, 200_000)
    expected = 2.0 - 0.5 * np.log(-np.log(1 - 1 / RETURN_MONTHS))
    assert float(return_level(maxima)) == pytest.approx(expected, rel=0.01)


def found_in(strays: Distances, keys: list[str] = TWO_YEARS) -> Calibrated:
    return calibrated(strays, unrelated_months(keys), {name: np.ones(each.shape[-1]) for name, each in strays.items()})


def strays(scale: float, months: int = 24, seed: int = 1) -> Distances:
    random = np.random.default_rng(seed)
    return {channel: np.abs(random.normal(0, scale, (months, 10))) for channel in CHANNELS}


def test_what_is_hardly_noisy_has_the_floors_for_thresholds() -> None:
    found = found_in(strays(1e-4))
    c, limits = found.c, found.limits
    assert {channel: set(limits[channel].tolist()) for channel in CHANNELS} == {k: {v} for k, v in FLOORS.items()}
    assert float(c) == pytest.approx(1.0, abs=1e-4)


def test_noisy_fields_have_thresholds_beyond_what_they_do_by_themselves() -> None:
    limits = found_in(strays(0.2)).limits
    assert (limits["shift"] > 3 * 0.2).all()
    assert (limits["shift"] < 8 * 0.2).all()


def test_a_noisy_field_does_not_cost_a_quiet_one_its_eyes() -> None:
    found = strays(0.02)
    found["shift"][:, 0] *= 10
    limits = found_in(found).limits["shift"]
    assert limits[0] > 2 * limits[1:].max()


def test_a_field_that_grows_beyond_all_others_is_named_and_blinds_none_of_them() -> None:
    calm, grows = strays(0.02), strays(0.02)
    grows["shift"][:, 3] = 4 * np.exp(-np.arange(24) / 3)  # as time since an event grows when its records begin
    found, without = (found_in(each) for each in (grows, calm))
    assert np.flatnonzero(found.restless["shift"]).tolist() == [3]
    assert found.limits["shift"][3] == 1.5 * 4
    np.testing.assert_allclose(found.limits["shift"][:3], without.limits["shift"][:3], rtol=0.25)


def test_a_broken_month_in_the_reference_blinds_no_other_field() -> None:
    broken = strays(0.02)
    broken["missing"][7, 2] = 0.5
    found = found_in(broken)
    assert np.flatnonzero(found.restless["missing"]).tolist() == [2]
    assert not any(found.restless[channel].any() for channel in CHANNELS if channel != "missing")


def test_with_few_months_only_the_floors_count() -> None:
    found = found_in(strays(0.2, months=3), months_after("2023-01", 3))
    assert (float(found.c), found.limits["shift"].tolist()) == (0.0, [FLOORS["shift"]] * 10)


def test_distances_that_do_not_exist_are_no_evidence() -> None:
    found = strays(0.02)
    found["spread"][:] = np.nan
    limits = found_in(found).limits
    assert limits["spread"].tolist() == [FLOORS["spread"]] * 10


def test_many_worlds_are_calibrated_as_each_alone() -> None:
    first, second = strays(0.1, seed=4), strays(0.3, seed=5)
    both = {channel: np.stack([first[channel], second[channel]]) for channel in CHANNELS}
    found = found_in(both)
    for place, alone in enumerate((first, second)):
        assert float(found.c[place]) == pytest.approx(float(found_in(alone).c))
        np.testing.assert_allclose(found.limits["shift"][place], found_in(alone).limits["shift"])


def test_thresholds_are_kept_in_a_release_as_they_are() -> None:
    values = {"shift": {"bill": 0.12}, "correlation": {"a~b": 0.2}}
    thresholds = DriftThresholds(c=1.25, months=24, values=values, restless={"shift": ("bill",)})
    assert thresholds_from_dict(thresholds.as_dict()) == thresholds


def stack_with(levels: np.ndarray) -> Stack:
    """A number whose quantiles all stand at the level of its month."""
    nothing = np.zeros((len(levels), 1))
    return Stack(np.repeat(levels[:, None, None], LEVELS, axis=2), nothing, nothing, nothing[:, :0], nothing[:, :0])


def test_a_season_that_comes_true_is_believed_and_chance_is_not() -> None:
    layout, month = Layout(("bill",), ()), np.arange(24)
    noise = np.random.default_rng(1).normal(size=24)
    for levels, is_seasonal in ((10 * np.cos(2 * np.pi * month / 12) + 0.1 * noise, True), (noise, False)):
        trust = float(baseline_of(stack_with(levels), TWO_YEARS, layout).trust.quantiles[0, 0, 0])
        assert trust > 1.0 if is_seasonal else trust < 0.5, (is_seasonal, trust)


def test_without_other_years_the_season_is_believed() -> None:
    year = months_after("2023-01", 12)
    trust = baseline_of(stack_with(np.arange(12.0)), year, Layout(("bill",), ())).trust
    assert trust.quantiles.ravel().tolist() == [1.0]


def test_fields_that_differ_no_more_than_chance_share_what_is_usual_and_others_do_not() -> None:
    random = np.random.default_rng(5)
    alike = np.abs(random.normal(size=(24, 200)))
    unlike = alike * np.where(np.arange(200) < 100, 0.1, 10.0)
    months, everybody = np.ones((1, 24), dtype=bool), np.ones(200, dtype=bool)
    spread = {name: usual(found, months, everybody).scale[0] for name, found in (("alike", alike), ("unlike", unlike))}
    assert spread["alike"].std() / spread["alike"].mean() < 0.12
    assert spread["unlike"][100:].mean() / spread["unlike"][:100].mean() > 10
