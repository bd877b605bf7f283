"""Raw values as values of the declared kinds. A value that cannot be read as its kind becomes missing and is noted.

Blank text and NaN are missing values; infinity is not a number that anybody measured.
"""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables import ColumnKind, Table

ARROW_TYPES: dict[ColumnKind, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}
_WHOLE = r"^[+-]?\d{1,18}(\.0*)?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MOMENT = r"^\d{4}-\d{2}-\d{2}"
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_NUMERIC_TYPES = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
_MOST_IN_A_FLOAT = 2.0**53  # the whole numbers beyond it are not all there


@dataclass(frozen=True)
class Typed:
    """The rows with the declared columns and types; `unreadable` has the same rows, and True where a value was lost."""

    rows: pa.Table
    unreadable: pa.Table


def typed(raw: pa.Table, table: Table) -> Typed:
    """Raw rows in the declared types; `raw` must have every declared column."""
    plain = {column.name: _plain(raw[column.name]) for column in table.columns}
    columns = {column.name: read_as(plain[column.name], column.kind) for column in table.columns}
    lost = {name: pc.and_(pc.is_null(values), _has_value(plain[name])) for name, values in columns.items()}
    return Typed(pa.table(columns), pa.table(lost))


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as they came, as text."""
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type) or pa.types.is_nested(values.type):
        return pa.chunked_array([[_shown(value) for value in values.to_pylist()]], type=pa.string())
    return values.cast(pa.string())


def read_as(values: pa.ChunkedArray, kind: ColumnKind) -> pa.ChunkedArray:
    """Values read as a kind; missing where they are blank or cannot be read."""
    if _is_native(values.type, kind):
        read = values.cast(ARROW_TYPES[kind], safe=False)
        return _finite(read) if kind == "number" else read
    if kind == "integer" and pa.types.is_floating(values.type):
        return _whole(values)
    text = as_text(values)
    if kind == "string":
        return _where(_has_text(text), text)
    return _READERS[kind](pc.utf8_trim_whitespace(text))


def month_number(moment: datetime) -> int:
    """Months since the year 0, so that months can be compared."""
    return moment.year * 12 + moment.month - 1


def month_numbers(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """`month_number` of each moment; missing where the moment is."""
    years, months = pc.year(moments).cast(pa.int32()), pc.month(moments).cast(pa.int32())
    return pc.add(pc.multiply(years, pa.scalar(12, pa.int32())), pc.subtract(months, pa.scalar(1, pa.int32())))


def _is_native(found: pa.DataType, kind: ColumnKind) -> bool:
    """Whether values of a type are of the kind already, so that none can be unreadable but an infinite one."""
    types = pa.types
    natively = {
        "string": False,  # text may be blank
        "integer": (types.is_integer(found) and found != pa.uint64()) or types.is_boolean(found),
        "number": any(is_of(found) for is_of in _NUMERIC_TYPES),
        "boolean": types.is_boolean(found),
        "timestamp": types.is_timestamp(found) or types.is_date(found),
    }
    return bool(natively[kind] or types.is_null(found))


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _shown(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return None if value is None else str(value)


def _has_value(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _has_text(values)
    return pc.invert(pc.is_null(values, nan_is_null=True))


def _has_text(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(text), ""), False)


def _where(condition: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(condition, values, pa.scalar(None, values.type))


def _finite(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    return _where(pc.is_finite(numbers), numbers)


def _whole(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = numbers.cast(pa.float64())
    is_whole = pc.and_(pc.equal(pc.round(numbers), numbers), pc.less_equal(pc.abs(numbers), _MOST_IN_A_FLOAT))
    return _where(is_whole, numbers).cast(pa.int64(), safe=False)


def _integers(text: pa.ChunkedArray) -> pa.ChunkedArray:
    whole = _where(pc.match_substring_regex(text, _WHOLE), text)
    return pc.replace_substring_regex(whole, r"^\+|\.0*$", "").cast(pa.int64())


def _numbers(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return _finite(_where(pc.match_substring_regex(text, _NUMBER), text).cast(pa.float64()))


def _booleans(text: pa.ChunkedArray) -> pa.ChunkedArray:
    lower = pc.utf8_lower(text)
    is_true, is_false = (pc.is_in(lower, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
    return _where(pc.or_(is_true, is_false), is_true)


def _moments(text: pa.ChunkedArray) -> pa.ChunkedArray:
    import pandas as pd  # reads every ISO 8601 form, with and without an offset, in one column

    shaped = _where(pc.match_substring_regex(text, _MOMENT), text)
    read = pd.to_datetime(shaped.to_pandas(), format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    return pa.chunked_array([pa.array(read, type=pa.timestamp("us"), from_pandas=True)])


_READERS = {"integer": _integers, "number": _numbers, "boolean": _booleans, "timestamp": _moments}
