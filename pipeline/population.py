"""Who counts as a customer at a snapshot."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from pipeline.declaration import Active, ActiveWithin, Dataset
from pipeline.engine import scalar
from pipeline.tables import Table, Where


def population_as_of(dataset: Dataset, tables: Mapping[str, ir.Table], as_of: datetime) -> ir.Table:
    """The active customers at `as_of`: one column, `customer_id`, without doubles."""
    population = dataset.population
    table = dataset.table(population.table)
    rows = known(table, tables[table.name], as_of)
    if isinstance(population, Active):
        started = rows.filter(rows[population.started] < as_of)
        ended_table = dataset.table(population.ended_table)
        ended = known(ended_table, tables[ended_table.name], as_of)
        ended = ended.filter(met(ended, population.ended))
        return _customers(table, started).anti_join(_customers(ended_table, ended), "customer_id")
    if isinstance(population, ActiveWithin):
        rows = rows.filter(happened(table, rows, as_of, population.days))
    return _customers(table, rows)


def known(table: Table, rows: ir.Table, as_of: datetime) -> ir.Table:
    """The rows known strictly before `as_of`. Every expression over a table starts here."""
    return rows if table.known_at is None else rows.filter(rows[table.known_at] < as_of)


def happened(table: Table, rows: ir.Table, as_of: datetime, days: int, ended_days_before: int = 0) -> ir.BooleanValue:
    """Whether a row happened in the `days` days that end `ended_days_before` days before `as_of`."""
    until = as_of - timedelta(days=ended_days_before)
    time = rows[table.time_column]
    return (time >= until - timedelta(days=days)) & (time < until)


def met(rows: ir.Table, conditions: Sequence[Where]) -> ir.BooleanValue:
    """Whether a row meets every condition; a missing value meets none."""
    result: ir.BooleanValue = ibis.literal(True)
    for where in conditions:
        result = result & _compared(rows[where.column], where).fill_null(False)
    return result


def _compared(column: ir.Column, where: Where) -> ir.BooleanValue:
    value = scalar(where.value)
    comparisons = {
        "==": lambda: column == value,
        "!=": lambda: column != value,
        ">": lambda: column > value,
        ">=": lambda: column >= value,
        "<": lambda: column < value,
        "<=": lambda: column <= value,
        "in": lambda: column.isin(value),
    }
    return comparisons[where.op]()


def _customers(table: Table, rows: ir.Table) -> ir.Table:
    return rows.select(customer_id=rows[table.customer].cast("string")).distinct()
