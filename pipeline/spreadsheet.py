"""Tables for people who open them in a spreadsheet."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


def as_csv(table: pa.Table, *, decimals: Mapping[str, int]) -> bytes:
    """A table as CSV in UTF-8: numbers rounded to two decimals or as said, and no text that would run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    columns = [
        [_cell(value, decimals.get(name, 2)) for value in table[name].to_pylist()] for name in table.column_names
    ]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _cell(value: Any, decimals: int) -> Any:
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
