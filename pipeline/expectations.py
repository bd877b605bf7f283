"""Which expectation of Great Expectations holds each check of rows, and on which columns. Names and values only.

`pipeline/validation.py` makes and runs them; the frame is that of `pipeline/check_frame.py`.
"""

from typing import Any

from pipeline.check_frame import DELIVERED, KNOWN, flag
from pipeline.contract import Check
from pipeline.tables import Column, Table

Expectation = tuple[str, dict[str, Any]]


def expectation_of(check: Check, table: Table) -> Expectation:
    """The name of the expectation behind a check of rows, and its arguments."""
    if check.kind in ("unique", "in_month", "in_order"):
        return _of_columns(check, table)
    return _of_a_column(check, table.column(check.columns[0]))


def _of_a_column(check: Check, column: Column) -> Expectation:
    if check.kind == "present":
        return "ExpectColumnValuesToNotBeNull", {"column": column.name}
    if check.kind == "readable":
        return "ExpectColumnValuesToBeInSet", {"column": flag(column.name), "value_set": [True]}
    if check.kind == "category":
        return "ExpectColumnValuesToBeInSet", {"column": column.name, "value_set": list(column.categories)}
    limits = {"min_value": column.minimum, "max_value": column.maximum}
    return "ExpectColumnValuesToBeBetween", {"column": column.name, **limits}


def _of_columns(check: Check, table: Table) -> Expectation:
    if check.kind == "unique":
        columns = {"column_list": [DELIVERED, *table.key]}
        return "ExpectCompoundColumnsToBeUnique", {**columns, "ignore_row_if": "any_value_is_missing"}
    skipped = {"ignore_row_if": "either_value_is_missing"}  # what is missing is another check's business
    if check.kind == "in_month":
        return "ExpectColumnPairValuesToBeEqual", {"column_A": DELIVERED, "column_B": KNOWN, **skipped}
    happened, known = check.columns
    pair = {"column_A": known, "column_B": happened, "or_equal": True}
    return "ExpectColumnPairValuesAToBeGreaterThanB", {**pair, **skipped}
