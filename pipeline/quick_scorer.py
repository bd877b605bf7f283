"""Where rows end in boosted trees, all splits at once: QuickScorer (Lucchese et al., SIGIR 2015) with numpy.

A split that sends a row to the right rules out the leaves on its left, whether or not the row ever gets there: the
first leaf that no split has ruled out is where the row ends. So no step waits for the one before, every split is
compared with all rows in one sweep, and what is ruled out is a bit for each leaf. Measured against walking down: more
than three times as quick where trees have 8 leaves, a third quicker where they have 16, slower where they have more.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray
from pipeline.tree_nodes import LEAF, Nodes

ROWS_AT_ONCE = 256  # measured: 64 to 256 are alike, 1,000 are slower
MOST_LEAVES = 16  # of a tree: with more it takes longer than to walk down


@dataclass(frozen=True)
class QuickScorer:
    """The splits of all trees, each tree with as many places as the largest has; in a place without split, none.

    Args:
        column: that a split reads, or the one without missing values that many columns behind it; shape (splits,).
        threshold: a value up to this goes left, shape (splits, 1).
        on_the_left: a bit for each leaf under the left child, shape (splits, 1).
        value: of the leaves from left to right, tree after tree, shape (trees * places,).
        first: the place of the first leaf of each tree, shape (trees, 1).
    """

    column: NDArray[np.int64]
    threshold: FloatArray
    on_the_left: NDArray[Any]
    value: FloatArray
    first: NDArray[np.int64]

    def scores(self, encoded: FloatArray) -> FloatArray:
        """The sum of the leaves that each row ends in, shape (rows,)."""
        found = np.empty(len(encoded))
        for start in range(0, len(encoded), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            found[part] = self._scores(encoded[part].T)
        return found

    def _scores(self, columns: FloatArray) -> FloatArray:
        """Of columns of shape (width, rows). Missing values go right, for nothing is at most NaN, or are -infinity."""
        both = np.concatenate([columns, np.where(np.isnan(columns), -np.inf, columns)])
        goes_right = ~(both.take(self.column, axis=0) <= self.threshold)
        ruled_out = (goes_right * self.on_the_left).reshape(len(self.first), -1, columns.shape[1])
        out = np.bitwise_or.reduce(ruled_out, axis=1)
        leaf = np.bitwise_count(out & ~(out + out.dtype.type(1)))  # those before the first that is not
        return np.ascontiguousarray(self.value.take(self.first + leaf).T).sum(axis=1)


def quick_scorer(nodes: Nodes, width: int) -> QuickScorer | None:
    """For rows of `width` columns; None where there is no column to compare, or a tree has more than `MOST_LEAVES`."""
    leaves, before, tree = _leaves(nodes)
    most = int(leaves[: nodes.trees].max())
    if width == 0 or most > MOST_LEAVES:
        return None
    splits, ends = np.flatnonzero(nodes.column != LEAF), np.flatnonzero(nodes.column == LEAF)
    left, places = nodes.child[splits], max(most - 1, 1)
    place = tree[splits] * places + before[left + 1] - 1  # every split parts two neighbours among the leaves
    of_left, passed = (each[left].astype(np.uint64) for each in (leaves, before))
    bits = ((np.uint64(1) << of_left) - np.uint64(1)) << passed
    values = np.zeros((nodes.trees, most))
    values[tree[ends], before[ends]] = nodes.value[ends]
    columns = nodes.column[splits] + width * nodes.missing_left[splits]
    size = nodes.trees * places
    return QuickScorer(
        column=_placed(columns, place, size, 0),
        threshold=_placed(nodes.threshold[splits], place, size, np.inf)[:, None],
        on_the_left=_placed(bits.astype(np.min_scalar_type(2**most - 1)), place, size, 0)[:, None],
        value=values.ravel(),
        first=most * np.arange(nodes.trees)[:, None],
    )


def _leaves(nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For each node how many leaves it has beneath it, how many of its tree lie to the left of those, and its tree."""
    leaves, before = (np.full(len(nodes.column), start) for start in (1, 0))
    tree = np.arange(len(nodes.column))
    for splits in reversed(nodes.levels):
        left = nodes.child[splits]
        leaves[splits] = leaves[left] + leaves[left + 1]
    for splits in nodes.levels:
        left = nodes.child[splits]
        tree[left] = tree[left + 1] = tree[splits]
        before[left], before[left + 1] = before[splits], before[splits] + leaves[left]
    return leaves, before, tree


def _placed(values: NDArray[Any], place: NDArray[np.int64], size: int, elsewhere: float) -> NDArray[Any]:
    found = np.full(size, elsewhere, dtype=values.dtype)
    found[place] = values
    return found
