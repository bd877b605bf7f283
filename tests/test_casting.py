"""Raw values become values of the declared kinds, or missing and noted as unreadable."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipeline.casting import month_number, month_numbers, read_as, typed
from pipeline.tables import Column, ColumnKind, Table


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "007", 7),
        ("integer", "+5", 5),
        ("integer", "-3", -3),
        ("integer", "5.0", 5),
        ("integer", "5.5", None),
        ("integer", "999999999999999999", 999_999_999_999_999_999),
        ("integer", "1e3", None),
        ("number", " 8.25 ", 8.25),
        ("number", ".5", 0.5),
        ("number", "1e3", 1000.0),
        ("number", "1e999", None),
        ("number", "inf", None),
        ("number", "1,5", None),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", "2", None),
        ("timestamp", "2024-02-29", datetime(2024, 2, 29)),
        ("timestamp", "2024-02-29T12:30:00Z", datetime(2024, 2, 29, 12, 30)),
        ("timestamp", "2024-02-29 12:30:00.5+02:00", datetime(2024, 2, 29, 10, 30, 0, 500_000)),
        ("timestamp", "9999-12-31", datetime(9999, 12, 31)),
        ("timestamp", "2024-02-30", None),
        ("timestamp", "29.02.2024", None),
        ("timestamp", "2024", None),
        ("string", " kept as it is ", " kept as it is "),
        ("string", "  ", None),
    ],
)
def test_text_is_read_as_its_kind_or_not_at_all(kind: ColumnKind, text: str, value: Any) -> None:
    assert read_as(pa.chunked_array([[text]]), kind).to_pylist() == [value]


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        ("integer", pa.array([1.0, 2.5, float("nan"), float("inf")]), [1, None, None, None]),
        ("integer", pa.array([True, False]), [1, 0]),
        ("number", pa.array([1, None]), [1.0, None]),
        ("number", pa.array([1.5, float("nan"), float("inf")]), [1.5, None, None]),
        ("string", pa.array([12, 7]), ["12", "7"]),
        ("string", pa.array([b"caf\xc3\xa9", b"\xff"]), ["café", "\\xff"]),
        ("string", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        ("boolean", pa.array([1, 0, 3]), [True, False, None]),
        ("timestamp", pa.array([date(2024, 1, 2)]), [datetime(2024, 1, 2)]),
        ("timestamp", pa.array([datetime(2024, 1, 2, tzinfo=UTC)]), [datetime(2024, 1, 2)]),
        ("timestamp", pa.array([20240102]), [None]),
        ("number", pa.array([None], type=pa.null()), [None]),
    ],
)
def test_values_of_other_types_are_read_where_they_mean_the_same(
    kind: ColumnKind, values: pa.Array, read: list[Any]
) -> None:
    table = Table(name="t", key=("a",), customer="a", columns=(Column("a", kind),))
    assert typed(pa.table({"a": values}), table).rows["a"].to_pylist() == read


def test_unreadable_is_not_missing() -> None:
    table = Table(name="t", key=("a",), customer="a", columns=(Column("a", "number"),))
    found = typed(pa.table({"a": ["1", "one", "", None]}), table)
    assert found.rows["a"].to_pylist() == [1.0, None, None, None]
    assert found.unreadable["a"].to_pylist() == [False, True, False, False]


def test_months_are_numbered_without_gaps() -> None:
    moments = pa.chunked_array([[datetime(2023, 12, 31, 23, 59), datetime(2024, 1, 1), None]])
    assert month_numbers(moments).to_pylist() == [2023 * 12 + 11, 2024 * 12, None]
    assert month_number(datetime(2024, 1, 31)) == 2024 * 12
