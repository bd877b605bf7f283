"""The maximum profit measures of the literature: what a rung could earn per customer at its best threshold.

They know no budget and give every customer the same, average payoff, so they compare rungs across companies and papers;
the decision is made by the campaign's profit (`campaign.py`). The values come from empulse; the rounds behind their
intervals from the same formulas on the cumulated ranking, and a test holds the two together.

Verbraken, Verbeke and Baesens (2013), A novel profit maximizing metric for measuring classification performance of
customer churn prediction models, IEEE TKDE 25(5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pipeline.bootstrap import Draws, Key, ratio
from pipeline.economics import Economics, FloatArray, RetentionOffer
from pipeline.holdout import Holdout
from pipeline.ranking import Curve

ACCEPTANCE_CERTAINTY = 20.0  # alpha + beta of the acceptance's Beta distribution: as in the paper, Beta(6, 14)
NODES = 20
CURVE_POINTS = 1_500


@dataclass(frozen=True)
class MeanPayoff:
    """The average gain and loss of a contact, each a figure or an array of rounds."""

    gain: FloatArray
    loss: FloatArray


def reason_without_empc(economics: Economics | None) -> str:
    """Why the expected maximum profit is not defined for these economics; empty where it is."""
    if not isinstance(economics, RetentionOffer):
        return "empc is left out: it averages over an uncertain acceptance, which recorded costs do not have."
    if not 0 < economics.acceptance < 1:
        return f"empc is left out: an acceptance of {economics.acceptance:g} leaves nothing uncertain to average over."
    return ""


def max_profit(curve: Curve, payoff: MeanPayoff) -> FloatArray:
    """Highest profit per customer over all thresholds, contacting nobody included, shape (rounds,)."""
    best = (payoff.gain * curve.leavers - payoff.loss * curve.stayers).max(axis=0)
    return ratio(np.maximum(best, 0.0), curve.leavers[-1] + curve.stayers[-1])


def expected_max_profit(curve: Curve, payoff: MeanPayoff, offer: RetentionOffer) -> FloatArray:
    """`max_profit` averaged over a Beta distribution of the acceptance, by Gauss-Jacobi quadrature, shape (rounds,)."""
    from scipy.special import roots_sh_jacobi

    alpha, beta = acceptance_shape(offer)
    nodes, weights = roots_sh_jacobi(NODES, alpha + beta - 1, alpha)
    kept = gain_if_accepted(offer, payoff.gain)
    thinned = curve.thinned(CURVE_POINTS)
    profits = [max_profit(thinned, MeanPayoff(node * kept - offer.contact_cost, payoff.loss)) for node in nodes]
    average: FloatArray = np.tensordot(weights / weights.sum(), np.array(profits), axes=1)
    return average


def acceptance_shape(offer: RetentionOffer) -> tuple[float, float]:
    """Alpha and beta of the acceptance, with the declared acceptance as their mean."""
    return ACCEPTANCE_CERTAINTY * offer.acceptance, ACCEPTANCE_CERTAINTY * (1 - offer.acceptance)


def gain_if_accepted(offer: RetentionOffer, mean_gain: FloatArray) -> FloatArray:
    """What an accepted offer earns on average, value less offer, taken back from the average gain of a contact."""
    kept: FloatArray = (mean_gain + offer.contact_cost) / offer.acceptance
    return kept


def with_empulse(drawn: Draws, rows: Holdout, scores: Mapping[str, FloatArray], economics: Economics | None) -> Draws:
    """The draws with the values of both measures as empulse computes them."""
    values = dict(drawn.values)
    if 0 < rows.churned.sum() < len(rows):
        for name, probability in scores.items():
            values |= _empulse_values(name, rows, probability, economics)
    return Draws(values, drawn.rounds)


def _empulse_values(name: str, rows: Holdout, probability: FloatArray, economics: Economics | None) -> dict[Key, float]:
    from empulse.metrics import max_profit_score  # heavy: it brings sympy

    gain, loss = rows.payoffs.gain.mean(), rows.payoffs.loss.mean()
    churned = rows.churned.astype(int)
    best = max_profit_score(churned, probability, tp_cost=-gain, fp_cost=loss)
    found: dict[Key, float] = {(name, "max_profit"): float(best) + 0.0}  # no minus zero
    if isinstance(economics, RetentionOffer) and not reason_without_empc(economics):
        alpha, beta = acceptance_shape(economics)
        found[name, "empc"] = float(
            _empc()(
                churned,
                probability,
                alpha=alpha,
                beta=beta,
                kept=float(gain_if_accepted(economics, gain)),
                contact_cost=economics.contact_cost,
                stayer_cost=float(loss),
            )
        )
    return found


@cache
def _empc() -> Any:
    """EMPC as empulse defines it, except that only some of the stayers take the offer: `empc_score` presumes all."""
    import sympy
    from empulse.metrics import CostMatrix, MaxProfit, Metric
    from sympy.stats import Beta

    alpha, beta, kept, contact_cost, stayer_cost = sympy.symbols("alpha beta kept contact_cost stayer_cost")
    acceptance = Beta("acceptance", alpha, beta)
    payoffs = CostMatrix().add_tp_benefit(acceptance * kept).add_tp_cost(contact_cost).add_fp_cost(stayer_cost)
    return Metric(payoffs.constrain(acceptance, 0, 1), MaxProfit())
