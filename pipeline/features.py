"""Features as of a snapshot: one Ibis expression over the trusted tables.

Every kind starts from the rows known strictly before `as_of`, so a feature cannot see the future by construction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from pipeline.calendar import Monthly
from pipeline.declaration import Active, ActiveWithin, Dataset
from pipeline.engine import opened, sorted_rows
from pipeline.feature_kinds import Attribute, Count, DaysSince, Feature, Latest, Mean, Share, Sum, Trend
from pipeline.lake import Lake
from pipeline.population import happened, known, met, population_as_of
from pipeline.tables import Table

CODE_VERSION = "1"


def build_features(dataset: Dataset, lake: Lake, key: str) -> pa.Table:
    """What was known about each active customer at the snapshot `key`, sorted by customer.

    Columns: `customer_id` (string), then the features in the order of declaration (float64, or string for a category).
    """
    as_of = dataset.calendar.as_of(key)
    with opened(dataset, lake, _first_keys(dataset, as_of), key) as tables:
        return sorted_rows(features_as_of(dataset, tables, as_of))


def write_features(dataset: Dataset, lake: Lake, keys: Sequence[str], threads: int) -> None:
    """Build and write the features of several snapshots, `threads` at a time; each has an engine of its own."""

    def write(key: str) -> None:
        lake.write(build_features(dataset, lake, key), "features", "customers", key)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, keys))  # the list raises what a thread raised


def features_as_of(dataset: Dataset, tables: Mapping[str, ir.Table], as_of: datetime) -> ir.Table:
    """The expression behind `build_features`; runs on whichever engine the tables live on."""
    joined = population_as_of(dataset, tables, as_of)
    for i, part in enumerate(_parts(dataset, tables, as_of)):
        joined = joined.left_join(part, "customer_id", rname=f"{{name}}_{i}")
    return joined.select("customer_id", *(_finished(joined, dataset, feature) for feature in dataset.features))


def _parts(dataset: Dataset, tables: Mapping[str, ir.Table], as_of: datetime) -> Iterator[ir.Table]:
    """One small table for each way of grouping rows: `customer_id` and the features that come out of it."""
    for table in dataset.tables:
        features = [feature for feature in dataset.features if feature.table == table.name]
        if features:
            rows = known(table, tables[table.name], as_of)
            latest = [feature for feature in features if isinstance(feature, Latest)]
            if others := [feature for feature in features if not isinstance(feature, Latest)]:
                yield _aggregated(table, rows, others, as_of)
            for where in dict.fromkeys(feature.where for feature in latest):
                yield _latest(table, rows, [feature for feature in latest if feature.where == where])


def _aggregated(table: Table, rows: ir.Table, features: list[Feature], as_of: datetime) -> ir.Table:
    values = {feature.name: AGGREGATES[type(feature)](table, rows, feature, as_of) for feature in features}
    return rows.group_by(customer_id=rows[table.customer].cast("string")).aggregate(**values)


def _latest(table: Table, rows: ir.Table, features: list[Latest]) -> ir.Table:
    """Features that look at the same rows, from the newest row of each customer."""
    rows = rows.filter(met(rows, features[0].where))
    # rows of the same moment are told apart by their key, so that the answer does not depend on their order on disk
    newest_first = [ibis.desc(rows[name]) for name in (table.time_column, *table.key)]
    place = ibis.row_number().over(ibis.window(group_by=rows[table.customer], order_by=newest_first))
    first = rows.mutate(_place=place).filter(ibis._._place == 0)
    values = {feature.name: first[feature.column] for feature in features}
    return first.select(customer_id=first[table.customer].cast("string"), **values)


def _attribute(table: Table, rows: ir.Table, feature: Attribute, as_of: datetime) -> ir.Value:  # noqa: ARG001
    # one row a customer: any aggregate returns its value, and max is the same whatever the order of rows
    return rows[feature.column].max(where=met(rows, feature.where))


def _count(table: Table, rows: ir.Table, feature: Count, as_of: datetime) -> ir.Value:
    return rows.count(where=happened(table, rows, as_of, feature.days) & met(rows, feature.where))


def _sum(table: Table, rows: ir.Table, feature: Sum, as_of: datetime) -> ir.Value:
    return _number(rows, feature.column).sum(
        where=happened(table, rows, as_of, feature.days) & met(rows, feature.where)
    )


def _mean(table: Table, rows: ir.Table, feature: Mean, as_of: datetime) -> ir.Value:
    return _number(rows, feature.column).mean(
        where=happened(table, rows, as_of, feature.days) & met(rows, feature.where)
    )


def _share(table: Table, rows: ir.Table, feature: Share, as_of: datetime) -> ir.Value:
    seen = happened(table, rows, as_of, feature.days) & met(rows, feature.where)
    return met(rows, [feature.of]).cast("float64").mean(where=seen)


def _days_since(table: Table, rows: ir.Table, feature: DaysSince, as_of: datetime) -> ir.Value:
    time = rows[feature.column or table.time_column]
    # a timestamp in the row may lie after the snapshot (a contract's end): only the past counts as "since"
    seen = met(rows, feature.where) & (time < as_of)
    if feature.days is not None:
        seen = seen & (time >= as_of - timedelta(days=feature.days))
    last = time.max(where=seen)
    return ibis.literal(as_of, type="timestamp").delta(last, unit="second").cast("float64") / 86400.0


def _trend(table: Table, rows: ir.Table, feature: Trend, as_of: datetime) -> ir.Value:
    value, meets = _number(rows, feature.column), met(rows, feature.where)
    recent = value.sum(where=meets & happened(table, rows, as_of, feature.recent_days)).fill_null(0.0)
    earlier_rows = happened(table, rows, as_of, feature.earlier_days, ended_days_before=feature.recent_days)
    earlier = value.sum(where=meets & earlier_rows)
    return (recent / float(feature.recent_days)) / (earlier.nullif(0.0) / float(feature.earlier_days))


AGGREGATES: dict[type[Feature], Callable[..., ir.Value]] = {
    Attribute: _attribute,
    Count: _count,
    Sum: _sum,
    Mean: _mean,
    Share: _share,
    DaysSince: _days_since,
    Trend: _trend,
}


def _number(rows: ir.Table, column: str) -> ir.Value:
    return rows[column].cast("float64")


def _finished(joined: ir.Table, dataset: Dataset, feature: Feature) -> ir.Value:
    column = joined[feature.name]
    if isinstance(feature, Count | Sum):
        column = column.fill_null(0)  # no row at all means none, not unknown
    is_category = feature.field(dataset.table(feature.table)).kind == "category"
    return column.cast("string" if is_category else "float64").name(feature.name)


def _first_keys(dataset: Dataset, as_of: datetime) -> dict[str, str]:
    """The first month that each table must be read from: a table seen through windows only needs no older rows."""
    return {table.name: _first_key(dataset, table, as_of) for table in dataset.tables if _is_read(dataset, table)}


def _first_key(dataset: Dataset, table: Table, as_of: datetime) -> str:
    calendar = dataset.calendar
    reach = [_reach_days(feature) for feature in dataset.features if feature.table == table.name]
    reach += _population_reach_days(dataset, table)
    if not isinstance(calendar, Monthly) or not reach or None in reach:
        return calendar.keys()[0]
    # a row is filed under the month in which it became known, which is never before it happened
    oldest = as_of - timedelta(days=max(days for days in reach if days is not None))
    return max(calendar.first, oldest.strftime("%Y-%m"))


def _reach_days(feature: Feature) -> int | None:
    """How far back a feature looks, in days; None where it sees all history, or counts from a moment within a row."""
    if isinstance(feature, DaysSince) and feature.column is not None:
        return None
    return sum(feature.windows_days()) or None


def _population_reach_days(dataset: Dataset, table: Table) -> list[int | None]:
    population = dataset.population
    if isinstance(population, ActiveWithin) and population.table == table.name:
        return [population.days]
    if population.table == table.name or (isinstance(population, Active) and population.ended_table == table.name):
        return [None]
    return []


def _is_read(dataset: Dataset, table: Table) -> bool:
    return bool(_population_reach_days(dataset, table)) or any(f.table == table.name for f in dataset.features)
