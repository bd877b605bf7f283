"""What became of the customers that a month's batch scored: the prediction log joined to labels that have matured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitoring.realised import Outcomes
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.lake import Lake
from pipeline.prediction_log import read_batch
from pipeline.release import Release
from pipeline.scored import ScoredMonth, scored_month

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

RULE = "rule"


@dataclass(frozen=True)
class Matured:
    """A snapshot whose labels are known, in the order of its customers.

    Args:
        outcomes: what was said, what was done, and what happened.
        scored: the same customers with their features, as the release of today sees them.
    """

    outcomes: Outcomes
    scored: ScoredMonth

    @property
    def rivals(self) -> dict[str, FloatArray]:
        """What the rule says of the same customers."""
        return {RULE: self.scored.rule_probability}

    def said_by(self, release: Release) -> FloatArray:
        """What a release says of the same customers: as it was logged where it scored them, else scored anew."""
        if (self.outcomes.release == release.id).all():
            return self.outcomes.probability
        return release.scorer.probability(self.scored.columns, len(self.scored))


def matured_outcomes(dataset: Dataset, lake: Lake, engine: "sa.Engine", release: Release, key: str) -> Matured | None:
    """The outcomes of the batch of the snapshot `key`; None where no batch was run then.

    What the rule said in a model's place is put down to the rule, not to the release that it came with.
    """
    log = read_batch(engine, dataset.name, key)
    if log.empty:
        return None
    scored = scored_month(lake, release, key)
    labels = lake.read("labels", "customers", key).to_pandas().set_index("customer_id")
    log = log.set_index("customer_id").reindex(scored.customers)
    churned = labels["churned"].reindex(scored.customers)
    known = (log["probability"].notna() & churned.notna()).to_numpy()
    kept = ScoredMonth(key, scored.features.filter(known), release)
    return Matured(_outcomes(log[known], kept, churned.to_numpy()[known].astype(bool)), kept)


def _outcomes(log: "pd.DataFrame", scored: ScoredMonth, churned: NDArray[np.bool_]) -> Outcomes:
    contacted = log["contact"].to_numpy(dtype=bool)
    by_rule = log["served_by"].to_numpy() == RULE
    return Outcomes(
        churned=churned,
        probability=log["probability"].to_numpy(dtype=np.float64),
        gain=scored.payoffs.gain,
        loss=scored.payoffs.loss,
        customer=scored.customers,
        snapshot=_repeated(scored.key, len(log)),
        release=np.where(by_rule, RULE, log["release"].to_numpy()).astype(object),
        selected=contacted | (log["decision_reason"].to_numpy() == "holdout"),
        contacted=contacted,
    )


def _repeated(value: str, times: int) -> NDArray[Any]:
    return np.full(times, value, dtype=object)
