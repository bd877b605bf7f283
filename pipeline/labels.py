"""What happened after a snapshot, once enough time has passed to know it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import ibis.expr.types as ir
import pyarrow as pa

from pipeline.declaration import Dataset
from pipeline.engine import opened, sorted_rows
from pipeline.errors import NotMatureError
from pipeline.label_kinds import ColumnLabel, EventLabel
from pipeline.lake import Lake
from pipeline.population import met, population_as_of

CODE_VERSION = "1"


def matured(dataset: Dataset, run_key: str) -> list[str]:
    """The snapshots whose labels are known when the month `run_key` closes, oldest first."""
    calendar = dataset.calendar
    now = calendar.as_of(run_key)
    return [key for key in calendar.snapshots(run_key) if dataset.label.mature_at(calendar.as_of(key)) <= now]


def newly_matured(dataset: Dataset, run_key: str) -> list[str]:
    """The snapshots whose labels became known in the month `run_key`."""
    keys = dataset.calendar.keys()
    place = keys.index(run_key)
    before = set(matured(dataset, keys[place - 1])) if place else set()
    return [key for key in matured(dataset, run_key) if key not in before]


def build_labels(dataset: Dataset, lake: Lake, snapshot_key: str, run_key: str) -> pa.Table:
    """Who of the snapshot's customers churned, as known when the month `run_key` closes, sorted by customer.

    Columns: `customer_id` (string), `churned` (bool).

    Raises:
        NotMatureError: the label is not known yet.
    """
    calendar = dataset.calendar
    wanted = {dataset.population.table, dataset.label.table, getattr(dataset.population, "ended_table", None)} - {None}
    first_keys = {name: calendar.keys()[0] for name in sorted(str(name) for name in wanted)}
    with opened(dataset, lake, first_keys, run_key) as tables:
        as_of, now = calendar.as_of(snapshot_key), calendar.as_of(run_key)
        return sorted_rows(labels_as_of(dataset, tables, as_of, now))


def write_labels(dataset: Dataset, lake: Lake, known_in: Mapping[str, str], threads: int) -> None:
    """Build and write labels, `threads` snapshots at a time; `known_in` gives the month in which each is known."""

    def write(snapshot_key: str) -> None:
        rows = build_labels(dataset, lake, snapshot_key, known_in[snapshot_key])
        lake.write(rows, "labels", "customers", snapshot_key)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, known_in))  # the list raises what a thread raised


def labels_as_of(dataset: Dataset, tables: Mapping[str, ir.Table], as_of: datetime, now: datetime) -> ir.Table:
    """The expression behind `build_labels`.

    A label uses the rows known when it matured, so it is the same whenever it is built afterwards.
    """
    label = dataset.label
    mature_at = label.mature_at(as_of)
    if now < mature_at:
        raise NotMatureError(
            f"labels of the snapshot at {as_of:%Y-%m-%d}",
            expected=f"to be asked at {mature_at:%Y-%m-%d} or later: {label.horizon_days} days of horizon and "
            f"{label.settle_days} days for late rows",
            found=f"{now:%Y-%m-%d}",
            remedy="Wait until the horizon has passed; a customer who has not left yet is not one who stayed.",
        )
    customers = population_as_of(dataset, tables, as_of)
    seen = _customers_with_a_row(dataset, tables, as_of)
    joined = customers.left_join(seen, "customer_id")
    has_row = joined["customer_id_right"].notnull()
    churned = has_row if isinstance(label, EventLabel | ColumnLabel) else ~has_row
    return joined.select("customer_id", churned=churned)


def _customers_with_a_row(dataset: Dataset, tables: Mapping[str, ir.Table], as_of: datetime) -> ir.Table:
    """The customers with a row that the label asks about."""
    label = dataset.label
    table = dataset.table(label.table)
    rows = tables[label.table]
    if isinstance(label, ColumnLabel):
        rows = rows.filter((rows[label.column] == label.positive).fill_null(False))
    else:
        time, until = rows[table.time_column], as_of + timedelta(days=label.horizon_days)
        rows = rows.filter((rows[table.known_at] < label.mature_at(as_of)) & (time >= as_of) & (time < until))
        rows = rows.filter(met(rows, label.where)) if isinstance(label, EventLabel) else rows
    return rows.select(customer_id=rows[table.customer].cast("string")).distinct()
