"""Rows that tell what would have happened without a call: the labels of customers who were called are bent by it.

Who is called is chosen by the features, and of those who were chosen a part is left alone by lot. So what happened to
the customers who were not called is, for given features, what would have happened to all: a model learns from them
alone. Where sums over all customers count, as in a campaign's profit, each who was left alone by lot stands for as many
as were chosen for one left alone (Horvitz and Thompson 1952; Hajek's form, by month).
"""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.hashing import hashed_shares
from pipeline.lake import Lake

SALT = "control group copies"
BoolArray = NDArray[np.bool_]


def representative_places(customers: NDArray[np.object_], selected: BoolArray, called: BoolArray) -> NDArray[np.int64]:
    """Places of the rows of a month to judge by, those left alone by lot as often as they stand for.

    The copies are as even as can be and handed out by a hash of the customer. Where nobody was left alone, nobody
    stands for the called ones.
    """
    others, left_alone = np.flatnonzero(~selected), np.flatnonzero(selected & ~called)
    if len(left_alone) == 0:
        return others
    copies, more = divmod(int(selected.sum()), len(left_alone))
    shares = hashed_shares([str(name) for name in customers[left_alone]], SALT)
    times = copies + (np.arange(len(left_alone)) < more)
    return np.concatenate([others, np.repeat(left_alone[np.argsort(shares, kind="stable")], times)])


def without_called(rows: pa.Table, lake: Lake, key: str) -> pa.Table:
    """The rows of customers whom the month's list did not order to call; all where there was no list."""
    listed = _list_of(lake, key)
    if listed is None:
        return rows
    called = listed.filter(listed["contact"])["customer_id"]
    return rows.filter(pc.invert(pc.is_in(rows["customer_id"], value_set=called.combine_chunks())))


def representative(rows: pa.Table, lake: Lake, key: str) -> pa.Table:
    """The same, with those who were left alone by lot in the place of the called ones."""
    listed = _list_of(lake, key)
    if listed is None:
        return rows
    known = rows.select(["customer_id"]).join(listed, "customer_id", join_type="left outer").sort_by("customer_id")
    rows = rows.sort_by("customer_id")
    called, held_out = (pc.fill_null(known[name], False).to_numpy() for name in ("contact", "holdout"))
    customers = np.array(rows["customer_id"].to_pylist(), dtype=object)
    return rows.take(np.sort(representative_places(customers, called | held_out, called)))


def with_stand_ins(rows: pd.DataFrame, lake: Lake) -> pd.DataFrame:
    """Labelled rows of many months without the called ones, each as often as `representative` has them.

    They may be some of a month's: each stands for as many as among all who have a label.
    """
    copies = np.ones(len(rows), dtype=np.int64)
    for key, places in rows.groupby("snapshot").indices.items():
        labelled = lake.read("labels", "customers", str(key), columns=["customer_id"])
        times = Counter(representative(labelled, lake, str(key))["customer_id"].to_pylist())
        copies[places] = [times.get(name, 1) for name in rows["customer_id"].iloc[places]]
    return rows.iloc[np.repeat(np.arange(len(rows)), copies)].reset_index(drop=True)


def _list_of(lake: Lake, key: str) -> pa.Table | None:
    if not lake.path("scores", "customers", key).exists():
        return None
    return lake.read("scores", "customers", key, columns=["customer_id", "contact", "holdout"])
