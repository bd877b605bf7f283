"""Raw tables as they came, one asset for each table of the dataset."""

import dagster as dg

from assets.metadata import months, schema_of
from assets.transient import tried_again
from assets.work import TEAM_DATA, Work
from pipeline.code_version import code_version
from pipeline.tables import Table


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`raw_<table>` for every declared table."""
    return [_raw(work, table) for table in work.dataset.tables]


def _raw(work: Work, table: Table) -> dg.AssetsDefinition:
    @work.tables(
        "ingestion",
        name=f"raw_{table.name}",
        description=f"{table.description} The rows that became known in the month, as they came.".strip(),
        metadata={"dagster/column_schema": schema_of(table)},
        owners=TEAM_DATA,
        kinds={"parquet"},
        code_version=code_version("ingestion", declared=table),
    )
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.ingestion import ingest

        with tried_again(context):
            for key in context.partition_keys:
                ingest(work.dataset, table.name, key, work.settings, work.lake)
        return months(context, work, "raw", table.name, context.partition_keys)

    return raw
