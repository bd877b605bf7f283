"""Fields as numbers: the same few lines of numpy when a model is fitted and when it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.economics import Columns, FloatArray
from pipeline.feature_kinds import Field


class CodedColumns(dict[str, NDArray[Any]]):
    """Columns whose categories are known as numbers too, so that no row has to be looked up."""

    def codes(self, name: str) -> tuple[list[Any], NDArray[np.int64]]:
        """The different values of a category, and which of them each row has, shape (rows,)."""
        raise NotImplementedError


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
    def columns(self) -> tuple[str, ...]:
        """What each column of the matrix holds: `price`, `region = north`."""
        numbers = [field.name for field in self.numbers]
        return (*numbers, *(f"{field.name} = {value}" for field in self.categories for value in field.categories))

    @cached_property
    def field_of_column(self) -> NDArray[np.int64]:
        """For each column of the matrix, the place of its field in `fields`."""
        place = {field.name: i for i, field in enumerate(self.fields)}
        owners = [field.name for field in self.numbers]
        owners += [field.name for field in self.categories for _ in field.categories]
        return np.array([place[name] for name in owners], dtype=np.int64)

    def matrix(self, columns: Columns, rows: int) -> FloatArray:
        """The encoded fields, shape (rows, width)."""
        width = len(self.columns)
        encoded = np.zeros((rows, width + 1))  # the last column takes what is unknown, and is left out
        for i, field in enumerate(self.numbers):
            encoded[:, i] = np.asarray(columns[field.name], dtype=np.float64)
        each = np.arange(rows)
        for field, places in zip(self.categories, self._places, strict=True):
            values, codes = _values_of(columns, field.name, rows)
            place = np.fromiter(map(places.get, values, repeat(width)), dtype=np.int64, count=len(values))
            encoded[each, place[codes]] = 1.0
        return encoded[:, :width]

    @cached_property
    def _places(self) -> tuple[dict[str, int], ...]:
        """For each category field, the column of each of its values."""
        starts = len(self.numbers) + np.cumsum([0, *(len(field.categories) for field in self.categories)])
        return tuple(
            {value: int(start) + i for i, value in enumerate(field.categories)}
            for field, start in zip(self.categories, starts[:-1], strict=True)
        )


def _values_of(columns: Columns, name: str, rows: int) -> tuple[list[Any], NDArray[np.int64]]:
    """Values, and which of them each row has."""
    if isinstance(columns, CodedColumns):
        return columns.codes(name)
    return plain_values(columns[name]), np.arange(rows)


def plain_values(column: Any) -> list[Any]:
    """A column of categories as a list of Python values."""
    values: list[Any] = np.asarray(column, dtype=object).tolist()
    return values


def model_fields(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields that models see."""
    return tuple(field for field in fields if field.in_model)
