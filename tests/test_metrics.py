"""Every metric against scikit-learn, empulse, or figures worked by hand; and what a draw of the bootstrap sees."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from pipeline.bootstrap import Interval
from pipeline.campaign import Campaign, campaign_statistics, profit_per_month, realised_payoffs
from pipeline.economics import Payoffs, RecordedCosts, RetentionOffer, Value, budget_of, contacts
from pipeline.errors import ChurnError
from pipeline.holdout import Holdout, checked_probability, frame_digest
from pipeline.max_profit import reason_without_empc
from pipeline.metrics import METRICS, drawn_metrics, evaluate, metrics_of, paired_profit_difference
from pipeline.ranking import Ranking, pr_auc, roc_auc
from pipeline.settings import Settings
from tests.holdouts import FEW_ROUNDS, OFFER, holdout, labelled_months

TEN = {
    "y": [1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
    "p": [0.9, 0.8, 0.7, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1],
}


def judged(rows: int = 400, *, economics: RetentionOffer | RecordedCosts = OFFER, digits: int = 12) -> dict:
    """Arguments of `evaluate` for rows whose probabilities are true; few digits make ties."""
    random = np.random.default_rng(3)
    p = np.round(random.beta(1, 6, rows), digits)
    payoffs = Payoffs(random.gamma(3, 30, rows), np.full(rows, 12.0))
    return {
        "y": random.random(rows) < p,
        "p": p,
        "payoffs": payoffs,
        "customer": np.array([f"c{i % (rows // 2):04d}" for i in range(rows)]),
        "snapshot": np.repeat(["2024-01", "2024-02"], rows // 2),
        "budget_share": 0.1,
        "settings": FEW_ROUNDS,
    }


@pytest.mark.parametrize("digits", [12, 1])
def test_ranks_and_losses_are_those_of_scikit_learn_with_and_without_ties(digits: int) -> None:
    data = judged(digits=digits)
    found = evaluate(**data)
    y, p = data["y"], data["p"]
    assert found["roc_auc"].value == pytest.approx(roc_auc_score(y, p))
    assert found["pr_auc"].value == pytest.approx(average_precision_score(y, p))
    assert found["log_loss"].value == pytest.approx(log_loss(y, p))
    assert found["brier"].value == pytest.approx(brier_score_loss(y, p))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_draw_gives_what_scikit_learn_gives_on_the_rows_it_repeats(seed: int) -> None:
    random = np.random.default_rng(seed)
    y, p = np.r_[1.0, 0.0, random.integers(0, 2, 18)], random.integers(0, 6, 20) / 6
    counts = np.r_[1, 1, random.integers(0, 4, 18)]
    curve = Ranking(holdout(y, 1.0, 1.0), p).curve(counts[:, None].astype(float))
    repeated, scores = np.repeat(y, counts), np.repeat(p, counts)
    assert roc_auc(curve)[0] == pytest.approx(roc_auc_score(repeated, scores))
    assert pr_auc(curve)[0] == pytest.approx(average_precision_score(repeated, scores))


def test_profit_per_month_by_hand() -> None:
    # two months of five customers, one contact each: the best is a leaver worth 50, then a stayer who costs 10
    rows = holdout(
        [1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        50,
        10,
        customer=list("abcde") * 2,
        snapshot=["2024-01"] * 5 + ["2024-02"] * 5,
        budget_share=0.2,
    )
    p = np.array([0.9, 0.8, 0.1, 0.1, 0.1, 0.9, 0.8, 0.1, 0.1, 0.1])
    assert profit_per_month(rows, p) == (50 - 10) / 2
    found = metrics_of(drawn_metrics(rows, {"model": p}, FEW_ROUNDS), "model")
    assert found["profit"].value == 20
    assert found["expected_profit"].value == pytest.approx(0.9 * 50 - 0.1 * 10)
    assert found["lift"].value == pytest.approx(0.5 / 0.2)


def test_nobody_is_contacted_at_an_expected_loss_even_within_the_budget() -> None:
    rows = holdout([1, 0, 0, 0], 50, 10)
    chosen = Campaign(rows, np.array([0.5, 0.2, 0.1, 0.1])).chosen()
    assert chosen.tolist() == [True, True, False, False]  # 0.1 x 50 - 0.9 x 10 is below zero


def test_a_customer_of_unknown_value_is_never_contacted_and_spoils_no_sum() -> None:
    rows = holdout([1, 1], [np.nan, 50.0], 10)
    assert Campaign(rows, np.array([0.9, 0.9])).chosen().tolist() == [False, True]
    drawn = drawn_metrics(rows, {"model": np.array([0.9, 0.9])}, FEW_ROUNDS)
    assert drawn.values["model", "random"] == pytest.approx(25.0)  # one contact, of worth 0 or 50


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_draw_contacts_whom_the_decision_would_contact_among_the_rows_it_repeats(seed: int) -> None:
    random = np.random.default_rng(seed)
    customers = 12
    rows = holdout(
        random.integers(0, 2, 2 * customers),
        random.normal(40, 40, 2 * customers),
        10,
        customer=[f"c{i:02d}" for i in range(customers)] * 2,
        snapshot=["2024-01"] * customers + ["2024-02"] * customers,
        budget_share=0.3,
    )
    p = random.integers(1, 9, 2 * customers) / 9
    counts = random.integers(0, 3, customers)
    figures = campaign_statistics("model", rows, p, {})(counts[:, None].astype(float))
    expected = sum(_profit_of_repeated(rows, p, counts, snapshot) for snapshot in (0, 1)) / 2
    assert figures["model", "profit"][0] == pytest.approx(expected)


def _profit_of_repeated(rows: Holdout, p: np.ndarray, counts: np.ndarray, snapshot: int) -> float:
    inside = np.flatnonzero(rows.snapshot == snapshot)
    repeated = np.repeat(inside, counts[rows.customer[inside]])
    value = rows.payoffs.expected(p)[repeated]
    economics = RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=0.3)
    chosen = contacts(value, budget_of(economics, len(repeated)))
    return float(realised_payoffs(rows)[repeated][chosen].sum())


def test_the_campaign_contacts_exactly_whom_the_decision_contacts() -> None:
    random = np.random.default_rng(2)
    rows = holdout(random.integers(0, 2, 1000), random.normal(30, 40, 1000), 10, budget_share=0.07)
    p = random.integers(1, 30, 1000) / 30
    assert (Campaign(rows, p).chosen() == contacts(rows.payoffs.expected(p), 70)).all()


def test_calibration_by_hand() -> None:
    found = evaluate(**judged() | {"p": np.full(400, 0.2)})
    rate = float(np.mean(judged()["y"]))
    # one probability for all is one bin
    assert found["calibration_error"].value == pytest.approx(abs(rate - 0.2))
    assert found["calibration_ratio"].value == pytest.approx(rate / 0.2)


def test_the_error_of_calibration_lies_within_its_interval() -> None:
    found = evaluate(**judged())["calibration_error"]
    assert 0 <= found.low <= found.value <= found.high


def test_max_profit_and_empc_are_those_of_the_literature() -> None:
    from empulse.metrics import empc_score, mpc_score

    random = np.random.default_rng(4)
    rows = 3000
    p = random.beta(1, 8, rows)
    y = random.random(rows) < p
    offer = RetentionOffer(contact_cost=1, offer_cost=10, acceptance=0.3, value=Value(times=200), budget_share=0.1)
    data = {**judged(rows), "y": y, "p": p, "payoffs": offer.payoffs({}, rows), "economics": offer}
    found = evaluate(**data)
    terms = {"clv": 200, "incentive_cost": 10, "contact_cost": 1}
    assert found["max_profit"].value == pytest.approx(mpc_score(y.astype(int), p, accept_rate=0.3, **terms))
    assert found["empc"].value == pytest.approx(empc_score(y.astype(int), p, alpha=6, beta=14, **terms))
    # without a budget, contacting at the best threshold is what our campaign does when everybody may be contacted
    best = max(
        profit_per_month(_everybody(data), np.where(p >= t, 1.0, 0.0)) for t in np.quantile(p, np.arange(0, 1, 0.002))
    )
    assert best / rows == pytest.approx(found["max_profit"].value, rel=0.01)


def _everybody(data: dict) -> Holdout:
    return holdout(data["y"], data["payoffs"].gain, data["payoffs"].loss[0])


@pytest.mark.parametrize("metric", ["max_profit", "empc"])
def test_the_rounds_behind_an_interval_agree_with_empulse(metric: str) -> None:
    data = judged(4000, economics=OFFER)
    data["payoffs"] = Payoffs(np.full(4000, 60.0), np.full(4000, 12.0))
    data["economics"] = RetentionOffer(
        contact_cost=2, offer_cost=10, acceptance=0.4, value=Value(times=165), budget_share=0.1
    )
    rows = holdout(data["y"], 60.0, 12.0)
    from pipeline.metrics import _rank_statistics

    ours = _rank_statistics(("m",), rows, data["p"], data["economics"])(np.ones((4000, 1)))
    assert ours["m", metric][0] == pytest.approx(evaluate(**data)[metric].value, rel=1e-3)


@pytest.mark.parametrize(
    ("economics", "said"),
    [
        (None, "recorded costs"),
        (
            RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=0.1),
            "recorded costs",
        ),
        (
            RetentionOffer(contact_cost=1, offer_cost=1, acceptance=1, value=Value(times=9), budget_share=0.1),
            "acceptance of 1",
        ),
    ],
)
def test_empc_is_left_out_with_a_reason_where_it_is_not_defined(economics: object, said: str) -> None:
    assert said in reason_without_empc(economics)
    assert "empc" not in evaluate(**judged(), economics=economics)


def test_no_figure_depends_on_the_order_of_the_rows() -> None:
    data = judged(digits=1)
    shuffled = np.random.default_rng(9).permutation(400)
    payoffs = data["payoffs"]
    turned = {name: np.asarray(data[name])[shuffled] for name in ("y", "p", "customer", "snapshot")}
    turned["payoffs"] = Payoffs(payoffs.gain[shuffled], payoffs.loss[shuffled])
    assert evaluate(**data) == evaluate(**data | turned)


def test_another_seed_moves_the_intervals_and_never_the_values() -> None:
    one, other = evaluate(**judged()), evaluate(**judged() | {"settings": Settings(bootstrap_rounds=100, seed=8)})
    assert {name: each.value for name, each in one.items()} == {name: each.value for name, each in other.items()}
    assert one["profit"].low != other["profit"].low


def test_a_rung_does_not_differ_from_itself() -> None:
    data = judged()
    p = data.pop("p")
    assert paired_profit_difference(p_a=p, p_b=p, **data) == Interval(0.0, 0.0, 0.0)


def test_the_truth_beats_noise_and_the_difference_turns_its_sign_with_the_order() -> None:
    data = judged(4000)
    p = data.pop("p")
    noise = np.random.default_rng(1).permutation(p)
    found = paired_profit_difference(p_a=p, p_b=noise, looks=3, **data)
    assert found.is_above_zero
    turned = paired_profit_difference(p_a=noise, p_b=p, looks=3, **data)
    assert (turned.value, turned.low) == (pytest.approx(-found.value), pytest.approx(-found.high))


def test_a_month_without_leavers_has_no_ranking_and_still_a_loss() -> None:
    found = evaluate(**judged() | {"y": np.zeros(400)})
    assert np.isnan([found["roc_auc"].value, found["pr_auc"].value]).all()
    assert found["log_loss"].value > 0
    assert found["profit"].value < 0


@pytest.mark.parametrize("wrong", [np.nan, 1.5, -0.1])
def test_a_score_that_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ChurnError, match="1 of 2 rows without one"):
        checked_probability("boosting", [0.5, wrong])


def test_every_promised_metric_is_there_with_an_interval_around_it() -> None:
    found = evaluate(**judged(), economics=OFFER)
    assert tuple(found) == METRICS
    assert all(each.low <= each.value <= each.high for each in found.values())


def test_a_digest_depends_on_content_only() -> None:
    frame = labelled_months(50)
    assert frame_digest(frame) == frame_digest(frame.sample(frac=1, random_state=1)[sorted(frame.columns)])
    changed = frame.copy()
    changed.loc[3, "price"] += 1e-9
    assert frame_digest(frame) != frame_digest(changed)


@pytest.mark.slow
def test_three_rungs_of_60_000_rows_and_500_rounds_take_less_than_six_seconds() -> None:
    data = judged(60_000)
    rows = holdout(data["y"], data["payoffs"].gain, 12.0, customer=data["customer"], snapshot=data["snapshot"])
    scores = dict.fromkeys(("rule", "logistic", "boosting"), data["p"])
    drawn_metrics(rows, scores, FEW_ROUNDS, economics=OFFER)  # imports
    started = time.process_time()
    drawn_metrics(rows, scores, Settings(), economics=OFFER)
    assert time.process_time() - started < 6
