"""The current release as a Bento, started and proven against its golden rows. The only asset module that knows serving."""

import dagster as dg

from assets.work import TEAM_ML, Work


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`bento`."""

    @work.asset(
        "serving",
        deps=["current_release"],
        description="A Bento of the current release that gave the offline answers when it was started.",
        owners=TEAM_ML,
        kinds={"bentoml"},
        code_version="1",
    )
    def bento(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from serving.bento import build_and_prove

        proof = build_and_prove(work.run_of(context).current_release(), work.settings)
        return dg.MaterializeResult(
            metadata={"tag": proof.tag, "golden rows": proof.rows, "greatest difference": proof.difference}
        )

    return [bento]
