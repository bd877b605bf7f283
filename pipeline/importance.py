"""What a rung goes by, over all customers: the effect of each field, its direction, and the money that hangs on it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.campaign import profit_per_month
from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.holdout import Holdout
from pipeline.scoring import Scorer

REASON_ROWS, SHUFFLE_ROWS, SHUFFLED_FIELDS = 5_000, 10_000, 10
CLEAR = 0.3  # rank correlation from which on a direction is named


@dataclass(frozen=True)
class FieldImportance:
    """One field's part in a rung.

    Args:
        effect: mean absolute contribution in log-odds, over a sample of the test rows.
        direction: in words, which values raise the risk; empty where that depends on other fields.
        profit_at_stake: money per month that is lost where the field is shuffled among the customers; None where that
            was not tried, because the field has too little effect.
    """

    field: str
    effect: float
    direction: str
    profit_at_stake: float | None


def importance_of(scorer: Scorer, frame: pd.DataFrame, rows: Holdout, *, seed: int) -> tuple[FieldImportance, ...]:
    """Every field of a rung, the most influential first. `frame` and `rows` are in canonical order."""
    random = np.random.default_rng(seed)
    sample = frame.iloc[_some(len(frame), REASON_ROWS, random)].reset_index(drop=True)
    contributions = scorer.reasons(sample, len(sample))
    effect = np.abs(contributions).mean(axis=0)
    order = np.argsort(-effect, kind="stable")
    influential = [scorer.fields[i].name for i in order[:SHUFFLED_FIELDS] if effect[i] > 0]
    at_stake = _profit_at_stake(scorer, frame, rows, influential, random=random)
    return tuple(
        FieldImportance(
            scorer.fields[i].name,
            float(effect[i]),
            _direction(scorer.fields[i], sample[scorer.fields[i].name], contributions[:, i]),
            at_stake.get(scorer.fields[i].name),
        )
        for i in order
    )


def _profit_at_stake(
    scorer: Scorer, frame: pd.DataFrame, rows: Holdout, names: list[str], *, random: np.random.Generator
) -> dict[str, float]:
    """Profit per month lost by shuffling each field within its snapshot, scaled up from a sample of rows."""
    places = _some(len(frame), SHUFFLE_ROWS, random)
    sample, some = frame.iloc[places].reset_index(drop=True), rows.only(places)
    scale = len(frame) / len(sample)
    intact = profit_per_month(some, scorer.probability(sample, len(sample)))
    found = {}
    for name in names:
        shuffled = sample.assign(**{name: sample[name].to_numpy()[_shuffled(some, random)]})
        found[name] = scale * (intact - profit_per_month(some, scorer.probability(shuffled, len(sample))))
    return found


def _shuffled(rows: Holdout, random: np.random.Generator) -> NDArray[np.int64]:
    """Places in which every row is exchanged with one of its own snapshot."""
    order = np.lexsort((random.random(len(rows)), rows.snapshot))
    places = np.empty(len(rows), dtype=np.int64)
    places[np.argsort(rows.snapshot, kind="stable")] = order
    return places


def _some(rows: int, at_most: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(random.permutation(rows)[:at_most]).astype(np.int64)


def _direction(field: Field, values: pd.Series, contribution: FloatArray) -> str:
    if field.kind == "category":
        means = pd.Series(contribution).groupby(values.astype(object).fillna("missing").to_numpy()).mean()
        return f"highest for {means.idxmax()}" if means.max() > means.min() else ""
    known = values.notna().to_numpy()
    ranks = [pd.Series(each[known]).rank().to_numpy() for each in (values.to_numpy(dtype=np.float64), contribution)]
    if known.sum() < 3 or any(rank.std() == 0 for rank in ranks):
        return ""
    correlation = float(np.corrcoef(ranks[0], ranks[1]).ravel()[1])
    if abs(correlation) < CLEAR:
        return ""
    return "more of it, more risk" if correlation > 0 else "more of it, less risk"
