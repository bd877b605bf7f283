"""Is the release still good? A month seen from every side, the decision that follows, and a check on each.

What is looked at and how lives in `monitoring/`; a dataset without time has no later month to look at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.metadata import points, table_of
from assets.work import TEAM_ML, Work
from pipeline.calendar import Monthly
from pipeline.code_version import code_version

if TYPE_CHECKING:
    from monitoring.figures import Kind
    from monitoring.month import Look

Result = dg.MaterializeResult | dg.AssetCheckResult  # type: ignore[type-arg]
VERSION = code_version(folder=Path(__file__).parents[1] / "monitoring")
FINDING = "A finding is a warning: nothing stops."
DECISION, NOTHING_TO_DO = "monitoring_decision", "nothing_has_to_be_done"


@dataclass(frozen=True)
class Watcher:
    """An asset that looks at a month: which look, what it waits for, and its check."""

    kind: "Kind"
    deps: tuple[str, ...]
    check: str
    description: str


WATCHERS = {
    "data_health": Watcher(
        "health",
        (),
        "tables_arrived_as_usual",
        "Rows, quarantine and silence of each table, against the months before.",
    ),
    "feature_drift": Watcher(
        "drift",
        ("feature_sketch",),
        "customers_are_as_usual",
        "Features against the months of the release in the same season; one finding for each cause.",
    ),
    "score_drift": Watcher(
        "scores",
        ("customer_features",),
        "scores_are_as_usual",
        "The release's scores, overall and by slice, against those of its own months.",
    ),
    "estimated_performance": Watcher(
        "estimated",
        ("customer_features", "matured_labels"),
        "estimate_keeps_the_promise",
        "What the labels should show later, from calibrated probabilities; blind to a change of customers' reasons.",
    ),
    "realised_performance": Watcher(
        "realised",
        ("matured_labels",),
        "results_keep_the_promise",
        "What the labels that matured in the month do show, with the control group in the place of who was called.",
    ),
    "model_staleness": Watcher(
        "staleness",
        ("customer_features",),
        "model_is_fresh",
        "How old the release is, and at which age a model like it had lost a tenth of its skill.",
    ),
    "serving_skew": Watcher(
        "skew",
        ("customer_features",),
        "callers_send_what_the_batch_computes",
        "What callers of the service sent in the month, beside the features of the same customers in the lake.",
    ),
}


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """One asset for each look, and `monitoring_decision`."""
    if not isinstance(work.dataset.calendar, Monthly):
        return []
    return [*(_watcher(work, name, watcher) for name, watcher in WATCHERS.items()), _decision(work)]


def _watcher(work: Work, name: str, watcher: Watcher) -> dg.AssetsDefinition:
    @work.asset(
        "monitoring",
        name=name,
        deps=watcher.deps or [f"trusted_{table.name}" for table in work.dataset.tables],
        check_specs=[
            dg.AssetCheckSpec(watcher.check, asset=name, description="A finding is a warning: nothing stops.")
        ],
        description=watcher.description,
        owners=TEAM_ML,
        kinds={"json"},
        code_version=VERSION,
    )
    def watched(context: dg.AssetExecutionContext) -> Iterator[Result]:
        from monitoring.month import look

        found = look(work.watched(context), watcher.kind)
        yield dg.MaterializeResult(metadata=_shown(found))
        yield _check(watcher.check, [each.says for each in found.evidence])

    return watched


def _decision(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "monitoring",
        name=DECISION,
        deps=list(WATCHERS),
        check_specs=[dg.AssetCheckSpec(NOTHING_TO_DO, asset=DECISION, description="Neither action nor watch is due.")],
        description="Nothing, watch, retrain, roll back, or the rule answers; `carry_out_decision` does what it says.",
        owners=TEAM_ML,
        kinds={"json"},
        code_version=VERSION,
    )
    def monitoring_decision(context: dg.AssetExecutionContext) -> Iterator[Result]:
        from monitoring.month import decide_month

        decision = decide_month(work.watched(context))
        about = {"action": decision.action.name.lower(), "starts training": decision.starts_training}
        yield dg.MaterializeResult(metadata=about | {"since": decision.since, "reasons": points(decision.reasons)})
        yield _check(NOTHING_TO_DO, decision.reasons if decision.action else ())

    return monitoring_decision


def _shown(found: "Look") -> dict[str, dg.MetadataValue]:
    """Evidence as sentences, and whatever rows of figures there are as tables."""
    tables = {name: table_of(rows) for name, rows in found.tables.items() if rows}
    return {"evidence": points(each.says for each in found.evidence), **tables}


def _check(name: str, says: Sequence[str]) -> dg.AssetCheckResult:
    warn = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=name, passed=not says, severity=warn, description="; ".join(says) or None)
