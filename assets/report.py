"""The page about a replay, for `churn report` and as an asset with its plots in place; only a scenario has one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.metadata import picture, table_of
from assets.work import TEAM_ML, Work
from pipeline.code_version import code_version
from pipeline.declaration import Dataset
from pipeline.settings import Settings
from pipeline.simulator.scenarios import scenario_of

if TYPE_CHECKING:
    from monitoring.hindsight import Hindsight
    from monitoring.page import Picture
    from pipeline.replay_outcome import Outcome

FOLDER, PAGE = "replay", "report.html"


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`replay_report` for a scenario; nothing for other datasets, whose months cannot be played."""
    if scenario_of(work.dataset.name) is None:
        return []

    @dg.asset(
        group_name="report",
        # the newest month only: a page is due whenever some months were played
        deps=[dg.AssetDep("monitoring_decision", partition_mapping=dg.LastPartitionMapping())],
        description="What the months that were played came to: profit, alarms against what happened, estimates.",
        owners=TEAM_ML,
        kinds={"html"},
        code_version=code_version("replay_outcome", "replay_plots", "replay_estimates", "plot_sheets"),
    )
    def replay_report() -> dg.MaterializeResult:  # type: ignore[type-arg]
        report = made_report(work.dataset, work.settings)
        return dg.MaterializeResult(metadata=_shown(report, report.write()))

    return [replay_report]


@dataclass(frozen=True)
class Report:
    """An outcome with what is told and drawn of it.

    Args:
        folder: where the outcome lies and the page belongs.
    """

    outcome: "Outcome"
    hindsight: "Hindsight"
    course: "Picture"
    estimates: "Picture"
    folder: Path

    def write(self) -> Path:
        """Write the page, whole or not at all; returns where it is."""
        from upath import UPath

        from monitoring.replay_page import replay_page
        from pipeline.lake import write_atomically

        html = replay_page(self.outcome, self.hindsight, course=self.course, estimates=self.estimates)
        path = self.folder / PAGE
        write_atomically(UPath(path), html.encode())
        return path


def write_report(dataset: Dataset, settings: Settings) -> Path:
    """Write the page about the replay of a scenario; returns where it is.

    Raises:
        ChurnError: there was no replay, or its outcome cannot be read.
    """
    return made_report(dataset, settings).write()


def made_report(dataset: Dataset, settings: Settings) -> Report:
    """Read what the replay came to, judge its alarms and draw its pictures; raises as `write_report` does."""
    from monitoring.hindsight import judged
    from pipeline.lake import lake_of
    from pipeline.replay_outcome import outcome_of, stored_outcome

    scenario, lake = scenario_of(dataset.name), lake_of(settings, dataset.name)
    stored = stored_outcome(lake, scenario.name if scenario else dataset.name)
    outcome = outcome_of(stored)
    hindsight = judged(stored["months"], stored["happened"])
    course, estimates = _pictures(outcome, hindsight)
    return Report(outcome, hindsight, course, estimates, Path(str(lake.root)) / FOLDER)


def _pictures(outcome: "Outcome", hindsight: "Hindsight") -> tuple["Picture", "Picture"]:
    """The course and the estimates, each wide and narrow."""
    from monitoring.page import Picture
    from monitoring.replay_words import COURSE, ESTIMATES
    from pipeline.plot_sheets import NARROW, WIDE
    from pipeline.replay_estimates import estimates_plot
    from pipeline.replay_plots import course_plot

    place = {month: i for i, month in enumerate(outcome.keys, start=1)}
    falsely, rightly = (
        [place[alarm.month] for alarm in hindsight.alarms if alarm.is_false is is_false] for is_false in (True, False)
    )
    course = [course_plot(outcome, true_alarms=rightly, false_alarms=falsely, sheet=sheet) for sheet in (WIDE, NARROW)]
    estimates = [estimates_plot(outcome, sheet=sheet) for sheet in (WIDE, NARROW)]
    return Picture(*course, COURSE), Picture(*estimates, ESTIMATES)


def _shown(report: Report, path: Path) -> dict[str, dg.MetadataValue]:
    """The verdict, the plots in place, every alarm, and the page."""
    from monitoring.replay_words import explained, verdict

    alarms = [{"month": alarm.month, "verdict": explained(alarm)} for alarm in report.hindsight.alarms]
    return {
        "verdict": dg.MetadataValue.md(verdict(report.outcome, report.hindsight)),
        "profit by month": picture(report.course.wide, report.course.says),
        "estimated and realised": picture(report.estimates.wide, report.estimates.says),
        "alarms": table_of(alarms),
        "false alarms a year": dg.MetadataValue.float(report.hindsight.false_alarms_a_year),
        "page": dg.MetadataValue.path(str(path)),
    }
