"""Figures about a table that a person wants to see beside it."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake import Lake


def profile(rows: pa.Table) -> list[dict[str, Any]]:
    """One row for each column: missing share, and mean, extremes or the most frequent value."""
    return [_column(name, rows[name]) for name in rows.column_names]


def preview(rows: pa.Table, count: int = 5) -> list[dict[str, Any]]:
    """The first rows, numbers rounded for reading."""
    return [{name: _short(value) for name, value in row.items()} for row in rows.slice(0, count).to_pylist()]


def churn_rates(lake: Lake, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Customers and churn rate of labelled snapshots."""
    return [_churn_rate(key, lake.read("labels", "customers", key)) for key in keys]


def _churn_rate(key: str, labels: pa.Table) -> dict[str, Any]:
    churned = pc.sum(labels["churned"]).as_py() or 0
    return {"snapshot": key, "customers": len(labels), "churned": churned, "rate": _short(churned / max(1, len(labels)))}


def _column(name: str, values: pa.ChunkedArray) -> dict[str, Any]:
    missing = values.null_count / max(1, len(values))
    shown: dict[str, Any] = {"column": name, "missing share": _short(missing), "mean": None, "least": None, "most": None}
    if pa.types.is_floating(values.type):
        extremes = pc.min_max(values).as_py()
        shown |= {"mean": _short(pc.mean(values).as_py()), "least": _short(extremes["min"]), "most": _short(extremes["max"])}
    return shown


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
