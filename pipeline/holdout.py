"""Labelled rows that no rung has seen, in the one order that every figure is computed in."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.declaration import Dataset
from pipeline.economics import FloatArray, Payoffs
from pipeline.errors import ChurnError


@dataclass(frozen=True)
class Holdout:
    """Test rows sorted by snapshot and customer.

    Args:
        churned: 1.0 for a row whose customer left, shape (rows,).
        payoffs: what contacting each row earns or costs.
        customer: code of each row's customer, in [0, customers).
        snapshot: code of each row's snapshot, in [0, snapshots).
        customers: how many customers there are.
        snapshots: how many snapshots there are; figures per month are divided by it.
        budget_share: share of a snapshot's customers that can be contacted.
    """

    churned: FloatArray
    payoffs: Payoffs
    customer: NDArray[np.int64]
    snapshot: NDArray[np.int64]
    customers: int
    snapshots: int
    budget_share: float

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.churned)

    def only(self, rows: NDArray[Any]) -> "Holdout":
        """Some of the rows; customers and snapshots keep their codes, so that draws stay the same."""
        return Holdout(
            self.churned[rows],
            Payoffs(self.payoffs.gain[rows], self.payoffs.loss[rows]),
            self.customer[rows],
            self.snapshot[rows],
            self.customers,
            self.snapshots,
            self.budget_share,
        )


def canonical_order(customer: ArrayLike, snapshot: ArrayLike) -> NDArray[np.int64]:
    """Places of the rows sorted by snapshot, then customer: ties are broken the same way wherever rows came from."""
    return np.lexsort((_codes(customer)[0], _codes(snapshot)[0])).astype(np.int64)


def holdout_of(
    churned: ArrayLike, payoffs: Payoffs, *, customer: ArrayLike, snapshot: ArrayLike, budget_share: float
) -> Holdout:
    """The rows in the order that they have, which callers make canonical first.

    A row whose payoff is not known is worth nothing, so that it is never contacted.
    """
    if len(np.asarray(churned)) == 0:
        raise ChurnError(
            "test rows",
            expected="at least one labelled row",
            found="none",
            remedy="Run a month whose labels are known.",
        )
    customers, customer_count = _codes(customer)
    snapshots, snapshot_count = _codes(snapshot)
    y = np.asarray(churned, dtype=np.float64)
    known = np.isfinite(payoffs.gain) & np.isfinite(payoffs.loss)
    payoffs = Payoffs(np.where(known, payoffs.gain, 0.0), np.where(known, payoffs.loss, 0.0))
    return Holdout(y, payoffs, customers, snapshots, customer_count, snapshot_count, budget_share)


def holdout_of_frame(dataset: Dataset, frame: pd.DataFrame) -> Holdout:
    """The holdout of a sorted test frame under the dataset's own money."""
    return holdout_of(
        frame["churned"].to_numpy(),
        dataset.economics.payoffs(frame, len(frame)),
        customer=frame["customer_id"],
        snapshot=frame["snapshot"],
        budget_share=dataset.economics.budget_share,
    )


def sorted_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of a labelled frame in canonical order."""
    order = canonical_order(frame["customer_id"], frame["snapshot"])
    return frame.iloc[order].reset_index(drop=True)


def checked_probability(name: str, probability: ArrayLike) -> FloatArray:
    """The probabilities of a rung, or a ChurnError: a score that is no probability must not be averaged away."""
    p = np.asarray(probability, dtype=np.float64)
    wrong = int(np.sum(~((p >= 0) & (p <= 1))))
    if wrong:
        raise ChurnError(
            f"scores of {name!r}",
            expected="a probability between 0 and 1 for every row",
            found=f"{wrong} of {len(p)} rows without one",
            remedy="Do not use this rung: train it again and look at its inputs.",
        )
    return p


def _codes(values: ArrayLike) -> tuple[NDArray[np.int64], int]:
    codes, unique = pd.factorize(np.asarray(values), sort=True)
    return codes.astype(np.int64), len(unique)


def frame_digest(frame: pd.DataFrame) -> str:
    """SHA-256 over the content of a labelled frame, column by column: the same for any order of rows and columns."""
    ordered = sorted_frame(frame)
    digest = hashlib.sha256(str(len(ordered)).encode())
    for name in sorted(ordered.columns):
        digest.update(f"\x1e{name}\x1f".encode())
        digest.update(_column_bytes(ordered[name]))
    return digest.hexdigest()


def _column_bytes(column: pd.Series) -> bytes:
    """Numbers and truth values as little-endian doubles with one bit pattern for a missing one; the rest as codes."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()
    codes, unique = pd.factorize(np.asarray(column, dtype=object), sort=True)
    return json.dumps([str(value) for value in unique]).encode() + codes.astype("<i8").tobytes()
