"""What was known about each customer at a snapshot, and what became known of those before."""

import dagster as dg

from assets.work import TEAM_ML, Work, table_of
from pipeline.calendar import Monthly

REACH_BACK_MONTHS = 3


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`customer_features` and `matured_labels`."""
    trusted = [f"trusted_{table.name}" for table in work.dataset.tables]

    @work.tables(
        "features",
        deps=work.after(trusted, REACH_BACK_MONTHS),
        description="One row for each active customer, from rows known strictly before the month closed.",
        owners=TEAM_ML,
        kinds={"ibis", "duckdb", "parquet"},
        code_version="1",
    )
    def customer_features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.features import build_features
        from pipeline.profile import preview, profile

        keys = _with_history(work, list(context.partition_keys))
        for key in keys:
            work.lake.write(build_features(work.dataset, work.lake, key), "features", "customers", key)
        if not keys:
            return dg.MaterializeResult(metadata={"dagster/row_count": 0, "note": "too little history for a snapshot"})
        newest = work.lake.read("features", "customers", keys[-1])
        return dg.MaterializeResult(
            data_version=dg.DataVersion(work.lake.digest("features", "customers", keys)),
            metadata={
                "dagster/row_count": len(newest),
                "columns": table_of(profile(newest)),
                "preview": table_of(preview(newest)),
            },
        )

    @work.tables(
        "features",
        deps=work.after(trusted, REACH_BACK_MONTHS),
        description="Who churned, for the snapshots whose horizon ended in the month.",
        owners=TEAM_ML,
        kinds={"ibis", "duckdb", "parquet"},
        code_version="1",
    )
    def matured_labels(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.labels import build_labels, newly_matured
        from pipeline.profile import churn_rates

        run_keys = list(context.partition_keys)
        keys = [(snapshot, run_key) for run_key in run_keys for snapshot in newly_matured(work.dataset, run_key)]
        for snapshot, run_key in keys:
            labels = build_labels(work.dataset, work.lake, snapshot, run_key)
            work.lake.write(labels, "labels", "customers", snapshot)
        rates = churn_rates(work.lake, [snapshot for snapshot, _ in keys])
        return dg.MaterializeResult(
            metadata={"dagster/row_count": sum(rate["customers"] for rate in rates), "snapshots": table_of(rates)}
        )

    return [customer_features, matured_labels]


def _with_history(work: Work, keys: list[str]) -> list[str]:
    calendar = work.dataset.calendar
    return [key for key in keys if key in calendar.snapshots(key)] if isinstance(calendar, Monthly) else keys
