"""Raw rows into the lake, as they came."""

from dataclasses import dataclass

from pipeline.calendar import require_key
from pipeline.declaration import Dataset
from pipeline.lake import Lake
from pipeline.settings import Settings


@dataclass(frozen=True)
class Counts:
    """What came of one table in one month; `dropped` names columns that the declaration does not know."""

    table: str
    key: str
    rows: int
    dropped: tuple[str, ...] = ()


def ingest(dataset: Dataset, table_name: str, key: str, settings: Settings, lake: Lake) -> Counts:
    """Read a month of a table from its source and write it; on any error the file before stays as it was.

    Raises:
        SourceError: the source cannot be read as declared.
    """
    table = dataset.table(table_name)
    rows = dataset.source.read(table, require_key(dataset.calendar, key), settings)
    declared = [column.name for column in table.columns]
    dropped = tuple(name for name in rows.column_names if name not in declared)
    lake.write(rows.drop_columns(list(dropped)) if dropped else rows, "raw", table_name, key)
    return Counts(table_name, key, len(rows), dropped)
