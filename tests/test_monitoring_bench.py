"""The bench: its shortcuts against rows, its rules against cases whose answer is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from monitoring.bench import FAULTS, BenchSettings, operating_characteristics
from monitoring.bench_retail import pools_of, retail_months
from monitoring.bench_rules import RULES, Case
from monitoring.bench_shifts import SHIFTS, targets
from monitoring.bench_worlds import LAYOUT, World, sampled, truth_of
from monitoring.sketching import table_sketch
from pipeline.feature_kinds import Field
from tests.monitored_months import months_after

CALM = World("calm")
SMALL = BenchSettings(customers=(10_000,), worlds=2, live_months=3, shifted_months=1)


def case(world: World = CALM, worlds: int = 4, customers: int = 10_000) -> Case:
    drawn = sampled(truth_of(world, worlds, 30, np.random.default_rng(1)), customers, np.random.default_rng(2))
    keys = months_after("2020-01", 30)
    return Case(drawn.only(slice(24)), drawn.only(slice(24, None)), LAYOUT, keys[:24], keys[24:], customers)


def test_drawn_quantiles_are_as_noisy_as_those_of_rows() -> None:
    drawn = sampled(truth_of(CALM, 1, 400, np.random.default_rng(1)), 2_000, np.random.default_rng(2)).quantiles[0]
    place = LAYOUT.numbers.index("usage_0")
    random = np.random.default_rng(3)
    rows = np.sort(random.gamma(2.0, 1.0, (400, 2_000)), axis=1)
    of_rows = rows[:, np.ceil(2_000 * (np.arange(100) + 0.5) / 100).astype(int) - 1]
    np.testing.assert_allclose(drawn[:, place].mean(axis=0), of_rows.mean(axis=0), rtol=0.02)
    middle = slice(5, 95)
    np.testing.assert_allclose(drawn[:, place].std(axis=0)[middle], of_rows.std(axis=0)[middle], rtol=0.2)
    # and neighbouring quantiles go together as they do in rows
    together = [np.corrcoef(values[:, 50], values[:, 70])[0, 1] for values in (drawn[:, place], of_rows)]
    assert together[0] == pytest.approx(together[1], abs=0.08)


def test_drawn_shares_and_correlations_are_as_noisy_as_they_must_be() -> None:
    drawn = sampled(truth_of(CALM, 1, 2_000, np.random.default_rng(1)), 2_000, np.random.default_rng(2))
    assert drawn.shares[0, :, 0].std() == pytest.approx((0.55 * 0.45 / 2_000) ** 0.5, rel=0.05)
    strong = LAYOUT.pairs.index(("price_0", "usage_0"))
    assert drawn.correlations[0, :, strong].mean() == pytest.approx(0.6, abs=0.002)
    assert drawn.correlations[0, :, strong].std() == pytest.approx((1 - 0.36) / 2_000**0.5, rel=0.06)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_fault_hits_one_field_of_each_world(shift: str) -> None:
    truth = truth_of(CALM, 4, 2, np.random.default_rng(1))
    mark, field = targets(shift, 4, is_seasonal=True)
    broken = SHIFTS[shift](truth, mark)
    assert (mark.sum(axis=(1, 2)) == 1).all()
    assert len(set(field.tolist())) > 1
    changed = [name for name, values in vars(broken).items() if (values != getattr(truth, name)).any()]
    assert len(changed) == 1


def test_a_tenth_that_is_zeroed_is_a_tenth_of_the_quantiles() -> None:
    truth = truth_of(CALM, 2, 1, np.random.default_rng(1))
    mark, field = targets("10 % zeroed", 2, is_seasonal=False)
    drawn = sampled(SHIFTS["10 % zeroed"](truth, mark), 10_000, np.random.default_rng(2))
    for world in range(2):
        assert (drawn.quantiles[world, 0, field[world]] == 0).sum() == 10
        assert drawn.zeros[world, 0, field[world]] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("rule", ["ours", "psi_above_0.1", "evidently_default"])
def test_a_calm_world_is_quiet(rule: str) -> None:
    judged = case()
    assert not RULES[rule](judged)(judged.live).any()


@pytest.mark.parametrize("rule", RULES)
def test_a_doubled_unit_is_found_by_every_rule(rule: str) -> None:
    judged = case()
    live = judged.live
    live.quantiles[:, :, 4] *= 2
    assert RULES[rule](judged)(live)[:, :, 4].all()


def test_a_month_of_twice_the_reference_is_as_rare_as_the_test_says() -> None:
    # 25 fields at 5 % together: a calm month alarms in about 5 of 100 cases
    judged = case(worlds=40, customers=2_000)
    share = RULES["kolmogorov_smirnov_bonferroni"](judged)(judged.live).any(axis=-1).mean()
    assert share < 0.12


def test_a_season_is_an_alarm_to_the_usual_rules_and_not_to_ours() -> None:
    judged = case(World("seasonal", season=0.3))
    alarms = {name: RULES[name](judged)(judged.live).any(axis=-1).mean() for name in RULES}
    assert alarms["ours"] < 0.1
    assert min(alarms["kolmogorov_smirnov_bonferroni"], alarms["evidently_default"]) > 0.9


def test_the_bench_reports_goals_with_what_was_measured() -> None:
    found = operating_characteristics(SMALL, seed=4)
    goals = {goal["name"]: goal for goal in found["goals"]}
    calm = goals["false alarms a year: calm, 10,000 customers"]
    assert (calm["measured"], calm["met"]) == (0.0, True)
    assert sum(name.startswith("found") for name in goals) == len(FAULTS) == 12
    assert {row["rule"] for row in found["rows"]} == set(RULES)
    assert operating_characteristics(SMALL, seed=4) == found


def test_months_of_a_real_shop_drawn_again_are_like_their_rows(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("online_retail.parquet")
    pool = pools_of(path)[8]
    name, judged = next(iter(retail_months(path, 24, 6, worlds=20, seed=5)))
    assert (name, judged.live.quantiles.shape[:2]) == ("real customers", (20, 6))
    items = pa.table({"items": pool.numbers[:, judged.layout.numbers.index("items")]})
    sketch = table_sketch(items, [Field(name="items", kind="number")], key="2011-08")
    assert sketch.numbers["items"].quantiles[50] > 0
    assert RULES["ours"](judged)(judged.live).any(axis=-1).mean() < 0.15
