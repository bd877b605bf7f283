"""The frame of rows that expectations are evaluated on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.calendar import SNAPSHOT, month_start
from pipeline.casting import Typed, month_number, month_numbers
from pipeline.contract import Check
from pipeline.tables import Column, Table

DELIVERED, KNOWN = "month it was delivered for", "month it became known in"


@dataclass(frozen=True)
class Month:
    """A month of a table as it came, and in its declared types. The rows of both are the same."""

    key: str
    raw: pa.Table
    typed: Typed


def frame_of_rows(table: Table, months: Sequence[Month], *, with_every_flag: bool = False) -> pd.DataFrame:
    """The typed rows of some months, the months as numbers, and for each column a flag where a value can be read.

    Unless they are asked for, the flags of a column whose values can all be read are left out.
    """
    rows = pa.concat_tables([month.typed.rows for month in months])
    unreadable = pa.concat_tables([month.typed.unreadable for month in months])
    columns = {column.name: _series(rows[column.name], column) for column in table.columns}
    for name, lost in zip(unreadable.column_names, unreadable.columns, strict=True):
        if with_every_flag or pc.any(lost).as_py():
            columns[flag(name)] = ~lost.to_pandas()
    columns[DELIVERED] = pd.Series(months_of_rows(months))
    if table.known_at is not None:
        columns[KNOWN] = month_numbers(rows[table.known_at]).to_pandas()
    return pd.DataFrame(columns)


def months_of_rows(months: Sequence[Month]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The number of the month that each row was delivered for."""
    numbers = [0 if month.key == SNAPSHOT else month_number(month_start(month.key)) for month in months]
    return np.repeat(np.array(numbers, dtype=np.int64), [len(month.raw) for month in months])


def can_break(check: Check, frame: pd.DataFrame) -> bool:
    """Whether a row of a frame may break a check: none does where all values are there, or could all be read."""
    if check.kind == "present":
        return bool(frame[check.columns[0]].isna().any())
    return check.kind != "readable" or flag(check.columns[0]) in frame


def flag(column: str) -> str:
    """The name of the column that says whether a value could be read."""
    return f"{column} is readable"


def _series(values: pa.ChunkedArray, column: Column) -> "pd.Series[Any]":
    """A column as pandas has it; whole numbers stay whole where some are missing.

    A text without categories is a number, the same for the same text: no check reads it, and whether it is there and
    whether it repeats is found many times as fast.
    """
    if column.kind == "string" and not column.categories:
        values = pa.chunked_array([values.combine_chunks().dictionary_encode().indices.cast(pa.int64())])
    types = {pa.int64(): pd.Int64Dtype()} if values.null_count else {}
    series: pd.Series[Any] = values.to_pandas(types_mapper=types.get, strings_to_categorical=True)
    return series
