"""Whom to contact this month."""

import dagster as dg

from assets.work import TEAM_RETENTION, Work, now, table_of


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`call_list`."""

    @work.asset(
        "batch",
        deps=["current_release", "customer_features"],
        description="Every active customer scored; the budget spent where a contact is expected to earn most.",
        owners=TEAM_RETENTION,
        kinds={"parquet", "csv"},
        code_version="1",
    )
    def call_list(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import write_month
        from pipeline.profile import preview

        scores, listed, path = write_month(work.run_of(context), at=now())
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(listed),
                "customers scored": len(scores),
                "call list": dg.MetadataValue.path(str(path)),
                "preview": table_of(preview(listed, 10)),
            }
        )

    return [call_list]
