"""The boosting rung: sklearn's histogram gradient boosting, stored as flat arrays of tree nodes.

Stored as data and walked with numpy, so that a release holds no code, needs no scikit-learn to answer, and gives for every
customer the path through each tree, from which the reasons follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import Columns, FloatArray
from pipeline.encoding import Encoding
from pipeline.feature_kinds import Field
from pipeline.scoring import Calibration, RungName

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_ONCE = 4096  # bounds memory: each row holds one place per tree


@dataclass(frozen=True)
class Nodes:
    """All nodes of all trees, one array per property; `left` and `right` are places in the same arrays.

    `value` is the score in log-odds at a leaf, and the mean over the training rows beneath at a split.
    """

    roots: NDArray[np.int64]
    column: NDArray[np.int64]
    threshold: FloatArray
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.bool_]
    value: FloatArray
    depth: int


@dataclass(frozen=True)
class Trees:
    """A fitted boosting rung. `average` is the mean contribution of each field over the training rows."""

    fields: tuple[Field, ...]
    baseline: float
    nodes: Nodes
    average: FloatArray
    calibration: Calibration
    name: RungName = "boosting"

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        """Churn probability of each customer, shape (rows,)."""
        encoded = Encoding(self.fields).matrix(columns, rows)
        leaves = [self._leaves(encoded[i : i + ROWS_AT_ONCE]) for i in range(0, rows, ROWS_AT_ONCE)]
        scores = [self.baseline + self.nodes.value[places].sum(axis=1) for places in leaves]
        return self.calibration.probability(np.concatenate(scores) if scores else np.empty(0))

    def reasons(self, columns: Columns, rows: int) -> FloatArray:
        """Contribution of each field in calibrated log-odds against the average customer, shape (rows, fields)."""
        return self.calibration.slope * (self.contributions(columns, rows) - self.average)

    def contributions(self, columns: Columns, rows: int) -> FloatArray:
        """What each split on the way added to the score, summed by field: exact in sum, path by path (Saabas 2014)."""
        encoding = Encoding(self.fields)
        encoded = encoding.matrix(columns, rows)
        found = np.zeros((rows, len(self.fields)))
        for i in range(0, rows, ROWS_AT_ONCE):
            self._add_paths(encoded[i : i + ROWS_AT_ONCE], encoding.field_of_column, found[i : i + ROWS_AT_ONCE])
        return found

    def as_dict(self) -> dict[str, Any]:
        """The trees as plain values."""
        arrays = ("roots", "column", "threshold", "missing_left", "left", "right", "leaf", "value")
        return {
            "rung": self.name,
            "baseline": self.baseline,
            "depth": self.nodes.depth,
            "nodes": {name: getattr(self.nodes, name).tolist() for name in arrays},
            "average": dict(zip((field.name for field in self.fields), self.average.tolist(), strict=True)),
            "calibration": {"slope": self.calibration.slope, "intercept": self.calibration.intercept},
        }

    def _leaves(self, encoded: FloatArray) -> NDArray[np.int64]:
        places = np.tile(self.nodes.roots, (len(encoded), 1))
        for _ in range(self.nodes.depth):
            places = self._next(encoded, places)
        return places

    def _next(self, encoded: FloatArray, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """One step down every tree; a leaf is its own child."""
        nodes = self.nodes
        values = np.take_along_axis(encoded, nodes.column[places], axis=1)
        goes_left = np.where(np.isnan(values), nodes.missing_left[places], values <= nodes.threshold[places])
        return np.where(goes_left, nodes.left[places], nodes.right[places])

    def _add_paths(self, encoded: FloatArray, field_of: NDArray[np.int64], found: FloatArray) -> None:
        places = np.tile(self.nodes.roots, (len(encoded), 1))
        row = np.arange(len(encoded))[:, None]
        for _ in range(self.nodes.depth):
            below = self._next(encoded, places)
            cell = row * len(self.fields) + field_of[self.nodes.column[places]]
            added = self.nodes.value[below] - self.nodes.value[places]
            found += np.bincount(cell.ravel(), weights=added.ravel(), minlength=found.size).reshape(found.shape)
            places = below


def trees_from_dict(stored: Mapping[str, Any], fields: tuple[Field, ...]) -> Trees:
    """The inverse of `Trees.as_dict`."""
    arrays = {name: np.array(values) for name, values in stored["nodes"].items()}
    width = len(Encoding(fields).field_of_column)
    nodes = Nodes(**arrays, depth=int(stored["depth"]))
    size = len(nodes.value)
    links = np.concatenate([nodes.roots, nodes.left, nodes.right])
    if links.min() < 0 or links.max() >= size or nodes.column.min() < 0 or nodes.column.max() >= width:
        raise ValueError("a tree that leads outside of its nodes or columns")
    average = np.array([stored["average"][field.name] for field in fields])
    return Trees(fields, float(stored["baseline"]), nodes, average, Calibration(**stored["calibration"]))


def boosting_estimator(fields: tuple[Field, ...], parameters: Mapping[str, Any], seed: int) -> Any:
    """An unfitted sklearn pipeline: one-hot columns into boosted trees that respect the declared directions."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoding = Encoding(fields)
    names = [field.name for field in encoding.categories]
    onehot = OneHotEncoder(
        categories=[list(field.categories) for field in encoding.categories], handle_unknown="ignore", sparse_output=False
    )
    steps = [("number", "passthrough", [field.name for field in encoding.numbers])]
    steps += [("category", onehot, names)] if names else []
    directions = [fields[i].direction for i in encoding.field_of_column]
    model = HistGradientBoostingClassifier(
        **parameters, monotonic_cst=directions, early_stopping=False, random_state=seed
    )
    return Pipeline([("encode", ColumnTransformer(steps)), ("model", model)])


