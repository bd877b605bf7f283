"""What a table promises, and whether it kept it in a month. Pure values.

The checks are generated from the declaration; `pipeline/validation.py` turns each about rows into one Great
Expectations expectation, and quarantine, asset checks and Data Docs all come from that one. `pipeline/outcome.py` holds
a month against those about the month.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.calendar import Monthly
from pipeline.declaration import Dataset
from pipeline.tables import Column, ColumnKind, Table, refuse_duplicates

CheckKind = Literal["present", "readable", "range", "category", "unique", "in_month", "in_order", "contract"]
Severity = Literal["blocking", "quarantine"]

READABLE_AS: dict[ColumnKind, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a finite number",
    "boolean": "true or false",
    "timestamp": "a date or time such as 2024-05-31 or 2024-05-31T12:00:00",
}
_MOST_CATEGORIES_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise.

    A row that breaks one of severity "quarantine" is set aside; a month that breaks a "blocking" one is stopped.

    Args:
        name: unique in its table; letters, digits and underscores only.
        columns: what it is about: columns of the table, or figures of the month for kind "contract".
        expected: what a row or a month must show, in words.
    """

    name: str
    kind: CheckKind
    columns: tuple[str, ...]
    expected: str
    severity: Severity = "quarantine"

    @property
    def title(self) -> str:
        """The promise as one line."""
        return f"{', '.join(self.columns)}: expected {self.expected}"


@dataclass(frozen=True, kw_only=True)
class ExpectationResult:
    """What came of one check in one month; `unexpected_count` counts rows, or the month itself if it is blocking."""

    name: str
    column: str
    success: bool
    unexpected_count: int
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What became of one table in one month.

    Args:
        reasons: how many rows were quarantined for each reason; a row may have several.
        contract_broken: why the month must not be used, or None. Nothing trusted is written then.
    """

    table: str
    key: str
    rows_in: int
    rows_trusted: int
    rows_quarantined: int
    reasons: dict[str, int]
    expectations: tuple[ExpectationResult, ...]
    contract_broken: str | None


def checks_of(dataset: Dataset, table_name: str) -> tuple[Check, ...]:
    """Every check of a table: those of its rows in the order of its columns, then those of its months."""
    table = dataset.table(table_name)
    rows = [check for column in table.columns for check in _of_column(column, table)]
    rows.append(_named("key", "is_unique", "unique", table.key, "a key that no earlier good row of the month has"))
    by_month = isinstance(dataset.calendar, Monthly)
    checks = (*rows, *_about_time(table, by_month=by_month), *_of_the_month(table))
    kept = [*(column.name for column in table.columns), "reasons"]
    refuse_duplicates(f"table {table.name!r}, in quarantine, where a column `reasons` is added", "columns", kept)
    refuse_duplicates(f"table {table.name!r}, names of columns without punctuation", "checks", [c.name for c in checks])
    return checks


def _of_column(column: Column, table: Table) -> Iterator[Check]:
    name = column.name
    if not column.nullable or name == table.known_at:
        yield _named(name, "is_present", "present", (name,), "a value")
    if column.kind != "string":
        yield _named(name, "is_readable", "readable", (name,), READABLE_AS[column.kind])
    if column.minimum is not None or column.maximum is not None:
        yield _named(name, "is_in_range", "range", (name,), _range(column))
    if column.categories:
        yield _named(name, "is_a_known_category", "category", (name,), _categories(column))


def _about_time(table: Table, *, by_month: bool) -> Iterator[Check]:
    known, happened = table.known_at, table.happened_at
    if known is None:
        return
    if by_month:
        yield _named(known, "is_in_its_month", "in_month", (known,), "a moment in the month that it was delivered for")
    if happened is not None and happened != known:
        expected = f"no later than {known}: nothing is known before it happens"
        yield _named(happened, "is_not_after_it_was_known", "in_order", (happened, known), expected)


def _of_the_month(table: Table) -> Iterator[Check]:
    """The columns of these checks are figures of the month; see `pipeline.outcome`."""
    figures = (
        ("columns_are_complete", "missing_columns", "0 declared columns missing"),
        ("has_rows", "rows_in", "any number of rows" if table.may_be_empty else "at least 1 row"),
        ("quarantine_is_small", "quarantined_share", f"at most {table.max_quarantined_share:g} of the rows"),
        ("rows_add_up", "rows_accounted_for", "as many rows trusted or quarantined as came in"),
    )
    for name, figure, expected in figures:
        yield Check(name=name, kind="contract", columns=(figure,), expected=expected, severity="blocking")


def _named(subject: str, says: str, kind: CheckKind, columns: tuple[str, ...], expected: str) -> Check:
    name = re.sub(r"[^A-Za-z0-9_]", "_", f"{subject}_{says}")
    return Check(name=name, kind=kind, columns=columns, expected=expected)


def _range(column: Column) -> str:
    if column.maximum is None:
        return f"at least {column.minimum:,.10g}"
    if column.minimum is None:
        return f"at most {column.maximum:,.10g}"
    return f"{column.minimum:,.10g} to {column.maximum:,.10g}"


def _categories(column: Column) -> str:
    if len(column.categories) > _MOST_CATEGORIES_NAMED:
        return f"one of its {len(column.categories)} declared categories"
    return f"one of {', '.join(column.categories)}"
