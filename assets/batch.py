"""Whom to contact this month."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets.metadata import table_of
from assets.work import TEAM_RETENTION, Work, now
from pipeline.code_version import code_version

if TYPE_CHECKING:
    from pipeline.batch import Month


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`call_list`."""

    @work.asset(
        "batch",
        freshness_policy=work.freshness,
        deps=["current_release", "customer_features"],
        description="Every active customer scored; the budget spent where a contact is expected to earn most.",
        output_required=False,  # before the first training nothing can answer
        owners=TEAM_RETENTION,
        kinds={"parquet", "csv"},
        code_version=code_version("batch", "call_list", "policy", "reasons"),
    )
    def call_list(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        from pipeline.batch import write_list

        yield from map(_shown, filter(None, [write_list(work.run_of(context), at=now())]))

    return [call_list]


def _shown(month: "Month") -> dg.MaterializeResult:  # type: ignore[type-arg]
    from pipeline.profile import preview

    rows = {"dagster/row_count": len(month.listed), "customers scored": len(month.scores)}
    by = {"release": month.answering.release.id, "served by": month.answering.served_by}
    best = {"first customers": table_of(preview(month.listed, 10)), "file": dg.MetadataValue.path(str(month.path))}
    return dg.MaterializeResult(metadata=rows | by | best)
