"""What answers from now on: the pointer is moved here and nowhere else."""

import dagster as dg

from assets.metadata import points
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
        from monitoring.acting import come_back
        from monitoring.watched import WatchedMonth
        from pipeline.candidates import act_on_decision, standing
        from pipeline.recording import recorded_promotion, settled

        run = work.run_of(context)
        promoted = act_on_decision(run, at=now())
        lifted = come_back(WatchedMonth(work.dataset, work.settings, context.partition_key))  # before the list is made
        recorded_promotion(run, is_promoted=promoted is not None)
        about = {"promoted": promoted is not None, "order": points(lifted), "mlflow": points(settled())}
        return dg.MaterializeResult(metadata=about | standing(run))

    return [current_release]
