"""How much of the best possible profit the rungs capture in a world whose truth is known: a benchmark of the project.

Nothing that makes, judges or serves a model may import this module: it is the only one that reads the truth.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from pipeline.campaign import Campaign
from pipeline.economics import FloatArray, Payoffs
from pipeline.errors import SourceError
from pipeline.evaluation import Evaluation
from pipeline.holdout import Holdout, canonical_order, checked_probability, holdout_of
from pipeline.lake import read_parquet
from pipeline.plots import scored_holdout
from pipeline.scoring import Scorer

GOAL = 0.95
COLUMNS = ["snapshot", "customer_id", "churn_probability"]


def value_capture(
    truth: pd.DataFrame,
    frame: pd.DataFrame,
    payoffs: Payoffs,
    scorers: Mapping[str, Scorer],
    *,
    budget_share: float,
) -> dict[str, Any]:
    """Expected profit of each rung's contacts under the true probabilities, over that of the best contacts.

    Args:
        truth: `snapshot`, `customer_id`, `churn_probability`; at least one row for each of the frame.
        frame: what is scored, with `snapshot` and `customer_id`; contacts are chosen within each snapshot.
        payoffs: what contacting each row of the frame earns or costs.
        scorers: the rungs.
        budget_share: share of a snapshot's customers that can be contacted.
    """
    order = canonical_order(frame["customer_id"], frame["snapshot"])
    rows = frame.iloc[order].reset_index(drop=True)
    found = holdout_of(
        np.zeros(len(rows)),  # nobody's fate matters: profits are expected ones
        Payoffs(payoffs.gain[order], payoffs.loss[order]),
        customer=rows["customer_id"],
        snapshot=rows["snapshot"],
        budget_share=budget_share,
    )
    scores = {name: checked_probability(name, scorer.probability(rows, len(rows))) for name, scorer in scorers.items()}
    return _capture(found, true_probability(truth, rows), scores)


def value_captured_by(evaluation: Evaluation, world: UPath) -> dict[str, Any]:
    """The same for an evaluation of this process, with the truth that the simulated `world` wrote."""
    scores = evaluation.scores
    truth = pd.concat([_truth_of(world, key) for key in evaluation.snapshots])
    by_rung = {name: scores[f"p_{name}"].to_numpy(dtype=np.float64) for name in evaluation.rungs}
    return _capture(scored_holdout(evaluation), true_probability(truth, scores), by_rung)


def true_probability(truth: pd.DataFrame, rows: pd.DataFrame) -> FloatArray:
    """The true probability of each row, shape (rows,)."""
    joined = rows[["snapshot", "customer_id"]].merge(
        truth[COLUMNS], "left", ["snapshot", "customer_id"], validate="m:1"
    )
    unknown = int(joined["churn_probability"].isna().sum())
    if unknown:
        raise SourceError(
            "the truth of the simulated world",
            expected="a probability for every test row",
            found=f"none for {unknown} of {len(rows)} rows",
            remedy="Evaluate and compare the same world: its seed, size or months were changed in between.",
        )
    return joined["churn_probability"].to_numpy(dtype=np.float64)


def _capture(rows: Holdout, true: FloatArray, scores: Mapping[str, FloatArray]) -> dict[str, Any]:
    best = _expected_profit(rows, true, true)
    profits = {name: _expected_profit(rows, probability, true) for name, probability in scores.items()}
    shares = {name: profit / best if best > 0 else float("nan") for name, profit in profits.items()}
    leader = max(shares, key=lambda name: shares[name])
    goal = {
        "name": "share of the best possible profit that the best rung earns",
        "goal": GOAL,
        "measured": shares[leader],
        "met": shares[leader] >= GOAL,
    }
    return {
        "snapshots": rows.snapshots,
        "rows": len(rows),
        "best_possible_profit": best,
        "best_rung": leader,
        "rungs": {name: {"profit": profits[name], "share": shares[name]} for name in scores},
        "goals": [goal],
    }


def _expected_profit(rows: Holdout, probability: FloatArray, true: FloatArray) -> float:
    """Expected profit per month, under the true probabilities, of the contacts that `probability` leads to."""
    chosen = Campaign(rows, probability).chosen()
    return float(rows.payoffs.expected(true)[chosen].sum() / rows.snapshots)


def _truth_of(world: UPath, key: str) -> pd.DataFrame:
    found: pd.DataFrame = read_parquet(world / "truth" / f"{key}.parquet").to_pandas()
    return found.assign(snapshot=key)
