"""Figures apart for the groups that a dataset declares, so that a rung cannot be good on average only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.bootstrap import Draws, Interval, Key
from pipeline.campaign import Groups
from pipeline.declaration import Dataset, Slice
from pipeline.holdout import Holdout
from pipeline.wording import number

SMALL_ROWS, SMALL_CHURNERS = 200, 20
MOST_VALUES = 10  # a number with more distinct values than this is cut at its quartiles where no edges are declared
SLICE_METRICS = ("roc_auc", "log_loss", "calibration_ratio", "profit")
MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class SliceFigures:
    """One group of one slice.

    Args:
        n: rows, that is customers in a month.
        small: too few rows or churners to conclude anything; shown, and marked.
        rungs: for each rung its `roc_auc`, `log_loss`, `calibration_ratio` and `profit` (money per month in the group).
    """

    slice: str
    group: str
    n: int
    churners: int
    churn_rate: Interval
    small: bool
    rungs: Mapping[str, Mapping[str, Interval]]


def slice_groups(dataset: Dataset, frame: pd.DataFrame) -> Groups:
    """The rows of every group that has any, keyed (slice, group)."""
    return {
        (cut.name, group): inside
        for cut in dataset.slices
        for group, inside in _groups_of(cut, frame[cut.field])
        if inside.any()
    }


def groups_of_rows(dataset: Dataset, rows: pa.Table) -> Groups:
    """The same of features as the lake has them."""
    fields = list(dict.fromkeys(cut.field for cut in dataset.slices))  # some are cut by twice
    return slice_groups(dataset, rows.select(fields).to_pandas())


def slice_figures(drawn: Draws, groups: Groups, rows: Holdout, rungs: tuple[str, ...]) -> tuple[SliceFigures, ...]:
    """The figures of every group, in the order of declaration."""
    return tuple(_figures(drawn, group, rows.only(inside), rungs) for group, inside in groups.items())


def _figures(drawn: Draws, group: Key, rows: Holdout, rungs: tuple[str, ...]) -> SliceFigures:
    churners = int(rows.churned.sum())
    return SliceFigures(
        slice=group[0],
        group=group[1],
        n=len(rows),
        churners=churners,
        churn_rate=drawn.interval(*group, "churn_rate"),
        small=len(rows) < SMALL_ROWS or churners < SMALL_CHURNERS,
        rungs={rung: {metric: drawn.interval(*group, rung, metric) for metric in SLICE_METRICS} for rung in rungs},
    )


def _groups_of(cut: Slice, column: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    missing = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(column):
        yield from _groups_of_numbers(cut, column.to_numpy(dtype=np.float64))
    else:
        codes, values = pd.factorize(column)
        for category, code in sorted((str(value), code) for code, value in enumerate(values)):
            yield category, codes == code
    yield MISSING, missing


def _groups_of_numbers(cut: Slice, values: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    if not cut.edges and len(distinct) <= MOST_VALUES:
        for value in distinct:
            yield _short(value), values == value
        return
    edges = sorted(cut.edges) if cut.edges else np.unique(np.quantile(known, [0.25, 0.5, 0.75])).tolist()
    yield f"below {_short(edges[0])}", values < edges[0]
    for low, high in pairwise(edges):
        yield f"{_short(low)} to {_short(high)}", (values >= low) & (values < high)
    yield f"{_short(edges[-1])} or more", values >= edges[-1]


def _short(value: float) -> str:
    return number(value) if value == round(value) else f"{value:.3g}"
