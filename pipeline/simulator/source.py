"""The simulated company as a source of raw tables: it lives the months that are asked for, and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.calendar import month_after
from pipeline.errors import SourceError
from pipeline.settings import Settings
from pipeline.simulator.feed import Fault, handed_out
from pipeline.simulator.parameters import WorldParameters
from pipeline.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from upath import UPath

    from pipeline.simulator.store import World


@dataclass(frozen=True)
class SimulatedSource:
    """Reads the raw tables of a simulated world, which it makes as far as it is needed.

    Args:
        name: of the dataset; the world is in its folder.
        months: how many months there are.
        parameters: what the world is made of.
        faults: what is wrong with the feed, by month.
    """

    name: str
    months: int
    parameters: WorldParameters = field(default_factory=WorldParameters)
    faults: Mapping[str, Sequence[Fault]] = field(default_factory=dict)

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` recorded in the month `key`, as the feed hands them out.

        Raises:
            SourceError: the world has no such month or table, or the one on disk was begun with other settings.
        """
        from pipeline.lake import read_parquet

        self._require(table, key)
        world = self.world(settings)
        world.live_until(key)
        rows = read_parquet(world.raw_path(table.name, key))
        faults = [fault for fault in self.faults.get(key, ()) if fault.table == table.name]
        return handed_out(rows, faults, world.root, key)

    def world(self, settings: Settings) -> "World":
        """The world itself, for whoever moves it: a replay gives it the month's calls."""
        from pipeline.simulator.store import World

        return World(self.root(settings), self.parameters)

    def root(self, settings: Settings) -> "UPath":
        """The folder of the dataset, in which the world is too."""
        return settings.root() / self.name

    def _require(self, table: Table, key: str) -> None:
        from pipeline.simulator.tables import SCHEMAS

        last = month_after(self.parameters.first, self.months - 1)
        if not self.parameters.first <= key <= last:
            raise SourceError(
                f"the simulated world, table {table.name!r}, month {key!r}",
                expected=f"a month from {self.parameters.first} to {last}",
                found=repr(key),
                remedy="Ask for one of these, or set CHURN_SIMULATED_MONTHS, or CHURN_REPLAY_MONTHS in a scenario, to "
                "a higher number.",
            )
        if table.name not in SCHEMAS:
            raise SourceError(
                f"the simulated world, table {table.name!r}",
                expected=f"one of {', '.join(SCHEMAS)}",
                found=repr(table.name),
                remedy="Correct the name of the table.",
            )
