"""Which expectation of Great Expectations holds each check, and on which columns of the frame. Names and values only.

`pipeline/validation.py` makes and runs them; the frames are those of `pipeline/check_frame.py`.
"""

from typing import Any

from pipeline.check_frame import DELIVERED, KNOWN, flag
from pipeline.contract import Check
from pipeline.tables import Column, Table

Expectation = tuple[str, dict[str, Any]]


def expectation_of(check: Check, table: Table) -> Expectation:
    """The name of the expectation behind a check, and its arguments."""
    if check.kind == "contract":
        return _of_the_month(check, table)
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


def _of_the_month(check: Check, table: Table) -> Expectation:
    figure = check.columns[0]
    if figure == "rows_accounted_for":
        return "ExpectColumnPairValuesToBeEqual", {"column_A": figure, "column_B": "rows_in"}
    limits: dict[str, dict[str, float]] = {
        "missing_columns": {"max_value": 0},
        "rows_in": {"min_value": 0 if table.may_be_empty else 1},
        "quarantined_share": {"max_value": table.max_quarantined_share},
    }
    return "ExpectColumnValuesToBeBetween", {"column": figure, **limits[figure]}
