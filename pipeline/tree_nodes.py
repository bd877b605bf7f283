"""Fitted trees as flat arrays: what a release stores of them, and the way of each row through them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import FloatArray

LEAF = -1


@dataclass(frozen=True)
class Nodes:
    """All nodes of all trees, level by level: the roots come first, and the two children of a split side by side.

    The children of the k-th split are therefore the nodes `trees + 2k` (left) and `trees + 2k + 1` (right), and no link
    is stored that could lead astray.

    Args:
        trees: how many roots there are.
        column: the column that a split reads, `LEAF` at a leaf.
        threshold: a value up to this goes left; infinite at a leaf and at a split that only parts off what is missing.
        missing_left: whether a missing value goes left; true at a leaf.
        value: in log-odds; at a split the mean over the training rows beneath.
    """

    trees: int
    column: NDArray[np.int64]
    threshold: FloatArray
    missing_left: NDArray[np.bool_]
    value: FloatArray

    def __post_init__(self) -> None:
        size = len(self.value)
        splits = int(np.count_nonzero(self.column != LEAF))
        if not len(self.column) == len(self.threshold) == len(self.missing_left) == size:
            raise ValueError("one column, threshold, direction and value is needed for every node")
        if self.trees < 1 or size != self.trees + 2 * splits or (self.child < np.arange(size)).any():
            raise ValueError(f"{size} nodes with {splits} splits are not {self.trees} trees")

    @cached_property
    def child(self) -> NDArray[np.int64]:
        """The left child of a split; a leaf is its own child."""
        is_split = self.column != LEAF
        left = self.trees + 2 * (np.cumsum(is_split) - 1)
        return np.where(is_split, left, np.arange(len(self.column)))

    @cached_property
    def levels(self) -> list[NDArray[np.int64]]:
        """The splits, level by level from the roots."""
        level, found = np.arange(self.trees), list[NDArray[np.int64]]()
        while len(splits := level[self.column[level] != LEAF]):
            found.append(splits)
            level = np.concatenate([self.child[splits], self.child[splits] + 1])
        return found

    def walk(self, encoded: FloatArray) -> Iterator[NDArray[np.int64]]:
        """Where each row stands in each tree, shape (rows, trees): at the roots, then after each step down.

        Missing values are compared as they are where they go right, since nothing is at most NaN, and in a second copy
        of the columns, as minus infinity, where they go left.
        """
        rows, width = encoded.shape
        values = np.concatenate([encoded, np.where(np.isnan(encoded), -np.inf, encoded)], axis=1).ravel()
        column = np.maximum(self.column, 0) + width * self.missing_left
        first = (2 * width * np.arange(rows))[:, None]
        places = np.tile(np.arange(self.trees), (rows, 1))
        yield places
        for _ in self.levels:
            goes_left = values.take(first + column.take(places)) <= self.threshold.take(places)
            places = self.child.take(places) + ~goes_left
            yield places
