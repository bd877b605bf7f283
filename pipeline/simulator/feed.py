"""What can go wrong between the company's systems and the pipeline, and its repair.

The world's own tables stay as they are: a fault damages the rows of a month when they are handed out, until somebody
mends the feed of that month with `repair`. Running the month again then reads it undamaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from upath import UPath

from pipeline.lake import canonical_json, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class UnitChanged:
    """A number arrives in another unit: multiplied by `factor`."""

    table: str
    column: str
    factor: float

    def damaged(self, rows: "pa.Table") -> "pa.Table":
        """The rows as they arrive."""
        import pyarrow.compute as pc

        place = rows.column_names.index(self.column)
        return rows.set_column(place, rows.schema.field(place), pc.multiply(rows[self.column], self.factor))


@dataclass(frozen=True, kw_only=True)
class CategoryRenamed:
    """A category arrives under a name that nobody declared; in every row that has it, or in each `every`-th of them."""

    table: str
    column: str
    old: str
    new: str
    every: int = 1

    def damaged(self, rows: "pa.Table") -> "pa.Table":
        """The rows as they arrive."""
        import numpy as np
        import pyarrow as pa

        place, values = rows.column_names.index(self.column), np.array(rows[self.column].to_pylist(), dtype=object)
        values[np.flatnonzero(values == self.old)[self.every - 1 :: self.every]] = self.new
        return rows.set_column(place, rows.schema.field(place), pa.array(values, type=pa.string()))


@dataclass(frozen=True, kw_only=True)
class ColumnMissing:
    """A column does not arrive."""

    table: str
    column: str

    def damaged(self, rows: "pa.Table") -> "pa.Table":
        """The rows as they arrive."""
        return rows.drop_columns([self.column])


@dataclass(frozen=True, kw_only=True)
class RowsDoubled:
    """Each `every`-th row arrives twice."""

    table: str
    every: int = 1

    def damaged(self, rows: "pa.Table") -> "pa.Table":
        """The rows as they arrive."""
        import pyarrow as pa

        again = pa.array(range(self.every - 1, len(rows), self.every), type=pa.int64())
        return pa.concat_tables([rows, rows.take(again)])


Fault: TypeAlias = UnitChanged | CategoryRenamed | ColumnMissing | RowsDoubled


def handed_out(rows: "pa.Table", faults: Sequence[Fault], root: UPath, key: str) -> "pa.Table":
    """The rows of a month as the feed hands them out: damaged by `faults`, unless it was repaired."""
    if is_repaired(root, key):
        return rows
    for fault in faults:
        rows = fault.damaged(rows)
    return rows


def repair(root: UPath, key: str) -> None:
    """Mend the feed of the month `key` of the dataset in the folder `root`: every table of it, for good."""
    write_atomically(_marker(root, key), canonical_json({"repaired": key}))


def is_repaired(root: UPath, key: str) -> bool:
    """Whether the feed of a month was mended."""
    return bool(_marker(root, key).exists())


def _marker(root: UPath, key: str) -> UPath:
    return root / "world" / "repaired" / f"{key}.json"
