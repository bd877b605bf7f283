"""What sources do with rows once they have them: checked for their columns, numbered, cut to a month, digested."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.calendar import SNAPSHOT, month_start
from pipeline.errors import SourceError
from pipeline.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa  # imported where it is used: a declaration is read by the service too, which reads no tables


def content_sha256(rows: "pa.Table") -> str:
    """SHA-256 of a table of texts: of its names, and of its rows in the order of their text."""
    columns = [[value or "" for value in column.to_pylist()] for column in rows.columns]
    lines = sorted("\x1f".join(values) for values in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(["\x1f".join(rows.column_names), *lines]).encode()).hexdigest()


def require_columns(rows: "pa.Table", table: Table, where: str) -> None:
    """Raise a SourceError that lists what is missing where not every declared column is there once."""
    names = rows.column_names
    missing = [column.name for column in table.columns if column.name not in names]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if missing:
        raise SourceError(
            where,
            expected=f"a column {', '.join(map(repr, missing))}",
            found=f"only {', '.join(map(repr, names))}",
            remedy="Bring the column back at the source, or correct its name in the declaration.",
        )
    if doubled:
        raise SourceError(
            where,
            expected="columns with different names",
            found=f"{', '.join(map(repr, doubled))} more than once",
            remedy="Rename or remove one of them at the source.",
        )


def refuse_nuls(rows: "pa.Table", where: str) -> None:
    """Raise a SourceError where a text holds a NUL character, which no database takes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_string(column.type) and (place := pc.index(pc.match_substring(column, "\0"), True).as_py()) >= 0:
            raise SourceError(
                f"{where}, column {name!r}, row {place + 1}",
                expected="text",
                found="a NUL character",
                remedy="Correct the value at the source, or get the whole file again.",
            )


def rows_of_month(rows: "pa.Table", table: Table, key: str, where: str) -> "pa.Table":
    """The rows that became known in a month; all of them where there is a single snapshot.

    A row whose time cannot be read stays with the row before it, so that it is quarantined once and not lost.

    Raises:
        SourceError: a declared column is missing, or there is no row of this month.
    """
    import pyarrow.compute as pc

    from pipeline.casting import month_number, month_numbers, read_as

    require_columns(rows, table, where)
    if table.known_at is None or key == SNAPSHOT:
        return rows
    known = month_numbers(read_as(rows[table.known_at], "timestamp"))
    months = pc.fill_null_backward(pc.fill_null_forward(known))
    found = rows.filter(pc.fill_null(pc.equal(months, month_number(month_start(key))), True))
    if len(found) == 0 and not table.may_be_empty:
        raise SourceError(
            where,
            expected=f"rows known in the month {key}",
            found=f"rows known in {_span(months)}" if len(rows) else "no rows at all",
            remedy="Bring the month at the source, or correct the months of the calendar.",
        )
    return found


def numbered(rows: "pa.Table", row_id: str) -> "pa.Table":
    """The rows with their numbers, counted from 1, in a first column `row_id`; as they are where that is empty."""
    import pyarrow as pa

    if not row_id:
        return rows
    width = len(str(len(rows)))
    return rows.add_column(0, row_id, pa.array([f"{i:0{width}d}" for i in range(1, len(rows) + 1)], type=pa.string()))


def without_blanks(rows: "pa.Table", blanks: Mapping[str, str]) -> "pa.Table":
    """The rows with blank values replaced by what they mean."""
    import pyarrow.compute as pc

    for name, meaning in blanks.items():
        if name in rows.column_names:
            is_blank = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(rows[name], "")), "")
            rows = rows.set_column(rows.column_names.index(name), name, pc.if_else(is_blank, meaning, rows[name]))
    return rows


def _span(months: "pa.ChunkedArray") -> str:
    import pyarrow.compute as pc

    first, last = pc.min(months).as_py(), pc.max(months).as_py()
    return f"{first // 12:04d}-{first % 12 + 1:02d} to {last // 12:04d}-{last % 12 + 1:02d}"
