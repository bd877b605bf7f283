"""What became of the customers that a month's batch scored: the prediction log joined to labels that have matured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitoring.realised import Outcomes
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.lake import Lake
from pipeline.prediction_log import BATCH_COLUMNS, newest_batch, read_batch
from pipeline.release import Release
from pipeline.scored import ScoredMonth, scored_month

if TYPE_CHECKING:
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

    def said_by_rule(self, rows: NDArray[np.int64]) -> FloatArray:
        """What the rule says of some of the customers, by place."""
        return self.scored.only(rows).rule_probability

    def said_by(self, release: Release, rows: NDArray[np.int64]) -> FloatArray:
        """What a release says of some of the customers: as it was logged where it scored them all, else scored anew."""
        if (self.outcomes.release == release.id).all():
            return self.outcomes.probability[rows]
        return self.scored.only(rows, release).probability


def matured_outcomes(dataset: Dataset, lake: Lake, engine: "sa.Engine", release: Release, key: str) -> Matured | None:
    """The outcomes of the batch of the snapshot `key`; None where no batch was run then.

    What the rule said in a model's place is put down to the rule, not to the release that it came with.
    """
    said = _newest_list(dataset, lake, engine, key)
    if said is None:
        return None
    scored, labels = scored_month(lake, release, key), lake.read("labels", "customers", key)
    customers = scored.features["customer_id"]
    in_list, in_labels = (_places(customers, each["customer_id"]) for each in (said, labels))
    known = np.flatnonzero((in_list >= 0) & (in_labels >= 0))
    if len(known) < len(scored):
        scored, in_list, in_labels = scored.only(known), in_list[known], in_labels[known]
    churned = labels["churned"].to_numpy()[in_labels].astype(bool)
    return Matured(_outcomes(_taken(said, in_list), scored, churned), scored)


def _newest_list(dataset: Dataset, lake: Lake, engine: "sa.Engine", key: str) -> pa.Table | None:
    """The columns of `BATCH_COLUMNS`, of whom the newest batch of a snapshot gave a probability.

    A list lies in the lake as well as in the log, where reading it takes a tenth of the time; another release may have
    written that one since.
    """
    release = newest_batch(engine, dataset.name, key)
    if release is None:
        return None
    said = _list_in_lake(lake, key)
    if said is None or said["release"].unique().to_pylist() != [release]:
        said = pa.Table.from_pandas(read_batch(engine, dataset.name, key), preserve_index=False)
    return said.filter(pc.is_valid(said["probability"])) if said["probability"].null_count else said


def _list_in_lake(lake: Lake, key: str) -> pa.Table | None:
    if not lake.path("scores", "customers", key).exists():
        return None
    names = [name.replace("probability", "churn_probability") for name in BATCH_COLUMNS]
    codes = ["decision_reason", "release", "served_by"]
    return lake.read("scores", "customers", key, columns=names, as_codes=codes).rename_columns(list(BATCH_COLUMNS))


def _places(wanted: pa.ChunkedArray, known: pa.ChunkedArray) -> NDArray[np.int64]:
    """Where each of the wanted is among the known; -1 where it is not."""
    if wanted.equals(known):
        return np.arange(len(wanted))
    found: NDArray[np.int64] = pc.index_in(wanted, value_set=known.combine_chunks()).fill_null(-1).to_numpy()
    return found.astype(np.int64)


def _taken(rows: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    is_all = len(places) == len(rows) and bool((places == np.arange(len(places))).all())
    return rows if is_all else rows.take(pa.array(places))


def _outcomes(said: pa.Table, scored: ScoredMonth, churned: NDArray[np.bool_]) -> Outcomes:
    contacted = said["contact"].to_numpy().astype(bool)
    by_rule, release = pc.equal(said["served_by"], RULE), said["release"]
    if pc.any(by_rule).as_py():
        release = pc.if_else(by_rule, RULE, release.cast(pa.string()))
    return Outcomes(
        churned=churned,
        probability=said["probability"].to_numpy().astype(np.float64),
        gain=scored.payoffs.gain,
        loss=scored.payoffs.loss,
        customer=scored.customers,
        snapshot=_repeated(scored.key, len(said)),
        release=_names(release),
        selected=contacted | pc.equal(said["decision_reason"], "holdout").to_numpy().astype(bool),
        contacted=contacted,
    )


def _names(column: pa.ChunkedArray) -> NDArray[Any]:
    """The text as Python has it; mostly a month has one release."""
    known = column.unique().to_pylist()
    return _repeated(known[0], len(column)) if len(known) == 1 else column.cast(pa.string()).to_numpy()


def _repeated(value: str, times: int) -> NDArray[Any]:
    """The same value for every row, kept once."""
    return np.broadcast_to(np.array(value, dtype=object), times)
