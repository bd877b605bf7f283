"""How the leavers that a rung misses differ from those it finds: where a new feature would help."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field

FEWEST, MOST_SHOWN = 5, 8


@dataclass(frozen=True)
class FieldDifference:
    """Mean of a number, or share of one `category`, among missed and among found leavers.

    `distance` is their difference in standard deviations of the missed and found together; positive where the missed
    have more.
    """

    field: str
    category: str
    missed: float
    found: float
    distance: float


def differences_of(
    frame: pd.DataFrame, missed: NDArray[np.bool_], found: NDArray[np.bool_], fields: tuple[Field, ...]
) -> tuple[FieldDifference, ...]:
    """The fields in which missed and found leavers differ most; none where there are fewer than five of either."""
    if min(missed.sum(), found.sum()) < FEWEST:
        return ()
    parts = frame[missed], frame[found]
    largest = [max(_of_field(field, *parts), key=lambda each: abs(each.distance), default=None) for field in fields]
    known = [each for each in largest if each is not None and each.distance != 0]
    return tuple(sorted(known, key=lambda each: -abs(each.distance))[:MOST_SHOWN])


def _of_field(field: Field, missed: pd.DataFrame, found: pd.DataFrame) -> Iterator[FieldDifference]:
    columns = missed[field.name], found[field.name]
    if field.kind == "number":
        yield from _difference(field.name, "", *(column.dropna().to_numpy(dtype=np.float64) for column in columns))
        return
    for category in sorted({str(value) for column in columns for value in column.dropna()}):
        has_it = (np.asarray(column == category, dtype=np.float64) for column in columns)
        yield from _difference(field.name, category, *has_it)


def _difference(name: str, category: str, missed: FloatArray, found: FloatArray) -> Iterator[FieldDifference]:
    if min(len(missed), len(found)) < FEWEST:
        return
    spread = float(np.concatenate([missed, found]).std())
    means = float(missed.mean()), float(found.mean())
    if spread > 0:
        yield FieldDifference(name, category, *means, (means[0] - means[1]) / spread)
