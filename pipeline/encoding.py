"""Fields as numbers: the same few lines of numpy when a model is fitted and when it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import Columns, FloatArray
from pipeline.feature_kinds import Field


@dataclass(frozen=True)
class Encoding:
    """Numbers keep their value and NaN; a category becomes one column per declared value, all zero if unknown."""

    fields: tuple[Field, ...]

    @cached_property
    def numbers(self) -> tuple[Field, ...]:
        """The numeric fields, which are the first columns of the matrix."""
        return tuple(field for field in self.fields if field.kind == "number")

    @cached_property
    def categories(self) -> tuple[Field, ...]:
        """The categorical fields, whose columns follow."""
        return tuple(field for field in self.fields if field.kind == "category")

    @cached_property
    def field_of_column(self) -> NDArray[np.int64]:
        """For each column of the matrix, the place of its field in `fields`."""
        place = {field.name: i for i, field in enumerate(self.fields)}
        owners = [field.name for field in self.numbers]
        owners += [field.name for field in self.categories for _ in field.categories]
        return np.array([place[name] for name in owners], dtype=np.int64)

    def matrix(self, columns: Columns, rows: int) -> FloatArray:
        """The encoded fields, shape (rows, width)."""
        encoded = np.empty((rows, len(self.field_of_column)))
        for i, field in enumerate(self.numbers):
            encoded[:, i] = np.asarray(columns[field.name], dtype=np.float64)
        at = len(self.numbers)
        for field in self.categories:
            values = np.asarray(columns[field.name], dtype=object)
            for category in field.categories:
                encoded[:, at] = values == category
                at += 1
        return encoded


def model_fields(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields that models see."""
    return tuple(field for field in fields if field.in_model)
