"""Measures what is claimed of monitoring. Every function that measures returns figures and `goals`."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from assets.run import Progress
from pipeline.errors import SourceError
from pipeline.settings import Settings

COST_CUSTOMERS, COST_ROUNDS = 100_000, 7


def monitor_goals(retail: Path | None, *, is_quick: bool, progress: Progress) -> dict[str, Any]:
    """False alarms and faults found, in made-up worlds and in months of real customers where there are any."""
    from monitoring.bench import QUICK, BenchSettings, operating_characteristics

    if retail is not None and not retail.is_file():
        raise SourceError(
            "the Online Retail table",
            expected="a Parquet file",
            found=f"nothing at {retail}",
            remedy="Correct the path, or leave it out: the made-up worlds need no file.",
        )
    return operating_characteristics(QUICK if is_quick else BenchSettings(), retail=retail, progress=progress)


def estimate_goals(*, is_quick: bool, progress: Progress) -> dict[str, Any]:
    """How far estimated performance is from what came."""
    from monitoring.bench_estimates import QUICK, EstimateSettings, estimation_errors

    return estimation_errors(QUICK if is_quick else EstimateSettings(), progress=progress)


def cost_goals(
    settings: Settings, *, customers: int = COST_CUSTOMERS, rounds: int = COST_ROUNDS, progress: Progress
) -> dict[str, Any]:
    """Processor time of monitoring beside that of features, in a simulated company of its own that is thrown away."""
    from assets.bench_company import company_with_past
    from monitoring.bench_cost import monitoring_cost

    with tempfile.TemporaryDirectory(prefix="churn-bench-") as home:
        here = {"home": home, "state_url": None, "simulated_customers": customers}
        return monitoring_cost(*company_with_past(settings.model_copy(update=here), progress), rounds=rounds)


def rules_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What each rule does in each world: false alarms a year, and the share of each fault found in its first month."""
    faults = list(rows[0]["found"])
    table = Table("rule", "world", "customers", "false alarms a year", *faults)
    for row in rows:
        alarms = f"{row['false_alarms']:.2f} ± {row['false_alarms_sd']:.2f}"
        found = [f"{row['found'][fault]:.0%}" if fault in row["found"] else "" for fault in faults]
        table.add_row(row["rule"], row["world"], f"{row['customers']:,}", alarms, *found)
    return table


def estimates_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """How far the estimates are from what came, beside the noise of what came; profit in shares of realised profit."""
    shown = ("estimated", "realised", "bias", "bias_sd", "error", "noise", "inside")
    table = Table("figure", "world", "model", "customers", *shown)
    for row in rows:
        figures = [f"{row[name]:.4g}" for name in shown]
        table.add_row(row["figure"], row["world"], row["model"], f"{row['customers']:,}", *figures)
    return table


def cost_table(seconds: Mapping[str, float]) -> Table:
    """Processor seconds of each part."""
    table = Table("part", "processor seconds")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.3f}")
    return table
