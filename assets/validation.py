"""Trusted tables: what kept its contract. Great Expectations judges every row; the checks below show its verdicts."""

from collections.abc import Iterator

import dagster as dg

from assets.work import TEAM_DATA, Work, table_of
from pipeline.contract import Check, Validation, checks_of


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`trusted_<table>` for every declared table, with a check for every promise of the table."""
    return [_trusted(work, table.name) for table in work.dataset.tables]


def _trusted(work: Work, table: str) -> dg.AssetsDefinition:
    checks = checks_of(work.dataset, table)
    asset = f"trusted_{table}"

    @work.tables(
        "validation",
        name=asset,
        deps=[f"raw_{table}"],
        check_specs=[_spec(check, asset) for check in checks],
        description=f"Rows of `{table}` that kept every promise; the others are in quarantine with their reasons.",
        owners=TEAM_DATA,
        kinds={"parquet", "greatexpectations"},
        code_version="1",
    )
    def trusted(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        from pipeline.validation import validate

        found = validate(work.dataset, table, list(context.partition_keys), work.lake)
        docs = work.lake.root / "docs" / "index.html"
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(month.rows_trusted for month in found),
                "rows quarantined": sum(month.rows_quarantined for month in found),
                "months": table_of([_month(month) for month in found]),
                "data docs": dg.MetadataValue.path(str(docs)),
            }
        )
        yield from (_result(check, asset, found) for check in checks)

    return trusted


def _spec(check: Check, asset: str) -> dg.AssetCheckSpec:
    is_blocking = check.severity == "blocking"
    return dg.AssetCheckSpec(check.name, asset=asset, blocking=is_blocking, description=check.title)


def _result(check: Check, asset: str, found: list[Validation]) -> dg.AssetCheckResult:
    """The verdict over the months of the run: a row that is set aside is a warning, a broken month an error."""
    failed = {m.key: e.unexpected_count for m in found for e in m.expectations if e.name == check.name and not e.success}
    broken = [f"{m.key}: {m.contract_broken}" for m in found if m.contract_broken and m.key in failed]
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if check.severity == "blocking" else dg.AssetCheckSeverity.WARN,
        description="; ".join(broken) or None,
        metadata={"rows or months that broke it": sum(failed.values()), "months": ", ".join(failed)},
    )


def _month(month: Validation) -> dict[str, object]:
    return {
        "month": month.key,
        "rows in": month.rows_in,
        "trusted": month.rows_trusted,
        "quarantined": month.rows_quarantined,
        "reasons": "; ".join(f"{reason} ({count})" for reason, count in month.reasons.items()) or "none",
    }
