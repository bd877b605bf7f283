"""What answers from now on: the pointer is moved here and nowhere else."""

import dagster as dg

from assets.work import TEAM_ML, Work, now


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`current_release`."""

    @work.asset(
        "release",
        deps=["promotion_decision"],
        description="The release that answers: the candidate if the gate let it pass, else the one before.",
        owners=TEAM_ML,
        kinds={"json"},
        code_version="1",
        pool="promotion",  # two months never promote at once
    )
    def current_release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.candidates import act_on_decision
        from pipeline.pointer import read_pointer
        from pipeline.tracking import recorded_release

        run = work.run_of(context)
        promoted = act_on_decision(run, at=now())
        record = recorded_release(run, is_champion=promoted is not None)
        pointer = promoted or read_pointer(run.releases)
        release = pointer.release if pointer else "none yet: the rule answers"
        return dg.MaterializeResult(
            metadata={"release": release, "promoted": promoted is not None, "mlflow": record}
        )

    return [current_release]
