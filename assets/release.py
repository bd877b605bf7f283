"""What answers from now on: the pointer is moved here and nowhere else."""

import dagster as dg

from assets.work import TEAM_ML, Work, now
from pipeline.code_version import code_version


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`current_release`."""

    @work.asset(
        "release",
        deps=["promotion_decision"],
        description="The release that answers: the candidate if the gate let it pass, else the one before.",
        owners=TEAM_ML,
        kinds={"json", "mlflow"},
        code_version=code_version("candidates", "pointer", "gate"),
    )
    def current_release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import act_on_decision, standing
        from pipeline.tracking import recorded_promotion

        run = work.run_of(context)
        promoted = act_on_decision(run, at=now())
        record = recorded_promotion(run, is_promoted=promoted is not None)
        return dg.MaterializeResult(metadata={"promoted": promoted is not None, "mlflow": record} | standing(run))

    return [current_release]
