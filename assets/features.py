"""What was known about each customer at a snapshot, and what became known of those before."""

from pathlib import Path

import dagster as dg

from assets.metadata import months, table_of
from assets.work import TEAM_ML, Work
from pipeline.calendar import Monthly
from pipeline.code_version import code_version

MONITORING = Path(__file__).parents[1] / "monitoring"


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`customer_features`, `feature_sketch` and `matured_labels`."""
    return [_customer_features(work), _feature_sketch(work), _matured_labels(work)]


def _customer_features(work: Work) -> dg.AssetsDefinition:
    dataset = work.dataset

    @work.tables(
        "features",
        freshness_policy=work.freshness,
        deps=work.after([f"trusted_{table.name}" for table in dataset.tables], _history_months(work)),
        description="One row for each active customer, from rows known strictly before the month closed.",
        owners=TEAM_ML,
        kinds={"ibis", "duckdb", "parquet"},
        code_version=code_version("features", "population", "engine", declared=dataset.features),
    )
    def customer_features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.features import write_features

        keys = [key for key in context.partition_keys if key in dataset.calendar.snapshots(key)]
        write_features(dataset, work.lake, keys, work.settings.threads)
        return months(context, work, "features", "customers", keys)

    return customer_features


def _feature_sketch(work: Work) -> dg.AssetsDefinition:
    @work.tables(
        "features",
        deps=["customer_features"],
        description="Quantiles, shares and correlations of the month's features: what drift is measured on.",
        owners=TEAM_ML,
        kinds={"parquet", "json"},
        code_version=code_version("sketches", "sketching", declared=work.dataset.features, folder=MONITORING),
    )
    def feature_sketch(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from monitoring.reference import write_sketches

        keys = [key for key in context.partition_keys if key in work.dataset.calendar.snapshots(key)]
        sketches = write_sketches(work.dataset, work.lake, keys, threads=work.settings.threads)
        return dg.MaterializeResult(metadata={"dagster/row_count": sum(sketch.rows for sketch in sketches)})

    return feature_sketch


def _matured_labels(work: Work) -> dg.AssetsDefinition:
    dataset = work.dataset

    @work.tables(
        "features",
        deps=work.after([f"trusted_{table.name}" for table in dataset.tables], _history_months(work)),
        description="Who churned, for the snapshots whose horizon ended in the month.",
        owners=TEAM_ML,
        kinds={"ibis", "duckdb", "parquet"},
        code_version=code_version("labels", "population", "engine", declared=dataset.label),
    )
    def matured_labels(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.labels import newly_matured, write_labels
        from pipeline.profile import churn_rates

        keys = {snapshot: key for key in context.partition_keys for snapshot in newly_matured(dataset, key)}
        write_labels(dataset, work.lake, keys, work.settings.threads)
        rates = churn_rates(work.lake, list(keys))
        rows = sum(rate["customers"] for rate in rates)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, "snapshots": table_of(rates)})

    return matured_labels


def _history_months(work: Work) -> int:
    calendar = work.dataset.calendar
    return calendar.history_months if isinstance(calendar, Monthly) else 0