def trees_of(fitted: Any, fields: tuple[Field, ...], train: "pd.DataFrame", calibration: Calibration) -> Trees:
    """The fitted pipeline as flat trees that give the same probabilities."""
    model = fitted.named_steps["model"]
    grown = [predictors[0].nodes for predictors in model._predictors]
    trees = Trees(fields, float(model._baseline_prediction.ravel()[0]), _flat(grown), np.zeros(len(fields)), calibration)
    average = trees.contributions(train, len(train)).mean(axis=0)
    return Trees(fields, trees.baseline, trees.nodes, average, calibration)


def _flat(grown: list[Any]) -> Nodes:
    starts = np.cumsum([0, *(len(tree) for tree in grown)])[:-1]
    together = np.concatenate(grown)
    offset = np.repeat(starts, [len(tree) for tree in grown])
    leaf = together["is_leaf"].astype(bool)
    own = np.arange(len(together))
    return Nodes(
        roots=starts.astype(np.int64),
        column=np.where(leaf, 0, together["feature_idx"]).astype(np.int64),
        threshold=_finite(np.where(leaf, 0.0, together["num_threshold"]).astype(np.float64)),
        missing_left=together["missing_go_to_left"].astype(bool) & ~leaf,
        left=np.where(leaf, own, together["left"] + offset).astype(np.int64),
        right=np.where(leaf, own, together["right"] + offset).astype(np.int64),
        leaf=leaf,
        value=np.concatenate([_mean_values(tree) for tree in grown]),
        depth=int(together["depth"].max()),
    )


def _finite(threshold: FloatArray) -> FloatArray:
    """A split of known against missing values has an infinite threshold, which JSON has no word for."""
    return np.minimum(threshold, np.finfo(np.float64).max)


def _mean_values(tree: Any) -> FloatArray:
    """Value of every node: its own at a leaf, the mean of its children by their training rows at a split."""
    value = tree["value"].astype(np.float64).copy()
    for place in range(len(tree) - 1, -1, -1):  # children always come after their parent
        if not tree[place]["is_leaf"]:
            children = [int(tree[place]["left"]), int(tree[place]["right"])]
            value[place] = np.average(value[children], weights=tree["count"][children])
    return value
