"""What can be said of a month before its labels are known, and what cannot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from monitoring.estimated import Labelled, Unlabelled, cbpe, density_ratio, pape, recalibrated
from pipeline.economics import FloatArray, Payoffs

ROUNDS = 40


def logistic(z: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-z))


def alike(rows: int, gain: float) -> Payoffs:
    return Payoffs(np.full(rows, gain), np.full(rows, 10.0))


class World:
    """Customers of a month: two features that the model knows, and a kind of customer, loyal, that it does not."""

    def __init__(
        self, rows: int, seed: int, *, loyal_share: float = 0.1, exaggerates: float = 1.0, concept: float = 0.0
    ) -> None:
        random = np.random.default_rng(seed)
        first, second = random.normal(size=(2, rows))
        loyal = random.random(rows) < loyal_share
        self.features = np.stack([first, second, loyal], axis=1)
        self.probability = logistic(exaggerates * (-2 + first + 0.5 * second))
        chance = logistic(-2 + first + 0.5 * second - 2 * loyal + concept * second)
        self.churned = (random.random(rows) < chance).astype(np.float64)
        self.payoffs = alike(rows, 100.0)

    def labelled(self) -> Labelled:
        return Labelled(self.probability, self.churned, self.features, self.payoffs)

    def unlabelled(self, *, every: int = 1) -> Unlabelled:
        p, payoffs = self.probability[::every], Payoffs(self.payoffs.gain[::every], self.payoffs.loss[::every])
        return Unlabelled(p, payoffs, self.features[::every], len(p) // 10, 1 / every)

    def came(self) -> dict[str, float]:
        p, y = self.probability, self.churned
        log_loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        return {
            "roc_auc": self.roc_auc(),
            "log_loss": log_loss,
            "brier": np.mean((p - y) ** 2),
            "profit": self.profit(),
        }

    def roc_auc(self) -> float:
        return float(roc_auc_score(self.churned, self.probability))

    def profit(self) -> float:
        best = np.argsort(-self.probability, kind="stable")[: len(self.probability) // 10]
        return float(np.where(self.churned[best] == 1, 100.0, -10.0).sum())


def test_two_customers_are_estimated_as_worked_by_hand() -> None:
    # so many labelled rows, calibrated exactly, that recalibration changes nothing
    one_in_five = np.tile([1.0, 0, 0, 0, 0], 2_000)
    churned = np.r_[one_in_five, 1 - one_in_five]
    known = Labelled(np.repeat([0.2, 0.8], 10_000), churned, np.zeros((20_000, 1)), alike(20_000, 50.0))
    month = Unlabelled(np.array([0.2, 0.8]), alike(2, 50.0), np.zeros((2, 1)), 1)
    metrics = cbpe(known, month, seed=1, rounds=ROUNDS).metrics
    # one leaves and the other stays: with 0.8 x 0.8 the right way round, with 0.2 x 0.2 the wrong one
    assert metrics["roc_auc"].value == pytest.approx(0.64 / 0.68, abs=0.005)
    assert metrics["brier"].value == pytest.approx(0.2 * 0.8, abs=0.005)
    assert metrics["log_loss"].value == pytest.approx(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)), abs=0.01)
    assert metrics["profit"].value == pytest.approx(0.8 * 50 - 0.2 * 10, abs=0.5)


@pytest.mark.parametrize("method", [cbpe, pape])
def test_a_calm_month_turns_out_as_estimated(method) -> None:
    known, month = World(30_000, 1), World(30_000, 2)
    metrics = method(known.labelled(), month.unlabelled(), seed=3, rounds=ROUNDS).metrics
    assert metrics["roc_auc"].value == pytest.approx(month.roc_auc(), abs=0.02)
    assert metrics["profit"].value == pytest.approx(month.profit(), rel=0.08)
    assert metrics["roc_auc"].low < month.roc_auc() < metrics["roc_auc"].high


def test_a_month_of_which_some_were_looked_at_turns_out_within_wider_intervals() -> None:
    known, inside, widths = World(30_000, 1).labelled(), [], []
    for seed in range(2, 62):
        month = World(20_000, seed)
        some = month.unlabelled(every=20)
        found, whole = (cbpe(known, each, seed=3, rounds=ROUNDS).metrics for each in (some, month.unlabelled()))
        inside.append([found[name].low < came < found[name].high for name, came in month.came().items()])
        widths.append([(found[name].high - found[name].low) / (whole[name].high - whole[name].low) for name in found])
    assert (np.mean(inside, axis=0) >= 0.85).all()
    assert (np.mean(widths, axis=0) > 1.2).all()


def test_a_model_that_exaggerates_is_taken_at_what_it_was_worth() -> None:
    known, month = World(30_000, 1, exaggerates=2.0), World(30_000, 2, exaggerates=2.0)
    found = cbpe(known.labelled(), month.unlabelled(), seed=3, rounds=ROUNDS).metrics["brier"]
    assert found.value == pytest.approx(((month.probability - month.churned) ** 2).mean(), rel=0.05)


def test_other_customers_are_seen_by_pape_and_not_by_cbpe() -> None:
    known, month = World(30_000, 1), World(30_000, 2, loyal_share=0.7)
    realised = ((month.probability - month.churned) ** 2).mean()
    blind, seeing = (f(known.labelled(), month.unlabelled(), seed=3, rounds=ROUNDS) for f in (cbpe, pape))
    assert seeing.metrics["brier"].value == pytest.approx(realised, rel=0.1)
    assert blind.metrics["brier"].value > 1.3 * realised
    assert seeing.metrics["profit"].low < month.profit() < seeing.metrics["profit"].high < blind.metrics["profit"].low
    assert (seeing.domain_auc > 0.7, seeing.effective_share < 0.6) == (True, True)


def test_other_reasons_to_leave_are_seen_by_neither() -> None:
    known, month = World(30_000, 1), World(30_000, 2, concept=-1.0)
    for method in (cbpe, pape):
        assert (
            method(known.labelled(), month.unlabelled(), seed=3, rounds=ROUNDS).metrics["roc_auc"].low > month.roc_auc()
        )


def test_weights_of_the_same_customers_are_even_and_nobody_speaks_for_more_than_twenty() -> None:
    random = np.random.default_rng(4)
    same, auc = density_ratio(random.normal(size=(4_000, 2)), random.normal(size=(4_000, 2)), seed=5)
    assert (float(same.mean()), auc) == (pytest.approx(1.0), pytest.approx(0.5, abs=0.03))
    other, auc = density_ratio(random.normal(size=(4_000, 1)), random.normal(3.0, 1.0, (4_000, 1)), seed=5)
    assert auc > 0.95
    assert other.max() == 20.0


def test_the_same_seed_gives_the_same_estimate() -> None:
    known, month = World(1_000, 1).labelled(), World(1_000, 2).unlabelled()
    assert pape(known, month, seed=7, rounds=5) == pape(known, month, seed=7, rounds=5)


@pytest.mark.parametrize("method", [cbpe, pape])
def test_those_who_are_dear_may_leave_more_often_than_others_with_the_same_score(method) -> None:
    # all are scored 0.25, and 25 of 100 leave: 40 of 100 dear ones, 10 of 100 others
    dear = np.tile([True, False], 5_000)
    churned = np.where(dear, np.arange(10_000) % 20 < 8, np.arange(10_000) % 20 < 2).astype(np.float64)
    worth = Payoffs(np.where(dear, 100.0, 50.0), np.full(10_000, 10.0))
    known = Labelled(np.full(10_000, 0.25), churned, dear[:, None].astype(np.float64), worth)
    month = Unlabelled(known.probability, worth, known.features, 1_000)
    profit = method(known, month, seed=1, rounds=ROUNDS).metrics["profit"]
    assert profit.value == pytest.approx(1_000 * (0.4 * 100 - 0.6 * 10), rel=0.01)


def test_nobody_is_promised_more_than_the_model_says_where_nobody_like_the_contacts_is_known() -> None:
    known = Labelled(np.full(1_000, 0.25), np.tile([1.0, 0, 0, 0], 250), np.zeros((1_000, 1)), alike(1_000, 20.0))
    month = Unlabelled(known.probability, alike(1_000, 100.0), known.features, 100)
    assert cbpe(known, month, seed=1, rounds=ROUNDS).metrics["profit"].value == pytest.approx(100 * 17.5, rel=0.05)


@pytest.mark.parametrize("every", [1, 2])
def test_a_customer_whose_worth_is_unknown_is_not_counted_on(every: int) -> None:
    month = World(500, 2)
    month.payoffs.gain[6] = np.nan
    found = cbpe(World(500, 1).labelled(), month.unlabelled(every=every), seed=1, rounds=5).metrics["profit"]
    assert np.isfinite([found.value, found.low, found.high]).all()


def test_a_month_in_which_nobody_can_be_contacted_earns_nothing() -> None:
    month = World(500, 2)
    empty = Unlabelled(month.probability, month.payoffs, month.features, 0)
    assert cbpe(World(500, 1).labelled(), empty, seed=1, rounds=5).metrics["profit"].value == 0.0


@given(st.integers(0, 10_000))
def test_recalibration_never_changes_the_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    p = random.beta(1, 8, 300)
    known = Labelled(p, (random.random(300) < p**2).astype(np.float64), np.zeros((300, 1)), alike(300, 50.0))
    asked = np.sort(random.random(50))
    found = recalibrated(known, asked, np.ones(300))
    assert (np.diff(found) >= -1e-12).all()
    assert ((found > 0) & (found < 1)).all()


def test_of_every_fourth_row_a_customer_who_stood_for_ten_stands_for_two_or_three() -> None:
    known = Labelled(np.full(80, 0.25), np.zeros(80), np.zeros((80, 1)), alike(80, 50.0), np.r_[np.ones(40), [10] * 40])
    found = known.some(np.arange(0, 80, 4))
    assert np.asarray(found.copies).tolist() == [1.0] * 10 + [2.5] * 10
    assert found.payoffs.gain.shape == (20,)


def test_who_stands_for_ten_is_one_and_not_ten() -> None:
    random = np.random.default_rng(1)
    months, customers, called, left_alone = 60, 3_000, 150, 15
    payoffs, inside = Payoffs(np.full(customers, 60.0), np.full(customers, 15.0)), 0
    for seed in range(months):
        p = np.sort(logistic(random.normal(-3.6, 1.2, customers)))  # the last ones are those who would be called
        churned = random.random(customers) < p
        alone = random.choice(np.arange(customers - called, customers), left_alone, replace=False)
        rows = np.concatenate([np.arange(customers - called), np.repeat(alone, called // left_alone)])
        copies = np.bincount(rows)[rows].astype(np.float64)
        worth = Payoffs(payoffs.gain[rows], payoffs.loss[rows])
        labelled = Labelled(p[rows], churned[rows].astype(np.float64), np.zeros((len(rows), 1)), worth, copies)
        month = Unlabelled(p, payoffs, np.zeros((1, 1)), called)
        left = random.random(customers)[-called:] < p[-called:]
        profit = cbpe(labelled, month, seed=seed).metrics["profit"]
        inside += profit.low <= np.where(left, 60.0, -15.0).sum() <= profit.high
    assert inside >= 0.9 * months  # 95 of 100 were promised
