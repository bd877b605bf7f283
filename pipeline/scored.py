"""A month's customers as a release sees them: their features as columns, what a contact is worth, and their scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.declaration import Dataset
from pipeline.economics import FloatArray, Payoffs, budget_of
from pipeline.encoding import CodedColumns
from pipeline.errors import ChurnError
from pipeline.feature_kinds import Field
from pipeline.lake import Lake
from pipeline.release import Release


@dataclass(frozen=True)
class ScoredMonth:
    """One entry per active customer, in the order of their ids."""

    key: str
    features: pa.Table
    release: Release

    @cached_property
    def customers(self) -> NDArray[np.object_]:
        """The ids."""
        names: NDArray[np.object_] = self.features["customer_id"].to_numpy()
        return names

    @cached_property
    def columns(self) -> "LazyColumns":
        """Every field of the release."""
        return LazyColumns(self.features, self.release.fields)

    @cached_property
    def probability(self) -> FloatArray:
        """Of leaving, as the release's model says."""
        return self.release.scorer.probability(self.columns, len(self))

    @cached_property
    def rule_probability(self) -> FloatArray:
        """Of leaving, as the release's rule says."""
        return self.release.rule_scorer.probability(self.columns, len(self))

    @cached_property
    def payoffs(self) -> Payoffs:
        """What contacting each customer earns or costs under the release's own policy."""
        return self.release.policy.economics.payoffs(self.columns, len(self))

    @property
    def budget(self) -> int:
        """How many of them can be contacted."""
        return budget_of(self.release.policy.economics, len(self))

    def only(self, rows: NDArray[Any], release: Release | None = None) -> "ScoredMonth":
        """Some of the customers, by place, as this release sees them or another one."""
        return ScoredMonth(self.key, self.features.take(pa.array(rows)), release or self.release)

    def __len__(self) -> int:
        """How many customers there are."""
        return len(self.features)


def fields_gone(dataset: Dataset, release: Release) -> list[str]:
    """Names of the fields that a release was made with and that are not declared any more, or as another kind."""
    declared = {field.name: field.kind for field in dataset.fields()}
    return [field.name for field in release.fields if declared.get(field.name) != field.kind]


class LazyColumns(CodedColumns):
    """Columns as scorers and economics read them, each made when it is asked for: a payoff needs one of thirty."""

    def __init__(self, features: pa.Table, fields: Sequence[Field]) -> None:
        super().__init__()
        self._features, self._kinds = features, {field.name: field.kind for field in fields}

    def __missing__(self, name: str) -> NDArray[Any]:
        kind, column = self._kinds[name], self._features[name]
        self[name] = column.to_numpy() if kind == "number" else _objects(column)
        return self[name]

    def codes(self, name: str) -> tuple[list[Any], NDArray[np.int64]]:
        """The different values of a category, None among them, and which of them each row has."""
        return _coded(self._features[name])


def columns_of_features(features: pa.Table, fields: Sequence[Field]) -> LazyColumns:
    """The columns that scorers and economics read: float64 with NaN for numbers, objects with None for categories."""
    return LazyColumns(features, fields)


def _objects(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """The values as Python has them; each different one is made once."""
    values, codes = _coded(column)
    found: NDArray[np.object_] = np.array(values, dtype=object)[codes]
    return found


def _coded(column: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    """The different values, then None, and which of them each row has."""
    whole = column.combine_chunks()
    codes = whole if pa.types.is_dictionary(column.type) else whole.dictionary_encode()
    values = [*codes.dictionary.to_pylist(), None]
    return values, codes.indices.cast(pa.int64()).fill_null(len(values) - 1).to_numpy()


def evenly(rows: pa.Table, most: int) -> pa.Table:
    """Every second, third ... row, so that about `most` are left."""
    return rows if len(rows) <= most else rows.take(np.arange(0, len(rows), len(rows) // most))


def scored_month(lake: Lake, release: Release, key: str) -> ScoredMonth:
    """The customers of a snapshot as `release` sees them.

    Raises:
        SourceError: the features of the month are not there.
        ChurnError: they lack a column that the release needs.
    """
    categories = [field.name for field in release.fields if field.kind == "category"]
    features = _by_customer(lake.read("features", "customers", key, as_codes=categories))
    missing = [field.name for field in release.fields if field.name not in features.column_names]
    if missing:
        raise ChurnError(
            f"features of month {key}",
            expected=f"the features {', '.join(missing)}, which release {release.id} was made with",
            found="a month without them",
            remedy="The dataset's declaration changed since: train and promote a new release first.",
        )
    return ScoredMonth(key, features, release)


def _by_customer(features: pa.Table) -> pa.Table:
    """In the order of the ids, which is how they are written: looking costs a tenth of sorting."""
    ids = features["customer_id"]
    is_sorted = pc.all(pc.less_equal(ids.slice(0, max(len(ids) - 1, 0)), ids.slice(1))).as_py()
    return features.sort_by("customer_id") if is_sorted is False else features
