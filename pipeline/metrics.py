"""How good a rung's probabilities are, each figure with an interval: ranks, losses, calibration and money.

Every figure is a function of how often each customer was drawn, so the same lines give the value and its interval.
Definitions of ranks and losses are scikit-learn's; the maximum profit measures are empulse's.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.bootstrap import Draws, Interval, Key, Statistics, bootstrap, group_sums, ratio
from pipeline.calibration import calibration_statistics
from pipeline.campaign import Groups, campaign_statistics
from pipeline.economics import Economics, FloatArray, Payoffs, RetentionOffer
from pipeline.holdout import Holdout, canonical_order, checked_probability, holdout_of
from pipeline.max_profit import MeanPayoff, expected_max_profit, max_profit, reason_without_empc, with_empulse
from pipeline.ranking import Ranking, pr_auc, roc_auc
from pipeline.settings import Settings

METRICS = (
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "calibration_error",
    "calibration_ratio",
    "lift",
    "profit",
    "expected_profit",
    "max_profit",
    "empc",
)
SMALLEST = float(np.finfo(np.float64).eps)  # scikit-learn's: a certain and wrong probability costs a finite loss


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    payoffs: Payoffs,
    customer: ArrayLike,
    snapshot: ArrayLike,
    budget_share: float,
    settings: Settings,
    economics: Economics | None = None,
) -> dict[str, Interval]:
    """Every metric of one set of probabilities, with a 95 % interval clustered by customer.

    `profit` is money per month: in each snapshot the customers of highest positive expected value are contacted within
    the budget, what they really earned is summed, and the sums are averaged over the snapshots. `expected_profit` is
    what the probabilities promised for the same contacts. `max_profit` and `empc` are money per customer at the best
    threshold, without a budget; `empc` needs the economics and is left out where they do not say what it asks.
    """
    order = canonical_order(customer, snapshot)
    rows = _ordered(order, y, payoffs, customer, snapshot, budget_share)
    scores = {"model": checked_probability("model", np.asarray(p)[order])}
    return metrics_of(drawn_metrics(rows, scores, settings, economics=economics), "model")


def paired_profit_difference(  # noqa: PLR0913  (two rungs, the rows they share, and how sure to be)
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    payoffs: Payoffs,
    customer: ArrayLike,
    snapshot: ArrayLike,
    budget_share: float,
    settings: Settings,
    *,
    looks: int = 1,
) -> Interval:
    """Profit per month of `p_a` less that of `p_b` on the same draws; the interval allows for `looks` comparisons."""
    order = canonical_order(customer, snapshot)
    rows = _ordered(order, y, payoffs, customer, snapshot, budget_share)
    scores = {"a": np.asarray(p_a)[order], "b": np.asarray(p_b)[order]}
    campaigns = [campaign_statistics(name, rows, checked_probability(name, p), {}) for name, p in scores.items()]
    drawn = bootstrap(campaigns, rows.customers, rounds=settings.bootstrap_rounds, seed=settings.seed)
    return drawn.difference(("a", "profit"), ("b", "profit"), looks=looks)


def drawn_metrics(
    rows: Holdout,
    scores: Mapping[str, FloatArray],
    settings: Settings,
    *,
    economics: Economics | None = None,
    groups: Groups | None = None,
) -> Draws:
    """Every metric of every rung on the same draws, keyed (rung, metric); in groups of rows, (*group, rung, metric)."""
    statistics: list[Statistics] = []
    for name, p in scores.items():
        statistics.append(campaign_statistics(name, rows, p, groups or {}))
        statistics.append(_rank_statistics((name,), rows, p, economics))
        statistics.append(_loss_statistics((name,), rows, p))
        statistics.append(calibration_statistics((name,), rows, p))
        for group, inside in (groups or {}).items():
            statistics += _group_statistics((*group, name), rows.only(inside), p[inside])
    statistics += [_size_statistics(group, rows.only(inside)) for group, inside in (groups or {}).items()]
    drawn = bootstrap(
        statistics,
        rows.customers,
        rounds=settings.bootstrap_rounds,
        seed=settings.seed,
        threads=settings.threads,
    )
    return with_empulse(drawn, rows, scores, economics)


def metrics_of(drawn: Draws, rung: str) -> dict[str, Interval]:
    """The metrics of one rung with their intervals, in the order of METRICS."""
    found = [metric for metric in METRICS if (rung, metric) in drawn.values]
    return {metric: interval_of(drawn, rung, metric) for metric in found}


def interval_of(drawn: Draws, *key: str) -> Interval:
    """The interval of one figure; that of a distance is recentred."""
    return drawn.interval(*key, recentred=key[-1] == "calibration_error")


def log_losses(churned: FloatArray, probability: FloatArray) -> FloatArray:
    """Logarithmic loss of each row."""
    p = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return -(churned * np.log(p) + (1 - churned) * np.log1p(-p))


def _rank_statistics(key: Key, rows: Holdout, p: FloatArray, economics: Economics | None) -> Statistics:
    ranking = Ranking(rows, p)
    gains, losses = _total(rows, rows.payoffs.gain), _total(rows, rows.payoffs.loss)

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        curve = ranking.curve(counts)
        people = curve.leavers[-1] + curve.stayers[-1]
        payoff = MeanPayoff(ratio((gains @ counts)[0], people), ratio((losses @ counts)[0], people))
        found = {(*key, "roc_auc"): roc_auc(curve), (*key, "pr_auc"): pr_auc(curve)}
        found[*key, "max_profit"] = max_profit(curve, payoff)
        if isinstance(economics, RetentionOffer) and not reason_without_empc(economics):
            found[*key, "empc"] = expected_max_profit(curve, payoff, economics)
        return found

    return figures


def _loss_statistics(key: Key, rows: Holdout, p: FloatArray) -> Statistics:
    log_loss, brier = _total(rows, log_losses(rows.churned, p)), _total(rows, (p - rows.churned) ** 2)
    people = _total(rows, np.ones(len(rows)))

    def figures(counts: FloatArray) -> dict[Key, FloatArray]:
        total = (people @ counts)[0]
        return {
            (*key, "log_loss"): ratio((log_loss @ counts)[0], total),
            (*key, "brier"): ratio((brier @ counts)[0], total),
        }

    return figures


def _group_statistics(key: Key, rows: Holdout, p: FloatArray) -> list[Statistics]:
    """What is shown of a rung in a group: fewer figures, because there are many groups."""
    ranking = Ranking(rows, p)
    loss, promised = _total(rows, log_losses(rows.churned, p)), _total(rows, p)
    people, left = _total(rows, np.ones(len(rows))), _total(rows, rows.churned)
    return [
        lambda counts: {(*key, "roc_auc"): roc_auc(ranking.curve(counts))},
        lambda counts: {(*key, "log_loss"): ratio((loss @ counts)[0], (people @ counts)[0])},
        lambda counts: {(*key, "calibration_ratio"): ratio((left @ counts)[0], (promised @ counts)[0])},
    ]


def _size_statistics(key: Key, rows: Holdout) -> Statistics:
    people, left = _total(rows, np.ones(len(rows))), _total(rows, rows.churned)
    return lambda counts: {(*key, "churn_rate"): ratio((left @ counts)[0], (people @ counts)[0])}


def _total(rows: Holdout, values: FloatArray) -> Any:
    return group_sums(np.zeros(len(rows), dtype=np.int64), rows.customer, values, shape=(1, rows.customers))


def _ordered(
    order: NDArray[np.int64],
    y: ArrayLike,
    payoffs: Payoffs,
    customer: ArrayLike,
    snapshot: ArrayLike,
    budget_share: float,
) -> Holdout:
    """The holdout of rows that came in any order."""
    return holdout_of(
        np.asarray(y)[order],
        Payoffs(payoffs.gain[order], payoffs.loss[order]),
        customer=np.asarray(customer)[order],
        snapshot=np.asarray(snapshot)[order],
        budget_share=budget_share,
    )
