"""Figures of customers who stand for several: the values and the doubt of the bootstrap, without the bootstrap."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring.weighted import Campaign, Customers, Ranked, figures_of, log_loss, slice_figures_of
from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray, Payoffs
from pipeline.metrics import METRICS, evaluate, paired_profit_difference
from pipeline.settings import Settings

MANY_ROUNDS = Settings(bootstrap_rounds=1_000, seed=1)
BUDGET_SHARE = 0.1
SHOWN = [name for name in METRICS if name != "empc"]


def made_up(seed: int, rows: int = 3_000, *, ties: bool = False) -> Customers:
    """A month of which every tenth of the likeliest was left alone and stands for ten."""
    random = np.random.default_rng(seed)
    p = np.sort(random.beta(1, 6, rows))[::-1]
    p = np.ceil(p * 20) / 20 if ties else p
    churned = (random.random(rows) < p).astype(np.float64)
    best = np.arange(rows) < rows // 5
    kept = ~best | (random.random(rows) < 0.2)
    copies = np.where(best, 5.0, 1.0)
    found = Customers(
        p, churned, random.gamma(4, 25, rows), np.full(rows, 20.0), copies, random.permutation(rows), np.arange(rows)
    )
    return found.only(kept)


def as_rows(customers: Customers, *more: FloatArray) -> tuple[FloatArray, ...]:
    """Every row that they stand for: outcome, probability, gain, loss, who, and whatever else."""
    times = customers.copies.astype(np.int64)
    columns = (
        customers.churned,
        customers.probability,
        customers.gain,
        customers.loss,
        customers.place.astype(np.float64),
        *more,
    )
    return tuple(np.repeat(column, times) for column in columns)


def bootstrapped(customers: Customers) -> dict[str, Interval]:
    churned, p, gain, loss, who = as_rows(customers)
    return evaluate(churned, p, Payoffs(gain, loss), who, np.zeros(len(p)), BUDGET_SHARE, MANY_ROUNDS)


@pytest.mark.parametrize("ties", [False, True])
def test_every_figure_is_that_of_the_rows_that_the_customers_stand_for(ties: bool) -> None:
    customers = made_up(1, ties=ties)
    ours, theirs = figures_of(customers, budget_share=BUDGET_SHARE, seed=1), bootstrapped(customers)
    for name in SHOWN:
        assert ours[name].value == pytest.approx(theirs[name].value, abs=1e-9), name


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_every_interval_is_as_wide_as_the_bootstraps(seed: int, ties: bool) -> None:
    customers = made_up(seed, ties=ties)
    ours, theirs = figures_of(customers, budget_share=BUDGET_SHARE, seed=1), bootstrapped(customers)
    for name in SHOWN:
        widths = [each[name].high - each[name].low for each in (ours, theirs)]
        assert widths[0] == pytest.approx(widths[1], rel=0.2), name


def test_a_difference_in_profit_is_paired_as_the_bootstraps_is() -> None:
    customers = made_up(3)
    other = np.clip(customers.probability + np.random.default_rng(3).normal(0, 0.05, len(customers)), 0, 1)
    ours = (
        Campaign(customers, customers.probability, BUDGET_SHARE).profit()
        - Campaign(customers, other, BUDGET_SHARE).profit()
    ).interval
    churned, p, gain, loss, who, q = as_rows(customers, other)
    theirs = paired_profit_difference(
        churned, p, q, Payoffs(gain, loss), who, np.zeros(len(p)), BUDGET_SHARE, MANY_ROUNDS
    )
    assert ours.value == pytest.approx(theirs.value, abs=1e-9)
    assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.2)


def test_of_a_hundred_months_about_ninety_five_hold_the_truth() -> None:
    months = [made_up(seed, rows=1_000) for seed in range(400)]
    for figure in (lambda month: Ranked(month).roc_auc(), log_loss):
        found = [figure(month).interval for month in months]
        truth = np.mean([each.value for each in found])
        held = np.mean([each.low <= truth <= each.high for each in found])
        assert 0.92 <= held <= 0.98


def test_copies_of_a_customer_tell_no_more_than_the_customer() -> None:
    once = made_up(4)
    nine_times = replace(once, copies=9 * once.copies)
    for one, nine in zip(slice_figures_of(once).values(), slice_figures_of(nine_times).values(), strict=True):
        assert (nine.low, nine.high) == pytest.approx((one.low, one.high))


def test_who_is_contacted_by_nobody_earns_nothing_for_sure() -> None:
    nobody = replace(made_up(5), loss=np.full(len(made_up(5)), 1e6))
    found = figures_of(nobody, budget_share=BUDGET_SHARE, seed=1)
    assert found["profit"] == Interval(0.0, 0.0, 0.0)
    assert np.isnan(found["lift"].value)
