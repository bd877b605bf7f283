"""Trusted tables: what kept its contract. Great Expectations judges the rows; the checks below show its verdicts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.metadata import months, points, schema_of, table_of
from assets.web import DATA_DOCS
from assets.work import TEAM_DATA, Work
from pipeline.code_version import code_version
from pipeline.contract import Check, Validation, checks_of
from pipeline.tables import Table

if TYPE_CHECKING:
    from upath import UPath

CONTRACT = "contract_is_kept"
Result = dg.MaterializeResult | dg.AssetCheckResult  # type: ignore[type-arg]


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`trusted_<table>` for every declared table, with a check for every promise of the table."""
    return [_trusted(work, table) for table in work.dataset.tables]


def _trusted(work: Work, table: Table) -> dg.AssetsDefinition:
    checks, asset = checks_of(work.dataset, table.name), f"trusted_{table.name}"

    @work.tables(
        "validation",
        name=asset,
        deps=[f"raw_{table.name}"],
        check_specs=[_contract_spec(asset), *(_spec(check, asset) for check in checks)],
        description=f"{table.description} The rows that kept every promise; the others are in quarantine.".strip(),
        metadata={"dagster/column_schema": schema_of(table)},
        owners=TEAM_DATA,
        kinds={"parquet", "greatexpectations"},
        code_version=code_version(
            "validation", "contract", "check_frame", "expectations", "outcome", "casting", "quarantine", declared=table
        ),
    )
    def trusted(context: dg.AssetExecutionContext) -> Iterator[Result]:
        from pipeline.validation import data_docs, validate

        found = validate(work.dataset, table.name, context.partition_keys, work.lake, with_page=work.settings.pages)
        pages = [_link(page) for page in data_docs(work.dataset, found, work.lake)]
        about = {"months": table_of([_month(month) for month in found]), "data docs": points(pages)}
        context.add_asset_metadata(about)
        yield months(context, work, "trusted", table.name, context.partition_keys)
        yield _contract(asset, found)
        yield from (_result(check, asset, found) for check in checks)

    return trusted


def _link(page: "UPath") -> str:
    """A link that `churn up` serves; `dg dev` does not, so it says where the file is."""
    return f"[{page}]({DATA_DOCS}/{page.parent.name}/{page.name})"


def _contract_spec(asset: str) -> dg.AssetCheckSpec:
    said = "No month may be used whose contract is broken: nothing downstream of it runs."
    return dg.AssetCheckSpec(CONTRACT, asset=asset, blocking=True, description=said)


def _spec(check: Check, asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check.name, asset=asset, blocking=check.severity == "blocking", description=check.title)


def _contract(asset: str, found: Sequence[Validation]) -> dg.AssetCheckResult:
    """Whether all months of the run may be used; a check that could not be evaluated breaks the contract too."""
    broken = [f"month {month.key}: {month.contract_broken}" for month in found if month.contract_broken]
    return dg.AssetCheckResult(
        check_name=CONTRACT, asset_key=asset, passed=not broken, description="; ".join(broken) or None
    )


def _result(check: Check, asset: str, found: Sequence[Validation]) -> dg.AssetCheckResult:
    """The verdict over the months of the run: a row that is set aside is a warning, a broken month an error."""
    failed = {
        m.key: e.unexpected_count for m in found for e in m.expectations if e.name == check.name and not e.success
    }
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if check.severity == "blocking" else dg.AssetCheckSeverity.WARN,
        metadata={"rows or months that broke it": sum(failed.values()), "months": ", ".join(failed)} if failed else {},
    )


def _month(month: Validation) -> dict[str, object]:
    return {
        "month": month.key,
        "rows in": month.rows_in,
        "trusted": month.rows_trusted,
        "quarantined": month.rows_quarantined,
        "reasons": "; ".join(f"{reason} ({count})" for reason, count in month.reasons.items()) or "none",
    }
