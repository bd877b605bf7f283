"""Raw tables as they came, one asset for each table of the dataset."""

import dagster as dg

from assets.work import TEAM_DATA, Work, table_of


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`raw_<table>` for every declared table."""
    return [_raw(work, table.name) for table in work.dataset.tables]


def _raw(work: Work, table: str) -> dg.AssetsDefinition:
    @work.tables(
        "ingestion",
        name=f"raw_{table}",
        description=f"Rows of `{table}` that became known in the month, as they came.",
        owners=TEAM_DATA,
        kinds={"parquet"},
        code_version="1",
    )
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.ingestion import ingest

        counts = [ingest(work.dataset, table, key, work.settings, work.lake) for key in context.partition_keys]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(count.rows for count in counts),
                "months": table_of([{"month": c.key, "rows": c.rows, "columns dropped": str(c.dropped)} for c in counts]),
            }
        )

    return raw
