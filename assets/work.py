"""What every asset needs: the dataset, the settings, and the month's run that the steps of one Dagster run share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from pipeline.calendar import Monthly, month_after
from pipeline.declaration import Dataset
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings

THIRD_AT_SIX = "0 6 3 * *"  # a day after the schedule
PARTITION = "dagster/partition"  # the tag of a run that says which month it is of
RETRAIN = "retrain"  # the job that monitoring starts: it learns from the newest months
TEAM_DATA, TEAM_ML, TEAM_RETENTION = ["team:data"], ["team:ml"], ["team:retention"]


@dataclass
class Work:
    """One dataset under one set of settings."""

    dataset: Dataset
    settings: Settings
    _runs: dict[tuple[str, str], Any] = field(default_factory=dict)
    _watched: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        """Where everything is read and written."""
        return lake_of(self.settings, self.dataset.name)

    @property
    def partitions(self) -> dg.PartitionsDefinition[str]:
        """One partition per month, or the only snapshot."""
        calendar = self.dataset.calendar
        if isinstance(calendar, Monthly):
            end, offset = (
                month_after(calendar.last),
                len(calendar.keys()),
            )  # every declared month, whatever the clock says
            return dg.MonthlyPartitionsDefinition(
                start_date=calendar.first, end_date=end, fmt="%Y-%m", end_offset=offset
            )
        return dg.StaticPartitionsDefinition(calendar.keys())

    def run_of(self, context: dg.AssetExecutionContext) -> Any:
        """The month's run; steps of one Dagster run share the rows that it has read."""
        from monitoring.month import months_since_change
        from monitoring.watched import WatchedMonth
        from pipeline.candidates import Run  # pandas and scikit-learn: not while definitions load

        def made(key: str) -> Run:
            if context.run.job_name != RETRAIN:  # which monitoring asks for, because something changed
                return Run(self.dataset, self.settings, key)
            months = months_since_change(WatchedMonth(self.dataset, self.settings, key))
            return Run(self.dataset, self.settings.model_copy(update={"months_since_change": months}), key)

        return self._shared(self._runs, context, made)

    def watched(self, context: dg.AssetExecutionContext) -> Any:
        """The month under watch; the same for the steps that monitor it."""
        from monitoring.watched import WatchedMonth

        return self._shared(self._watched, context, partial(WatchedMonth, self.dataset, self.settings))

    def _shared(self, kept: dict[tuple[str, str], Any], context: dg.AssetExecutionContext, made: Any) -> Any:
        place = (context.run.run_id, context.partition_key)
        if place not in kept:
            kept.clear()
            kept[place] = made(context.partition_key)
        return kept[place]

    @property
    def freshness(self) -> dg.FreshnessPolicy | None:
        """By when a month must be there; None where the data ended before today, so that nothing can be late."""
        calendar = self.dataset.calendar
        if not isinstance(calendar, Monthly) or calendar.as_of(calendar.last) <= now():
            return None
        return dg.FreshnessPolicy.cron(deadline_cron=THIRD_AT_SIX, lower_bound_delta=timedelta(days=2), timezone="UTC")

    def asset(self, group: str, **options: Any) -> Any:
        """`dg.asset` with what all assets of the project have in common: one month for each run."""
        common = {"partitions_def": self.partitions, "backfill_policy": dg.BackfillPolicy.multi_run(1)}
        return dg.asset(group_name=group, **common, **options)

    def tables(self, group: str, **options: Any) -> Any:
        """The same for tables, whose bodies take all months of a backfill in one run."""
        common = {"partitions_def": self.partitions, "backfill_policy": dg.BackfillPolicy.single_run()}
        return dg.asset(group_name=group, **common, **options)

    def after(self, names: Sequence[str], months_back: int = 0) -> list[dg.AssetDep]:
        """Dependencies on the same month of other assets, and on the months before it that they reach back."""
        if months_back == 0 or not isinstance(self.dataset.calendar, Monthly):
            return [dg.AssetDep(name) for name in names]
        reach = dg.TimeWindowPartitionMapping(start_offset=-months_back, allow_nonexistent_upstream_partitions=True)
        return [dg.AssetDep(name, partition_mapping=reach) for name in names]


def now() -> datetime:
    """The moment, as the project's naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)
