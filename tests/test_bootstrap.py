"""Intervals: what a draw is, and what is made of many."""

from collections.abc import Mapping

import numpy as np
import pytest

from pipeline.bootstrap import (
    Draws,
    Interval,
    Key,
    Statistics,
    bootstrap,
    draws,
    group_sums,
    percentile_interval,
    ratio,
)

TEN_VALUES = np.arange(1.0, 11.0)


def mean_of(values: np.ndarray, customer: np.ndarray, customers: int) -> Statistics:
    sums = group_sums(np.zeros(len(values), dtype=int), customer, values, shape=(1, customers))
    people = group_sums(np.zeros(len(values), dtype=int), customer, np.ones(len(values)), shape=(1, customers))

    def figures(counts: np.ndarray) -> Mapping[Key, np.ndarray]:
        return {("mean",): ratio((sums @ counts)[0], (people @ counts)[0])}

    return figures


def test_a_draw_has_as_many_customers_as_there_are() -> None:
    blocks = list(draws(7, rounds=30, seed=1))
    assert np.concatenate(blocks, axis=1).shape == (7, 30)
    assert all((block.sum(axis=0) == 7).all() for block in blocks)


def test_the_same_seed_gives_the_same_draws_whatever_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = np.concatenate(list(draws(50, rounds=20, seed=3)), axis=1)
    monkeypatch.setattr("pipeline.bootstrap.CELLS_AT_ONCE", 50 * 7)
    assert len(list(draws(50, rounds=20, seed=3))) == 3
    assert (np.concatenate(list(draws(50, rounds=20, seed=3)), axis=1) == at_once).all()


def test_group_sums_follow_the_counts_of_the_customers() -> None:
    sums = group_sums(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5.0, 7.0, 11.0]), shape=(2, 2))
    # the first customer is drawn twice, the second once
    assert (sums @ np.array([[2.0], [1.0]])).ravel().tolist() == [2 * 5 + 7, 11]


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(10, 2, 400)
    drawn = bootstrap([mean_of(values, np.arange(400), 400)], 400, rounds=2000, seed=5)
    found = drawn.interval("mean")
    expected = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * expected, rel=0.08)


def test_repeating_every_customer_in_four_months_makes_no_interval_narrower() -> None:
    values = np.random.default_rng(0).normal(10, 2, 200)
    once = bootstrap([mean_of(values, np.arange(200), 200)], 200, rounds=300, seed=5).interval("mean")
    repeated = mean_of(np.tile(values, 4), np.tile(np.arange(200), 4), 200)
    assert bootstrap([repeated], 200, rounds=300, seed=5).interval("mean").low == pytest.approx(once.low)


def test_a_percentile_interval_by_hand() -> None:
    rounds = np.arange(1001.0)  # 2.5 % of them lie below 25
    assert percentile_interval(500.0, rounds) == Interval(500.0, pytest.approx(25.0), pytest.approx(975.0))


def test_several_looks_widen_the_interval() -> None:
    rounds = np.arange(1001.0)
    assert percentile_interval(500.0, rounds, looks=5) == Interval(500.0, pytest.approx(5.0), pytest.approx(995.0))


def test_a_recentred_interval_holds_its_value_and_never_falls_below_zero() -> None:
    rounds = np.linspace(0.010, 0.030, 1001)  # resampling added 0.015 to a distance of 0.005
    found = percentile_interval(0.005, rounds, recentred=True)
    assert found.low == 0.0
    assert found.high == pytest.approx(0.0295 - 0.015)


def test_rounds_without_the_figure_are_left_out_and_a_figure_without_rounds_has_no_interval() -> None:
    some = percentile_interval(5.0, np.array([np.nan, 4.0, 6.0, np.nan]))
    assert 4.0 <= some.low <= some.high <= 6.0
    none = percentile_interval(5.0, np.array([np.nan]))
    assert none.value == 5.0
    assert np.isnan([none.low, none.high]).all()
    assert not none.is_above_zero


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    noise = np.random.default_rng(1).normal(0, 100, 500)
    drawn = Draws({("a",): 10.0, ("b",): 8.0}, {("a",): noise + 10, ("b",): noise + 8})
    assert drawn.difference(("a",), ("b",)) == Interval(2.0, pytest.approx(2.0), pytest.approx(2.0))
