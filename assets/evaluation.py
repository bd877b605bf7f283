"""Every rung judged in money on later months, and the gate that decides about the one proposed."""

import dagster as dg

from assets.training import NAMES
from assets.work import TEAM_ML, Work, now, picture, table_of


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`evaluation`, `candidate_release` and `promotion_decision`."""
    return [_evaluation(work), _candidate_release(work), _promotion_decision(work)]


def _evaluation(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "evaluation",
        deps=list(NAMES.values()),
        description="Profit, ranking and calibration of each rung on untouched months, with intervals.",
        owners=TEAM_ML,
        kinds={"python", "mlflow"},
        code_version="1",
    )
    def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import evaluate_run
        from pipeline.tracking import recorded_evaluation

        run = work.run_of(context)
        found = evaluate_run(run)
        plots = run.write_plots(found)
        record = recorded_evaluation(run, found, plots)
        return dg.MaterializeResult(
            metadata={
                "rungs": table_of(found.rows_for_people()),
                "verdict": dg.MetadataValue.md("\n".join(f"* {reason}" for reason in found.verdict.reasons)),
                "mlflow": record,
                **{name: picture(png, name) for name, png in plots.items()},
            }
        )

    return evaluation


def _candidate_release(work: Work) -> dg.AssetsDefinition:
    @work.asset(
        "evaluation",
        deps=["evaluation", "customer_features"],
        description="The proposed rung as an immutable folder of plain data; nobody serves it yet.",
        owners=TEAM_ML,
        kinds={"json"},
        code_version="1",
    )
    def candidate_release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import write_candidate

        release = write_candidate(work.run_of(context), at=now(), dagster_run_id=context.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(release.digest),
            metadata={"release": release.id, "rung": release.manifest.rung, "folder": str(release.folder)},
        )

    return candidate_release


def _promotion_decision(work: Work) -> dg.AssetsDefinition:
    name = "promotion_decision"

    @work.asset(
        "evaluation",
        deps=["candidate_release"],
        check_specs=[dg.AssetCheckSpec("candidate_may_be_promoted", asset=name, description="Every check of the gate.")],
        description="What the gate found: the candidate against the champion on the same untouched rows.",
        owners=TEAM_ML,
        kinds={"python"},
        code_version="1",
    )
    def promotion_decision(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]  # noqa: ANN202
        from dataclasses import asdict

        from pipeline.candidates import judge_candidate

        decision = judge_candidate(work.run_of(context))
        yield dg.MaterializeResult(
            metadata={
                "promote": decision.promote,
                "champion": decision.champion or "none",
                "reasons": dg.MetadataValue.md("\n".join(f"* {reason}" for reason in decision.reasons)),
                "checks": table_of([asdict(check) for check in decision.checks]),
            }
        )
        warn = dg.AssetCheckSeverity.WARN  # a refusal is a finding, not a failure: the champion goes on answering
        yield dg.AssetCheckResult(check_name="candidate_may_be_promoted", passed=decision.promote, severity=warn)

    return promotion_decision
