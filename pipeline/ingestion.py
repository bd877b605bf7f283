"""Copies a month of a source table into the lake, whole or not at all."""

from dataclasses import dataclass

import pyarrow as pa

from pipeline.calendar import require_key
from pipeline.declaration import Dataset
from pipeline.errors import SourceError
from pipeline.lake import Lake
from pipeline.settings import Settings
from pipeline.source_rows import require_columns
from pipeline.tables import Table


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What came in; `dropped_columns` are the ones that nobody declared, and that are not kept for that reason."""

    table: str
    key: str
    rows: int
    dropped_columns: tuple[str, ...]


def ingest(dataset: Dataset, table_name: str, key: str, settings: Settings, lake: Lake) -> Counts:
    """Read the rows of a month from the dataset's source and write the declared columns as they came.

    On any error nothing is written, and what an earlier run wrote stays.

    Raises:
        ChurnError: the dataset has no such month.
        SourceError: the rows cannot be read, lack a declared column, or there are none.
    """
    table, month = dataset.table(table_name), require_key(dataset.calendar, key)
    rows = dataset.source.read(table, month, settings)
    where = f"dataset {dataset.name!r}, table {table_name!r}, month {month}"
    require_columns(rows, table, where)
    _require_rows(rows, table, where)
    declared = [column.name for column in table.columns]
    lake.write(rows.select(declared), "raw", table_name, month)
    dropped = tuple(name for name in rows.column_names if name not in declared)
    return Counts(table=table_name, key=month, rows=len(rows), dropped_columns=dropped)


def _require_rows(rows: pa.Table, table: Table, where: str) -> None:
    if len(rows) == 0 and not table.may_be_empty:
        raise SourceError(
            where,
            expected="at least one row",
            found="none",
            remedy="Look at the source. If a month without rows is normal here, declare the table with may_be_empty.",
        )
