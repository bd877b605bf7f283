"""The frame of rows that expectations are evaluated on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.calendar import SNAPSHOT, month_start
from pipeline.casting import Typed, month_number, month_numbers
from pipeline.contract import Check, CheckKind
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


def can_break(check: Check, table: Table, frame: pd.DataFrame) -> bool:
    """Whether some row of a frame may break a check, by a look at whole columns; rather once too often than too rarely.

    An expectation takes ten milliseconds, however few the rows, and copies of the frame where they are many.
    """
    return _CAN_BREAK[check.kind](check, table, frame)


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


def _may_be_unknown(check: Check, table: Table, frame: pd.DataFrame) -> bool:
    name = check.columns[0]
    return not set(frame[name].dropna().unique()) <= set(table.column(name).categories)


def _may_be_outside(check: Check, table: Table, frame: pd.DataFrame) -> bool:
    column, values = table.column(check.columns[0]), frame[check.columns[0]].dropna()
    if values.empty:
        return False
    least, most = values.min().item(), values.max().item()  # which Python compares exactly, where pandas rounds
    return (column.minimum is not None and least < column.minimum) or (
        column.maximum is not None and most > column.maximum
    )


def _may_repeat(_check: Check, table: Table, frame: pd.DataFrame) -> bool:
    return bool(frame.duplicated([DELIVERED, *table.key]).any())


def _may_be_of_another_month(_check: Check, _table: Table, frame: pd.DataFrame) -> bool:
    known = frame[[DELIVERED, KNOWN]].dropna()
    return bool((known[DELIVERED] != known[KNOWN]).any())


def _may_be_early(check: Check, _table: Table, frame: pd.DataFrame) -> bool:
    happened, known = check.columns
    return bool((frame[happened] > frame[known]).any())


_CAN_BREAK: Mapping[CheckKind, Callable[[Check, Table, pd.DataFrame], bool]] = {
    "present": lambda check, _table, frame: bool(frame[check.columns[0]].isna().any()),
    "readable": lambda check, _table, frame: flag(check.columns[0]) in frame,
    "category": _may_be_unknown,
    "range": _may_be_outside,
    "unique": _may_repeat,
    "in_month": _may_be_of_another_month,
    "in_order": _may_be_early,
}
