"""Where raw rows come from: files that a user has, and tables that a library fetches or carries.

A database or an API is one more class with a `read` like these; see `pipeline.declaration.Source`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from pipeline.declaration import Source
from pipeline.errors import SourceError
from pipeline.settings import Settings
from pipeline.source_rows import (
    content_sha256,
    numbered,
    refuse_nuls,
    require_columns,
    rows_of_month,
    without_blanks,
)
from pipeline.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa  # imported where it is used: a declaration is read by the service too, which reads no tables

PathLike = str | Path | UPath
PathOf = PathLike | Callable[[Settings], PathLike]


@dataclass(frozen=True, kw_only=True)
class CsvSource:
    """One CSV file that holds one table. Every value is read as text; its declared kind is held against it later.

    Args:
        path: the file, or a function that gives it from the settings.
        sha256: of the file's bytes, where it must be that one file.
        delimiter: what stands between two values.
        row_id: name of a column to be made from the number of the row, for a file without an id. Such ids only mean
            the same customers as long as the file keeps its rows in order.
        blanks: what an empty value means, by column, where it means something.
        otherwise: what to read where `path` is empty.
    """

    path: PathOf
    sha256: str = ""
    delimiter: str = ","
    row_id: str = ""
    blanks: Mapping[str, str] = field(default_factory=dict)
    otherwise: Source | None = None

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` that became known in the month `key`; see `Source`."""
        from pipeline.csv_text import table_from_csv

        path = _resolved(self.path, settings)
        if path is None:
            return self._read_otherwise(table, key, settings)
        where = f"file {path}, table {table.name!r}"
        content = _bytes(path, where)
        _require_sha256(content, self.sha256, where)
        rows = numbered(table_from_csv(content, where, self.delimiter), self.row_id)
        return rows_of_month(without_blanks(rows, self.blanks), table, key, where)

    def _read_otherwise(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        if self.otherwise is None:
            raise SourceError(
                f"table {table.name!r}",
                expected="the path of a CSV file",
                found="an empty one",
                remedy="Set it where the dataset's module takes it from.",
            )
        return self.otherwise.read(table, key, settings)


@dataclass(frozen=True, kw_only=True)
class FolderSource:
    """A folder with one Parquet or CSV file for each table, or one for each table and month.

    A table `usage` is looked for, for the month 2025-06, as `usage/2025-06.parquet`, `usage/2025-06.csv`,
    `usage.parquet` and `usage.csv`. From a file of several months the rows known in the month are taken, which reads
    the file once for each month: give large tables one file a month.
    """

    folder: PathOf

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` that became known in the month `key`; see `Source`."""
        folder = _resolved(self.folder, settings) or UPath(".")
        of_month = _first_there(folder / table.name / f"{key}{suffix}" for suffix in _READERS)
        path = of_month or _first_there(folder / f"{table.name}{suffix}" for suffix in _READERS)
        if path is None:
            raise _no_file(folder, table, key)
        where = f"file {path}, table {table.name!r}"
        rows = _READERS[path.suffix](_bytes(path, where), where)
        require_columns(rows, table, where)
        # a month's own file is taken as it is: a row in it that belongs to another month must come to light
        return rows if of_month else rows_of_month(rows, table, key, where)


@dataclass(frozen=True, kw_only=True)
class FetchedSource:
    """A table that a library fetches or carries.

    Args:
        fetch: gives the table, all of it, as text.
        named: what is fetched from where, for errors.
        sha256: of its content; see `content_sha256`.
        remedy: what to do where it cannot be fetched.
        row_id, blanks: as in `CsvSource`.
    """

    fetch: Callable[[Settings], "pa.Table"]
    named: str
    sha256: str
    remedy: str
    row_id: str = ""
    blanks: Mapping[str, str] = field(default_factory=dict)

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` that became known in the month `key`; see `Source`."""
        where = f"{self.named}, table {table.name!r}"
        try:
            rows = self.fetch(settings)
        except (OSError, ValueError) as error:
            raise SourceError(
                where,
                expected="to be fetched",
                found=f"{type(error).__name__}: {str(error)[:200]}",
                remedy=self.remedy,
            ) from error
        found = content_sha256(rows)
        if found != self.sha256:
            raise SourceError(where, expected=f"content with SHA-256 {self.sha256}", found=found, remedy=self.remedy)
        return rows_of_month(without_blanks(numbered(rows, self.row_id), self.blanks), table, key, where)


def _resolved(path: PathOf, settings: Settings) -> UPath | None:
    found = path(settings) if callable(path) else path
    if not str(found):
        return None
    return UPath(found) if "://" in str(found) else UPath(Path(str(found)).expanduser().absolute())


def _bytes(path: UPath, where: str) -> bytes:
    if not path.is_file():
        raise SourceError(where, expected="a file", found="none", remedy="Check the path.")
    return path.read_bytes()


def _require_sha256(content: bytes, sha256: str, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise SourceError(
            where, expected=f"SHA-256 {sha256}", found=found, remedy="It is another file, or damaged: get it again."
        )


def _from_csv(content: bytes, where: str) -> "pa.Table":
    from pipeline.csv_text import table_from_csv

    return table_from_csv(content, where)


def _from_parquet(content: bytes, where: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            where,
            expected="a whole Parquet file",
            found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            remedy="It is damaged or cut short: get it again.",
        ) from error
    refuse_nuls(rows, where)
    return rows


_READERS: dict[str, Callable[[bytes, str], "pa.Table"]] = {".parquet": _from_parquet, ".csv": _from_csv}


def _first_there(paths: Iterable[UPath]) -> UPath | None:
    return next((path for path in paths if path.is_file()), None)


def _no_file(folder: UPath, table: Table, key: str) -> SourceError:
    months = folder / table.name
    there = sorted(path.stem for path in months.iterdir() if path.suffix in _READERS) if months.is_dir() else []
    return SourceError(
        f"folder {folder}, table {table.name!r}, month {key}",
        expected=f"{table.name}/{key}.parquet, {table.name}/{key}.csv, {table.name}.parquet or {table.name}.csv",
        found=f"the months {there[0]} to {there[-1]}" if there else "none of them",
        remedy="Put the file there, or correct the folder or the months of the calendar.",
    )
