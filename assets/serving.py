"""The current release as a Bento, started and proven on its golden rows. The only asset module that knows serving."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import WHEN_UPSTREAM_IS_GOOD
from assets.work import TEAM_ML, Work
from pipeline.code_version import code_version
from pipeline.errors import ReleaseError

if TYPE_CHECKING:
    from pipeline.release import Release
    from serving.bento import Proof


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`bento`."""

    @work.asset(
        "serving",
        deps=["current_release"],
        description="A Bento of the current release that gave the offline answers over HTTP when it was started.",
        output_required=False,  # before anything passed the gate there is no release to build one of
        owners=TEAM_ML,
        kinds={"bentoml"},
        code_version=code_version(),
        automation_condition=WHEN_UPSTREAM_IS_GOOD,
    )
    def bento(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        from serving.bento import build_bento, prove_bento

        home = Path(str(work.lake.root)) / "bento"
        for release in _current(work.run_of(context).releases):
            proof = _required(prove_bento(build_bento(release, home), home, release.golden))
            yield dg.MaterializeResult(data_version=dg.DataVersion(release.digest), metadata=asdict(proof))

    return [bento]


def _current(root: Path) -> "list[Release]":
    """The current release, or nothing."""
    from pipeline.pointer import current_release

    release = current_release(root)
    return [release] if release else []


def _required(proof: "Proof") -> "Proof":
    if not proof.holds:
        raise ReleaseError(
            f"Bento {proof.tag}",
            expected="the champion's answers of the day it was made",
            found=f"answers by {proof.served_by!r} that differ by {proof.max_difference:.3g}",
            remedy="Do not ship it; run the month again, and compare the versions of numpy.",
        )
    return proof
