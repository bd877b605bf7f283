"""Figures about a table that a person wants to see beside it."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from pipeline.lake import Lake


def profile(rows: pa.Table) -> list[dict[str, Any]]:
    """One row for each column: missing share, and mean, extremes or the most frequent value."""
    return [_column(name, rows[name]) for name in rows.column_names]


def preview(rows: pa.Table, count: int = 5) -> list[dict[str, Any]]:
    """The first rows, numbers rounded for reading."""
    return [{name: _short(value) for name, value in row.items()} for row in rows.slice(0, count).to_pylist()]


def rows_of_file(path: UPath) -> int:
    """How many rows a Parquet file has, from its footer."""
    with path.open("rb") as file:
        return int(pq.read_metadata(file).num_rows)


def churn_rates(lake: Lake, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Customers and churn rate of labelled snapshots."""
    return [_churn_rate(key, lake.read("labels", "customers", key)) for key in keys]


def _churn_rate(key: str, labels: pa.Table) -> dict[str, Any]:
    churned = pc.sum(labels["churned"]).as_py() or 0
    rate = _short(churned / max(1, len(labels)))
    return {"snapshot": key, "customers": len(labels), "churned": churned, "rate": rate}


def _column(name: str, values: pa.ChunkedArray) -> dict[str, Any]:
    known = values.drop_null()
    shown: dict[str, Any] = {"column": name, "missing share": _short(1 - len(known) / max(1, len(values)))}
    shown |= {"distinct": pc.count_distinct(known).as_py(), "mean": None, "least": None, "most": None, "usual": None}
    if len(known) == 0:
        return shown
    if pa.types.is_string(values.type):
        return shown | {"usual": _most_frequent(known)}
    extremes = {name: _short(value) for name, value in pc.min_max(known).as_py().items()}
    is_number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
    mean = _short(pc.mean(known).as_py()) if is_number else None
    return shown | {"mean": mean, "least": extremes["min"], "most": extremes["max"]}


def _most_frequent(known: pa.ChunkedArray) -> str | None:
    """The most frequent text; None where all differ, as ids do."""
    counts = pc.value_counts(known)
    most = pc.max(counts.field("counts")).as_py()
    return str(counts.field("values")[pc.index(counts.field("counts"), most).as_py()]) if most > 1 else None


def _short(value: Any) -> Any:
    """A number as four digits; a moment as text."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, str | int | None) else str(value)
