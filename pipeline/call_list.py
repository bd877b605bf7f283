"""The month's call list: every active customer scored, the budget spent where a contact is expected to earn most.

A small part of the customers who would be contacted is held out at random and is not: only against them can anyone say
later what the contacts changed. They stand in the list, flagged, so that nobody wonders where they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.declaration import Dataset
from pipeline.economics import contacts
from pipeline.hashing import hashed_shares
from pipeline.lake import Lake, write_atomically
from pipeline.policy import Decisions, decided
from pipeline.prediction_log import Prediction
from pipeline.reasons import REASONS, strongest_reasons, suggested_action
from pipeline.release import Release
from pipeline.scored import ScoredMonth, scored_month
from pipeline.spreadsheet import as_csv

HOLDOUT_SHARE = 0.1  # of the contacts: a year of them shows the effect, at a tenth of the campaign's profit
DO_NOT_CONTACT = "do not contact: control group, to measure what contacts change"


@dataclass(frozen=True)
class _Month:
    """A scored month and what was decided about each customer."""

    scored: ScoredMonth
    decisions: Decisions
    held_out: NDArray[np.bool_]


def build_call_list(
    lake: Lake,
    release: Release,
    key: str,
    *,
    served_by: str = "champion",
    holdout_share: float = HOLDOUT_SHARE,
) -> tuple[pa.Table, pa.Table]:
    """Score the customers of a snapshot and choose whom to contact, under the release's own policy.

    Returns:
        The scores of every active customer, sorted by customer: `customer_id`, `churn_probability`, `expected_value`,
        `contact`, `holdout`, `decision_reason`, `release`, `served_by`.
        The call list, best first: `rank`, `customer_id`, `churn_probability`, `expected_value`, `value_at_stake` (what
        a contact earns if the customer would leave), `reason_1` to `reason_3`, `suggested_action`, `holdout`,
        `release`, `served_by`. Money is in the currency of the release's policy.

    Raises:
        SourceError: the features of the month are not there.
        ChurnError: they lack a column that the release needs.
    """
    month = _decided(scored_month(lake, release, key), holdout_share)
    by = {"release": release.id, "served_by": served_by}
    return _scores(month, by), _listed(month, release, by)


def is_held_out(customers: NDArray[np.object_], key: str, share: float) -> NDArray[np.bool_]:
    """Who belongs to a month's control group: drawn by a hash, so that it is the same whenever it is asked."""
    return np.asarray(hashed_shares(list(customers), f"holdout {key}") < share, dtype=bool)


def write_call_list(lake: Lake, scores: pa.Table, call_list: pa.Table, key: str) -> None:
    """Write the scores as Parquet, the list as Parquet for machines and as CSV for people; each whole or not at all."""
    lake.write(scores, "scores", "customers", key)
    path = lake.write(call_list, "call_lists", "customers", key)
    write_atomically(path.parent / f"{key}.csv", as_csv(call_list, decimals={"churn_probability": 4}))


def predictions_of(
    dataset: Dataset, lake: Lake, scores: pa.Table, key: str, *, predicted_at: datetime, fallback_reason: str = ""
) -> Iterator[Prediction]:
    """The scores of a month as rows of the prediction log, with the features that were scored."""
    features = lake.read("features", "customers", key).sort_by("customer_id")
    names = [field.name for field in dataset.fields()]
    values = zip(*(features[name].to_pylist() for name in names), strict=True)
    for row, scored in zip(values, scores.to_pylist(), strict=True):
        identity = "\n".join((dataset.name, key, scored["release"], scored["customer_id"]))
        yield Prediction(
            id=blake2b(identity.encode(), digest_size=16).hexdigest(),
            predicted_at=predicted_at,
            dataset=dataset.name,
            source="batch",
            snapshot=key,
            customer_id=scored["customer_id"],
            probability=scored["churn_probability"],
            expected_value=scored["expected_value"],
            contact=scored["contact"],
            decision_reason=scored["decision_reason"],
            release=scored["release"],
            served_by=scored["served_by"],
            fallback_reason=fallback_reason,
            features=dict(zip(names, row, strict=True)),
        )


def _decided(scored: ScoredMonth, holdout_share: float) -> _Month:
    value = scored.payoffs.expected(scored.probability)
    decisions = decided(scored.payoffs, value, contacts(value, scored.budget))
    held_out = decisions.contact & is_held_out(scored.customers, scored.key, holdout_share)
    return _Month(scored, decisions, held_out)


def _scores(month: _Month, by: dict[str, str]) -> pa.Table:
    rows, decisions = len(month.scored), month.decisions
    reasons = np.where(month.held_out, "holdout", np.array(decisions.reason, dtype=object))
    return pa.table(
        {
            "customer_id": pa.array(month.scored.customers, type=pa.string()),
            "churn_probability": month.scored.probability,
            "expected_value": pa.array(decisions.expected_value, from_pandas=True),  # null where it is not known
            "contact": decisions.contact & ~month.held_out,
            "holdout": month.held_out,
            "decision_reason": pa.array(reasons, type=pa.string()),
            **{name: pa.array([value] * rows, type=pa.string()) for name, value in by.items()},
        }
    )


def _listed(month: _Month, release: Release, by: dict[str, str]) -> pa.Table:
    value = month.decisions.expected_value
    best_first = np.argsort(-value, kind="stable")  # ties stay in the order of customer ids
    listed = best_first[month.decisions.contact[best_first]]
    return pa.table(
        {
            "rank": pa.array(range(1, len(listed) + 1), type=pa.int64()),
            "customer_id": pa.array(month.scored.customers[listed], type=pa.string()),
            "churn_probability": month.scored.probability[listed],
            "expected_value": value[listed],
            "value_at_stake": month.scored.payoffs.gain[listed],
            **_explained(month, release, listed),
            "holdout": month.held_out[listed],
            **{name: pa.array([text] * len(listed), type=pa.string()) for name, text in by.items()},
        }
    )


def _explained(month: _Month, release: Release, listed: NDArray[np.int64]) -> dict[str, pa.Array]:
    """Reasons and the suggested action of the listed customers, in words."""
    fields, actions = release.scorer.fields, release.policy.actions
    columns = {field.name: month.scored.columns[field.name][listed] for field in fields}
    effects = release.scorer.reasons(columns, len(listed))
    found = strongest_reasons(effects, fields, columns)
    texts = {f"reason_{i + 1}": [row[i].text if i < len(row) else None for row in found] for i in range(REASONS)}
    texts["suggested_action"] = [
        DO_NOT_CONTACT if held_out else suggested_action(row, fields, actions)
        for held_out, row in zip(month.held_out[listed], effects, strict=True)
    ]
    return {name: pa.array(values, type=pa.string()) for name, values in texts.items()}
