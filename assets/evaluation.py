"""Every rung judged in money on later months, and the gate that decides about the one proposed."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import dagster as dg

from assets.metadata import picture, points, rungs_of, table_of
from assets.training import NAMES
from assets.work import TEAM_ML, Work, now
from pipeline.code_version import code_version

MONITORING = Path(__file__).parents[1] / "monitoring"
MAY_BE_PROMOTED = "candidate_may_be_promoted"


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`evaluation`, `decay_curve`, `candidate_release` and `promotion_decision`."""
    return [_evaluation(work), _decay_curve(work), _candidate_release(work), _promotion_decision(work)]


def _evaluation(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "evaluation",
        deps=list(NAMES.values()),
        description="Profit, ranking and calibration of each rung on untouched months, with intervals.",
        owners=TEAM_ML,
        kinds={"python", "mlflow"},
        code_version=code_version("evaluation", "metrics", "campaign", "bootstrap", "verdict"),
    )
    def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import evaluate_run
        from pipeline.recording import recorded_evaluation

        run = work.run_of(context)
        found = evaluate_run(run)
        plots = run.write_plots(found) if run.settings.pages else {}
        recorded_evaluation(run, found, plots)
        pictures = {name: picture(png, name) for name, png in plots.items()}
        judged = {"rungs": rungs_of(found), "verdict": points(found.verdict.reasons)}
        return dg.MaterializeResult(data_version=dg.DataVersion(found.test_digest), metadata=judged | pictures)

    return evaluation


def _decay_curve(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "evaluation",
        deps=["evaluation"],
        description="The skill of a model like the chosen rung, by months since it was trained: when it goes stale.",
        owners=TEAM_ML,
        kinds={"scikitlearn", "json"},
        code_version=code_version("staleness", folder=MONITORING),
    )
    def decay_curve(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from monitoring.staleness import keep_decay

        found = keep_decay(work.run_of(context))
        best_before = found["best_before_months"] or "no end seen"
        return dg.MaterializeResult(metadata={"best before, months": best_before, "skill": table_of(found["curve"])})

    return decay_curve


def _candidate_release(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "evaluation",
        deps=["evaluation", "customer_features"],
        description="The proposed rung as an immutable folder of plain data; nobody serves it yet.",
        owners=TEAM_ML,
        kinds={"json"},
        code_version=code_version("candidates", "release", "manifest", "policy", "reference"),
    )
    def candidate_release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from monitoring.reference import reference_of_run
        from pipeline.candidates import write_candidate
        from pipeline.recording import recorded_candidate, settled

        run = work.run_of(context)
        drift, records = reference_of_run(run), settled()
        release = write_candidate(run, at=now(), dagster_run_id=context.run_id, drift=drift)
        recorded_candidate(run, release)
        about = {"release": release.id, "rung": release.manifest.rung, "mlflow": points(records)}
        card = {"model card": dg.MetadataValue.md((release.folder / "card.md").read_text())}
        return dg.MaterializeResult(data_version=dg.DataVersion(release.digest), metadata=about | card)

    return candidate_release


def _promotion_decision(work: Work) -> dg.AssetsDefinition:
    name = "promotion_decision"

    @work.asset(
        "evaluation",
        deps=["candidate_release"],
        check_specs=[dg.AssetCheckSpec(MAY_BE_PROMOTED, asset=name, description="Every check of the gate.")],
        description="What the gate found: the candidate against the champion on the same untouched rows.",
        owners=TEAM_ML,
        kinds={"python"},
        code_version=code_version(
            "gate",
            "gate_case",
            "gate_checks",
            "gate_rules",
            "gate_behaviour",
            "gate_figures",
            "paired",
            "control_group",
        ),
    )
    def promotion_decision(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        from pipeline.candidates import judge_candidate

        decision = judge_candidate(work.run_of(context))
        about = {"promote": decision.promote, "candidate": decision.candidate, "champion": decision.champion or "none"}
        why = {"reasons": points(decision.reasons), "checks": table_of([asdict(check) for check in decision.checks])}
        yield dg.MaterializeResult(metadata=about | why)
        warn = dg.AssetCheckSeverity.WARN  # a refusal is a finding, not a failure: the champion goes on answering
        yield dg.AssetCheckResult(check_name=MAY_BE_PROMOTED, passed=decision.promote, severity=warn)

    return promotion_decision
