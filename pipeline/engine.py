"""Trusted tables as Ibis tables on an embedded DuckDB. The expressions themselves name no engine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from pipeline.declaration import Dataset
from pipeline.errors import SourceError
from pipeline.lake import Lake


@contextmanager
def opened(dataset: Dataset, lake: Lake, first_keys: Mapping[str, str], last_key: str) -> Iterator[dict[str, ir.Table]]:
    """The trusted tables named in `first_keys`, each from its first month to `last_key`.

    One thread: with two, DuckDB adds floats in another order at each run, and features would not repeat to the bit.

    Raises:
        SourceError: a month of a table is not there, so a feature would silently be too small; or its file is damaged.
    """
    connection = ibis.duckdb.connect(threads=1)
    if lake.root.protocol not in ("", "file", "local"):
        connection.register_filesystem(lake.root.fs)
    try:
        yield {
            name: connection.read_parquet(_paths(dataset, lake, name, first, last_key), table_name=name)
            for name, first in first_keys.items()
        }
    except (duckdb.InvalidInputException, duckdb.IOException) as error:  # also while the expression runs
        raise SourceError(
            f"trusted tables of {dataset.name!r}",
            expected="whole Parquet files",
            found=" ".join(str(error).split())[:300],
            remedy="Remove the damaged file and run the month again: what is missing of earlier months is made anew.",
        ) from error
    finally:
        connection.disconnect()


def sorted_rows(expression: ir.Table) -> pa.Table:
    """The rows of an expression in the order of `customer_id`, so that the same rows give the same bytes."""
    return expression.order_by("customer_id").to_pyarrow()


def _paths(dataset: Dataset, lake: Lake, table: str, first: str, last: str) -> list[str]:
    wanted = [key for key in dataset.calendar.keys() if first <= key <= last]
    present = set(lake.keys("trusted", table))
    missing = [key for key in wanted if key not in present]
    if missing:
        raise SourceError(
            f"trusted table {table!r}",
            expected=f"every month from {first} to {last}",
            found=f"no {', '.join(missing)}",
            remedy="Ingest and validate those months; if one broke its contract, repair the source and run it again.",
        )
    return [str(lake.path("trusted", table, key)) for key in wanted]


def scalar(value: Any) -> Any:
    """A value that Ibis can compare a column with."""
    return list(value) if isinstance(value, tuple) else value
